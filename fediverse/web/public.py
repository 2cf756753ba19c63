"""Pages for anybody: the start page, profiles, posts, hashtags."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final
from urllib.parse import urlencode

from aiohttp import hdrs, web
from sqlalchemy import Connection, Row

from fediverse import keys, loading, statuses, timelines
from fediverse.actors import directory, relations
from fediverse.drafts import Visibility
from fediverse.entities import StatusView
from fediverse.errors import Gone, NotFound
from fediverse.paging import Page
from fediverse.params import read_id
from fediverse.urls import Urls
from fediverse.web import negotiation, profiles, render, writing
from fediverse.web.crowd import once_for_all
from fediverse.web.visit import Visit, page_number, read, see_other

routes = web.RouteTableDef()

_POSTS: Final = 20
_PEOPLE: Final = 40
_NO_ACCOUNT: Final = "There is no such account."
_NO_POST: Final = "This post does not exist, or you may not see it."

#: A handle in an address: a local name, or ``name@host`` with an optional port.
ACCT: Final = r"{acct:[A-Za-z0-9_](?:[A-Za-z0-9_.-]*[A-Za-z0-9_])?(?:@[^/@\s]+)?}"


@routes.get("/")
@once_for_all
async def landing(request: web.Request) -> web.StreamResponse:
    """The start page: what this instance is, and its latest public posts. Who is signed in is led home."""
    page = Page(_POSTS, max_id=page_number(request))

    def work(tx: Connection, visit: Visit) -> list[StatusView]:
        if visit.actor is not None:
            return []
        rows = timelines.public(tx, page, viewer_id=None, now=visit.now, local=True)
        return loading.statuses(tx, rows, None)

    visit, views = await read(request, work)
    if visit.actor is not None:
        return see_other("/home")
    return render.public_page(
        visit,
        "timeline.html",
        heading=visit.info.name,
        welcome=page.max_id is None,
        card=f"{visit.urls.base_url}/",
        views=views,
        older=older(request, views, _POSTS),
        empty="Nobody has posted here yet.",
    )


@routes.get("/public")
@once_for_all
async def public(request: web.Request) -> web.Response:
    """The public timeline: of this instance, and of everywhere for those who are signed in."""
    page = Page(_POSTS, max_id=page_number(request))
    wanted = request.query.get("from") == "everywhere"

    def work(tx: Connection, visit: Visit) -> list[StatusView]:
        everywhere = wanted and visit.actor is not None
        rows = timelines.public(tx, page, viewer_id=visit.viewer_id, now=visit.now, local=not everywhere)
        return loading.statuses(tx, rows, visit.viewer_id)

    visit, views = await read(request, work)
    tabs = [("/public", "This server", not wanted), ("/public?from=everywhere", "Everywhere", wanted)]
    return render.public_page(
        visit,
        "timeline.html",
        heading="Public posts",
        tabs=tabs if visit.actor is not None else None,
        views=views,
        older=older(request, views, _POSTS),
        empty="Nobody has posted yet.",
    )


@routes.get(f"/@{ACCT}")
@once_for_all
async def profile(request: web.Request) -> web.StreamResponse:
    """Somebody's profile with their posts; for a server that asks as one, the way to the actor."""
    return await _profile(request, replies=False)


@routes.get(f"/@{ACCT}/with_replies")
@once_for_all
async def profile_with_replies(request: web.Request) -> web.StreamResponse:
    """Somebody's profile with their replies among the posts."""
    return await _profile(request, replies=True)


async def _profile(request: web.Request, *, replies: bool) -> web.StreamResponse:
    acct, urls = request.match_info["acct"], _urls(request)
    if "@" not in acct and negotiation.wants_activity(request):
        return to_document(urls.actor(acct))
    page = Page(_POSTS, max_id=page_number(request))

    def work(tx: Connection, visit: Visit) -> dict[str, Any]:
        actor = by_acct(tx, visit, acct)
        viewer_id = visit.viewer_id
        shown = not actor.suspended_at
        rows = profiles.posts(tx, actor.id, page, viewer_id=viewer_id, replies=replies) if shown else []
        first = page.max_id is None and not replies and shown
        pins = profiles.pinned(tx, actor.id, viewer_id=viewer_id) if first else []
        views = loading.statuses(tx, [*pins, *rows], viewer_id)
        related = None
        if viewer_id is not None and viewer_id != actor.id:
            related = relations.relationships(tx, viewer_id, [actor.id], now=visit.now)[0]
        return {"actor": actor, "pinned": views[: len(pins)], "views": views[len(pins) :], "relation": related}

    visit, found = await read(request, work)
    actor = found["actor"]
    if actor.host and visit.actor is None:
        return to_origin(actor.url or actor.uri)
    return render.public_page(
        visit,
        "profile.html",
        link="" if actor.host else urls.actor(actor.username),
        replies=replies,
        handle_typed=f"@{urls.acct(actor.username, actor.host)} ",
        older=older(request, found["views"], _POSTS),
        **found,
    )


@routes.get(f"/@{ACCT}/followers")
async def followers(request: web.Request) -> web.StreamResponse:
    """Who follows somebody."""
    return await _people(request, "followers")


@routes.get(f"/@{ACCT}/following")
async def following(request: web.Request) -> web.StreamResponse:
    """Whom somebody follows."""
    return await _people(request, "following")


