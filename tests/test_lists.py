"""Lists: who is on them, and what they show, over real HTTP and in the database."""

from __future__ import annotations

from typing import Any

from sqlalchemy import Connection, Row, event

from fediverse import clock, lists, timelines
from fediverse.actors import relations
from fediverse.db import Database
from fediverse.paging import Page
from tests.support import world
from tests.support.instance import Instance
from tests.support.world import URLS, follow, local, post


async def test_a_list_is_made_changed_and_deleted(instance: Instance) -> None:
    alice, bob = await instance.account("alice"), await instance.account("bob")
    carol, dave = await instance.account("carol"), await instance.account("dave")
    await instance.follow(alice, "bob")
    await instance.follow(alice, "carol")

    async def call(method: str, path: str = "", status: int | None = None, **sent: Any) -> Any:
        return await instance.call(method, f"/api/v1/lists{path}", by=alice, status=status, json=sent)

    made = await call("POST", title="Friends")
    assert made == {"id": made["id"], "title": "Friends", "replies_policy": "list", "exclusive": False}
    changed = await call("PUT", f"/{made['id']}", title="Mates", replies_policy="none", exclusive=True)
    assert changed == {"id": made["id"], "title": "Mates", "replies_policy": "none", "exclusive": True}
    assert await call("PUT", f"/{made['id']}", title="Pals") == {**changed, "title": "Pals"}
    assert await call("GET") == [{**changed, "title": "Pals"}]
    assert await call("GET", f"/{made['id']}") == {**changed, "title": "Pals"}

    members = f"/{made['id']}/accounts"
    await call("POST", members, account_ids=[str(bob.id), str(carol.id), str(alice.id)])
    assert [account["acct"] for account in await call("GET", members)] == ["bob", "carol", "alice"]
    assert len(await call("GET", f"{members}?limit=0")) == 3
    async with instance.http.get(f"{instance.url}/api/v1/lists{members}?limit=2", headers=alice.headers) as response:
        assert [account["acct"] for account in await response.json()] == ["bob", "carol"]
        rest = str(response.links["next"]["url"])
    async with instance.http.get(rest, headers=alice.headers) as response:
        assert [account["acct"] for account in await response.json()] == ["alice"]
    await call("POST", members, 422, account_ids=[str(bob.id)])
    await call("POST", members, 422, account_ids=[str(dave.id)])
    await call("POST", members, 404, account_ids=["1234"])
    assert await instance.call("GET", f"/api/v1/accounts/{bob.id}/lists", by=alice) == await call("GET")
    assert await instance.call("GET", f"/api/v1/accounts/{alice.id}/lists", by=bob) == []
    await instance.call("DELETE", f"/api/v1/lists{members}?account_ids[]={carol.id}", by=alice)
    assert [account["acct"] for account in await call("GET", members)] == ["bob", "alice"]
    await instance.call("POST", f"/api/v1/accounts/{bob.id}/unfollow", by=alice)
    assert [account["acct"] for account in await call("GET", members)] == ["alice"]

    for wrong in ({"title": " "}, {"title": "x" * 257}, {}, {"title": "x", "replies_policy": "all"}):
        await call("POST", "", 422, **wrong)
    for path in ("/x", "/1", "/99999999999999999999", "/-1"):
        await call("GET", path, 404)
        await instance.call("GET", f"/api/v1/timelines/list{path}", by=alice, status=404)
    await call("POST", members, 400, account_ids={"a": "b"})
    await call("DELETE", f"/{made['id']}")
    assert await call("GET") == []
    await call("GET", members, 404)
    for number in range(50):
        await call("POST", title=f"List {number}")
    await call("POST", "", 422, title="One too many")


