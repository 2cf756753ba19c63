"""Following, blocking, muting, and letting followers in."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

from aiohttp import web
from sqlalchemy import Connection, Row

from fediverse import entities, loading, params
from fediverse.actors import private_notes, relations
from fediverse.api import accounts, listings, respond
from fediverse.api.paging import ACCOUNTS, page_of
from fediverse.api.posting import read_language
from fediverse.api.respond import Call, Listing, path_id
from fediverse.clock import SECOND
from fediverse.params import Params, query

routes = web.RouteTableDef()
_TEN_YEARS: Final = 10 * 366 * 24 * 3600
_LANGUAGES: Final = 100

#: (tx, call, actor, target): what is done.
Act = Callable[[Connection, Call, Row[Any], Row[Any]], object]


async def relate(request: web.Request, act: Act, *, scope: str, name: str = "id") -> web.Response:
    """``act`` is done between the signed-in actor and an account; answers with how they stand to each other."""
    target_id = path_id(request, name)

    def work(tx: Connection, call: Call) -> dict[str, Any]:
        actor, target = call.actor(tx), accounts.find(tx, target_id)
        act(tx, call, actor, target)
        return entities.relationship(relations.relationships(tx, actor.id, [target.id], now=call.now)[0])

    return await respond.write(request, work, scope=scope)


@routes.post("/api/v1/accounts/{id}/follow")
async def follow(request: web.Request) -> web.Response:
    """The actor follows the account, or has asked to."""
    sent = await params.read(request)
    boosts = sent.flag("reblogs") if sent.has("reblogs") else None
    notify = sent.flag("notify") if sent.has("notify") else None
    languages = _languages(sent) if sent.has("languages") else None
    return await relate(
        request,
        lambda tx, call, actor, target: relations.follow(
            tx, call.urls, actor, target, now=call.now, show_boosts=boosts, notify=notify, languages=languages
        ),
        scope="write:follows",
    )


def _languages(sent: Params) -> list[str]:
    """The primary parts of the languages that were sent: who wants "en" wants "en-GB". Raises Invalid for no codes."""
    words = [word.strip() for word in sent.words("languages", most=_LANGUAGES)]
    codes = [read_language(Params({"language": word})) for word in words if word]
    return sorted({code.partition("-")[0].lower() for code in codes if code})


@routes.post("/api/v1/accounts/{id}/unfollow")
async def unfollow(request: web.Request) -> web.Response:
    """The actor neither follows the account nor asks to."""
    return await relate(
        request,
        lambda tx, call, actor, target: relations.unfollow(tx, call.urls, actor, target, now=call.now),
        scope="write:follows",
    )


@routes.post("/api/v1/accounts/{id}/remove_from_followers")
async def remove_from_followers(request: web.Request) -> web.Response:
    """The account does not follow the actor."""
    return await relate(
        request,
        lambda tx, call, actor, target: relations.remove_follower(tx, call.urls, actor, target, now=call.now),
        scope="write:follows",
    )


@routes.post("/api/v1/accounts/{id}/block")
async def block(request: web.Request) -> web.Response:
    """The actor blocks the account."""
    return await relate(
        request,
        lambda tx, call, actor, target: relations.block(tx, call.urls, actor, target, now=call.now),
        scope="write:blocks",
    )


@routes.post("/api/v1/accounts/{id}/unblock")
async def unblock(request: web.Request) -> web.Response:
    """The actor does not block the account."""
    return await relate(
        request,
        lambda tx, call, actor, target: relations.unblock(tx, call.urls, actor, target, now=call.now),
        scope="write:blocks",
    )


@routes.post("/api/v1/accounts/{id}/mute")
async def mute(request: web.Request) -> web.Response:
    """The actor does not see the account's posts, for some seconds or for good."""
    sent = await params.read(request)
    too = sent.flag("notifications", default=True)
    seconds = sent.integer("duration", 0, low=0, high=_TEN_YEARS)
    return await relate(
        request,
        lambda tx, call, actor, target: relations.mute(
            tx,
            actor,
            target,
            now=call.now,
            notifications_too=too,
            expires_at=call.now + seconds * SECOND if seconds else None,
        ),
        scope="write:mutes",
    )


@routes.post("/api/v1/accounts/{id}/unmute")
async def unmute(request: web.Request) -> web.Response:
    """The actor sees the account's posts."""
    return await relate(
        request,
        lambda tx, _call, actor, target: relations.unmute(tx, actor, target),
        scope="write:mutes",
    )


@routes.post("/api/v1/accounts/{id}/note")
async def note(request: web.Request) -> web.Response:
    """What the actor notes down about the account, for itself alone; nothing sent is no note."""
    comment = (await params.read(request)).text("comment")
    return await relate(
        request,
        lambda tx, call, actor, target: private_notes.write(tx, actor, target, comment, now=call.now),
        scope="write:accounts",
    )


@routes.post("/api/v1/follow_requests/{account_id}/authorize")
async def authorize(request: web.Request) -> web.Response:
    """The account follows the actor, as it asked to."""
    return await relate(
        request,
        lambda tx, call, actor, target: relations.accept_follow(tx, call.urls, actor, target, now=call.now),
        scope="write:follows",
        name="account_id",
    )


@routes.post("/api/v1/follow_requests/{account_id}/reject")
async def reject(request: web.Request) -> web.Response:
    """The account's wish to follow is refused."""
    return await relate(
        request,
        lambda tx, call, actor, target: relations.reject_follow(tx, call.urls, actor, target, now=call.now),
        scope="write:follows",
        name="account_id",
    )


@routes.get("/api/v1/follow_requests")
async def follow_requests(request: web.Request) -> web.Response:
    """Who asks to follow the actor."""
    page = page_of(query(request), ACCOUNTS)

    def work(tx: Connection, call: Call) -> Listing:
        return listings.accounts(tx, relations.requests_page(tx, call.actor_id, page), call)

    return await respond.read(request, work, scope="read:follows")


@routes.get("/api/v1/blocks")
async def blocks(request: web.Request) -> web.Response:
    """Whom the actor blocks."""
    page = page_of(query(request), ACCOUNTS)

    def work(tx: Connection, call: Call) -> Listing:
        return listings.accounts(tx, relations.blocks_page(tx, call.actor_id, page), call)

    return await respond.read(request, work, scope="read:blocks")


@routes.get("/api/v1/mutes")
async def mutes(request: web.Request) -> web.Response:
    """Whom the actor mutes, and until when."""
    page = page_of(query(request), ACCOUNTS)

    def work(tx: Connection, call: Call) -> Listing:
        pairs = relations.mutes_page(tx, call.actor_id, page, now=call.now)
        rows = loading.in_order(tx, [actor_id for _, actor_id in pairs])
        ids = [row.id for row in rows]
        found = relations.relationships(tx, call.actor_id, ids, now=call.now) if ids else []
        items = [
            entities.muted_account(row, call.site, facts.muting_expires_at)
            for row, facts in zip(rows, found, strict=True)
        ]
        return Listing(items, [cursor for cursor, _ in pairs])

    return await respond.read(request, work, scope="read:mutes")
