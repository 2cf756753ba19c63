"""What one keeps about others: notes, endorsements, blocked domains, languages of follows, familiar followers."""

from __future__ import annotations

import json
from typing import Any

from sqlalchemy import Connection, Row, select

from fediverse import clock, moderation, notifications, reactions, statuses, timelines
from fediverse.actors import directory, hidden_hosts, relations
from fediverse.db import Database
from fediverse.paging import Page
from fediverse.tables.actors import follows
from fediverse.tables.outbox import activities
from tests.support.entities import assert_entity
from tests.support.instance import Instance
from tests.support.world import NOW, URLS, follow, local, post, remote


async def test_notes_and_endorsements(instance: Instance) -> None:
    alice, bob, carol = [await instance.account(name) for name in ("alice", "bob", "carol")]
    path = f"/api/v1/accounts/{bob.id}"

    noted = await instance.call("POST", f"{path}/note", by=alice, json={"comment": " met in Oslo "})
    assert_entity("Relationship", noted)
    assert noted["note"] == "met in Oslo"
    [stands] = await instance.call("GET", f"/api/v1/accounts/relationships?id[]={bob.id}", by=alice)
    assert stands["note"] == "met in Oslo"
    [stands] = await instance.call("GET", f"/api/v1/accounts/relationships?id[]={bob.id}", by=carol)
    assert stands["note"] == ""
    assert (await instance.call("POST", f"{path}/note", by=alice, json={"comment": "other"}))["note"] == "other"
    await instance.call("POST", f"{path}/note", by=alice, json={"comment": "x" * 2001}, status=422)
    await instance.call("POST", f"{path}/note", by=alice, json={"comment": ["x"]}, status=400)
    assert (await instance.call("POST", f"{path}/note", by=alice))["note"] == ""
    await instance.call("POST", "/api/v1/accounts/5/note", by=alice, json={"comment": "x"}, status=404)

    assert_entity("Error", await instance.call("POST", f"{path}/endorse", by=alice, status=422))
    for someone in (bob, carol):
        await instance.call("POST", f"/api/v1/accounts/{someone.id}/follow", by=alice)
        assert (await instance.call("POST", f"/api/v1/accounts/{someone.id}/pin", by=alice))["endorsed"] is True
    await instance.call("POST", f"{path}/endorse", by=alice)
    shown = await instance.call("GET", "/api/v1/endorsements", by=alice)
    assert [account["id"] for account in shown] == [str(carol.id), str(bob.id)]
    assert_entity("Account", shown[0])
    one = await instance.call("GET", f"/api/v1/accounts/{alice.id}/endorsements?limit=1")
    assert [account["id"] for account in one] == [str(carol.id)]
    assert (await instance.call("POST", f"/api/v1/accounts/{carol.id}/unpin", by=alice))["endorsed"] is False
    await instance.call("POST", f"{path}/unfollow", by=alice)  # whom one does not follow, one does not recommend
    assert await instance.call("GET", f"/api/v1/accounts/{alice.id}/endorsements", by=bob) == []
    assert await instance.call("GET", f"/api/v1/accounts/{alice.id}/identity_proofs", by=bob) == []


async def test_accounts_by_id_and_familiar_followers(instance: Instance) -> None:
    me, friend, shy, star, hidden = [await instance.account(name) for name in ("me", "friend", "shy", "star", "hidden")]

    def unit(tx: Connection) -> None:
        rows = {account.id: directory.by_id(tx, account.id) for account in (me, friend, shy, star, hidden)}
        for one in (friend, shy):
            follow(tx, found(rows, me.id), found(rows, one.id))
            for other in (star, hidden):
                follow(tx, found(rows, one.id), found(rows, other.id))
        for one in (shy, hidden):
            directory.update_local(tx, one.id, hide_relations=True)

    await instance.database.write(unit)
    asked = f"id[]={star.id}&id[]={hidden.id}&id[]=7&id[]=x&id[]={me.id}"
    familiar = await instance.call("GET", f"/api/v1/accounts/familiar_followers?{asked}", by=me)
    assert_entity("FamiliarFollowers", familiar[0])
    assert [(entry["id"], [account["id"] for account in entry["accounts"]]) for entry in familiar] == [
        (str(star.id), [str(friend.id)]),
        (str(hidden.id), []),
        (str(me.id), []),
    ]
    in_body = await instance.call("GET", "/api/v1/accounts/familiar_followers", by=me, json={"id": [str(star.id)]})
    assert in_body == familiar[:1]  # as Mastodon.py sends it
    assert await instance.call("GET", "/api/v1/accounts/familiar_followers", by=me) == []

    several = await instance.call("GET", f"/api/v1/accounts?{asked}&id[]=1")
    assert [account["id"] for account in several] == [str(star.id), str(hidden.id), str(me.id)]
    assert await instance.call("GET", "/api/v1/accounts") == []
    await instance.call("GET", "/api/v1/accounts?" + "&".join(["id[]=1"] * 41), status=400)


def found(rows: dict[int, Row[Any] | None], actor_id: int) -> Row[Any]:
    row = rows[actor_id]
    assert row is not None
    return row


