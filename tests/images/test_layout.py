from __future__ import annotations

import json
from pathlib import Path

import pytest

from platform_cli.config.image_reference import parse_reference
from platform_cli.errors import InputError
from platform_cli.images.layout import write_layout
from tests.images.bases import tiny_base

NAME = parse_reference("127.0.0.1:5000/you/server:1")


def blobs_in(folder: Path) -> set[str]:
    return {f"sha256:{file.name}" for file in (folder / "blobs/sha256").iterdir()}


def test_a_thin_layout_leaves_out_what_the_engine_has(tmp_path: Path) -> None:
    image, blobs = tiny_base(tmp_path)
    layer = image.own[0].blob.digest
    write_layout(image, NAME, tmp_path / "thin", blobs, without={layer})
    assert blobs_in(tmp_path / "thin") == {image.digest, image.config_blob.digest}
    saved = json.loads((tmp_path / "thin/manifest.json").read_bytes())
    assert saved == [
        {
            "Config": f"blobs/sha256/{image.config_blob.digest[7:]}",
            "RepoTags": ["127.0.0.1:5000/you/server:1"],
            "Layers": [f"blobs/sha256/{layer[7:]}"],
        }
    ]


def test_an_image_takes_the_place_of_another_one(tmp_path: Path) -> None:
    old, old_blobs = tiny_base(tmp_path / "old", environment=["OLD=1"])
    new, new_blobs = tiny_base(tmp_path / "new")
    write_layout(old, NAME, tmp_path / "layout", old_blobs)
    write_layout(new, NAME, tmp_path / "layout", new_blobs)
    assert blobs_in(tmp_path / "layout") == {new.digest, new.config_blob.digest, new.own[0].blob.digest}
    index = json.loads((tmp_path / "layout/index.json").read_bytes())
    assert [manifest["digest"] for manifest in index["manifests"]] == [new.digest]


def test_a_folder_of_something_else_is_left_alone(tmp_path: Path) -> None:
    image, blobs = tiny_base(tmp_path)
    for place in (tmp_path, Path(__file__)):
        with pytest.raises(InputError, match="has other things in it"):
            write_layout(image, NAME, place, blobs)
