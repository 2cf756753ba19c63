"""What forgers try at the inbox beside what ``test_inbox_signatures`` has: one check stands in the way of each."""

from __future__ import annotations

import asyncio
import hashlib
import json
from typing import Any

import pytest
from aiohttp import web
from sqlalchemy import func, select

from fediverse.tables.actors import actor_keys
from fediverse.tables.inbox import received
from tests.peers.scripted import AP, Actor, Dialect, Server, raw_signature, rsa_key, signed
from tests.support.instance import Account, Instance
from tests.test_inbox_conversation import deliver
from tests.test_signatures_keys import BAD_KEYS, odd, rsa_pem


@pytest.fixture
async def alice(instance: Instance) -> Account:
    return await instance.account("alice")


@pytest.fixture
def mallory(peer: Server) -> Actor:
    return peer.actor("mallory")


async def count(instance: Instance, table: Any) -> int:
    def read(tx: Any) -> int:
        return tx.scalar(select(func.count()).select_from(table)) or 0

    return await instance.database.read(read)


def create(actor: Actor, alice: Account) -> dict[str, Any]:
    return actor.activity("Create", actor.mention(alice.uri))


@pytest.mark.attack("SIG-05")
async def test_a_signature_of_the_date_alone_by_default_is_refused(
    instance: Instance, alice: Account, mallory: Actor
) -> None:
    """Without a list of headers the draft means just the date."""
    url = f"{instance.url}/inbox"
    body = json.dumps(create(mallory, alice)).encode()
    for listed in ("", 'headers="(created)",created=1790000000,'):
        headers = dict(signed(mallory, url, body, covered="date"))
        headers["Signature"] = headers["Signature"].replace('headers="date",', listed)
        assert (await mallory.server.post(url, body, list(headers.items())))[0] == 401
    assert await count(instance, received) == 0


@pytest.mark.attack("SIG-05")
async def test_a_captured_get_is_no_post(instance: Instance, alice: Account, mallory: Actor) -> None:
    """The signature of a real GET, with every header that a POST must cover but the method."""
    url = f"{instance.url}/users/alice"
    body = json.dumps(create(mallory, alice)).encode()
    captured = signed(mallory, url, body, method="GET")
    async with instance.http.get(url, headers=[*captured, ("Accept", AP)]) as response:
        assert response.status == 200
    for inbox in ("/inbox", "/users/alice/inbox"):
        assert (await mallory.server.post(instance.url + inbox, body, captured))[0] == 401
    assert await count(instance, received) == 0


@pytest.mark.attack("SIG-15")
async def test_a_key_server_that_does_not_answer_is_asked_once_for_all(
    instance: Instance, alice: Account, mallory: Actor
) -> None:
    server, url = mallory.server, f"{instance.url}/inbox"
    asked, release = asyncio.Event(), asyncio.Event()

    async def tarpit(_request: web.Request) -> web.Response:
        asked.set()
        await release.wait()
        return web.Response(status=404)

    server.scripts["/users/ghost"] = tarpit
    ghost = Actor(server, "ghost", mallory.key)
    waiting = [asyncio.create_task(server.send(ghost, url, create(ghost, alice))) for _ in range(100)]
    await asked.wait()
    # Others are let in meanwhile.
    assert await server.send(mallory, url, create(mallory, alice)) == 202
    release.set()
    assert set(await asyncio.gather(*waiting)) == {401}
    assert {await server.send(ghost, url, create(ghost, alice)) for _ in range(20)} == {401}
    assert server.gets["/users/ghost"] == 1


@pytest.mark.attack("SIG-15")
async def test_made_up_names_of_keys_cause_one_fetch(instance: Instance, alice: Account, mallory: Actor) -> None:
    server, url = mallory.server, f"{instance.url}/inbox"
    assert await server.send(mallory, url, create(mallory, alice)) == 202
    server.gets.clear()
    key_ids = [f"{mallory.uri}#key-{n}" for n in range(50)] + [f"{mallory.uri}/keys/{n}" for n in range(50)]
    activity = create(mallory, alice)
    answers = await asyncio.gather(*(server.send(mallory, url, activity, key_id=key_id) for key_id in key_ids))
    assert set(answers) == {401}
    assert sum(server.gets.values()) <= 1


@pytest.mark.attack("SIG-16")
async def test_no_key_that_is_none_gets_in(instance: Instance, alice: Account, peer: Server) -> None:
    """Too short, too long to be worth the time, of other kinds, broken: all as an actor's own document lists them."""
    signer = rsa_key()
    for number, text in enumerate(BAD_KEYS.values()):
        actor = peer.actor(f"actor{number}", key=signer)
        actor.extra["publicKey"] = {"id": actor.key_id, "owner": actor.uri, "publicKeyPem": text}
        assert await peer.send(actor, f"{instance.url}/inbox", create(actor, alice)) == 401
    assert await count(instance, received) == 0
    assert await count(instance, actor_keys) == INSTANCE_KEYS + LOCAL_KEYS


# Those of the instance actor and of Alice.
INSTANCE_KEYS, LOCAL_KEYS = 2, 2


def encoded(data: bytes, size: int) -> bytes:
    """What an RSA signature is before it is raised to the private exponent (RFC 8017 §9.2)."""
    digest = bytes.fromhex("3031300d060960864801650304020105000420") + hashlib.sha256(data).digest()
    return b"\0\x01" + b"\xff" * (size - len(digest) - 3) + b"\0" + digest


