"""Prepares the environment variables with which a server runs."""

from __future__ import annotations

import os
import pwd
import re
import sys
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

# The prefix of homeport's own variables and secrets, which the server does not get.
RESERVED = "HOMEPORT_"
# A reference `${secrets.NAME}`, which may be inside longer text.
REFERENCE = re.compile(r"\$\{secrets\.([A-Za-z_][A-Za-z0-9_]*)\}")
# The variables that a worker inherits from the platform: the places of programs and certificates, and nothing else.
INHERITED = (
    "PATH", "HOME", "USER", "LOGNAME", "LANG", "LC_ALL", "LC_CTYPE", "TZ", "TMPDIR",
    "SSL_CERT_FILE", "SSL_CERT_DIR", "REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE", "NODE_EXTRA_CA_CERTS",
    "HTTP_PROXY", "HTTPS_PROXY", "NO_PROXY", "http_proxy", "https_proxy", "no_proxy",
)  # fmt: skip
# Settings for log lines instead of boxes and colours, no check for newer versions, and no type check within a library
# (fastmcp's key_value), which slows its import and finds nothing in the user's code.
QUIET = {
    "FASTMCP_CHECK_FOR_UPDATES": "off",
    "FASTMCP_ENABLE_RICH_LOGGING": "false",
    "FASTMCP_SHOW_SERVER_BANNER": "false",
    "NO_COLOR": "1",
    "PY_KEY_VALUE_DISABLE_BEARTYPE": "true",
    "PYTHONUNBUFFERED": "1",
}

# The variables that login(1) sets, which getpass.getuser(), Path.home() and many libraries need.
LOGIN = ("HOME", "USER", "LOGNAME")


def fill(environment: Mapping[str, str], secrets: Mapping[str, str]) -> dict[str, str]:
    """Returns the variables with the secrets in place; a value that looks like a reference is not resolved again.

    Raises KeyError if a value is missing.
    """
    return {key: REFERENCE.sub(lambda match: secrets[match[1]], text) for key, text in environment.items()}


def process_environment(
    environment: Mapping[str, str], *, layer: Path, project: Path, roots: Sequence[str]
) -> dict[str, str]:
    """Returns `environment` with what an activated virtual environment and a login would add.

    Programs of `layer` and its interpreter come first on PATH. PYTHONPATH, for interpreters that the server starts, has
    the server's own entries, relative to `project` (the folder it runs in), the project's `roots`, and the layer.
    """
    programs = [str(layer / "bin"), str(Path(sys.executable).parent), environment.get("PATH") or os.defpath]
    own = [project / entry for entry in module_folders(environment)]
    packages = [*own, *(project / root for root in roots), project / "src", layer]
    return {
        **login(project),
        **{name: text for name, text in environment.items() if text or name not in LOGIN},
        "PATH": os.pathsep.join(programs),
        "PYTHONPATH": os.pathsep.join(dict.fromkeys(map(str, packages))),
    }


def module_folders(environment: Mapping[str, str]) -> Iterator[str]:
    """Returns the server's own entries on PYTHONPATH as written; relative ones are relative to the project folder."""
    return filter(None, environment.get("PYTHONPATH", "").split(os.pathsep))


def login(project: Path) -> dict[str, str]:
    """Returns the variables of LOGIN, and creates a home folder beside `project` for a user without one.

    A container's user may have no entry in its passwd file, and a function's user has a wrong one.
    """
    try:
        entry = pwd.getpwuid(os.getuid())
        name, home = entry.pw_name, Path(entry.pw_dir)
    except KeyError:
        name, home = str(os.getuid()), Path()
    if not home.is_absolute() or not home.is_dir():
        home = project.parent / "home"
        home.mkdir(mode=0o700, parents=True, exist_ok=True)
    return dict(zip(LOGIN, (str(home), name, name), strict=True))
