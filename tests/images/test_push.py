"""Pushes to Debian's docker-registry, and to one that fails as a test has it fail."""

from __future__ import annotations

import base64
import json
import random
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from platform_cli.config.image_reference import Reference, parse_reference
from platform_cli.errors import RegistryError
from platform_cli.home import Home
from platform_cli.images.base import find_base
from platform_cli.images.image_config import image_manifest
from platform_cli.images.layer_tar import Entry, write_layer
from platform_cli.images.model import INDEX_TYPE, Image
from platform_cli.images.push import push_image
from platform_cli.images.registry import Repository
from tests.images.bases import tiny_base
from tests.images.registries import PASSWORD, USER, Answer, Registry, registry, stand_in


@pytest.fixture(scope="module")
def there(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Registry]:
    with registry(tmp_path_factory.mktemp("registry")) as running:
        yield running


@pytest.fixture(scope="module")
def guarded(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Registry]:
    with registry(tmp_path_factory.mktemp("guarded"), login=True) as running:
        yield running


@pytest.fixture(autouse=True)
def docker_config(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("DOCKER_CONFIG", str(tmp_path))
    return tmp_path / "config.json"


def log_in(config: Path, address: str, password: str) -> None:
    shown = base64.b64encode(f"{USER}:{password}".encode()).decode()
    config.write_text(json.dumps({"auths": {address: {"auth": shown}}}))


def on_top(base: Image, to: Reference, folder: Path, content: bytes) -> Image:
    """Returns an image with a layer of `content` on `base`, which was pushed as `to`."""
    found = find_base(to, "x86_64", Home(folder), anew=True)
    layer = write_layer(tiny_base(folder)[1], {"opt/app/file": Entry(content)}, "app")
    manifest = image_manifest(base.config, (*found.layers, layer), {})
    return Image(found, (layer,), base.config, manifest)


def test_only_what_is_missing_is_sent(there: Registry, tmp_path: Path) -> None:
    base, blobs = tiny_base(tmp_path, environment=["SENT=1"])
    as_base, as_server = (parse_reference(f"{there.address}/{name}:1") for name in ("bases/sent", "you/server"))
    first = push_image(base, as_base, blobs)
    assert (first.sent, first.mounted, first.changed) == (2, 0, True)
    assert push_image(base, as_base, blobs).changed is False
    server = on_top(base, as_base, tmp_path, b"one")
    before = len(there.requests())
    pushed = push_image(server, as_server, blobs)
    assert (pushed.sent, pushed.mounted) == (2, 1), "its layer and its configuration; the base's layer is mounted"
    assert pushed.bytes == server.own[0].blob.size + len(server.config)
    assert any("mount=" in path and status == 201 for _, path, status in there.requests()[before:])
    changed = on_top(base, as_base, tmp_path, b"two")
    before = len(there.requests())
    assert push_image(changed, as_server, blobs).sent == 1
    asked = [path for method, path, _ in there.requests()[before:] if method == "HEAD" and "/blobs/" in path]
    assert asked == [f"/v2/you/server/blobs/{changed.own[0].blob.digest}"], (
        "of what the old image has, nothing is asked"
    )
    with Repository(as_server) as repository:
        assert repository.manifest(changed.digest) == changed.manifest


def test_a_base_of_another_registry_goes_along(there: Registry, guarded: Registry, tmp_path: Path) -> None:
    log_in(tmp_path / "config.json", guarded.address, PASSWORD)
    base, blobs = tiny_base(tmp_path, environment=["ALONG=1"])
    away = parse_reference(f"{guarded.address}/base:1")
    push_image(base, away, blobs)
    server = on_top(base, away, tmp_path, b"content")
    blobs.path(base.own[0].blob.digest).unlink()
    to = parse_reference(f"{there.address}/along:1")
    assert push_image(server, to, blobs).sent == 3
    with Repository(to) as repository:
        assert b"".join(repository.pull(base.own[0].blob.digest)) == blobs.path(base.own[0].blob.digest).read_bytes()


def test_a_registry_that_wants_a_login(guarded: Registry, docker_config: Path, tmp_path: Path) -> None:
    base, blobs = tiny_base(tmp_path)
    to = parse_reference(f"{guarded.address}/server:1")
    with pytest.raises(RegistryError, match="wants a login for server") as raised:
        push_image(base, to, blobs)
    assert raised.value.hint == f"docker login {guarded.address}"
    log_in(docker_config, guarded.address, "another password")
    with pytest.raises(RegistryError, match="does not accept this machine's login") as raised:
        push_image(base, to, blobs)
    assert "another password" not in str(raised.value)
    log_in(docker_config, guarded.address, PASSWORD)
    assert push_image(base, to, blobs).changed


def with_bill(image: Image) -> Image:
    return replace(image, bill=b'{"bomFormat":"CycloneDX"}')


def listed(repository: Repository, image: Image) -> list[dict[str, object]]:
    """Returns what refers to an image, by the tag for registries that do not list it."""
    found: list[dict[str, object]] = json.loads(repository.manifest(image.digest.replace(":", "-")))["manifests"]
    return found


def test_the_bill_of_materials_refers_to_the_image(there: Registry, tmp_path: Path) -> None:
    base, blobs = tiny_base(tmp_path, environment=["BILL=1"])
    image, to = with_bill(base), parse_reference(f"{there.address}/billed:1")
    pushed = push_image(image, to, blobs)
    assert push_image(image, to, blobs).bill == pushed.bill
    with Repository(to) as repository:
        [bill] = listed(repository, image)
        assert (bill["digest"], bill["artifactType"]) == (pushed.bill, "application/vnd.cyclonedx+json")
        manifest = json.loads(repository.manifest(str(bill["digest"])))
        assert manifest["subject"]["digest"] == image.digest
        assert b"".join(repository.pull(manifest["layers"][0]["digest"])) == image.bill
        # A signature of somebody else's stays, and the bill is in the list once.
        other = {"mediaType": "application/vnd.oci.image.manifest.v1+json", "digest": image.digest, "size": 1}
        index = {"schemaVersion": 2, "mediaType": INDEX_TYPE, "manifests": [other, bill]}
        repository.put_manifest(image.digest.replace(":", "-"), json.dumps(index).encode())
        push_image(image, replace(to, tag="2"), blobs)
        assert [each["digest"] for each in listed(repository, image)] == [image.digest, pushed.bill]


def test_a_bill_that_no_registry_has_taken_is_not_named(there: Registry, tmp_path: Path) -> None:
    base, blobs = tiny_base(tmp_path, environment=["BILL=2"])
    to = parse_reference(f"{there.address}/unbilled:1")
    push_image(base, to, blobs)
    again = push_image(with_bill(base), to, blobs)
    assert (again.changed, again.bill) == (False, None)


def test_a_registry_that_lists_what_refers_to_an_image_has_no_tag_for_it(tmp_path: Path) -> None:
    base, blobs = tiny_base(tmp_path)
    image, failing, asked = with_bill(base), Failing(), []
    failing.digest = image.digest
    subject = Answer(201, headers={"OCI-Subject": image.digest})

    def answering(method: str, path: str) -> Answer:
        asked.append(f"{method} {path}")
        return subject if method == "PUT" and "/manifests/sha256:" in path else failing(method, path)

    with stand_in(answering) as address:
        assert push_image(image, parse_reference(f"{address}/server:1"), blobs).bill
    assert not [each for each in asked if "sha256-" in each]


def test_a_registry_that_takes_no_artifacts_takes_the_image(tmp_path: Path) -> None:
    base, blobs = tiny_base(tmp_path)
    image, failing = with_bill(base), Failing()
    failing.digest = image.digest

    def answering(method: str, path: str) -> Answer:
        return Answer(400) if method == "PUT" and "/manifests/sha256:" in path else failing(method, path)

    with stand_in(answering) as address:
        pushed = push_image(image, parse_reference(f"{address}/server:1"), blobs)
    assert (pushed.changed, pushed.bill) == (True, None)


class Failing:
    """Is a registry that has what was sent to it, and fails where a test has it fail."""

    def __init__(self) -> None:
        self.blobs: set[str] = set()
        self.digest = ""
        self.breaks = ""
        self.answers: dict[str, Answer] = {}

    def __call__(self, method: str, path: str) -> Answer:
        if answer := self.answers.get(f"{method} {path.partition('?')[0]}"):
            return answer
        digest = path.rpartition("sha256:")[2] or path.rpartition("sha256%3A")[2]
        if method == "HEAD" and "/blobs/" in path:
            return Answer(200 if digest in self.blobs else 404)
        if method == "POST":
            return Answer(202, headers={"Location": "/v2/server/blobs/uploads/1"})
        if method == "PUT" and "/uploads/" in path:
            sent = path.rpartition("sha256%3A")[2]
            if sent == self.breaks:
                return Answer(breaks_off=True)
            self.blobs.add(sent)
            return Answer(201)
        if "/manifests/" in path and method == "HEAD":
            return Answer(headers={"Docker-Content-Digest": self.digest})
        return Answer(201 if method == "PUT" else 404)


def test_a_push_that_breaks_off_goes_on_where_it_was(tmp_path: Path) -> None:
    base, blobs = tiny_base(tmp_path)
    layer = write_layer(blobs, {"opt/app/large": Entry(random.Random(1).randbytes(10_000_000))}, "app")
    image = replace(base, own=(*base.own, layer), manifest=image_manifest(base.config, (*base.own, layer), {}))
    failing = Failing()
    failing.breaks = layer.blob.digest.removeprefix("sha256:")
    with stand_in(failing) as address:
        to = parse_reference(f"{address}/server:1")
        with pytest.raises(RegistryError, match="has broken the connection off") as raised:
            push_image(image, to, blobs)
        assert "is not sent again" in (raised.value.hint or "")
        failing.breaks, failing.digest = "", image.digest
        assert push_image(image, to, blobs).sent == 2, "the base's layer is there"


@pytest.mark.parametrize(
    ("asked", "answer", "error"),
    [
        (
            "POST /v2/server/blobs/uploads/",
            Answer(404, b'{"errors": [{"code": "NAME_UNKNOWN", "message": "no such repository"}]}'),
            "takes nothing for server: .*NAME_UNKNOWN, no such repository",
        ),
        ("POST /v2/server/blobs/uploads/", Answer(403, b'{"errors": [{"code": "DENIED"}]}'), "wants a login"),
        (
            "PUT /v2/server/blobs/uploads/1",
            Answer(400, b'{"errors": [{"code": "DIGEST_INVALID", "message": "no"}]}'),
            "refuses sha256:.* with HTTP 400: DIGEST_INVALID, no",
        ),
        ("PUT /v2/server/blobs/uploads/1", Answer(507), "with HTTP 507"),
        (
            "PUT /v2/server/manifests/1",
            Answer(400, b'{"errors": [{"code": "MANIFEST_BLOB_UNKNOWN", "message": "blob unknown"}]}'),
            "refuses the manifest of 1 with HTTP 400: MANIFEST_BLOB_UNKNOWN",
        ),
        (
            "HEAD /v2/server/manifests/1",
            Answer(200, headers={"Docker-Content-Digest": "sha256:1"}),
            "other content than that of sha256",
        ),
    ],
)
def test_a_registry_that_refuses(tmp_path: Path, asked: str, answer: Answer, error: str) -> None:
    base, blobs = tiny_base(tmp_path)
    failing = Failing()
    failing.answers[asked] = answer
    with stand_in(failing) as address, pytest.raises(RegistryError, match=error) as raised:
        push_image(base, parse_reference(f"{address}/server:1"), blobs)
    assert raised.value.hint
