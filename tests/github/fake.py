"""Runs a GitHub on loopback: git by git http-backend, the REST API by Prism from GitHub's own description, deliveries
from GitHub's own examples with signatures by its own library. Only what needs memory is answered here.
"""

from __future__ import annotations

import base64
import http.client
import json
import os
import re
import signal
import socket
import ssl
import subprocess
import threading
import uuid
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cache
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

from tests.clients import environments
from tests.e2e.probing import wait_for

HERE = Path(__file__).parent
TOKEN = "ghp_the0token0that0nobody0may0see"
# The repository of GitHub's own examples.
REPOSITORY = "Codertocat/Hello-World"
REPOSITORY_ID = 186853002
HOOK_ID = 12345678
TIMEOUT_S = 60
# The paths of GitHub's description that are used: with all of it Prism takes ten seconds to start.
PATHS = re.compile(
    r"/user|/repos/\{owner\}/\{repo\}(|/hooks(/\{hook_id\}(/pings)?)?|/statuses/\{sha\}"
    r"|/git/(ref/\{ref\}|commits/\{commit_sha\}|trees/\{tree_sha\}|blobs/\{file_sha\})|/tarball/\{ref\}"
    r"|/deployments(/\{deployment_id\}/statuses)?|/issues/(\{issue_number\}/comments|comments/\{comment_id\}))"
)

Answer = tuple[int, dict[str, str], bytes]


@dataclass(frozen=True, slots=True)
class Asked:
    """Holds one request to the REST API, and how it was answered."""

    method: str
    path: str
    body: dict[str, Any]
    status: int
    detail: str


