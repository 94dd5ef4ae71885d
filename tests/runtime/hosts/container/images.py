"""Makes the folders of an image in a temporary place, and the process that its container would run."""

from __future__ import annotations

import hashlib
import json
import os
import signal
import socket
import subprocess
from dataclasses import dataclass
from pathlib import Path

from platform_cli.supervisor.launch import PYTHON_FLAGS

from ...conftest import DEADLINE_S, JSON, ROOT, Served, wait_for
from ...workers import layer_of, make_bundle, records_in

BOOT = (
    "import sys; from pathlib import Path; sys.path.append({runtime!r}); "
    "from homeport_runtime.hosts.container.{module} import main; main({arguments})"
)


def command(python: str, module: str, arguments: str) -> list[str]:
    code = BOOT.format(runtime=str(ROOT / "runtime"), module=module, arguments=arguments)
    return [python, *PYTHON_FLAGS, "-c", code]


def make_image(root: Path, source: str, python: str, **manifest: object) -> Path:
    """Returns the root of an image with a server of this source, open to everyone unless `manifest` says otherwise."""
    homeport = root / "opt" / "homeport"
    bundle = make_bundle(homeport, {"server.py": source})
    files = {"server.py": hashlib.sha256(source.encode()).hexdigest()}
    made = json.loads((bundle / "manifest.json").read_bytes())
    made |= {"environment": {}, "files": files, "folders": [], "domains": [], "auth": "none", "contract": None}
    (bundle / "manifest.json").write_text(json.dumps({**made, **manifest}))
    (homeport / "layer").symlink_to(layer_of(python))
    return root


@dataclass
class Container(Served):
    """Is a process that does what a container's first process does, without a container."""

    out: Path

    def records(self) -> list[JSON]:
        found = [json.loads(record["plain"]) for record in records_in(self.out)]
        # Lines of the audit log are none.
        return [record for record in found if "message" in record]

    def end(self, number: signal.Signals = signal.SIGTERM) -> int:
        """Its exit code after a signal."""
        self.process.send_signal(number)
        return self.process.wait(DEADLINE_S)


def start(root: Path, python: str, **environment: str) -> Container:
    port = _free_port()
    out, log = root / "out.txt", root / "err.txt"
    # Of the variables that engines set, HOME is / for a user that the image does not know.
    given = {"PATH": os.environ["PATH"], "HOME": "/", "PORT": str(port), "HOMEPORT_DRAIN_DELAY_S": "0", **environment}
    with out.open("wb") as stdout, log.open("wb") as stderr:
        process = subprocess.Popen(
            command(python, "serve", f"Path({str(root)!r})"), env=given, stdout=stdout, stderr=stderr, text=True
        )
    return Container(process, port, root, log, out)


def serving(container: Container) -> Container:
    wait_for(lambda: container.process.poll() is not None or is_listening(container.port))
    assert container.process.poll() is None, container.out.read_text() + container.log.read_text()
    return container


def is_listening(port: int) -> bool:
    with socket.socket() as connection:
        return connection.connect_ex(("127.0.0.1", port)) == 0


def _free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port: int = listener.getsockname()[1]
    return port
