"""Checks access tokens that somebody else's authorization server has issued: JWTs with the signature of one of its
public keys, by PyJWT, which is in the layer of projects that name an issuer.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from .access import PROJECT_TOKEN
from .own_tokens import RememberedTokens, is_within

# Never HS*: with a public key as its secret everybody could sign.
ALGORITHMS = ["RS256", "ES256", "EdDSA"]
# The seconds by which clocks may differ (RFC 7519, section 4.1.4: "no more than a few minutes").
LEEWAY_S = 240


class IssuedTokens(RememberedTokens):
    """Reads tokens as `oauth` says (platform_cli.controlplane.protected_projects).

    `key_wanted` is called for a token whose key is unknown, and returns the keys from then on, None for those of
    before.
    """

    def __init__(self, oauth: Mapping[str, Any], key_wanted: Callable[[], Sequence[Mapping[str, Any]] | None]) -> None:
        super().__init__(LEEWAY_S)
        self._issuer: str = oauth["issuer"]
        self._urls: Sequence[str] = oauth["urls"]
        self._audience: Sequence[str] = oauth["audience"]
        self._scope_claim: str = oauth["scope_claim"]
        self._is_platform: bool = oauth.get("is_platform", False)
        self._jwks: Sequence[Mapping[str, Any]] = oauth["jwks"]
        self._key_wanted = key_wanted
        self._keys: dict[str | None, Any] | None = None

    def _verified(self, token: str) -> Mapping[str, Any] | None:
        # Imported with the first token, since it takes longer than a cold start.
        import jwt

        try:
            kid = jwt.get_unverified_header(token).get("kid")
            key = self._key(kid) or self._new_key(kid)
            if key is None:
                return None
            claims = jwt.decode(
                token,
                key,
                algorithms=ALGORITHMS,
                issuer=self._issuer,
                leeway=LEEWAY_S,
                options={"verify_aud": False, "require": ["exp", "iss", "aud"]},
            )
        except (jwt.PyJWTError, ValueError, TypeError, KeyError):
            return None
        # PyJWT takes an `exp` that is text, too.
        return (
            {**claims, "exp": int(claims["exp"]), **self._known_names(claims)} if self._is_ours(claims["aud"]) else None
        )

    def _key(self, kid: str | None) -> Any:
        if self._keys is None:
            import jwt

            keys: dict[str | None, Any] = {}
            for each in self._jwks:
                try:
                    keys[each.get("kid")] = jwt.PyJWK(dict(each))
                except jwt.PyJWTError:
                    # An issuer may have keys of kinds that nobody here knows.
                    continue
            self._keys = keys
        if kid is None and len(self._keys) == 1:
            return next(iter(self._keys.values()))
        return self._keys.get(kid)

    def _new_key(self, kid: str | None) -> Any:
        jwks = self._key_wanted()
        if jwks is None or jwks is self._jwks:
            return None
        # What a key that is gone has signed must not be believed any more.
        self._jwks, self._keys = jwks, None
        self.forget()
        return self._key(kid)

    def _is_ours(self, aud: object) -> bool:
        named = aud if isinstance(aud, list) else [aud]
        return any(each in self._audience or is_within(each, self._urls) for each in named)

    def _known_names(self, claims: Mapping[str, Any]) -> dict[str, str]:
        """Returns the claims by the names that our own tokens have."""
        scopes: Any = claims
        for name in self._scope_claim.split("."):
            scopes = scopes.get(name) if isinstance(scopes, Mapping) else None
        text = " ".join(map(str, scopes)) if isinstance(scopes, list) else str(scopes or "")
        client = str(claims.get("client_id") or claims.get("azp") or claims.get("cid") or "")
        # In the audit log and under [limits] that name is the project's own token.
        shown = f"{client} of {self._issuer}" if client == PROJECT_TOKEN else client
        # Of others nobody knows what it names.
        grant = str(claims.get("jti", "")) if self._is_platform else ""
        return {"scope": text, "client_id": shown, "jti": grant}
