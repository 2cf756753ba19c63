"""Signers that nobody knows, made up to have us ask a third server: how many of them one address may name."""

from __future__ import annotations

import asyncio
import json
from collections import Counter
from collections.abc import Iterable
from typing import Any

import pytest
from aiohttp import web
from limits import parse

from fediverse import throttle
from tests.conftest import MakeInstance
from tests.peers.scripted import AP, Actor, Server, rsa_key, signed
from tests.support.instance import Account, Instance

LIMIT = 10
KEY = rsa_key()


@pytest.fixture(autouse=True)
def small(monkeypatch: pytest.MonkeyPatch) -> None:
    """A limit that is reached soon."""
    monkeypatch.setattr(throttle, "_FAILED_LOOK_UPS", parse(f"{LIMIT} per 5 minutes"))


@pytest.fixture
async def limited(make_instance: MakeInstance) -> Instance:
    return await make_instance(rate_limits="on", trusted_proxies="127.0.0.0/8")


@pytest.fixture
async def alice(limited: Instance) -> Account:
    return await limited.account("alice")


@pytest.fixture
def mallory(peer: Server) -> Actor:
    return peer.actor("mallory")


def ghosts(server: Server, number: int, start: int = 0) -> list[Actor]:
    """Actors of whom their server has never heard."""
    return [Actor(server, f"ghost{n}", KEY) for n in range(start, start + number)]


async def deliver(instance: Instance, actors: Iterable[Actor], via: str = "198.51.100.7", **options: Any) -> list[int]:
    """What the inbox answers to a Like of each, all from one address, one after the other."""
    extra = {"X-Forwarded-For": via}
    return [
        await actor.server.send(
            actor, f"{instance.url}/inbox", actor.activity("Like", instance.url), extra=extra, **options
        )
        for actor in actors
    ]


async def get(instance: Instance, actor: Actor, url: str) -> tuple[int, str]:
    """(status, text) of the answer to a GET that the actor signs."""
    headers = signed(actor, url, b"", method="GET", covered="(request-target) host date")
    async with instance.http.get(url, headers=[*headers, ("Accept", AP)]) as response:
        return response.status, await response.text()


@pytest.mark.attack("SIG-15")
async def test_made_up_signers_have_a_third_server_asked_so_often_only(
    limited: Instance, mallory: Actor, other_peer: Server
) -> None:
    assert await deliver(limited, ghosts(other_peer, LIMIT + 5)) == [401] * (LIMIT + 5)
    assert sum(other_peer.gets.values()) == LIMIT
    # Nor is anybody else's server asked for this address, and the answer says why.
    url, body = f"{limited.url}/inbox", json.dumps(mallory.activity("Like", limited.url)).encode()
    headers = signed(mallory, url, body, extra={"X-Forwarded-For": "198.51.100.7"})
    status, text = await mallory.server.post(url, body, headers)
    assert (status, sum(mallory.server.gets.values())) == (401, 0)
    assert "Try again in five minutes." in json.loads(text)["error"]
    # Another address is another matter.
    assert await deliver(limited, [mallory], via="198.51.100.8") == [202]


async def test_those_who_are_known_are_let_in_whatever_their_address_did(
    limited: Instance, mallory: Actor, other_peer: Server
) -> None:
    assert await deliver(limited, [mallory]) == [202]
    await deliver(limited, ghosts(other_peer, LIMIT + 1))
    assert await deliver(limited, [mallory] * 3) == [202] * 3
    ghost = ghosts(other_peer, 1, start=500)[0]
    status = await other_peer.send(ghost, f"{limited.url}/inbox", ghost.activity("Delete", ghost.uri))
    assert status == 202  # nothing of it is here, so nobody needs to be asked


