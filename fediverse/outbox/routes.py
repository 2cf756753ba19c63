"""What actors here publish, as other servers fetch it: posts, activities, collections.

The ids never redirect, and what a stranger may not see does not exist: the answer is the same as for an id that was
never given.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

from aiohttp import hdrs, web
from sqlalchemy import Connection, Row, select

from fediverse import documents, keys
from fediverse.actors import directory, requester
from fediverse.actors.served import NAME, local_actor
from fediverse.documents.quotes import authorization_document
from fediverse.drafts import Visibility
from fediverse.errors import BadRequest, Forbidden, Gone, NotFound
from fediverse.ids import MAX_ID
from fediverse.outbox import activities, c2s, collections
from fediverse.paging import Page
from fediverse.serving import ANSWERS, Answer, answer, prefers_page, respond, to_page
from fediverse.site import Recent
from fediverse.statuses import quotes
from fediverse.tables.actors import follows
from fediverse.tables.statuses import statuses

routes = web.RouteTableDef()

_STATUS: Final = f"/users/{NAME}/statuses/{{id:\\d{{1,19}}}}"
_NO_POST: Final = "There is no such post here."
_GONE: Final = "This account was deleted."
_NOTES: web.AppKey[Recent] = web.AppKey("note_documents")


def add_routes(app: web.Application) -> None:
    """The application serves what its actors publish, and takes what their clients post."""
    app.add_routes(routes)
    app.add_routes(c2s.routes)
    app[_NOTES] = Recent(2048)


@routes.get(_STATUS)
async def status(request: web.Request) -> web.Response:
    """The Note; for browsers the way to its page; a Tombstone and 410 where it was deleted."""
    name, id_, urls = request.match_info["name"], _id(request.match_info["id"]), request.app[keys.URLS]
    if prefers_page(request.headers.get(hdrs.ACCEPT, "")):
        to_page(urls.status_page(name, id_))
    kept = request.app[_NOTES]

    def render(tx: Connection, row: Row[Any], author: Row[Any]) -> Answer:
        if row.boost_of_id is not None:
            raise NotFound(_NO_POST)
        key = (row.id, row.version, author.sensitized_at is not None)
        found: Answer | None = kept.get(key)
        if found is None:
            found = answer(collections.note(tx, urls, row, author), public=Visibility(row.visibility).is_public)
            kept.put(key, found)
        return found

    return await _serve_status(request, name, id_, render)


@routes.get(f"{_STATUS}/activity")
async def activity(request: web.Request) -> web.Response:
    """The Create of a post, or the Announce of a boost."""
    name, id_, urls = request.match_info["name"], _id(request.match_info["id"]), request.app[keys.URLS]
    if prefers_page(request.headers.get(hdrs.ACCEPT, "")):
        to_page(urls.status_page(name, id_))

    def render(tx: Connection, row: Row[Any], author: Row[Any]) -> Answer:
        found = collections.outbox_activities(tx, urls, [row], author)
        if not found:
            raise NotFound(_NO_POST)
        return answer(found[0], public=Visibility(row.visibility).is_public)

    return await _serve_status(request, name, id_, render)


@routes.get(f"{_STATUS}/replies")
async def replies(request: web.Request) -> web.Response:
    """The public replies to a post, oldest first."""
    name, id_, urls = request.match_info["name"], _id(request.match_info["id"]), request.app[keys.URLS]
    paged, after = "page" in request.query, _cursor(request, "min_id") or 0

    def render(tx: Connection, row: Row[Any], author: Row[Any]) -> Answer:
        part_of = urls.replies(author.username, row.id)
        found = collections.replies(tx, urls, row.id, after=after, limit=collections.PAGE + 1)
        uris = [uri for _, uri in found[: collections.PAGE]]
        more = f"{part_of}?page=true&min_id={found[-2][0]}" if len(found) > collections.PAGE else None
        public = Visibility(row.visibility).is_public
        if paged:
            page_id = f"{part_of}?page=true" + (f"&min_id={after}" if after else "")
            return answer(documents.collection_page(page_id, part_of=part_of, items=uris, next_=more), public=public)
        return answer(documents.collection(part_of, items=uris, next_=more), public=public)

    return await _serve_status(request, name, id_, render, more_key=(paged, after))


@routes.get(f"/users/{NAME}/outbox")
async def outbox(request: web.Request) -> web.Response:
    """What anybody may see of what the actor posted and boosted: an OrderedCollection in pages, newest first."""
    urls = request.app[keys.URLS]
    page = Page(collections.PAGE + 1, max_id=_cursor(request, "max_id"), min_id=_cursor(request, "min_id"))
    paged = "page" in request.query

    def read(tx: Connection, actor: Row[Any]) -> Answer:
        id_ = urls.outbox(actor.username)
        if not paged:
            total = collections.outbox_total(tx, actor)
            return answer(
                documents.ordered_collection(
                    id_, total=total, first=f"{id_}?page=true", last=f"{id_}?page=true&min_id=0"
                )
            )
        rows = collections.outbox_page(tx, actor, page)
        more = len(rows) > collections.PAGE
        # Going back, the row too many is the oldest; going forward it is the newest.
        rows = rows[1:] if more and page.forward else rows[: collections.PAGE]
        items = collections.outbox_activities(tx, urls, rows, actor)
        older = f"{id_}?page=true&max_id={rows[-1].id}" if rows and (more or page.forward) else None
        newer = f"{id_}?page=true&min_id={rows[0].id}" if rows and (page.max_id is not None or page.forward) else None
        page_id = f"{id_}?page=true" + _query(max_id=page.max_id, min_id=page.min_id)
        return answer(documents.ordered_collection_page(page_id, part_of=id_, items=items, next_=older, prev=newer))

    return await _serve_collection(request, ("outbox", paged, page.max_id, page.min_id), read)


@routes.get(f"/users/{NAME}/featured")
async def featured(request: web.Request) -> web.Response:
    """The pinned posts, in full."""
    urls = request.app[keys.URLS]

    def read(tx: Connection, actor: Row[Any]) -> Answer:
        items = collections.featured(tx, urls, actor)
        return answer(documents.ordered_collection(urls.featured(actor.username), total=len(items), items=items))

    return await _serve_collection(request, ("featured",), read)


@routes.get(f"/users/{NAME}/followers")
async def followers(request: web.Request) -> web.Response:
    """Who follows the actor: the number always, who they are unless the actor hides it."""
    return await _relations(request, followers=True)


@routes.get(f"/users/{NAME}/following")
async def following(request: web.Request) -> web.Response:
    """Whom the actor follows: the number always, who they are unless the actor hides it."""
    return await _relations(request, followers=False)


@routes.get(f"/users/{NAME}/follows/{{id:\\d{{1,19}}}}")
async def follow(request: web.Request) -> web.Response:
    """A Follow that a local actor sent: some servers answer it by its id alone, and look here what it was."""
    id_, urls = _id(request.match_info["id"]), request.app[keys.URLS]

    def read(tx: Connection, actor: Row[Any]) -> Answer:
        followee_id = tx.scalar(
            select(follows.c.followee_id).where(follows.c.id == id_, follows.c.follower_id == actor.id)
        )
        target = directory.by_id(tx, followee_id) if followee_id is not None else None
        if target is None:
            raise NotFound("There is no such follow here.")
        target_uri = directory.uri_of(urls, target)
        return answer(activities.follow(urls, actor.username, id_, target_uri=target_uri), public=False)

    return await _serve_collection(request, ("follow", id_), read)


@routes.get(f"/users/{NAME}/quote_authorizations/{{id:\\d{{1,19}}}}")
async def quote_authorization(request: web.Request) -> web.Response:
    """A local author's consent to being quoted by one post, as long as it holds (FEP-044f)."""
    id_, urls = _id(request.match_info["id"]), request.app[keys.URLS]

    def read(tx: Connection, actor: Row[Any]) -> Answer:
        found = quotes.authorization(tx, actor.id, id_)
        if found is None:
            raise NotFound("There is no such authorization here.")
        consent, quoted = found
        return answer(
            authorization_document(
                urls,
                actor.username,
                id_,
                quoting_uri=consent.quoting_uri,
                quoted_uri=urls.status(actor.username, quoted.id),
            )
        )

    return await _serve_collection(request, ("quote_authorization", id_), read)


