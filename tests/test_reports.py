"""Reports: filed here, forwarded by and to other servers, over real HTTP."""

from __future__ import annotations

from typing import Any

import pytest
from sqlalchemy import func, select

from fediverse import clock
from fediverse import instance as house
from fediverse.actors import people
from fediverse.admin import reports as domain
from fediverse.tables.moderation import reports
from tests.peers.scripted import Actor, Server
from tests.support.entities import assert_entity
from tests.support.instance import Account, Instance


@pytest.fixture
async def alice(instance: Instance) -> Account:
    return await instance.account("alice")


@pytest.fixture
async def moderator(instance: Instance) -> Account:
    return await instance.account("mona", role="moderator")


@pytest.fixture
async def bob(peer: Server) -> Actor:
    return peer.actor("bob")


async def count(instance: Instance) -> int:
    return await instance.database.read(lambda tx: tx.scalar(select(func.count()).select_from(reports)) or 0)


async def told(instance: Instance, who: Account) -> list[Any]:
    return [one for one in await instance.notifications(who) if one["type"] == "admin.report"]


async def test_a_report_reaches_the_moderators_and_nobody_else(
    instance: Instance, alice: Account, moderator: Account
) -> None:
    carol = await instance.account("carol")
    post = await instance.post(carol, "buy my pills")
    await instance.database.write(lambda tx: house.update(tx, rules=("No pills.", "Be kind.")))
    # Somebody whom the moderator blocks may report all the same.
    await instance.call("POST", f"/api/v1/accounts/{alice.id}/block", by=moderator)
    sent = {
        "account_id": str(carol.id),
        "status_ids": [post["id"]],
        "comment": "pills again",
        "rule_ids": ["1"],
        "forward": True,  # of no consequence: nobody involved is elsewhere
    }
    report = await instance.call("POST", "/api/v1/reports", by=alice, json=sent)
    assert_entity("Report", report)
    assert (report["category"], report["comment"], report["forwarded"]) == ("violation", "pills again", False)
    assert (report["status_ids"], report["rule_ids"]) == ([post["id"]], ["1"])
    (notification,) = await told(instance, moderator)
    assert notification["account"]["id"] == str(alice.id)
    assert notification["report"] == report
    assert await instance.notifications(carol) == []
    # One's own reports can be seen again, those of others cannot.
    assert await instance.call("GET", "/api/v1/reports", by=alice) == [report]
    assert await instance.call("GET", "/api/v1/reports?resolved=true", by=alice) == []
    assert await instance.call("GET", f"/api/v1/reports?target_account_id={alice.id}", by=alice) == []
    assert await instance.call("GET", f"/api/v1/reports/{report['id']}", by=alice) == report
    for who in (carol, moderator):
        assert await instance.call("GET", "/api/v1/reports", by=who) == []
        await instance.call("GET", f"/api/v1/reports/{report['id']}", by=who, status=404)
    # A form, as many clients send it.
    form = {"account_id": str(carol.id), "status_ids[]": post["id"], "category": "spam"}
    assert (await instance.call("POST", "/api/v1/reports/", by=alice, data=form))["category"] == "spam"


async def test_what_cannot_be_reported(instance: Instance, alice: Account, monkeypatch: pytest.MonkeyPatch) -> None:
    carol = await instance.account("carol")
    secret = await instance.post(carol, "for my followers", visibility="private")
    mine = await instance.post(alice, "my own")
    target = {"account_id": str(carol.id)}
    for sent, status in (
        ({}, 422),
        ({"account_id": "x"}, 400),
        ({"account_id": "1"}, 404),  # the instance actor
        ({"account_id": "999999999999"}, 404),
        ({"account_id": str(alice.id)}, 422),
        ({**target, "comment": "x" * 1001}, 422),
        ({**target, "comment": "\ud800"}, 400),
        ({**target, "comment": {"x": 1}}, 400),
        ({**target, "category": "boring"}, 422),
        ({**target, "rule_ids": ["1"]}, 422),
        ({**target, "rule_ids": ["-1"]}, 400),
        ({**target, "status_ids": [secret["id"]]}, 404),
        ({**target, "status_ids": [mine["id"]]}, 404),
        ({**target, "status_ids": ["9" * 30]}, 400),
        ({**target, "status_ids": ["1"] * 101}, 400),
        ({**target, "forward": True, "forward_to_domains": ["not a host!"]}, 400),
    ):
        refusal = await instance.call("POST", "/api/v1/reports", by=alice, json=sent, status=status)
        assert_entity("Error", refusal)
    await instance.call("GET", "/api/v1/reports/nonsense", by=alice, status=404)
    assert await count(instance) == 0
    monkeypatch.setattr(domain, "MAX_A_DAY", 2)
    for status in (200, 200, 429):
        await instance.call("POST", "/api/v1/reports", by=alice, json=target, status=status)