@pytest.mark.attack("SIG-15")
async def test_a_crowd_at_once_is_not_let_in_before_the_first_has_failed(limited: Instance, other_peer: Server) -> None:
    release = asyncio.Event()

    async def tarpit(_request: web.Request) -> web.Response:
        await release.wait()
        return web.Response(status=404)

    crowd = ghosts(other_peer, 3 * LIMIT)
    other_peer.scripts = {f"/users/{ghost.username}": tarpit for ghost in crowd}
    waiting = [asyncio.create_task(deliver(limited, [ghost])) for ghost in crowd]
    done: set[Any] = set()
    async with asyncio.timeout(20):
        while len(done) < 2 * LIMIT:  # these are refused while the others wait
            done, _ = await asyncio.wait(waiting, return_when=asyncio.FIRST_COMPLETED, timeout=0.1)
    release.set()
    assert await asyncio.gather(*waiting) == [[401]] * 3 * LIMIT
    assert sum(other_peer.gets.values()) == LIMIT


@pytest.mark.attack("SIG-15")
async def test_signers_that_exist_but_did_not_sign_count_too(limited: Instance, other_peer: Server) -> None:
    victims = [other_peer.actor(f"victim{n}", key=KEY) for n in range(LIMIT + 5)]
    assert set(await deliver(limited, victims, key=rsa_key())) == {401}
    assert sum(other_peer.gets[f"/users/{victim.username}"] for victim in victims) == LIMIT


async def test_look_ups_that_helped_do_not_count(limited: Instance, peer: Server) -> None:
    actors = [peer.actor(f"bob{n}", key=KEY) for n in range(LIMIT + 5)]
    assert await deliver(limited, actors) == [202] * (LIMIT + 5)


async def test_one_that_is_not_asked_for_again_counts_once(limited: Instance, mallory: Actor) -> None:
    assert set(await deliver(limited, ghosts(mallory.server, 1) * (LIMIT + 5))) == {401}
    assert await deliver(limited, [mallory]) == [202]


@pytest.mark.attack("SIG-15")
async def test_an_ipv6_line_is_one_address(limited: Instance, mallory: Actor, other_peer: Server) -> None:
    for number, ghost in enumerate(ghosts(other_peer, LIMIT + 5)):
        assert await deliver(limited, [ghost], via=f"2001:db8::{number:x}:1") == [401]
    assert sum(other_peer.gets.values()) == LIMIT
    assert await deliver(limited, [mallory], via="2001:db8:0:1::1") == [202]


@pytest.mark.attack("SIG-15")
@pytest.mark.parametrize("there", [True, False])
async def test_signed_gets_of_what_is_not_public_count_as_well(
    limited: Instance, alice: Account, mallory: Actor, other_peer: Server, there: bool
) -> None:
    """The answers are the same whether there is something to be hidden or not."""
    posted = await limited.post(alice, "For nobody's eyes", visibility="private")
    url = posted["uri"] if there else f"{alice.uri}/statuses/1"
    answers = [await get(limited, ghost, url) for ghost in ghosts(other_peer, LIMIT + 5)]
    assert Counter(status for status, _ in answers) == {404: LIMIT, 401: 5}
    assert "Try again in five minutes." in json.loads(answers[-1][1])["error"]
    assert sum(other_peer.gets.values()) == LIMIT
    public = await limited.post(alice, "For everybody's")
    assert (await get(limited, mallory, public["uri"]))[0] == 200


async def test_a_signer_whose_handle_is_somebody_elses_has_nobody_asked_again(
    limited: Instance, mallory: Actor
) -> None:
    server = mallory.server
    other = server.actor("other")
    links = [{"rel": "self", "type": AP, "href": other.uri}]
    server.scripts["/.well-known/webfinger"] = lambda request: web.json_response(
        {"subject": request.query["resource"], "links": links}, content_type="application/jrd+json"
    )
    assert await deliver(limited, [mallory]) == [401]
    asked = server.gets.total()
    assert server.gets["/.well-known/webfinger"] > 0
    assert await deliver(limited, [mallory] * 5) == [401] * 5
    assert server.gets.total() == asked


async def test_nothing_is_counted_where_limits_are_off(instance: Instance, other_peer: Server) -> None:
    assert set(await deliver(instance, ghosts(other_peer, LIMIT + 5))) == {401}
    assert sum(other_peer.gets.values()) == LIMIT + 5