async def test_domain_blocks_over_http(instance: Instance) -> None:
    alice = await instance.account("alice")
    path = "/api/v1/domain_blocks"
    for domain in ("Bad.Example.", "bücher.example"):
        assert await instance.call("POST", path, by=alice, json={"domain": domain}) == {}
    await instance.call("POST", path, by=alice, data={"domain": "bad.example"})
    assert await instance.call("GET", path, by=alice) == ["xn--bcher-kva.example", "bad.example"]
    assert await instance.call("GET", f"{path}?limit=1", by=alice) == ["xn--bcher-kva.example"]
    for domain in ("", "no host", instance.domain, "a" * 5000, "x@y"):
        assert_entity("Error", await instance.call("POST", path, by=alice, json={"domain": domain}, status=422))
    await instance.call("POST", path, by=alice, json={"domain": {"a": 1}}, status=400)
    assert await instance.call("DELETE", path, by=alice, params={"domain": "BAD.example"}) == {}
    assert await instance.call("GET", path, by=alice) == ["xn--bcher-kva.example"]


async def test_a_hidden_host_is_gone_from_everything(database: Database) -> None:
    def unit(tx: Connection) -> None:
        alice, bob, friend = local(tx, "alice"), local(tx, "bob"), remote(tx, "friend", "good.example")
        bad, worse = remote(tx, "bad"), remote(tx, "worse")
        for other in (bad, friend):
            follow(tx, alice, other)
        follow(tx, bad, alice)
        theirs = post(tx, bad, "hello", to=[alice], tags=("x",))
        ours = post(tx, alice, "hi")
        reactions.favourite(tx, URLS, worse, ours, author=alice, now=NOW)
        statuses.boost(
            tx, URLS, friend, post(tx, worse, "carried"), author=worse, now=clock.now(), uri="https://good.example/b"
        )

        def shown(viewer: Row[Any]) -> tuple[int, int, int]:
            public = timelines.public(tx, Page(), viewer_id=viewer.id, now=clock.now())
            home = timelines.home(tx, viewer.id, Page(), now=clock.now())
            return len(public), len(home), len(notifications.page(tx, viewer.id, Page()))

        before, everybody = shown(alice), shown(bob)
        assert before[0] == everybody[0] == 3
        hidden_hosts.hide(tx, URLS, alice, "there.example", now=NOW)
        assert shown(alice) == (1, 1, 0)
        assert shown(bob) == everybody
        reactions.favourite(tx, URLS, bad, ours, author=alice, now=NOW)
        assert notifications.page(tx, alice.id, Page()) == []

        [stands, other] = relations.relationships(tx, alice.id, [bad.id, friend.id], now=NOW)
        assert (stands.domain_blocking, stands.following, stands.followed_by) == (True, False, False)
        assert (other.domain_blocking, other.following) == (False, True)
        kinds = [json.loads(row.document)["type"] for row in tx.execute(select(activities).order_by(activities.c.id))]
        assert kinds[-2:] == ["Undo", "Reject"]
        relations.receive_follow(tx, URLS, worse, alice, uri="https://there.example/f/1", now=NOW)
        assert tx.scalar(select(follows.c.id).where(follows.c.follower_id == worse.id)) is None

        hidden_hosts.show(tx, alice.id, "there.example")
        assert shown(alice)[0] == 3
        assert theirs.id in {row.id for row in timelines.public(tx, Page(), viewer_id=alice.id, now=clock.now())}
        assert moderation.list_hosts(tx) == []

    await database.write(unit)


async def test_many_follows_end_in_the_background(instance: Instance) -> None:
    alice = await instance.account("alice")

    def befriend(tx: Connection) -> None:
        me = directory.by_id(tx, alice.id)
        assert me is not None
        for number in range(45):
            follow(tx, remote(tx, f"friend{number}"), me)

    await instance.database.write(befriend)
    await instance.call("POST", "/api/v1/domain_blocks", by=alice, json={"domain": "there.example"})
    await instance.tick()
    assert await instance.call("GET", f"/api/v1/accounts/{alice.id}/followers", by=alice) == []


async def test_a_follow_of_some_languages(instance: Instance) -> None:
    alice, bob = await instance.account("alice"), await instance.account("bob")
    old = {language: await instance.post(bob, f"old {language}", language=language) for language in ("en-GB", "fr")}
    path = f"/api/v1/accounts/{bob.id}/follow"
    stands = await instance.call("POST", path, by=alice, json={"languages": ["de", "en-US"], "notify": True})
    assert_entity("Relationship", stands)
    assert stands["languages"] == ["de", "en"]
    assert [status["id"] for status in await instance.home(alice)] == [old["en-GB"]["id"]]
    for language in ("de", "fr", "en"):
        await instance.post(bob, f"new {language}", language=language)
    assert [status["language"] for status in await instance.home(alice)] == ["en", "de", "en-GB"]
    assert len(await instance.notifications(alice)) == 2
    kept = await instance.call("POST", path, by=alice, json={"reblogs": False})
    assert (kept["languages"], kept["notifying"], kept["showing_reblogs"]) == (["de", "en"], True, False)
    assert (await instance.call("POST", path, by=alice, data={"languages[]": ""}))["languages"] is None
    await instance.call("POST", path, by=alice, json={"languages": ["not a language"]}, status=422)
    await instance.call("POST", path, by=alice, json={"languages": {"a": "b"}}, status=400)
