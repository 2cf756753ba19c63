"""Follows, blocks and mutes, here and across servers; on both databases."""

from __future__ import annotations

import json
from typing import Any

import pytest
from sqlalchemy import Connection, Row, select

from fediverse import clock, notifications, timelines
from fediverse.actors import directory, relations
from fediverse.db import Database
from fediverse.errors import Forbidden, NotFound
from fediverse.paging import Page
from fediverse.tables.outbox import activities
from tests.support.world import NOW, URLS, follow, local, post, remote


def sent(tx: Connection) -> list[dict[str, Any]]:
    """The activities that were published, oldest first."""
    return [json.loads(row.document) for row in tx.execute(select(activities).order_by(activities.c.id))]


def counts(tx: Connection, actor: Row[Any]) -> tuple[int, int]:
    """(followers, following)."""
    row = directory.by_id(tx, actor.id)
    assert row is not None
    return row.followers_count, row.following_count


async def test_following_somebody_here(database: Database) -> None:
    def unit(tx: Connection) -> None:
        alice, bob = local(tx, "alice"), local(tx, "bob")
        relations.follow(tx, URLS, alice, bob, now=NOW)
        relations.follow(tx, URLS, alice, bob, now=NOW, notify=True)
        assert counts(tx, bob) == (1, 0)
        assert counts(tx, alice) == (0, 1)
        assert [row.kind for row in notifications.page(tx, bob.id, Page())] == ["follow"]
        [stands] = relations.relationships(tx, alice.id, [bob.id], now=NOW)
        assert stands.following
        assert stands.notify
        assert sent(tx) == []
        relations.unfollow(tx, URLS, alice, bob, now=NOW)
        assert counts(tx, bob) == (0, 0)
        assert notifications.page(tx, bob.id, Page()) == []

    await database.write(unit)


async def test_a_locked_account_decides_itself(database: Database) -> None:
    def unit(tx: Connection) -> None:
        alice, bob = local(tx, "alice"), local(tx, "bob", locked=True)
        relations.follow(tx, URLS, alice, bob, now=NOW)
        [stands] = relations.relationships(tx, alice.id, [bob.id], now=NOW)
        assert (stands.following, stands.requested) == (False, True)
        assert counts(tx, bob) == (0, 0)
        assert [other for _, other in relations.requests_page(tx, bob.id, Page())] == [alice.id]
        relations.accept_follow(tx, URLS, bob, alice, now=NOW)
        assert counts(tx, bob) == (1, 0)
        with pytest.raises(NotFound):
            relations.accept_follow(tx, URLS, bob, alice, now=NOW)
        relations.remove_follower(tx, URLS, bob, alice, now=NOW)
        assert counts(tx, bob) == (0, 0)

    await database.write(unit)


async def test_following_somebody_elsewhere_waits_for_the_accept(database: Database) -> None:
    def unit(tx: Connection) -> None:
        alice, dan, eve = local(tx, "alice"), remote(tx, "dan"), remote(tx, "eve")
        relations.follow(tx, URLS, alice, dan, now=NOW)
        asked = sent(tx)[-1]
        assert (asked["type"], asked["actor"], asked["object"]) == ("Follow", URLS.actor("alice"), dan.uri)
        assert counts(tx, alice) == (0, 0)
        assert not relations.receive_accept(tx, eve, alice), "somebody else's Accept accepts nothing"
        assert relations.receive_accept(tx, dan, alice)
        assert counts(tx, alice) == (0, 1)
        relations.unfollow(tx, URLS, alice, dan, now=NOW)
        undo = sent(tx)[-1]
        assert undo["object"]["id"] == asked["id"]
        relations.follow(tx, URLS, alice, dan, now=NOW)
        assert sent(tx)[-1]["id"] != asked["id"], "each attempt has an id of its own"

    await database.write(unit)


