"""Tests uv as a process: its reasons, shortened, and its end when we are interrupted."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from platform_cli.pipeline.uv import UvError, mask, run_uv, shorten

OLD_STYLE = """\
warning: something else
  \N{MULTIPLICATION SIGN} No solution found when resolving dependencies:
  ╰─▶ Because there is no version of six==99 and you require six==99, we can
      conclude that your requirements are unsatisfiable.
"""
SHIM = """\
warning: Failed to inspect Python interpreter from search path at `/home/me/.pyenv/shims/python3.10`
  cause: Querying Python at `/home/me/.pyenv/shims/python3.10` failed with exit status exit status: 127

         [stderr]
         pyenv: python3.10: command not found
error: No interpreter found for Python 3.14 in managed installations or search path
"""
NETWORK = """\
error: Request failed after 3 retries in 11.4s
  cause: Failed to fetch: https://me:hunter2@localhost:9/simple/six/
  cause: error sending request for url (https://me:hunter2@localhost:9/simple/six/)
  cause: client error (Connect)
  cause: Connection refused (os error 111)
"""
BUILD = """\
error: Failed to build `brokenpkg==1.0`
  cause: The build backend returned an error
  cause: Call to `setuptools.build_meta` failed (exit status: 1)

         [stderr]
         Traceback (most recent call last):
           File "<string>", line 1, in <module>
         RuntimeError: needs a compiler

hint: Build failures usually indicate a problem with the package or the build environment
"""


@pytest.mark.parametrize(
    ("stderr", "expected"),
    [
        (OLD_STYLE, "Because there is no version of six==99 and you require six==99"),
        (SHIM, "No interpreter found for Python 3.14 in managed installations or search path"),
        (
            NETWORK,
            "Request failed after 3 retries in 11.4s: Failed to fetch: https://***@localhost:9/simple/six/: "
            "Connection refused (os error 111)",
        ),
        (BUILD, "Failed to build `brokenpkg==1.0`: RuntimeError: needs a compiler"),
        ("", ""),
    ],
)
def test_shorten_keeps_what_a_person_needs(stderr: str, expected: str) -> None:
    assert shorten(stderr) == expected


def test_a_failure_carries_the_reason() -> None:
    with pytest.raises(UvError) as caught:
        run_uv(["pip", "compile", "--no-header", "-"], input="six==1.15\nsix>=1.16\n")
    assert caught.value.message == "Because you require six==1.15 and six>=1.16"
    assert not caught.value.disk_full
    assert UvError("error: write failed\n  cause: No space left on device (os error 28)").disk_full


@pytest.mark.parametrize(
    "url", ["https://user:pass@host/simple", "https://token@host/simple", "git+ssh://git:x@host/y"]
)
def test_mask_hides_credentials(url: str) -> None:
    masked = mask(f"Failed to fetch {url} today")
    assert "***@host" in masked
    assert not any(secret in masked for secret in ("pass", "token", ":x"))


def test_the_environment_of_the_caller_does_not_leak(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("VIRTUAL_ENV", str(tmp_path / "gone"))
    monkeypatch.setenv("UV_PROJECT_ENVIRONMENT", str(tmp_path / "gone"))
    monkeypatch.setenv("UV_CACHE_DIR", str(tmp_path / "cache"))
    assert run_uv(["cache", "dir"], cwd=tmp_path).strip() == str(tmp_path / "cache")


def test_an_interrupt_ends_uv_and_what_it_started(tmp_path: Path) -> None:
    package = tmp_path / "slow"
    package.mkdir()
    pid_file = tmp_path / "pid"
    (package / "setup.py").write_text(
        f"import os, pathlib, time\npathlib.Path({str(pid_file)!r}).write_text(str(os.getpid()))\ntime.sleep(600)\n"
    )
    code = f"from platform_cli.pipeline.uv import run_uv; run_uv(['pip', 'compile', '-'], input={str(package)!r})"
    process = subprocess.Popen([sys.executable, "-c", code], stderr=subprocess.PIPE)
    deadline = time.monotonic() + 60
    while not (pid_file.exists() and pid_file.read_text()):
        assert time.monotonic() < deadline and process.poll() is None
        time.sleep(0.02)
    process.send_signal(signal.SIGINT)
    _, stderr = process.communicate(timeout=30)
    assert b"KeyboardInterrupt" in stderr
    child = int(pid_file.read_text())
    while _alive(child):
        assert time.monotonic() < deadline
        time.sleep(0.02)


def _alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    state = subprocess.run(["ps", "-o", "stat=", "-p", str(pid)], capture_output=True, text=True, check=False).stdout
    return bool(state.strip()) and not state.startswith("Z")
