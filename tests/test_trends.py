"""What is talked about, and what the house announces, over real HTTP."""

from __future__ import annotations

from typing import Any

import orjson
from sqlalchemy import Connection, select, update

from fediverse import announcements, clock, events, ids, keys, reactions, trends
from fediverse.announcements import Draft
from fediverse.clock import DAY, MINUTE
from fediverse.drafts import Visibility
from fediverse.tables.actors import actors
from fediverse.tables.cards import cards
from fediverse.tables.instance import jobs
from fediverse.tables.statuses import statuses, tags
from tests.support import world
from tests.support.commands import Commands
from tests.support.entities import assert_entity
from tests.support.instance import Account, Instance


async def counted(instance: Instance, after: int = 0) -> None:
    """What is talked about is counted now, or later."""
    now = clock.now() + after
    found = await instance.database.read(trends.measure, now=now)
    await instance.database.write(trends.store, found, now=now)


async def shown(instance: Instance, kind: str, by: Account | None = None, **params: str) -> list[Any]:
    found: list[Any] = await instance.call("GET", f"/api/v1/trends/{kind}", by=by, params=params)
    return found


def _remote(tx: Connection, name: str, host: str) -> Any:
    row = world.remote(tx, name, host)
    tx.execute(update(actors).where(actors.c.id == row.id).values(discoverable=True))
    return row


async def test_hashtags_trend_by_accounts(instance: Instance) -> None:
    alice = await instance.account("alice")

    def talk(tx: Connection) -> dict[str, int]:
        people = [world.local(tx, f"somebody{n}") for n in range(3)]
        limited, hidden = world.local(tx, "limited", limited_at=1), world.local(tx, "hidden", discoverable=False)
        for who in people:
            world.post(tx, who, "the #Launch and #secret", visibility=Visibility.FOLLOWERS)
            world.post(tx, who, "again #launch")
            world.post(tx, who, "#Launch is #today")
        world.post(tx, people[0], "#alone #alone")
        for who in (people[0], people[1], limited, hidden):
            world.post(tx, who, "#few")
        world.post(tx, people[2], "#few", spoiler_text="careful")
        for n in range(5):
            world.post(tx, _remote(tx, f"bot{n}", "spam.example"), f"buy {n}", tags=("spam",))
        return {row.name: row.id for row in tx.execute(select(tags))}

    tag_ids = await instance.database.write(talk)
    assert await shown(instance, "tags") == []  # nothing is counted while somebody waits
    await counted(instance)
    found = await shown(instance, "tags")
    assert {tag["name"] for tag in found} == {"Launch", "today"}
    launch = next(tag for tag in found if tag["name"] == "Launch")
    assert_entity("Tag", launch)
    midnight = clock.now() // DAY * DAY // 1000
    assert launch["history"][0] == {"day": str(midnight), "uses": "6", "accounts": "3"}
    assert len(launch["history"]) == 7
    assert launch["history"][1] == {"day": str(midnight - 86400), "uses": "0", "accounts": "0"}
    assert await shown(instance, "tags", limit="1", offset="1") == found[1:]
    async with instance.http.get(f"{instance.url}/api/v1/trends") as answer:
        assert await answer.json() == found

    for name, allowed in (("launch", False), ("few", True), ("spam", True)):
        await instance.database.write(trends.review, "tag", tag_ids[name], allowed=allowed, now=1)
    assert {tag["name"] for tag in await shown(instance, "tags", by=alice)} == {"few", "spam", "today"}
    for q, expected in (("few", ["few"]), ("today", [])):
        answer = await instance.call(
            "GET", "/api/v2/search", by=alice, params={"q": q, "exclude_unreviewed": "true", "type": "hashtags"}
        )
        assert [tag["name"] for tag in answer["hashtags"]] == expected
    await counted(instance, after=4 * DAY)
    assert await shown(instance, "tags") == []


async def test_posts_and_links_trend_by_accounts(instance: Instance) -> None:
    alice = await instance.account("alice")

    def talk(tx: Connection) -> tuple[int, int, int]:
        fans = [world.local(tx, f"fan{n}") for n in range(3)]
        crowd = [_remote(tx, f"bot{n}", "spam.example") for n in range(4)]
        star, other = world.local(tx, "star"), world.local(tx, "other")
        loved, liked, bought = (world.post(tx, who, text) for who, text in ((star, "a"), (other, "b"), (star, "c")))
        for post, author, by in ((loved, star, fans), (liked, other, [*fans[:2], other]), (bought, star, crowd)):
            for who in by:
                uri = f"{who.uri}/likes/{post.id}" if who.host else None
                reactions.favourite(tx, world.URLS, who, post, author=author, now=clock.now(), uri=uri)
        card = {"id": ids.new_id(), "url": "https://news.example/", "kind": "link", "link": "https://news.example/"}
        card |= {"title": "News", "provider_url": "https://news.example", "author_url": "https://news.example/who"}
        tx.execute(cards.insert(), card)
        for who in fans:
            post = world.post(tx, who, "look")
            tx.execute(update(statuses).where(statuses.c.id == post.id).values(card_id=card["id"]))
        return loved.id, liked.id, star.id

    loved, liked, star = await instance.database.write(talk)
    await counted(instance)
    assert [status["id"] for status in await shown(instance, "statuses")] == [str(loved)]
    await instance.database.write(trends.review, "status", liked, allowed=True, now=1)
    found = await shown(instance, "statuses", by=alice)
    assert [status["id"] for status in found] == [str(loved), str(liked)]
    assert_entity("Status", found[0])
    await instance.call("POST", f"/api/v1/accounts/{star}/block", by=alice)
    assert [status["id"] for status in await shown(instance, "statuses", by=alice)] == [str(liked)]
    (link,) = await shown(instance, "links")
    assert (link["url"], link["title"], link["history"][0]["accounts"]) == ("https://news.example/", "News", "3")


