from __future__ import annotations

from pathlib import Path

import pytest

from platform_cli.config.paths import file_inside


def test_a_file_below_the_folder_is_given_in_its_shortest_form(tmp_path: Path) -> None:
    (tmp_path / "src").mkdir()
    (tmp_path / "src" / "server.py").touch()
    assert file_inside(tmp_path, "./src//server.py") == "src/server.py"
    assert file_inside(tmp_path, "other/../src/server.py") == "src/server.py"


def test_a_symlink_within_the_folder_is_fine(tmp_path: Path) -> None:
    (tmp_path / "real.py").touch()
    (tmp_path / "link.py").symlink_to("real.py")
    assert file_inside(tmp_path, "link.py") == "link.py"


@pytest.mark.parametrize(
    ("path", "reason"),
    [
        ("", "not a path"),
        ("a\0b", "not a path"),
        ("a\x1b[2J", "not a path"),
        ("/etc/passwd", "absolute"),
        ("../secret.py", "outside"),
        ("sub/../../secret.py", "outside"),
        ("leaving.py", "outside"),
        ("leaving/x.py", "outside"),
        ("loop.py", "leads nowhere|does not exist"),
        ("missing.py", "does not exist"),
        ("sub", "not a file"),
    ],
)
def test_a_path_that_leads_out_or_nowhere_is_refused(tmp_path: Path, path: str, reason: str) -> None:
    folder = tmp_path / "project"
    (folder / "sub").mkdir(parents=True)
    (tmp_path / "secret.py").touch()
    (folder / "leaving.py").symlink_to(tmp_path / "secret.py")
    (folder / "leaving").symlink_to(tmp_path)
    (folder / "loop.py").symlink_to("loop.py")
    with pytest.raises(ValueError, match=reason):
        file_inside(folder, path)
