"""Settings: the actor's profile, the person's password, and for owners and admins the instance."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from typing import Any, Final

from aiohttp import hdrs, web
from sqlalchemy import Connection, Row

from fediverse import access, instance, keys, letters, media
from fediverse.access import passwords
from fediverse.actors import people, profile
from fediverse.drafts import FieldDraft
from fediverse.errors import FediverseError, Forbidden, Invalid, TooLarge, UnsupportedType
from fediverse.instance import InstanceInfo
from fediverse.params import Params
from fediverse.web import render
from fediverse.web.limits import attempt
from fediverse.web.visit import Visit, cookies_of, form, read, see_other, write

routes = web.RouteTableDef()

_FIELDS: Final = 4
_SAVED: Final = "Saved."
_REFUSALS: Final = (Invalid, TooLarge, UnsupportedType)


@routes.get("/settings")
async def settings(_request: web.Request) -> web.Response:
    """The first of the pages."""
    return see_other("/settings/profile")


@dataclass(frozen=True, slots=True)
class TypedProfile:
    """What the profile form holds."""

    name: str
    bio: str
    locked: bool
    discoverable: bool
    indexable: bool
    bot: bool
    avatar_description: str = ""
    header_description: str = ""
    fields: list[FieldDraft] = field(default_factory=list)


@routes.get("/settings/profile")
async def show_profile(request: web.Request) -> web.Response:
    """The actor's profile, to be changed."""
    visit, _ = await read(request, lambda _tx, visit: visit.me)
    return _profile_page(visit, _stored_profile(visit.me), message=_message(request))


@routes.post("/settings/profile")
async def save_profile(request: web.Request) -> web.Response:
    """The actor's profile is as typed, here and soon on other servers."""
    sent = await form(request)
    visit, _ = await read(request, lambda _tx, visit: visit.me)
    typed = _typed_profile(sent)
    made: dict[str, str] = {}
    try:
        for kind in ("avatar", "header"):
            key = await _uploaded(request, sent, kind)
            if key is not None:
                made[kind] = key
        before = await _write_profile(request, sent, typed, made)
    except FediverseError as error:
        for key in made.values():
            await _discard(request, key)
        if not isinstance(error, _REFUSALS):
            raise
        return _profile_page(visit, typed, problem=error.message, status=error.status)
    for kind in ("avatar", "header"):
        if kind in made or sent.flag(f"{kind}_remove"):
            await _discard(request, getattr(before, kind))
    return see_other("/settings/profile?saved=1")


async def _write_profile(request: web.Request, sent: Params, typed: TypedProfile, made: dict[str, str]) -> Row[Any]:
    """The actor as it was before."""
    changes: dict[str, Any] = {
        "name": typed.name,
        "summary_source": typed.bio,
        "fields_source": [line for line in typed.fields if line["name"] or line["value"]],
        "locked": typed.locked,
        "discoverable": typed.discoverable,
        "indexable": typed.indexable,
        "avatar_description": typed.avatar_description,
        "header_description": typed.header_description,
        **made,
    }
    for kind in ("avatar", "header"):
        if kind not in made and sent.flag(f"{kind}_remove"):
            changes[kind] = None
            changes[f"{kind}_description"] = ""

    def work(tx: Connection, visit: Visit) -> Row[Any]:
        before = visit.me
        if typed.bot != (before.kind == "Service"):
            changes["kind"] = "Service" if typed.bot else "Person"
        profile.update(tx, visit.urls, before, now=visit.now, **changes)
        return before

    _, before = await write(request, work)
    return before


def _stored_profile(actor: Row[Any]) -> TypedProfile:
    return TypedProfile(
        name=actor.name,
        bio=actor.summary_source,
        locked=actor.locked,
        discoverable=actor.discoverable,
        indexable=actor.indexable,
        bot=actor.kind == "Service",
        avatar_description=actor.avatar_description,
        header_description=actor.header_description,
        fields=_padded([{"name": line["name"], "value": line["value"]} for line in actor.fields_source]),
    )


def _typed_profile(sent: Params) -> TypedProfile:
    lines: list[FieldDraft] = [
        {"name": sent.text(f"field_name_{i}").strip(), "value": sent.text(f"field_value_{i}").strip()}
        for i in range(_FIELDS)
    ]
    return TypedProfile(
        name=sent.text("name"),
        bio=sent.text("bio").replace("\r\n", "\n"),
        locked=sent.flag("locked"),
        discoverable=sent.flag("discoverable"),
        indexable=sent.flag("indexable"),
        bot=sent.flag("bot"),
        avatar_description=sent.text("avatar_description"),
        header_description=sent.text("header_description"),
        fields=lines,
    )


def _padded(lines: list[FieldDraft]) -> list[FieldDraft]:
    empty: list[FieldDraft] = [{"name": "", "value": ""} for _ in range(_FIELDS - len(lines))]
    return [*lines, *empty]


