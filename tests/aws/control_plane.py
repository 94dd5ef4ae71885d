"""Puts AWS's control plane in front of real functions: moto, and the emulator for what moto does not run.

Everything goes to moto but Invoke, which runs the version that it names, from the zips that moto holds.
"""

from __future__ import annotations

import hashlib
import io
import json
import logging
import os
import re
import shutil
import sys
import sysconfig
import threading
import time
import zipfile
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, contextmanager
from dataclasses import replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import SplitResult, parse_qs, urlsplit
from uuid import uuid4

import httpx

from tests.runtime.conftest import python_with
from tests.support import Platform

from . import permissions
from .concurrency import Concurrency
from .function_url import Front, FunctionURL
from .moto_server import REGION, Moto, running_moto
from .permissions import Need
from .sandbox import DEADLINE_S, Answer, Function, Server
from .simulation import EXPIRED, simulate

MAPPINGS = re.compile(r"/2015-03-31/event-source-mappings/?([^/]*)")
INVOKE = re.compile(r"/2015-03-31/functions/([^/]+)/invocations")
URL = re.compile(r"/2021-10-31/functions/([^/]+)/url")
ACCOUNT = permissions.ACCOUNT
READS = ("Get", "Describe", "List")
# What a function signs with names its role, whose policy decides.
ROLE_KEY = "role."
CREDENTIAL = re.compile(r"Credential=([^/]+)/[^/]+/[^/]+/([^/]+)/")
CODE = re.compile(r"/code/([^/]+)/([^/]+)")
VERSION = sysconfig.get_python_version()
# How this machine comes to the package index.
NETWORK = ("SSL_CERT_FILE", "SSL_CERT_DIR", "HTTPS_PROXY", "https_proxy", "NO_PROXY", "no_proxy", "UV_DEFAULT_INDEX")
HOP = ("connection", "transfer-encoding", "content-length", "content-encoding", "date", "server")


