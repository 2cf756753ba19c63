"""What an honest server sends has its effect: follows, posts, replies, boosts, likes, edits, deletions, profiles."""

from __future__ import annotations

from typing import Any

import pytest
from sqlalchemy import select

from fediverse import ids
from fediverse.tables.inbox import received
from fediverse.tables.statuses import statuses
from tests.peers.scripted import PUBLIC, Actor, Server, rfc3339, stamp
from tests.support.instance import Account, Instance


@pytest.fixture
async def alice(instance: Instance) -> Account:
    return await instance.account("alice")


@pytest.fixture
def bob(peer: Server) -> Actor:
    return peer.actor("bob")


async def deliver(instance: Instance, actor: Actor, *activities: Any, inbox: str = "/inbox", **options: Any) -> None:
    """The activities are accepted, and applied."""
    for activity in activities:
        assert await actor.server.send(actor, instance.url + inbox, activity, **options) == 202
    await instance.tick()


async def followed(instance: Instance, follower: Account, actor: Actor) -> str:
    """The id here of the actor, whom the follower follows now."""
    found = await instance.follow(follower, actor.handle)
    await instance.tick()
    follow = next(one.body for one in reversed(actor.server.received) if one.body["type"] == "Follow")
    await deliver(instance, actor, actor.activity("Accept", follow))
    (relationship,) = await instance.call("GET", f"/api/v1/accounts/relationships?id[]={found['id']}", by=follower)
    assert relationship["following"]
    return str(found["id"])


async def outcomes(instance: Instance) -> list[str]:
    def read(tx: Any) -> list[str]:
        return list(tx.scalars(select(received.c.outcome).order_by(received.c.id)))

    return await instance.database.read(read)


async def test_a_follow_is_accepted_and_answered(instance: Instance, alice: Account, bob: Actor) -> None:
    follow = bob.activity("Follow", alice.uri)
    await deliver(instance, bob, follow)
    assert [n["type"] for n in await instance.notifications(alice)] == ["follow"]
    accept = bob.server.received[-1].body
    assert (accept["type"], accept["actor"], accept["object"]["id"]) == ("Accept", alice.uri, follow["id"])


async def test_a_repeated_follow_with_the_same_id_is_answered_again(
    instance: Instance, alice: Account, bob: Actor
) -> None:
    follow = bob.activity("Follow", alice.uri)
    await deliver(instance, bob, follow, bob.activity("Undo", follow))
    assert await instance.notifications(alice) == []
    await deliver(instance, bob, follow)
    assert bob.server.types() == ["Accept", "Accept"]
    account = await instance.call("GET", "/api/v1/accounts/verify_credentials", by=alice)
    assert account["followers_count"] == 1


@pytest.mark.attack("OWN-14")
@pytest.mark.parametrize("by_id", [True, False])
async def test_a_locked_account_is_asked_and_a_follow_undone(instance: Instance, bob: Actor, by_id: bool) -> None:
    carol = await instance.account("carol", locked=True)
    follow = bob.activity("Follow", carol.uri)
    await deliver(instance, bob, follow)
    assert [n["type"] for n in await instance.notifications(carol)] == ["follow_request"]
    assert bob.server.received == []
    await deliver(instance, bob, bob.activity("Undo", follow["id"] if by_id else follow))
    assert await instance.call("GET", "/api/v1/follow_requests", by=carol) == []
    assert await instance.notifications(carol) == []


@pytest.mark.parametrize("dialect", ["cavage", "rfc9421"])
@pytest.mark.parametrize("inbox", ["/inbox", "/users/alice/inbox"])
async def test_a_mention_is_shown_and_told(
    instance: Instance, alice: Account, bob: Actor, dialect: str, inbox: str
) -> None:
    await deliver(
        instance, bob, bob.activity("Create", bob.mention(alice.uri, "Hello Alice")), inbox=inbox, dialect=dialect
    )
    (told,) = await instance.notifications(alice)
    assert told["type"] == "mention"
    assert told["status"]["content"] == "<p>Hello Alice</p>"
    assert told["account"]["acct"] == f"bob@{bob.server.host}"


