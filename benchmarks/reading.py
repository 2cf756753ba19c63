"""Reading: the timelines and notifications of an account that has read a while, sixteen readers at once.

For groups of notifications half of the page is liked posts, each by all of the authors.
"""

from __future__ import annotations

import itertools

from benchmarks import inbox
from benchmarks.client import drive
from benchmarks.report import Figure
from benchmarks.server import BenchmarkError
from benchmarks.stage import Setting, Stage, checked, figure, stage

PATHS = {
    "home": "/api/v1/timelines/home?limit=20",
    "public": "/api/v1/timelines/public?limit=20",
    "notifications": "/api/v1/notifications?limit=20",
}
GROUPS = "/api/v2/notifications?limit=20"
AT_ONCE = 16


async def run(setting: Setting) -> dict[str, list[Figure]]:
    """All of them, on one filled database."""
    async with stage(setting) as place:
        await inbox.fill(place, place.sizes.timeline)
        found = {name: await read(place, name, path) for name, path in PATHS.items()}
        await inbox.like(place, 10)
        return {**found, "groups": await read(place, "groups", GROUPS)}


async def read(place: Stage, name: str, path: str) -> list[Figure]:
    """The same page again and again: by one reader, then by many."""
    request = place.get(path)
    shown = await place.json(request)
    items = len(shown["notification_groups"] if name == "groups" else shown)
    if items != 20:
        raise BenchmarkError(f"{path} has {items} entries, not 20.")
    return await repeated(place, f"GET {path.partition('?')[0]}", request, bound=name)


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
