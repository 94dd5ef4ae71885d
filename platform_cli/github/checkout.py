"""One exact commit, fetched with git and put in a folder. What is in it is hostile until checked."""

from __future__ import annotations

import base64
import os
import re
import subprocess
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

import tenacity

from ..build.source import MAX_BYTES, MAX_FILES
from ..errors import GitHubError, NotFoundError, RevokedTokenError, SourceError

# Seconds that git may take to answer, and to fetch; and those without a kilobyte after which it gives up.
LIST_TIMEOUT_S = 30
FETCH_TIMEOUT_S = 600
STALLED_S = 20
SYMLINK, SUBMODULE = b"120000", b"160000"
# https://github.com/git-lfs/git-lfs/blob/main/docs/spec.md: a pointer begins with this, and is smaller than 1024 bytes.
LFS = b"version https://git-lfs.github.com/spec/"
LFS_BYTES = 1024
_DENIED = re.compile(r"Authentication failed|could not read Username|HTTP 40[13]|error: 40[13]|Invalid username", re.I)
_MOVED = re.compile(r"error: 30[1278]|redirect")


@dataclass(frozen=True, slots=True)
class Commit:
    """`message` is its first line."""

    sha: str
    author: str
    message: str


class MovedError(GitHubError):
    """The repository has another name now."""


@tenacity.retry(
    # What is neither refused nor moved is the network, most likely.
    retry=tenacity.retry_if_exception(lambda error: type(error) is GitHubError),
    stop=tenacity.stop_after_attempt(3),
    wait=tenacity.wait_exponential(),
    reraise=True,
)
def list_refs(url: str, token: str | None, *patterns: str) -> dict[str, str]:
    """The commits that the refs stand at, by name. Raises RevokedTokenError, MovedError and GitHubError."""
    text = _git(["ls-remote", "--quiet", url, *patterns], _environment(url, token), LIST_TIMEOUT_S)
    return {ref: sha for sha, _, ref in (line.partition("\t") for line in text.splitlines())}


def check_out(url: str, token: str | None, sha: str, folder: str, destination: Path) -> tuple[Commit, Path]:
    """The commit, and its folder `folder` (`""` for all of it) below `destination`, which is empty.

    Raises SourceError for what is not deployed (submodules, LFS, symlinks that lead out, too much) and where the folder
    is missing; RevokedTokenError and GitHubError when the commit cannot be had.
    """
    with tempfile.TemporaryDirectory(prefix="homeport-git-") as store:
        environment = _environment(url, token)

        def git(*arguments: str, timeout_s: float = LIST_TIMEOUT_S) -> str:
            return _git(["--git-dir", store, *arguments], environment, timeout_s)

        git("init", "--quiet", "--template=")
        git("fetch", "--quiet", "--depth=1", "--no-tags", url, sha, timeout_s=FETCH_TIMEOUT_S)
        _check_tree(os.fsencode(git("ls-tree", "-r", "-z", "--long", sha)), folder)
        git("--work-tree", str(destination), "checkout", "--force", sha, "--", ".", timeout_s=FETCH_TIMEOUT_S)
        author, _, message = git("log", "-1", "--format=%an%n%s", sha).partition("\n")
    root = destination / folder
    _check_files(root, destination)
    return Commit(sha, author, message.strip()), root


def _check_tree(listing: bytes, folder: str) -> None:
    """Before anything is written."""
    total, entries = 0, [entry for entry in listing.split(b"\0") if entry]
    prefix = f"{folder}/".encode() if folder else b""
    inside = [entry for entry in entries if entry.partition(b"\t")[2].startswith(prefix)]
    if not inside:
        raise SourceError(f"the commit has no folder {folder!r}" if folder else "the commit is empty")
    for entry in entries:
        size = entry.partition(b"\t")[0].split()[-1]
        total += int(size) if size != b"-" else 0
    for entry in inside:
        facts, _, path = entry.partition(b"\t")
        if facts.startswith(SUBMODULE):
            raise SourceError(
                f"{path.decode(errors='replace')} is a submodule, and those are not deployed",
                hint="copy what the server needs of it into the repository, or install it as a package",
            )
    if len(entries) > MAX_FILES or total > MAX_BYTES:
        raise SourceError(
            f"the commit has {len(entries):,} files of {total / 1e6:,.0f} MB; "
            f"up to {MAX_FILES:,} files of {MAX_BYTES // 1_000_000} MB are deployed"
        )


def _check_files(root: Path, destination: Path) -> None:
    """Configuration is read before the source is collected, so that no link may lead out from the start."""
    real = root.resolve()
    if not real.is_relative_to(destination.resolve()) or not real.is_dir():
        raise SourceError(f"{root.relative_to(destination)} is not a folder of the repository")
    for folder, folders, files in os.walk(root):
        for name in (*folders, *files):
            path = Path(folder, name)
            shown = path.relative_to(destination)
            if path.is_symlink():
                if not path.resolve().is_relative_to(real):
                    raise SourceError(f"{shown} is a symlink that leaves the project", hint="put a file in its place")
            elif path.is_file() and path.stat().st_size < LFS_BYTES and path.read_bytes().startswith(LFS):
                raise SourceError(
                    f"{shown} is kept in Git LFS, and its content is not fetched",
                    hint="commit the file itself, or have the server fetch it",
                )


def _environment(url: str, token: str | None) -> dict[str, str]:
    """Nothing of this machine's configuration, no prompts, hooks or redirects; the token only in the environment."""
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
    if token is not None:
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


def _git(arguments: list[str], environment: Mapping[str, str], timeout_s: float) -> str:
    # No file that git writes may be larger than what is deployed at most.
    limited = ["/bin/sh", "-c", 'ulimit -f "$0"; exec git "$@"', str(MAX_BYTES // 512), *arguments]
    try:
        done = subprocess.run(
            limited, env=environment, stdin=subprocess.DEVNULL, capture_output=True, timeout=timeout_s, check=False
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
