"""Notes that a client posts to an outbox: created, changed, deleted, by the same rules as in the client API."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Mapping, Sequence
from typing import Any, Final

from sqlalchemy import Connection, Row

from fediverse import documents, posting, statuses, text
from fediverse.documents.addressing import read_addressing
from fediverse.drafts import NoteDraft, Visibility
from fediverse.errors import BadRequest, Forbidden, Invalid, NotFound
from fediverse.outbox.c2s_caller import NO_POST, Caller, find_account, find_status, object_id

MAX_ADDRESSED: Final = 20
"""Actors that one post may address beside those whom its text mentions."""

_NOTE: Final = frozenset({"Note"})
_LANGUAGE: Final = re.compile(r"[A-Za-z]{2,3}(?:-[A-Za-z0-9]{2,8}){0,3}")
_ADDRESSED: Final = ("to", "cc", "bto", "bcc")


async def create(caller: Caller, activity: Mapping[str, Any]) -> str:
    """The Note of a Create is posted; whom either addresses, it is for."""
    note = activity.get("object")
    if not isinstance(note, dict):
        raise BadRequest("A Create needs the Note in full as its object.")
    if "attributedTo" in note and documents.ids(note["attributedTo"]) != (caller.uri,):
        raise Forbidden(f"What you post must be attributed to you, {caller.uri}.")
    merged = dict(note)
    for name in _ADDRESSED:
        merged[name] = list(dict.fromkeys([*documents.ids(note.get(name)), *documents.ids(activity.get(name))]))
    return await create_note(caller, merged)


async def create_note(caller: Caller, note: Mapping[str, Any]) -> str:
    """The Note is posted; the id of its Create.

    Nobody addressed means everybody: an outbox that swallowed a post silently would surprise.
    """
    _check_note(note)
    body = _body(caller, note)
    spoiler = _summary(note)
    text.check_length(body, spoiler)
    addressing = read_addressing(dict(note), author_uri=caller.uri, followers_uri=caller.followers)
    nobody = not any(documents.ids(note.get(name)) for name in _ADDRESSED)
    parent_uri = documents.id_of(note.get("inReplyTo"))
    draft = NoteDraft(
        text=body,
        spoiler_text=spoiler,
        sensitive=note.get("sensitive") is True or bool(spoiler),
        language=_language(note) or caller.language,
        visibility=Visibility.PUBLIC if nobody else addressing.visibility,
        in_reply_to_id=await find_status(caller, parent_uri) if parent_uri is not None else None,
        idempotency_key=caller.idempotency_key,
    )
    mentions = await _mentioned(caller, body, addressing.audience)
    _check_hidden(note, alone=draft.visibility is Visibility.DIRECT and len(mentions) <= 1)

    def work(tx: Connection) -> int:
        row = statuses.create(tx, caller.urls, caller.actor(tx), draft, mentions=mentions, now=caller.now)
        return int(row.id)

    return caller.urls.activity(caller.username, await caller.database.write(work))


async def update(caller: Caller, activity: Mapping[str, Any]) -> str:
    """The author's post says what the Note says; its audience and its parent stay as they are."""
    note = activity.get("object")
    if not isinstance(note, dict):
        raise BadRequest("An Update needs the changed Note in full as its object.")
    _check_note(note)
    uri = object_id(activity)
    before = await caller.database.read(_own, caller, uri)
    body, spoiler = _body(caller, note), _summary(note)
    text.check_length(body, spoiler)
    draft = NoteDraft(
        text=body,
        spoiler_text=spoiler,
        sensitive=note.get("sensitive") is True or bool(spoiler),
        language=_language(note) or before.language,
        visibility=Visibility(before.visibility),
        poll=before.poll,
    )
    # Whom it addressed without naming them it goes on to address.
    mentions = await _mentioned(caller, body, [entry["uri"] for entry in before.mentions])

    def work(tx: Connection) -> None:
        row, author = _own(tx, caller, uri), caller.actor(tx)
        statuses.edit(tx, caller.urls, row, draft, author=author, mentions=mentions, now=caller.now)

    await caller.database.write(work)
    return uri


