"""Who sees what where, on both databases."""

from __future__ import annotations

from typing import Any

import pytest
from sqlalchemy import Connection, Row, event, select

from fediverse import clock, notifications, reactions, statuses, timelines
from fediverse.actors import relations
from fediverse.db import Database
from fediverse.paging import Page
from fediverse.tables.statuses import tags
from tests.support import world
from tests.support.world import DIRECT, FOLLOWERS, URLS, follow, local, post, remote


def home(tx: Connection, actor: Row[Any], **page: int) -> list[int]:
    return [row.id for row in timelines.home(tx, actor.id, Page(**page), now=clock.now())]


def tag_id(tx: Connection, name: str) -> int:
    return tx.execute(select(tags.c.id).where(tags.c.name == name)).scalar_one()


async def test_a_post_shows_to_its_author_and_followers_only(database: Database) -> None:
    def unit(tx: Connection) -> None:
        alice, bob, carol = local(tx, "alice"), local(tx, "bob"), local(tx, "carol")
        follow(tx, bob, alice)
        status = post(tx, alice, "Hello")
        assert home(tx, alice) == [status.id]
        assert home(tx, bob) == [status.id]
        assert home(tx, carol) == []

    await database.write(unit)


async def test_a_reply_shows_to_those_who_follow_both_and_always_tells_the_addressee(database: Database) -> None:
    def unit(tx: Connection) -> None:
        alice, bob = local(tx, "alice"), local(tx, "bob")
        both, one = local(tx, "both"), local(tx, "one")
        follow(tx, both, alice)
        follow(tx, both, bob)
        follow(tx, one, alice)
        asked = post(tx, bob, "A question")
        reply = post(tx, alice, "@bob An answer", to=[bob], in_reply_to_id=asked.id)
        assert reply.id in home(tx, both)
        assert reply.id not in home(tx, one)
        assert reply.id in home(tx, alice), "the author always has it"
        assert reply.id not in home(tx, bob), "the addressee does not follow the author"
        assert [row.kind for row in notifications.page(tx, bob.id, Page())] == ["mention", "follow"]
        follow(tx, bob, alice)
        again = post(tx, alice, "@bob Another", to=[bob], in_reply_to_id=asked.id)
        assert again.id in home(tx, bob)

    await database.write(unit)


async def test_a_mention_without_a_reply_is_a_post(database: Database) -> None:
    def unit(tx: Connection) -> None:
        alice, bob, one = local(tx, "alice"), local(tx, "bob"), local(tx, "one")
        follow(tx, one, alice)
        status = post(tx, alice, "@bob hello", to=[bob])
        assert home(tx, one) == [status.id]

    await database.write(unit)


async def test_a_reply_to_oneself_is_a_post(database: Database) -> None:
    def unit(tx: Connection) -> None:
        alice, one = local(tx, "alice"), local(tx, "one")
        follow(tx, one, alice)
        first = post(tx, alice, "1/2")
        second = post(tx, alice, "2/2", in_reply_to_id=first.id)
        assert home(tx, one) == [second.id, first.id]
        listed = [row.id for row in timelines.public(tx, Page(), viewer_id=None, now=clock.now())]
        assert listed == [second.id, first.id]

    await database.write(unit)


async def test_a_reply_to_something_unknown_goes_by_its_first_mention(database: Database) -> None:
    def unit(tx: Connection) -> None:
        author, addressee, reader = remote(tx, "author"), remote(tx, "addressee"), local(tx, "reader")
        follow(tx, reader, author)
        unknown = "https://elsewhere.example/1"
        hidden = post(tx, author, "one", to=[addressee], in_reply_to_uri=unknown)
        nobody = post(tx, author, "two", in_reply_to_uri=unknown)
        follow(tx, reader, addressee)
        shown = post(tx, author, "three", to=[addressee], in_reply_to_uri=unknown)
        seen = home(tx, reader)
        assert shown.id in seen
        assert hidden.id not in seen
        assert nobody.id not in seen

    await database.write(unit)


