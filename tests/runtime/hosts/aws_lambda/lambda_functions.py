"""Functions laid out by hand, as a deploy would: packages and the runtime in /opt, the app in /var/task."""

from __future__ import annotations

import json
import shutil
import sysconfig
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from tests.aws.sandbox import Function
from tests.support import link

from ...conftest import ROOT, python_with


def lay_out(
    folder: Path,
    source: str,
    *requirements: str,
    variables: Mapping[str, str] | None = None,
    environment: Mapping[str, str] | None = None,
    timeout_s: float = 60.0,
    **manifest: Any,
) -> Function:
    """Lays out a function: `source` is server.py, `requirements` what it is installed with; `manifest` adds to the
    bundle's.
    """
    task, opt = folder / "task", folder / "opt"
    (task / "app").mkdir(parents=True)
    (task / "app" / "server.py").write_text(source)
    said = {
        "format": 1,
        "entrypoint": {"file": "server.py", "object": None},
        "command": None,
        "sessions": False,
        "start_timeout_s": 60,
        "memory_mb": 1024,
        "environment": environment or {},
        "contract": None,
        **manifest,
    }
    (task / "manifest.json").write_text(json.dumps(said))
    python = Path(python_with(*requirements))
    version = sysconfig.get_python_version()
    packages = python.parent.parent / "lib" / f"python{version}" / "site-packages"
    (opt / "homeport").mkdir(parents=True)
    shutil.copytree(packages, opt / "python", copy_function=link, symlinks=True)
    shutil.copytree(ROOT / "runtime" / "homeport_runtime", opt / "python" / "homeport_runtime")
    shutil.copy(ROOT / "infra" / "aws" / "wrapper", opt / "homeport" / "wrapper")
    given = {"AWS_LAMBDA_EXEC_WRAPPER": "/opt/homeport/wrapper", **(variables or {})}
    return Function(task, opt, python.resolve(), given, timeout_s)
