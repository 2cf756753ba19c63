"""Hashtags: how much they are used, following them, showing them on a profile."""

from __future__ import annotations

from typing import Any

import pytest
from sqlalchemy import Connection

from fediverse import clock, hashtags, ids, statuses, timelines
from fediverse.clock import DAY
from fediverse.db import Database
from fediverse.paging import Page
from fediverse.tables.hashtags import tag_follows
from fediverse.tables.instance import jobs as jobs_table
from tests.support import world
from tests.support.instance import Instance
from tests.support.world import local, post, remote


@pytest.mark.parametrize(
    ("given", "name"),
    [("cats", "cats"), ("#Cats", "Cats"), ("猫", "猫"), ("a_1", "a_1"), ("1", None), ("", None), ("#", None),
     ("a b", None), ("##a", None), ("a-b", None), ("a\0", None), ("x" * 200, None)],
)  # fmt: skip
def test_a_name_is_read(given: str, name: str | None) -> None:
    assert hashtags.read_name(given) == name


async def test_hashtags_are_followed_and_come_home(instance: Instance) -> None:
    alice, bob = await instance.account("alice"), await instance.account("bob")
    carol = await instance.account("carol")
    await instance.follow(alice, "carol")

    async def act(name: str, verb: str = "", **more: Any) -> Any:
        return await instance.call("POST" if verb else "GET", f"/api/v1/tags/{name}{verb}", by=alice, **more)

    async def home() -> list[str]:
        return [status["id"] for status in await instance.home(alice)]

    before = await instance.post(bob, "before #Cats")
    tag = await act("CATS")
    assert (tag["name"], tag["following"], tag["featuring"]) == ("Cats", False, False)
    assert len(tag["history"]) == 7
    assert (tag["history"][0]["uses"], tag["history"][0]["accounts"]) == ("1", "1")
    assert (await act("cats", "/follow"))["following"] is True
    assert (await act("cats", "/follow"))["following"] is True
    assert (await act("dögs", "/follow"))["name"] == "dögs", "it may be the first to come"
    assert before["id"] not in await home()
    first = await instance.post(bob, "first #cats")
    second = await instance.post(bob, "second #CATS #dögs")
    followed = await instance.post(carol, "of carol #cats")
    for text, fields in (
        ("unlisted #cats", {"visibility": "unlisted"}),
        ("private #cats", {"visibility": "private"}),
        ("#cats @carol", {"in_reply_to_id": followed["id"]}),
        ("nothing", {}),
    ):
        await instance.post(bob, text, **fields)
    assert await home() == [followed["id"], second["id"], first["id"]]
    assert {(tag["name"], tag["following"]) for tag in await act_list(instance, alice)} == {
        ("dögs", True),
        ("Cats", True),
    }
    page = await act_list(instance, alice, limit="1")
    assert [tag["name"] for tag in page] == ["dögs"]
    assert (await act("cats", "/unfollow"))["following"] is False
    assert await home() == [followed["id"], second["id"]], "what another one brought stays, and whom one follows"
    await instance.call("POST", f"/api/v1/accounts/{bob.id}/mute", by=alice)
    assert await home() == [followed["id"]]
    await act("dögs", "/unfollow")
    await act("never%20heard", "/follow", status=404)
    for name in ("1", "a-b", "%00", "x" * 200):
        await act(name, status=404)
    found = await instance.call("GET", "/api/v2/search?q=cats&type=hashtags", by=bob)
    assert found["hashtags"][0]["history"][0]["uses"] == "5"
    secret = await instance.post(bob, "psst #Layoffs", visibility="private")
    assert secret["tags"]
    unknown = await instance.call("GET", "/api/v1/tags/layoffs")
    assert unknown["name"] == "layoffs", "not as it was written"
    assert {day["uses"] for day in unknown["history"]} == {"0"}
    assert "following" not in unknown


async def act_list(instance: Instance, by: Any, **params: str) -> list[Any]:
    found: list[Any] = await instance.call("GET", "/api/v1/followed_tags", by=by, params=params)
    return found