async def test_a_report_is_forwarded_without_a_name(
    instance: Instance, alice: Account, bob: Actor, other_peer: Server
) -> None:
    victim = other_peer.actor("victim")
    found = await instance.follow(alice, bob.handle)
    await instance.find(alice, victim.handle)
    await instance.tick()
    note = bob.mention(alice.uri, "insult", inReplyTo=other_peer.serve(victim.note("Hello"))["id"])
    await bob.server.send(bob, f"{instance.url}/inbox", bob.activity("Create", note))
    await instance.tick()
    (seen,) = await instance.call("GET", f"/api/v1/accounts/{found['id']}/statuses", by=alice)
    bob.server.received.clear()
    sent = {"account_id": found["id"], "status_ids": [seen["id"]], "comment": "an insult"}
    quiet = await instance.call("POST", "/api/v1/reports", by=alice, json=sent)
    assert not quiet["forwarded"]
    domains = [bob.server.host, other_peer.host, "elsewhere.example"]
    loud = await instance.call(
        "POST", "/api/v1/reports", by=alice, json={**sent, "forward": True, "forward_to_domains": domains}
    )
    assert loud["forwarded"]
    await instance.tick()
    for server in (bob.server, other_peer):
        (flag,) = [one for one in server.received if one.body["type"] == "Flag"]
        assert flag.body["actor"] == f"{instance.url}/actor"
        assert flag.body["object"] == [bob.uri, note["id"]]
        assert flag.body["content"] == "an insult"
        assert f'keyId="{instance.url}/actor#main-key"' in flag.headers["Signature"]
        assert "alice" not in str(flag.body)


@pytest.mark.attack("FLO-05")
async def test_reports_of_other_servers_are_taken_in_measure(
    instance: Instance, alice: Account, moderator: Account, bob: Actor, monkeypatch: pytest.MonkeyPatch
) -> None:
    inbox = f"{instance.url}/inbox"
    post = await instance.post(alice, "report me")
    other = await instance.post(moderator, "not hers")

    async def flag(objects: Any, **fields: Any) -> int:
        await bob.server.send(bob, inbox, bob.activity("Flag", objects, **fields))
        await instance.tick()
        return await count(instance)

    assert await flag([alice.uri, post["uri"], "https://a.test/1", *([bob.uri] * 10_000)], content="bad\0 " * 9) == 1
    (notification,) = await told(instance, moderator)
    assert notification["account"]["acct"] == bob.handle.removeprefix("@")
    assert notification["report"]["status_ids"] == [post["id"]]
    assert notification["report"]["target_account"]["id"] == str(alice.id)
    assert notification["report"]["comment"].startswith("bad bad")
    # As Misskey does it: posts by their addresses in the text, whose authors count.
    assert (
        await flag(alice.uri, content=f"Note: {post['url']}\nLocal: {other['url']}\n-----\nx", id=f"{bob.uri}#f1") == 3
    )
    assert await flag(alice.uri, content="the same again", id=f"{bob.uri}#f1") == 3
    by_target = {one["report"]["target_account"]["id"]: one["report"] for one in await told(instance, moderator)}
    assert by_target[str(moderator.id)]["status_ids"] == [other["id"]]
    # Names that do not fit together, and what is nobody's here.
    wrong = other["uri"].replace("/mona/", "/alice/")
    big = f"{alice.uri}/statuses/{'9' * 19}"
    for nothing in ([bob.uri], [], ["https://a.test/1"], f"{instance.url}/actor", None, f"{instance.url}/users/nobody"):
        assert await flag(nothing) == 3
    assert await flag([wrong, big], content="x" * 100_000) == 4
    latest = (await told(instance, moderator))[0]["report"]
    assert (latest["status_ids"], len(latest["comment"])) == ([], domain.MAX_COMMENT)
    # No server floods the moderators, and the one that is reported learns nothing of it.
    monkeypatch.setattr(domain, "MAX_A_DAY", 5)
    assert await flag([alice.uri, moderator.uri]) == 5
    assert await flag([alice.uri]) == 5
    assert await instance.notifications(alice) == []


async def test_what_others_may_read_along_is_told_to_no_team(instance: Instance, alice: Account) -> None:
    """A moderator's own actor is told, not the brand's that others may speak as."""

    moderator = await instance.account("mona", role="owner")
    brand = await instance.account("brand", role="admin")
    await instance.database.write(lambda tx: people.join(tx, alice.person_id, brand.id, role="editor", now=clock.now()))
    assert await instance.database.read(people.staff_actors) == [moderator.id]