async def delete(caller: Caller, activity: Mapping[str, Any]) -> str:
    """The author's post is gone."""
    uri = object_id(activity)

    def work(tx: Connection) -> None:
        statuses.delete(tx, caller.urls, _own(tx, caller, uri), author=caller.actor(tx), now=caller.now)

    await caller.database.write(work)
    return uri


def _own(tx: Connection, caller: Caller, uri: str) -> Row[Any]:
    row = statuses.by_uri(tx, caller.urls, uri)
    if row is None:
        raise NotFound(NO_POST)
    return statuses.get_own(tx, row.id, caller.actor_id)


def _check_note(note: Mapping[str, Any]) -> None:
    if documents.type_of(dict(note), _NOTE) not in _NOTE:
        raise Invalid("Of all objects only Notes can be posted here. Profiles are edited by the client API.")
    if note.get("attachment"):
        raise Invalid("Pictures and other attachments are not supported here yet. Post the Note without them.")


def _check_hidden(note: Mapping[str, Any], *, alone: bool) -> None:
    """Raises Invalid when somebody is addressed in secret beside others: here a post names all whom it is for."""
    openly = {*documents.ids(note.get("to")), *documents.ids(note.get("cc"))}
    hidden = {uri for name in ("bto", "bcc") for uri in documents.ids(note.get(name))} - openly
    if hidden and not alone:
        raise Invalid("Hidden recipients (bto, bcc) beside others are not supported here: name them in “to” or “cc”.")


def _body(caller: Caller, note: Mapping[str, Any]) -> str:
    """The text of the Note: its HTML reduced to what a person would have typed."""
    content = note.get("content")
    if not isinstance(content, str):
        by_language = note.get("contentMap")
        values = list(by_language.values()) if isinstance(by_language, dict) else []
        content = next((value for value in values if isinstance(value, str)), "")
    if str(note.get("mediaType", "")).partition(";")[0].strip().lower() == "text/plain":
        return text.normalise(content)
    return text.normalise(text.plain(content, handles=_handles(note), local_host=caller.urls.host))


def _handles(note: Mapping[str, Any]) -> dict[str, str]:
    """The handles that the Note's tags give for the addresses that its mentions lead to."""
    tags = note.get("tag")
    found: dict[str, str] = {}
    for tag in tags if isinstance(tags, list) else [tags]:
        if not isinstance(tag, dict) or tag.get("type") != "Mention":
            continue
        href, name = tag.get("href"), tag.get("name")
        if isinstance(href, str) and isinstance(name, str):
            found[href] = name
    return found


def _summary(note: Mapping[str, Any]) -> str:
    summary = note.get("summary")
    return text.normalise(text.plain(summary)).strip() if isinstance(summary, str) else ""


def _language(note: Mapping[str, Any]) -> str | None:
    by_language = note.get("contentMap")
    if not isinstance(by_language, dict) or len(by_language) != 1:
        return None
    tag = str(next(iter(by_language)))
    return tag if _LANGUAGE.fullmatch(tag) else None


async def _mentioned(caller: Caller, body: str, audience: Sequence[str]) -> list[Row[Any]]:
    """The actors that the text mentions and those that the post addresses, each once; who is not found is left out."""
    addressed = [uri for uri in dict.fromkeys(audience) if uri != caller.uri]
    if len(addressed) > MAX_ADDRESSED:
        raise Invalid(f"A post can address {MAX_ADDRESSED} accounts at most.")
    named, *found = await asyncio.gather(
        posting.find_mentions(caller.database, caller.discovery, caller.urls, body),
        *(_addressed(caller, uri) for uri in addressed),
    )
    return list({row.id: row for row in [*named, *(row for row in found if row is not None)]}.values())


async def _addressed(caller: Caller, uri: str) -> Row[Any] | None:
    try:
        return await find_account(caller, uri)
    except NotFound:
        return None
