"""Tests a zygote's memory in huge pages."""

from __future__ import annotations

import platform
import subprocess
import sys

from ...support import require

PROGRAM = """
import os, re, sys
from pathlib import Path
from homeport_runtime.hosts.huge_pages import use_huge_pages

def huge_kb():
    return int(re.search(r"AnonHugePages:\\s+(\\d+)", Path("/proc/self/smaps_rollup").read_text())[1])

values = [{str(number): [number]} for number in range(100_000)]
before = huge_kb()
use_huge_pages()
assert huge_kb() > before, huge_kb()
child = os.fork()
if child == 0:
    for number, value in enumerate(values):
        value[str(number)].append(1)
    os._exit(0)
assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
assert all(value == {str(number): [number]} for number, value in enumerate(values))
"""


def test_what_it_has_is_in_huge_pages_and_forks_have_their_own() -> None:
    release = tuple(int(part) for part in platform.release().split(".")[:2] if part.isdigit())
    require(sys.platform == "linux" and release >= (6, 1), "Linux 6.1 or newer")
    subprocess.run([sys.executable, "-c", PROGRAM], check=True)
