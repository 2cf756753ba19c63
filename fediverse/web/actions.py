"""The buttons: like, boost, pin and delete posts; follow, mute and block people."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

from aiohttp import web
from sqlalchemy import Connection, Row

from fediverse import loading, moderation, reactions, statuses
from fediverse.actors import directory, relations
from fediverse.documents.polls import MAX_OPTIONS
from fediverse.entities import StatusView
from fediverse.errors import Forbidden, NotFound
from fediverse.statuses import polls
from fediverse.web import render
from fediverse.web.public import ACCT, by_acct
from fediverse.web.visit import Visit, back, form, path_id, see_other, write

routes = web.RouteTableDef()

_Act = Callable[[Connection, Visit, Row[Any], Row[Any]], object]

#: What can be done with a post that the visitor may see: (tx, visit, post, author).
_POST_ACTS: Final[dict[str, _Act]] = {
    "like": lambda tx, v, row, author: reactions.favourite(tx, v.urls, v.me, row, author=author, now=v.now),
    "unlike": lambda tx, v, row, author: reactions.unfavourite(tx, v.urls, v.me, row, author=author, now=v.now),
    "boost": lambda tx, v, row, author: statuses.boost(tx, v.urls, v.me, row, author=author, now=v.now),
    "unboost": lambda tx, v, row, author: statuses.unboost(tx, v.urls, v.me, row, author=author, now=v.now),
    "pin": lambda tx, v, row, _author: reactions.pin(tx, v.urls, v.me, row, now=v.now),
    "unpin": lambda tx, v, row, _author: reactions.unpin(tx, v.urls, v.me, row, now=v.now),
}

_CHOICES: Final = {str(number) for number in range(MAX_OPTIONS)}

_Relate = Callable[[Connection, Visit, Row[Any]], object]

#: What can be done with somebody: (tx, visit, them).
_PERSON_ACTS: Final[dict[str, _Relate]] = {
    "follow": lambda tx, v, other: relations.follow(tx, v.urls, v.me, other, now=v.now),
    "unfollow": lambda tx, v, other: relations.unfollow(tx, v.urls, v.me, other, now=v.now),
    "accept": lambda tx, v, other: relations.accept_follow(tx, v.urls, v.me, other, now=v.now),
    "reject": lambda tx, v, other: relations.reject_follow(tx, v.urls, v.me, other, now=v.now),
    "remove_follower": lambda tx, v, other: relations.remove_follower(tx, v.urls, v.me, other, now=v.now),
    "block": lambda tx, v, other: relations.block(tx, v.urls, v.me, other, now=v.now),
    "unblock": lambda tx, v, other: relations.unblock(tx, v.urls, v.me, other, now=v.now),
    "mute": lambda tx, v, other: relations.mute(tx, v.me, other, now=v.now),
    "unmute": lambda tx, v, other: relations.unmute(tx, v.me, other),
}


@routes.post(r"/posts/{id:\d{1,19}}/{verb:" + "|".join(_POST_ACTS) + "}")
async def act_on_post(request: web.Request) -> web.Response:
    """It is done, and the visitor is back where they were; a script gets the post as it is now instead."""
    sent = await form(request)
    status_id, act = path_id(request), _POST_ACTS[request.match_info["verb"]]

    def work(tx: Connection, visit: Visit) -> StatusView:
        row, author = _visible(tx, visit, status_id)
        act(tx, visit, row, author)
        return loading.status(tx, statuses.get_visible(tx, row.id, visit.me.id), visit.me.id)

    visit, view = await write(request, work)
    if request.headers.get("X-Fragment") == "post":
        return render.fragment(visit, view)
    return see_other(back(sent, render.post_path(view)))


@routes.post(r"/posts/{id:\d{1,19}}/vote")
async def vote(request: web.Request) -> web.Response:
    """The visitor has voted, and is back where they were."""
    sent = await form(request)
    status_id = path_id(request)
    choices = [int(word) for word in sent.words("choice", most=MAX_OPTIONS) if word in _CHOICES]

    def work(tx: Connection, visit: Visit) -> str:
        row, author = _visible(tx, visit, status_id)
        row = polls.vote(tx, visit.urls, visit.me, row, choices, author=author, now=visit.now)
        return render.post_path(StatusView(row, author))

    _, path = await write(request, work)
    return see_other(back(sent, path))


@routes.post(r"/posts/{id:\d{1,19}}/delete")
async def delete_post(request: web.Request) -> web.Response:
    """The visitor's own post is gone; for moderators, anybody's."""
    sent = await form(request)
    status_id = path_id(request)

    def work(tx: Connection, visit: Visit) -> str:
        me = visit.me
        if visit.moderates:
            row = statuses.by_id(tx, status_id)
            if row is None or row.deleted_at is not None:
                raise NotFound("This post does not exist.")
        else:
            row = statuses.get_visible(tx, status_id, me.id)
        author = directory.by_id(tx, row.author_id)
        if author is None or (author.id != me.id and not visit.moderates):
            raise Forbidden("Only its author and moderators may delete a post.")
        statuses.delete(tx, visit.urls, row, author=author, now=visit.now)
        if author.id != me.id:
            target = statuses.uri_of(visit.urls, row, author)
            moderation.audit(tx, visit.person_id, action="status.delete", target=target, now=visit.now)
        return f"{render.profile_path(author)}/{row.id}"

    _, path = await write(request, work)
    target = back(sent, "/home")
    return see_other("/home" if target.partition("#")[0].partition("?")[0] == path else target)


@routes.post(f"/@{ACCT}/{{verb:" + "|".join(_PERSON_ACTS) + "}")
async def act_on_person(request: web.Request) -> web.Response:
    """It is done, and the visitor is back where they were."""
    sent = await form(request)
    acct, verb = request.match_info["acct"], request.match_info["verb"]

    def work(tx: Connection, visit: Visit) -> Row[Any]:
        other = by_acct(tx, visit, acct)
        _PERSON_ACTS[verb](tx, visit, other)
        return other

    _, other = await write(request, work)
    default = "/requests" if verb in {"accept", "reject"} else render.profile_path(other)
    return see_other(back(sent, default))


def _visible(tx: Connection, visit: Visit, status_id: int) -> tuple[Row[Any], Row[Any]]:
    """The post (for a boost, what it boosts), and its author."""
    row = statuses.get_visible(tx, status_id, visit.me.id)
    if row.boost_of_id is not None:
        row = statuses.get_visible(tx, row.boost_of_id, visit.me.id)
    author = directory.by_id(tx, row.author_id)
    if author is None:
        raise NotFound("This post does not exist.")
    return row, author
