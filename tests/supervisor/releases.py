"""Releases whose layer is a few modules, and whose packages are those of the tests."""

from __future__ import annotations

import sys
from dataclasses import replace
from pathlib import Path

import homeport_runtime
from platform_cli.pipeline.runtime import store_runtime
from platform_cli.supervisor.release import RunnableRelease

THREADED = "import threading\nthreading.Thread(target=threading.Event().wait, daemon=True).start()\n"


def release_of(tmp_path: Path, modules: tuple[str, ...], **environment: str) -> RunnableRelease:
    layer = tmp_path / "layers" / "layer"
    layer.mkdir(parents=True, exist_ok=True)
    (layer / "quiet.py").write_text("")
    (layer / "busy.py").write_text(THREADED)
    (layer / "outer.py").write_text("import quiet\nimport busy\n")
    (layer / "choosy.py").write_text("try:\n    import busy\nexcept ImportError:\n    busy = None\n")
    (layer / "reader.py").write_text("import os\nLEVEL = os.environ.get('READ_LEVEL')\n")
    (layer / "settings.py").write_text("import os\n\ndef read():\n    return dict(os.environ)\n")
    (layer / "thorough.py").write_text("import settings\nsettings.read()\n")
    assert homeport_runtime.__file__
    return RunnableRelease(
        project="p",
        number=1,
        bundle=tmp_path,
        manifest={},
        layer=layer,
        runtime=tmp_path / "runtimes" / store_runtime(tmp_path / "runtimes"),
        interpreter=Path(sys.executable).resolve(),
        environment=environment,
        domains=(),
        idle_s=300,
        min_workers=0,
        max_workers=1,
        concurrency=16,
        start_timeout_s=60,
        files={},
        modules=modules,
        tools=None,
        cold_start_optimization=True,
    )


def release_with(tmp_path: Path, source: str, modules: tuple[str, ...] = (), **environment: str) -> RunnableRelease:
    """Returns a release that serves `source`."""
    (app := tmp_path / "bundle" / "app").mkdir(parents=True)
    (app / "server.py").write_text(source)
    manifest = {
        "format": 1,
        "entrypoint": {"file": "server.py", "object": None},
        "command": None,
        "sessions": False,
        "start_timeout_s": 60,
        "memory_mb": 4096,
    }
    return replace(
        release_of(tmp_path, modules, **environment),
        bundle=tmp_path / "bundle",
        manifest=manifest,
        files={"server.py": ""},
    )
