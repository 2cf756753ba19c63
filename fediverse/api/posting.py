"""Writing and editing statuses."""

from __future__ import annotations

import re
from collections.abc import Sequence
from functools import partial
from typing import Any, Final

from aiohttp import web
from sqlalchemy import Connection, Row

from fediverse import access, clock, entities, keys, params, posting, scheduled, statuses, text
from fediverse.api import attaching, listings, respond
from fediverse.api.polls import new_poll, read_poll
from fediverse.api.quotes import read_policy
from fediverse.api.respond import Call, path_id
from fediverse.api.scheduled import read_time
from fediverse.clock import Instant
from fediverse.drafts import NoteDraft, Visibility
from fediverse.entities import VISIBILITIES, StatusView
from fediverse.errors import FediverseError, Invalid, NotFound
from fediverse.params import Params

routes = web.RouteTableDef()

_SCOPE: Final = "write:statuses"
_LANGUAGE: Final = re.compile(r"[A-Za-z]{2,3}(?:-[A-Za-z0-9]{2,8}){0,3}")  # BCP 47, without the rare forms
_IDEMPOTENCY_KEY: Final = 255
_NO_PARENT: Final = "The post that you reply to does not exist, or you may not see it."
_NOT_TO_QUOTE: Final = "The post that you quote does not exist, or you may not see it."

_Known = dict[posting.Handle, Row[Any]]


@routes.post("/api/v1/statuses")
async def create(request: web.Request) -> web.Response:
    """The signed-in actor's new status, or the one that waits for its time.

    With an Idempotency-Key that was used before it is the one of then. A time that has passed means now.
    """
    sent = await params.read(request)
    body = _words(sent)
    key = _idempotency_key(request)
    wanted = posting.handles(body, request.app[keys.URLS])

    def work(mentions: Sequence[Row[Any]] | None, tx: Connection, call: Call) -> dict[str, Any]:
        draft = _draft(tx, call, sent, body, key)
        if mentions is None:
            mentions = posting.acquaintances(tx, wanted)
        at = read_time(sent)
        if at is not None and at > call.now:
            return _schedule(tx, call, draft, sent, mentions, at=at)
        row = statuses.create(tx, call.urls, call.actor(tx), draft, mentions=mentions, now=call.now)
        # It may be the post of then, which has been liked since.
        if key is not None or draft.quote_of_id is not None:
            return listings.status(tx, row, call)
        # The author as it is now, with one post more.
        may_quote = "denied" if row.visibility == Visibility.DIRECT else "automatic"
        return entities.status(StatusView(row, call.actor(tx), may_quote=may_quote), call.site, call.viewer_id)

    try:
        # Mostly everybody who is mentioned is known, and one transaction does it all.
        return await respond.write(request, partial(work, None), scope=_SCOPE)
    except posting.Strangers as strangers:
        mentions = await posting.find_missing(request.app[keys.DISCOVERY], wanted, strangers.known)
        return await respond.write(request, partial(work, mentions), scope=_SCOPE)


def _draft(tx: Connection, call: Call, sent: Params, body: str, key: str | None) -> NoteDraft:
    """What was sent, with what the author left out as it usually is. Raises Invalid and NotFound for what cannot be."""
    assert call.credentials is not None
    author, app = call.actor(tx), access.app_by_id(tx, call.credentials.app_id)
    spoiler = sent.text("spoiler_text").strip()
    media_ids, poll = attaching.media_ids(sent), new_poll(sent, now=call.now)
    text.check_length(body, spoiler, has_attachment=poll is not None or bool(media_ids))
    return NoteDraft(
        text=body,
        spoiler_text=spoiler,
        sensitive=sent.flag("sensitive", default=author.default_sensitive) or bool(spoiler),
        language=read_language(sent) or author.default_language,
        visibility=_visibility(sent, author),
        in_reply_to_id=_status_id(sent, "in_reply_to_id", _NO_PARENT),
        poll=poll,
        media_ids=media_ids,
        quote_of_id=_status_id(sent, "quoted_status_id", _NOT_TO_QUOTE),
        quote_policy=read_policy(sent),
        idempotency_key=key,
        app_name=app.name if app is not None else "",
        app_url=app.website if app is not None else None,
    )


