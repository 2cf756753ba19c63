"""Posting: a Note with a mention, a hashtag and a link; what the reply costs, and all that follows it."""

from __future__ import annotations

from benchmarks import rows
from benchmarks.client import Driven, drive
from benchmarks.identity import Peer
from benchmarks.report import TIMES, Figure
from benchmarks.stage import ACCOUNT, Setting, Stage, checked, figure, stage

_WARM_UP = 10


async def run(setting: Setting) -> dict[str, list[Figure]]:
    """To one follower; then with few and with very many."""
    async with stage(setting) as place:
        return {"post": [*await to_one(place), *await to_many(place)]}


def text(reader: Peer, mark: str) -> str:
    """What is posted: under 140 characters, a link counting 23 and a mention without its host."""
    return f"{reader.handle} the numbers of today are out, see {reader.base}/page/{mark} and tell us #benchmark"


async def to_one(place: Stage) -> list[Figure]:
    """One after the other and eight at once, to one follower who is also the one mentioned."""
    (reader,) = place.hosts.peers("shared", 1)
    await place.meet([reader])
    rows.give_followers(place.server.database, ACCOUNT, reader, [reader])
    checked(await drive(place.client, [place.post(text(reader, f"w{n}")) for n in range(_WARM_UP)]), _WARM_UP)
    figures = []
    count = place.sizes.posts
    for at_once, what in ((1, "one after the other"), (8, "8 at once")):
        requests = [place.post(text(reader, f"{at_once}-{n}")) for n in range(count)]
        driven, reading = await place.measured(requests, at_once=at_once)
        checked(driven, count)
        figures.append(figure(f"posts, {what}", driven, reading, count=count, bound="post"))
    return figures


async def to_many(place: Stage) -> list[Figure]:
    """The same with few followers and with very many, on as few servers: half of the replies take as long."""
    sizes = place.sizes
    (model,) = place.hosts.peers("shared", 1)
    await place.meet([model])
    hosts = min(sizes.few_followers, sizes.hosts)
    found: list[tuple[Figure, Driven, Driven]] = []
    for count in (sizes.few_followers, sizes.many_followers):
        spread = place.hosts.peers("shared", hosts)
        followers = [Peer(spread[n % hosts].base, f"shared{n}") for n in range(count)]
        rows.give_followers(place.server.database, ACCOUNT, model, followers)
        checked(await drive(place.client, [place.post(text(model, f"w{count}-{n}")) for n in range(3)]), 3)
        requests = [place.post(text(model, f"b{count}-{n}")) for n in range(sizes.posts_compared)]
        busy, reading = await place.measured(requests)
        checked(busy, sizes.posts_compared)
        calm = Driven()
        for number in range(sizes.posts_compared):
            await place.tree.quiet()
            one = await drive(place.client, [place.post(text(model, f"c{count}-{number}"))])
            checked(one, 1)
            calm.latencies += one.latencies
        cost = figure(f"posts to {count} followers", busy, reading, count=sizes.posts_compared, bound=None)
        cost.detail["latency_when_settled"] = calm.latency()
        found.append((cost, busy, calm))
    (few, few_busy, few_calm), (many, many_busy, many_calm) = found
    contended = few.contended or many.contended
    versus = f"p50 with {sizes.many_followers} : {sizes.few_followers} followers"
    return [
        few,
        many,
        _ratio(f"{versus}, each post settled", many_calm, few_calm, contended=contended),
        _ratio(f"{versus}, back to back", many_busy, few_busy, contended=contended),
    ]


def _ratio(what: str, many: Driven, few: Driven, *, contended: bool) -> Figure:
    value = many.percentile(0.5) / few.percentile(0.5)
    return Figure(what, value, TIMES, bound="flat", contended=contended)