@pytest.mark.attack("SIG-16")
async def test_a_key_whose_signatures_anybody_can_write_is_refused(
    instance: Instance, alice: Account, mallory: Actor
) -> None:
    """With an exponent of one the padded digest is its own signature."""
    text = rsa_pem(odd(2048), 1)
    mallory.extra["publicKey"] = {"id": mallory.key_id, "owner": mallory.uri, "publicKeyPem": text}
    status = await mallory.server.send(
        mallory, f"{instance.url}/inbox", create(mallory, alice), make_signature=lambda data: encoded(data, 256)
    )
    assert status == 401
    assert await count(instance, received) == 0


@pytest.mark.attack("SIG-17")
@pytest.mark.parametrize("dialect", ["cavage", "rfc9421"])
async def test_a_signed_get_proves_who_asks(
    instance: Instance, alice: Account, mallory: Actor, other_peer: Server, dialect: Dialect
) -> None:
    """A post for followers is handed out to a follower, and to nobody who proves less."""
    await deliver(instance, mallory, mallory.activity("Follow", alice.uri))
    post = await instance.post(alice, "for followers", visibility="private")
    stranger = other_peer.actor("stranger")
    covered = "(request-target) host date"
    components = '"@method" "@target-uri"'
    good: dict[str, Any] = {"method": "GET", "dialect": dialect, "covered": covered, "components": components}

    async def get(actor: Actor, **options: Any) -> int:
        headers = signed(actor, post["uri"], b"", **{**good, **options})
        kept = [(name, value) for name, value in headers if "Digest" not in name]
        async with instance.http.get(post["uri"], headers=[*kept, ("Accept", AP)]) as response:
            return response.status

    assert await get(mallory) == 200
    bad: list[dict[str, Any]] = [
        {"key": rsa_key()},
        {"age": 13 * 3600},
        {"method": "POST"},
        {"covered": "(request-target) date", "components": '"@method"'},
        {"covered": "host date", "components": '"@target-uri"'},
        {"host": "other.example"},
        {"no_date": True, "covered": "(request-target) host", "created": False},
    ]
    for options in bad:
        assert await get(mallory, **options) in {404, 421}, options
    assert await get(stranger) == 404
    assert await get(stranger, key_id=mallory.key_id) == 404


@pytest.mark.attack("SIG-19")
async def test_a_request_in_the_new_form_for_another_server_is_refused(
    instance: Instance, alice: Account, mallory: Actor
) -> None:
    url = f"{instance.url}/inbox"
    body = json.dumps(create(mallory, alice)).encode()
    ours = url.split("/")[2]
    captured = [
        (name, value)
        for name, value in signed(mallory, url, body, dialect="rfc9421", host="other.example")
        if name != "Host"
    ]
    for extra in (
        [("Host", ours)],
        [("Host", ours), ("X-Forwarded-Host", "other.example")],
        [("Host", ours), ("Forwarded", "host=other.example")],
        [("Host", "other.example")],
    ):
        assert (await mallory.server.post(url, body, [*captured, *extra]))[0] in {401, 421}
    assert await count(instance, received) == 0


@pytest.mark.attack("SIG-08")
async def test_a_replay_after_its_undo_is_too_late_to_matter_twice(
    instance: Instance, alice: Account, mallory: Actor
) -> None:
    """A captured Delete comes again after the post: the post is gone once, and the next one stays."""
    url = f"{instance.url}/inbox"
    first, second = mallory.mention(alice.uri, "first"), mallory.mention(alice.uri, "second")
    await deliver(instance, mallory, mallory.activity("Create", first), mallory.activity("Create", second))
    body = json.dumps(mallory.activity("Delete", first["id"])).encode()
    headers = signed(mallory, url, body)
    for _ in range(3):
        assert (await mallory.server.post(url, body, headers))[0] == 202
        await instance.tick()
    assert [n["status"]["content"] for n in await instance.notifications(alice)] == ["<p>second</p>"]


@pytest.mark.attack("SIG-12")
async def test_a_key_elsewhere_counts_only_where_its_owner_lists_it(
    instance: Instance, alice: Account, mallory: Actor, other_peer: Server
) -> None:
    """The claim goes both ways: the same key document is good for an owner who names it, and for nobody else."""
    victim, owner = other_peer.actor("victim"), other_peer.actor("owner", key=mallory.key)
    url = f"{instance.url}/inbox"
    key_id = f"{other_peer.url}/keys/of-owner"
    owner.extra["publicKey"] = {**owner.document()["publicKey"], "id": key_id}
    assert await mallory.server.send(owner, url, create(owner, alice), key_id=key_id) == 202
    assert await mallory.server.send(mallory, url, create(victim, alice), key_id=key_id) == 401
    assert await mallory.server.send(mallory, url, create(mallory, alice), key_id=key_id) == 401
    assert await count(instance, received) == 1


def test_the_forger_can_do_what_the_tests_say() -> None:
    """With a key that has a proper exponent, the padded digest is what its signature opens to."""
    key = rsa_key()
    numbers = key.public_key().public_numbers()
    signature = int.from_bytes(raw_signature(key, b"data"))
    opened = pow(signature, numbers.e, numbers.n).to_bytes(256)
    assert opened == encoded(b"data", 256)
