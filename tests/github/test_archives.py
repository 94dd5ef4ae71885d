"""Tests that commits through GitHub's API are what a checkout is, and as hostile."""

from __future__ import annotations

import io
import tarfile
from pathlib import Path
from typing import Any

import pytest

from platform_cli.errors import GitHubError, NotFoundError, SourceError
from platform_cli.github import archives
from platform_cli.github.archives import MAX_MISSING, Archives, _Blob, _complete, _tree, _unpack
from platform_cli.github.checkout import Git
from platform_cli.github.client import GitHubClient
from platform_cli.github.commits import TreeEntry, check_tree
from platform_cli.github.repository import GitHub, Repository
from platform_cli.pipeline.source import MAX_BYTES, MAX_FILES
from tests.github.fake import FakeGitHub, commit, git


def source(github: FakeGitHub) -> Repository:
    return Repository(GitHub(github.url, f"{github.url}/api"), github.name)


def files(root: Path) -> dict[str, tuple[str, bool]]:
    """Returns for each path its content, and whether it can be run."""
    found = {path.relative_to(root).as_posix(): path for path in root.rglob("*")}
    return {
        name: (str(path.readlink()) if path.is_symlink() else path.read_text(), bool(path.stat().st_mode & 0o100))
        for name, path in found.items()
        if path.is_file()
    }


def test_it_is_what_git_checks_out(github: FakeGitHub, repository: Path, tmp_path: Path) -> None:
    one = repository / "one"
    one.mkdir()
    (one / "run.sh").write_text("#!/bin/sh\n")
    (one / "run.sh").chmod(0o755)
    (one / "same").symlink_to("run.sh")
    (one / "kept-out.txt").write_text("not in archives")
    (repository / ".gitattributes").write_text("kept-out.txt export-ignore\n")
    sha = commit(repository, "several kinds of files\n\nand a body")
    assert Archives().list_refs(source(github), github.token, "refs/heads/main", "refs/heads/none") == {
        "refs/heads/main": sha
    }
    for folder in ("", "one"):
        for kind in (Git(), Archives()):
            target = tmp_path / f"{type(kind).__name__}-{folder}"
            target.mkdir()
            said, _ = kind.check_out(source(github), github.token, sha, folder, target)
            assert (said.sha, said.author, said.message) == (sha, "Mona", "several kinds of files")
        assert files(tmp_path / f"Archives-{folder}" / folder) == files(tmp_path / f"Git-{folder}" / folder)
    assert "kept-out.txt" in files(tmp_path / "Archives-one" / "one")


@pytest.mark.parametrize("kind", [Git, Archives])
def test_what_is_refused(github: FakeGitHub, repository: Path, tmp_path: Path, kind: type[Git | Archives]) -> None:
    def check_out(sha: str, folder: str = "") -> None:
        target = tmp_path / f"into-{len(list(tmp_path.iterdir()))}"
        target.mkdir()
        kind().check_out(source(github), github.token, sha, folder, target)

    sha = git(repository, "rev-parse", "HEAD")
    with pytest.raises(SourceError, match="no folder 'two'"):
        check_out(sha, "two")
    with pytest.raises(NotFoundError):
        check_out("f" * 40)
    (repository / "out").symlink_to("/etc/passwd")
    with pytest.raises(SourceError, match="out is a symlink that leaves"):
        check_out(commit(repository, "a link that leads out"))
    (repository / "out").unlink()
    git(repository, "update-index", "--add", "--cacheinfo", f"160000,{sha},vendored")
    git(repository, "commit", "--quiet", "-m", "a submodule")
    git(repository, "push", "--quiet", "origin", "HEAD:main")
    with pytest.raises(SourceError, match="vendored is a submodule"):
        check_out(git(repository, "rev-parse", "HEAD"))


@pytest.mark.parametrize(
    ("name", "kind", "link"),
    [
        ("../../evil", tarfile.REGTYPE, ""),
        ("device", tarfile.CHRTYPE, ""),
        ("hard", tarfile.LNKTYPE, "top/a"),
        ("soft", tarfile.SYMTYPE, "../../etc"),
    ],
)
def test_a_hostile_archive(tmp_path: Path, name: str, kind: bytes, link: str) -> None:
    into = tmp_path / "into"
    into.mkdir()
    with pytest.raises(SourceError):
        _unpack(archive("top/" + name, kind, link, "a" * 40), "a" * 40, "", into)
    assert [path.name for path in tmp_path.rglob("*")] == ["into"]


def test_what_is_fetched_file_by_file_stays_inside_and_is_little(tmp_path: Path) -> None:
    into = tmp_path / "into"
    into.mkdir()
    (into / "out").symlink_to(tmp_path)
    nobody: Any = None
    with pytest.raises(SourceError, match="out/evil leads out"):
        _complete(nobody, "", [_Blob("out/evil", "100644", "a" * 40, 1)], into)
    with pytest.raises(SourceError, match="keeps 101 files out"):
        _complete(nobody, "", [_Blob(f"{number}", "100644", "a" * 40, 1) for number in range(MAX_MISSING + 1)], into)
    with pytest.raises(SourceError, match="more files than GitHub lists"):
        _tree({"truncated": True, "tree": []})


def test_more_than_a_build_may_have(github: FakeGitHub, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(SourceError, match="1 files of 505 MB"):
        check_tree([TreeEntry("a", is_submodule=False, size=MAX_BYTES + 5_000_000)], "")
    with pytest.raises(SourceError, match="50,001 files"):
        check_tree([TreeEntry(str(number), is_submodule=False, size=1) for number in range(MAX_FILES + 1)], "")
    monkeypatch.setattr(archives, "MAX_BYTES", 9)
    with pytest.raises(SourceError, match="not sound at a"):
        _unpack(archive("top/a", tarfile.REGTYPE, "", "a" * 40, bytes(10)), "a" * 40, "", tmp_path)
    monkeypatch.setattr(github, "override", lambda _method, _path: (200, {}, bytes(2_000_000)))
    with (
        GitHubClient(source(github).github, github.token) as client,
        pytest.raises(GitHubError, match="has more than 1 MB"),
    ):
        client.download("/repos/somebody/else/tarball/main", io.BytesIO(), 1_000_000)


def test_the_archive_of_another_commit(tmp_path: Path) -> None:
    with pytest.raises(GitHubError, match="another commit"):
        _unpack(archive("top/a", tarfile.REGTYPE, "", "b" * 40), "a" * 40, "", tmp_path)


def archive(name: str, kind: bytes, link: str, sha: str, data: bytes = b"") -> io.BytesIO:
    content = io.BytesIO()
    with tarfile.open(fileobj=content, mode="w:gz", format=tarfile.PAX_FORMAT, pax_headers={"comment": sha}) as tar:
        member = tarfile.TarInfo(name)
        member.type, member.linkname, member.size = kind, link, len(data)
        tar.addfile(member, io.BytesIO(data))
    content.seek(0)
    return content