async def _relations(request: web.Request, *, followers: bool) -> web.Response:
    urls, before, paged = request.app[keys.URLS], _cursor(request, "max_id"), "page" in request.query

    def read(tx: Connection, actor: Row[Any]) -> Answer:
        id_ = urls.followers(actor.username) if followers else urls.following(actor.username)
        total = actor.followers_count if followers else actor.following_count
        if not paged:
            first = None if actor.hide_relations else f"{id_}?page=true"
            return answer(documents.ordered_collection(id_, total=total, first=first))
        if actor.hide_relations:
            raise NotFound("This account shows only how many there are.")
        found = collections.related(tx, urls, actor, followers=followers, before=before)
        older = f"{id_}?page=true&max_id={found[-1][0]}" if len(found) == collections.RELATIONS else None
        page_id = f"{id_}?page=true" + _query(max_id=before)
        items = [uri for _, uri in found]
        return answer(documents.ordered_collection_page(page_id, part_of=id_, items=items, next_=older))

    return await _serve_collection(request, ("relations", followers, paged, before), read)


async def _serve_collection(
    request: web.Request, key: tuple[Any, ...], read: Callable[[Connection, Row[Any]], Answer]
) -> web.Response:
    """What ``read(tx, actor)`` gives to everybody whom the actor in the path does not refuse."""
    name, key_id = request.match_info["name"], requester.claimed_key(request)

    def work(tx: Connection) -> Answer:
        actor = local_actor(tx, name)
        if actor.deleted_at is not None:
            raise Gone(_GONE)
        if key_id and requester.is_refused(tx, key_id, actor.id):
            raise Forbidden(requester.REFUSED)
        return read(tx, actor)

    return respond(request, await request.app[ANSWERS].get((name, key_id, key), work), signed=bool(key_id))


