"""OAuth applications: registered by anybody, trusted with nothing but their own redirect addresses."""

from __future__ import annotations

import hmac
import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final
from urllib.parse import urlsplit

from sqlalchemy import Connection, Row, insert, select

from fediverse.access.errors import OAuthError
from fediverse.access.scopes import held, is_subset, join_scopes, parse_scopes
from fediverse.access.secret import fingerprint, new_secret
from fediverse.clock import Instant
from fediverse.errors import Invalid
from fediverse.ids import new_id
from fediverse.tables.access import oauth_apps

#: The redirect address of clients that have none: the code is shown for copying.
OUT_OF_BAND: Final = "urn:ietf:wg:oauth:2.0:oob"
_MAX_NAME: Final = 100
_MAX_URI: Final = 2000
_MAX_URIS: Final = 20
_MAX_STATE: Final = 4096
_SCHEME: Final = re.compile(r"[a-z][a-z0-9+.-]*")
# What a browser would run or open as a document of its own, instead of handing it to an application.
_FORBIDDEN_SCHEMES: Final = frozenset(
    {"javascript", "data", "vbscript", "blob", "file", "about", "view-source", "mailto", "tel", "ws", "wss", "urn"}
)
_PRINTABLE: Final = re.compile(r"[\x21-\x7e]+")
_CHALLENGE: Final = re.compile(r"[A-Za-z0-9_-]{43}")  # base64url of a SHA-256, unpadded (RFC 7636 §4.2)


@dataclass(frozen=True, slots=True)
class AuthorizeRequest:
    """The parameters of ``/oauth/authorize`` once they were checked: safe to show, and to redirect to."""

    app: Row[Any]
    redirect_uri: str
    scopes: tuple[str, ...]
    state: str | None
    code_challenge: str


def register_app(
    tx: Connection, *, name: str, redirect_uris: Sequence[str], scopes: str, website: str | None, now: Instant
) -> tuple[Row[Any], str]:
    """The new application's row, and its client secret, which is told this once.

    Raises Invalid for a missing or long name, for addresses that cannot be redirected to, and for unknown scopes.
    """
    name = name.strip()
    if not name or len(name) > _MAX_NAME:
        raise Invalid(f"Validation failed: the application needs a name of at most {_MAX_NAME} characters.")
    uris = list(dict.fromkeys(redirect_uris))
    if not uris or len(uris) > _MAX_URIS:
        raise Invalid(f"Validation failed: name between 1 and {_MAX_URIS} redirect URIs, or {OUT_OF_BAND}.")
    for uri in uris:
        _check_redirect_uri(uri)
    if website is not None and (len(website) > _MAX_URI or urlsplit(website).scheme not in {"http", "https"}):
        raise Invalid("Validation failed: the website must be an http or https address.")
    try:
        wanted = parse_scopes(scopes)
    except OAuthError as error:
        raise Invalid(f"Validation failed: {error.message}") from error
    secret = new_secret()
    row = tx.execute(
        insert(oauth_apps)
        .values(
            id=new_id(),
            client_id=new_secret(),
            client_secret_hash=fingerprint(secret),
            name=name,
            website=website,
            redirect_uris=uris,
            scopes=join_scopes(wanted),
            created_at=now,
        )
        .returning(*oauth_apps.c)
    ).one()
    return row, secret


def _check_redirect_uri(uri: str) -> None:
    if uri == OUT_OF_BAND:
        return
    refusal = Invalid(f"Validation failed: “{uri[:100]}” is not an address that can be redirected to.")
    if len(uri) > _MAX_URI or not _PRINTABLE.fullmatch(uri) or "#" in uri or "\\" in uri:
        raise refusal
    try:
        parts = urlsplit(uri)
        host = parts.hostname
    except ValueError:
        raise refusal from None
    if not _SCHEME.fullmatch(parts.scheme) or parts.scheme in _FORBIDDEN_SCHEMES:
        raise refusal
    if parts.scheme in {"http", "https"} and (not host or parts.username is not None or parts.password is not None):
        raise refusal


def app_by_id(tx: Connection, app_id: int) -> Row[Any] | None:
    """The application's row."""
    return tx.execute(select(oauth_apps).where(oauth_apps.c.id == app_id)).one_or_none()


def app_by_client_id(tx: Connection, client_id: str) -> Row[Any] | None:
    """The application that was given this client id."""
    return tx.execute(select(oauth_apps).where(oauth_apps.c.client_id == client_id)).one_or_none()


def authenticate_client(tx: Connection, client_id: str, client_secret: str) -> Row[Any]:
    """The application that proved itself by its secret.

    Raises OAuthError ``invalid_client`` (401) for an unknown id and for a wrong secret alike.
    """
    app = app_by_client_id(tx, client_id)
    stored = app.client_secret_hash if app is not None else fingerprint("")
    right = hmac.compare_digest(stored, fingerprint(client_secret))
    if app is None or not right:
        raise OAuthError("invalid_client", "The client id or the client secret is wrong.", status=401)
    return app


def check_authorize(
    tx: Connection,
    *,
    client_id: str,
    redirect_uri: str,
    response_type: str = "code",
    scope: str = "",
    state: str | None = None,
    code_challenge: str | None = None,
    code_challenge_method: str | None = None,
) -> AuthorizeRequest:
    """The checked request. Call it both before the consent page is shown and when consent is given.

    Raises OAuthError. No error is ever sent to the redirect address: show it on a page of our own (status 400), since
    the address may be what is wrong.
    """
    app = app_by_client_id(tx, client_id)
    if app is None:
        raise OAuthError("invalid_client", "No application is registered under this client id.")
    if redirect_uri not in app.redirect_uris:
        raise OAuthError("invalid_request", "The redirect address is not one that the application registered.")
    if response_type != "code":
        raise OAuthError("unsupported_response_type", "Only the response type “code” is supported.")
    scopes = parse_scopes(scope)
    if not is_subset(scopes, held(app.scopes)):
        raise OAuthError("invalid_scope", "The application asks for more than it registered for.")
    if state is not None and len(state) > _MAX_STATE:
        raise OAuthError("invalid_request", "The state is too long.")
    return AuthorizeRequest(app, redirect_uri, scopes, state, _check_challenge(code_challenge, code_challenge_method))


def _check_challenge(challenge: str | None, method: str | None) -> str:
    """The PKCE challenge, empty when the client sent none (RFC 7636; old clients send none)."""
    if challenge is None and method is None:
        return ""
    if method != "S256":
        raise OAuthError("invalid_request", "Only the code challenge method S256 is supported.")
    if challenge is None or not _CHALLENGE.fullmatch(challenge):
        raise OAuthError("invalid_request", "The code challenge is not the base64url form of a SHA-256 hash.")
    return challenge
