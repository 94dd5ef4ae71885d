from __future__ import annotations

import gzip
import hashlib
import os
import tarfile
from pathlib import Path

from platform_cli.images.blobs import Blobs
from platform_cli.images.layer_tar import Entry, write_layer


def test_the_same_files_give_the_same_bytes(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"content")
    entries = {
        "opt/homeport/b": Entry(tmp_path / "file", 0o755),
        "opt/homeport/a/é.txt": Entry(b"text"),
        "opt/homeport/a/link": Entry(link="../b"),
        "opt/homeport/" + "long/" * 60 + "name": Entry(b""),
        "opt/homeport/work": Entry(mode=0o2775, uid=65532),
    }
    first = write_layer(Blobs(tmp_path / "one"), entries, "files")
    os.utime(tmp_path / "file", (1, 1))
    (tmp_path / "file").chmod(0o600)
    umask = os.umask(0o077)
    try:
        again = write_layer(Blobs(tmp_path / "two"), dict(reversed(entries.items())), "files")
    finally:
        os.umask(umask)
    assert again == first


def test_what_is_in_a_layer(tmp_path: Path) -> None:
    blobs = Blobs(tmp_path)
    entries = {"a/b/run": Entry(b"#!", 0o755), "a/b/work": Entry(mode=0o2775, uid=65532), "a/b/to": Entry(link="run")}
    layer = write_layer(blobs, entries, "files")
    content = blobs.path(layer.blob.digest).read_bytes()
    assert layer.blob.digest == f"sha256:{hashlib.sha256(content).hexdigest()}"
    assert layer.blob.size == len(content)
    assert layer.diff_id == f"sha256:{hashlib.sha256(gzip.decompress(content)).hexdigest()}"
    with tarfile.open(blobs.path(layer.blob.digest)) as archive:
        found = {info.name: (info.mode, info.uid, info.gid, info.mtime, info.uname) for info in archive}
        assert archive.getmember("a/b/to").linkname == "run"
    assert found == {
        "a/b": (0o755, 0, 0, 0, ""),
        "a/b/run": (0o755, 0, 0, 0, ""),
        "a/b/to": (0o644, 0, 0, 0, ""),
        "a/b/work": (0o2775, 65532, 0, 0, ""),
    }, "and nothing of /a, which is the base's"
    assert [path.name for path in tmp_path.iterdir()] == [layer.blob.digest.removeprefix("sha256:")]