async def _people(request: web.Request, which: str) -> web.StreamResponse:
    acct, page = request.match_info["acct"], Page(_PEOPLE, max_id=page_number(request))

    def work(tx: Connection, visit: Visit) -> tuple[Row[Any], list[Row[Any]], list[tuple[int, int]]]:
        actor = by_acct(tx, visit, acct)
        if actor.suspended_at or (actor.hide_relations and visit.viewer_id != actor.id):
            return actor, [], []
        load = relations.followers_page if which == "followers" else relations.following_page
        pairs = load(tx, actor.id, page)
        return actor, loading.in_order(tx, [other for _, other in pairs]), pairs

    visit, (actor, people, pairs) = await read(request, work)
    if actor.host and visit.actor is None:
        return to_origin(actor.url or actor.uri)
    path = render.profile_path(actor)
    name = render.display_name(actor)
    is_followers = which == "followers"
    hidden = actor.hide_relations and visit.viewer_id != actor.id
    return render.public_page(
        visit,
        "people.html",
        heading=f"Followers of {name}" if is_followers else f"Whom {name} follows",
        tabs=[(f"{path}/followers", "Followers", is_followers), (f"{path}/following", "Following", not is_followers)],
        actors=people,
        requests=False,
        empty=f"{name} keeps this list to themselves." if hidden else "Nobody yet.",
        older=more(request, pairs[-1][0]) if len(pairs) == _PEOPLE else "",
    )


@routes.get(rf"/@{ACCT}/{{id:\d{{1,19}}}}")
@once_for_all
async def post(request: web.Request) -> web.StreamResponse:
    """A post with its thread; for a server that asks as one, the way to the Note."""
    acct, status_id, urls = request.match_info["acct"], read_id(request.match_info["id"]), _urls(request)
    if status_id is None:
        raise NotFound(_NO_POST)
    if "@" not in acct and negotiation.wants_activity(request):
        return to_document(urls.status(acct, status_id))

    def work(tx: Connection, visit: Visit) -> dict[str, Any]:
        row, author = find_post(tx, visit, acct, status_id)
        above, below = timelines.context(tx, row, visit.viewer_id)
        views = loading.statuses(tx, [*above, row, *below], visit.viewer_id)
        at = next(i for i, view in enumerate(views) if view.status.id == row.id)
        draft = writing.reply_to(visit, row, author) if visit.actor is not None else None
        return {"view": views[at], "above": views[:at], "below": views[at + 1 :], "draft": draft, "problem": ""}

    visit, found = await read(request, work)
    view = found["view"]
    if not view.status.local and visit.actor is None:
        return to_origin(view.status.url or view.status.uri)
    link = urls.status(view.author.username, view.status.id) if view.status.local else ""
    return render.public_page(visit, "post.html", link=link, **found)


@routes.get("/tags/{tag}")
@once_for_all
async def tag(request: web.Request) -> web.Response:
    """The public posts under a hashtag."""
    name, page = request.match_info["tag"], Page(_POSTS, max_id=page_number(request))

    def work(tx: Connection, visit: Visit) -> tuple[str, list[StatusView]]:
        found = statuses.find_tag(tx, name)
        if found is None:
            return name, []
        local = visit.viewer_id is None
        rows = timelines.tag(tx, [found.id], page, viewer_id=visit.viewer_id, now=visit.now, local=local)
        return found.display, loading.statuses(tx, rows, visit.viewer_id)

    visit, (display, views) = await read(request, work)
    return render.public_page(
        visit,
        "timeline.html",
        heading=f"#{display}",
        feed=f"{render.tag_path(name)}.atom",
        index=bool(views),
        views=views,
        older=older(request, views, _POSTS),
        empty=f"Nothing has been posted under #{display} yet.",
    )


def by_acct(tx: Connection, visit: Visit, acct: str) -> Row[Any]:
    """The actor that an address names: known here, and not deleted. Raises NotFound, or Gone for a deleted one."""
    username, _, host = acct.partition("@")
    actor = directory.by_handle(tx, username, "" if host == visit.urls.domain else host)
    if actor is None:
        raise NotFound(_NO_ACCOUNT)
    if actor.deleted_at is not None:
        raise Gone("This account was deleted.")
    return actor


def find_post(tx: Connection, visit: Visit, acct: str, status_id: int) -> tuple[Row[Any], Row[Any]]:
    """The post at ``/@acct/id`` and its author, as far as the visitor may see it.

    Raises NotFound, the same for what is not there and for what is not for the visitor; Gone for what was public.
    """
    row = statuses.by_id(tx, status_id)
    author = directory.by_id(tx, row.author_id) if row is not None else None
    if row is None or author is None or visit.urls.acct(author.username, author.host).lower() != acct.lower():
        raise NotFound(_NO_POST)
    if row.deleted_at is not None and row.visibility <= Visibility.UNLISTED:
        raise Gone("This post was deleted.")
    return statuses.get_visible(tx, status_id, visit.viewer_id), author


def older(request: web.Request, views: Sequence[StatusView], size: int) -> str:
    """The address of the page after these posts; empty where there can be none."""
    return more(request, views[-1].status.id) if len(views) >= size else ""


def more(request: web.Request, last_id: int) -> str:
    """The address of the page that begins below an id."""
    kept = [(name, value) for name, value in request.query.items() if name != "max_id"]
    return f"{request.rel_url.raw_path}?{urlencode([*kept, ('max_id', last_id)])}"


def to_document(url: str) -> web.Response:
    """The way to the ActivityPub id behind a page, whether or not there is anything: that is said there."""
    return web.Response(status=302, headers={hdrs.LOCATION: url, hdrs.VARY: negotiation.VARY})


def to_origin(url: str) -> web.Response:
    """The way to the page on the server that it comes from; strangers get no copies here."""
    return web.Response(status=302, headers={hdrs.LOCATION: url, hdrs.VARY: "Accept, Cookie"})


def _urls(request: web.Request) -> Urls:
    return request.app[keys.URLS]