@pytest.mark.parametrize("parent", ["deleted", "hidden", "of a blocker"])
async def test_a_reply_to_what_its_author_may_not_see_is_a_reply_that_joins_nothing(
    database: Database, parent: str
) -> None:
    def unit(tx: Connection) -> None:
        author, asker, reader = remote(tx, "author"), local(tx, "asker"), local(tx, "reader")
        follow(tx, reader, author)
        visibility = FOLLOWERS if parent == "hidden" else world.PUBLIC
        asked = post(tx, asker, "A question", visibility=visibility)
        if parent == "deleted":
            statuses.delete(tx, URLS, asked, author=asker, now=clock.now())
        elif parent == "of a blocker":
            relations.block(tx, URLS, asker, author, now=clock.now())
        reply = post(tx, author, "An answer", in_reply_to_uri=URLS.status("asker", asked.id))
        assert reply.in_reply_to_id is None
        assert not reply.listed
        assert reply.id not in home(tx, reader), "it answers somebody whom the reader does not follow"
        stored = statuses.by_id(tx, asked.id)
        assert stored is not None
        assert stored.replies_count == 0
        assert notifications.page(tx, asker.id, Page()) == []

    await database.write(unit)


async def test_a_boost_shows_once_within_its_window(database: Database) -> None:
    def unit(tx: Connection) -> None:
        reader, author = local(tx, "reader"), local(tx, "author")
        boosters = [local(tx, f"booster{n}") for n in range(2)]
        for booster in boosters:
            follow(tx, reader, booster)
        status = post(tx, author, "worth it")
        rows = [statuses.boost(tx, URLS, booster, status, author=author, now=clock.now()) for booster in boosters]
        assert home(tx, reader) == [rows[0].id]
        again = statuses.boost(tx, URLS, boosters[0], status, author=author, now=clock.now())
        assert again.id == rows[0].id
        assert statuses.by_id(tx, status.id).boosts_count == 2  # type: ignore[union-attr]
        statuses.unboost(tx, URLS, boosters[0], status, author=author, now=clock.now())
        assert home(tx, reader) == []

    await database.write(unit)


async def test_a_boost_of_what_just_showed_is_not_repeated(database: Database) -> None:
    def unit(tx: Connection) -> None:
        reader, author, booster = local(tx, "reader"), local(tx, "author"), local(tx, "booster")
        follow(tx, reader, author)
        follow(tx, reader, booster)
        status = post(tx, author, "seen already")
        statuses.boost(tx, URLS, booster, status, author=author, now=clock.now())
        assert home(tx, reader) == [status.id]

    await database.write(unit)


async def test_a_boost_does_not_read_all_that_came_lately(database: Database) -> None:
    if not database.is_sqlite:
        pytest.skip("PostgreSQL plans by what is in the tables, and there is nothing yet")

    def unit(tx: Connection) -> list[str]:
        reader, author, booster = local(tx, "reader"), local(tx, "author"), local(tx, "booster")
        follow(tx, reader, booster)
        status = post(tx, author, "worth it")
        asked: list[tuple[str, Any]] = []

        def note(_connection: Any, _cursor: Any, statement: str, parameters: Any, *_more: Any) -> None:
            if "home_entries" in statement:
                asked.append((statement, parameters))

        event.listen(tx, "before_cursor_execute", note)
        statuses.boost(tx, URLS, booster, status, author=author, now=clock.now())
        event.remove(tx, "before_cursor_execute", note)
        plans = (tx.exec_driver_sql(f"EXPLAIN QUERY PLAN {sql}", values).all() for sql, values in asked if values)
        return [step.detail for plan in plans for step in plan if "home_entries" in step.detail]

    steps = await database.write(unit)
    assert len(steps) == 2, "whether the booster, and whether each follower, has seen it"
    assert all("ix_home_entries_subject (actor_id=? AND subject_id=?" in step for step in steps)


