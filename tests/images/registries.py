"""Registries: Debian's docker-registry as a real one, and one that says what a test has it say."""

from __future__ import annotations

import re
import shutil
import subprocess
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

from tests.e2e.probing import wait_for
from tests.leftovers import ending_with_us
from tests.support import require

USER, PASSWORD = "tester", "password of the registry"
# Its bcrypt hash.
HTPASSWD = f"{USER}:$2b$04$OdU5HJcX76DpfH3BEyQaTegC6aHCbePTRNTZ89mQSCF1.J0YhSFEq\n"
CONFIG = """
version: 0.1
log: {{level: info, formatter: text, accesslog: {{disabled: false}}}}
storage: {{filesystem: {{rootdirectory: {folder}/data}}, delete: {{enabled: true}}}}
http:
  addr: "127.0.0.1:{port}"
"""
WITH_TLS = "  tls: {{certificate: {folder}/certificate.pem, key: {folder}/key.pem}}\n"
WITH_LOGIN = "auth: {{htpasswd: {{realm: registry, path: {folder}/htpasswd}}}}\n"
_LISTENING = re.compile(r"listening on (127\.0\.0\.1:\d+)")
_REQUEST = re.compile(r'"([A-Z]+) (/v2/\S*) HTTP/1\.1" (\d+)')


@dataclass(frozen=True, slots=True)
class Registry:
    """Is a registry that runs at `address`."""

    address: str
    log: Path

    def requests(self) -> list[tuple[str, str, int]]:
        """Returns method, path and status of each request so far."""
        return [(method, path, int(status)) for method, path, status in _REQUEST.findall(self.log.read_text())]


@contextmanager
def registry(folder: Path, *, login: bool = False, tls: bool = False, port: int = 0) -> Iterator[Registry]:
    """Runs Debian's docker-registry, with its data in `folder`; `port` is 0 for any that is free.

    With `tls` its certificate and its key are in `folder`, too.
    """
    require(shutil.which("docker-registry"), "docker-registry is not installed (apt-get install docker-registry)")
    (folder / "htpasswd").write_text(HTPASSWD)
    config, log = folder / "config.yml", folder / "log"
    parts = (CONFIG, WITH_TLS if tls else "", WITH_LOGIN if login else "")
    config.write_text("".join(parts).format(folder=folder, port=port))
    with log.open("w") as output:
        command = ending_with_us("docker-registry", "serve", str(config))
        process = subprocess.Popen(command, stdout=output, stderr=output)
    try:
        found = wait_for(lambda: _LISTENING.search(log.read_text()))
        yield Registry(found[1], log)
    finally:
        process.terminate()
        process.wait()


@dataclass(frozen=True, slots=True)
class Answer:
    """Is an answer of a registry; with `breaks_off` the connection ends before all of the body was sent or read."""

    status: int = 200
    body: bytes = b""
    headers: dict[str, str] = field(default_factory=dict)
    breaks_off: bool = False


# Returns the answer to a method and a path.
Answering = Callable[[str, str], Answer]


@contextmanager
def stand_in(answering: Answering) -> Iterator[str]:
    """Runs a registry that answers as `answering` says, and yields its address."""

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def answer(self) -> None:
            answer = answering(self.command, self.path)
            length = int(self.headers.get("Content-Length", 0))
            self.rfile.read(length // 2 if answer.breaks_off else length)
            self.close_connection = answer.breaks_off
            if length and answer.breaks_off:
                return
            self.send_response(answer.status)
            for name, value in {"Content-Length": str(len(answer.body)), **answer.headers}.items():
                self.send_header(name, value)
            self.end_headers()
            if self.command != "HEAD":
                self.wfile.write(answer.body[: len(answer.body) // 2 if answer.breaks_off else None])

        do_GET = do_HEAD = do_POST = do_PUT = answer  # noqa: N815 - the names are those of http.server

        def log_message(self, *_: object) -> None:
            """Keeps quiet."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
    try:
        yield f"127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        server.server_close()
