"""Those who were shut out, and those who make no sense."""

from __future__ import annotations

import json
from typing import Any

import pytest
from sqlalchemy import func, select

from fediverse import clock, moderation
from fediverse.actors import directory
from fediverse.tables.inbox import received
from tests.peers.scripted import AP, PUBLIC, Actor, Server, signed
from tests.support.instance import Account, Instance
from tests.test_inbox_conversation import deliver, followed


@pytest.fixture
async def alice(instance: Instance) -> Account:
    return await instance.account("alice")


@pytest.fixture
def mallory(peer: Server) -> Actor:
    return peer.actor("mallory")


async def stored(instance: Instance) -> int:
    def read(tx: Any) -> int:
        return tx.scalar(select(func.count()).select_from(received)) or 0

    return await instance.database.read(read)


async def block(instance: Instance, host: str) -> None:
    def do(tx: Any) -> None:
        moderation.block_host(tx, host, severity="block", now=clock.now())

    await instance.database.write(do)


@pytest.mark.attack("FLO-01")
@pytest.mark.parametrize(
    "host",
    [
        "evil.test",
        "sub.evil.test",
        "a.b.evil.test",
        "sub.evil.test:8443",
        "SUB.Evil.TEST",
        "evil.test.",
        "sub.evil.test.",
    ],
)
async def test_subdomains_of_a_blocked_server_are_blocked(
    instance: Instance, alice: Account, mallory: Actor, host: str
) -> None:
    """403, where a name that cannot be resolved would be 401: nothing was even looked up."""
    await block(instance, "evil.test")
    uri = f"https://{host}/users/x"
    url = f"{instance.url}/inbox"
    for actor, key_id in (
        (uri, f"{uri}#main-key"),
        (uri, mallory.key_id),
        (mallory.uri, f"{uri}#main-key"),
    ):
        for kind in ("Create", "Follow", "Delete"):
            activity = {**mallory.activity(kind, mallory.mention(alice.uri)), "actor": actor}
            assert await mallory.server.send(mallory, url, activity, key_id=key_id) == 403, (actor, key_id)
    assert await stored(instance) == 0
    assert sum(mallory.server.gets.values()) == 0


@pytest.mark.attack("FLO-01")
@pytest.mark.parametrize("host", ["notevil.test", "evil.test.example", "vil.test"])
async def test_names_that_only_look_like_a_blocked_one_are_not(
    instance: Instance, alice: Account, mallory: Actor, host: str
) -> None:
    await block(instance, "evil.test")
    uri = f"https://{host}/users/x"
    activity = {**mallory.activity("Follow", alice.uri), "actor": uri}
    status = await mallory.server.send(mallory, f"{instance.url}/inbox", activity, key_id=f"{uri}#main-key")
    assert status == 401


@pytest.mark.attack("FLO-01")
@pytest.mark.parametrize("what", ["server", "actor"])
async def test_what_is_here_of_the_suspended_is_hidden_and_they_get_nothing_through(
    instance: Instance, alice: Account, mallory: Actor, what: str
) -> None:
    account_id = await followed(instance, alice, mallory)
    note = mallory.mention(alice.uri, "MARKER")
    await deliver(instance, mallory, mallory.activity("Create", note), mallory.activity("Follow", alice.uri))
    mine = await instance.post(alice, f"{mallory.handle} an answer")
    (shown,) = [status for status in await instance.home(alice) if "MARKER" in status["content"]]
    await instance.tick()

    def suspend(tx: Any) -> None:
        if what == "server":
            moderation.block_host(tx, mallory.server.host, severity="block", now=clock.now())
        else:
            actor = directory.by_uri(tx, instance.settings.urls, mallory.uri)
            assert actor is not None
            moderation.set_suspended(tx, actor.id, True, now=clock.now())

    await instance.database.write(suspend)
    deliveries = len(mallory.server.received)
    gets = sum(mallory.server.gets.values())
    # The door remembers a signer for half a minute; the worker looks again.
    for activity in (
        mallory.activity("Create", mallory.mention(alice.uri, "LATER")),
        mallory.activity("Like", mine["uri"]),
        mallory.activity("Announce", mine["uri"], to=[PUBLIC]),
        mallory.activity("Update", {**mallory.document(), "name": "LATER"}),
    ):
        assert await mallory.server.send(mallory, f"{instance.url}/inbox", activity) in {202, 403}
    await instance.tick()
    for path in (
        "/api/v1/timelines/home",
        "/api/v1/timelines/public",
        "/api/v1/notifications",
        f"/api/v1/accounts/{account_id}/statuses",
        f"/api/v1/statuses/{mine['id']}/context",
        "/api/v2/search?q=MARKER",
    ):
        async with instance.http.get(instance.url + path, headers=alice.headers) as response:
            text = await response.text()
            assert "MARKER" not in text, path
            assert "LATER" not in text, path
    await instance.call("GET", f"/api/v1/statuses/{shown['id']}", by=alice, status=404)
    status = await instance.call("GET", f"/api/v1/statuses/{mine['id']}", by=alice)
    assert (status["favourites_count"], status["reblogs_count"]) == (0, 0)
    # Nothing more goes there, and nothing is asked there.
    await instance.post(alice, f"{mallory.handle} anybody there?")
    await instance.tick()
    assert len(mallory.server.received) == deliveries
    assert sum(mallory.server.gets.values()) == gets


