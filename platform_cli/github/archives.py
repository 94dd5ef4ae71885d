"""Fetches commits through GitHub's REST API, for places without git such as AWS Lambda.

It reads and checks the commit's tree first, then fetches and unpacks its archive. What .gitattributes keeps out of
archives (export-ignore) is fetched file by file, so that the folder has the same files as a checkout.
"""

from __future__ import annotations

import base64
import tarfile
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any
from urllib.parse import quote

from ..errors import GitHubError, NotFoundError, SourceError
from ..pipeline.source import MAX_BYTES
from .client import GitHubClient
from .commits import Commit, TreeEntry, check_files, check_tree
from .repository import Repository

SUBMODULE, SYMLINK, EXECUTABLE = "160000", "120000", "100755"
# The number of files missing in the archive that are fetched one by one.
MAX_MISSING = 100


@dataclass(frozen=True, slots=True)
class _Blob:
    """Is a file of the commit's tree."""

    path: str
    mode: str
    sha: str
    size: int


class Archives:
    """Is the Source that uses GitHub's archives."""

    def list_refs(self, repository: Repository, token: str, *refs: str) -> dict[str, str]:
        found = {}
        with GitHubClient(repository.github, token) as client:
            for ref in refs:
                try:
                    answer = client.get(f"/repos/{repository.name}/git/ref/{quote(ref.removeprefix('refs/'), safe='')}")
                    found[ref] = str(answer["object"]["sha"])
                except NotFoundError:
                    # Either the ref or the repository does not exist; this raises the error for the repository.
                    client.get(f"/repos/{repository.name}")
        return found

    def check_out(
        self, repository: Repository, token: str, sha: str, folder: str, destination: Path
    ) -> tuple[Commit, Path]:
        base = f"/repos/{repository.name}"
        with GitHubClient(repository.github, token) as client, tempfile.TemporaryFile() as archive:
            said = client.get(f"{base}/git/commits/{sha}")
            tree = _tree(client.get(f"{base}/git/trees/{said['tree']['sha']}?recursive=1"))
            check_tree([TreeEntry(blob.path, blob.mode == SUBMODULE, blob.size) for blob in tree], folder)
            client.download(f"{base}/tarball/{sha}", archive, MAX_BYTES)
            archive.seek(0)
            _unpack(archive, sha, folder, destination)
            _complete(client, base, [blob for blob in tree if _is_in(blob.path, folder)], destination)
        root = destination / folder
        check_files(root, destination)
        message = str(said["message"]).partition("\n")[0]
        return Commit(sha, str(said["author"]["name"]), message.strip()), root


def _tree(said: dict[str, Any]) -> list[_Blob]:
    if said["truncated"]:
        raise SourceError("the commit has more files than GitHub lists", hint="link a smaller repository")
    return [
        _Blob(str(entry["path"]), str(entry["mode"]), str(entry["sha"]), int(entry.get("size", 0)))
        for entry in said["tree"]
        if entry["type"] != "tree"
    ]


def _is_in(path: str, folder: str) -> bool:
    return not folder or path.startswith(f"{folder}/")


def _unpack(archive: IO[bytes], sha: str, folder: str, destination: Path) -> None:
    """Unpacks the files below `folder` of the one folder that GitHub's archives contain.

    The archive is hostile: tarfile's data filter (PEP 706) refuses paths and links that lead out, devices, and unsafe
    modes.
    """
    left = MAX_BYTES

    def chosen(member: tarfile.TarInfo, path: str) -> tarfile.TarInfo | None:
        nonlocal left
        name = member.name.partition("/")[2]
        if not _is_in(name, folder) or not name:
            return None
        left -= member.size
        if left < 0 or member.islnk():
            raise SourceError(f"the archive of the commit is not sound at {name}")
        return tarfile.data_filter(member.replace(name=name, deep=False), path)

    try:
        with tarfile.open(fileobj=archive, mode="r:gz") as tar:
            # git writes the commit into its archives: https://git-scm.com/docs/git-get-tar-commit-id
            if tar.pax_headers.get("comment") != sha:
                raise GitHubError("GitHub sent the archive of another commit", hint="deploy again: push a commit")
            tar.extractall(destination, filter=chosen)  # noqa: S202 - with a filter
    except (tarfile.LinkOutsideDestinationError, tarfile.AbsoluteLinkError) as error:
        shown = error.tarinfo.name
        raise SourceError(f"{shown} is a symlink that leaves the project", hint="put a file in its place") from None
    except tarfile.FilterError as error:
        raise SourceError(f"the archive of the commit is refused: {error}") from None
    except (tarfile.TarError, EOFError, OSError) as error:
        raise GitHubError(f"the archive of the commit cannot be read: {error}", hint="push again") from None


def _complete(client: GitHubClient, base: str, wanted: Sequence[_Blob], destination: Path) -> None:
    """Fetches the files that the archive does not have."""
    missing = [blob for blob in wanted if not (destination / blob.path).is_symlink()]
    missing = [blob for blob in missing if not (destination / blob.path).exists()]
    if len(missing) > MAX_MISSING:
        raise SourceError(
            f".gitattributes keeps {len(missing)} files out of archives, and {MAX_MISSING} can be fetched one by one",
            hint="take export-ignore off the folder of the server",
        )
    for blob in missing:
        target = destination / blob.path
        target.parent.mkdir(parents=True, exist_ok=True)
        if not target.parent.resolve().is_relative_to(destination.resolve()):
            raise SourceError(f"{blob.path} leads out of the project")
        content = base64.b64decode(client.get(f"{base}/git/blobs/{blob.sha}")["content"])
        if blob.mode == SYMLINK:
            target.symlink_to(content.decode())
        else:
            target.write_bytes(content)
            target.chmod(0o755 if blob.mode == EXECUTABLE else 0o644)
