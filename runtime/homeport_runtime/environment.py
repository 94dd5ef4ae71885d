"""The variables that a server runs with."""

from __future__ import annotations

import re
from collections.abc import Mapping

# Names of variables and secrets that begin so are homeport's own: they are not for the server.
RESERVED = "HOMEPORT_"
# `${secrets.NAME}`, also inside longer text.
REFERENCE = re.compile(r"\$\{secrets\.([A-Za-z_][A-Za-z0-9_]*)\}")
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


def fill(environment: Mapping[str, str], secrets: Mapping[str, str]) -> dict[str, str]:
    """The variables with the secrets in place. What looks like a reference inside a value is left alone.

    Raises KeyError where a value is missing.
    """
    return {key: REFERENCE.sub(lambda match: secrets[match[1]], text) for key, text in environment.items()}
