"""Runs the command line: `homeport`, or `python -m platform_cli`."""

from __future__ import annotations

import atexit
import contextlib
import errno
import gc
import os
import signal
import sys
from typing import NoReturn

import click

from . import __version__
from .errors import HomeportError, InputError, InterruptedByUser

# Command -> (module in commands/, what --help says). A module is imported when its command runs: --help stays instant.
COMMANDS = {
    "deploy": ("deploy", "Deploy a server file or project folder and print its URL."),
    "import": ("import_servers", "Deploy the servers of a client's configuration, such as .mcp.json."),
    "image": ("image", "Make a container image of a server, without Docker, and push it to a registry."),
    "dev": ("dev", "Serve a server file or folder here and reload it on each save."),
    "init": ("init", "Write a commented fastmcp.toml for the server found here."),
    "list": ("projects", "List the projects."),
    "status": ("projects", "Show what a project serves, where, and how it is."),
    "versions": ("projects", "List the releases of a project."),
    "rollback": ("projects", "Serve an older release again, without building anything."),
    "promote": ("promote", "Give one stage of a project on Lambda exactly the release that another one serves."),
    "destroy": ("projects", "End a project: its workers, releases, files and logs."),
    "logs": ("logs", "Show or follow what a project's server printed and who called what."),
    "errors": ("errors", "Show what went wrong in a project's server, by cause and release."),
    "metrics": ("metrics", "Show how much a project answers, how fast, and what fails."),
    "console": ("console", "Open the console in the browser: what projects do, live logs, releases."),
    "alerts": ("alerts", "Tell people what is wrong: by webhook, in Slack or Discord, or by e-mail."),
    "audit": ("audit", "Show who called what, verify that nobody has changed it, export it."),
    "tools": ("tools", "List the tools of a project or of any MCP URL."),
    "call": ("tools", "Call a tool of a project or of any MCP URL."),
    "inspect": ("inspect", "Run the MCP Inspector on a project or on any MCP URL."),
    "new-token": ("token", "Give a project a new bearer token; the old one ends."),
    "approve": ("sign_in", "Approve the sign-in whose page in a browser shows a code."),
    "users": ("sign_in", "List who has signed in to a project, and end sign-ins."),
    "token": ("client_tokens", "Make, list and revoke client tokens: who may call a project, and what."),
    "connect": ("connect", "Print or write the client configuration for a project."),
    "set-secret": ("secrets", "Set a secret that fastmcp.toml names with ${secrets.NAME}."),
    "list-secrets": ("secrets", "List the secrets of a project and the releases that use them; never their values."),
    "unset-secret": ("secrets", "Unset a secret: no new release gets it."),
    "platform": ("platform", "Start, stop or look at the embedded platform, its domain and tokens; put one on AWS."),
    "login": ("github", "Log in to GitHub."),
    "logout": ("github", "Forget the GitHub token of this machine."),
    "whoami": ("github", "Say who is logged in to GitHub."),
    "link-repo": ("links", "Deploy each push to a GitHub repository."),
    "unlink-repo": ("links", "Deploy a project by pushes no more."),
    "repos": ("links", "List the repositories whose pushes are deployed."),
    "deployments": ("deployments", "List what was deployed to a project: from where, by whom, with which result."),
    "diff": ("deployments", "Compare the tools of two releases."),
    "export": ("export", "Write a GitHub workflow or a CloudFormation template, for those who prefer it."),
    "doctor": ("doctor", "Check this machine, with the fix for each finding."),
}
EPILOG = """\b
Exit codes:
  0    done
  1    the work failed: requirements, installation, loading or warming up the server, the platform
  2    the input was wrong, and nothing was changed: arguments, fastmcp.toml, the server file
  3    another operation on the project is in the way
  4    no such project or release
  130  interrupted with Ctrl-C; what served before still does

HOMEPORT_HOME names the folder with all state (default: the user's data folder). HOMEPORT_PLATFORM and HOMEPORT_TOKEN
are a platform on another machine and its token."""


# So many objects make the garbage collector look for the first time: only commands that run for long have as many.
MANY_OBJECTS = 200_000


