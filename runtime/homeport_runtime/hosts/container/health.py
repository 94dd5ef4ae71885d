"""Is the health check of an image, in Python, since an image may have neither a shell nor curl."""

from __future__ import annotations

import http.client
import os
import sys
from typing import NoReturn

from ...errors import ServerError
from .settings import read_port

# The seconds that an answer may take.
TIMEOUT_S = 5.0


def main() -> NoReturn:
    """Ends with exit code 0 if the server of this container answers, else with 1 and the reason."""
    try:
        connection = http.client.HTTPConnection("127.0.0.1", read_port(os.environ), timeout=TIMEOUT_S)
        connection.request("GET", "/health")
        status = connection.getresponse().status
    except (OSError, http.client.HTTPException, ServerError) as error:
        sys.exit(f"the server does not answer: {error}")
    sys.exit(0 if status == http.HTTPStatus.OK else f"/health answers with HTTP {status}")
