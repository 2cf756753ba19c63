"""Searching by words in very many posts: how long a reader waits."""

from __future__ import annotations

import itertools
import random
from collections.abc import Iterator
from urllib.parse import quote

from benchmarks import rows
from benchmarks.client import drive
from benchmarks.report import MILLISECONDS, Figure
from benchmarks.server import BenchmarkError
from benchmarks.stage import Setting, Stage, checked, figure, stage

_VOCABULARY = 20_000
_WORDS = 16
_AT_ONCE = 8
_FOUND = 20
# By how common their words are: "w0" is in two posts of three, "w9" in one of eight.
QUERIES = {
    "a word of two posts in three": "w0",
    "two common words": "w1 w3",
    "a phrase": '"w0 w1"',
    "without another": "w4 -w0",
    "by its author, no reply": "w2 from:me -is:reply",
    "a common and a rare word": "w0 {rare}",
    "a rare word": "{rare}",
    "nothing": "w0 nowhere",
}


async def run(setting: Setting) -> dict[str, list[Figure]]:
    """Each search again and again, by one reader."""
    async with stage(setting) as place:
        rare = await _write(place, place.sizes.searched_written)
        rows.multiply_posts(place.server.database, place.sizes.searched)
        place.reconnect()  # copying takes longer than a connection may be idle
        stored = rows.stored_notes(place.server.database)
        return {
            "search": [
                await _search(place, f"{what}, {stored} stored", query.format(rare=rare))
                for what, query in QUERIES.items()
            ]
        }


async def _write(place: Stage, count: int) -> str:
    """So many posts are there, in words as common as those of a language; returns one that only one of them has."""
    chance = random.Random(count)
    weights = list(itertools.accumulate(1 / (rank + 1) for rank in range(_VOCABULARY)))
    texts = [
        " ".join(f"w{n}" for n in chance.choices(range(_VOCABULARY), cum_weights=weights, k=_WORDS))
        for _ in range(count - 1)
    ]
    chance.shuffle(texts)
    requests = [place.post(text) for text in [*texts, "w0 w1 rarity"]]
    checked(await drive(place.client, requests, at_once=_AT_ONCE), count)
    await place.tree.quiet()
    return "rarity"


async def _search(place: Stage, what: str, query: str) -> Figure:
    """How long half of the replies take at most, in milliseconds."""
    request = place.get(f"/api/v2/search?type=statuses&limit={_FOUND}&q={quote(query)}")
    found = len((await place.json(request))["statuses"])
    if (found == 0) is not ("nowhere" in query):
        raise BenchmarkError(f"A search for {query} found {found} posts.")
    driven, reading = await place.measured(_again(request), seconds=place.sizes.seconds / 5, aftermath=False)
    count = len(driven.latencies)
    checked(driven, count)
    cost = figure(what, driven, reading, count=count, bound=None, found=found)
    shown = {**cost.detail, "cpu_s_per_1000": round(cost.value, 3)}
    return Figure(what, driven.percentile(0.5), MILLISECONDS, "search", cost.contended, shown)


def _again(request: bytes) -> Iterator[bytes]:
    return itertools.repeat(request)