class ControlPlane:
    """Is AWS's control plane: `moto` is what a process needs to find it; `calls` are the methods and paths that changed
    something, with `uploaded` bytes in their bodies; `refusals` is how often functions are yet refused what they may,
    as when a role's policy is not known everywhere.
    """

    def __init__(self, moto: Moto, folder: Path) -> None:
        self.client = httpx.Client(base_url=moto.url, timeout=DEADLINE_S)
        self.calls: list[str] = []
        self.uploaded = 0
        self.refusals = 0
        self.refused: list[str] = []
        # moto would run the functions itself, in Docker.
        self.mappings: list[dict[str, str]] = []
        self.folder = folder
        self._urls: dict[str, FunctionURL] = {}
        self._live: dict[str, LiveURL] = {}
        # Actions that the simulator says are not allowed; None where asking it is not allowed either.
        self.denied: set[str] | None = set()
        self.simulated_for = ""
        self.expired = False
        self.clock_skew_s = 0.0
        # Handshakes wait while it is not set.
        self.handshakes = threading.Event()
        self.handshakes.set()
        self._lock = threading.Lock()
        self.concurrency = Concurrency(_backend)
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), type("ThisProxy", (Proxy,), {"plane": self}))
        self._server.daemon_threads = True
        threading.Thread(target=self._server.serve_forever, daemon=True).start()
        self.moto = Moto(f"http://127.0.0.1:{self._server.server_port}")

    def laptop(self, home: Path) -> Platform:
        """Returns the command line, which deploys to this; no platform ever runs in `home`."""
        here = Platform(home)
        here.environment.update(self.moto.environment, HOMEPORT_TARGET="lambda")
        return here

    def url(self, name: str, qualifier: str = "live") -> str:
        """Returns where that alias of function `name` answers, whatever version it leads to."""
        if name not in self._live:
            self._live[name] = LiveURL(self, name, qualifier)
        return self._live[name].url

    def function(self, name: str, qualifier: str) -> FunctionURL:
        with self._lock:
            version = _backend().get_function(f"{name}:{qualifier}")
            said = f"{version.environment_vars} {[layer['Arn'] for layer in version.layers]}"
            configured = hashlib.sha256(said.encode()).hexdigest()[:8]
            key = f"{name}-{version.version}-{version.code_sha_256[:8]}-{configured}".replace("/", "_")
            if key not in self._urls:
                self._urls[key] = FunctionURL(self._lay_out(version, self.folder / key), self.folder / key)
            return self._urls[key]

    def _lay_out(self, version: Any, folder: Path) -> Function:
        task, opt = folder / "task", self._opt([layer["Arn"] for layer in version.layers])
        _unzip(version.code_bytes, task)
        interpreter = Path(sys.executable).resolve()
        network = {name: os.environ[name] for name in NETWORK if name in os.environ}
        key = {"AWS_ACCESS_KEY_ID": ROLE_KEY + version.role.rpartition("/")[2]}
        variables = {**network, **version.environment_vars, **self.moto.environment, **key}
        command = None
        if "AWS_LAMBDA_EXEC_WRAPPER" not in variables:
            packages = Path(python_with("awslambdaric")).parent.parent / "lib" / f"python{VERSION}" / "site-packages"
            if not (opt / "runtime").exists():
                shutil.copytree(packages, opt / "runtime", symlinks=True)
            variables["PYTHONPATH"] = "/var/task:/opt/python:/opt/runtime"
            command = (str(interpreter), "-m", "awslambdaric", version.handler)
        return Function(task, opt, interpreter, variables, version.timeout, command, memory_mb=version.memory_size)

    def _opt(self, layers: list[str]) -> Path:
        """Returns a folder that is the same for all versions with these layers: nobody can write into it."""
        folder = self.folder / f"opt-{hashlib.sha256(' '.join(layers).encode()).hexdigest()[:16]}"
        if not folder.exists():
            folder.mkdir()
            for arn in layers:
                _unzip(_backend().layers_versions_by_arn(arn).code_bytes, folder)
        return folder

    def allows(self, role: str, need: Need) -> bool:
        if self.refusals:
            self.refusals -= 1
            return False
        if need.action == "iam:PutRolePolicy":
            need = replace(need, context={permissions.BOUNDARY: _boundary(need.resource.rpartition("/")[2])})
        allowed = all(permissions.allows(document, need) for document in _documents(role))
        if not allowed:
            self.refused.append(f"{role}: {need.action} on {need.resource}")
        return allowed

    def code(self, function: str, version: str) -> bytes:
        code: bytes = _backend().get_function(f"{function}:{version}").code_bytes
        return code

    def queue(self, arn: str) -> Any:
        """Returns what moto has of a queue: whoever looks all the time would keep a processor busy with requests."""
        return _backend("sqs").queues[arn.rpartition(":")[2]]

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()
        for live in self._live.values():
            live.close()
        self.client.close()
        with ThreadPoolExecutor() as several:
            list(several.map(FunctionURL.close, self._urls.values()))


@contextmanager
def control_plane(folder: Path) -> Iterator[ControlPlane]:
    """Runs a control plane over a moto of its own, for what no test asks; it lays out below `folder` the functions that
    are called.
    """
    logging.getLogger("werkzeug").setLevel(logging.WARNING)
    with running_moto() as moto, _no_functions(), closing(ControlPlane(moto, folder)) as plane:
        yield plane


@contextmanager
def _no_functions() -> Iterator[None]:
    """Hides the functions that tests in this process have left, which all motos of a process share."""
    from moto.awslambda.models import LambdaStorage

    backend = _backend()
    others, backend._lambdas = backend._lambdas, LambdaStorage(REGION, ACCOUNT)
    try:
        yield
    finally:
        backend._lambdas = others