@dataclass(slots=True)
class FakeGitHub:
    """Is the GitHub: `repositories` has bare repositories as owner/name.git. `override` may answer a request of the API
    itself.
    """

    url: str
    repositories: Path
    prism: int
    node: environments.Node
    asked: list[Asked] = field(default_factory=list)
    override: Callable[[str, str], Answer | None] = lambda _method, _path: None
    # Returns the loopback address at which a public URL answers.
    reach: Callable[[str], str] = lambda url: url
    archives: str = ""
    trusted: ssl.SSLContext | None = None
    token: str = TOKEN
    name: str = REPOSITORY
    secret: str = ""
    webhook: str = ""
    git_requests: list[str] = field(default_factory=list)

    @property
    def environment(self) -> dict[str, str]:
        return {"GITHUB_SERVER_URL": self.url, "GITHUB_API_URL": f"{self.url}/api"}

    @property
    def repository_url(self) -> str:
        return f"{self.url}/{self.name}"

    def requests(self, method: str, ending: str) -> list[Asked]:
        return [one for one in self.asked if one.method == method and re.search(f"{ending}$", one.path)]

    def statuses(self, sha: str) -> list[tuple[str, str]]:
        """Returns states and descriptions in their order."""
        found = self.requests("POST", f"/statuses/{sha}")
        return [(one.body["state"], one.body["description"]) for one in found if one.status < 400]

    def sign(self, bodies: Sequence[bytes], secret: str = "") -> list[str]:
        """As deliveries to the webhook that was created are signed, or with another `secret`."""
        wanted = json.dumps({"secret": secret or self.secret, "bodies": [body.decode() for body in bodies]})
        command = [self.node.program, self.node.scripts / "sign.mjs"]
        done = subprocess.run(command, input=wanted, capture_output=True, text=True, timeout=TIMEOUT_S, check=True)
        signatures: list[str] = json.loads(done.stdout)
        return signatures

    def deliver(self, event: str, payload: object, **headers: str) -> tuple[int, dict[str, Any]]:
        """Posts it to the webhook that was created, as GitHub would."""
        body = json.dumps(payload).encode()
        (signature,) = self.sign([body])
        return post(self.webhook, body, delivery_headers(event, signature) | headers, self.trusted)

    def push(self, repository: Path, *, before: str = "0" * 40, **fields: Any) -> dict[str, Any]:
        """Returns the payload that GitHub would send for what `repository` has pushed to main."""
        payload = example("push", lambda found: found["ref"] == "refs/heads/master")
        sha = git(repository, "rev-parse", "HEAD")
        changed = git(repository, "show", "--name-only", "--format=", "HEAD").split()
        commit = payload["commits"][0] | {"id": sha, "added": [], "removed": [], "modified": changed}
        payload |= {"ref": "refs/heads/main", "before": before, "after": sha, "commits": [commit]}
        payload["repository"]["full_name"] = self.name
        return payload | fields

    def pull_request(self, action: str, sha: str, number: int = 7) -> dict[str, Any]:
        payload = example("pull_request", lambda found: found["action"] == "opened")
        payload |= {"action": action, "number": number}
        payload["pull_request"]["number"] = number
        payload["pull_request"]["head"]["sha"] = sha
        payload["pull_request"]["base"]["ref"] = "main"
        return payload

    def answer(self, method: str, path: str, headers: Any, body: bytes) -> Answer:
        if (given := self.override(method, path)) is not None:
            return given
        if headers.get("Authorization") != f"Bearer {self.token}":
            return 401, {}, b'{"message": "Bad credentials"}'
        status, kind, content = self._ask_prism(method, path, headers, body)
        if status < 400 and (found := re.fullmatch(r"/repos/[^/]+/[^/]+/(?:git|tarball)/(.+)", path.partition("?")[0])):
            return self._stored(path.split("/")[4], unquote(found[1]))
        if status < 400 and method == "GET" and re.fullmatch(r"/repos/[^/]+/[^/]+", path):
            found = json.loads(content) | {"id": REPOSITORY_ID, "full_name": self.name, "default_branch": "main"}
            content = json.dumps(found).encode()
        if status < 400 and method == "POST" and path.endswith("/hooks"):
            config = json.loads(body)["config"]
            self.secret, self.webhook = config["secret"], self.reach(config["url"])
        if status < 400 and path.endswith("/pings"):
            ping = example("ping", lambda found: "repository" in found)
            threading.Thread(target=self.deliver, args=("ping", ping)).start()
        return status, {"Content-Type": kind}, content

    def _stored(self, kind: str, name: str) -> Answer:
        """Returns what the repository holds, as GitHub's API says it."""
        folder = self.repositories / "repository.git"
        what, _, name = ("tarball", "", name) if kind == "tarball" else name.partition("/")
        try:
            said: Any
            match what:
                case "tarball":
                    return 302, {"Location": f"{self.archives}/{name}?token=once"}, b""
                case "ref":
                    said = {"object": {"sha": git(folder, "rev-parse", "--verify", f"refs/{name}")}}
                case "commits":
                    tree, author, message = git(folder, "log", "-1", "--format=%T%n%an%n%B", name).split("\n", 2)
                    said = {"tree": {"sha": tree}, "author": {"name": author}, "message": message}
                case "trees":
                    lines = git(folder, "ls-tree", "-r", "-t", "-z", "--long", name).split("\0")
                    said = {"truncated": False, "tree": [_entry(line) for line in lines if line]}
                case _:
                    said = {"content": base64.b64encode(git(folder, "cat-file", "blob", name).encode()).decode()}
        except subprocess.CalledProcessError:
            return 404, {}, b'{"message": "Not Found"}'
        return 200, {"Content-Type": "application/json"}, json.dumps(said).encode()

    def _ask_prism(self, method: str, path: str, headers: Any, body: bytes) -> tuple[int, str, bytes]:
        connection = http.client.HTTPConnection("127.0.0.1", self.prism, timeout=TIMEOUT_S)
        # The media type that GitHub's manual recommends is not in its description.
        dropped = ("host", "content-length", "accept")
        kept = {name: value for name, value in headers.items() if name.lower() not in dropped}
        try:
            connection.request(method, path, body or None, kept)
            response = connection.getresponse()
            return response.status, response.getheader("Content-Type", ""), response.read()
        finally:
            connection.close()


def _entry(line: str) -> dict[str, Any]:
    facts, _, path = line.partition("\t")
    mode, kind, sha, size = facts.split()
    return {"path": path, "mode": mode, "type": kind, "sha": sha, **({"size": int(size)} if size != "-" else {})}


