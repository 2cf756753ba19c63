"""Conversations with Fedify, an ActivityPub implementation of others: both directions, both signature dialects.

Fedify calls its listeners only for activities whose signatures it verified; what a test finds in ``received`` is what
it made of them. Each Fedify server here signs in one dialect first and refuses (401) whatever is signed in the other.
"""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from datetime import datetime
from typing import Any

import aiohttp
import pytest

from tests.support import fedify as peers
from tests.support.fedify import CAVAGE, PUBLIC, RFC9421, Fedify
from tests.support.instance import Account, Instance

peers.require()  # here, so that a machine without Node says so in one line

# One process of Node serves them all.
pytestmark = pytest.mark.xdist_group("fedify")


@pytest.fixture(scope="session")
def control() -> Iterator[str]:
    with peers.process() as url:
        yield url


@asynccontextmanager
async def running(control: str, dialect: str) -> AsyncIterator[Fedify]:
    """A Fedify server; at the end it must have had nothing to complain of."""
    async with aiohttp.ClientSession() as http:
        peer = await peers.start(control, http, dialect)
        yield peer
        report = await peer.report()
        await peers.stop(control, peer)
    assert report["errors"] == []
    taken = {one["dialect"] for one in report["requests"] if one["method"] == "POST" and one["status"] == 202}
    assert taken <= {dialect}
    # Nor did it have to knock a second time: what it signed first was verified.
    assert {(one["dialect"], one["status"]) for one in report["sent"] if one["method"] == "POST"} <= {(dialect, 202)}


@pytest.fixture(params=[CAVAGE, RFC9421], ids=["cavage", "rfc9421"])
async def fedify(control: str, request: pytest.FixtureRequest) -> AsyncIterator[Fedify]:
    async with running(control, request.param) as peer:
        yield peer


@pytest.fixture
async def other_fedify(control: str, fedify: Fedify) -> AsyncIterator[Fedify]:
    async with running(control, fedify.dialect) as peer:
        yield peer


@pytest.fixture
async def alice(instance: Instance) -> Account:
    return await instance.account("alice")


async def relationship(instance: Instance, by: Account, account_id: str) -> Any:
    found = await instance.call("GET", "/api/v1/accounts/relationships", by=by, params={"id[]": account_id})
    return found[0]


async def followed_by_carol(instance: Instance, alice: Account, fedify: Fedify) -> None:
    await fedify.do("follow", uri=alice.uri)
    await instance.tick()
    assert (await fedify.report())["following"] == [f"carol {alice.uri}"]


async def following_carol(instance: Instance, alice: Account, fedify: Fedify) -> Any:
    carol = await instance.follow(alice, fedify.handle())
    await instance.tick()
    assert (await relationship(instance, alice, carol["id"]))["following"]
    return carol


async def sent_bodies(fedify: Fedify, kind: str) -> list[Any]:
    """The JSON of the activities of this type as it came over the wire, those that were refused left out."""
    posts = [one for one in (await fedify.report())["requests"] if one["method"] == "POST" and one["status"] == 202]
    return [body for body in (json.loads(one["body"]) for one in posts) if body["type"] == kind]


async def only(fedify: Fedify, kind: str, object_kind: str | None = None) -> Any:
    (one,) = await fedify.received(kind, object_kind)
    return one


async def test_an_actor_of_ours_is_found_and_followed(instance: Instance, alice: Account, fedify: Fedify) -> None:
    webfinger = await fedify.do("webfinger", uri=alice.uri)
    assert webfinger["subject"] == f"acct:alice@{instance.domain}"
    (self_link,) = [link for link in webfinger["links"] if link["rel"] == "self"]
    seen = await fedify.do("lookup", uri=self_link["href"])
    assert (seen["id"], seen["type"], seen["preferredUsername"]) == (alice.uri, "Person", "alice")
    assert seen["sharedInbox"] == f"{instance.url}/inbox"
    keys = {(key["algorithm"], key["owner"]) for key in seen["keys"]}
    assert keys == {("RSASSA-PKCS1-v1_5", alice.uri), ("Ed25519", alice.uri)}

    follow = await fedify.do("follow", uri=self_link["href"])
    await instance.tick()

    accept = await only(fedify, "Accept")
    assert (accept["actor"], accept["objectId"]) == (alice.uri, follow["id"])
    assert (await fedify.report())["following"] == [f"carol {alice.uri}"]
    followers = await instance.call("GET", f"/api/v1/accounts/{alice.id}/followers", by=alice)
    assert [one["acct"] for one in followers] == [fedify.handle()[1:]]
    (told,) = await instance.notifications(alice)
    assert (told["type"], told["account"]["acct"]) == ("follow", fedify.handle()[1:])

    await fedify.do("undo", id=follow["id"])
    await instance.tick()
    assert await instance.call("GET", f"/api/v1/accounts/{alice.id}/followers", by=alice) == []