def _schedule(
    tx: Connection, call: Call, draft: NoteDraft, sent: Params, mentions: Sequence[Row[Any]], *, at: Instant
) -> dict[str, Any]:
    """What waits for its time; what was posted under the same key by now, where it has waited already."""
    author, key = call.actor(tx), draft.idempotency_key
    posted = statuses.by_key(tx, author.id, key) if key is not None else None
    if posted is not None:
        return listings.status(tx, posted, call)
    assert call.credentials is not None
    row = scheduled.schedule(
        tx,
        call.urls,
        author,
        draft,
        poll=read_poll(sent),
        app_id=call.credentials.app_id,
        mentions=mentions,
        at=at,
        now=call.now,
    )
    return entities.scheduled_status(row, call.site)


@routes.put("/api/v1/statuses/{id}")
async def edit(request: web.Request) -> web.Response:
    """The signed-in author's status says something else; its history keeps what it said.

    It has the files that were sent, as on Mastodon, and none when none were.
    """
    status_id = path_id(request)
    sent = await params.read(request)
    media_ids, described = attaching.media_ids(sent), attaching.changes(sent)
    body = _words(sent) if sent.has("status") else None
    token = respond.require_token(request)
    urls = request.app[keys.URLS]

    def prepare(tx: Connection) -> tuple[Row[Any], str, list[posting.Handle], _Known]:
        credentials = respond.authorise(tx, token, _SCOPE)
        row = statuses.get_own(tx, status_id, credentials.actor_id)
        new_body = row.text if body is None else body
        wanted = posting.handles(new_body, urls)
        return row, new_body, wanted, posting.known(tx, wanted)

    before, new_body, wanted, known = await request.app[keys.DATABASE].read(prepare)
    spoiler = sent.text("spoiler_text").strip()
    poll = new_poll(sent, now=clock.now())  # a poll that is not sent again is gone, as on Mastodon
    text.check_length(new_body, spoiler, has_attachment=poll is not None or bool(media_ids))
    draft = NoteDraft(
        text=new_body,
        spoiler_text=spoiler,
        sensitive=sent.flag("sensitive") or bool(spoiler),
        language=read_language(sent) or before.language,
        visibility=Visibility(before.visibility),
        in_reply_to_id=before.in_reply_to_id,
        poll=poll,
        media_ids=media_ids,
    )
    mentions = await posting.find_missing(request.app[keys.DISCOVERY], wanted, known)

    previews = await attaching.store_previews(request, before.author_id, described)

    def work(tx: Connection, call: Call) -> dict[str, Any]:
        row = statuses.get_own(tx, status_id, call.actor_id)
        attaching.apply(tx, call.actor_id, row.id, described, previews)
        row = statuses.edit(tx, call.urls, row, draft, author=call.actor(tx), mentions=mentions, now=call.now)
        return listings.status(tx, row, call)

    try:
        return await respond.write(request, work, scope=_SCOPE)
    except FediverseError:
        await attaching.drop_previews(request.app, previews)
        raise


def _words(sent: Params) -> str:
    return text.normalise(sent.text("status"))


def _status_id(sent: Params, name: str, missing: str) -> int | None:
    word = sent.text(name).strip()
    if not word:
        return None
    found = params.read_id(word)
    if found is None:
        raise NotFound(missing)
    return found


def _visibility(sent: Params, actor: Row[Any]) -> Visibility:
    word = sent.text("visibility") or actor.default_visibility
    found = VISIBILITIES.get(word)
    if found is None:
        raise Invalid("The visibility is one of public, unlisted, private and direct.")
    return found


def read_language(sent: Params) -> str | None:
    """The language that was sent; None when none was. Raises Invalid for what is no code."""
    word = sent.text("language").strip()
    if not word:
        return None
    if not _LANGUAGE.fullmatch(word):
        raise Invalid("The language is a code such as “en” or “pt-BR”.")
    return word


def _idempotency_key(request: web.Request) -> str | None:
    key = request.headers.get("Idempotency-Key", "").strip()
    if len(key) > _IDEMPOTENCY_KEY:
        raise Invalid(f"The Idempotency-Key has more than {_IDEMPOTENCY_KEY} characters.")
    return key or None
