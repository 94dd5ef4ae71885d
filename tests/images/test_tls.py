"""Pushes to a registry as companies have them: with a name, a certificate of their own authority, and a login."""

from __future__ import annotations

import base64
import datetime
import json
import socket
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import NameOID

from platform_cli.config.image_reference import parse_reference
from platform_cli.errors import RegistryError
from platform_cli.home import Home
from platform_cli.images.base import fetch_layer, find_base
from platform_cli.images.blobs import Blobs
from platform_cli.images.push import push_image
from tests.images.bases import tiny_base
from tests.images.registries import PASSWORD, USER, Registry, registry

NAME = "registry.example.com"


def make_certificates(folder: Path) -> None:
    """Makes an authority, and a certificate of NAME."""
    authority_key, key = (ec.generate_private_key(ec.SECP256R1()) for _ in range(2))
    authority = _certificate("authority", "authority", authority_key, authority_key, is_authority=True)
    certificate = _certificate(NAME, "authority", key, authority_key, is_authority=False)
    (folder / "authority.pem").write_bytes(authority.public_bytes(Encoding.PEM))
    (folder / "certificate.pem").write_bytes(certificate.public_bytes(Encoding.PEM))
    (folder / "key.pem").write_bytes(key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))


def _certificate(
    subject: str, issuer: str, key: ec.EllipticCurvePrivateKey, by: ec.EllipticCurvePrivateKey, *, is_authority: bool
) -> x509.Certificate:
    now = datetime.datetime.now(datetime.UTC)
    return (
        x509.CertificateBuilder()
        .subject_name(x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, subject)]))
        .issuer_name(x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, issuer)]))
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - datetime.timedelta(days=1))
        .not_valid_after(now + datetime.timedelta(days=1))
        .add_extension(x509.BasicConstraints(ca=is_authority, path_length=None), critical=True)
        .add_extension(x509.SubjectAlternativeName([x509.DNSName(subject)]), critical=False)
        .sign(by, hashes.SHA256())
    )


@pytest.fixture(scope="module")
def there(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Registry]:
    folder = tmp_path_factory.mktemp("registry")
    make_certificates(folder)
    with registry(folder, login=True, tls=True) as running:
        yield running


@pytest.fixture
def name(there: Registry, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """Returns the registry's name and port, which lead to it here, and logs in."""
    ask = socket.getaddrinfo

    def answer(host: Any, *arguments: Any, **options: Any) -> Any:
        return ask("127.0.0.1" if host == NAME else host, *arguments, **options)

    monkeypatch.setattr(socket, "getaddrinfo", answer)
    monkeypatch.setenv("DOCKER_CONFIG", str(tmp_path))
    monkeypatch.setattr("platform_cli.images.registry.CERTIFICATES", tmp_path / "certs.d")
    found = f"{NAME}:{there.address.rpartition(':')[2]}"
    shown = base64.b64encode(f"{USER}:{PASSWORD}".encode()).decode()
    (tmp_path / "config.json").write_text(json.dumps({"auths": {found: {"auth": shown}}}))
    return found


@pytest.mark.parametrize("by", ["as for Docker", "by a variable"])
def test_push_and_pull(there: Registry, name: str, by: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    authority = there.log.with_name("authority.pem")
    if by == "by a variable":
        monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(authority))
    else:
        (tmp_path / "certs.d" / name).mkdir(parents=True)
        (tmp_path / "certs.d" / name / "ca.crt").write_bytes(authority.read_bytes())
    base, blobs = tiny_base(tmp_path, environment=[f"BY={by}"])
    to = parse_reference(f"{name}/you/server:1")
    assert push_image(base, to, blobs).changed
    found = find_base(to, "x86_64", Home(tmp_path / "home"), anew=True)
    again = Blobs(tmp_path / "pulled")
    pulled = fetch_layer(found, found.layers[0], again)
    assert pulled.read_bytes() == blobs.path(base.own[0].blob.digest).read_bytes()


def test_a_certificate_that_nobody_trusts(name: str, tmp_path: Path) -> None:
    base, blobs = tiny_base(tmp_path)
    with pytest.raises(RegistryError, match="no certificate that this machine trusts") as raised:
        push_image(base, parse_reference(f"{name}/you/server:1"), blobs)
    assert f"certs.d/{name}/ca.crt" in (raised.value.hint or "")
