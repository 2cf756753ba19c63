"""Whose word counts for what: origin and ownership of what is received."""

from __future__ import annotations

import time
from typing import Any

import pytest
from aiohttp import web
from sqlalchemy import select

from fediverse import clock, moderation
from fediverse.tables.actors import actors
from fediverse.tables.inbox import received
from fediverse.tables.statuses import statuses
from tests.peers.scripted import PUBLIC, Actor, Server, document_response, pem, rfc3339, rsa_key, stamp
from tests.support.instance import Account, Instance
from tests.test_inbox_conversation import deliver, followed


@pytest.fixture
async def alice(instance: Instance) -> Account:
    return await instance.account("alice")


@pytest.fixture
def mallory(peer: Server) -> Actor:
    return peer.actor("mallory")


@pytest.fixture
def victim(other_peer: Server) -> Actor:
    return other_peer.actor("victim")


async def posts(instance: Instance) -> dict[str, str]:
    """All remote posts that are stored, boosts left out: id to content."""

    def read(tx: Any) -> dict[str, str]:
        rows = tx.execute(
            select(statuses.c.uri, statuses.c.content).where(~statuses.c.local, statuses.c.kind == "Note")
        )
        return {row.uri: row.content for row in rows}

    return await instance.database.read(read)


async def last_outcome(instance: Instance) -> str:
    def read(tx: Any) -> str:
        return str(tx.scalar(select(received.c.outcome).order_by(received.c.id.desc()).limit(1)))

    return await instance.database.read(read)


# Origin


@pytest.mark.attack("ORI-05")
async def test_an_embedded_post_of_another_server_is_never_believed(
    instance: Instance, alice: Account, mallory: Actor, victim: Actor, peer: Server
) -> None:
    await followed(instance, alice, mallory)
    for forged in (
        victim.mention(alice.uri, "forged: id and author there"),
        {**victim.mention(alice.uri, "forged: id here, author there"), "id": f"{peer.url}/notes/1"},
        {**mallory.mention(alice.uri, "forged: id there, author here"), "id": f"{victim.uri}/statuses/9"},
    ):
        await deliver(instance, mallory, mallory.activity("Create", forged))
        assert await last_outcome(instance) == "refused"
    assert await posts(instance) == {}
    assert await instance.notifications(alice) == []


@pytest.mark.attack("ORI-05")
async def test_a_post_by_a_neighbour_on_the_same_server_is_not_the_senders(
    instance: Instance, alice: Account, mallory: Actor, peer: Server
) -> None:
    neighbour = peer.actor("neighbour")
    await deliver(instance, mallory, mallory.activity("Create", neighbour.mention(alice.uri, "forged")))
    assert await posts(instance) == {}


@pytest.mark.attack("ORI-06")
@pytest.mark.parametrize("known", [True, False])
async def test_a_boost_never_brings_the_embedded_text(
    instance: Instance, alice: Account, mallory: Actor, victim: Actor, other_peer: Server, known: bool
) -> None:
    await followed(instance, alice, mallory)
    original = other_peer.serve(victim.mention(alice.uri, "what I wrote"))
    if known:
        await deliver(instance, victim, victim.activity("Create", original))
    forged = {**original, "content": "<p>what I never wrote</p>"}
    await deliver(instance, mallory, mallory.activity("Announce", forged, to=[PUBLIC]))
    assert await posts(instance) == {original["id"]: "<p>what I wrote</p>"}
    assert other_peer.gets[original["id"].removeprefix(other_peer.url)] == (0 if known else 1)


@pytest.mark.attack("ORI-06")
async def test_a_boost_of_a_post_that_cannot_be_had_is_dropped(
    instance: Instance, alice: Account, mallory: Actor, victim: Actor
) -> None:
    await followed(instance, alice, mallory)
    await deliver(instance, mallory, mallory.activity("Announce", victim.note("never served"), to=[PUBLIC]))
    assert await posts(instance) == {}
    assert await instance.home(alice) == []


