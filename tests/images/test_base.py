"""Bases that cannot be had, or that do not fit, each with an error that says what to do."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from platform_cli.config.image_reference import parse_reference
from platform_cli.config.project import Architecture
from platform_cli.errors import ConfigError, HomeportError, RegistryError
from platform_cli.home import Home
from platform_cli.images.base import check_python, fetch_layer, find_base
from platform_cli.images.blobs import Blobs
from platform_cli.images.model import Base, Image, digest_of
from tests.images.bases import tiny_base
from tests.images.registries import Answer, stand_in

INDEX_TYPE = "application/vnd.oci.image.index.v1+json"


@pytest.fixture(autouse=True)
def no_login(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DOCKER_CONFIG", str(tmp_path))


def serving(image: Image, blobs: Blobs, **others: Answer) -> Callable[[str, str], Answer]:
    """Returns the answers of a registry that has `image`, and `others` by the end of their paths."""
    layer = image.own[0].blob.digest
    there = {
        "manifests/1": Answer(body=image.manifest),
        f"manifests/{image.digest}": Answer(body=image.manifest),
        f"blobs/{image.config_blob.digest}": Answer(body=image.config),
        f"blobs/{layer}": Answer(body=blobs.path(layer).read_bytes()),
        **others,
    }
    missing = Answer(404, b'{"errors": [{"code": "MANIFEST_UNKNOWN", "message": "manifest unknown"}]}')
    return lambda _method, path: there.get(path.removeprefix("/v2/base/"), missing)


def find(
    folder: Path,
    answering: Callable[[str, str], Answer],
    architecture: Architecture = "x86_64",
    *,
    tag: str = "1",
    anew: bool = False,
) -> Base:
    with stand_in(answering) as address:
        return find_base(parse_reference(f"{address}/base:{tag}"), architecture, Home(folder), anew=anew)


def index(*platforms: tuple[str, str], digest: str) -> Answer:
    entries = [{"digest": digest, "platform": {"os": name, "architecture": each}} for name, each in platforms]
    return Answer(body=json.dumps({"mediaType": INDEX_TYPE, "manifests": entries}).encode())


def test_a_base_is_kept_until_it_is_asked_for_anew(tmp_path: Path) -> None:
    image, blobs = tiny_base(tmp_path)
    new, _ = tiny_base(tmp_path, environment=["NEW=1"])
    now = [image]

    def answering(method: str, path: str) -> Answer:
        return serving(now[0], blobs)(method, path)

    with stand_in(answering) as address:
        wanted, home = parse_reference(f"{address}/base:1"), Home(tmp_path)
        found = find_base(wanted, "x86_64", home, anew=False)
        assert found.reference.digest == image.digest
        assert [layer.diff_id for layer in found.layers] == [image.own[0].diff_id]
        now[0] = new
        assert find_base(wanted, "x86_64", home, anew=False) == found
        assert find_base(wanted, "x86_64", home, anew=True).reference.digest == new.digest


def test_an_index_has_one_image_for_each_processor(tmp_path: Path) -> None:
    image, blobs = tiny_base(tmp_path)
    both = index(("windows", "amd64"), ("linux", "amd64"), digest=image.digest)
    assert find(tmp_path, serving(image, blobs, **{"manifests/1": both})).reference.digest == image.digest
    with pytest.raises(ConfigError, match=r"not there for arm64, only for amd64"):
        find(tmp_path, serving(image, blobs, **{"manifests/1": both}), "arm64")


def test_a_base_for_another_processor(tmp_path: Path) -> None:
    image, blobs = tiny_base(tmp_path, architecture="riscv64")
    with pytest.raises(ConfigError, match="not there for x86_64, only for linux on riscv64"):
        find(tmp_path, serving(image, blobs))


def test_a_base_that_is_not_there(tmp_path: Path) -> None:
    image, blobs = tiny_base(tmp_path)
    with pytest.raises(
        ConfigError, match=r"the base is not there: .* does not have the manifest of 2: MANIFEST_UNKNOWN"
    ):
        find(tmp_path, serving(image, blobs), tag="2")


def test_a_base_of_another_python(tmp_path: Path) -> None:
    image, blobs = tiny_base(tmp_path, environment=["PYTHON_VERSION=3.13.1"])
    base = find(tmp_path, serving(image, blobs))
    check_python(base, "3.13")
    with pytest.raises(ConfigError, match=r"has Python 3\.13\.1, and the packages are for 3\.1") as raised:
        check_python(base, "3.1")
    assert 'python_version = "3.13"' in (raised.value.hint or "")


@pytest.mark.parametrize(
    ("tag", "history"), [("3.12-alpine", "x"), ("1", "ADD alpine-minirootfs-3.22.0-x86_64.tar.gz / # buildkit")]
)
def test_a_base_with_musl(tmp_path: Path, tag: str, history: str) -> None:
    image, blobs = tiny_base(tmp_path, history=history)
    answering = serving(image, blobs, **{f"manifests/{tag}": Answer(body=image.manifest)})
    with pytest.raises(ConfigError, match="musl"):
        find(tmp_path, answering, tag=tag)


@pytest.mark.parametrize(
    ("answer", "error"),
    [
        (Answer(401, headers={"WWW-Authenticate": 'Basic realm="x"'}), "wants a login for base"),
        (Answer(403), "wants a login for base"),
        (Answer(429, b'{"errors": [{"code": "TOOMANYREQUESTS"}]}'), "no more requests for now: TOOMANYREQUESTS"),
        (Answer(500, b"<html>"), "refuses the manifest of 1 with HTTP 500"),
        (Answer(body=b"<html>"), "is no image"),
        (Answer(body=b'{"schemaVersion": 1, "fsLayers": []}'), "is no image"),
        (Answer(body=b'{"layers": [], "config": {"digest": "sha256:../../x"}}'), "is no image"),
        (Answer(body=b'{"manifests": [1]}'), "is no image"),
        (Answer(body=b"[]"), "is no image"),
        (Answer(body=b"{" * 100, breaks_off=True), "has broken the connection off"),
    ],
)
def test_a_registry_that_does_not_answer_as_it_should(tmp_path: Path, answer: Answer, error: str) -> None:
    image, blobs = tiny_base(tmp_path)
    with pytest.raises(RegistryError, match=error) as raised:
        find(tmp_path, serving(image, blobs, **{"manifests/1": answer}))
    assert raised.value.hint


def test_content_of_another_digest(tmp_path: Path) -> None:
    image, blobs = tiny_base(tmp_path)
    by_digest = index(("linux", "amd64"), digest=image.digest)
    for path, answer in (
        (f"manifests/{image.digest}", Answer(body=b"{}")),
        (f"blobs/{image.config_blob.digest}", Answer(body=b"{}")),
    ):
        with pytest.raises(RegistryError, match="other content than that of sha256"):
            find(tmp_path, serving(image, blobs, **{"manifests/1": by_digest, path: answer}), anew=True)


def test_a_registry_that_is_not_there(tmp_path: Path) -> None:
    with stand_in(lambda _method, _path: Answer()) as address:
        gone = parse_reference(f"{address}/base:1")
    with pytest.raises(RegistryError, match=f"the base {gone}: .* refuses connections") as caught:
        find_base(gone, "x86_64", Home(tmp_path), anew=False)
    assert "name another with base" in str(caught.value.hint)


def test_a_layer_of_a_base_is_fetched_once_and_checked(tmp_path: Path) -> None:
    image, blobs = tiny_base(tmp_path)
    digest = image.own[0].blob.digest
    content = blobs.path(digest).read_bytes()
    asked: list[str] = []
    wrong = [True]

    def answering(method: str, path: str) -> Answer:
        asked.append(path)
        others = {f"blobs/{digest}": Answer(body=b"x" * len(content))} if wrong[0] else {}
        return serving(image, blobs, **others)(method, path)

    mine = Blobs(tmp_path / "mine")
    with stand_in(answering) as address:
        base = find_base(parse_reference(f"{address}/base:1"), "x86_64", Home(tmp_path), anew=False)
        with pytest.raises(HomeportError, match="other content"):
            fetch_layer(base, base.layers[0], mine)
        assert not [*mine.folder.iterdir()]
        wrong[0] = False
        assert digest_of(fetch_layer(base, base.layers[0], mine).read_bytes()) == digest
        count = len(asked)
        fetch_layer(base, base.layers[0], mine)
        assert len(asked) == count