async def test_a_follower_is_removed(instance: Instance, alice: Account, fedify: Fedify) -> None:
    follow = await fedify.do("follow", uri=alice.uri)
    await instance.tick()
    (carol,) = await instance.call("GET", f"/api/v1/accounts/{alice.id}/followers", by=alice)
    await instance.call("POST", f"/api/v1/accounts/{carol['id']}/remove_from_followers", by=alice)
    await instance.tick()
    reject = await only(fedify, "Reject")
    assert (reject["actor"], reject["objectId"]) == (alice.uri, follow["id"])


async def test_a_locked_actor_of_ours_accepts_when_asked(instance: Instance, fedify: Fedify) -> None:
    locked = await instance.account("locked", locked=True)
    await fedify.do("follow", uri=locked.uri)
    await instance.tick()
    assert await fedify.received("Accept") == []
    (request,) = await instance.call("GET", "/api/v1/follow_requests", by=locked)
    await instance.call("POST", f"/api/v1/follow_requests/{request['id']}/authorize", by=locked)
    await instance.tick()
    assert (await fedify.report())["following"] == [f"carol {locked.uri}"]


async def test_our_post_arrives_once_and_well_formed(instance: Instance, alice: Account, fedify: Fedify) -> None:
    await followed_by_carol(instance, alice, fedify)
    text = f"Hi {fedify.handle()}, see https://example.com/a?b=1&c=2 about #Fediverse <soon>"
    status = await instance.post(alice, text)
    await instance.tick()

    create = await only(fedify, "Create")
    note = create["object"]
    followers = f"{alice.uri}/followers"
    assert create["actor"] == note["attributedTo"] == alice.uri
    assert create["to"] == note["to"] == [PUBLIC]
    assert sorted(create["cc"]) == sorted(note["cc"]) == sorted([followers, fedify.uri()])
    assert (note["type"], note["id"], note["url"]) == ("Note", status["uri"], status["url"])
    assert {(tag["type"], tag["name"].lower(), tag["href"]) for tag in note["tags"]} == {
        ("Mention", fedify.handle(), fedify.uri()),
        ("Hashtag", "#fediverse", f"{instance.url}/tags/fediverse"),
    }
    assert 'href="https://example.com/a?b=1&amp;c=2"' in note["content"]
    assert f'href="{fedify.uri()}"' in note["content"]
    assert "&lt;soon&gt;" in note["content"]
    assert note["published"] is not None

    (body,) = await sent_bodies(fedify, "Create")
    for part in (body, body["object"]):
        assert isinstance(part["to"], list)
        assert isinstance(part["cc"], list)
    assert isinstance(body["object"]["tag"], list)
    fetched = await fedify.do("lookup", uri=status["uri"])
    assert fetched == note


async def test_who_may_not_see_a_post_of_ours_cannot_fetch_it(
    instance: Instance, alice: Account, fedify: Fedify, other_fedify: Fedify
) -> None:
    await followed_by_carol(instance, alice, fedify)
    status = await instance.post(alice, "Among us", visibility="private")
    await instance.tick()
    create = await only(fedify, "Create")
    assert (create["to"], create["cc"]) == ([f"{alice.uri}/followers"], [])
    assert await fedify.do("lookup", uri=status["uri"]) == create["object"]
    assert "found nothing" in await other_fedify.refused("lookup", uri=status["uri"])

    status = await instance.post(alice, f"{fedify.handle('dave')} For you", visibility="direct")
    assert (await fedify.do("lookup", by="dave", uri=status["uri"]))["id"] == status["uri"]
    assert "found nothing" in await fedify.refused("lookup", uri=status["uri"])


