"""Calls GitHub's REST API (version 2022-11-28): https://docs.github.com/rest."""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import IO, Any
from urllib.parse import urlsplit

import httpx
import tenacity

from .. import __version__
from ..errors import GitHubError, NotFoundError, RateLimitError, RevokedTokenError
from .repository import GitHub, Repository

TIMEOUT_S = 10.0
TRIES = 4
MAX_REDIRECTS = 3


class _LimitedError(Exception):
    """Says that GitHub wants no request for `seconds`."""

    def __init__(self, seconds: float) -> None:
        super().__init__()
        self.seconds = seconds


class GitHubClient:
    """Sends requests to GitHub, and waits as its headers ask for, up to `patience_s` seconds in all.

    A longer wait is a RateLimitError. Without a token it reads what is public.
    """

    def __init__(self, github: GitHub, token: str | None, *, patience_s: float = 60.0) -> None:
        self._github = github
        self._patience_s = patience_s
        self._http = httpx.Client(
            base_url=github.api_url,
            timeout=TIMEOUT_S,
            headers={
                "Accept": "application/vnd.github+json",
                **({"Authorization": f"Bearer {token}"} if token else {}),
                "User-Agent": f"homeport/{__version__}",
                "X-GitHub-Api-Version": "2022-11-28",
            },
        )

    def __enter__(self) -> GitHubClient:
        return self

    def __exit__(self, *_: object) -> None:
        self._http.close()

    def get(self, path: str) -> Any:
        return self._ask("GET", path)

    def post(self, path: str, body: Mapping[str, Any] | None = None) -> Any:
        return self._ask("POST", path, body)

    def patch(self, path: str, body: Mapping[str, Any]) -> Any:
        return self._ask("PATCH", path, body)

    def delete(self, path: str) -> None:
        self._ask("DELETE", path)

    def download(self, path: str, target: IO[bytes], limit: int) -> None:
        """Writes the file to which GitHub redirects to `target`, up to `limit` bytes; its host does not get the token.

        See https://docs.github.com/rest/repos/contents#download-a-repository-archive-tar. Raises GitHubError when the
        file is too large or cannot be fetched.
        """
        try:
            self._retrying(self._fetch, path, target, limit)
        except (httpx.HTTPError, _BrokenError) as error:
            raise GitHubError(f"{path} cannot be fetched: {error}", hint="try again later") from None
        except _LimitedError as error:
            raise _limit_reached(error) from None

    def _fetch(self, path: str, target: IO[bytes], limit: int) -> None:
        target.seek(0)
        target.truncate()
        # httpx sends Authorization to the first host only.
        with self._http.stream("GET", path, follow_redirects=True) as answer:
            if answer.is_error:
                answer.read()
            _checked(answer, "GET", path)
            if answer.url.scheme != urlsplit(self._github.api_url).scheme:
                raise GitHubError(f"GitHub leads to {answer.url.host} without encryption for {path}")
            for chunk in answer.iter_raw():
                target.write(chunk)
                if target.tell() > limit:
                    raise GitHubError(f"{path} has more than {limit // 1_000_000} MB")

    def _ask(self, method: str, path: str, body: Mapping[str, Any] | None = None) -> Any:
        """Returns the answer's JSON, None if it has no content.

        Raises RevokedTokenError for a token that GitHub refuses, NotFoundError for a missing resource, and GitHubError
        for every other failure. None of them contains the token.
        """
        try:
            answer = self._retrying(self._send, method, path, body)
        except httpx.HTTPError as error:
            raise GitHubError(f"GitHub at {self._github.api_url} cannot be reached: {error}") from None
        except _BrokenError as error:
            raise GitHubError(f"GitHub answered {error} for {method} {path}", hint="try again later") from None
        except _LimitedError as error:
            raise _limit_reached(error) from None
        return answer.json() if answer.content else None

    @property
    def _retrying(self) -> tenacity.Retrying:
        return tenacity.Retrying(
            retry=tenacity.retry_if_exception_type((httpx.TransportError, _LimitedError, _BrokenError)),
            wait=_wait,
            stop=lambda state: state.attempt_number >= TRIES or self._is_too_long(state),
            reraise=True,
        )

    def _is_too_long(self, state: tenacity.RetryCallState) -> bool:
        return state.seconds_since_start is not None and state.seconds_since_start + _wait(state) > self._patience_s

    def _send(self, method: str, path: str, body: Mapping[str, Any] | None) -> httpx.Response:
        """Sends a request and follows redirects of renamed repositories, but only on the same host, which may see the
        token.
        """
        url = path
        for _ in range(MAX_REDIRECTS):
            answer = self._http.request(method, url, json=body)
            if answer.status_code not in (301, 302, 307, 308):
                return _checked(answer, method, path)
            url = str(answer.url.join(answer.headers.get("location", "")))
            if urlsplit(url)[:2] != urlsplit(self._github.api_url)[:2]:
                break
        raise GitHubError(f"GitHub leads nowhere for {method} {path}")


def _limit_reached(error: _LimitedError) -> RateLimitError:
    until = time.strftime("%H:%M:%S", time.localtime(time.time() + error.seconds))
    limit = RateLimitError("GitHub's rate limit is reached", hint=f"it opens again at {until}")
    limit.seconds = error.seconds
    return limit


class _BrokenError(Exception):
    """Says that GitHub answered with a status of 5xx, which is its text."""


def _wait(state: tenacity.RetryCallState) -> float:
    error = state.outcome.exception() if state.outcome else None
    return error.seconds if isinstance(error, _LimitedError) else 0.5 * 2**state.attempt_number


def _checked(answer: httpx.Response, method: str, path: str) -> httpx.Response:
    status = answer.status_code
    if (seconds := limited_for(status, answer.headers, time.time())) is not None:
        raise _LimitedError(seconds)
    if status >= 500:
        raise _BrokenError(str(status))
    if status == 401:
        raise RevokedTokenError("GitHub does not accept the token any more", hint="`homeport login`, then link again")
    if status < 400:
        return answer
    reason = _reason(answer)
    if status == 404:
        raise NotFoundError(
            f"GitHub shows nothing at {path}: {reason}",
            hint="check the name, and that the token may see the repository",
        )
    raise GitHubError(f"GitHub refused {method} {path} with {status}: {reason}")


def limited_for(status: int, headers: Mapping[str, str], now: float) -> float | None:
    """Returns the seconds to wait after an answer; None if no limit was reached.

    See https://docs.github.com/rest/using-the-rest-api/rate-limits-for-the-rest-api#exceeding-the-rate-limit.
    """
    if status not in (403, 429):
        return None
    try:
        if "retry-after" in headers:
            return max(0.0, float(headers["retry-after"]))
        if headers.get("x-ratelimit-remaining") == "0":
            return max(0.0, float(headers["x-ratelimit-reset"]) - now) + 1
    except (ValueError, KeyError):
        return 60.0
    return 60.0 if status == 429 else None


def _reason(answer: httpx.Response) -> str:
    try:
        body = answer.json()
        details = "; ".join(str(error.get("message", error)) for error in body.get("errors", []))
        return f"{body['message']}" + (f" ({details})" if details else "")
    except (ValueError, KeyError, TypeError, AttributeError):
        return answer.reason_phrase


def current_name(client: GitHubClient, repository: Repository) -> tuple[int, str]:
    """Returns the repository's id, which never changes, and its present name."""
    found = client.get(f"/repos/{repository.name}")
    return int(found["id"]), str(found["full_name"])