async def _serve_status(
    request: web.Request,
    name: str,
    id_: int,
    render: Callable[[Connection, Row[Any], Row[Any]], Answer],
    more_key: tuple[Any, ...] = (),
) -> web.Response:
    """What ``render(tx, status, author)`` gives, to whom may see the status."""
    key_id, urls = requester.claimed_key(request), request.app[keys.URLS]

    def public(tx: Connection) -> Answer:
        row, author = _find(tx, name, id_)
        if row.deleted_at is not None and Visibility(row.visibility).is_public:
            left = documents.tombstone(urls.status(name, id_), former_type="Note", deleted=row.deleted_at)
            return answer(left, status=410)
        if author.deleted_at is not None or row.deleted_at is not None or row.visibility > Visibility.UNLISTED:
            raise NotFound(_NO_POST)
        if key_id and requester.is_refused(tx, key_id, author.id):
            raise Forbidden(requester.REFUSED)
        return render(tx, row, author)

    try:
        key = (request.match_info.route.resource, name, id_, key_id, more_key)
        return respond(request, await request.app[ANSWERS].get(key, public), signed=bool(key_id))
    except NotFound:
        signer = await requester.verified(request) if key_id else None
        if signer is None:
            raise

    def private(tx: Connection) -> Answer:
        row, author = _find(tx, name, id_)
        refused = author.deleted_at is not None or requester.is_refused(tx, key_id, author.id)
        if refused or not collections.may_fetch(tx, row, signer.actor_id):
            raise NotFound(_NO_POST)
        return render(tx, row, author)

    return respond(request, await request.app[keys.DATABASE].read(private), signed=True)


def _find(tx: Connection, name: str, id_: int) -> tuple[Row[Any], Row[Any]]:
    """A local status under its author's name, whoever may see it. Raises NotFound."""
    author = local_actor(tx, name)
    row = tx.execute(
        select(statuses).where(statuses.c.id == id_, statuses.c.author_id == author.id, statuses.c.local)
    ).one_or_none()
    if row is None:
        raise NotFound(_NO_POST)
    return row, author


def _id(digits: str) -> int:
    found = int(digits)
    if found > MAX_ID:
        raise NotFound(_NO_POST)
    return found


def _cursor(request: web.Request, name: str) -> int | None:
    value = request.query.get(name)
    if value is None:
        return None
    if not (value.isascii() and value.isdigit() and len(value) < 20 and int(value) <= MAX_ID):
        raise BadRequest(f"{name} is a number from the links of this collection.")
    return int(value)


def _query(**parameters: int | None) -> str:
    return "".join(f"&{name}={value}" for name, value in parameters.items() if value is not None)
