"""Writing a post on a page: the composer, and what becomes of it."""

from __future__ import annotations

import secrets
from dataclasses import dataclass
from typing import Any, Final

from aiohttp import web
from sqlalchemy import Connection, Row

from fediverse import keys, loading, posting, statuses, text
from fediverse.documents.polls import LONGEST, OPTIONS, new_poll
from fediverse.drafts import NoteDraft, PollParams, Visibility
from fediverse.entities import VISIBILITIES, StatusView, visibility_name
from fediverse.errors import FediverseError, Forbidden, Gone, Invalid, NotFound
from fediverse.params import Params
from fediverse.web import render
from fediverse.web.visit import Visit, form, page_number, read, see_other, write

routes = web.RouteTableDef()

_KEY: Final = 64


@dataclass(frozen=True, slots=True)
class Draft:
    """What the composer holds. ``key`` makes sending the same form twice post once."""

    text: str = ""
    spoiler_text: str = ""
    visibility: str = "public"
    in_reply_to_id: int | None = None
    key: str = ""
    #: What is asked, in order; nothing without a poll.
    options: tuple[str, ...] = ()
    poll_seconds: int = 86_400
    poll_multiple: bool = False

    @property
    def poll(self) -> PollParams | None:
        """The poll that the post is to have."""
        if not self.options:
            return None
        return PollParams(
            options=list(self.options),
            expires_in=self.poll_seconds,
            multiple=self.poll_multiple,
            hide_totals=False,
        )


def empty_draft(visit: Visit, words: str = "") -> Draft:
    """A new post, seen by whom the actor usually posts for."""
    return Draft(text=words, visibility=visit.me.default_visibility or "public", key=_new_key())


def reply_to(visit: Visit, status: Row[Any], author: Row[Any]) -> Draft:
    """A reply that mentions the author and whom the post mentions, and is seen by no more than the post is."""
    me = visit.me
    everybody = {author.id: visit.urls.acct(author.username, author.host)}
    for other in status.mentions:
        everybody.setdefault(other["id"], visit.urls.acct(other["username"], other["host"]))
    everybody.pop(me.id, None)
    mentions = "".join(f"@{acct} " for acct in everybody.values())
    usual = VISIBILITIES.get(me.default_visibility, Visibility.PUBLIC)
    return Draft(
        text=mentions,
        spoiler_text=status.spoiler_text,
        visibility=visibility_name(max(usual, status.visibility)),
        in_reply_to_id=status.id,
        key=_new_key(),
    )


@routes.get("/compose")
async def compose(request: web.Request) -> web.Response:
    """The composer on a page of its own, for a new post or a reply."""
    parent_id = page_number(request, "reply_to")
    words = request.query.get("to", "")[:200]

    def work(tx: Connection, visit: Visit) -> tuple[Draft, StatusView | None]:
        if parent_id is None:
            return empty_draft(visit, words), None
        row = statuses.get_visible(tx, parent_id, visit.me.id)
        parent = loading.status(tx, row, visit.me.id)
        return reply_to(visit, row, parent.author), parent

    visit, (draft, parent) = await read(request, work)
    return render.page(visit, "compose.html", draft=draft, parent=parent, problem="", focus_composer=True)


@routes.post("/compose")
async def send(request: web.Request) -> web.Response:
    """The post is out, and its page is shown; what cannot be taken stays in the composer, with the reason."""
    sent = await form(request)
    draft = _read(sent)
    try:
        mentions = await posting.find_mentions(
            request.app[keys.DATABASE], request.app[keys.DISCOVERY], request.app[keys.URLS], draft.text
        )
        _, path = await write(request, lambda tx, visit: _create(tx, visit, draft, mentions))
    except (Invalid, NotFound, Gone, Forbidden) as error:
        return await _again(request, draft, error)
    return see_other(path)


def _read(sent: Params) -> Draft:
    return Draft(
        text=sent.text("text"),
        spoiler_text=sent.text("spoiler_text").strip(),
        visibility=sent.text("visibility", "public"),
        in_reply_to_id=sent.id("in_reply_to_id"),
        key=sent.text("key")[:_KEY],
        options=tuple(word for n in range(1, OPTIONS + 1) if (word := sent.text(f"option_{n}").strip())),
        poll_seconds=sent.integer("poll_seconds", 86_400, low=0, high=LONGEST + 1),
        poll_multiple=sent.flag("poll_multiple"),
    )


def _create(tx: Connection, visit: Visit, draft: Draft, mentions: list[Row[Any]]) -> str:
    visibility = VISIBILITIES.get(draft.visibility)
    if visibility is None:
        raise Invalid("Choose who may see the post.")
    note = NoteDraft(
        text=text.normalise(draft.text),
        spoiler_text=draft.spoiler_text,
        visibility=visibility,
        in_reply_to_id=draft.in_reply_to_id,
        poll=new_poll(**draft.poll, now=visit.now) if draft.poll is not None else None,
        language=visit.me.default_language,
        sensitive=visit.me.default_sensitive,
        idempotency_key=f"web:{draft.key}" if draft.key else None,
    )
    row = statuses.create(tx, visit.urls, visit.me, note, mentions=mentions, now=visit.now)
    return f"{render.profile_path(visit.me)}/{row.id}"


async def _again(request: web.Request, draft: Draft, error: FediverseError) -> web.Response:
    def work(tx: Connection, visit: Visit) -> StatusView | None:
        if draft.in_reply_to_id is None:
            return None
        try:
            return loading.status(tx, statuses.get_visible(tx, draft.in_reply_to_id, visit.me.id), visit.me.id)
        except NotFound:
            return None

    visit, parent = await read(request, work)
    return render.page(
        visit,
        "compose.html",
        status=error.status,
        draft=draft,
        parent=parent,
        problem=error.message,
        focus_composer=True,
    )


def _new_key() -> str:
    return secrets.token_urlsafe(12)