async def test_our_collections_are_read(instance: Instance, alice: Account, fedify: Fedify) -> None:
    await followed_by_carol(instance, alice, fedify)
    posted = [(await instance.post(alice, f"Number {n}"))["uri"] for n in range(25)]
    await instance.post(alice, "Among us", visibility="private")
    outbox = await fedify.do("collection", uri=f"{alice.uri}/outbox")
    assert (outbox["type"], outbox["total"]) == ("OrderedCollection", 25)
    assert [(item["type"], item["objectId"]) for item in outbox["items"]] == [
        ("Create", uri) for uri in reversed(posted)
    ]
    followers = await fedify.do("collection", uri=f"{alice.uri}/followers")
    assert [item["id"] for item in followers["items"]] == [fedify.uri()]


async def test_profiles_change_on_both_sides(instance: Instance, alice: Account, fedify: Fedify) -> None:
    await followed_by_carol(instance, alice, fedify)
    carol = await following_carol(instance, alice, fedify)
    await instance.call("PATCH", "/api/v1/accounts/update_credentials", by=alice, json={"display_name": "Alice A."})
    await fedify.do("rename", name="Carol C.")
    await instance.tick()
    update = await only(fedify, "Update", "Person")
    assert (update["actor"], update["object"]["id"], update["object"]["name"]) == (alice.uri, alice.uri, "Alice A.")
    assert (await instance.call("GET", f"/api/v1/accounts/{carol['id']}"))["display_name"] == "Carol C."


async def test_our_direct_post_is_for_the_mentioned_only(instance: Instance, alice: Account, fedify: Fedify) -> None:
    await followed_by_carol(instance, alice, fedify)
    status = await instance.post(alice, f"{fedify.handle('dave')} psst", visibility="direct")
    await instance.tick()
    create = await only(fedify, "Create")
    assert (create["to"], create["cc"]) == ([fedify.uri("dave")], [])
    assert (create["object"]["to"], create["object"]["cc"]) == ([fedify.uri("dave")], [])
    assert create["object"]["id"] == status["uri"]


async def test_their_posts_reach_home_and_mentions(instance: Instance, alice: Account, fedify: Fedify) -> None:
    await following_carol(instance, alice, fedify)
    posted = await fedify.do("post", text="ciao & <hello>", mentions=[alice.uri], hashtags=["Fedify"])
    await fedify.do("post", by="dave", text="from a stranger", mentions=[alice.uri])
    await instance.tick()

    (status,) = await instance.home(alice)
    assert (status["uri"], status["account"]["acct"]) == (posted["id"], fedify.handle()[1:])
    assert "ciao &amp; &lt;hello&gt;" in status["content"]
    assert [mention["acct"] for mention in status["mentions"]] == ["alice"]
    assert [tag["name"].lower() for tag in status["tags"]] == ["fedify"]
    told = await instance.notifications(alice)
    assert [(one["type"], one["account"]["username"]) for one in told] == [("mention", "dave"), ("mention", "carol")]
    assert told[1]["status"]["id"] == status["id"]


async def test_their_direct_post_stays_between_two(instance: Instance, alice: Account, fedify: Fedify) -> None:
    await instance.account("eve")
    await following_carol(instance, alice, fedify)
    await fedify.do("post", text="psst", mentions=[alice.uri], direct=True)
    await instance.tick()
    (told,) = await instance.notifications(alice)
    assert told["status"]["visibility"] == "direct"
    path = f"/api/v1/statuses/{told['status']['id']}"
    await instance.call("GET", path, by=instance.accounts["eve"], status=404)
    await instance.call("GET", path, by=alice)


async def test_replies_are_threaded_both_ways(instance: Instance, alice: Account, fedify: Fedify) -> None:
    await followed_by_carol(instance, alice, fedify)
    first = await instance.post(alice, "What is new?")
    await instance.tick()
    answer = await fedify.do("post", text="Not much", in_reply_to=first["uri"], mentions=[alice.uri])
    await instance.tick()

    thread = await instance.call("GET", f"/api/v1/statuses/{first['id']}/context", by=alice)
    (reply,) = thread["descendants"]
    assert (reply["uri"], reply["in_reply_to_id"]) == (answer["id"], first["id"])
    assert (await instance.call("GET", f"/api/v1/statuses/{first['id']}", by=alice))["replies_count"] == 1

    second = await instance.post(alice, f"{fedify.handle()} Pity", in_reply_to_id=reply["id"])
    await instance.tick()
    note = (await fedify.received("Create"))[-1]["object"]
    assert (note["id"], note["inReplyTo"]) == (second["uri"], answer["id"])
    assert [(tag["type"], tag["href"]) for tag in note["tags"]] == [("Mention", fedify.uri())]
    assert (await fedify.received("Create"))[0]["object"]["inReplyTo"] is None


