from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from platform_cli.own_code import closed_folders, is_open, open_to_all
from platform_cli.supervisor.own_user import MODULE, as_user, obstacle

from .releases import release_of


def test_only_root_gives_users(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("os.getuid", lambda: 1000)
    assert "root" in (obstacle(tmp_path) or "")


def test_a_release_of_an_older_version_runs_as_it_did(tmp_path: Path) -> None:
    release = replace(release_of(tmp_path, ()), hidden=(tmp_path,))
    assert as_user(release, 70000).user == 70000
    assert as_user(replace(release, hidden=()), 70000).user is None, "nothing is hidden, or it is in a container"
    (release.runtime / MODULE).unlink()
    assert as_user(release, 70000) == release


def test_folders_that_others_may_not_enter(tmp_path: Path) -> None:
    inner = tmp_path / "closed" / "open" / "home"
    inner.mkdir(parents=True)
    (tmp_path / "closed").chmod(0o700)
    closed = closed_folders([inner, inner.parent])
    assert len(closed) == 1, "the outermost alone"
    assert closed[0] == tmp_path / "closed" or closed[0] in tmp_path.parents
    assert closed_folders([Path("/usr/bin/env")]) == ()


def test_what_is_open_to_all(tmp_path: Path) -> None:
    layer = tmp_path / "layer"
    (layer / "package").mkdir(parents=True, mode=0o700)
    layer.chmod(0o700)
    for name, mode in (("module.py", 0o600), ("program", 0o700)):
        (layer / "package" / name).touch(mode=mode)
    (layer / "link").symlink_to("nowhere")
    assert not is_open(layer)
    open_to_all(layer)
    assert is_open(layer)
    modes = {path.name: path.stat().st_mode & 0o777 for path in (layer / "package").iterdir()}
    assert modes == {"module.py": 0o644, "program": 0o755}