@pytest.mark.attack("ORI-01")
async def test_a_document_that_claims_another_id_is_dropped(
    instance: Instance, alice: Account, mallory: Actor, victim: Actor, peer: Server
) -> None:
    await followed(instance, alice, mallory)
    forged = victim.note("forged")
    peer.documents["/x"] = forged
    await deliver(
        instance,
        mallory,
        mallory.activity("Announce", f"{peer.url}/x", to=[PUBLIC]),
        mallory.activity("Create", mallory.note("reply", inReplyTo=f"{peer.url}/x")),
    )
    assert "<p>forged</p>" not in (await posts(instance)).values()
    found = await instance.call(
        "GET", "/api/v2/search", by=alice, params={"q": f"{peer.url}/x", "resolve": "true", "type": "statuses"}
    )
    assert found["statuses"] == []


@pytest.mark.attack("ORI-02")
@pytest.mark.parametrize(
    "content_type",
    ["text/html", "text/plain", "application/json", "application/octet-stream", "image/png", "application/ld+json"],
)
async def test_what_is_not_served_as_activitypub_is_none(
    instance: Instance, alice: Account, mallory: Actor, victim: Actor, other_peer: Server, content_type: str
) -> None:
    await followed(instance, alice, mallory)
    note = victim.note("an uploaded file")
    path = note["id"].removeprefix(other_peer.url)
    other_peer.scripts[path] = lambda _request: document_response(note, content_type=content_type)
    await deliver(instance, mallory, mallory.activity("Announce", note["id"], to=[PUBLIC]))
    assert await posts(instance) == {}


@pytest.mark.attack("ORI-03")
async def test_an_open_redirect_does_not_lend_its_origin(
    instance: Instance, alice: Account, mallory: Actor, victim: Actor, peer: Server, other_peer: Server
) -> None:
    await followed(instance, alice, mallory)
    url = f"{other_peer.url}/open"
    other_peer.scripts["/open"] = lambda _request: web.Response(status=302, headers={"Location": f"{peer.url}/evil"})
    peer.documents["/evil"] = {**victim.note("forged"), "id": url}
    await deliver(instance, mallory, mallory.activity("Announce", url, to=[PUBLIC]))
    assert await posts(instance) == {}


@pytest.mark.attack("LDS-01")
async def test_a_post_signed_by_its_author_within_is_not_believed_from_another(
    instance: Instance, alice: Account, mallory: Actor, victim: Actor
) -> None:
    for activity in (victim.activity("Create", victim.mention(alice.uri, "forwarded")), victim.activity("Like", "x")):
        signature = {"type": "RsaSignature2017", "creator": victim.key_id, "signatureValue": "AAAA"}
        forwarded = {**activity, "signature": signature}
        assert await mallory.server.send(mallory, f"{instance.url}/inbox", forwarded) == 401
    assert await posts(instance) == {}


@pytest.mark.attack("LDS-03")
async def test_no_context_is_ever_fetched(instance: Instance, alice: Account, mallory: Actor, peer: Server) -> None:
    activity = mallory.activity("Create", mallory.mention(alice.uri, "hello"))
    activity["@context"] = [f"{peer.url}/context", "https://www.w3.org/ns/activitystreams"]
    await deliver(instance, mallory, activity)
    assert len(await posts(instance)) == 1
    assert peer.gets["/context"] == 0


@pytest.mark.attack("ORI-09")
async def test_a_handle_of_another_domain_is_shown_only_when_that_domain_agrees(
    instance: Instance, alice: Account, mallory: Actor, peer: Server, other_peer: Server
) -> None:
    def spoof(_request: web.Request) -> web.Response:
        links = [{"rel": "self", "type": "application/activity+json", "href": mallory.uri}]
        return web.json_response({"subject": f"acct:ceo@{other_peer.host}", "links": links})

    peer.scripts["/.well-known/webfinger"] = spoof
    found = await instance.call(
        "GET", "/api/v2/search", by=alice, params={"q": f"@mallory@{peer.host}", "resolve": "true"}
    )
    assert [account["acct"] for account in found["accounts"]] == [f"mallory@{peer.host}"]

    def handles(tx: Any) -> list[str]:
        return list(tx.scalars(select(actors.c.host).where(actors.c.username == "ceo")))

    assert await instance.database.read(handles) == []


# Ownership


