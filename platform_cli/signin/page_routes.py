"""Serves the pages on which people sign in: consent, the owner's approval, and one-time links."""

from __future__ import annotations

import secrets
from collections.abc import Awaitable, Callable
from urllib.parse import parse_qsl

from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import Route

from ..bearer import hash_of
from .authorization import answer_url, parameter, read_asked, redirect_of
from .browsers import KNOWN_ON_LOOPBACK_S, KNOWN_S
from .devices import Device, Devices
from .model import OWNER, OAuthError
from .pages import consent_page, device_page, link_page, message_page, onwards_page, waiting_page
from .peers import Peers
from .pending import LIFE_S, PendingSignIn
from .redirects import is_on_this_machine
from .server import AuthorizationServer
from .token_routes import MAX_FORM, read_form

OVER = "Connect the program again. A sign-in lasts ten minutes, and has one answer."

Handler = Callable[[Request], Awaitable[Response]]


class SignInPages:
    def __init__(self, server: AuthorizationServer, peers: Peers) -> None:
        self._server = server
        self._peers = peers
        self._devices = Devices()

    def routes(self) -> list[Route]:
        return [
            _route("/authorize", self._begin, "GET"),
            _route("/authorize/consent", self._consent, "POST"),
            _route("/authorize/wait", self._wait, "GET"),
            _route("/authorize/device", self._device, "GET"),
            _route("/authorize/callback", self._return, "GET"),
            _route("/authorize/link", self._show_link, "GET"),
            _route("/authorize/link", self._open_link, "POST"),
        ]

    async def _begin(self, request: Request) -> Response:
        """Shows what a client asks for; where the answer must not go to the client, its error."""
        if len(request.scope["query_string"]) > MAX_FORM:
            raise OAuthError("invalid_request", "the request is too long", 413)
        pairs = parse_qsl(request.url.query, keep_blank_values=True, max_num_fields=50)
        server = self._server
        if server.is_public:
            self._peers.count(request)
        client = await server.find_client(parameter(pairs, "client_id"))
        redirect_uri = redirect_of(pairs, client.redirect_uris)
        try:
            asked = read_asked(pairs, client.id, client.name, redirect_uri, server.projects)
        except OAuthError as error:
            if not (is_on_this_machine(redirect_uri) or server.clients.is_used(client.id)):
                # Anybody may register: who has seen no page of ours must not be sent anywhere (RFC 9700, section
                # 4.11.2).
                raise
            state = next((value for key, value in pairs if key == "state"), None)
            said = {"error": error.code, "error_description": error.description}
            return _sent(answer_url(redirect_uri, server.issuer(), state, **said))
        secret = server.pending.begin(asked)
        user = server.browsers.user(request.cookies.get(self._browser_cookie), asked.project)
        project = server.projects.find(asked.project)
        login = project.login if project is not None else None
        return consent_page(asked, secret, user, login)

    async def _consent(self, request: Request) -> Response:
        self._check_own_page(request)
        form = await read_form(request)
        secret = parameter(form, "sign_in") or ""
        pending = self._pending(secret)
        if parameter(form, "decision") != "allow":
            return _sent(self._server.refuse(pending, "the user has refused"))
        browser, state = secrets.token_urlsafe(32), secrets.token_urlsafe(32)
        known = request.cookies.get(self._browser_cookie)
        user = self._server.browsers.user(known, pending.asked.project)
        elsewhere = self._server.identities(pending.asked.project) if user is None else None
        # Before the consent is taken, since the other service may not answer, and then this can be tried again.
        page = await elsewhere.page(self._server.callback, state, browser) if elsewhere else None
        device = await self._begun_device(pending) if user is None else None
        if not self._server.pending.consent(pending, browser, state if elsewhere else None):
            raise OAuthError("invalid_request", OVER)
        if user is not None:
            response = _sent(self._server.finish(pending, user))
            if known is not None and not self._server.is_public:
                self._server.browsers.forget(known)
            return response
        if device is not None:
            self._devices.keep(pending.key, device)
        waits = "device" if device is not None else "wait"
        response = onwards_page(pending.asked, page) if page else _sent(f"/authorize/{waits}?sign_in={secret}")
        self._set_cookie(response, self._sign_in_cookie(pending), browser, int(LIFE_S))
        return response

    async def _wait(self, request: Request) -> Response:
        pending = self._pending(request.query_params.get("sign_in", ""))
        self._check_browser(request, pending)
        if pending.user is None:
            return waiting_page(pending.asked, pending.code)
        return _sent(self._server.finish(pending, pending.user))

    async def _begun_device(self, pending: PendingSignIn) -> Device | None:
        """Returns a sign-in by a code that is typed at GitHub, None where people sign in otherwise."""
        project = self._server.projects.find(pending.asked.project)
        if project is None or project.login is None or not self._server.types_codes(project.name):
            return None
        # Imported late, since that takes long, and the platform serves before anybody signs in.
        from .device_flow import begin

        return await begin(project.login.client_id)

    async def _device(self, request: Request) -> Response:
        """Waits until the user has typed the code at GitHub, in the browser that has consented."""
        from .device_flow import find_user

        pending = self._pending(request.query_params.get("sign_in", ""))
        self._check_browser(request, pending)
        device = self._devices.find(pending.key)
        if device is None:
            # The platform was restarted meanwhile.
            return _sent(self._server.refuse(pending, "this sign-in is over"))
        try:
            user = await find_user(device)
        except OAuthError as error:
            if error.status >= 500:
                # GitHub does not answer now; the page asks again.
                return device_page(pending.asked, device.page, device.user_code, device.interval_s)
            self._devices.end(pending.key)
            return _sent(self._server.refuse(pending, error.description))
        if user is None:
            return device_page(pending.asked, device.page, device.user_code, device.interval_s)
        self._devices.end(pending.key)
        return _sent(self._finished(pending, user))

    def _finished(self, pending: PendingSignIn, user: str) -> str:
        """Returns where the browser goes with the answer for somebody whom another service knows."""
        if user == OWNER:
            # Somebody's name there is no claim to the platform.
            return self._server.refuse(pending, "this name is the platform's own")
        return self._server.finish(pending, user)

    async def _return(self, request: Request) -> Response:
        """Ends a sign-in whose user comes back from another service."""
        pending = self._server.pending.find_upstream(request.query_params.get("state", ""))
        if pending is None:
            raise OAuthError("invalid_request", OVER, 404)
        browser = self._check_browser(request, pending)
        code, elsewhere = request.query_params.get("code"), self._server.identities(pending.asked.project)
        if code is None or elsewhere is None:
            return _sent(self._server.refuse(pending, "the user did not sign in"))
        user = await elsewhere.user(self._server.callback, code, browser)
        return _sent(self._finished(pending, user))

    def _check_browser(self, request: Request, pending: PendingSignIn) -> str:
        """Returns the secret of the cookie that the browser got when its user had consented.

        Raises OAuthError for another browser, which may have the page's address.
        """
        shown = request.cookies.get(self._sign_in_cookie(pending))
        if pending.browser is None or shown is None or not secrets.compare_digest(hash_of(shown), pending.browser):
            raise OAuthError("invalid_request", "This sign-in was begun in another browser.", 403)
        return shown

    async def _show_link(self, request: Request) -> Response:
        secret = request.query_params.get("link", "")
        project = self._server.browsers.project_of_link(secret)
        if project is None:
            raise OAuthError("invalid_request", "This link was used, or is too old.", 404)
        life = "for twelve hours" if self._server.is_public else "for the next one, within ten minutes"
        return link_page(project, secret, life)

    async def _open_link(self, request: Request) -> Response:
        self._check_own_page(request)
        form = await read_form(request)
        known_s = KNOWN_S if self._server.is_public else KNOWN_ON_LOOPBACK_S
        opened = self._server.browsers.open_link(parameter(form, "link") or "", known_s)
        if opened is None:
            raise OAuthError("invalid_request", "This link was used, or is too old.", 404)
        project, browser = opened
        response = message_page("Signed in", f"This browser is known to {project}. Now connect the program.")
        self._set_cookie(response, self._browser_cookie, browser, known_s)
        return response

    def _pending(self, secret: str) -> PendingSignIn:
        pending = self._server.pending.find(secret)
        if pending is None:
            raise OAuthError("invalid_request", OVER, 404)
        return pending

    def _check_own_page(self, request: Request) -> None:
        """Raises OAuthError for a form that another site's page has sent (Fetch, "Origin header": each POST has it)."""
        if request.headers.get("origin") != self._server.issuer():
            raise OAuthError("invalid_request", "This was sent by a page of another site.", 403)

    @property
    def _browser_cookie(self) -> str:
        return self._cookie("homeport-browser")

    def _sign_in_cookie(self, pending: PendingSignIn) -> str:
        """Returns a name of its own for each sign-in, so that several do not disturb each other."""
        return self._cookie(f"homeport-{pending.key[:16]}")

    def _cookie(self, name: str) -> str:
        return f"__Host-{name}" if self._server.is_public else name

    def _set_cookie(self, response: Response, name: str, value: str, max_age: int) -> None:
        # A cookie of 127.0.0.1 goes to all of its ports: the path and the short life keep it from deployed servers.
        https = self._server.is_public
        response.set_cookie(
            name, value, max_age, path="/" if https else "/authorize", secure=https, httponly=True, samesite="lax"
        )


def _sent(url: str) -> Response:
    # Not Starlette's own quoting: a client compares what it gets with what it has registered.
    response = RedirectResponse("/", 303, {"cache-control": "no-store", "referrer-policy": "no-referrer"})
    response.headers["location"] = url
    return response


def _route(path: str, handle: Handler, *methods: str) -> Route:
    async def answer(request: Request) -> Response:
        try:
            return await handle(request)
        except OAuthError as error:
            return message_page("This sign-in cannot go on", error.description, error.status)
        except ValueError:
            return message_page("This sign-in cannot go on", "The request cannot be read.", 400)

    return Route(path, answer, methods=list(methods))