def delivery_headers(event: str, signature: str) -> dict[str, str]:
    return {
        "Content-Type": "application/json",
        "User-Agent": "GitHub-Hookshot/044aadd",
        "X-GitHub-Delivery": str(uuid.uuid4()),
        "X-GitHub-Event": event,
        "X-GitHub-Hook-ID": str(HOOK_ID),
        "X-Hub-Signature-256": signature,
    }


def post(
    url: str, body: bytes, headers: dict[str, str], trusted: ssl.SSLContext | None = None
) -> tuple[int, dict[str, Any]]:
    """Posts over TLS if `trusted` is given. Every name leads to this machine."""
    parts = urlsplit(url)
    connection = http.client.HTTPConnection(parts.hostname or "", parts.port, timeout=TIMEOUT_S)
    if trusted:
        connection = http.client.HTTPSConnection(parts.hostname or "", parts.port, timeout=TIMEOUT_S, context=trusted)
    connection._create_connection = _to_loopback  # type: ignore[attr-defined]
    try:
        connection.request("POST", parts.path, body, headers)
        response = connection.getresponse()
        return response.status, json.loads(response.read())
    finally:
        connection.close()


def _to_loopback(address: tuple[str, int], *rest: Any) -> socket.socket:
    return socket.create_connection(("127.0.0.1", address[1]), *rest)


@cache
def _examples() -> str:
    node = environments.node(HERE)
    return (node.folder / "node_modules/@octokit/webhooks-examples/api.github.com/index.json").read_text()


def example(event: str, matches: Callable[[dict[str, Any]], bool]) -> dict[str, Any]:
    """Returns GitHub's own example of a delivery."""
    found = next(entry for entry in json.loads(_examples()) if entry["name"] == event)
    return next(payload for payload in found["examples"] if matches(payload))


def git(folder: Path, *arguments: str) -> str:
    who = ["-c", "user.name=Mona", "-c", "user.email=mona@example.com", "-c", "commit.gpgsign=false"]
    command = ["git", "-C", str(folder), *who, *arguments]
    return subprocess.run(command, capture_output=True, text=True, timeout=TIMEOUT_S, check=True).stdout.strip()


def commit(folder: Path, message: str) -> str:
    """Commits all there is and pushes it to main, as this machine's user: the commit."""
    git(folder, "add", "--all")
    git(folder, "commit", "--quiet", "--allow-empty", "-m", message)
    git(folder, "push", "--quiet", "--force", "origin", "HEAD:main")
    return git(folder, "rev-parse", "HEAD")


class _Handler(BaseHTTPRequestHandler):
    github: FakeGitHub
    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        self._handle()

    do_POST = do_PATCH = do_DELETE = do_GET  # noqa: N815 - what http.server looks for

    def log_message(self, *_: object) -> None:
        pass

    def _handle(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        if self.path.startswith("/api/"):
            path = self.path.removeprefix("/api")
            status, headers, content = self.github.answer(self.command, path, self.headers, body)
            detail = content.decode("utf-8", "replace")[:500]
            asked = Asked(self.command, path, json.loads(body) if body else {}, status, detail)
            self.github.asked.append(asked)
        else:
            status, headers, content = self._git(body)
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name, value)
        if status != 204:
            self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def _git(self, body: bytes) -> Answer:
        """Runs git http-backend (CGI, RFC 3875); only with our token, as for a private repository."""
        path, _, query = self.path.partition("?")
        self.github.git_requests.append(path)
        wanted = "Basic " + base64.b64encode(f"x-access-token:{self.github.token}".encode()).decode()
        if self.headers.get("Authorization") != wanted:
            return 401, {"WWW-Authenticate": 'Basic realm="GitHub"'}, b""
        if not path.startswith(f"/{self.github.name}.git/"):
            return 301, {"Location": path}, b""
        environment = {
            "PATH": os.environ["PATH"],
            "GIT_PROJECT_ROOT": str(self.github.repositories),
            "GIT_HTTP_EXPORT_ALL": "1",
            "PATH_INFO": "/repository.git" + path.removeprefix(f"/{self.github.name}.git"),
            "QUERY_STRING": query,
            "REQUEST_METHOD": self.command,
            "CONTENT_TYPE": self.headers.get("Content-Type", ""),
            "CONTENT_LENGTH": str(len(body)),
            "HTTP_CONTENT_ENCODING": self.headers.get("Content-Encoding", ""),
            "GIT_PROTOCOL": self.headers.get("Git-Protocol", ""),
        }
        done = subprocess.run(
            # It ends with an error where it tells the client of one.
            ["git", "http-backend"],
            input=body,
            env=environment,
            capture_output=True,
            timeout=TIMEOUT_S,
            check=False,
        )
        head, _, content = done.stdout.partition(b"\r\n\r\n")
        headers = dict(line.split(": ", 1) for line in head.decode().split("\r\n"))
        return int(headers.pop("Status", "200").split()[0]), headers, content


