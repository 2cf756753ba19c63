"""Quotes: with consent, between people here and across servers; refused, revoked, hidden."""

from __future__ import annotations

from typing import Any

import pytest

from fediverse import clock
from fediverse.documents.quotes import read_authorization, read_policy, read_quote
from tests.conftest import MakeInstance
from tests.peers.scripted import PUBLIC, Server
from tests.support.instance import Account, Instance, settle
from tests.test_conversation import following
from tests.test_inbox_conversation import followed


async def show(instance: Instance, by: Account | None, status_id: str) -> Any:
    return await instance.call("GET", f"/api/v1/statuses/{status_id}", by=by)


async def test_people_here_quote_as_far_as_the_author_lets_them(instance: Instance) -> None:
    alice, bob, carol = [await instance.account(name) for name in ("alice", "bob", "carol")]
    open_to_all = await instance.post(alice, "Our new coffee is here")
    assert open_to_all["quote_approval"] == {"automatic": ["public"], "manual": [], "current_user": "automatic"}
    quoting = await instance.post(bob, "Try this", quoted_status_id=open_to_all["id"])
    assert quoting["quote"]["state"] == "accepted"
    assert quoting["quote"]["quoted_status"]["id"] == open_to_all["id"]
    assert (await show(instance, carol, open_to_all["id"]))["quotes_count"] == 1
    assert [one["type"] for one in await instance.notifications(alice)] == ["quote"]
    listed = await instance.call("GET", f"/api/v1/statuses/{open_to_all['id']}/quotes", by=carol)
    assert [one["id"] for one in listed] == [quoting["id"]]
    # A quote of a quote names what that quotes, and shows no more of it.
    deeper = await instance.post(carol, "And that", quoted_status_id=quoting["id"])
    assert deeper["quote"]["quoted_status"]["quote"] == {"state": "accepted", "quoted_status_id": open_to_all["id"]}
    # The author is told of edits, as are those who quote.
    await instance.call("PUT", f"/api/v1/statuses/{open_to_all['id']}", by=alice, json={"status": "Our coffee is out"})
    assert (await instance.notifications(bob))[0]["type"] == "quoted_update"

    closed = await instance.post(alice, "Not for quoting", quote_approval_policy="nobody")
    for_followers = await instance.post(alice, "For those who follow", quote_approval_policy="followers")
    for status in (closed, for_followers):
        assert (await show(instance, bob, status["id"]))["quote_approval"]["current_user"] == "denied"
        await instance.post(bob, "No", quoted_status_id=status["id"], status=422)
    await instance.follow(bob, "alice")
    assert (await show(instance, bob, for_followers["id"]))["quote_approval"]["current_user"] == "automatic"
    await instance.post(bob, "Yes", quoted_status_id=for_followers["id"])
    own = await instance.post(alice, "Again", quoted_status_id=closed["id"])
    assert own["quote"]["state"] == "accepted"
    await instance.call(
        "PUT", f"/api/v1/statuses/{closed['id']}/interaction_policy", by=alice, json={"quote_approval_policy": "public"}
    )
    await instance.post(bob, "Now", quoted_status_id=closed["id"])


async def test_a_quote_is_taken_back_by_the_quoted_only(instance: Instance) -> None:
    alice, bob, carol = [await instance.account(name) for name in ("alice", "bob", "carol")]
    quoted = await instance.post(alice, "Said once")
    quoting = await instance.post(bob, "She said", quoted_status_id=quoted["id"])
    address = f"/api/v1/statuses/{quoted['id']}/quotes/{quoting['id']}/revoke"
    stamp = (await instance.call("GET", f"/users/bob/statuses/{quoting['id']}", headers=AP))["quoteAuthorization"]
    consent = await instance.call("GET", stamp.removeprefix(instance.url), headers=AP)
    assert read_authorization(consent) == (stamp, alice.uri, quoting["uri"], quoted["uri"])
    for stranger in (bob, carol):
        await instance.call("POST", address, by=stranger, status=404)
    revoked = await instance.call("POST", address, by=alice)
    assert revoked["quote"] == {"state": "revoked", "quoted_status": None}
    assert (await show(instance, alice, quoted["id"]))["quotes_count"] == 0
    await instance.call("GET", stamp.removeprefix(instance.url), headers=AP, status=404)
    assert await instance.call("GET", f"/api/v1/statuses/{quoted['id']}/quotes", by=alice) == []