@pytest.mark.attack("OWN-01")
@pytest.mark.parametrize("form", ["bare", "embedded", "tombstone", "actor"])
async def test_nobody_deletes_what_is_anothers(
    instance: Instance, alice: Account, mallory: Actor, victim: Actor, form: str
) -> None:
    note = victim.mention(alice.uri, "mine")
    await deliver(instance, victim, victim.activity("Create", note))
    obj = {
        "bare": note["id"],
        "embedded": note,
        "tombstone": {"type": "Tombstone", "id": note["id"]},
        "actor": victim.uri,
    }
    await deliver(instance, mallory, mallory.activity("Create", mallory.mention(alice.uri)))
    await deliver(instance, mallory, mallory.activity("Delete", obj[form]))
    assert await last_outcome(instance) == "refused"
    assert (await posts(instance))[note["id"]] == "<p>mine</p>"
    mine = await instance.post(alice, "Alice's own")
    await deliver(instance, mallory, mallory.activity("Delete", mine["uri"]))
    await instance.call("GET", f"/api/v1/statuses/{mine['id']}", by=alice)


@pytest.mark.attack("OWN-01")
async def test_nobody_tombstones_anothers_future_post(
    instance: Instance, alice: Account, mallory: Actor, victim: Actor, peer: Server
) -> None:
    note = victim.mention(alice.uri, "still to come")
    neighbour = peer.actor("neighbour")
    next_door = neighbour.mention(alice.uri, "next door")
    await deliver(instance, mallory, mallory.activity("Create", mallory.mention(alice.uri)))
    await deliver(
        instance, mallory, mallory.activity("Delete", note["id"]), mallory.activity("Delete", next_door["id"])
    )
    await deliver(instance, victim, victim.activity("Create", note))
    await deliver(instance, neighbour, neighbour.activity("Create", next_door))
    assert {note["id"], next_door["id"]} <= (await posts(instance)).keys()


@pytest.mark.attack("OWN-02")
async def test_nobody_edits_what_is_anothers(instance: Instance, alice: Account, mallory: Actor, victim: Actor) -> None:
    note = victim.mention(alice.uri, "mine")
    await deliver(instance, victim, victim.activity("Create", note))
    forged_note = {**note, "content": "<p>forged</p>", "updated": stamp(5)}
    stolen = {**forged_note, "attributedTo": mallory.uri}
    forged_actor = {**victim.document(), "name": "Forged"}
    forged_actor["publicKey"] = {"id": victim.key_id, "owner": victim.uri, "publicKeyPem": pem(rsa_key())}
    for forged in (forged_note, stolen, forged_actor, {**note, "type": "Question", "updated": stamp(5)}):
        await deliver(instance, mallory, mallory.activity("Update", forged))
        assert await last_outcome(instance) == "refused"
    assert (await posts(instance))[note["id"]] == "<p>mine</p>"
    assert [n["account"]["display_name"] for n in await instance.notifications(alice)] == ["Victim"]
    # The victim's own key still counts.
    await deliver(instance, victim, victim.activity("Create", victim.mention(alice.uri, "again")))


@pytest.mark.attack("OWN-03")
async def test_nobody_undoes_what_another_did(
    instance: Instance, alice: Account, mallory: Actor, victim: Actor
) -> None:
    mine = await instance.post(alice, "Like me")
    did = [
        victim.activity("Follow", alice.uri),
        victim.activity("Like", mine["uri"]),
        victim.activity("Announce", mine["uri"], to=[PUBLIC]),
    ]
    await deliver(instance, victim, *did)
    for activity in did:
        forged = {**activity, "actor": mallory.uri}
        await deliver(
            instance,
            mallory,
            mallory.activity("Undo", activity["id"]),
            mallory.activity("Undo", activity),
            mallory.activity("Undo", forged),
        )
    status = await instance.call("GET", f"/api/v1/statuses/{mine['id']}", by=alice)
    account = await instance.call("GET", "/api/v1/accounts/verify_credentials", by=alice)
    assert (status["favourites_count"], status["reblogs_count"], account["followers_count"]) == (1, 1, 1)
    # A block by the victim stands as well.
    block = victim.activity("Block", alice.uri)
    await deliver(instance, victim, block)
    await deliver(instance, mallory, mallory.activity("Undo", block["id"]), mallory.activity("Undo", block))
    (relationship,) = await instance.call(
        "GET", f"/api/v1/accounts/relationships?id[]={(await instance.find(alice, victim.handle))['id']}", by=alice
    )
    assert relationship["blocked_by"]


