"""Reading: the timelines and notifications of an account that has read a while, sixteen readers at once.

For groups of notifications half of the page is liked posts, each by all of the authors.
"""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from typing import Any

from benchmarks import inbox
from benchmarks.client import drive
from benchmarks.report import Figure
from benchmarks.server import BenchmarkError
from benchmarks.stage import Setting, Stage, checked, figure, stage

PATHS = {
    "home": "/api/v1/timelines/home?limit=20",
    "public": "/api/v1/timelines/public?limit=20",
    "notifications": "/api/v1/notifications?limit=20",
    "hashtag": f"/api/v1/timelines/tag/{inbox.HASHTAG}?limit=20",
}
GROUPS = "/api/v2/notifications?limit=20"
AT_ONCE = 16
_CONTEXTS = ["home", "public", "notifications"]


async def run(setting: Setting) -> dict[str, list[Figure]]:
    """All of them, on one filled database."""
    async with stage(setting) as place:
        await inbox.fill(place, place.sizes.timeline)
        paths = {**PATHS, "list": f"/api/v1/timelines/list/{await _make_list(place)}?limit=20"}
        found = {name: await read(place, name, path) for name, path in paths.items()}
        await inbox.like(place, 10)
        found["groups"] = await read(place, "groups", GROUPS)
        await _turn_away(place)
        for name in ("home", "public", "list", "hashtag"):
            found[name] += await read(place, name, paths[name], more=", with filters, mutes and blocks")
        return found


async def _followed(place: Stage) -> Sequence[dict[str, Any]]:
    """Those whom the account follows."""
    me = await place.json(place.get("/api/v1/accounts/verify_credentials"))
    found: list[dict[str, Any]] = await place.json(place.get(f"/api/v1/accounts/{me['id']}/following?limit=80"))
    return found


async def _make_list(place: Stage) -> str:
    """A list of those whom the account follows; its id."""
    made: str = (await place.json(place.send("/api/v1/lists", {"title": "all"})))["id"]
    members = [account["id"] for account in await _followed(place)]
    await place.json(place.send(f"/api/v1/lists/{made}/accounts", {"account_ids": members}))
    return made


async def _turn_away(place: Stage) -> None:
    """The account filters some words, mutes one of those whom it follows and blocks another."""
    for number in range(10):
        keywords = [{"keyword": f"word{number}{place_}"} for place_ in range(5)]
        action = "hide" if number % 2 else "warn"
        sent = {"title": f"{number}", "context": _CONTEXTS, "filter_action": action, "keywords_attributes": keywords}
        await place.json(place.send("/api/v2/filters", sent))
    for verb, account in zip(("mute", "block"), await _followed(place), strict=False):
        await place.json(place.send(f"/api/v1/accounts/{account['id']}/{verb}", {}))
    await place.tree.quiet()


async def read(place: Stage, name: str, path: str, *, more: str = "") -> list[Figure]:
    """The same page again and again: by one reader, then by many."""
    request = place.get(path)
    shown = await place.json(request)
    items = len(shown["notification_groups"] if name == "groups" else shown)
    if items != 20:
        raise BenchmarkError(f"{path} has {items} entries, not 20.")
    return await repeated(place, f"GET {path.partition('?')[0]}{more}", request, bound=name)


async def repeated(place: Stage, what: str, request: bytes, *, bound: str) -> list[Figure]:
    """One request again and again, for as many seconds as the sizes say."""
    answer = await place.client.ask(request)
    await drive(place.client, itertools.repeat(request), at_once=AT_ONCE, seconds=place.sizes.seconds / 5)
    figures = []
    for at_once in (1, AT_ONCE):
        driven, reading = await place.measured(
            itertools.repeat(request), at_once=at_once, seconds=place.sizes.seconds, aftermath=False
        )
        count = len(driven.latencies)
        checked(driven, count)
        shown = f"{what}, {at_once} at once"
        limit = bound if at_once == AT_ONCE else None
        figures.append(figure(shown, driven, reading, count=count, bound=limit, bytes=len(answer.body)))
    return figures
