"""Is a proxy (RFC 9110, section 9.3.6) by which programs find every name on this machine."""

from __future__ import annotations

import select
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler

from tests.http_servers import serving


class _Handler(BaseHTTPRequestHandler):
    def do_CONNECT(self) -> None:
        with socket.create_connection(("127.0.0.1", int(self.path.rpartition(":")[2]))) as there:
            self.send_response(200)
            self.end_headers()
            ends = {self.connection: there, there: self.connection}
            while True:
                for end in select.select([*ends], [], [])[0]:
                    if not (data := end.recv(64 * 1024)):
                        return
                    ends[end].sendall(data)


@contextmanager
def leading_here() -> Iterator[dict[str, str]]:
    """Yields the variables of a program whose HTTPS requests shall all come to this machine, whatever their host is."""
    with serving(_Handler) as url:
        yield {"HTTPS_PROXY": url, "https_proxy": url, "NO_PROXY": "", "no_proxy": ""}
