"""Counters, versions and tombstones stay true, however posts and actors come, change and go, on both databases."""

from __future__ import annotations

from typing import Any

import pytest
from sqlalchemy import Connection, Row, insert, select

from fediverse import clock, moderation, notifications, reactions, statuses, timelines
from fediverse.actors import directory
from fediverse.clock import DAY
from fediverse.db import Database
from fediverse.drafts import NoteDraft
from fediverse.errors import NotFound
from fediverse.paging import Page
from fediverse.tables.actors import actors, follows
from fediverse.tables.instance import jobs
from fediverse.tables.outbox import activities
from fediverse.tables.statuses import conversation_mutes
from tests.support.world import DIRECT, FOLLOWERS, URLS, follow, local, post, remote

# PostgreSQL's protocol takes no more parameters in one statement.
MORE_THAN_PARAMETERS = 66_000


def actor_now(tx: Connection, actor: Row[Any]) -> Row[Any]:
    row = directory.by_id(tx, actor.id)
    assert row is not None
    return row


def status_now(tx: Connection, status: Row[Any]) -> Row[Any]:
    row = statuses.by_id(tx, status.id)
    assert row is not None
    return row


async def test_the_end_of_an_actor_is_taken_from_every_count_that_it_was_in(database: Database) -> None:
    def unit(tx: Connection) -> None:
        gone, asker, booster = local(tx, "gone"), local(tx, "asker"), local(tx, "booster")
        question = post(tx, asker, "A question")
        for answer in ("one", "two"):
            post(tx, gone, answer, in_reply_to_id=question.id)
        post(tx, gone, "@asker in secret", to=[asker], in_reply_to_id=question.id, visibility=DIRECT)
        for status in (post(tx, gone, "three"), post(tx, gone, "four")):
            statuses.boost(tx, URLS, booster, status, author=gone, now=clock.now())
        assert status_now(tx, question).replies_count == 2
        before = actor_now(tx, booster)
        assert before.statuses_count == 2
        directory.mark_gone(tx, gone.id, clock.now())
        assert status_now(tx, question).replies_count == 0
        assert actor_now(tx, booster).statuses_count == 0
        assert actor_now(tx, booster).version > before.version

    await database.write(unit)


async def test_a_deleted_post_is_taken_from_the_counts_of_all_who_boosted_it(database: Database) -> None:
    def unit(tx: Connection) -> None:
        author = local(tx, "author")
        boosters = [local(tx, f"booster{n}") for n in range(3)]
        status = post(tx, author, "worth it")
        for booster in boosters:
            statuses.boost(tx, URLS, booster, status, author=author, now=clock.now())
        statuses.delete(tx, URLS, status, author=author, now=clock.now())
        assert [actor_now(tx, actor).statuses_count for actor in (author, *boosters)] == [0, 0, 0, 0]

    await database.write(unit)


async def test_who_deletes_what_somebody_else_just_deleted_changes_nothing(database: Database) -> None:
    def unit(tx: Connection) -> None:
        author = local(tx, "author")
        first, second = post(tx, author, "one"), post(tx, author, "two")
        for _ in range(2):  # with the row as both read it before
            statuses.delete(tx, URLS, first, author=author, now=clock.now())
        assert actor_now(tx, author).statuses_count == 1
        assert tx.scalars(select(activities.c.type)).all().count("Delete") == 1
        assert status_now(tx, second).deleted_at is None

    await database.write(unit)


async def test_an_edit_that_comes_with_a_deletion_brings_nothing_back(database: Database) -> None:
    def unit(tx: Connection) -> None:
        author, stranger = local(tx, "author"), remote(tx, "stranger")
        for who, draft in ((author, NoteDraft(text="again")), (stranger, NoteDraft(content="again", uri="x"))):
            status = post(tx, who, "once")
            statuses.delete(tx, URLS, status, author=who, now=clock.now())
            with pytest.raises(NotFound):
                statuses.edit(tx, URLS, status, draft, author=who, mentions=[], now=clock.now())
            assert status_now(tx, status).content == ""

    await database.write(unit)


async def test_of_two_updates_at_once_the_later_one_stays(database: Database) -> None:
    def unit(tx: Connection) -> None:
        author, now = remote(tx, "author"), clock.now()
        status = post(tx, author, "first", published_at=now - DAY)
        for seconds in (20, 10):  # with the row as both read it before
            draft = NoteDraft(content=f"after {seconds}", uri=status.uri, updated_at=now + seconds * clock.SECOND)
            statuses.edit(tx, URLS, status, draft, author=author, mentions=[], now=now)
        assert status_now(tx, status).content == "after 20"
        assert [version.content for version in statuses.history(tx, status.id)] == ["<p>first</p>", "after 20"]

    await database.write(unit)