async def test_posts_of_those_followed_reach_home_and_others_are_ignored(
    instance: Instance, alice: Account, bob: Actor, peer: Server
) -> None:
    await followed(instance, alice, bob)
    stranger = peer.actor("stranger")
    await deliver(instance, bob, bob.activity("Create", bob.note("From Bob")))
    await deliver(instance, stranger, stranger.activity("Create", stranger.note("Nobody asked")))
    assert [status["content"] for status in await instance.home(alice)] == ["<p>From Bob</p>"]
    assert (await outcomes(instance))[-2:] == ["applied", "ignored"]


@pytest.mark.parametrize("shape", ["embedded", "bare", "other_id", "forged_object"])
async def test_an_accept_counts_in_each_form_that_names_the_follow(
    instance: Instance, alice: Account, bob: Actor, peer: Server, shape: str
) -> None:
    found = await instance.follow(alice, bob.handle)
    await instance.tick()
    follow = peer.received[-1].body
    answer = {
        "embedded": follow,
        "bare": follow["id"],
        "other_id": {**follow, "id": f"{peer.url}/follows/1"},
        "forged_object": {**follow, "object": f"{peer.url}/users/somebody-else"},
    }[shape]
    await deliver(instance, bob, bob.activity("Accept", answer))
    (relationship,) = await instance.call("GET", f"/api/v1/accounts/relationships?id[]={found['id']}", by=alice)
    assert relationship["following"] is (shape != "forged_object")


async def test_a_reject_ends_a_follow_that_was_accepted(instance: Instance, alice: Account, bob: Actor) -> None:
    account_id = await followed(instance, alice, bob)
    follow = next(one.body for one in bob.server.received if one.body["type"] == "Follow")
    await deliver(instance, bob, bob.activity("Reject", {**follow, "id": "urn:uuid:of-its-own"}))
    (relationship,) = await instance.call("GET", f"/api/v1/accounts/relationships?id[]={account_id}", by=alice)
    assert not relationship["following"]
    assert not relationship["requested"]


async def test_a_reply_is_put_under_its_parent_with_ancestors_fetched(
    instance: Instance, alice: Account, bob: Actor, peer: Server
) -> None:
    await followed(instance, alice, bob)
    root = peer.serve(bob.note("root", to=[PUBLIC]))
    middle = peer.serve(bob.note("middle", inReplyTo=root["id"]))
    await deliver(instance, bob, bob.activity("Create", bob.note("leaf", inReplyTo=middle["id"])))
    (leaf,) = await instance.home(alice)
    context = await instance.call("GET", f"/api/v1/statuses/{leaf['id']}/context", by=alice)
    assert [status["content"] for status in context["ancestors"]] == ["<p>root</p>", "<p>middle</p>"]


async def test_a_reply_to_a_post_here_is_told_even_by_a_stranger(
    instance: Instance, alice: Account, bob: Actor
) -> None:
    mine = await instance.post(alice, "What do you think?")
    await deliver(instance, bob, bob.activity("Create", bob.mention(alice.uri, "Much", inReplyTo=mine["uri"])))
    (told,) = await instance.notifications(alice)
    assert told["status"]["in_reply_to_id"] == mine["id"]


async def test_likes_and_boosts_are_counted_told_and_taken_back(instance: Instance, alice: Account, bob: Actor) -> None:
    mine = await instance.post(alice, "Like me")
    like = bob.activity("Like", mine["uri"])
    react = bob.activity("EmojiReact", mine["uri"], content="🎉")
    boost = bob.activity("Announce", mine["uri"], to=[PUBLIC], cc=[alice.uri])
    await deliver(instance, bob, like, react, boost)
    status = await instance.call("GET", f"/api/v1/statuses/{mine['id']}", by=alice)
    assert (status["favourites_count"], status["reblogs_count"]) == (1, 1)
    assert {n["type"] for n in await instance.notifications(alice)} == {"favourite", "reblog"}
    await deliver(instance, bob, bob.activity("Undo", like["id"]), bob.activity("Undo", boost))
    status = await instance.call("GET", f"/api/v1/statuses/{mine['id']}", by=alice)
    assert (status["favourites_count"], status["reblogs_count"]) == (0, 0)
    assert await instance.notifications(alice) == []


