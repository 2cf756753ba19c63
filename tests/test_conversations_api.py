"""Direct conversations through the client API: who has them, what was said last, whether it was read."""

from __future__ import annotations

from typing import Any

import pytest
from sqlalchemy import Connection, select

from fediverse import clock, conversations, reactions, statuses
from fediverse.actors import directory
from fediverse.db import Database
from fediverse.drafts import Visibility
from fediverse.paging import Page
from fediverse.tables.conversations import conversation_statuses
from fediverse.tables.conversations import conversations as table
from tests.support.instance import Account, Instance
from tests.support.world import URLS, local, post, remote

PATH = "/api/v1/conversations"
DIRECT = Visibility.DIRECT


@pytest.fixture
async def alice(instance: Instance) -> Account:
    return await instance.account("alice")


@pytest.fixture
async def carol(instance: Instance) -> Account:
    return await instance.account("carol")


async def listed(instance: Instance, by: Account, query: str = "") -> list[Any]:
    found: list[Any] = await instance.call("GET", PATH + query, by=by)
    return found


def said(found: list[Any]) -> list[tuple[list[str], str, bool]]:
    return [
        (sorted(one["acct"] for one in each["accounts"]), each["last_status"]["id"], each["unread"]) for each in found
    ]


@pytest.mark.attack("PRV-04", "API-01")
async def test_conversations(instance: Instance, alice: Account, carol: Account) -> None:
    dave = await instance.account("dave")
    hello = await instance.post(alice, "@carol hello", visibility="direct")
    assert said(await listed(instance, carol)) == [(["alice"], hello["id"], True)]
    assert said(await listed(instance, alice)) == [(["carol"], hello["id"], False)]
    answer = await instance.post(carol, "@alice hi", visibility="direct", in_reply_to_id=hello["id"])
    assert said(await listed(instance, carol)) == [(["alice"], answer["id"], False)]
    [mine] = await listed(instance, alice)
    assert said([mine]) == [(["carol"], answer["id"], True)]
    # Who is asked in besides begins another conversation; who answers in public says nothing in it.
    three = await instance.post(alice, "@carol @dave you", visibility="direct", in_reply_to_id=answer["id"])
    await instance.post(alice, "@carol openly", in_reply_to_id=answer["id"])
    wanted = [(["carol", "dave"], three["id"], False), (["carol"], answer["id"], True)]
    assert said(await listed(instance, alice)) == wanted
    assert said(await listed(instance, dave)) == [(["alice", "carol"], three["id"], True)]
    assert said(await listed(instance, alice, "?limit=1")) == wanted[:1]
    assert said(await listed(instance, alice, f"?max_id={three['id']}")) == wanted[1:]
    assert said(await listed(instance, alice, f"?min_id={answer['id']}")) == wanted[:1]
    timeline = await instance.call("GET", "/api/v1/timelines/direct", by=alice)
    assert [one["id"] for one in timeline] == [three["id"], answer["id"], hello["id"]]
    assert [one["id"] for one in await instance.call("GET", "/api/v1/timelines/direct", by=dave)] == [three["id"]]

    read = await instance.call("POST", f"{PATH}/{mine['id']}/read", by=alice)
    assert (read["id"], read["unread"]) == (mine["id"], False)
    assert (await instance.call("POST", f"{PATH}/{mine['id']}/unread", by=alice))["unread"] is True
    for by in (carol, dave):
        for method, what in (("POST", "/read"), ("POST", "/unread"), ("DELETE", "")):
            await instance.call(method, f"{PATH}/{mine['id']}{what}", by=by, status=404)
    assert (await listed(instance, alice))[1]["unread"] is True

    await instance.call("DELETE", f"/api/v1/statuses/{answer['id']}", by=carol)
    assert said(await listed(instance, alice))[1] == (["carol"], hello["id"], True)
    await instance.call("DELETE", f"/api/v1/statuses/{hello['id']}", by=alice)
    assert len(await listed(instance, alice)) == len(await listed(instance, carol)) == 1

    [one] = await listed(instance, dave)
    assert await instance.call("DELETE", f"{PATH}/{one['id']}", by=dave) == {}
    await instance.call("DELETE", f"{PATH}/{one['id']}", by=dave, status=404)
    assert await listed(instance, dave) == []
    assert len(await listed(instance, carol)) == 1
    again = await instance.post(carol, "@alice @dave still there?", visibility="direct", in_reply_to_id=three["id"])
    assert said(await listed(instance, dave)) == [(["alice", "carol"], again["id"], True)]
    await instance.call("GET", f"{PATH}?limit=x", by=alice, status=400)
    await instance.call("POST", f"{PATH}/99999999999999999999/read", by=alice, status=404)


