"""The variables that a server runs with."""

from __future__ import annotations

import os
import pwd
import re
import sys
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

# Names of variables and secrets that begin so are homeport's own: they are not for the server.
RESERVED = "HOMEPORT_"
# `${secrets.NAME}`, also inside longer text.
REFERENCE = re.compile(r"\$\{secrets\.([A-Za-z_][A-Za-z0-9_]*)\}")
# What a worker gets of the platform's own environment: where programs and certificates are, never anything else.
INHERITED = (
    "PATH", "HOME", "USER", "LOGNAME", "LANG", "LC_ALL", "LC_CTYPE", "TZ", "TMPDIR",
    "SSL_CERT_FILE", "SSL_CERT_DIR", "REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE", "NODE_EXTRA_CA_CERTS",
    "HTTP_PROXY", "HTTPS_PROXY", "NO_PROXY", "http_proxy", "https_proxy", "no_proxy",
)  # fmt: skip
# Log lines instead of boxes and colours, no look for newer versions, and no check of a library's own types (fastmcp's
# key_value), which makes its import slower and finds nothing in the user's code.
QUIET = {
    "FASTMCP_CHECK_FOR_UPDATES": "off",
    "FASTMCP_ENABLE_RICH_LOGGING": "false",
    "FASTMCP_SHOW_SERVER_BANNER": "false",
    "NO_COLOR": "1",
    "PY_KEY_VALUE_DISABLE_BEARTYPE": "true",
    "PYTHONUNBUFFERED": "1",
}

# What login(1) sets: getpass.getuser(), Path.home() and many libraries cannot do without.
LOGIN = ("HOME", "USER", "LOGNAME")


def fill(environment: Mapping[str, str], secrets: Mapping[str, str]) -> dict[str, str]:
    """The variables with the secrets in place. What looks like a reference inside a value is left alone.

    Raises KeyError where a value is missing.
    """
    return {key: REFERENCE.sub(lambda match: secrets[match[1]], text) for key, text in environment.items()}


def process_environment(
    environment: Mapping[str, str], *, layer: Path, project: Path, roots: Sequence[str]
) -> dict[str, str]:
    """`environment` with what an activated virtual environment and a login give a process by hand.

    Programs of `layer` and its interpreter come first on PATH. On PYTHONPATH, for interpreters that the server starts,
    are its own entries, seen from `project` (the folder it runs in), the project's `roots`, and the layer.
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
    """The server's own entries on PYTHONPATH, as written: relative ones are relative to the project folder."""
    return filter(None, environment.get("PYTHONPATH", "").split(os.pathsep))


def login(project: Path) -> dict[str, str]:
    """The variables of LOGIN. Without a home folder the user has one beside `project` from now on: a container's user
    may have no entry in its passwd file, and a function none that is true.
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