async def test_a_list_shows_its_members_posts_by_its_rule(instance: Instance) -> None:
    names = ("alice", "bob", "carol", "dave")
    alice, bob, carol, dave = [await instance.account(name) for name in names]
    for name in names[1:]:
        await instance.follow(alice, name)
    await instance.follow(carol, "bob")
    made = await instance.call("POST", "/api/v1/lists", by=alice, json={"title": "Two"})
    ids = {"account_ids": [str(bob.id), str(carol.id)]}
    await instance.call("POST", f"/api/v1/lists/{made['id']}/accounts", by=alice, json=ids)
    mine = await instance.post(alice, "of alice")
    plain = await instance.post(bob, "of bob")
    other = await instance.post(dave, "of dave")
    await instance.post(bob, "@alice to the owner", in_reply_to_id=mine["id"])
    await instance.post(carol, "@bob to a member", in_reply_to_id=plain["id"])
    await instance.post(carol, "@dave to a followee", in_reply_to_id=other["id"])
    await instance.post(bob, "spoiled")
    private = await instance.post(carol, "for followers", visibility="private")
    boost = await instance.call("POST", f"/api/v1/statuses/{other['id']}/reblog", by=bob)
    sent = {"title": "f", "context": ["home"], "filter_action": "hide", "keywords_attributes": [{"keyword": "spoiled"}]}
    await instance.call("POST", "/api/v2/filters", by=alice, json=sent)

    async def shown(path: str = f"list/{made['id']}", **params: str) -> list[str]:
        found = await instance.call("GET", f"/api/v1/timelines/{path}", by=alice, params=params)
        words = [(status["reblog"] or status)["content"].rpartition("</span>")[2] for status in found]
        return [one.removeprefix("<p>").removesuffix("</p>").strip() for one in words]

    followed = ["for followers", "to a followee", "to a member", "to the owner", "of bob"]
    assert boost["reblog"]["id"] == other["id"]
    for policy, want in (
        ("followed", followed),
        ("list", [one for one in followed if one != "to a followee"]),
        ("none", ["for followers", "to the owner", "of bob"]),
    ):
        await instance.call("PUT", f"/api/v1/lists/{made['id']}", by=alice, json={"replies_policy": policy})
        assert await shown() == want
        assert await shown(limit="2", max_id=private["id"]) == want[1:3]
        assert await shown(limit="1", min_id=plain["id"]) == want[-2:-1]
    home = await shown("home")
    assert set(followed) <= set(home), "at home they show as well"
    await instance.call("PUT", f"/api/v1/lists/{made['id']}", by=alice, json={"exclusive": True})
    assert await shown("home") == ["of dave", "of alice"], "unless the list is an exclusive one"
    assert await shown() == want
    later = await instance.post(bob, "boosted later")
    await instance.call("POST", f"/api/v1/statuses/{later['id']}/reblog", by=dave)
    assert (await shown("home"))[0] == "boosted later", "by somebody who is not on it"
    await instance.call("POST", f"/api/v1/accounts/{carol.id}/mute", by=alice)
    assert await shown() == ["boosted later", "to the owner", "of bob"]
    await instance.call("POST", f"/api/v1/accounts/{bob.id}/block", by=alice)
    assert await shown() == []
    await instance.call("GET", f"/api/v1/timelines/list/{made['id']}", by=bob, status=404)


async def test_members_who_post_rarely_show_in_a_busy_home(database: Database) -> None:
    """Both ways of finding a page come to the same, and neither reads all of home."""

    def unit(tx: Connection) -> None:
        owner, rare, silent, busy = (local(tx, name) for name in ("reader", "rare", "silent", "busy"))
        for one in (rare, silent, busy):
            follow(tx, owner, one)
        early = [post(tx, rare, f"early {number}").id for number in range(3)]
        last = post(tx, busy, "0")
        values = [
            {"actor_id": owner.id, "status_id": last.id + number, "author_id": busy.id, "subject_id": last.id + number}
            for number in range(1, 900)
        ]
        tx.execute(timelines.home_timeline.home_entries.insert(), values)
        both = lists.create(tx, owner.id, title="both", now=world.NOW)
        lists.add_members(tx, owner.id, both.id, [rare.id, silent.id])

        def shown(**page: int) -> list[int]:
            return [row.id for row in timelines.list_(tx, both, Page(**page), now=clock.now())]

        assert shown() == early[::-1]
        assert shown(limit=2) == early[:0:-1]
        assert shown(max_id=early[2]) == early[1::-1]
        assert shown(min_id=early[0], limit=1) == [early[1]]
        assert shown(since_id=early[1]) == [early[2]]
        assert timelines.showing(tx, early[0], among={both.id, 1}) == {both.id}
        assert timelines.showing(tx, last.id, among={both.id}) == set()
        assert timelines.away(tx, rare.id, among={owner.id, busy.id}) == set()
        lists.change(tx, owner.id, both.id, title=None, replies_policy=None, exclusive=True)
        assert timelines.away(tx, rare.id, among={owner.id, busy.id}) == {owner.id}
        relations.unfollow(tx, URLS, owner, rare, now=world.NOW)
        assert shown() == []
        steps = _plan(tx, lambda: shown())
        if database.is_sqlite:
            assert not [step for step in steps if step.startswith("SCAN statuses")], steps

    await database.write(unit)


def _plan(tx: Connection, act: Any) -> list[str]:
    asked: list[tuple[str, Any]] = []

    def note(_connection: Any, _cursor: Any, statement: str, parameters: Any, *_more: Any) -> None:
        asked.append((statement, parameters))

    event.listen(tx, "before_cursor_execute", note)
    act()
    event.remove(tx, "before_cursor_execute", note)
    plans = (
        [tx.exec_driver_sql(f"EXPLAIN QUERY PLAN {sql}", values).all() for sql, values in asked]
        if (tx.dialect.name == "sqlite")
        else []
    )
    steps: list[Row[Any]] = [step for plan in plans for step in plan]
    return [step.detail for step in steps]