async def test_whom_one_does_not_hear_starts_no_conversation(
    instance: Instance, alice: Account, carol: Account
) -> None:
    dave = await instance.account("dave")
    await instance.call("POST", f"/api/v1/accounts/{carol.id}/mute", by=alice)
    await instance.post(carol, "@alice psst", visibility="direct")
    assert await listed(instance, alice) == []
    await instance.call("POST", f"/api/v1/accounts/{carol.id}/unmute", by=alice)
    await instance.post(carol, "@alice psst again", visibility="direct")
    assert len(await listed(instance, alice)) == 1
    await instance.call("POST", f"/api/v1/accounts/{carol.id}/mute", by=alice, json={"notifications": False})
    assert await listed(instance, alice) == []
    assert await instance.call("GET", "/api/v1/timelines/direct", by=alice) == []
    await instance.call("POST", f"/api/v1/accounts/{carol.id}/unmute", by=alice)
    assert len(await listed(instance, alice)) == 1
    await instance.call("POST", f"/api/v1/accounts/{carol.id}/block", by=alice)
    await instance.call("POST", f"/api/v1/accounts/{carol.id}/unblock", by=alice)
    assert await listed(instance, alice) == await listed(instance, carol) == []

    await instance.call("PATCH", "/api/v2/notifications/policy", by=alice, json={"for_private_mentions": "filter"})
    for text in ("@alice one", "@alice two"):
        await instance.post(dave, text, visibility="direct")
    assert await listed(instance, alice) == []
    [request] = await instance.call("GET", "/api/v1/notifications/requests", by=alice)
    await instance.call("POST", f"/api/v1/notifications/requests/{request['id']}/accept", by=alice)
    assert [one["unread"] for one in await listed(instance, alice)] == [True, True]


async def test_a_late_parent_brings_conversations_together(database: Database) -> None:
    def unit(tx: Connection) -> None:
        author, reader = remote(tx, "author"), local(tx, "reader")
        late = "https://there.example/late"
        for n in range(2):
            post(tx, author, f"orphan {n}", to=[reader], in_reply_to_uri=late, visibility=DIRECT)
        assert len(conversations.page(tx, reader.id, Page(), now=clock.now())) == 2
        post(tx, author, "late", to=[reader], uri=late, visibility=DIRECT)
        [row] = conversations.page(tx, reader.id, Page(), now=clock.now())
        newest = tx.scalars(select(conversation_statuses.c.status_id)).all()
        assert len(newest) == 3
        assert row.last_status_id == max(newest)
        assert tx.scalars(select(table.c.id)).all() == [row.id]

    await database.write(unit)


async def test_what_is_gone_leaves_no_conversation(database: Database) -> None:
    def unit(tx: Connection) -> None:
        author, reader, other = remote(tx, "author"), local(tx, "reader"), local(tx, "other")
        status = post(tx, author, "to both", to=[reader, other], visibility=DIRECT)
        note = post(tx, reader, "@reader to myself", to=[reader], visibility=DIRECT)
        found = conversations.page(tx, reader.id, Page(), now=clock.now())
        assert [conversations.participant_ids(row) for row in found] == [[], sorted([author.id, other.id])]
        reactions.mute_conversation(tx, reader, status)
        post(tx, author, "again", to=[reader, other], visibility=DIRECT, in_reply_to_uri=status.uri)
        assert conversations.page(tx, reader.id, Page(), now=clock.now())[1].last_status_id == status.id, "muted"
        statuses.delete(tx, URLS, note, author=reader, now=clock.now())
        directory.mark_gone(tx, author.id, clock.now())
        assert conversations.page(tx, reader.id, Page(), now=clock.now()) == []
        assert tx.scalars(select(table.c.id)).all() == []

    await database.write(unit)
