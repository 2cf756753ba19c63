"""Several processes on one database: events and counts go between them through Redis, and both live without it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path

import pytest
from limits import parse

from fediverse import events, keys, throttle
from fediverse.counts import Counts, Gathered, add_all
from fediverse.relay import Relay
from tests.conftest import MakeInstance
from tests.support import redis
from tests.support.instance import Account, Instance
from tests.support.streams import SECONDS, Stream

Two = tuple[Instance, Instance]


@pytest.fixture
def redis_server(tmp_path: Path) -> Iterator[redis.Server]:
    server = redis.Server(tmp_path)
    server.start()
    yield server
    server.stop()


@pytest.fixture
async def two(make_instance: MakeInstance, redis_server: redis.Server) -> Two:
    """Two processes' worth of one instance, as behind a load balancer."""
    one = await make_instance(redis_url=redis_server.url, rate_limits="on")
    other = await make_instance(
        redis_url=redis_server.url,
        rate_limits="on",
        base_url=one.settings.base_url,
        database_url=one.settings.database_url,
    )
    for each in (one, other):
        await until(each.app[keys.RELAY].listening.is_set)
    return one, other


async def until(true: Callable[[], object]) -> None:
    """Waits for what another process has to tell."""
    async with asyncio.timeout(SECONDS):
        while not true():
            await asyncio.sleep(0.005)


@asynccontextmanager
async def listening(other: Instance, host: str, by: Account, stream: str) -> AsyncIterator[Stream]:
    """A stream at the second process, which answers for the first one's address."""
    url = f"{other.address}/api/v1/streaming?stream={stream}"
    async with other.http.ws_connect(url, headers={**by.headers, "Host": host}) as socket:
        opened = Stream(socket)
        await opened.settled()
        yield opened


def host_of(instance: Instance) -> str:
    return instance.url.partition("//")[2]


async def test_what_happens_in_one_process_comes_to_clients_of_another(two: Two) -> None:
    one, other = two
    mira = await one.account("mira")
    async with listening(other, host_of(one), mira, "user") as stream:
        waker = other.app[keys.HUB].waker("fanouts")
        waker.clear()
        post = await one.post(mira, "from the one to the other")
        ((_, event, payload),) = await stream.events(1)
        assert (event, payload["id"]) == ("update", post["id"])
        await until(waker.is_set)
        # What is told twice would be shown twice: a process does not hear itself.
        async with one.http.ws_connect(f"{one.url}/api/v1/streaming?stream=user", headers=mira.headers) as socket:
            at_home = Stream(socket)
            await at_home.settled()
            await one.call("DELETE", f"/api/v1/statuses/{post['id']}", by=mira)
            assert [event for _, event, _ in await stream.events(1)] == ["delete"]
            assert [event for _, event, _ in await at_home.events(1)] == ["delete"]
            await at_home.settled()


async def test_limits_count_for_all_processes(two: Two, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(throttle, "_EACH", parse("10 per 5 minutes"))
    one, other = two
    mira = await one.account("mira")
    headers = {**mira.headers, "Host": host_of(one)}

    async def ask(instance: Instance) -> tuple[int, str]:
        url = f"{instance.address}/api/v1/timelines/public"
        async with instance.http.get(url, headers=headers) as response:
            return response.status, response.headers["X-RateLimit-Remaining"]

    for each in two:  # whose the token is, each finds out by itself
        await ask(each)
    assert [await ask(one) for _ in range(6)] == [(200, str(left)) for left in range(9, 3, -1)]
    storage = other.app[keys.LIMITER].storage
    name = throttle._EACH.key_for("requests", f"account {mira.id}")
    await until(lambda: storage.get(name) == 6)
    assert [await ask(other) for _ in range(5)] == [(200, "3"), (200, "2"), (200, "1"), (200, "0"), (429, "0")]
    await until(lambda: one.app[keys.LIMITER].storage.get(name) >= 10)
    assert (await ask(one))[0] == 429


async def test_redis_may_be_away_and_come_back(two: Two, redis_server: redis.Server) -> None:
    one, other = two
    mira = await one.account("mira")
    relays = [each.app[keys.RELAY] for each in two]
    async with listening(other, host_of(one), mira, "user") as stream:
        redis_server.stop()
        await until(lambda: not any(relay.listening.is_set() for relay in relays))
        await one.post(mira, "nobody elsewhere hears this")
        async with other.http.post(
            f"{other.address}/api/v1/statuses",
            json={"status": "but here they do"},
            headers={**mira.headers, "Host": host_of(one)},
        ) as response:
            posted = await response.json()
        assert [payload["id"] for _, _, payload in await stream.events(1)] == [posted["id"]]
        redis_server.start()
        await until(lambda: all(relay.listening.is_set() for relay in relays))

        # What was told while the connection died may be lost, or come late.
        async def post_until_heard() -> None:
            heard = ""
            while "and now everybody" not in heard:
                await one.post(mira, "and now everybody")
                with suppress(TimeoutError):
                    heard = str((await stream.socket.receive(0.3)).data)

        await asyncio.wait_for(post_until_heard(), SECONDS)


async def test_an_instance_starts_and_serves_where_redis_is_not(make_instance: MakeInstance) -> None:
    instance = await make_instance(redis_url="redis://127.0.0.1:9/0")
    mira = await instance.account("mira")
    assert (await instance.post(mira, "all the same"))["content"] == "<p>all the same</p>"
    assert not instance.app[keys.RELAY].listening.is_set()


@pytest.mark.parametrize(
    "told",
    [
        b"\xff",
        b"[]",
        b"null",
        b'{"events": 1, "counts": []}',
        b'{"events": [1, {"kind": "Edited"}, {"kind": "No"}]}',
        b'{"counts": {"x": 1, "y": [1], "z": [-1, 5], "w": [1, -5]}}',
    ],
)
async def test_what_cannot_be_read_is_passed_over(told: bytes) -> None:
    hub, counts, heard = events.Hub(), Counts(), []
    hub.listen(events.Edited, heard.append)
    relay = Relay("redis://127.0.0.1:9/0", "test", hub, counts)
    relay._heard(told)
    assert heard == []
    assert counts.reset() == 0


def test_counts_end_by_themselves_and_are_told_once() -> None:
    now = [1000.0]
    counts, gathered = Counts(clock=lambda: now[0]), Gathered()
    counts.share = gathered
    assert [counts.incr("a", 300) for _ in range(3)] == [1, 2, 3]
    assert (counts.get("a"), counts.get("b"), counts.get_expiry("a")) == (3, 0, 1300.0)
    other = Counts(clock=lambda: now[0])
    add_all(other, gathered.take())
    assert not gathered
    assert other.get("a") == 3
    now[0] = 1300.0
    assert (counts.get("a"), counts.get_expiry("a")) == (0, 1300.0)
    assert counts.incr("c", 10) == 1
    assert counts.reset() == 1  # the one that ended was swept out
    assert counts.check()