async def test_hashtags_stand_on_a_profile(instance: Instance) -> None:
    alice, bob = await instance.account("alice"), await instance.account("bob")

    async def call(method: str, path: str = "featured_tags", status: int | None = None, **sent: Any) -> Any:
        return await instance.call(method, f"/api/v1/{path}", by=alice, status=status, json=sent)

    for text in ("#one", "#One #two", "#three"):
        await instance.post(alice, text)
    await instance.post(alice, "for few #one", visibility="private")
    await instance.post(bob, "#one")
    assert [tag["name"] for tag in await call("GET", "featured_tags/suggestions")] == ["one", "two", "three"]
    made = await call("POST", name="#ONE")
    assert (made["name"], made["statuses_count"]) == ("ONE", "2")
    assert made["last_status_at"] == clock.rfc3339(clock.now())[:10]
    assert (await call("POST", name="one"))["id"] == made["id"]
    assert (await call("POST", "tags/unused/feature"))["featuring"] is True
    both = await call("GET")
    assert [(one["name"], one["statuses_count"], bool(one["last_status_at"])) for one in both] == [
        ("ONE", "2", True),
        ("unused", "0", False),
    ]
    assert [tag["name"] for tag in await call("GET", "featured_tags/suggestions")] == ["two", "three"]
    assert await instance.call("GET", f"/api/v1/accounts/{alice.id}/featured_tags") == both
    assert await instance.call("GET", f"/api/v1/accounts/{bob.id}/featured_tags") == []
    assert (await call("POST", "tags/Unused/unfeature"))["featuring"] is False
    await call("DELETE", f"featured_tags/{made['id']}")
    await call("DELETE", f"featured_tags/{made['id']}", 404)
    assert await call("GET") == []
    for name in ("", "1", "a b"):
        await call("POST", "featured_tags", 422, name=name)
    await call("POST", "tags/1/feature", 404)
    for number in range(10):
        await call("POST", name=f"tag{number}")
    await call("POST", "featured_tags", 422, name="tag10")
    await call("POST", "tags/tag10/feature", 422)
    assert len(await call("GET")) == 10


async def test_a_history_has_a_place_for_each_day(database: Database) -> None:
    def unit(tx: Connection) -> None:
        now = world.NOW // DAY * DAY + DAY // 2
        one, two = local(tx, "one"), remote(tx, "two")
        for number, (author, ago) in enumerate([(one, 0), (one, 0), (two, 0), (two, 1), (one, 6), (one, 8)]):
            draft = {"published_at": now - ago * DAY, "tags": ("t",), "uri": f"https://there.example/{number}"}
            post(tx, two if author is two else remote(tx, "three"), f"{number}", **draft)
        row = statuses.find_tag(tx, "t")
        assert row is not None
        found = hashtags.history(tx, [row.id], now=now)[row.id]
        today = now // DAY * DAY
        assert found == {today: (3, 2), today - DAY: (1, 1), today - 6 * DAY: (1, 1)}

    await database.write(unit)


async def test_a_hashtag_that_many_follow_spreads_in_batches(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(timelines.tagged, "DIRECTLY", 2)

    def unit(tx: Connection) -> None:
        author = local(tx, "author")
        readers = [local(tx, f"reader{number}") for number in range(5)]
        tag_id = statuses.known_tag(tx, "t", now=world.NOW)
        rows = [{"id": ids.new_id(), "actor_id": one.id, "tag_id": tag_id, "created_at": 0} for one in readers]
        tx.execute(tag_follows.insert(), rows)
        status = post(tx, author, "all of you #t")

        def reached() -> int:
            return sum(bool(timelines.home(tx, one.id, Page(), now=world.NOW)) for one in readers)

        assert reached() == 2
        for want in (4, 5):
            (job,) = tx.execute(jobs_table.select().where(jobs_table.c.kind == "spread_tagged")).all()
            tx.execute(jobs_table.delete())
            timelines.spread_tagged(tx, status, after=job.payload["after"])
            assert reached() == want
        assert not tx.execute(jobs_table.select().where(jobs_table.c.kind == "spread_tagged")).all()

    await database.write(unit)
