"""OAuth for applications: tokens for codes and for themselves, revocation, metadata (RFC 6749, 7009, 7636, 8414).

The page on which people consent is among the pages for people.
"""

from __future__ import annotations

import binascii
from base64 import b64decode
from collections.abc import Awaitable, Callable
from functools import wraps
from typing import Final
from urllib.parse import unquote_plus

from aiohttp import web
from sqlalchemy import Connection

from fediverse import access, clock, entities, keys, params
from fediverse.access import OAuthError
from fediverse.access.scopes import held
from fediverse.api import respond
from fediverse.errors import FediverseError
from fediverse.params import Params

routes = web.RouteTableDef()

Handler = Callable[[web.Request], Awaitable[web.Response]]
_NO_STORE: Final = {"Cache-Control": "no-store", "Pragma": "no-cache"}  # RFC 6749 §5.1


def _oauth(handler: Handler) -> Handler:
    """Errors are told in OAuth's own shape (RFC 6749 §5.2)."""

    @wraps(handler)
    async def wrapped(request: web.Request) -> web.Response:
        try:
            return await handler(request)
        except OAuthError as error:
            code, status = error.code, error.status
            headers = dict(_NO_STORE)
            if status == 401:
                headers["WWW-Authenticate"] = 'Basic realm="oauth"'
            return respond.json({"error": code, "error_description": error.message}, status=status, headers=headers)
        except FediverseError as error:
            if error.status >= 500 or error.status == 429:
                raise
            shape = {"error": "invalid_request", "error_description": error.message}
            return respond.json(shape, status=400, headers=dict(_NO_STORE))

    return wrapped


@routes.post("/oauth/token")
@_oauth
async def token(request: web.Request) -> web.Response:
    """A bearer token, for an authorization code or for the application itself."""
    sent = await params.read(request)
    client_id, client_secret = _client(request, sent)
    grant = sent.text("grant_type")
    if grant not in {"authorization_code", "client_credentials"}:
        raise OAuthError("unsupported_grant_type", "The grant type is authorization_code or client_credentials.")
    now = clock.now()

    def work(tx: Connection) -> tuple[str, str] | OAuthError:
        app = access.authenticate_client(tx, client_id, client_secret)
        if grant == "authorization_code":
            return access.exchange_code(
                tx,
                app=app,
                code=sent.text("code"),
                redirect_uri=sent.text("redirect_uri"),
                code_verifier=sent.optional("code_verifier"),
                now=now,
            )
        scopes = access.parse_scopes(sent.text("scope"))
        if not access.is_subset(scopes, held(app.scopes)):
            raise OAuthError("invalid_scope", "The application asks for more than it registered for.")
        return access.client_token(tx, app, scopes=scopes, now=now), access.join_scopes(scopes)

    made = await request.app[keys.DATABASE].write(work)
    if isinstance(made, OAuthError):
        raise made
    access_token, granted = made
    return respond.json(entities.token(access_token, scopes=granted, created_at=now), headers=dict(_NO_STORE))


@routes.post("/oauth/revoke")
@_oauth
async def revoke(request: web.Request) -> web.Response:
    """The application's token opens nothing any more."""
    sent = await params.read(request)
    client_id, client_secret = _client(request, sent)
    secret = sent.text("token")
    if not secret:
        raise OAuthError("invalid_request", "Name the token to revoke.")

    def work(tx: Connection) -> bool:
        app = access.authenticate_client(tx, client_id, client_secret)
        return access.revoke_token(tx, app_id=app.id, token=secret, now=clock.now())

    if not await request.app[keys.DATABASE].write(work):
        raise OAuthError("unauthorized_client", "The token belongs to another application.", status=403)
    return respond.json({})


@routes.get("/.well-known/oauth-authorization-server")
async def metadata(request: web.Request) -> web.Response:
    """What this authorization server can do."""
    shape = entities.server_metadata(request.app[keys.URLS], access.ALL_SCOPES)
    return respond.json(shape, headers={"Cache-Control": "public, max-age=3600"})


@routes.get("/oauth/userinfo")
@routes.post("/oauth/userinfo")
async def userinfo(request: web.Request) -> web.Response:
    """Who is signed in, for applications that know OpenID Connect."""
    return await respond.read(request, lambda tx, call: entities.userinfo(call.actor(tx), call.site), scope="profile")


def _client(request: web.Request, sent: Params) -> tuple[str, str]:
    """The client's id and secret, from the Authorization header or the body (RFC 6749 §2.3.1)."""
    header = request.headers.get("Authorization", "")
    kind, _, encoded = header.partition(" ")
    if kind.lower() == "basic":
        try:
            client_id, colon, secret = b64decode(encoded.strip(), validate=True).decode().partition(":")
        except (binascii.Error, UnicodeDecodeError, ValueError):
            raise OAuthError("invalid_client", "The Authorization header cannot be read.", status=401) from None
        if not colon:
            raise OAuthError("invalid_client", "The Authorization header cannot be read.", status=401)
        return unquote_plus(client_id), unquote_plus(secret)
    return sent.text("client_id"), sent.text("client_secret")