ODD_OBJECTS: list[Any] = [None, 7, "", "x", [], {}, [None], {"id": None}, {"type": []}, {"id": {"id": {}}}, True]


@pytest.mark.attack("FLO-05")
@pytest.mark.parametrize(
    "kind",
    ["Create", "Update", "Delete", "Follow", "Accept", "Reject", "Undo", "Announce", "Like", "Block", "Add", "Remove",
     "Flag", "Move", "Question", "Foo", "__internal"],
)  # fmt: skip
async def test_odd_objects_of_every_type_do_nothing(
    instance: Instance, alice: Account, mallory: Actor, kind: str
) -> None:
    """From somebody who is known and followed, so that each gets as far as its handler."""
    account_id = await followed(instance, alice, mallory)
    url = f"{instance.url}/inbox"
    sent = 0
    for obj in ODD_OBJECTS:
        for target in (None, obj, alice.uri):
            for spelt in (kind, [kind], [kind, "Foo"]):
                sent += 1
                activity = {"type": spelt, "id": f"{mallory.uri}#{sent}", "actor": mallory.uri, "object": obj}
                activity |= {"target": target, "to": obj, "cc": target}
                assert await mallory.server.send(mallory, url, activity) in {202, 400}
    await instance.tick()

    def outcomes(tx: Any) -> set[str]:
        return set(tx.scalars(select(received.c.outcome)))

    assert await instance.database.read(outcomes) <= {"applied", "ignored", "refused"}

    def failed(tx: Any) -> int:
        return tx.scalar(select(func.count()).where(received.c.outcome.is_(None))) or 0

    assert await instance.database.read(failed) == 0
    (relationship,) = await instance.call("GET", f"/api/v1/accounts/relationships?id[]={account_id}", by=alice)
    assert relationship["following"]
    assert await instance.notifications(alice) == []
    assert await instance.home(alice) == []


@pytest.mark.attack("FLO-05")
async def test_a_report_is_kept_to_itself(instance: Instance, alice: Account, mallory: Actor, peer: Server) -> None:
    mine = await instance.post(alice, "report me")
    objects = [alice.uri, mine["uri"], *(f"https://a.test/{n}" for n in range(10_000))]
    flag = mallory.activity("Flag", objects, content="MARKER" * 1000)
    await deliver(instance, mallory, flag)
    assert await instance.notifications(alice) == []
    async with instance.http.get(f"{instance.url}/@alice") as response:
        assert "MARKER" not in await response.text()
    assert sum(count for path, count in peer.gets.items() if path != "/users/mallory") <= 2  # WebFinger


@pytest.mark.attack("LDS-01")
async def test_a_signature_inside_adds_and_takes_nothing(
    instance: Instance, alice: Account, mallory: Actor, other_peer: Server
) -> None:
    """Good or bad, with unknown contexts, on one's own or on another's activity: the sender's signature decides."""
    victim = other_peer.actor("victim")
    inside = {
        "type": "RsaSignature2017",
        "creator": victim.key_id,
        "created": "2026-01-01T00:00:00Z",
        "signatureValue": "AAAA",
    }
    proof = {"type": "DataIntegrityProof", "cryptosuite": "eddsa-jcs-2022", "verificationMethod": victim.key_id}
    own = mallory.activity("Create", mallory.mention(alice.uri, "my own"))
    theirs = victim.activity("Create", victim.mention(alice.uri, "forwarded"))
    contexts = ["https://a.test/unknown", {"content": "https://a.test/other"}]
    url = f"{instance.url}/inbox"
    for extra in ({"signature": inside}, {"proof": proof}, {"signature": [inside, inside]}, {"signature": 7}):
        body = json.dumps({**theirs, **extra, "@context": contexts}).encode()
        assert (await mallory.server.post(url, body, signed(mallory, url, body)))[0] == 401
    await deliver(instance, mallory, {**own, "signature": inside, "proof": proof, "@context": contexts})
    assert [n["status"]["content"] for n in await instance.notifications(alice)] == ["<p>my own</p>"]
    async with instance.http.get(f"{instance.url}/users/alice", headers={"Accept": AP}) as response:
        assert response.status == 200