@pytest.mark.attack("OWN-04")
async def test_nobody_accepts_a_follow_for_another(
    instance: Instance, alice: Account, mallory: Actor, victim: Actor
) -> None:
    found = await instance.follow(alice, victim.handle)
    await instance.tick()
    follow = victim.server.received[-1].body
    await deliver(
        instance,
        mallory,
        mallory.activity("Accept", follow),
        mallory.activity("Accept", follow["id"]),
        mallory.activity("Accept", {**follow, "object": mallory.uri}),
        mallory.activity("Reject", follow),
        mallory.activity("Reject", follow["id"]),
    )
    (relationship,) = await instance.call("GET", f"/api/v1/accounts/relationships?id[]={found['id']}", by=alice)
    assert (relationship["following"], relationship["requested"]) == (False, True)


@pytest.mark.attack("OWN-07")
async def test_nobody_is_moved(instance: Instance, alice: Account, mallory: Actor, victim: Actor) -> None:
    account_id = await followed(instance, alice, victim)
    sent = len(mallory.server.received)
    for activity in (
        mallory.activity("Move", victim.uri, target=mallory.uri),
        mallory.activity("Move", mallory.uri, target=victim.uri),
    ):
        await deliver(instance, mallory, activity)
        assert await last_outcome(instance) == "ignored"
    await deliver(instance, victim, victim.activity("Move", victim.uri, target=mallory.uri))
    (relationship,) = await instance.call("GET", f"/api/v1/accounts/relationships?id[]={account_id}", by=alice)
    assert relationship["following"]
    assert len(mallory.server.received) == sent


@pytest.mark.attack("OWN-10")
async def test_what_may_not_be_seen_is_neither_liked_nor_boosted_nor_answered(
    instance: Instance, alice: Account, mallory: Actor, victim: Actor
) -> None:
    await instance.find(alice, victim.handle)
    direct = await instance.post(alice, f"{victim.handle} secret", visibility="direct")
    private = await instance.post(alice, "for followers", visibility="private")
    for status in (direct, private):
        await deliver(
            instance,
            mallory,
            mallory.activity("Like", status["uri"]),
            mallory.activity("Announce", status["uri"], to=[PUBLIC]),
            mallory.activity("Create", mallory.note("found it", inReplyTo=status["uri"])),
        )
        seen = await instance.call("GET", f"/api/v1/statuses/{status['id']}", by=alice)
        assert (seen["favourites_count"], seen["reblogs_count"], seen["replies_count"]) == (0, 0, 0)
        context = await instance.call("GET", f"/api/v1/statuses/{status['id']}/context", by=alice)
        assert context["descendants"] == []
    assert await instance.notifications(alice) == []


@pytest.mark.attack("OWN-10")
async def test_a_followers_only_post_is_not_boosted_even_by_a_follower(
    instance: Instance, alice: Account, mallory: Actor
) -> None:
    await deliver(instance, mallory, mallory.activity("Follow", alice.uri))
    private = await instance.post(alice, "for followers", visibility="private")
    await deliver(instance, mallory, mallory.activity("Announce", private["uri"], to=[PUBLIC]))
    assert await last_outcome(instance) == "refused"
    await deliver(instance, mallory, mallory.activity("Like", private["uri"]))
    assert await last_outcome(instance) == "applied"


@pytest.mark.attack("OWN-11")
async def test_an_older_version_changes_nothing_and_what_is_deleted_stays_so(
    instance: Instance, alice: Account, victim: Actor
) -> None:
    note = victim.mention(alice.uri, "first")
    await deliver(instance, victim, victim.activity("Create", note))
    now = time.time()
    for text, when in (("second", 20), ("older", 10), ("same age", 20), ("before it was published", -3600)):
        edited = {**note, "content": f"<p>{text}</p>", "updated": rfc3339(now + when)}
        await deliver(instance, victim, victim.activity("Update", edited))
    assert (await posts(instance))[note["id"]] == "<p>second</p>"
    await deliver(instance, victim, victim.activity("Delete", note["id"]))
    await deliver(
        instance,
        victim,
        victim.activity("Update", {**note, "updated": stamp(30)}),
        victim.activity("Create", note),
        victim.activity("Announce", note["id"], to=[PUBLIC], cc=[alice.uri]),
    )
    assert (await posts(instance))[note["id"]] == ""
    assert await instance.notifications(alice) == []


