"""Runs a program that finds names below `localhost` on this machine, as browsers do, and not every resolver."""

from __future__ import annotations

import runpy
import socket
import sys
from pathlib import Path

found = socket.getaddrinfo
socket.getaddrinfo = lambda host, *rest, **more: found(
    "127.0.0.1" if str(host).strip("b'").endswith(".localhost") else host, *rest, **more
)
sys.argv = sys.argv[1:]
sys.path[0] = str(Path(sys.argv[0]).parent)
runpy.run_path(sys.argv[0], run_name="__main__")