async def test_trends_are_counted_every_ten_minutes_and_once(instance: Instance) -> None:
    now = clock.now()
    for _ in range(2):
        await instance.database.write(trends.schedule, now=now)
    waiting = await instance.database.read(lambda tx: tx.execute(select(jobs).where(jobs.c.kind == "trends")).all())
    assert len(waiting) == 1
    assert 0 < waiting[0].due_at - now <= 10 * MINUTE
    await trends.job_kinds(instance.database)["trends"]({})
    assert await shown(instance, "tags") == []


async def test_announcements(instance: Instance) -> None:
    alice, bob = await instance.account("alice"), await instance.account("bob")
    told: list[events.Announcement] = []
    instance.app[keys.HUB].listen(events.Announcement, told.append)
    now = clock.now()
    path = "/api/v1/announcements"

    async def ids_of(by: Account, **params: str) -> list[str]:
        return [one["id"] for one in await instance.call("GET", path, by=by, params=params)]

    def announce(tx: Connection) -> tuple[str, str]:
        first = announcements.create(tx, Draft("We moved: see https://example.com/ & <wave>"), now=now)
        over = announcements.create(tx, Draft("Over", ends_at=now - 1), now=now)
        return str(first.id), str(over.id)

    first, over = await instance.database.write(announce)
    await instance.tick()
    assert [event.event for event in told] == ["announcement"]
    assert_entity("Announcement", orjson.loads(told[0].payload))
    (shown_,) = await instance.call("GET", path, by=alice)
    assert_entity("Announcement", shown_)
    assert (shown_["id"], shown_["read"], shown_["reactions"]) == (first, False, [])
    assert 'href="https://example.com/"' in shown_["content"]
    assert "&amp; &lt;wave&gt;" in shown_["content"]

    for by, name in ((alice, "👍"), (bob, "👩‍🚀"), (alice, "👩‍🚀"), (alice, "👩‍🚀")):
        assert await instance.call("PUT", f"{path}/{first}/reactions/{name}", by=by) == {}
    (shown_,) = await instance.call("GET", path, by=bob)
    assert shown_["reactions"] == [{"name": "👍", "count": 1, "me": False}, {"name": "👩‍🚀", "count": 2, "me": True}]
    assert orjson.loads(told[-1].payload) == {"name": "👩‍🚀", "count": 2, "announcement_id": first}
    await instance.call("DELETE", f"{path}/{first}/reactions/👍", by=alice)
    assert orjson.loads(told[-1].payload)["count"] == 0
    assert len(told) == 5
    for name in ("x", "👍👍", ":cat:", "%20", "1"):
        await instance.call("PUT", f"{path}/{first}/reactions/{name}", by=alice, status=422)
    for name in "😀😁😂😃😄😅😆":
        await instance.call("PUT", f"{path}/{first}/reactions/{name}", by=alice)
    await instance.call("PUT", f"{path}/{first}/reactions/😇", by=alice, status=422)
    for number in (over, "1", "x"):
        await instance.call("PUT", f"{path}/{number}/reactions/👍", by=alice, status=404)
        await instance.call("POST", f"{path}/{number}/dismiss", by=alice, status=404)

    assert await instance.call("POST", f"{path}/{first}/dismiss", by=alice) == {}
    assert await ids_of(alice) == []
    assert await ids_of(alice, with_dismissed="true") == [first]
    assert await ids_of(bob) == [first]
    await instance.database.write(announcements.remove, int(first))
    await instance.tick()
    assert (told[-1].event, told[-1].payload) == ("announcement.delete", first)
    assert await ids_of(bob) == []
    await instance.call("GET", path, status=401)


def test_announcements_from_the_command_line(commands: Commands) -> None:
    days = ("--starts", "2100-01-01", "--ends", "2100-01-02", "--all-day")
    made = commands.run("announcement", "create", "-", *days, stdin="Hi")
    number = made.split()[1]
    assert commands.run("announcement", "list") == f"{number}\tHi\tuntil 2100-01-02T23:59:59.000Z\n"
    backwards = ("--starts", "2100-01-02", "--ends", "2100-01-01")
    assert "cannot end" in commands.refusal("announcement", "create", "x", *backwards)
    commands.run("announcement", "delete", number)
    assert commands.run("announcement", "list") == ""
    assert commands.refusal("announcement", "delete", number)
    assert commands.refusal("announcement", "create", " ")