@pytest.mark.attack("OWN-11")
async def test_a_deletion_that_comes_first_wins(instance: Instance, alice: Account, victim: Actor) -> None:
    note = victim.mention(alice.uri, "too late")
    await deliver(instance, victim, victim.activity("Create", victim.mention(alice.uri, "hello")))
    await deliver(instance, victim, victim.activity("Delete", note["id"]), victim.activity("Create", note))
    assert list((await posts(instance)).values()) == ["<p>hello</p>"]


@pytest.mark.attack("OWN-14")
@pytest.mark.parametrize("form", ["ALICE", "alice/", "alice#main-key", "Alice?x=1", "alice/followers"])
async def test_a_follow_names_exactly_whom_it_follows(
    instance: Instance, alice: Account, mallory: Actor, form: str
) -> None:
    await deliver(instance, mallory, mallory.activity("Follow", f"{instance.url}/users/{form}"))
    assert await last_outcome(instance) == "ignored"
    upper = alice.uri.replace("http://", "HTTP://")
    await deliver(instance, mallory, mallory.activity("Follow", upper))
    assert [n["type"] for n in await instance.notifications(alice)] == ["follow"]


@pytest.mark.attack("OWN-14")
async def test_the_follow_of_somebody_who_is_blocked_is_rejected(
    instance: Instance, alice: Account, mallory: Actor
) -> None:
    found = await instance.find(alice, mallory.handle)
    await instance.call("POST", f"/api/v1/accounts/{found['id']}/block", by=alice)
    await instance.tick()
    mine = await instance.post(alice, "not for Mallory")
    await deliver(
        instance,
        mallory,
        mallory.activity("Follow", alice.uri),
        mallory.activity("Like", mine["uri"]),
        mallory.activity("Announce", mine["uri"], to=[PUBLIC]),
        mallory.activity("Create", mallory.mention(alice.uri, "notice me")),
    )
    assert mallory.server.types()[-1] == "Reject"
    assert await instance.notifications(alice) == []
    status = await instance.call("GET", f"/api/v1/statuses/{mine['id']}", by=alice)
    assert (status["favourites_count"], status["reblogs_count"]) == (0, 0)


@pytest.mark.attack("FLO-01")
@pytest.mark.parametrize("blocked", ["127.0.0.1", "own"])
async def test_a_blocked_server_is_refused_without_any_fetch(
    instance: Instance, alice: Account, mallory: Actor, victim: Actor, peer: Server, blocked: str
) -> None:
    host = peer.host if blocked == "own" else blocked

    def block(tx: Any) -> None:
        moderation.block_host(tx, host, severity="block", now=clock.now())

    await instance.database.write(block)
    url = f"{instance.url}/inbox"
    activity = mallory.activity("Create", mallory.mention(alice.uri))
    assert await peer.send(mallory, url, activity) == 403
    # Neither with a key that lies elsewhere, nor as the key's place for somebody elsewhere.
    elsewhere = f"{victim.server.url}/keys/1"
    assert await peer.send(mallory, url, activity, key_id=elsewhere) == 403
    theirs = victim.activity("Create", victim.mention(alice.uri))
    assert await peer.send(victim, url, theirs, key_id=f"{peer.url}/keys/1") == 403
    assert sum(peer.gets.values()) + sum(victim.server.gets.values()) == 0
    assert await posts(instance) == {}


@pytest.mark.attack("FLO-01")
async def test_a_block_of_a_server_reaches_those_who_were_known_before(
    instance: Instance, alice: Account, mallory: Actor, peer: Server
) -> None:
    await deliver(instance, mallory, mallory.activity("Create", mallory.mention(alice.uri, "before")))

    def block(tx: Any) -> None:
        moderation.block_host(tx, peer.host, severity="block", now=clock.now())

    await instance.database.write(block)
    status = await peer.send(
        mallory, f"{instance.url}/inbox", mallory.activity("Create", mallory.mention(alice.uri, "after"))
    )
    assert status in {202, 403}  # the door remembers signers for half a minute; the worker looks again
    await instance.tick()
    assert "<p>after</p>" not in (await posts(instance)).values()
    assert await instance.notifications(alice) == []
