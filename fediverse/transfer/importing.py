"""Imports are worked: twenty rows a turn, a few look-ups at once, and a pause after each turn that asked others."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final, cast

from sqlalchemy import Connection, Row

from fediverse import clock, jobs, lists, reactions, statuses
from fediverse.actors import directory, hidden_hosts, relations
from fediverse.actors.discovery import Discovery
from fediverse.clock import SECOND, Instant
from fediverse.db import Database, savepoint
from fediverse.errors import FediverseError, Invalid, NotFound
from fediverse.text import split_handle
from fediverse.transfer import exporting, formats, imports
from fediverse.transfer.formats import Kind
from fediverse.urls import Urls

_ROWS: Final = 20
_LOOK_UPS: Final = 4
_PAUSE: Final = 5 * SECOND
_PRUNED_AT_ONCE: Final = 100
_NOBODY: Final = "There is no such account, or its server cannot be asked."
_NOTHING: Final = "There is no such post, or its server cannot be asked."


class Importer:
    """Works imports."""

    def __init__(self, database: Database, discovery: Discovery, urls: Urls) -> None:
        self._database = database
        self._discovery = discovery
        self._urls = urls

    def job_kinds(self) -> dict[str, jobs.Job]:
        """The jobs of this room."""
        return {imports.KIND: self._work}

    async def _work(self, payload: Mapping[str, Any]) -> None:
        """One part of an import is done, and the next is queued."""
        job, actor, rows = await self._database.read(_next, payload["import_id"])
        if job is None:
            return
        if actor is None or not rows:
            await self._database.write(imports.finish, job.id, now=clock.now())
        elif job.overwrite and not job.pruned:
            await self._database.write(_prune, self._urls, job, actor, now=clock.now())
        else:
            limit = asyncio.Semaphore(_LOOK_UPS)
            found = await asyncio.gather(*(self._find(job.kind, row.data, limit) for row in rows))
            targets = dict(zip([row.id for row in rows], found, strict=True))
            await self._database.write(_take_in, self._urls, job, actor, rows, targets, now=clock.now())

    async def _find(self, kind: Kind, data: Mapping[str, Any], limit: asyncio.Semaphore) -> Row[Any] | None:
        """The account or post of a row, looked up on its server when unknown; None when it cannot be had."""
        async with limit:
            try:
                if kind == "bookmarks":
                    return await self._discovery.find_object(data["uri"])
                if kind == "domain_blocks":
                    return None
                username, host = split_handle(data["acct"])
                return await self._discovery.find_handle(username, host or "")
            except FediverseError:
                return None


def _next(tx: Connection, import_id: int) -> tuple[Row[Any] | None, Row[Any] | None, Sequence[Row[Any]]]:
    """The import, its actor unless that may act no longer, and the rows that are next."""
    job = imports.get(tx, import_id)
    if job is None:
        return None, None, ()
    actor = directory.by_id(tx, job.actor_id)
    gone = actor is None or actor.deleted_at is not None or actor.suspended_at is not None
    return job, None if gone else actor, imports.waiting(tx, import_id, limit=_ROWS)


def _take_in(
    tx: Connection,
    urls: Urls,
    job: Row[Any],
    actor: Row[Any],
    rows: Sequence[Row[Any]],
    targets: Mapping[int, Row[Any] | None],
    *,
    now: Instant,
) -> None:
    done: list[int] = []
    problems: dict[int, str] = {}
    for row in rows:  # each is a deed of its own, with activities, counters and timelines
        try:
            with savepoint(tx):
                _APPLY[cast(Kind, job.kind)](tx, urls, actor, row.data, targets[row.id], now)
            done.append(row.id)
        except FediverseError as error:
            problems[row.id] = error.message
    imports.settle(tx, job.id, done, problems)
    asked_others = job.kind != "domain_blocks" and any(map(_may_be_elsewhere, targets.values()))
    pause = _PAUSE if asked_others and len(rows) == _ROWS else 0
    imports.go_on(tx, job.id, step=str(rows[-1].id), due_at=now + pause)


def _may_be_elsewhere(target: Row[Any] | None) -> bool:
    return target is None or not getattr(target, "local", getattr(target, "host", None) == "")


def _account(target: Row[Any] | None) -> Row[Any]:
    if target is None:
        raise NotFound(_NOBODY)
    return target


def _follow(
    tx: Connection, urls: Urls, actor: Row[Any], data: Mapping[str, Any], target: Row[Any] | None, now: Instant
) -> None:
    relations.follow(
        tx,
        urls,
        actor,
        _account(target),
        now=now,
        show_boosts=data.get("boosts"),
        notify=data.get("notify"),
        languages=data.get("languages") or None,
    )


def _block(
    tx: Connection, urls: Urls, actor: Row[Any], _data: Mapping[str, Any], target: Row[Any] | None, now: Instant
) -> None:
    relations.block(tx, urls, actor, _account(target), now=now)


def _mute(
    tx: Connection, _urls: Urls, actor: Row[Any], data: Mapping[str, Any], target: Row[Any] | None, now: Instant
) -> None:
    relations.mute(tx, actor, _account(target), now=now, notifications_too=data.get("notifications", True))


def _put_on_list(
    tx: Connection, _urls: Urls, actor: Row[Any], data: Mapping[str, Any], target: Row[Any] | None, now: Instant
) -> None:
    member, title = _account(target), data["list"]
    if any(one.title == title for one in lists.holding(tx, actor.id, member.id)):
        return
    found = next((one for one in lists.all_of(tx, actor.id) if one.title == title), None)
    if found is None:
        found = lists.create(tx, actor.id, title=title, now=now)
    lists.add_members(tx, actor.id, found.id, [member.id])


def _bookmark(
    tx: Connection, _urls: Urls, actor: Row[Any], _data: Mapping[str, Any], target: Row[Any] | None, now: Instant
) -> None:
    if target is None:
        raise NotFound(_NOTHING)
    reactions.bookmark(tx, actor, statuses.get_visible(tx, target.id, actor.id), now=now)


def _hide(
    tx: Connection, urls: Urls, actor: Row[Any], data: Mapping[str, Any], _target: Row[Any] | None, now: Instant
) -> None:
    if not data["domain"]:
        raise Invalid("This is no domain.")
    hidden_hosts.hide(tx, urls, actor, data["domain"], now=now)


_Apply = Callable[[Connection, Urls, Row[Any], Mapping[str, Any], Row[Any] | None, Instant], None]
_APPLY: Final[Mapping[Kind, _Apply]] = {
    "following": _follow,
    "blocks": _block,
    "mutes": _mute,
    "lists": _put_on_list,
    "bookmarks": _bookmark,
    "domain_blocks": _hide,
}


def _prune(tx: Connection, urls: Urls, job: Row[Any], actor: Row[Any], *, now: Instant) -> None:
    """Some of what the actor has and the file has not is removed; once nothing is left of it, rows are taken in."""
    kind = cast(Kind, job.kind)
    wanted = {formats.key(kind, row.data, urls.domain) for row in imports.waiting(tx, job.id)}
    there = exporting.entries(tx, urls, actor.id, kind)
    odd = [entry for entry in there if formats.key(kind, entry.row, urls.domain) not in wanted][:_PRUNED_AT_ONCE]
    ids = [entry.about_id for entry in odd]
    accounts = directory.by_ids(tx, ids) if kind in {"following", "blocks", "mutes"} else {}
    posts = statuses.by_ids(tx, ids) if kind == "bookmarks" else {}
    named = {one.title: one.id for one in lists.all_of(tx, actor.id)} if kind == "lists" else {}
    for entry in odd:
        if kind == "following":
            relations.unfollow(tx, urls, actor, accounts[entry.about_id], now=now)
        elif kind == "blocks":
            relations.unblock(tx, urls, actor, accounts[entry.about_id], now=now)
        elif kind == "mutes":
            relations.unmute(tx, actor, accounts[entry.about_id])
        elif kind == "bookmarks":
            reactions.unbookmark(tx, actor, posts[entry.about_id])
        elif kind == "lists":
            lists.remove_members(tx, actor.id, named[entry.row["list"]], [entry.about_id])
        else:
            hidden_hosts.show(tx, actor.id, entry.row["domain"])
    if len(odd) < _PRUNED_AT_ONCE:
        imports.set_pruned(tx, job.id)
    imports.go_on(tx, job.id, step=f"pruned:{odd[-1].about_id if odd else 0}:{len(there)}", due_at=now)
