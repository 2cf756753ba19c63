"""Received bytes to activities: parsed, the actors that they name loaded, what must be fetched found out.

Everything is loaded for a whole batch, in a fixed number of queries. What nobody here would see is recognised before
anything is fetched for it.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import orjson
from sqlalchemy import Connection, Row, bindparam, exists, select

from fediverse import moderation
from fediverse.actors import directory
from fediverse.clock import Instant
from fediverse.documents import host_of, id_of, read_activity, read_note, same_origin
from fediverse.drafts import ActivityDraft, NoteDraft
from fediverse.errors import FediverseError
from fediverse.inbox import registry, threads
from fediverse.inbox.activity import Activity
from fediverse.inbox.registry import Handler, Need
from fediverse.tables.actors import actors, follows
from fediverse.urls import Urls

MAX_NAMED = 100
"""Actors of one activity that are looked up beside the local ones."""


@dataclass(frozen=True, slots=True)
class Want:
    """What is to be fetched: a post with what it answers, or the signer's document.

    ``vital`` says whether the activity means nothing without it; ``as_actor`` is the local recipient in whose name
    a post that is not public is fetched.
    """

    kind: Literal["thread", "signer"]
    uri: str
    vital: bool
    as_actor: int | None = None


@dataclass(frozen=True, slots=True)
class Prepared:
    """A row ready to be applied, or to be settled at once: ``handler`` is None for what is ignored or ``refused``."""

    row: Row[Any]
    activity: Activity | None = None
    handler: Handler | None = None
    want: Want | None = None
    refused: str | None = None


@dataclass(frozen=True, slots=True)
class _Read:
    row: Row[Any]
    draft: ActivityDraft
    note: NoteDraft | None
    handler: Handler


@dataclass(frozen=True, slots=True)
class _World:
    """What the database says about all that a batch names."""

    signers: Mapping[int, Row[Any]]
    followed: frozenset[int]
    blocked: frozenset[str]
    actors: Mapping[str, Row[Any]]
    posts: Mapping[str, Row[Any]]


def prepare(tx: Connection, urls: Urls, rows: Sequence[Row[Any]], *, now: Instant) -> list[Prepared]:
    """The rows as activities with what they name, in the given order."""
    signers = directory.by_ids(tx, {row.signer_id for row in rows})
    parsed = [_read(row, signers[row.signer_id], now=now) for row in rows]
    reads = [one for one in parsed if isinstance(one, _Read)]
    world = _World(
        signers=signers,
        followed=_followed(tx, {one.row.signer_id for one in reads}),
        blocked=moderation.blocked_among(tx, {host_of(signer.uri or "") for signer in signers.values()}),
        actors=directory.by_uris(tx, urls, {uri for one in reads for uri in _named(urls, one)}),
        posts=threads.known(tx, urls, {uri for one in reads for uri in _posts(one)}),
    )
    return [_prepared(tx, urls, one, world, now=now) if isinstance(one, _Read) else one for one in parsed]


def _read(row: Row[Any], signer: Row[Any], *, now: Instant) -> _Read | Prepared:
    try:
        draft = read_activity(orjson.loads(row.body))
        handler = registry.find(draft.type, draft.object_type)
        if handler is None:
            return Prepared(row)
        note = None
        if draft.object is not None and Need.PARENT in handler.needs:
            note = read_note(draft.object, received_at=now, followers_uri=signer.followers_uri)
            if note.author_uri != signer.uri:
                return Prepared(row, refused="The post is by somebody else than the sender.")
        return _Read(row, draft, note, handler)
    except FediverseError as error:
        return Prepared(row, refused=error.message)


_FOLLOWED = select(actors.c.id).where(
    actors.c.id.in_(bindparam("ids", expanding=True)),
    exists().where(follows.c.followee_id == actors.c.id, follows.c.follower_is_local, follows.c.accepted),
)


def _followed(tx: Connection, signer_ids: Iterable[int]) -> frozenset[int]:
    """Those whom somebody here follows."""
    return frozenset(tx.scalars(_FOLLOWED, {"ids": list(signer_ids)}))


def _named(urls: Urls, one: _Read) -> Iterable[str]:
    """The ids of the actors that matter: those mentioned, and whoever else may be of this instance."""
    draft, note = one.draft, one.note
    found: list[str] = [uri for uri in (*draft.to, *draft.cc) if urls.is_local(uri)]
    if draft.object_uri is not None and not note:
        found.append(draft.object_uri)
    if draft.object is not None and note is None:
        found += [uri for name in ("actor", "object") if (uri := id_of(draft.object.get(name)))]
    if note is not None:
        found += [uri for uri in note.audience if urls.is_local(uri)]
        found += _mention_uris(urls, note)[:MAX_NAMED]
    return found


def _mention_uris(urls: Urls, note: NoteDraft) -> list[str]:
    """The ids of those mentioned; a mention by handle alone is understood when the handle is of this instance."""
    found = []
    for mention in note.mentions:
        if mention.uri is not None:
            found.append(mention.uri)
        elif mention.host in {urls.domain, urls.host}:
            found.append(urls.actor(mention.username))
    return list(dict.fromkeys(found))


def _posts(one: _Read) -> Iterable[str]:
    if one.note is not None:
        return [one.note.in_reply_to_uri] if one.note.in_reply_to_uri else []
    subject = subject_of(one.draft)
    return [subject] if subject and Need.OBJECT in one.handler.needs else []


def subject_of(draft: ActivityDraft) -> str | None:
    """The id of the post that an activity is about: of a wrapped Create or Update, what that is about (FEP-1b12)."""
    if draft.object is not None and draft.object_type in {"Create", "Update"}:
        return id_of(draft.object.get("object"))
    return draft.object_uri


def _prepared(tx: Connection, urls: Urls, one: _Read, world: _World, *, now: Instant) -> Prepared:
    signer = world.signers[one.row.signer_id]
    if signer.suspended_at is not None or host_of(signer.uri or "") in world.blocked:
        return Prepared(one.row, refused="The sender is blocked or suspended here.")
    if signer.deleted_at is not None:
        return Prepared(one.row, refused="The sender was deleted.")
    activity = Activity(
        id=one.row.id,
        signer=signer,
        draft=one.draft,
        urls=urls,
        now=now,
        note=one.note,
        actors={uri: world.actors[uri] for uri in _named(urls, one) if uri in world.actors},
        mentioned=_mentioned(urls, one.note, world.actors),
        relevant=signer.id in world.followed,
    )
    want = _want(tx, one, activity, world)
    return Prepared(one.row, activity, one.handler, want)


def _mentioned(urls: Urls, note: NoteDraft | None, known: Mapping[str, Row[Any]]) -> tuple[Row[Any], ...]:
    if note is None:
        return ()
    rows = [known[uri] for uri in _mention_uris(urls, note)[:MAX_NAMED] if uri in known]
    return tuple({row.id: row for row in rows if row.deleted_at is None}.values())


def _want(tx: Connection, one: _Read, activity: Activity, world: _World) -> Want | None:
    needs, draft, signer_uri = one.handler.needs, one.draft, activity.signer_uri
    if Need.SIGNER in needs and draft.object_uri == signer_uri and not _is_complete(draft.object):
        return Want("signer", signer_uri, vital=True)
    if not activity.concerns_us:
        return None
    if Need.NOTE in needs and draft.object is None and same_origin(draft.object_uri, signer_uri):
        recipient = next((row.id for row in activity.actors.values() if row.host == ""), None)
        return Want("thread", draft.object_uri or "", vital=True, as_actor=recipient)
    if Need.OBJECT in needs:
        subject = subject_of(draft)
        if subject is not None and subject not in world.posts and threads.is_fetchable(tx, activity.urls, subject):
            return Want("thread", subject, vital=True)
    if Need.PARENT in needs and one.note is not None:
        parent = one.note.in_reply_to_uri
        if parent is not None and parent not in world.posts and threads.is_fetchable(tx, activity.urls, parent):
            return Want("thread", parent, vital=False)
    return None


def _is_complete(document: Mapping[str, object] | None) -> bool:
    """Whether an embedded actor says all that is stored of one."""
    return document is not None and all(document.get(name) for name in ("inbox", "preferredUsername", "publicKey"))