async def test_a_boost_of_an_unknown_post_is_fetched_from_its_origin(
    instance: Instance, alice: Account, bob: Actor, other_peer: Server
) -> None:
    await followed(instance, alice, bob)
    carol = other_peer.actor("carol")
    original = other_peer.serve(carol.note("the original"))
    await deliver(instance, bob, bob.activity("Announce", original["id"], to=[PUBLIC]))
    (boost,) = await instance.home(alice)
    assert boost["reblog"]["content"] == "<p>the original</p>"
    assert boost["reblog"]["account"]["acct"] == f"carol@{other_peer.host}"
    await deliver(instance, bob, bob.activity("Undo", {"type": "Announce", "actor": bob.uri, "object": original["id"]}))
    assert await instance.home(alice) == []


async def test_a_group_that_passes_on_a_create_boosts_the_post(
    instance: Instance, alice: Account, bob: Actor, other_peer: Server
) -> None:
    await followed(instance, alice, bob)
    carol = other_peer.actor("carol")
    original = other_peer.serve(carol.note("to the group"))
    await deliver(instance, bob, bob.activity("Announce", carol.activity("Create", original), to=[PUBLIC]))
    assert (await instance.home(alice))[0]["reblog"]["content"] == "<p>to the group</p>"


async def test_a_create_with_the_id_only_is_fetched(
    instance: Instance, alice: Account, bob: Actor, peer: Server
) -> None:
    await followed(instance, alice, bob)
    note = peer.serve(bob.note("fetched"))
    await deliver(instance, bob, bob.activity("Create", note["id"], to=[PUBLIC]))
    assert [status["content"] for status in await instance.home(alice)] == ["<p>fetched</p>"]


async def test_an_edit_and_a_deletion(instance: Instance, alice: Account, bob: Actor) -> None:
    note = bob.mention(alice.uri, "Tpyo")
    edited = {**note, "content": "<p>Typo</p>", "updated": stamp(1)}
    await deliver(instance, bob, bob.activity("Create", note), bob.activity("Update", edited))
    (told,) = await instance.notifications(alice)
    assert told["status"]["content"] == "<p>Typo</p>"
    history = await instance.call("GET", f"/api/v1/statuses/{told['status']['id']}/history", by=alice)
    assert [version["content"] for version in history] == ["<p>Tpyo</p>", "<p>Typo</p>"]
    await deliver(instance, bob, bob.activity("Delete", {"type": "Tombstone", "id": note["id"]}))
    await instance.call("GET", f"/api/v1/statuses/{told['status']['id']}", by=alice, status=404)
    assert await instance.notifications(alice) == []


async def test_a_direct_post_reaches_whom_it_is_addressed_to(instance: Instance, alice: Account, bob: Actor) -> None:
    note = bob.note("only for you", to=[alice.uri], cc=[])
    await deliver(instance, bob, bob.activity("Create", note), inbox="/users/alice/inbox")
    (told,) = await instance.notifications(alice)
    assert told["status"]["visibility"] == "direct"


async def test_vote_counts_are_no_edit(instance: Instance, alice: Account, bob: Actor) -> None:
    question = bob.mention(alice.uri, "Tea?", type="Question", oneOf=[{"type": "Note", "name": "Yes"}])
    counted = {**question, "content": "<p>other</p>", "votersCount": 7}
    await deliver(instance, bob, bob.activity("Create", question), bob.activity("Update", counted))
    (told,) = await instance.notifications(alice)
    assert told["status"]["edited_at"] is None


async def test_a_profile_changes_by_its_own_update(
    instance: Instance, alice: Account, bob: Actor, peer: Server
) -> None:
    account_id = await followed(instance, alice, bob)
    document = {**bob.document(), "name": "Robert"}
    await deliver(instance, bob, bob.activity("Update", document))
    account = await instance.call("GET", f"/api/v1/accounts/{account_id}", by=alice)
    assert account["display_name"] == "Robert"
    # An Update with the id only: the document is fetched.
    bob.extra["name"] = "Bobby"
    await deliver(instance, bob, bob.activity("Update", bob.uri))
    account = await instance.call("GET", f"/api/v1/accounts/{account_id}", by=alice)
    assert account["display_name"] == "Bobby"


