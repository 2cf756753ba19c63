"""What is written here: the 140 rule, rendering, editing, deleting; on both databases."""

from __future__ import annotations

import json
from typing import Any

import pytest
from sqlalchemy import Connection, select

from fediverse import clock, reactions, statuses, timelines
from fediverse.db import Database
from fediverse.drafts import NoteDraft
from fediverse.errors import Gone, Invalid, NotFound
from fediverse.paging import Page
from fediverse.tables.outbox import activities, fanouts
from tests.support import world
from tests.support.world import DIRECT, FOLLOWERS, URLS, follow, local, post, remote


def sent(tx: Connection) -> list[dict[str, Any]]:
    """The activities that were published, oldest first."""
    return [json.loads(row.document) for row in tx.execute(select(activities).order_by(activities.c.id))]


@pytest.mark.attack("API-03")
async def test_140_characters_are_taken_and_141_are_not(database: Database) -> None:
    def unit(tx: Connection) -> None:
        alice = local(tx, "alice")
        assert len(post(tx, alice, "x" * 140).text) == 140
        with pytest.raises(Invalid, match=r"141.*140"):
            post(tx, alice, "x" * 141)
        with pytest.raises(Invalid, match=r"141.*140"):
            post(tx, alice, "x" * 130, spoiler_text="y" * 11)

    await database.write(unit)


@pytest.mark.attack("API-03")
async def test_an_edit_is_held_to_140_too_and_keeps_what_was(database: Database) -> None:
    def unit(tx: Connection) -> None:
        alice = local(tx, "alice")
        status = post(tx, alice, "Helo")
        later = clock.now() + 1000
        with pytest.raises(Invalid, match="140"):
            statuses.edit(tx, URLS, status, NoteDraft(text="x" * 141), author=alice, mentions=[], now=later)
        edited = statuses.edit(tx, URLS, status, NoteDraft(text="Hello"), author=alice, mentions=[], now=later)
        assert edited.text == "Hello"
        assert edited.content == "<p>Hello</p>"
        assert [row.text for row in statuses.history(tx, status.id)] == ["Helo", "Hello"]
        same = statuses.edit(tx, URLS, edited, NoteDraft(text="Hello"), author=alice, mentions=[], now=later + 1)
        assert same.edited_at == edited.edited_at, "an edit that changes nothing is none"

    await database.write(unit)


@pytest.mark.attack("API-03")
async def test_a_remote_note_may_be_long(database: Database) -> None:
    def unit(tx: Connection) -> None:
        author = remote(tx, "author")
        draft = NoteDraft(content="<p>" + "long " * 1000 + "</p>", uri=f"{author.uri}/long")
        row = statuses.create(tx, URLS, author, draft, mentions=[], now=clock.now())
        assert len(row.content) > 5000

    await database.write(unit)


async def test_mentions_hashtags_and_links_become_html(database: Database) -> None:
    def unit(tx: Connection) -> None:
        alice, bob, dan = local(tx, "alice"), local(tx, "bob"), remote(tx, "dan")
        row = post(tx, alice, "@bob @dan@there.example see https://example.com/x (#News)", to=[bob, dan])
        assert 'href="https://here.example/@bob"' in row.content
        assert 'href="https://there.example/users/dan"' in row.content
        assert 'href="https://here.example/tags/news"' in row.content
        assert 'href="https://example.com/x"' in row.content
        assert [tag["name"] for tag in row.tags] == ["News"]
        assert [mention["username"] for mention in row.mentions] == ["bob", "dan"]

    await database.write(unit)


async def test_the_same_idempotency_key_posts_once(database: Database) -> None:
    def unit(tx: Connection) -> None:
        alice, bob = local(tx, "alice"), local(tx, "bob")
        first = post(tx, alice, "once", idempotency_key="k")
        again = post(tx, alice, "once", idempotency_key="k")
        other = post(tx, bob, "once", idempotency_key="k")
        assert first.id == again.id != other.id
        assert len(sent(tx)) == 2

    await database.write(unit)


async def test_a_direct_post_needs_somebody(database: Database) -> None:
    def unit(tx: Connection) -> None:
        alice = local(tx, "alice")
        with pytest.raises(Invalid, match="recipient"):
            post(tx, alice, "hello?", visibility=DIRECT)

    await database.write(unit)


async def test_what_cannot_be_seen_cannot_be_answered_or_liked(database: Database) -> None:
    def unit(tx: Connection) -> None:
        alice, bob, carol = local(tx, "alice"), local(tx, "bob"), local(tx, "carol")
        secret = post(tx, alice, "@bob psst", to=[bob], visibility=DIRECT)
        with pytest.raises(NotFound):
            post(tx, carol, "what?", in_reply_to_id=secret.id)
        from_followers = post(tx, alice, "for followers", visibility=FOLLOWERS)
        with pytest.raises(Invalid, match="public"):
            statuses.boost(tx, URLS, bob, from_followers, author=alice, now=clock.now())

    await database.write(unit)


async def test_a_note_is_published_once_whatever_its_audience(database: Database) -> None:
    def unit(tx: Connection) -> None:
        alice = local(tx, "alice")
        for n in range(30):
            follow(tx, remote(tx, f"reader{n}"), alice)
        before = len(sent(tx))
        row = post(tx, alice, "to all")
        assert len(sent(tx)) == before + 1
        create = sent(tx)[-1]
        assert create["type"] == "Create"
        assert create["object"]["id"] == URLS.status("alice", row.id)
        assert create["to"] == create["object"]["to"] == ["https://www.w3.org/ns/activitystreams#Public"]
        assert tx.scalar(select(fanouts.c.id).order_by(fanouts.c.id.desc())) is not None

    await database.write(unit)