def _profile_page(
    visit: Visit, typed: TypedProfile, *, problem: str = "", message: str = "", status: int = 200
) -> web.Response:
    return render.page(visit, "settings_profile.html", status=status, typed=typed, problem=problem, message=message)


async def _uploaded(request: web.Request, sent: Params, kind: media.Kind) -> str | None:
    """The key of the picture that was sent under the name of its kind; None when none was."""
    upload = sent.upload(kind)
    data = upload.read() if upload is not None else b""
    if not data:
        return None
    return await media.store_picture(request.app[keys.DATABASE], request.app[keys.PICTURES], data, kind=kind)


async def _discard(request: web.Request, key: str | None) -> None:
    await media.discard_picture(request.app[keys.DATABASE], request.app[keys.PICTURES], key)


@routes.get("/settings/password")
async def show_password(request: web.Request) -> web.Response:
    """The form for a new password."""
    visit, _ = await read(request, lambda _tx, visit: visit.me)
    return render.page(visit, "settings_password.html", problem="", message=_message(request))


@routes.post("/settings/password")
async def change_password(request: web.Request) -> web.Response:
    """The person has a new password and, here, a new session; every other session and all tokens are over."""
    sent = await form(request)

    def find(tx: Connection, visit: Visit) -> str:
        person = people.by_id(tx, visit.person_id)
        return person.password_hash if person is not None else ""

    visit, stored = await read(request, find)
    try:
        async with attempt(request, visit.me.username) as tried:
            tried.wrong = not await asyncio.to_thread(passwords.verify, stored, sent.text("current"))
        if tried.wrong:
            raise Invalid("The current password is wrong.")
        password_hash = await asyncio.to_thread(passwords.hash_password, sent.text("password"))
    except Invalid as error:
        return render.page(visit, "settings_password.html", status=error.status, problem=error.message, message="")
    agent = request.headers.get(hdrs.USER_AGENT, "")

    def work(tx: Connection, visit: Visit) -> str:
        people.set_password_hash(tx, visit.person_id, password_hash)
        access.end_all(tx, visit.person_id, now=visit.now)
        letters.password_changed(tx, visit.person_id)
        return access.create_session(
            tx, person_id=visit.person_id, actor_id=visit.me.id, user_agent=agent, now=visit.now
        )

    _, cookie = await write(request, work)
    response = see_other("/settings/password?saved=1")
    cookies_of(request).set_session(response, cookie)
    return response


@dataclass(frozen=True, slots=True)
class TypedInstance:
    """What the instance's form holds."""

    name: str
    description: str
    contact_email: str
    colour: str
    rules: str


@routes.get("/settings/instance")
async def show_instance(request: web.Request) -> web.Response:
    """How the instance presents itself, to be changed by its owner and admins."""
    visit, _ = await read(request, lambda _tx, visit: _check_administers(visit))
    return _instance_page(visit, _stored_instance(visit.info), message=_message(request))


@routes.post("/settings/instance")
async def save_instance(request: web.Request) -> web.Response:
    """The instance presents itself as typed."""
    sent = await form(request)
    visit, _ = await read(request, lambda _tx, visit: _check_administers(visit))
    typed = TypedInstance(
        name=sent.text("name"),
        description=sent.text("description"),
        contact_email=sent.text("contact_email"),
        colour=sent.text("colour"),
        rules=sent.text("rules"),
    )
    logo: str | None = None
    try:
        logo = await _uploaded(request, sent, "logo")
        await write(request, lambda tx, visit: _save_instance(tx, visit, sent, typed, logo))
    except FediverseError as error:
        await _discard(request, logo)
        if not isinstance(error, _REFUSALS):
            raise
        return _instance_page(visit, typed, problem=error.message, status=error.status)
    if logo is not None or sent.flag("logo_remove"):
        await _discard(request, visit.info.logo)
    return see_other("/settings/instance?saved=1")


def _save_instance(tx: Connection, visit: Visit, sent: Params, typed: TypedInstance, logo: str | None) -> None:
    _check_administers(visit)
    instance.update(
        tx,
        name=typed.name,
        description=typed.description,
        contact_email=typed.contact_email,
        colour=typed.colour,
        rules=tuple(typed.rules.splitlines()),
    )
    if logo is not None or sent.flag("logo_remove"):
        instance.update(tx, logo=logo)


def _stored_instance(info: InstanceInfo) -> TypedInstance:
    return TypedInstance(info.name, info.description, info.contact_email, info.colour, "\n".join(info.rules))


def _check_administers(visit: Visit) -> None:
    if visit.me is not None and not visit.administers:
        raise Forbidden("Only the owner and admins may change the server's settings.")


def _instance_page(
    visit: Visit, typed: TypedInstance, *, problem: str = "", message: str = "", status: int = 200
) -> web.Response:
    shown = typed if typed.colour.startswith("#") else _stored_instance(visit.info)
    return render.page(visit, "settings_instance.html", status=status, typed=shown, problem=problem, message=message)


def _message(request: web.Request) -> str:
    return _SAVED if "saved" in request.query else ""