async def test_nothing_shows_in_a_quote_that_would_not_show_by_itself(
    instance: Instance, monkeypatch: pytest.MonkeyPatch
) -> None:
    alice, bob, carol = [await instance.account(name) for name in ("alice", "bob", "carol")]
    private = await instance.post(alice, "For followers", visibility="private")
    await instance.follow(bob, "alice")
    await instance.post(bob, "Look", quoted_status_id=private["id"], status=422)
    await instance.post(carol, "Look", quoted_status_id=private["id"], status=404)
    await instance.post(alice, "Look", quoted_status_id=private["id"], status=422)
    own = await instance.post(alice, "Look", quoted_status_id=private["id"], visibility="private")
    assert own["quote"]["quoted_status"]["id"] == private["id"]
    public = await instance.post(alice, "For all")
    quoting = await instance.post(bob, "Look", quoted_status_id=public["id"])
    for act, state in (("mute", "muted_account"), ("block", "blocked_account")):
        await instance.call("POST", f"/api/v1/accounts/{alice.id}/{act}", by=carol)
        assert (await show(instance, carol, quoting["id"]))["quote"] == {"state": state, "quoted_status": None}
        await instance.call("POST", f"/api/v1/accounts/{alice.id}/un{act}", by=carol)
    await instance.call("POST", f"/api/v1/accounts/{alice.id}/mute", by=carol, json={"duration": 60})
    real = clock.now
    monkeypatch.setattr(clock, "now", lambda: real() + 61 * clock.SECOND)
    assert (await show(instance, carol, quoting["id"]))["quote"]["state"] == "accepted"
    await instance.call("DELETE", f"/api/v1/statuses/{public['id']}", by=alice)
    assert (await show(instance, carol, quoting["id"]))["quote"] == {"state": "deleted", "quoted_status": None}
    assert (await show(instance, None, quoting["id"]))["quote"]["state"] == "deleted"


async def test_quotes_go_both_ways_between_servers(make_instance: MakeInstance) -> None:
    one, other = await make_instance(), await make_instance()
    alice, bob = await following(one, other)
    posted = await one.post(alice, "Our news")
    await settle(one, other)
    [seen] = await other.home(bob)
    assert seen["quote_approval"] == {"automatic": ["public"], "manual": [], "current_user": "automatic"}
    quoting = await other.post(bob, "Their news", quoted_status_id=seen["id"])
    assert quoting["quote"] == {"state": "pending", "quoted_status": None}
    await settle(one, other)
    accepted = await show(other, bob, quoting["id"])
    assert accepted["quote"]["state"] == "accepted"
    assert accepted["quote"]["quoted_status"]["uri"] == posted["uri"]
    [there] = [status for status in await one.home(alice) if status["uri"] == quoting["uri"]]
    assert there["quote"]["quoted_status"]["id"] == posted["id"]
    assert (await one.notifications(alice))[0]["type"] == "quote"
    assert (await show(one, alice, posted["id"]))["quotes_count"] == 1
    await one.call("POST", f"/api/v1/statuses/{posted['id']}/quotes/{there['id']}/revoke", by=alice)
    await settle(one, other)
    assert (await show(other, bob, quoting["id"]))["quote"] == {"state": "revoked", "quoted_status": None}


AP = {"Accept": "application/activity+json"}


@pytest.mark.attack("OWN-04")
async def test_only_the_quoted_author_agrees(instance: Instance, peer: Server, other_peer: Server) -> None:
    alice = await instance.account("alice")
    bob, mallory = peer.actor("bob"), other_peer.actor("mallory")
    note = peer.serve(
        bob.note("Quote me", interactionPolicy={"canQuote": {"automaticApproval": PUBLIC, "manualApproval": []}})
    )
    found = await instance.call(
        "GET", "/api/v2/search", by=alice, params={"q": note["id"], "resolve": "true", "type": "statuses"}
    )
    quoting = await instance.post(alice, "He said", quoted_status_id=found["statuses"][0]["id"])
    await instance.tick()
    [asked] = [entry.body for entry in peer.received if entry.body["type"] == "QuoteRequest"]
    assert (asked["object"], asked["instrument"]["id"]) == (note["id"], quoting["uri"])
    request = {**asked, "instrument": quoting["uri"]}
    forged = mallory.activity("Accept", request, result=f"{mallory.uri}/stamps/1")
    assert await other_peer.send(mallory, f"{instance.url}/inbox", forged) == 202
    elsewhere = bob.activity("Accept", request, result="https://elsewhere.example/stamps/1")
    assert await peer.send(bob, f"{instance.url}/inbox", elsewhere) == 202
    await instance.tick()
    assert (await show(instance, alice, quoting["id"]))["quote"]["state"] == "pending"
    stamp = f"{bob.uri}/stamps/1"
    assert await peer.send(bob, f"{instance.url}/inbox", bob.activity("Accept", asked["id"], result=stamp)) == 202
    await instance.tick()
    assert (await show(instance, alice, quoting["id"]))["quote"]["state"] == "accepted"
    sent = await instance.call("GET", f"/users/alice/statuses/{quoting['id']}", headers=AP)
    assert (sent["quote"], sent["quoteAuthorization"]) == (note["id"], stamp)
    assert sent["content"].startswith('<p class="quote-inline">RE: ')
    for signer, server in ((mallory, other_peer), (bob, peer)):
        assert await server.send(signer, f"{instance.url}/inbox", signer.activity("Delete", stamp)) == 202
        await instance.tick()
        expected = "accepted" if signer is mallory else "revoked"
        assert (await show(instance, alice, quoting["id"]))["quote"]["state"] == expected


