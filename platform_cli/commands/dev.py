"""Implements `homeport dev`."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import click

from ..dev.draft import take_snapshot
from ..dev.session import Contract, Reload, Session, open_port, scratch_folder
from ..errors import HomeportError
from ..home import open_home
from ..supervisor.sockets import HOST
from .deploy import read_project
from .logs import record_text
from .options import ServerArguments, server_arguments
from .output import Output, visible

if TYPE_CHECKING:
    from ..api.log_record import LogRecord


@click.command("dev", cls=ServerArguments)
@click.argument("path", default=".")
@click.option("--port", type=click.IntRange(1, 65535), help="The port; default: the first free one from 8600 up.")
@click.option("--env", "variables", multiple=True, metavar="KEY=VALUE", help="A variable of the server; repeatable.")
def dev_command(path: str, port: int | None, variables: tuple[str, ...]) -> None:
    """Serve PATH (a server file, FILE:OBJECT, or a folder) here and reload it on each save, until Ctrl-C. What follows
    -- are the server's own arguments.

    It runs in its own folder, as `python server.py` would, and as a deploy serves it otherwise. Requests in flight
    finish with the old code; while a save does not load, the last one that did goes on. Code, configuration and
    templates reload; data files do not.
    """
    output = Output(as_json=False)
    home = open_home()
    arguments = server_arguments()
    project = read_project(path, None, variables, arguments)
    if project.chosen:
        output.note(f"  {project.chosen}")
    number, listener = open_port(port)
    try:
        first = take_snapshot(project, home, output.stages(), output.note)
        with scratch_folder() as scratch:
            again = partial(read_project, path, None, variables, arguments)
            session = Session(home, Path(scratch).resolve(), again, Shown(output))
            session.run(first, number, listener)
    finally:
        output.stop_spinner()
        listener.close()


class Shown:
    """Shows the session's events as lines."""

    def __init__(self, output: Output) -> None:
        self._output = output

    def serving(self, port: int, contract: Contract) -> None:
        tools = ", ".join(visible(tool["name"]) for tool in contract.get("tools", ()))
        text = (
            f"\n  http://{HOST}:{port}/mcp\n\ntools: {tools or 'none listed'}\nreloads on each save; Ctrl-C ends it\n"
        )
        self._output.result(None, text)

    def reloaded(self, reload: Reload) -> None:
        marks = (("+", reload.added), ("-", reload.removed), ("~", reload.changed))
        tools = "".join(f"  {mark} {visible(name)}" for mark, names in marks for name in names)
        what = ", ".join(reload.paths) or "requirements"
        self._output.result(None, f"reloaded in {reload.seconds:.2f} s: {what}{tools}")

    def unchanged(self) -> None:
        self._output.result(None, "back to what is being served: nothing to reload")

    def failed(self, error: HomeportError) -> None:
        self._output.error(error)
        self._output.note("what was served before still is; waiting for the next save")

    def logged(self, record: LogRecord) -> None:
        self._output.result(record, record_text(record))