async def test_they_like_and_boost_and_take_it_back(instance: Instance, alice: Account, fedify: Fedify) -> None:
    await followed_by_carol(instance, alice, fedify)
    status = await instance.post(alice, "Like me")
    path = f"/api/v1/statuses/{status['id']}"
    like = await fedify.do("like", uri=status["uri"])
    boost = await fedify.do("announce", uri=status["uri"])
    await instance.tick()
    seen = await instance.call("GET", path, by=alice)
    assert (seen["favourites_count"], seen["reblogs_count"]) == (1, 1)
    kinds = {one["type"] for one in await instance.notifications(alice)}
    assert kinds == {"follow", "favourite", "reblog"}

    await fedify.do("undo", id=like["id"])
    await fedify.do("undo", id=boost["id"])
    await instance.tick()
    seen = await instance.call("GET", path, by=alice)
    assert (seen["favourites_count"], seen["reblogs_count"]) == (0, 0)


async def test_we_like_and_boost_and_take_it_back(instance: Instance, alice: Account, fedify: Fedify) -> None:
    await followed_by_carol(instance, alice, fedify)
    await following_carol(instance, alice, fedify)
    posted = await fedify.do("post", text="Like me")
    await instance.tick()
    (status,) = await instance.home(alice)
    path = f"/api/v1/statuses/{status['id']}"
    for action in ("favourite", "reblog"):
        await instance.call("POST", f"{path}/{action}", by=alice)
    await instance.tick()
    like, boost = await only(fedify, "Like"), await only(fedify, "Announce")
    assert (like["actor"], like["objectId"]) == (alice.uri, posted["id"])
    assert (boost["actor"], boost["objectId"]) == (alice.uri, posted["id"])
    assert boost["to"] == [PUBLIC]
    assert sorted(boost["cc"]) == sorted([f"{alice.uri}/followers", fedify.uri()])

    for action in ("unfavourite", "unreblog"):
        await instance.call("POST", f"{path}/{action}", by=alice)
    await instance.tick()
    undone = [
        (one["object"]["type"], one["objectId"], one["object"]["objectId"]) for one in await fedify.received("Undo")
    ]
    assert sorted(undone) == [("Announce", boost["id"], posted["id"]), ("Like", like["id"], posted["id"])]


async def test_their_boost_of_a_third_ones_post_is_fetched(
    instance: Instance, alice: Account, fedify: Fedify, other_fedify: Fedify
) -> None:
    await following_carol(instance, alice, fedify)
    posted = await other_fedify.do("post", by="dave", text="worth reading")
    await fedify.do("announce", uri=posted["id"])
    await instance.tick()
    (boost,) = await instance.home(alice)
    assert boost["account"]["username"] == "carol"
    assert boost["reblog"]["uri"] == posted["id"]
    assert boost["reblog"]["account"]["acct"] == other_fedify.handle("dave")[1:]


async def test_edits_and_deletes_of_ours_arrive(instance: Instance, alice: Account, fedify: Fedify) -> None:
    await followed_by_carol(instance, alice, fedify)
    status = await instance.post(alice, "First")
    await instance.tick()
    path = f"/api/v1/statuses/{status['id']}"
    await instance.call("PUT", path, by=alice, json={"status": "Second"})
    await instance.tick()
    update = await only(fedify, "Update", "Note")
    assert update["object"]["id"] == status["uri"]
    assert "Second" in update["object"]["content"]
    published, updated = (datetime.fromisoformat(update["object"][name]) for name in ("published", "updated"))
    assert updated > published  # as instants: Fedify leaves out the zeros at the end
    assert update["to"] == [PUBLIC]

    await instance.call("DELETE", path, by=alice)
    await instance.tick()
    delete = await only(fedify, "Delete")
    assert (delete["actor"], delete["objectId"]) == (alice.uri, status["uri"])
    assert delete["object"]["type"] == "Tombstone"


