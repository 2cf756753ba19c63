"""Fan-out: what it costs to bring one post to many followers, until the last delivery is settled."""

from __future__ import annotations

import base64
from typing import Any

import orjson
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey
from cryptography.hazmat.primitives.serialization import load_pem_public_key

from benchmarks import rows
from benchmarks.client import Driven
from benchmarks.identity import ACTIVITY_JSON, Kind, is_well_signed, plain
from benchmarks.machine import Reading
from benchmarks.report import Figure
from benchmarks.server import BenchmarkError
from benchmarks.stage import ACCOUNT, Setting, Stage, checked, figure, stage


async def run(setting: Setting) -> dict[str, list[Figure]]:
    """Followers with inboxes of their own, then as many with shared inboxes."""
    async with stage(setting) as place:
        return {"fanout": [await spread(place, "own"), await spread(place, "shared")]}


async def spread(place: Stage, kind: Kind) -> Figure:
    """Posts to followers of one kind; every delivery is counted, and the first ones' signatures are checked."""
    sizes = place.sizes
    peers = place.hosts.peers(kind, sizes.followers)
    await place.meet(peers[:1])
    rows.give_followers(place.server.database, ACCOUNT, peers[0], peers)
    expected = {peer.shared_inbox or f"{peer.uri}/inbox" for peer in peers}
    total, deliveries, last = Driven(), 0, 0.0
    seconds = server = generator = served = others = 0.0
    # The first post opens the connections, as every server has them to those it talks to daily.
    for number in range(sizes.fanouts + 1):
        await place.peers.reset()
        driven, reading = await place.measured([place.post(f"Post {number} to everybody who follows, #benchmark")])
        checked(driven, 1)
        records = await place.peers.records()
        if number == 0:
            continue
        last = max(last, _check(records, expected))
        deliveries += len(records["deliveries"])
        total.statuses += driven.statuses
        total.latencies += driven.latencies
        total.seconds += driven.seconds
        seconds, server = seconds + reading.seconds, server + reading.server
        generator, served = generator + reading.generator, served + reading.peers
        others = max(others, reading.others)
    good = await _well_signed(place, records["samples"])
    what = f"{len(peers)} followers, {'an inbox each' if kind == 'own' else f'{len(expected)} shared inboxes'}"
    return figure(
        what,
        total,
        Reading(seconds, server, generator, served, others),
        count=deliveries,
        bound="fanout" if kind == "own" else None,
        posts=sizes.fanouts,
        first_to_last_s=round(last, 3),
        signatures_checked=good,
    )


def _check(records: dict[str, Any], expected: set[str]) -> float:
    """Seconds from the first delivery to the last. Raises BenchmarkError unless every inbox had exactly one."""
    creates = [(at, inbox) for at, inbox, kind, _ in records["deliveries"] if kind == "Create"]
    if {inbox for _, inbox in creates} != expected or len(creates) != len(expected):
        raise BenchmarkError(f"{len(creates)} deliveries came for {len(expected)} inboxes.")
    times: list[float] = [at for at, _ in creates]
    return max(times) - min(times)


async def _well_signed(place: Stage, samples: list[tuple[str, str]]) -> int:
    """How many of the deliveries were looked at. Raises BenchmarkError if one of them is not signed as it must be."""
    answer = await place.client.ask(plain("GET", place.uri, headers={"Accept": ACTIVITY_JSON}))
    key = load_pem_public_key(orjson.loads(answer.body)["publicKey"]["publicKeyPem"].encode())
    assert isinstance(key, RSAPublicKey)
    for head, body in samples:
        if not is_well_signed(head, base64.b64decode(body), key):
            raise BenchmarkError("A delivery is not signed as it must be.")
    return len(samples)
