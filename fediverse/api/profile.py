"""The signed-in actor's own profile and preferences."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final, cast

from aiohttp import web
from sqlalchemy import Connection

from fediverse import entities, keys, media, params
from fediverse.actors import profile, relations
from fediverse.actors.directory import ActorColumns
from fediverse.api import respond
from fediverse.api.limits import count_file
from fediverse.api.posting import read_language
from fediverse.api.quotes import read_policy
from fediverse.api.respond import Call
from fediverse.drafts import FieldDraft
from fediverse.entities import VISIBILITIES
from fediverse.errors import BadRequest, FediverseError, Invalid
from fediverse.params import Params
from fediverse.text import fold_host

routes = web.RouteTableDef()

_SCOPE: Final = "write:accounts"
_PICTURES: Final[tuple[media.Kind, ...]] = ("avatar", "header")
#: (column, parameter) of what is true or false.
_FLAGS: Final = (
    ("locked", "locked"),
    ("discoverable", "discoverable"),
    ("indexable", "indexable"),
    ("hide_relations", "hide_collections"),
    ("show_media", "show_media"),
    ("show_media_replies", "show_media_replies"),
    ("show_featured", "show_featured"),
)


def own_account(tx: Connection, call: Call) -> dict[str, Any]:
    """The signed-in actor with what only they see."""
    row = call.actor(tx)
    assert call.credentials is not None
    waiting = relations.requests_count(tx, row.id)
    return entities.credential_account(row, call.site, role=call.credentials.role, follow_requests_count=waiting)


@routes.get("/api/v1/accounts/verify_credentials")
async def verify_credentials(request: web.Request) -> web.Response:
    """Who is signed in."""
    return await respond.read(request, own_account, scope=("profile", "read:accounts"))


@routes.get("/api/v1/preferences")
async def preferences(request: web.Request) -> web.Response:
    """How the actor posts and reads unless a client is told otherwise."""

    def work(tx: Connection, call: Call) -> dict[str, Any]:
        return entities.preferences(call.actor(tx))

    return await respond.read(request, work, scope="read:accounts")


def own_profile(tx: Connection, call: Call) -> dict[str, Any]:
    """The signed-in actor's profile as it was typed."""
    return entities.profile(call.actor(tx), call.site)


@routes.get("/api/v1/profile")
async def show(request: web.Request) -> web.Response:
    """The actor's profile, to be changed."""
    return await respond.read(request, own_profile, scope=("profile", "read:accounts"))


@routes.put("/api/v1/profile")
@routes.patch("/api/v1/profile")
async def change(request: web.Request) -> web.Response:
    """The actor's profile is as sent; what was not sent stays."""
    return await _update(request, own_profile)


@routes.delete("/api/v1/profile/avatar")
async def delete_avatar(request: web.Request) -> web.Response:
    """The actor has no avatar of its own."""
    return await _without(request, "avatar")


@routes.delete("/api/v1/profile/header")
async def delete_header(request: web.Request) -> web.Response:
    """The actor has no header of its own."""
    return await _without(request, "header")


async def _without(request: web.Request, kind: media.Kind) -> web.Response:
    def work(tx: Connection, call: Call) -> dict[str, Any]:
        before = call.actor(tx)
        changes: dict[str, Any] = {kind: None, f"{kind}_description": ""}
        profile.update(tx, call.urls, before, now=call.now, **cast(ActorColumns, changes))
        media.forget(tx, getattr(before, kind))
        return own_account(tx, call)

    return await respond.write(request, work, scope=_SCOPE)


@routes.put("/api/v1/accounts/update_credentials")
@routes.patch("/api/v1/accounts/update_credentials")
async def update_credentials(request: web.Request) -> web.Response:
    """The actor's profile is as sent, here and soon on other servers; what was not sent stays."""
    return await _update(request, own_account)


