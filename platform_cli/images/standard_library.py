"""Makes the bytecode of Python's own modules for an image, since Docker's official images of Python come without it.

A server that may not write any would compile two hundred of these modules each time it starts.
"""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

from ..pipeline.model import Interpreter
from .bytecode import CHECKED, compile_files

# Where the official images have them.
FOLDER = "usr/local/lib/python{minor}"
# What else lies there is this machine's: how its Python was built, and what its owner has put there.
FIND = "import json, os, sys; print(json.dumps([os.path.dirname(os.__file__), sorted(sys.stdlib_module_names)]))"
# What most servers do not load: tests, windows, tools to write programs with, protocols and formats that few speak, and
# what C has replaced. All of it would cost the first image twice the time, and the registry twice the bytes.
LEFT_OUT = frozenset(
    {
        "_pydecimal", "_pyio", "aifc", "asynchat", "asyncore", "bdb", "cgi", "cgitb", "cmd", "code", "compileall",
        "curses", "dbm", "difflib", "distutils", "doctest", "encodings", "ensurepip", "fileinput", "ftplib", "idlelib",
        "imaplib", "lib2to3", "mailbox", "modulefinder", "nntplib", "optparse", "pdb", "pickletools", "plistlib",
        "poplib", "profile", "pstats", "pyclbr", "pydoc", "pydoc_data", "smtpd", "smtplib", "statistics", "sunau",
        "symtable", "tarfile", "telnetlib", "test", "tests", "timeit", "tkinter", "trace", "tracemalloc", "turtle",
        "turtledemo", "unittest", "venv", "wave", "wsgiref", "xml", "xmlrpc",
    }
)  # fmt: skip


def compile_standard_library(own: Interpreter, scratch: Path) -> dict[str, bytes]:
    """Returns the bytecode of the modules of `own`, by its paths in an official image; `scratch` is for its use.

    Python compares it with the sources there: a module that is another one in the image, of a later patch release or as
    a distribution has changed it here, is compiled as if there were none.
    """
    command = [str(own.path), "-I", "-S", "-c", FIND]
    folder, names = json.loads(subprocess.run(command, text=True, capture_output=True, check=True).stdout)
    library = Path(folder)
    files = {
        f"{FOLDER.format(minor=own.minor)}/{file.relative_to(library).as_posix()}": file
        for name in names
        if name not in LEFT_OUT
        for file in (library / f"{name}.py", *(library / name).rglob("*.py"))
        if file.is_file() and LEFT_OUT.isdisjoint(file.relative_to(library).parts)
    }
    return compile_files(files, own, scratch, CHECKED)
