"""Tests that shapes cost the platform an import, and a command nothing."""

from __future__ import annotations

import subprocess
import sys

HEAVY = ("fastapi", "pydantic", "typing_extensions")


def test_a_deploy_imports_no_library_for_them() -> None:
    code = (
        "import sys, platform_cli.commands.deploy, platform_cli.targets.local.target, platform_cli.api.failure;"
        f"print([name for name in {HEAVY} if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
