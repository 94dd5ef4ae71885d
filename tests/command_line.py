"""Runs `homeport` as processes forked from one that has imported it, since importing takes longer than most commands.

What a person's `homeport` imports, and when, is seen where tests start an interpreter for it (tests/commands).
"""

from __future__ import annotations

import atexit
import gc
import json
import os
import pkgutil
import signal
import socket
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from functools import cache
from importlib import import_module
from pathlib import Path
from typing import BinaryIO

# The services that nearly every deploy to Lambda asks.
SERVICES = ("dynamodb", "iam", "lambda", "logs", "secretsmanager", "sts")
MAX_REQUEST = 128 * 1024


class Command:
    """Is a command that runs. `pid` is its process, which may be killed."""

    def __init__(self, arguments: Sequence[str], *, cwd: Path, env: Mapping[str, str], stdin: str = "") -> None:
        self._arguments = arguments
        self._output = (_file(), _file())
        self._answers, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        request = json.dumps({"arguments": arguments, "cwd": str(cwd), "env": dict(env)}).encode()
        with theirs, _file(stdin) as given:
            handed = [theirs.fileno(), given.fileno(), *(file.fileno() for file in self._output)]
            socket.send_fds(_importer(), [request], handed)
        self.pid = int(self._answers.recv(32))

    def wait(self, timeout_s: float) -> subprocess.CompletedProcess[str]:
        """Kills it, and raises TimeoutExpired, when it does not end in time."""
        self._answers.settimeout(timeout_s)
        try:
            code = int(self._answers.recv(32))
        except TimeoutError:
            os.kill(self.pid, signal.SIGKILL)
            raise subprocess.TimeoutExpired(self._arguments, timeout_s) from None
        finally:
            self._answers.close()
            stdout, stderr = map(_content, self._output)
        return subprocess.CompletedProcess(self._arguments, code, stdout, stderr)


def _file(content: str = "") -> BinaryIO:
    file: BinaryIO = tempfile.TemporaryFile()  # noqa: SIM115
    file.write(content.encode())
    file.seek(0)
    return file


def _content(file: BinaryIO) -> str:
    with file:
        file.seek(0)
        return file.read().decode()


@cache
def _importer() -> socket.socket:
    """Takes requests. Its process ends with this one."""
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    with theirs:
        command = [sys.executable, "-m", "tests.command_line", str(theirs.fileno())]
        process = subprocess.Popen(
            command, cwd=Path(__file__).parent.parent, stdin=subprocess.DEVNULL, pass_fds=[theirs.fileno()]
        )

    def end() -> None:
        ours.close()
        process.wait()

    atexit.register(end)
    return ours


def _import_all() -> None:
    import platform_cli.commands
    from platform_cli.target_table import TARGETS

    for module in pkgutil.iter_modules(platform_cli.commands.__path__):
        import_module(f"platform_cli.commands.{module.name}")
    for place in TARGETS.values():
        import_module(place.partition(":")[0])
    _know_aws()
    gc.freeze()


def _know_aws() -> None:
    """Reads the descriptions of AWS's services, which each command that deploys there would read for itself."""
    import boto3

    from tests.aws.descriptions import read_descriptions_once

    read_descriptions_once()
    nobody = boto3.Session(aws_access_key_id="-", aws_secret_access_key="-", region_name="eu-central-1")
    for service in SERVICES:
        nobody.client(service)


def _serve(requests: socket.socket) -> list[str]:
    """Returns in the processes that are a command, with its arguments."""
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)
    while True:
        request, handed, *_ = socket.recv_fds(requests, MAX_REQUEST, 4)
        if not request:
            sys.exit()
        answers, *streams = handed
        if os.fork() == 0:
            signal.signal(signal.SIGCHLD, signal.SIG_DFL)
            requests.close()
            if (command := os.fork()) == 0:
                break
            _report(command, socket.socket(fileno=answers))
        for descriptor in handed:
            os.close(descriptor)
    for number, descriptor in enumerate(streams):
        os.dup2(descriptor, number)
    for descriptor in handed:
        os.close(descriptor)
    asked = json.loads(request)
    arguments: list[str] = asked["arguments"]
    is_another_path = asked["env"].get("PYTHONPATH") != os.environ.get("PYTHONPATH")
    os.chdir(asked["cwd"])
    os.environ.clear()
    os.environ.update(asked["env"])
    if is_another_path:
        # An interpreter looks at it when it starts.
        os.execv(sys.executable, [sys.executable, "-m", "platform_cli", *arguments])
    return arguments


def _report(command: int, answers: socket.socket) -> None:
    answers.send(str(command).encode())
    _, status = os.waitpid(command, 0)
    answers.send(str(os.waitstatus_to_exitcode(status)).encode())
    os._exit(0)


if __name__ == "__main__":
    from platform_cli.__main__ import main

    _import_all()
    sys.argv = ["homeport", *_serve(socket.socket(fileno=int(sys.argv[1])))]
    main()
