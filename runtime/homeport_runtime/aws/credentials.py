"""Finds the credentials of the function's role, with which requests are signed."""

from __future__ import annotations

import datetime
import http.client
import json
import os
import threading
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import urlsplit

from .errors import AWSError

# The remaining seconds at which temporary credentials are fetched again.
RENEW_S = 300.0
TIMEOUT_S = 5.0


@dataclass(frozen=True)
class Credentials:
    """Holds credentials; `expires` is None for those from the environment, which last as long as the process."""

    access_key: str
    secret_key: str = field(repr=False)
    session_token: str | None = field(default=None, repr=False)
    expires: datetime.datetime | None = None


class CredentialProvider:
    """Returns credentials from AWS_ACCESS_KEY_ID and its companions, or from the container endpoint.

    A function that was restored from a SnapStart snapshot gets its own from there
    (https://docs.aws.amazon.com/sdkref/latest/guide/feature-container-credentials.html).
    """

    def __init__(self, environment: Mapping[str, str] | None = None) -> None:
        self._environment = os.environ if environment is None else environment
        self._fetched: Credentials | None = None
        self._lock = threading.Lock()

    def get(self) -> Credentials:
        """Returns valid credentials.

        Raises AWSError if there are none.
        """
        environment = self._environment
        if "AWS_CONTAINER_CREDENTIALS_FULL_URI" in environment:
            with self._lock:
                if self._fetched is None or _runs_out(self._fetched):
                    self._fetched = _fetch(environment)
                return self._fetched
        try:
            access_key, secret_key = environment["AWS_ACCESS_KEY_ID"], environment["AWS_SECRET_ACCESS_KEY"]
        except KeyError as error:
            raise AWSError("NoCredentials", f"{error.args[0]} is not set") from None
        return Credentials(access_key, secret_key, environment.get("AWS_SESSION_TOKEN") or None)


def _runs_out(credentials: Credentials) -> bool:
    if credentials.expires is None:
        return False
    left = credentials.expires - datetime.datetime.now(datetime.timezone.utc)
    return left.total_seconds() < RENEW_S


def _fetch(environment: Mapping[str, str]) -> Credentials:
    url = urlsplit(environment["AWS_CONTAINER_CREDENTIALS_FULL_URI"])
    connection = http.client.HTTPConnection(url.hostname or "", url.port, timeout=TIMEOUT_S)
    try:
        path = f"{url.path or '/'}?{url.query}" if url.query else url.path or "/"
        connection.request("GET", path, headers=_authorization(environment))
        response = connection.getresponse()
        body = response.read()
        if response.status != 200:
            raise AWSError("NoCredentials", f"the credentials endpoint answered with HTTP {response.status}")
        given = json.loads(body)
        expires = given.get("Expiration")
        return Credentials(
            given["AccessKeyId"],
            given["SecretAccessKey"],
            given.get("Token"),
            datetime.datetime.fromisoformat(expires.replace("Z", "+00:00")) if expires else None,
        )
    except (OSError, http.client.HTTPException) as error:
        raise AWSError("NoCredentials", f"the credentials endpoint does not answer: {type(error).__name__}") from None
    except (ValueError, KeyError, AttributeError):
        raise AWSError("NoCredentials", "the credentials endpoint answered with no credentials") from None
    finally:
        connection.close()


def _authorization(environment: Mapping[str, str]) -> dict[str, str]:
    file = environment.get("AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE")
    token = Path(file).read_text().strip() if file else environment.get("AWS_CONTAINER_AUTHORIZATION_TOKEN")
    return {"Authorization": token} if token else {}