class LiveURL:
    """Is the URL of a function's alias."""

    def __init__(self, plane: ControlPlane, name: str, qualifier: str) -> None:
        self._plane, self._name, self._qualifier = plane, name, qualifier
        self._server = Server(("127.0.0.1", 0), type("ThisFront", (Front,), {"front": self}))
        threading.Thread(target=self._server.serve_forever, daemon=True).start()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._server.server_port}"

    def invoke(self, event: dict[str, Any]) -> Answer:
        return self._plane.function(self._name, self._qualifier).invoke(event)

    def queue(self, arn: str) -> Any:
        """Returns what moto has of a queue: whoever looks all the time would keep a processor busy with requests."""
        return _backend("sqs").queues[arn.rpartition(":")[2]]

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()


def _documents(role: str) -> Iterator[dict[str, Any]]:
    """Yields the role's policy, and its boundary."""
    iam = _backend("iam", "global")
    yield json.loads(iam.get_role_policy(role, "homeport")[1])
    if boundary := _boundary(role):
        yield json.loads(next(one.document for one in iam.get_policy(boundary).versions if one.is_default))


def _boundary(role: str) -> str:
    found = _backend("iam", "global").roles.values()
    return next((one.permissions_boundary_arn for one in found if one.name == role), None) or ""


def _backend(service: str = "lambda", region: str = REGION) -> Any:
    from moto.backends import get_backend

    return get_backend(service)[ACCOUNT][region]  # type: ignore[call-overload]


def _unzip(data: bytes, folder: Path) -> None:
    """Unpacks a zip with the modes that are in it, as Lambda does."""
    with zipfile.ZipFile(io.BytesIO(data)) as zipped:
        for info in zipped.infolist():
            zipped.extract(info, folder)
            (folder / info.filename).chmod(info.external_attr >> 16 & 0o777)