async def test_an_old_post_that_comes_late_is_not_the_last(database: Database) -> None:
    def unit(tx: Connection) -> None:
        author, now = remote(tx, "author"), clock.now()
        post(tx, author, "new", published_at=now)
        post(tx, author, "old", published_at=now - DAY)
        assert actor_now(tx, author).last_status_at == now

    await database.write(unit)


async def test_a_late_parent_joins_whole_conversations_muted_ones_too(database: Database) -> None:
    def unit(tx: Connection) -> None:
        author, reader = remote(tx, "author"), local(tx, "reader")
        late = "https://there.example/late"
        orphan = post(tx, author, "orphan", in_reply_to_uri=late)
        below = post(tx, reader, "below", in_reply_to_id=orphan.id)
        reactions.mute_conversation(tx, reader, below)
        version = status_now(tx, below).version
        parent = post(tx, author, "late", uri=late)
        assert status_now(tx, below).conversation_id == parent.conversation_id
        assert status_now(tx, below).version > version, "caches are keyed by it"
        assert tx.scalars(select(conversation_mutes.c.conversation_id)).all() == [parent.conversation_id]
        assert status_now(tx, parent).replies_count == 1

    await database.write(unit)


async def test_a_reply_that_names_nobody_tells_the_addressee_who_may_see_it(database: Database) -> None:
    def unit(tx: Connection) -> None:
        asker, other = local(tx, "asker"), local(tx, "other")
        stranger = remote(tx, "stranger")
        question = post(tx, asker, "A question")
        answer = post(tx, stranger, "An answer", in_reply_to_uri=URLS.status("asker", question.id))
        post(tx, other, "For those who follow me", in_reply_to_id=question.id, visibility=FOLLOWERS)
        post(tx, other, "@stranger between us", to=[stranger], in_reply_to_id=question.id, visibility=DIRECT)
        post(tx, asker, "To myself", in_reply_to_id=question.id)
        told = notifications.page(tx, asker.id, Page())
        assert [(row.kind, row.status_id) for row in told] == [("mention", answer.id)]
        section = timelines.mentioning(tx, asker.id, Page(), now=clock.now())
        assert [row.id for row in section] == [answer.id]

    await database.write(unit)


async def test_standing_lists_again_only_what_was_listed(database: Database) -> None:
    def unit(tx: Connection) -> None:
        author = remote(tx, "author")
        plain = post(tx, author, "plain")
        orphan = post(tx, author, "orphan", in_reply_to_uri="https://elsewhere.example/1")
        for suspended in (True, False):
            moderation.set_suspended(tx, author.id, suspended, now=clock.now())
            assert status_now(tx, plain).listed is not suspended
            assert not status_now(tx, orphan).listed, "it answers somebody, though nobody knows whom"

    await database.write(unit)


async def test_a_batch_of_followers_that_is_done_again_leaves_the_next_one_once(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(timelines.home_timeline, "DIRECTLY", 1)

    def unit(tx: Connection) -> None:
        author = local(tx, "author")
        for n in range(3):
            follow(tx, local(tx, f"reader{n}"), author)
        status = post(tx, author, "Hello")
        timelines.spread(tx, status, after=0)
        assert len(tx.scalars(select(jobs.c.id).where(jobs.c.kind == "spread")).all()) == 1

    await database.write(unit)


async def test_the_size_of_an_account_or_a_server_is_no_obstacle_to_its_end(database: Database) -> None:
    def unit(tx: Connection) -> None:
        author, follower = local(tx, "author"), remote(tx, "follower")
        columns = {column.name: getattr(follower, column.name) for column in actors.c}
        first = follower.id + 1
        crowd = [{**columns, "id": first + n, "uri": f"{follower.uri}/{n}"} for n in range(MORE_THAN_PARAMETERS)]
        tx.execute(insert(actors), crowd)
        tx.execute(
            insert(follows),
            [
                {"id": row["id"], "follower_id": row["id"], "followee_id": author.id, "accepted": True, "created_at": 0}
                for row in crowd
            ],
        )
        moderation.block_host(tx, follower.host, severity="block", now=clock.now())
        directory.mark_gone(tx, author.id, clock.now())
        assert actor_now(tx, author).followers_count == 0

    await database.write(unit)
