"""Writes docs/commands.md from the command line itself: `python -m tools.command_reference`."""

from __future__ import annotations

import inspect
from collections.abc import Iterator
from pathlib import Path

import click

from platform_cli.__main__ import COMMANDS, EPILOG, cli

FILE = Path(__file__).parent.parent / "docs" / "commands.md"
# The page must not depend on the terminal in which it was made.
WIDTH = 120
HEAD = """# Commands

This page is made from the command line itself; `make docs` writes it anew. The [guides](../README.md#guides) show the
commands at work.

"""


def render() -> str:
    """Returns the whole page."""
    root = _context(cli, "homeport")
    parts = [HEAD, "| command | what it does |\n| --- | --- |\n"]
    parts += [f"| [`{name}`](#homeport-{name}) | {_cell(text)} |\n" for name, (_module, text) in COMMANDS.items()]
    parts += ["\n## Before every command\n\n", *_options(root)]
    parts.append(f"\n```\n{EPILOG.removeprefix(chr(8)).strip()}\n```\n")
    for command in _below(root):
        parts += _command(command, "##")
    return "".join(parts)


def _context(command: click.Command, name: str, parent: click.Context | None = None) -> click.Context:
    return click.Context(command, info_name=name, parent=parent, terminal_width=WIDTH, max_content_width=WIDTH)


def _below(context: click.Context) -> Iterator[click.Context]:
    """Returns the commands of a group in its own order."""
    if isinstance(group := context.command, click.Group):
        for name in group.list_commands(context):
            if command := group.get_command(context, name):
                yield _context(command, name, context)


def _command(context: click.Context, level: str) -> Iterator[str]:
    command = context.command
    usage = " ".join([context.command_path, *command.collect_usage_pieces(context)])
    yield f"\n{level} {context.command_path}\n\n```\n{usage}\n```\n\n"
    yield f"{_prose(command.help or '')}\n"
    if any(isinstance(param, click.Option) for param in command.params):
        yield "\n"
        yield from _options(context)
    for below in _below(context):
        yield from _command(below, f"{level}#")


def _options(context: click.Context) -> Iterator[str]:
    yield "| option | meaning |\n| --- | --- |\n"
    for param in context.command.params:
        if isinstance(param, click.Option) and not param.hidden and (record := param.get_help_record(context)):
            names, meaning = record
            yield f"| `{_cell(names)}` | {_cell(meaning)} |\n"


def _prose(text: str) -> str:
    """Returns a docstring as Markdown: what click is told to leave as it is (`\\b`) is code."""
    return "\n\n".join(_paragraph(each) for each in inspect.cleandoc(text).split("\n\n"))


def _paragraph(text: str) -> str:
    if not text.startswith("\b"):
        return text
    code = text.removeprefix("\b").strip("\n")
    return f"```\n{code}\n```"


def _cell(text: str) -> str:
    return text.replace("|", "\\|").replace("<", "&lt;")


if __name__ == "__main__":
    FILE.write_text(render())