class _Archives(BaseHTTPRequestHandler):
    """Is GitHub's other host, which has archives, and must not see our token."""

    github: FakeGitHub

    def do_GET(self) -> None:
        sha = self.path.partition("?")[0].strip("/")
        prefix = f"--prefix={self.github.name.replace('/', '-')}-{sha[:7]}/"
        folder = self.github.repositories / "repository.git"
        command = ["git", "-C", str(folder), "archive", "--format=tar.gz", prefix, sha]
        is_sound = "Authorization" not in self.headers and self.path.endswith("?token=once")
        content = subprocess.run(command, capture_output=True, timeout=TIMEOUT_S, check=True).stdout
        self.send_response(200 if is_sound else 500)
        self.send_header("Content-Type", "application/x-gzip")
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, *_: object) -> None:
        pass


@contextmanager
def _serving(handler: type[BaseHTTPRequestHandler]) -> Iterator[str]:
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        server.server_close()


@contextmanager
def running(folder: Path) -> Iterator[FakeGitHub]:
    """Raises environments.UnavailableError."""
    node = environments.node(HERE)
    (folder / "repository.git").mkdir()
    git(folder / "repository.git", "init", "--quiet", "--bare", "--initial-branch=main")
    git(folder / "repository.git", "config", "http.receivepack", "true")
    git(folder / "repository.git", "config", "uploadpack.allowAnySHA1InWant", "true")
    handler, archives = type("Handler", (_Handler,), {}), type("Archives", (_Archives,), {})
    with _prism(node, folder) as port, _serving(handler) as url, _serving(archives) as elsewhere:
        github = FakeGitHub(url, folder, port, node, archives=elsewhere)
        handler.github = archives.github = github  # type: ignore[attr-defined]
        yield github


@contextmanager
def _prism(node: environments.Node, folder: Path) -> Iterator[int]:
    packages = node.folder / "node_modules"
    description = json.loads((packages / "@octokit/openapi/generated/api.github.com.json").read_text())
    trimmed = folder / "api.json"
    trimmed.write_text(json.dumps(_used(description)))
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    program = packages / "@stoplight/prism-cli/dist/index.js"
    with (folder / "prism.log").open("w") as log:
        command = [str(node.program), str(program), "mock", "--host", "127.0.0.1", "--port", str(port), str(trimmed)]
        # node is started by a script of its wheel: both end.
        process = subprocess.Popen(command, stdout=log, stderr=log, start_new_session=True)
    try:
        wait_for(lambda: process.poll() is not None or _accepts(port))
        assert process.poll() is None, (folder / "prism.log").read_text()
        yield port
    finally:
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()


def _used(description: dict[str, Any]) -> dict[str, Any]:
    """Returns the paths that are used, with the components that they lead to."""
    paths = {path: item for path, item in description["paths"].items() if PATHS.fullmatch(path)}
    components: dict[str, dict[str, Any]] = {}
    waiting: list[Any] = [paths]
    while waiting:
        for kind, name in re.findall(r'"#/components/(\w+)/([^"]+)"', json.dumps(waiting.pop())):
            if name not in components.setdefault(kind, {}):
                components[kind][name] = description["components"][kind][name]
                waiting.append(components[kind][name])
    return {
        **{key: description[key] for key in ("openapi", "info", "servers")},
        "paths": paths,
        "components": components,
    }


def _accepts(port: int) -> bool:
    try:
        socket.create_connection(("127.0.0.1", port), timeout=1).close()
    except OSError:
        return False
    return True
