"""Fetches commits with git, shallow and by their SHA, as the platform at home does."""

from __future__ import annotations

import base64
import os
import re
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path
from urllib.parse import urlsplit

import tenacity

from ..errors import GitHubError, NotFoundError, RevokedTokenError
from ..pipeline.confined import confined
from ..pipeline.source import MAX_BYTES
from ..temporary import temporary_folder
from .commits import Commit, MovedError, TreeEntry, check_files, check_tree
from .repository import Repository

# The seconds that git may take to answer, and to fetch; STALLED_S are those without a kilobyte after which it gives up.
LIST_TIMEOUT_S = 30
FETCH_TIMEOUT_S = 600
STALLED_S = 20
SUBMODULE = b"160000"
_DENIED = re.compile(r"Authentication failed|could not read Username|HTTP 40[13]|error: 40[13]|Invalid username", re.I)
_MOVED = re.compile(r"error: 30[1278]|redirect")


class Git:
    """Is the Source that uses git."""

    def list_refs(self, repository: Repository, token: str, *refs: str) -> dict[str, str]:
        url = repository.clone_url
        text = _list(["ls-remote", "--quiet", url, *refs], _environment(url, token), LIST_TIMEOUT_S)
        return {ref: sha for sha, _, ref in (line.partition("\t") for line in text.splitlines())}

    def check_out(
        self, repository: Repository, token: str, sha: str, folder: str, destination: Path
    ) -> tuple[Commit, Path]:
        with temporary_folder("git") as store:
            environment = _environment(repository.clone_url, token)

            def git(*arguments: str, timeout_s: float = LIST_TIMEOUT_S) -> str:
                return _git(["--git-dir", str(store), *arguments], environment, timeout_s, [store, destination])

            git("init", "--quiet", "--template=")
            git("fetch", "--quiet", "--depth=1", "--no-tags", repository.clone_url, sha, timeout_s=FETCH_TIMEOUT_S)
            check_tree(_entries(os.fsencode(git("ls-tree", "-r", "-z", "--long", sha))), folder)
            git("--work-tree", str(destination), "checkout", "--force", sha, "--", ".", timeout_s=FETCH_TIMEOUT_S)
            author, _, message = git("log", "-1", "--format=%an%n%s", sha).partition("\n")
        root = destination / folder
        check_files(root, destination)
        return Commit(sha, author, message.strip()), root


def _entries(listing: bytes) -> list[TreeEntry]:
    entries = []
    for line in filter(None, listing.split(b"\0")):
        facts, _, path = line.partition(b"\t")
        size = facts.split()[-1]
        is_submodule = facts.startswith(SUBMODULE)
        entries.append(TreeEntry(path.decode(errors="replace"), is_submodule, int(size) if size != b"-" else 0))
    return entries


def _environment(url: str, token: str) -> dict[str, str]:
    """Returns git's environment: without this machine's configuration, prompts, hooks and redirects, and with the
    token.

    The token is passed in the environment only, so that it is in no process list.
    """
    parts = urlsplit(url)
    settings = {
        "core.hooksPath": os.devnull,
        "credential.helper": "",
        "http.followRedirects": "false",
        "http.lowSpeedLimit": "1000",
        "http.lowSpeedTime": str(STALLED_S),
        "protocol.allow": "never",
        f"protocol.{parts.scheme}.allow": "always",
        "fetch.fsckObjects": "true",
        "gc.auto": "0",
        "submodule.recurse": "false",
    }
    basic = base64.b64encode(f"x-access-token:{token}".encode()).decode()
    settings[f"http.{parts.scheme}://{parts.netloc}/.extraHeader"] = f"Authorization: Basic {basic}"
    variables = {"GIT_CONFIG_COUNT": str(len(settings))}
    for number, (key, value) in enumerate(settings.items()):
        variables |= {f"GIT_CONFIG_KEY_{number}": key, f"GIT_CONFIG_VALUE_{number}": value}
    kept = ("PATH", "SSL_CERT_FILE", "SSL_CERT_DIR", "HTTPS_PROXY", "https_proxy", "NO_PROXY", "no_proxy")
    return {
        **{name: os.environ[name] for name in kept if name in os.environ},
        "HOME": os.devnull,
        "LC_ALL": "C",
        "GIT_CONFIG_NOSYSTEM": "1",
        "GIT_CONFIG_GLOBAL": os.devnull,
        "GIT_ATTR_NOSYSTEM": "1",
        "GIT_TERMINAL_PROMPT": "0",
        "GIT_LFS_SKIP_SMUDGE": "1",
        **variables,
    }


def _git(arguments: list[str], environment: Mapping[str, str], timeout_s: float, writable: Sequence[Path] = ()) -> str:
    """Runs git confined to the folders `writable`, since it reads what strangers wrote, and returns its output."""
    # No file that git writes may be larger than the largest project that can be deployed.
    limited = ["/bin/sh", "-c", 'ulimit -f "$0"; exec git "$@"', str(MAX_BYTES // 512), *arguments]
    try:
        done = subprocess.run(
            confined(limited, writable=writable),
            env=environment,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            timeout=timeout_s,
            check=False,
        )
    except subprocess.TimeoutExpired:
        raise GitHubError(
            f"git took longer than {timeout_s:g} s", hint="push again, or link a smaller repository"
        ) from None
    if done.returncode == 0:
        return done.stdout.decode("utf-8", "surrogateescape")
    reason = done.stderr.decode("utf-8", "replace").strip()
    if _DENIED.search(reason):
        raise RevokedTokenError(
            "GitHub does not let this token read the repository", hint="`homeport login`, then link again"
        )
    if _MOVED.search(reason):
        raise MovedError("the repository has moved")
    if "not our ref" in reason or "couldn't find remote ref" in reason:
        raise NotFoundError("the commit is not in the repository any more")
    raise GitHubError(f"git failed: {reason[-500:] or done.returncode}")


@tenacity.retry(
    # An error that is neither a refusal nor a move is most likely one of the network.
    retry=tenacity.retry_if_exception(lambda error: type(error) is GitHubError),
    stop=tenacity.stop_after_attempt(3),
    wait=tenacity.wait_exponential(),
    reraise=True,
)
def _list(arguments: list[str], environment: Mapping[str, str], timeout_s: float) -> str:
    return _git(arguments, environment, timeout_s)