async def test_muting_hides_and_unmuting_brings_back(database: Database) -> None:
    def unit(tx: Connection) -> None:
        reader, author = local(tx, "reader"), local(tx, "author")
        follow(tx, reader, author)
        status = post(tx, author, "noise")
        relations.mute(tx, reader, author, now=clock.now())
        assert home(tx, reader) == []
        relations.unmute(tx, reader, author)
        assert home(tx, reader) == [status.id]
        relations.mute(tx, reader, author, now=clock.now(), expires_at=clock.now() - 1)
        assert home(tx, reader) == [status.id], "the mute has expired"

    await database.write(unit)


async def test_following_brings_recent_posts_and_unfollowing_takes_them(database: Database) -> None:
    def unit(tx: Connection) -> None:
        reader, author, other = local(tx, "reader"), local(tx, "author"), local(tx, "other")
        old = post(tx, author, "before")
        asked = post(tx, other, "?")
        to_a_stranger = post(tx, author, "@other !", to=[other], in_reply_to_id=asked.id)
        follow(tx, reader, author)
        assert home(tx, reader) == [old.id]
        assert to_a_stranger.id not in home(tx, reader)
        relations.unfollow(tx, URLS, reader, author, now=clock.now())
        assert home(tx, reader) == []

    await database.write(unit)


@pytest.mark.parametrize("visibility", [FOLLOWERS, DIRECT])
async def test_what_is_not_public_is_in_no_public_place(database: Database, visibility: world.Visibility) -> None:
    def unit(tx: Connection) -> None:
        alice, bob, stranger = local(tx, "alice"), local(tx, "bob"), local(tx, "stranger")
        follow(tx, bob, alice)
        status = post(tx, alice, "@bob #secret", to=[bob], visibility=visibility)
        tag = tag_id(tx, "secret")
        assert statuses.find_tag(tx, "secret") is None, "the hashtag may itself be the secret"
        now = clock.now()
        for viewer in (None, stranger.id):
            assert timelines.public(tx, Page(), viewer_id=viewer, now=now) == []
            assert timelines.tag(tx, [tag], Page(), viewer_id=viewer, now=now) == []
            assert timelines.account(tx, alice.id, Page(), viewer_id=viewer) == []
            assert not statuses.visible(tx, status, viewer)
        assert statuses.visible(tx, status, bob.id)
        assert [row.id for row in timelines.account(tx, alice.id, Page(), viewer_id=bob.id)] == [status.id]

    await database.write(unit)


async def test_pages_go_back_and_forth_without_gaps(database: Database) -> None:
    def unit(tx: Connection) -> None:
        alice = local(tx, "alice")
        made = [post(tx, alice, f"number {n}").id for n in range(10)]
        newest = list(reversed(made))
        assert home(tx, alice, limit=4) == newest[:4]
        assert home(tx, alice, limit=4, max_id=newest[3]) == newest[4:8]
        assert home(tx, alice, limit=3, since_id=newest[5]) == newest[:3], "since_id: the newest ones"
        assert home(tx, alice, limit=3, min_id=newest[5]) == newest[2:5], "min_id: the next ones"

    await database.write(unit)


async def test_a_conversation_is_read_from_any_of_its_posts(database: Database) -> None:
    def unit(tx: Connection) -> None:
        alice, bob, carol = local(tx, "alice"), local(tx, "bob"), local(tx, "carol")
        root = post(tx, alice, "root")
        first = post(tx, bob, "first", in_reply_to_id=root.id)
        second = post(tx, carol, "second", in_reply_to_id=root.id)
        deeper = post(tx, alice, "deeper", in_reply_to_id=first.id)
        secret = post(tx, bob, "@alice psst", to=[alice], in_reply_to_id=root.id, visibility=DIRECT)
        ancestors, descendants = timelines.context(tx, root, None)
        assert ancestors == []
        assert [row.id for row in descendants] == [first.id, deeper.id, second.id]
        ancestors, descendants = timelines.context(tx, deeper, carol.id)
        assert [row.id for row in ancestors] == [root.id, first.id]
        assert descendants == []
        assert secret.id in [row.id for row in timelines.context(tx, root, alice.id)[1]]
        assert secret.id not in [row.id for row in timelines.context(tx, root, carol.id)[1]]

    await database.write(unit)


