"""The cookies of this instance's pages: the session, and what proves that a form was asked for here.

Names carry a hash of the base URL, so that two instances on one host (ports do not part cookies) keep apart, and so
that a sign-in at one never counts at the other.
"""

from __future__ import annotations

import hashlib
import hmac
import secrets
from dataclasses import dataclass
from functools import lru_cache
from typing import Final

from aiohttp import web

from fediverse.access import SESSION_LIFETIME

_PURPOSE: Final = b"fediverse page forms v1"
_MAX_COOKIE: Final = 200


@dataclass(frozen=True, slots=True)
class Cookies:
    """Reads and writes the cookies of one instance, and makes the tokens of its forms."""

    session_name: str
    form_name: str
    secure: bool
    key: bytes

    def session(self, request: web.BaseRequest) -> str | None:
        """The session's cookie as it was sent; it proves nothing before it was looked up."""
        value = request.cookies.get(self.session_name)
        return value if value and len(value) <= _MAX_COOKIE else None

    def set_session(self, response: web.StreamResponse, cookie: str) -> None:
        """The browser is signed in; scripts cannot read it, and forms of other sites do not send it."""
        self._set(response, self.session_name, cookie, max_age=SESSION_LIFETIME // 1000)

    def end_session(self, response: web.StreamResponse) -> None:
        """The browser forgets the session."""
        response.del_cookie(self.session_name, path="/", secure=self.secure, httponly=True, samesite="Lax")

    def form(self, request: web.BaseRequest) -> str:
        """The random value that a browser which is not signed in binds its forms to; empty when it has none yet."""
        value = request.cookies.get(self.form_name, "")
        return value if len(value) <= _MAX_COOKIE else ""

    def set_form(self, response: web.StreamResponse, value: str) -> None:
        """The browser keeps the value until it is closed."""
        self._set(response, self.form_name, value, max_age=None)

    def token(self, binding: str) -> str:
        """The token of forms that belong to a session (its cookie) or to a form cookie."""
        return hmac.new(self.key, binding.encode(), hashlib.sha256).hexdigest()

    def is_token(self, binding: str, token: str) -> bool:
        """Whether the token was made for this session or form cookie, compared in constant time."""
        return bool(binding) and hmac.compare_digest(self.token(binding).encode(), token.encode())

    def _set(self, response: web.StreamResponse, name: str, value: str, *, max_age: int | None) -> None:
        response.set_cookie(name, value, max_age=max_age, path="/", secure=self.secure, httponly=True, samesite="Lax")


@lru_cache(maxsize=8)
def cookies(base_url: str, secret: bytes) -> Cookies:
    """The cookies of the instance at ``base_url``."""
    secure = base_url.startswith("https:")
    mark = hashlib.sha256(base_url.encode()).hexdigest()[:8]
    # Browsers accept __Host- names only from this very host, over https, for all paths: no subdomain can plant one.
    prefix = "__Host-" if secure else ""
    return Cookies(
        session_name=f"{prefix}session-{mark}",
        form_name=f"{prefix}form-{mark}",
        secure=secure,
        key=hmac.digest(secret, _PURPOSE, "sha256"),
    )


def new_form_value() -> str:
    """A value for the form cookie that nobody can guess."""
    return secrets.token_urlsafe(24)
