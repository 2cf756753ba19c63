"""Notifications in groups, and what a policy keeps back, over real HTTP."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from sqlalchemy import Connection, update

from fediverse import clock, notifications
from fediverse.clock import HOUR
from fediverse.db import Database
from fediverse.drafts import Visibility
from fediverse.notifications import Wanted
from fediverse.paging import Page
from fediverse.tables.actors import actors
from tests.support.instance import Account, Instance
from tests.support.world import follow, local, post

GROUPED = "/api/v2/notifications"
POLICY = "/api/v2/notifications/policy"
REQUESTS = "/api/v1/notifications/requests"


@pytest.fixture
async def alice(instance: Instance) -> Account:
    return await instance.account("alice")


async def crowd(instance: Instance, size: int) -> list[Account]:
    return [await instance.account(f"fan{n}") for n in range(size)]


async def react(instance: Instance, by: Account, status: Any, deed: str = "favourite") -> None:
    await instance.call("POST", f"/api/v1/statuses/{status['id']}/{deed}", by=by)


async def groups(instance: Instance, by: Account, query: str = "") -> Any:
    return await instance.call("GET", GROUPED + query, by=by)


def limit(tx: Connection, actor_id: int) -> None:
    tx.execute(update(actors).where(actors.c.id == actor_id).values(limited_at=clock.now()))


def shown(results: Any) -> list[tuple[str, int]]:
    return [(group["type"], group["notifications_count"]) for group in results["notification_groups"]]


async def test_likes_boosts_and_follows_come_in_groups(instance: Instance, alice: Account) -> None:
    fans = await crowd(instance, 3)
    first, second = await instance.post(alice, "first"), await instance.post(alice, "second")
    await react(instance, fans[0], first)
    for fan in fans:
        await react(instance, fan, second)
        await react(instance, fan, second, "reblog")
    await instance.post(fans[0], "@alice hello")
    await instance.post(fans[1], "@alice hello")
    for fan in fans:
        await instance.follow(fan, f"@alice@{instance.domain}")
    results = await groups(instance, alice)
    assert shown(results) == [("follow", 3), ("mention", 1), ("mention", 1), ("reblog", 3), ("favourite", 3),
                              ("favourite", 1)]  # fmt: skip
    follows, mention, _, boosts, likes, _ = results["notification_groups"]
    newest_first = [str(fan.id) for fan in reversed(fans)]
    assert follows["sample_account_ids"] == boosts["sample_account_ids"] == newest_first
    assert "status_id" not in follows
    assert (likes["status_id"], mention["group_key"][:10]) == (second["id"], "ungrouped-")
    # Each account and status once.
    assert sorted(one["id"] for one in results["accounts"]) == sorted(newest_first)
    statuses = [one["id"] for one in results["statuses"]]
    assert len(statuses) == len(set(statuses)) == 4
    # The same keys as in the plain list.
    plain = await instance.notifications(alice)
    assert {one["group_key"] for one in plain} == {one["group_key"] for one in results["notification_groups"]}
    newest = {group["group_key"]: str(group["most_recent_notification_id"]) for group in results["notification_groups"]}
    assert {key: next(one["id"] for one in plain if one["group_key"] == key) for key in newest} == newest

    partial = await groups(instance, alice, "?expand_accounts=partial_avatars&types[]=follow")
    assert [one["id"] for one in partial["accounts"]] == newest_first[:1]
    assert [one["id"] for one in partial["partial_accounts"]] == newest_first[1:]
    assert "display_name" not in partial["partial_accounts"][0]

    assert shown(await groups(instance, alice, "?grouped_types[]=follow&exclude_types[]=mention")) == [
        ("follow", 3), *[("reblog", 1), ("favourite", 1)] * 3, ("favourite", 1)
    ]  # fmt: skip
    of_one = await groups(instance, alice, f"?account_id={fans[0].id}&types[]=favourite")
    assert shown(of_one) == [("favourite", 1), ("favourite", 1)]
    assert of_one["notification_groups"][0]["sample_account_ids"] == [str(fans[0].id)]

    key = f"{GROUPED}/{likes['group_key']}"
    alone = await instance.call("GET", key, by=alice)
    assert shown(alone) == [("favourite", 3)]
    assert "page_min_id" not in alone["notification_groups"][0]
    some = await instance.call("GET", f"{key}/accounts?limit=2", by=alice)
    rest = await instance.call("GET", f"{key}/accounts?max_id={plain[-4]['id']}", by=alice)
    assert [one["id"] for one in some] == newest_first[:2]
    assert len(rest) in {1, 2}
    single = await instance.call("GET", f"{GROUPED}/{mention['group_key']}", by=alice)
    assert single["notification_groups"][0]["status_id"] == mention["status_id"]
    assert len(await instance.call("GET", f"{GROUPED}/{mention['group_key']}/accounts", by=alice)) == 1
    # Somebody else's keys name nothing.
    for path in (key, f"{GROUPED}/{mention['group_key']}", f"{GROUPED}/ungrouped-x", f"{GROUPED}/nothing-1"):
        await instance.call("GET", path, by=fans[0], status=404)
    assert await instance.call("GET", f"{key}/accounts", by=fans[0]) == []
    await instance.call("POST", f"{key}/dismiss", by=fans[0])
    assert len(await instance.notifications(alice)) == len(plain)
    await instance.call("POST", f"{key}/dismiss", by=alice)
    assert len(await instance.notifications(alice)) == len(plain) - 3
    single_key = f"{GROUPED}/{mention['group_key']}/dismiss"
    await instance.call("POST", single_key, by=fans[0])
    assert len(await instance.notifications(alice)) == len(plain) - 3
    await instance.call("POST", single_key, by=alice)
    assert len(await instance.notifications(alice)) == len(plain) - 4
    await instance.call("GET", f"{GROUPED}?expand_accounts=all", by=alice, status=422)


async def test_groups_page_and_count_as_they_stand(instance: Instance, alice: Account) -> None:
    fans = await crowd(instance, 2)
    statuses = [await instance.post(alice, f"post {n}") for n in range(3)]
    for fan in fans:
        for status in statuses:
            await react(instance, fan, status)
    by_number = [("favourite", 2)] * 3
    assert shown(await groups(instance, alice)) == by_number
    seen: list[str] = []
    path = f"{GROUPED}?limit=1"
    for _ in range(3):
        async with instance.http.get(instance.url + path, headers=alice.headers) as response:
            [group] = (await response.json())["notification_groups"]
            # The page reaches from its newest to its newest: what is older of the group is not of it.
            assert group["page_min_id"] == group["page_max_id"] == str(group["most_recent_notification_id"])
            seen.append(group["status_id"])
            path = str(response.links["next"]["url"].relative())
    assert seen == [status["id"] for status in reversed(statuses)]
    assert shown(await instance.call("GET", path, by=alice)) == []
    whole = (await groups(instance, alice))["notification_groups"]
    newer = await groups(instance, alice, f"?since_id={whole[1]['page_max_id']}")
    assert [group["status_id"] for group in newer["notification_groups"]] == seen[:1]
    following = await groups(instance, alice, f"?min_id={whole[2]['page_max_id']}&limit=1")
    assert [group["status_id"] for group in following["notification_groups"]] == seen[1:2]

    async def unread(query: str = "") -> int:
        count: int = (await instance.call("GET", f"{GROUPED}/unread_count{query}", by=alice))["count"]
        return count

    assert await unread() == 3
    assert await unread("?grouped_types[]=follow") == 6
    assert await unread("?limit=2") == 2
    assert await unread("?types[]=mention") == 0
    read = {"notifications": {"last_read_id": whole[1]["page_max_id"]}}
    await instance.call("POST", "/api/v1/markers", by=alice, json=read)
    assert await unread() == 1
    # Whoever takes back the newest uncovers the next.
    await react(instance, fans[1], statuses[2], "unfavourite")
    assert shown(await groups(instance, alice)) == [("favourite", 2), ("favourite", 2), ("favourite", 1)]


async def test_a_group_takes_in_twelve_hours(database: Database) -> None:
    def unit(tx: Connection) -> None:
        author, fans = local(tx, "author"), [local(tx, f"fan{n}") for n in range(5)]
        status, other = post(tx, author, "liked"), post(tx, author, "other")
        now = clock.now()
        begin = now // HOUR * HOUR
        for fan, hours in zip(fans, (0, 5, 11, 12, 23), strict=True):
            for about in (status, other):
                notifications.notify(
                    tx, [author.id], kind="favourite", by=fan, status=about, now=begin + hours * HOUR + 1
                )
        found = notifications.group_page(tx, author.id, Page())
        assert sorted((group.head.status_id == status.id, group.count) for group in found) == [
            (False, 2), (False, 3), (True, 2), (True, 3)
        ]  # fmt: skip
        # The same person again is no news.
        notifications.notify(tx, [author.id], kind="favourite", by=fans[0], status=status, now=begin)
        assert sum(group.count for group in notifications.group_page(tx, author.id, Page())) == 10
        # Of somebody who is suspended nothing shows, though it be the newest.
        tx.execute(update(actors).where(actors.c.id == fans[4].id).values(suspended_at=now))
        after = notifications.group_page(tx, author.id, Page())
        assert [len(group.sender_ids) for group in after] == [1, 1, 3, 3]
        assert fans[4].id not in {sender for group in after for sender in group.sender_ids}
        alone = notifications.group_page(tx, author.id, Page(), grouped=["follow"])
        assert len(alone) == 8
        assert fans[4].id not in {group.head.from_actor_id for group in alone}
        # And whoever is gone leaves the others' group behind.
        notifications.forget_between(tx, author.id, fans[4].id)
        notifications.forget_actor(tx, fans[2].id)
        left = notifications.group_page(tx, author.id, Page())
        assert [(group.count, group.head.from_actor_id) for group in left] == [
            (1, fans[3].id), (1, fans[3].id), (2, fans[1].id), (2, fans[1].id)
        ]  # fmt: skip
        of_one = notifications.group_page(tx, author.id, Page(), Wanted(from_id=fans[0].id))
        assert [group.count for group in of_one] == [1, 1]

    await database.write(unit)


async def test_twenty_times_eight_and_more(database: Database) -> None:
    def unit(tx: Connection) -> None:
        author, status = local(tx, "author"), None
        fans = [local(tx, f"fan{n}") for n in range(11)]
        status = post(tx, author, "liked")
        for fan in fans:
            notifications.notify(tx, [author.id], kind="favourite", by=fan, status=status, now=clock.now())
        [group] = notifications.group_page(tx, author.id, Page())
        assert group.count == 11
        assert group.sender_ids == [fan.id for fan in reversed(fans)][:8]
        senders = notifications.group_senders(tx, author.id, group.key, Page(limit=40))
        assert [actor_id for _, actor_id in senders] == [fan.id for fan in reversed(fans)]

    await database.write(unit)


async def test_what_a_policy_keeps_back_shows_once_the_sender_is_accepted(instance: Instance, alice: Account) -> None:
    carol, dave = await instance.account("carol"), await instance.account("dave")
    rules = await instance.call("GET", POLICY, by=alice)
    assert rules == {
        "for_not_following": "accept",
        "for_not_followers": "accept",
        "for_new_accounts": "accept",
        "for_private_mentions": "accept",
        "for_limited_accounts": "filter",
        "summary": {"pending_requests_count": 0, "pending_notifications_count": 0},
    }
    changed = await instance.call("PATCH", POLICY, by=alice, json={"for_not_following": "filter"})
    assert (changed["for_not_following"], changed["for_limited_accounts"]) == ("filter", "filter")
    status = await instance.post(alice, "hello all")
    for stranger in (carol, dave):
        await react(instance, stranger, status)
        await instance.post(stranger, "@alice first")
    last = await instance.post(carol, "@alice second")
    assert await instance.notifications(alice) == []
    assert shown(await groups(instance, alice)) == []
    assert (await instance.call("GET", "/api/v1/notifications/unread_count", by=alice))["count"] == 0
    kept = await instance.notifications(alice, include_filtered="true", account_id=str(carol.id))
    assert [one["type"] for one in kept] == ["mention", "mention", "favourite"]
    assert (await instance.call("GET", POLICY, by=alice))["summary"] == {
        "pending_requests_count": 2,
        "pending_notifications_count": 3,
    }
    requests = await instance.call("GET", REQUESTS, by=alice)
    assert [(one["account"]["acct"], one["notifications_count"]) for one in requests] == [("dave", "1"), ("carol", "2")]
    assert requests[1]["last_status"]["id"] == last["id"]
    ask = f"{REQUESTS}/{requests[1]['id']}"
    assert (await instance.call("GET", ask, by=alice))["account"]["acct"] == "carol"
    older = await instance.call("GET", f"{REQUESTS}?max_id={requests[0]['id']}", by=alice)
    assert [one["account"]["acct"] for one in older] == ["carol"]
    # Nobody else has a say in it.
    for path in (ask, f"{REQUESTS}/1"):
        await instance.call("GET", path, by=dave, status=404)
        await instance.call("POST", f"{path}/accept", by=dave, status=404)
        await instance.call("POST", f"{path}/dismiss", by=dave, status=404)
    await instance.call("POST", f"{REQUESTS}/accept", by=dave, json={"id": [requests[1]["id"]]})
    assert await instance.notifications(alice) == []

    await instance.call("POST", f"{ask}/accept", by=alice)
    assert (await instance.call("GET", f"{REQUESTS}/merged", by=alice)) == {"merged": True}
    assert [one["type"] for one in await instance.notifications(alice)] == ["mention", "mention", "favourite"]
    await instance.post(carol, "@alice third")
    assert len(await instance.notifications(alice)) == 4
    # As Mastodon.py writes a list.
    await instance.call("POST", f"{REQUESTS}/dismiss", by=alice, data={"id[][]": requests[0]["id"]})
    assert await instance.call("GET", REQUESTS, by=alice) == []
    assert len(await instance.notifications(alice, include_filtered="true")) == 4
    # To be followed is to be heard.
    await instance.follow(alice, f"@dave@{instance.domain}")
    await instance.post(dave, "@alice again")
    assert (await instance.notifications(alice))[0]["account"]["acct"] == "dave"

    await instance.call("PUT", POLICY, by=alice, data={"for_not_followers": "drop"})
    await instance.post(dave, "@alice and again")
    assert len(await instance.notifications(alice, include_filtered="true")) == 5
    for wrong in ({"for_new_accounts": "x"}, {"for_not_following": ""}):
        await instance.call("PATCH", POLICY, by=alice, json=wrong, status=422)
    await instance.call("PATCH", POLICY, by=alice, json={"for_not_following": {"a": 1}}, status=400)


async def test_the_rules_of_a_policy(database: Database) -> None:
    def unit(tx: Connection) -> None:
        now = clock.now()
        reader, sender = local(tx, "reader"), local(tx, "sender")

        def outcome(**rules: str) -> str:
            notifications.clear(tx, reader.id)
            every = dict.fromkeys(notifications.policy.NAMES, "accept")
            notifications.set_policy(tx, reader.id, {**every, **rules})
            status = post(tx, sender, "@reader hello", to=[reader], visibility=Visibility.DIRECT)
            notifications.notify(tx, [reader.id], kind="mention", by=sender, status=status, now=now)
            rows = notifications.page(tx, reader.id, Page(), Wanted(include_filtered=True))
            return "drop" if not rows else "filter" if rows[0].filtered else "accept"

        assert outcome() == "accept"
        for name in ("for_not_following", "for_not_followers", "for_new_accounts", "for_private_mentions"):
            assert outcome(**{name: "filter"}) == "filter"
            assert outcome(**{name: "drop"}) == "drop"
        assert outcome(for_not_following="filter", for_new_accounts="drop") == "drop"
        assert outcome(for_limited_accounts="drop") == "accept"
        limit(tx, sender.id)
        sender = tx.execute(actors.select().where(actors.c.id == sender.id)).one()
        assert outcome(for_limited_accounts="filter") == "filter"
        tx.execute(
            update(actors).where(actors.c.id == sender.id).values(limited_at=None, created_at=now - 31 * 24 * HOUR)
        )
        sender = tx.execute(actors.select().where(actors.c.id == sender.id)).one()
        assert outcome(for_new_accounts="drop") == "accept"
        follow(tx, sender, reader)
        assert outcome(for_not_followers="drop") == "drop", "since less than three days"
        follow(tx, reader, sender)
        assert outcome(for_not_following="drop", for_private_mentions="drop") == "accept"

    await database.write(unit)


async def test_a_private_answer_is_no_private_mention_out_of_the_blue(instance: Instance, alice: Account) -> None:
    carol = await instance.account("carol")
    await instance.call("PATCH", POLICY, by=alice, json={"for_private_mentions": "drop"})
    await instance.post(carol, "@alice psst", visibility="direct")
    assert await instance.notifications(alice) == []
    asked = await instance.post(alice, "@carol a question", visibility="direct")
    await instance.post(carol, "@alice an answer", visibility="direct", in_reply_to_id=asked["id"])
    assert [one["type"] for one in await instance.notifications(alice)] == ["mention"]


async def test_limited_accounts_ask_first(instance: Instance, alice: Account) -> None:
    mallory = await instance.account("mallory")
    await instance.database.write(limit, mallory.id)
    await instance.post(mallory, "@alice hello")
    assert await instance.notifications(alice) == []
    [request] = await instance.call("GET", REQUESTS, by=alice)
    assert request["account"]["acct"] == "mallory"


async def test_likes_at_once_end_in_one_group(instance: Instance, alice: Account) -> None:
    fans = await crowd(instance, 4)
    status = await instance.post(alice, "liked by many")
    await asyncio.gather(*(react(instance, fan, status) for fan in fans))
    assert shown(await groups(instance, alice)) == [("favourite", 4)]


async def test_whoever_boosted_a_post_is_told_of_its_last_edit(instance: Instance, alice: Account) -> None:
    carol, dave = await instance.account("carol"), await instance.account("dave")
    status = await instance.post(alice, "one")
    await react(instance, carol, status, "reblog")
    await react(instance, dave, status)
    for text in ("two", "three", "three"):
        await instance.call("PUT", f"/api/v1/statuses/{status['id']}", by=alice, json={"status": text})
    [told] = await instance.notifications(carol)
    assert (told["type"], told["account"]["acct"], told["status"]["content"]) == ("update", "alice", "<p>three</p>")
    assert told["group_key"] == f"ungrouped-{told['id']}"
    assert await instance.notifications(dave) == []
    await instance.call("POST", f"/api/v1/notifications/{told['id']}/dismiss", by=carol)
    await react(instance, carol, status, "unreblog")
    await instance.call("PUT", f"/api/v1/statuses/{status['id']}", by=alice, json={"status": "four"})
    assert await instance.notifications(carol) == []


async def test_what_cannot_be_read_is_refused(instance: Instance, alice: Account) -> None:
    for query, wanted in (
        ("limit=x", 400),
        ("max_id=x", 400),
        ("max_id=99999999999999999999", 400),
        ("since_id=-1", 400),
        ("types[]=%00", 400),
        ("limit=-5", 200),
        ("limit=100000", 200),
    ):
        for path in (GROUPED, "/api/v1/notifications", REQUESTS):
            await instance.call("GET", f"{path}?{query}", by=alice, status=wanted)
    await instance.call("GET", f"{GROUPED}?account_id=abc", by=alice, status=400)
    await instance.call("GET", f"{GROUPED}?types[a]=b", by=alice, status=400)
    await instance.call("GET", f"{GROUPED}?grouped_types=mention&types=nonsense", by=alice)
    await instance.call("POST", f"{REQUESTS}/accept", by=alice, json={"id": ["x", "1"]})
    await instance.call("POST", f"{REQUESTS}/99999999999999999999/accept", by=alice, status=404)