async def test_a_parent_that_comes_late_is_joined_to_its_replies(database: Database) -> None:
    def unit(tx: Connection) -> None:
        author, other = remote(tx, "author"), remote(tx, "other")
        parent_uri = f"{author.uri}/statuses/parent"
        reply = post(tx, other, "reply", in_reply_to_uri=parent_uri)
        parent = post(tx, author, "parent", uri=parent_uri)
        ancestors, _ = timelines.context(tx, statuses.by_id(tx, reply.id), None)  # type: ignore[arg-type]
        assert [row.id for row in ancestors] == [parent.id]
        assert statuses.by_id(tx, parent.id).replies_count == 1  # type: ignore[union-attr]

    await database.write(unit)


async def test_a_deleted_post_is_gone_everywhere(database: Database) -> None:
    def unit(tx: Connection) -> None:
        alice, bob = local(tx, "alice"), local(tx, "bob")
        follow(tx, bob, alice)
        status = post(tx, alice, "@bob #gone", to=[bob])
        boost = statuses.boost(tx, URLS, bob, status, author=alice, now=clock.now())
        reactions.favourite(tx, URLS, bob, status, author=alice, now=clock.now())
        reactions.pin(tx, URLS, alice, status, now=clock.now())
        statuses.delete(tx, URLS, status, author=alice, now=clock.now())
        tag = tag_id(tx, "gone")
        now = clock.now()
        assert home(tx, alice) == home(tx, bob) == []
        assert timelines.public(tx, Page(), viewer_id=None, now=now) == []
        assert timelines.tag(tx, [tag], Page(), viewer_id=None, now=now) == []
        assert timelines.account(tx, alice.id, Page(), viewer_id=alice.id) == []
        assert timelines.account(tx, alice.id, Page(), viewer_id=None, pinned=True) == []
        assert timelines.mentioning(tx, bob.id, Page(), now=now) == []
        assert notifications.page(tx, bob.id, Page()) == []
        assert statuses.by_id(tx, boost.id) is None
        left = statuses.by_id(tx, status.id)
        assert left is not None
        assert (left.content, left.text, left.deleted_at is None) == ("", "", False)

    await database.write(unit)


async def test_more_local_followers_than_fit_directly_are_left_to_a_job(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("fediverse.timelines.home_timeline.DIRECTLY", 3)

    def unit(tx: Connection) -> None:
        alice = local(tx, "alice")
        readers = [local(tx, f"reader{n}") for n in range(7)]
        for reader in readers:
            follow(tx, reader, alice)
        status = post(tx, alice, "to many")
        reached = [reader for reader in readers if home(tx, reader)]
        assert len(reached) == 3
        job = tx.exec_driver_sql("SELECT payload FROM jobs WHERE kind = 'spread'").scalars().all()
        assert len(job) == 1
        timelines.spread(tx, status, after=relations.followers_page(tx, alice.id, Page(limit=7))[4][0])
        assert all(home(tx, reader) == [status.id] for reader in readers[:6])

    await database.write(unit)


async def test_ones_own_boost_is_not_shown_beside_what_it_boosts(database: Database) -> None:
    def unit(tx: Connection) -> None:
        alice, bob, carol = local(tx, "alice"), local(tx, "bob"), local(tx, "carol")
        follow(tx, alice, bob)
        seen, unseen = post(tx, bob, "seen"), post(tx, carol, "unseen")
        statuses.boost(tx, URLS, alice, seen, author=bob, now=clock.now())
        other = statuses.boost(tx, URLS, alice, unseen, author=carol, now=clock.now())
        assert home(tx, alice) == [other.id, seen.id]

    await database.write(unit)