async def test_a_new_user_name_shows_only_once_webfinger_confirms_it(
    instance: Instance, alice: Account, bob: Actor
) -> None:
    account_id = await followed(instance, alice, bob)
    await deliver(instance, bob, bob.activity("Update", {**bob.document(), "preferredUsername": "ceo", "name": "CEO"}))
    account = await instance.call("GET", f"/api/v1/accounts/{account_id}", by=alice)
    assert (account["acct"], account["display_name"]) == (f"bob@{bob.server.host}", "Bob")


async def test_an_account_that_is_deleted_is_wiped(instance: Instance, alice: Account, bob: Actor) -> None:
    account_id = await followed(instance, alice, bob)
    await deliver(instance, bob, bob.activity("Create", bob.mention(alice.uri, "my last words")))
    assert len(await instance.home(alice)) == 1
    await deliver(instance, bob, bob.activity("Delete", bob.uri))
    assert await instance.home(alice) == []
    assert await instance.notifications(alice) == []
    account = await instance.call("GET", "/api/v1/accounts/verify_credentials", by=alice)
    assert account["following_count"] == 0
    (relationship,) = await instance.call("GET", f"/api/v1/accounts/relationships?id[]={account_id}", by=alice)
    assert not relationship["following"]


async def test_a_block_ends_both_follows_and_an_undo_lifts_it(instance: Instance, alice: Account, bob: Actor) -> None:
    account_id = await followed(instance, alice, bob)
    await deliver(instance, bob, bob.activity("Follow", alice.uri))
    block = bob.activity("Block", alice.uri)
    await deliver(instance, bob, block)
    (relationship,) = await instance.call("GET", f"/api/v1/accounts/relationships?id[]={account_id}", by=alice)
    assert (relationship["following"], relationship["followed_by"], relationship["blocked_by"]) == (False, False, True)
    await deliver(instance, bob, bob.activity("Undo", block["id"]))
    (relationship,) = await instance.call("GET", f"/api/v1/accounts/relationships?id[]={account_id}", by=alice)
    assert not relationship["blocked_by"]


async def test_pins_are_read_from_the_collection_and_follow_add_and_remove(
    instance: Instance, alice: Account, bob: Actor, peer: Server
) -> None:
    pinned, other = peer.serve(bob.note("pinned")), peer.serve(bob.note("pinned later"))
    featured = f"{bob.uri}/featured"
    bob.extra["featured"] = featured
    foreign = "https://elsewhere.test/statuses/1"
    peer.serve({"id": featured, "type": "OrderedCollection", "orderedItems": [pinned["id"], foreign]})
    account_id = await followed(instance, alice, bob)

    async def shown() -> list[str]:
        page = await instance.call("GET", f"/api/v1/accounts/{account_id}/statuses?pinned=true", by=alice)
        return [status["content"] for status in page]

    assert await shown() == ["<p>pinned</p>"]
    await deliver(instance, bob, bob.activity("Add", other["id"], target=featured))
    assert await shown() == ["<p>pinned later</p>", "<p>pinned</p>"]
    await deliver(instance, bob, bob.activity("Remove", pinned["id"], target=featured))
    assert await shown() == ["<p>pinned later</p>"]
    await deliver(instance, bob, bob.activity("Remove", other["id"], target=f"{bob.uri}/something-else"))
    assert await shown() == ["<p>pinned later</p>"]


@pytest.mark.attack("DOS-10")
async def test_a_future_date_is_capped_at_the_time_of_arrival(instance: Instance, alice: Account, bob: Actor) -> None:
    note = bob.mention(alice.uri, "from the year 9999", published="9999-01-01T00:00:00Z")
    old = bob.mention(alice.uri, "from 1970", published=rfc3339(0))
    await deliver(instance, bob, bob.activity("Create", note), bob.activity("Create", old))

    def read(tx: Any) -> list[Any]:
        return list(tx.execute(select(statuses.c.id, statuses.c.created_at)))

    for row in await instance.database.read(read):
        assert ids.instant_of(row.id) <= ids.instant_of(ids.new_id())
        assert row.created_at <= ids.instant_of(ids.new_id())
