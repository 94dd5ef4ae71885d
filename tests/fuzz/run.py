"""Runs each fuzzer for long: `python -m tests.fuzz.run [SECONDS]`. Where atheris is installed (`uv pip install
atheris`) it looks for inputs that reach more of the code; else hypothesis makes up many more examples.
"""

from __future__ import annotations

import importlib
import importlib.util
import subprocess
import sys
from pathlib import Path

SECONDS = 120
FOLDER = Path(__file__).parent


def main() -> int:
    seconds = int(sys.argv[1]) if len(sys.argv) > 1 else SECONDS
    if importlib.util.find_spec("atheris") is None:
        return subprocess.call([sys.executable, "-m", "pytest", str(FOLDER), "--hypothesis-profile", "long"])
    failed = [name for name in fuzzers() if not run(name, seconds)]
    print(f"failed: {', '.join(failed)}" if failed else "nothing was found")
    return 1 if failed else 0


def fuzzers() -> list[str]:
    """Returns MODULE:FUNCTION of everything that takes made-up values."""
    found = []
    for file in sorted(FOLDER.glob("test_*.py")):
        module = importlib.import_module(f"tests.fuzz.{file.stem}")
        found += [f"{file.stem}:{name}" for name, each in vars(module).items() if hasattr(each, "hypothesis")]
    return found


def run(name: str, seconds: int) -> bool:
    """Runs a fuzzer as a process of its own, since atheris ends it, and returns its output, which has what it found."""
    print(f"{name}: {seconds} s", flush=True)
    command = [sys.executable, "-m", "tests.fuzz.guided", name, f"-max_total_time={seconds}", "-verbosity=0"]
    return subprocess.run(command, check=False).returncode == 0


if __name__ == "__main__":
    sys.exit(main())