async def _update(request: web.Request, shape: Callable[[Connection, Call], dict[str, Any]]) -> web.Response:
    """The actor's profile is as sent; answers with ``shape`` of it."""
    token = respond.require_token(request)
    sent = await params.read(request)
    changes = _changes(sent)
    database, store = request.app[keys.DATABASE], request.app[keys.PICTURES]
    # Decoding a picture is dear: nobody has it done who may not.
    who = await database.read(respond.authorise, token, _SCOPE)
    made: dict[str, str] = {}
    replaced: list[str] = []

    def work(tx: Connection, call: Call) -> dict[str, Any]:
        before = call.actor(tx)
        wanted = dict(changes)
        if sent.has("bot") and sent.flag("bot") != (before.kind == "Service"):
            wanted["kind"] = "Service" if sent.flag("bot") else "Person"
        replaced[:] = [getattr(before, kind) for kind in made if getattr(before, kind)]
        if wanted or made:
            profile.update(tx, call.urls, before, now=call.now, **cast(ActorColumns, {**wanted, **made}))
        return shape(tx, call)

    try:
        for kind in _PICTURES:
            data = _picture(sent, kind)
            if data is not None:
                count_file(request, who.actor_id)
                made[kind] = await media.store_picture(database, store, data, kind=kind)
        response = await respond.write(request, work, scope=_SCOPE)
    except FediverseError:
        for key in made.values():
            await media.discard_picture(database, store, key)
        raise
    for key in replaced:
        await media.discard_picture(database, store, key)
    return response


def _picture(sent: Params, kind: str) -> bytes | None:
    """The uploaded file; None when none was sent. Raises Invalid for something else."""
    upload = sent.upload(kind)
    if upload is not None:
        return upload.read() or None
    if sent.has(kind) and sent.raw(kind) != "":
        raise Invalid(f"Send the {kind} as a file of a multipart form.")
    return None


def _changes(sent: Params) -> dict[str, Any]:
    """The columns to change, by what was sent."""
    changes: dict[str, Any] = {column: sent.flag(name) for column, name in _FLAGS if sent.has(name)}
    if sent.has("display_name"):
        changes["name"] = sent.text("display_name")
    for name in ("avatar_description", "header_description"):
        if sent.has(name):
            changes[name] = sent.text(name)
    if sent.has("attribution_domains"):
        changes["attribution_domains"] = _domains(sent)
    if sent.has("note"):
        changes["summary_source"] = sent.text("note")
    if sent.has("fields_attributes"):
        changes["fields_source"] = _fields(sent)
    source = sent.object("source")
    if source.has("privacy"):
        privacy = source.text("privacy")
        if privacy not in VISIBILITIES:
            raise Invalid("The privacy is one of public, unlisted, private and direct.")
        changes["default_visibility"] = privacy
    if source.has("sensitive"):
        changes["default_sensitive"] = source.flag("sensitive")
    if source.has("language"):
        changes["default_language"] = read_language(source)
    if source.has("quote_policy"):
        read_policy(source, "quote_policy")
        changes["default_quote_policy"] = source.text("quote_policy").strip()
    return changes


def _domains(sent: Params) -> list[str]:
    """The domains that were sent, as addresses or with a star before them as well. Raises Invalid for what is none."""
    found = []
    for word in sent.words("attribution_domains", most=100):
        name = word.strip().removeprefix("https://").removeprefix("http://").removeprefix("*.").rstrip("/")
        if not name:
            continue
        try:
            found.append(fold_host(name))
        except BadRequest as error:
            raise Invalid(f"Validation failed: {error.message}") from error
    return list(dict.fromkeys(found))


def _fields(sent: Params) -> list[FieldDraft]:
    lines: list[FieldDraft] = [
        {"name": line.text("name").strip(), "value": line.text("value").strip()}
        for line in sent.objects("fields_attributes", most=100)
    ]
    return [line for line in lines if line["name"] or line["value"]]