async def test_a_quote_from_elsewhere_needs_its_authors_consent(
    instance: Instance, peer: Server, other_peer: Server
) -> None:
    alice = await instance.account("alice")
    bob, carol = peer.actor("bob"), other_peer.actor("carol")
    await followed(instance, alice, bob)
    quoted = other_peer.serve(carol.note("Said by carol"))
    stamp = f"{carol.uri}/stamps/7"
    for number, (claimed, consents) in enumerate(((None, False), (stamp, False), (stamp, True))):
        note = bob.note(f"quote {number}", quote=quoted["id"], **({"quoteAuthorization": claimed} if claimed else {}))
        if consents:
            other_peer.serve(
                {
                    "id": stamp,
                    "type": "QuoteAuthorization",
                    "attributedTo": carol.uri,
                    "interactingObject": note["id"],
                    "interactionTarget": quoted["id"],
                }
            )
        assert await peer.send(bob, f"{instance.url}/inbox", bob.activity("Create", note)) == 202
        await instance.tick()
        [seen] = [status for status in await instance.home(alice) if f"quote {number}" in status["content"]]
        assert seen["quote"]["state"] == ("accepted" if consents else "pending")
    assert seen["quote"]["quoted_status"]["uri"] == quoted["id"]


async def test_requests_to_quote_are_answered_by_the_policy(instance: Instance, peer: Server) -> None:
    alice = await instance.account("alice")
    bob = peer.actor("bob")
    open_to_all, closed = (
        await instance.post(alice, "a"),
        await instance.post(alice, "b", quote_approval_policy="nobody"),
    )
    private = await instance.post(alice, "c", visibility="private")
    for status, answer in ((open_to_all, "Accept"), (closed, "Reject"), (private, "Reject")):
        note = peer.serve(bob.note("quoting", quote=status["uri"]))
        request = bob.activity("QuoteRequest", status["uri"], instrument=note["id"])
        assert await peer.send(bob, f"{instance.url}/inbox", request) == 202
        await instance.tick()
        last = peer.received[-1].body
        assert (last["type"], last["object"]["id"], last["object"]["instrument"]) == (answer, request["id"], note["id"])
        assert ("result" in last) == (answer == "Accept")


def test_policies_are_read_as_far_as_they_are_understood() -> None:
    bob = "https://b.example/users/bob"

    def read(automatic: Any, manual: Any = None) -> Any:
        document = {"interactionPolicy": {"canQuote": {"automaticApproval": automatic, "manualApproval": manual}}}
        return read_policy(document, author_uri=bob, followers_uri=f"{bob}/followers")

    assert read("as:Public") == {"automatic": ["public"], "manual": []}
    assert read([bob]) == {"automatic": [], "manual": []}
    assert read([f"{bob}/followers", f"{bob}/following"], PUBLIC) == {
        "automatic": ["followers", "following"],
        "manual": ["public"],
    }
    assert read("https://b.example/groups/1") == {"automatic": ["unsupported_policy"], "manual": []}
    for nothing in ({}, {"interactionPolicy": 1}, {"interactionPolicy": {"canQuote": []}}):
        assert read_policy(nothing, author_uri=bob, followers_uri=None) is None
    for name in ("quote", "quoteUri", "quoteUrl", "_misskey_quote"):
        assert read_quote({name: "https://c.example/1"}, bob) == ("https://c.example/1", None)
    assert read_quote({"quote": bob}, bob) == (None, None)
    assert read_quote({"quote": "javascript:1", "quoteUrl": {"id": 3}}, bob) == (None, None)
    assert read_authorization({"type": "QuoteAuthorization", "id": "x"}) is None