async def test_deleting_tells_and_leaves_a_tombstone(database: Database) -> None:
    def unit(tx: Connection) -> None:
        alice = local(tx, "alice")
        row = post(tx, alice, "soon gone")
        statuses.delete(tx, URLS, row, author=alice, now=clock.now())
        delete = sent(tx)[-1]
        assert (delete["type"], delete["object"]["id"]) == ("Delete", URLS.status("alice", row.id))
        with pytest.raises(NotFound):
            statuses.get_visible(tx, row.id, alice.id)

    await database.write(unit)


async def test_a_deletion_reaches_those_to_whom_somebody_here_boosted_the_post(database: Database) -> None:
    def unit(tx: Connection) -> None:
        alice, bob = local(tx, "alice"), local(tx, "bob")
        follow(tx, remote(tx, "reader", "reader.example"), bob)
        follow(tx, remote(tx, "other", "other.example"), local(tx, "carol"))
        row = post(tx, alice, "soon gone")
        statuses.boost(tx, URLS, bob, row, author=alice, now=clock.now())
        statuses.delete(tx, URLS, row, author=alice, now=clock.now())
        audience = tx.scalars(select(fanouts.c.audience).order_by(fanouts.c.id.desc())).first()
        assert audience is not None
        assert audience["inboxes"] == ["https://reader.example/inbox"]

    await database.write(unit)


async def test_what_was_deleted_before_it_came_never_comes(database: Database) -> None:
    def unit(tx: Connection) -> None:
        author = remote(tx, "author")
        uri = f"{author.uri}/statuses/1"
        statuses.forget(tx, uri, author.id, now=clock.now())
        with pytest.raises(Gone):
            post(tx, author, "too late", uri=uri)
        row = post(tx, author, "here")
        statuses.delete(tx, URLS, row, author=author, now=clock.now())
        with pytest.raises(Gone):
            post(tx, author, "here", uri=row.uri)

    await database.write(unit)


async def test_an_older_update_changes_nothing(database: Database) -> None:
    def unit(tx: Connection) -> None:
        author = remote(tx, "author")
        row = post(tx, author, "one")
        new, old = clock.now() + 2000, clock.now() + 1000

        def edit(current: Any, words: str, at: int) -> Any:
            draft = NoteDraft(content=words, uri=row.uri, updated_at=at)
            return statuses.edit(tx, URLS, current, draft, author=author, mentions=[], now=at)

        edited = edit(row, "<p>two</p>", new)
        assert edit(edited, "<p>stale</p>", old).content == "<p>two</p>"

    await database.write(unit)


async def test_likes_and_bookmarks_count_once(database: Database) -> None:
    def unit(tx: Connection) -> None:
        alice, bob, dan = local(tx, "alice"), local(tx, "bob"), remote(tx, "dan")
        theirs = post(tx, dan, "nice")
        now = clock.now()
        assert reactions.favourite(tx, URLS, bob, theirs, author=dan, now=now)
        assert not reactions.favourite(tx, URLS, bob, theirs, author=dan, now=now)
        like = sent(tx)[-1]
        assert statuses.by_id(tx, theirs.id).favourites_count == 1  # type: ignore[union-attr]
        assert reactions.unfavourite(tx, URLS, bob, theirs, author=dan, now=now)
        undo = sent(tx)[-1]
        assert undo["object"]["id"] == like["id"], "Undo names the Like that was sent"
        reactions.favourite(tx, URLS, bob, theirs, author=dan, now=now)
        assert sent(tx)[-1]["id"] != like["id"], "liking again is another Like"
        assert statuses.by_id(tx, theirs.id).favourites_count == 1  # type: ignore[union-attr]
        assert alice.id

    await database.write(unit)


async def test_pins_are_own_public_and_few(database: Database) -> None:
    def unit(tx: Connection) -> None:
        alice, bob = local(tx, "alice"), local(tx, "bob")
        now = clock.now()
        for n in range(reactions.PINS_AT_MOST):
            reactions.pin(tx, URLS, alice, post(tx, alice, f"pin {n}"), now=now)
        assert sent(tx)[-1]["type"] == "Add"
        told = len(sent(tx))
        (again,) = timelines.account(tx, alice.id, Page(limit=1), viewer_id=None, pinned=True)
        reactions.pin(tx, URLS, alice, statuses.get_own(tx, again.id, alice.id), now=now)
        assert len(sent(tx)) == told, "pinned already: nothing to refuse, nothing to tell"
        with pytest.raises(Invalid, match="unpin"):
            reactions.pin(tx, URLS, alice, post(tx, alice, "one more"), now=now)
        with pytest.raises(Invalid, match="own"):
            reactions.pin(tx, URLS, alice, post(tx, bob, "not mine"), now=now)

    await database.write(unit)


async def test_ids_sort_by_time_and_old_posts_by_their_own(database: Database) -> None:
    def unit(tx: Connection) -> None:
        author = remote(tx, "author")
        old = post(tx, author, "old", published_at=world.NOW - 40 * clock.DAY)
        fresh = post(tx, author, "fresh", published_at=world.NOW)
        future = post(tx, author, "future", published_at=world.NOW + 40 * clock.DAY)
        assert old.id < fresh.id < future.id
        assert future.created_at <= clock.now()

    await database.write(unit)