async def test_a_remote_follow_is_answered_with_itself(database: Database) -> None:
    def unit(tx: Connection) -> None:
        alice, dan = local(tx, "alice"), remote(tx, "dan")
        uri = f"{dan.uri}#follows/1"
        relations.receive_follow(tx, URLS, dan, alice, uri=uri, now=NOW)
        accept = sent(tx)[-1]
        assert accept["type"] == "Accept"
        expected = {"id": uri, "type": "Follow", "actor": dan.uri, "object": URLS.actor("alice")}
        assert accept["object"] == expected
        again = f"{dan.uri}#follows/2"
        relations.receive_follow(tx, URLS, dan, alice, uri=again, now=NOW)
        assert sent(tx)[-1]["object"]["id"] == again, "the first answer may have been lost"
        assert counts(tx, alice) == (1, 0)
        assert relations.receive_undo_follow(tx, dan, alice)
        assert not relations.receive_undo_follow(tx, dan, alice)
        assert counts(tx, alice) == (0, 0)

    await database.write(unit)


async def test_a_block_ends_everything_between_the_two(database: Database) -> None:
    def unit(tx: Connection) -> None:
        alice, dan = local(tx, "alice"), remote(tx, "dan")
        follow(tx, alice, dan)
        follow(tx, dan, alice)
        post(tx, dan, "hello", to=[alice])
        assert len(timelines.home(tx, alice.id, Page(), now=clock.now())) == 1
        relations.block(tx, URLS, alice, dan, now=NOW)
        kinds = [activity["type"] for activity in sent(tx)[-3:]]
        assert kinds == ["Undo", "Reject", "Block"]
        assert counts(tx, alice) == (0, 0)
        assert timelines.home(tx, alice.id, Page(), now=clock.now()) == []
        assert notifications.page(tx, alice.id, Page()) == []
        relations.receive_follow(tx, URLS, dan, alice, uri=f"{dan.uri}#again", now=NOW)
        assert sent(tx)[-1]["type"] == "Reject"
        assert counts(tx, alice) == (0, 0)
        post(tx, dan, "hello again", to=[alice])
        assert notifications.page(tx, alice.id, Page()) == []
        with pytest.raises(Forbidden):
            relations.follow(tx, URLS, alice, dan, now=NOW)
        relations.unblock(tx, URLS, alice, dan, now=NOW)
        assert sent(tx)[-1]["type"] == "Undo"

    await database.write(unit)


async def test_being_blocked_hides_the_blockers_posts(database: Database) -> None:
    def unit(tx: Connection) -> None:
        alice, dan = local(tx, "alice"), remote(tx, "dan")
        follow(tx, alice, dan)
        status = post(tx, dan, "hello")
        relations.receive_block(tx, dan, alice, uri=None, now=NOW)
        assert timelines.home(tx, alice.id, Page(), now=clock.now()) == []
        assert timelines.account(tx, dan.id, Page(), viewer_id=alice.id) == []
        assert [row.id for row in timelines.account(tx, dan.id, Page(), viewer_id=None)] == [status.id]
        assert relations.receive_undo_block(tx, dan, alice)

    await database.write(unit)


async def test_nobody_follows_or_blocks_themselves(database: Database) -> None:
    def unit(tx: Connection) -> None:
        alice = local(tx, "alice")
        for refused in (relations.follow, relations.block):
            with pytest.raises(Forbidden, match="yourself"):
                refused(tx, URLS, alice, alice, now=NOW)
        with pytest.raises(Forbidden, match="yourself"):
            relations.mute(tx, alice, alice, now=NOW)

    await database.write(unit)


async def test_the_end_of_an_actor_ends_its_relations(database: Database) -> None:
    def unit(tx: Connection) -> None:
        alice, bob, dan = local(tx, "alice"), local(tx, "bob"), remote(tx, "dan")
        follow(tx, dan, alice)
        follow(tx, bob, dan)
        directory.mark_gone(tx, dan.id, NOW)
        assert counts(tx, alice) == (0, 0)
        assert counts(tx, bob) == (0, 0)
        assert relations.followers_page(tx, alice.id, Page()) == []

    await database.write(unit)