class LazyGroup(click.Group):
    """Lists all commands, and imports a command's module only when that command runs."""

    def list_commands(self, _context: click.Context) -> list[str]:
        return list(COMMANDS)

    def get_command(self, _context: click.Context, name: str) -> click.Command | None:
        if name not in COMMANDS:
            return None
        module = __import__(f"platform_cli.commands.{COMMANDS[name][0]}", fromlist=[name])
        command: click.Command = getattr(module, f"{name.replace('-', '_')}_command")
        return command

    def resolve_command(
        self, context: click.Context, arguments: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        name = arguments[0]
        if name not in COMMANDS:
            # Imported late, since almost every command exists.
            from difflib import get_close_matches

            near = get_close_matches(name, COMMANDS, n=1)
            meant = f"; did you mean {near[0]}?" if near else ""
            raise click.UsageError(f"there is no command {name!r}{meant}", context)
        return super().resolve_command(context, arguments)

    def format_commands(self, _context: click.Context, formatter: click.HelpFormatter) -> None:
        with formatter.section("Commands"):
            formatter.write_dl([(name, text) for name, (_module, text) in COMMANDS.items()])


@click.command(cls=LazyGroup, epilog=EPILOG, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, prog_name="homeport")
@click.option("--platform", metavar="URL", envvar="HOMEPORT_PLATFORM", help="A platform on another machine.")
def cli(platform: str | None) -> None:
    """A self-hosted FastMCP Cloud: one command turns server.py into a URL.

    \b
    homeport deploy server.py
    """
    # The commands themselves read this option, in commands/options.py.
    _ = platform


def main() -> None:
    """Runs the command of this process, and turns every expected failure into a message and an exit code."""
    # The garbage collector finds next to nothing in what is imported and in a short command, and costs a deploy 15 ms.
    gc.set_threshold(MANY_OBJECTS)
    _open_what_is_closed()
    _leave(run(sys.argv[1:]))


def _open_what_is_closed() -> None:
    """Leads stdin, stdout and stderr to /dev/null where whoever started the command has closed them, lest a file that
    is opened later get their number.
    """
    for name, mode in (("stdin", "r"), ("stdout", "w"), ("stderr", "w")):
        if getattr(sys, name) is None:
            number = os.open(os.devnull, os.O_RDWR)
            os.set_inheritable(number, True)
            setattr(sys, name, os.fdopen(number, mode))


def _leave(code: int) -> NoReturn:
    """Ends the process without the interpreter's teardown, which would cost 10 ms after a deploy."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    atexit._run_exitfuncs()
    for stream in (sys.stdout, sys.stderr):
        with contextlib.suppress(OSError):
            stream.flush()
    os._exit(code)


def run(arguments: list[str]) -> int:
    """Runs a command, prints the error of one that failed, and returns its exit code."""
    if sys.platform == "win32":
        return _failed(
            arguments, InputError("homeport runs on Linux and macOS", hint="on Windows, use it inside WSL 2")
        )
    try:
        code = cli.main(arguments, prog_name="homeport", standalone_mode=False)
    except click.exceptions.Abort:
        code = _interrupted(arguments)
    except KeyboardInterrupt:
        code = _interrupted(arguments)
    except click.exceptions.NoArgsIsHelpError as error:
        _note(error.format_message())
        code = InputError.exit_code
    except click.UsageError as error:
        # Of an option without its value click does not say whose it is.
        named = f"homeport {arguments[0]}" if arguments and arguments[0] in COMMANDS else "homeport"
        context = error.ctx.command_path if error.ctx else named
        code = _failed(arguments, InputError(error.format_message(), hint=f"`{context} --help` shows what is expected"))
    except click.ClickException as error:
        code = _failed(arguments, InputError(error.format_message()))
    except HomeportError as error:
        code = _failed(arguments, error)
    except OSError as error:  # a full disk, a folder that may not be read
        code = _failed(arguments, _broken(error))
    return code if isinstance(code, int) else 0


def _broken(error: OSError) -> HomeportError:
    if error.errno in (errno.ENOSPC, errno.EDQUOT):
        return HomeportError(
            "the disk is full; what served before still does", hint="free some space, then run the command again"
        )
    if isinstance(error, FileNotFoundError) and not _is_somewhere():
        return InputError("the folder that you are in does not exist any more", hint="change into another one: `cd`")
    return HomeportError(str(error), hint="`homeport doctor` checks this machine")


def _is_somewhere() -> bool:
    try:
        return bool(os.getcwd())  # noqa: PTH109
    except FileNotFoundError:
        return False


def _failed(arguments: list[str], error: HomeportError) -> int:
    from .commands.output import Output

    # Arguments after `--` belong to the user's server.
    own = arguments[: arguments.index("--")] if "--" in arguments else arguments
    Output(as_json="--json" in own).error(error)
    return error.exit_code


def _note(text: str) -> None:
    from .commands.output import Output

    Output(as_json=False).note(text)


def _interrupted(arguments: list[str]) -> int:
    # Whoever is in a hurry presses it again.
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        _note("")
        return _failed(arguments, InterruptedByUser("interrupted; what served before still does"))
    finally:
        signal.signal(signal.SIGINT, before)


if __name__ == "__main__":
    main()