class Proxy(BaseHTTPRequestHandler):
    plane: ControlPlane
    disable_nagle_algorithm = True
    protocol_version = "HTTP/1.1"

    def log_message(self, *_: object) -> None:
        """Prints nothing."""

    def date_time_string(self, timestamp: float | None = None) -> str:
        return super().date_time_string((timestamp or time.time()) + self.plane.clock_skew_s)

    def _serve(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        parts = urlsplit(self.path)
        named = (
            self.headers.get("X-Amz-Target", "").rpartition(".")[2] or parse_qs(body).get(b"Action", [b""])[0].decode()
            if parts.path == "/"
            else ""
        )
        role = self._role()
        changes = self.command != "GET" and not named.startswith(READS) and role is None
        if changes:
            self.plane.calls.append(f"{self.command} {parts.path} {named}")
            self.plane.uploaded += len(body)
        if match := CODE.fullmatch(parts.path):
            self._reply(200, self.plane.code(match[1], match[2]), {})
            return
        if role is not None and not self._is_allowed(role, named, parts.path, body):
            self._reply(400, b'{"__type": "AccessDeniedException"}', {})
            return
        if match := MAPPINGS.fullmatch(parts.path):
            self._map(match[1], parse_qs(parts.query), json.loads(body or b"{}"))
            return
        if match := INVOKE.fullmatch(parts.path):
            self._invoke(match[1], parse_qs(parts.query).get("Qualifier", ["$LATEST"])[0], json.loads(body))
            return
        if named == "GetCallerIdentity" and self.plane.expired:
            self._reply(403, EXPIRED, {})
            return
        if named == "SimulatePrincipalPolicy":
            self.plane.simulated_for = parse_qs(body.decode())["PolicySourceArn"][0]
            self._reply(*simulate(self.plane.denied, body), {})
            return
        if answered := self.plane.concurrency.answer(self.command, parts.path, parts.query, body):
            self._reply(answered[0], json.dumps(answered[1]).encode() if answered[0] != 204 else b"", {})
            return
        headers = {name: value for name, value in self.headers.items() if name.lower() not in HOP}
        answer = self.plane.client.request(self.command, self.path, content=body, headers=headers)
        kept = {name: value for name, value in answer.headers.items() if name.lower() not in HOP}
        content = self._with_url(parts, self._with_location(answer.content))
        self._reply(answer.status_code, content, kept)

    do_GET = do_POST = do_PUT = do_DELETE = do_HEAD = _serve  # noqa: N815

    def _role(self) -> tuple[str, str] | None:
        """Returns the role and the service if a function calls, None if somebody else does."""
        signer = CREDENTIAL.search(self.headers.get("Authorization", ""))
        if signer is None or not signer[1].startswith(ROLE_KEY):
            return None
        return signer[1].removeprefix(ROLE_KEY), signer[2]

    def _is_allowed(self, role: tuple[str, str], action: str, path: str, body: bytes) -> bool:
        wanted = permissions.needed(role[1], self.command, path, action, body)
        return all(self.plane.allows(role[0], need) for need in wanted)

    def _with_url(self, parts: SplitResult, answer: bytes) -> bytes:
        """Returns an answer with the URL of a function as it is here: nobody is at moto's own."""
        match = URL.fullmatch(parts.path)
        if match is None or b"FunctionUrl" not in answer:
            return answer
        qualifier = parse_qs(parts.query).get("Qualifier", ["$LATEST"])[0]
        return json.dumps({**json.loads(answer), "FunctionUrl": self.plane.url(match[1], qualifier) + "/"}).encode()

    def _with_location(self, answer: bytes) -> bytes:
        """Returns an answer of GetFunction with the place of the code as it is here: nobody is at moto's own."""
        said = json.loads(answer) if b"Code" in answer and answer.startswith(b"{") else {}
        if "Location" not in said.get("Code", {}):
            return answer
        configuration = said["Configuration"]
        place = f"{configuration['FunctionName']}/{configuration['Version']}"
        said["Code"]["Location"] = f"{self.plane.moto.url}/code/{place}"
        return json.dumps(said).encode()

    def _map(self, uuid: str, query: dict[str, list[str]], wanted: dict[str, Any]) -> None:
        """Makes, lists and deletes event source mappings."""
        mappings, found = self.plane.mappings, next((m for m in self.plane.mappings if m["UUID"] == uuid), None)
        if self.command == "POST":
            arn = f"arn:aws:lambda:{REGION}:{ACCOUNT}:function:{wanted['FunctionName']}"
            found = {"UUID": str(uuid4()), "FunctionArn": arn, "EventSourceArn": wanted["EventSourceArn"]}
            mappings.append(found)
        elif self.command == "DELETE" and found:
            mappings.remove(found)
        elif found is None and not uuid:
            name, source = query.get("FunctionName", [""])[0], query.get("EventSourceArn", [""])[0]
            listed = [m for m in mappings if name in m["FunctionArn"] and source in m["EventSourceArn"]]
            self._reply(200, json.dumps({"EventSourceMappings": listed}).encode(), {})
            return
        missing = {"__type": "ResourceNotFoundException", "Message": "there is no such mapping"}
        self._reply(200 if found else 404, json.dumps(found or missing).encode(), {})

    def _invoke(self, name: str, qualifier: str, event: dict[str, Any]) -> None:
        self.plane.handshakes.wait(DEADLINE_S)
        answer = self.plane.function(name, qualifier).invoke(event)
        assert answer.sandbox is not None
        answer.sandbox.ready.wait(DEADLINE_S)
        error = answer.sandbox.init_error
        content = b""
        # A build on a busy machine takes minutes: the function's own time limit decides.
        limit_s = answer.deadline_s - time.time() + DEADLINE_S
        while error is None and (chunk := answer.chunks.get(timeout=limit_s)) is not None:
            content += chunk
        error = error or answer.error
        if error is not None:
            self._reply(200, json.dumps(error).encode(), {"X-Amz-Function-Error": "Unhandled"})
            return
        self._reply(200, content, {})

    def _reply(self, status: int, data: bytes, headers: dict[str, str]) -> None:
        self.send_response(status)
        for name, value in {**headers, "Content-Length": str(len(data))}.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(data)