async def test_their_edits_and_deletes_are_followed(instance: Instance, alice: Account, fedify: Fedify) -> None:
    await following_carol(instance, alice, fedify)
    posted = await fedify.do("post", text="First")
    await instance.tick()
    await fedify.do("edit", id=posted["id"], text="Second")
    await instance.tick()
    (status,) = await instance.home(alice)
    assert "Second" in status["content"]
    assert status["edited_at"] is not None
    history = await instance.call("GET", f"/api/v1/statuses/{status['id']}/history", by=alice)
    assert ["First" in history[0]["content"], "Second" in history[-1]["content"]] == [True, True]

    await fedify.do("delete", id=posted["id"])
    await instance.tick()
    assert await instance.home(alice) == []
    await instance.call("GET", f"/api/v1/statuses/{status['id']}", by=alice, status=404)


@pytest.mark.parametrize("by", ["handle", "uri"])
async def test_we_follow_and_unfollow(instance: Instance, alice: Account, fedify: Fedify, by: str) -> None:
    carol = await instance.find(alice, fedify.handle() if by == "handle" else fedify.uri())
    assert (carol["acct"], carol["display_name"]) == (fedify.handle()[1:], "CAROL")
    assert carol["note"] == "<p>A peer for tests.</p>"
    asked = await instance.call("POST", f"/api/v1/accounts/{carol['id']}/follow", by=alice)
    assert (asked["following"], asked["requested"]) == (False, True)
    await instance.tick()

    follow = await only(fedify, "Follow")
    assert (follow["actor"], follow["objectId"]) == (alice.uri, fedify.uri())
    assert (await fedify.report())["followers"]["carol"] == [alice.uri]
    now = await relationship(instance, alice, carol["id"])
    assert (now["following"], now["requested"]) == (True, False)

    await instance.call("POST", f"/api/v1/accounts/{carol['id']}/unfollow", by=alice)
    await instance.tick()
    undo = await only(fedify, "Undo", "Follow")
    assert undo["objectId"] == follow["id"]
    assert (await fedify.report())["followers"]["carol"] == []


async def test_a_post_of_theirs_is_found_by_its_uri(instance: Instance, alice: Account, fedify: Fedify) -> None:
    posted = await fedify.do("post", text="found by hand")
    query = {"q": posted["id"], "resolve": "true", "type": "statuses"}
    found = await instance.call("GET", "/api/v2/search", by=alice, params=query)
    assert [one["uri"] for one in found["statuses"]] == [posted["id"]]


async def test_our_block_ends_follows_and_keeps_them_out(instance: Instance, alice: Account, fedify: Fedify) -> None:
    await followed_by_carol(instance, alice, fedify)
    carol = await following_carol(instance, alice, fedify)
    await instance.call("POST", f"/api/v1/accounts/{carol['id']}/block", by=alice)
    await instance.tick()
    block = await only(fedify, "Block")
    assert (block["actor"], block["objectId"]) == (alice.uri, fedify.uri())
    now = await relationship(instance, alice, carol["id"])
    assert (now["blocking"], now["following"], now["followed_by"]) == (True, False, False)

    told_before = len(await instance.notifications(alice))
    await fedify.do("post", text="still here?", mentions=[alice.uri])
    await fedify.do("follow", uri=alice.uri)
    await instance.tick()
    assert len(await instance.notifications(alice)) == told_before
    assert await instance.home(alice) == []
    assert not (await relationship(instance, alice, carol["id"]))["followed_by"]
    assert len(await fedify.received("Accept")) == 1  # the one before the block


async def test_their_block_ends_follows_until_undone(instance: Instance, alice: Account, fedify: Fedify) -> None:
    await followed_by_carol(instance, alice, fedify)
    carol = await following_carol(instance, alice, fedify)
    block = await fedify.do("block", uri=alice.uri)
    await instance.tick()
    now = await relationship(instance, alice, carol["id"])
    assert (now["blocked_by"], now["following"], now["followed_by"]) == (True, False, False)
    await fedify.do("undo", id=block["id"])
    await instance.tick()
    assert not (await relationship(instance, alice, carol["id"]))["blocked_by"]
