"""Posts and collections as other servers fetch them: what they say, and that nobody gets what is not theirs."""

from __future__ import annotations

from typing import Any

import pytest

from tests.peers.scripted import PUBLIC, Actor, Server
from tests.support.instance import Account, Instance
from tests.test_discovery_endpoints import AP, BROWSER, Got, get, signed_get

VISIBILITIES = ("public", "unlisted", "private", "direct")


@pytest.fixture
async def alice(instance: Instance) -> Account:
    return await instance.account("alice")


@pytest.fixture
def bob(peer: Server) -> Actor:
    return peer.actor("bob")


async def follows(instance: Instance, actor: Actor, account: Account) -> None:
    """The remote actor follows the account."""
    status = await actor.server.send(actor, f"{instance.url}/inbox", actor.activity("Follow", account.uri))
    assert status == 202
    await instance.tick()


def path(status: Any, instance: Instance) -> str:
    return str(status["uri"]).removeprefix(instance.url)


async def items(instance: Instance, collection: str) -> list[Any]:
    """Everything in a paged collection, by following its links."""
    whole = (await get(instance, collection)).json
    found: list[Any] = []
    following = whole["first"]
    while following:
        page = (await get(instance, following.removeprefix(instance.url))).json
        assert page["partOf"] == whole["id"]
        assert page["id"] == following
        found += page["orderedItems"]
        following = page.get("next")
    return found


async def test_a_note_and_its_activity(instance: Instance, alice: Account) -> None:
    posted = await instance.post(alice, "Hello #World", language="en", spoiler_text="Careful")
    note = await get(instance, path(posted, instance))
    assert (note.status, note.headers["Content-Type"]) == (200, AP)
    assert note.headers["Cache-Control"].startswith("public")
    assert note.json["id"] == posted["uri"]
    assert (note.json["to"], note.json["cc"]) == ([PUBLIC], [f"{alice.uri}/followers"])
    assert note.json["attributedTo"] == alice.uri
    assert note.json["summary"] == "Careful"
    assert note.json["tag"][0]["name"] == "#World"
    create = (await get(instance, path(posted, instance) + "/activity")).json
    assert (create["type"], create["actor"]) == ("Create", alice.uri)
    assert create["id"] == f"{posted['uri']}/activity"
    assert create["object"]["id"] == posted["uri"]
    assert (create["to"], create["cc"]) == (note.json["to"], note.json["cc"])


async def test_browsers_are_sent_to_the_page(instance: Instance, alice: Account) -> None:
    posted = await instance.post(alice, "Hello")
    for suffix in ("", "/activity"):
        page = await get(instance, path(posted, instance) + suffix, BROWSER)
        assert (page.status, page.headers["Location"]) == (302, f"{instance.url}/@alice/{posted['id']}")
        assert "Accept" in page.headers["Vary"]


async def test_an_edit_shows_at_once(instance: Instance, alice: Account) -> None:
    posted = await instance.post(alice, "Frist")
    before = await get(instance, path(posted, instance))
    await instance.call("PUT", f"/api/v1/statuses/{posted['id']}", by=alice, json={"status": "First"})
    after = await get(instance, path(posted, instance), **{"If-None-Match": before.headers["ETag"]})
    assert after.status == 200
    assert "First" in after.json["content"]
    assert after.json["updated"] > after.json["published"]


@pytest.mark.attack("PRV-11")
async def test_a_deleted_post_is_a_tombstone(instance: Instance, alice: Account) -> None:
    posted = await instance.post(alice, "Secret of the past", visibility="unlisted")
    where = path(posted, instance)
    assert (await get(instance, where)).status == 200
    await instance.call("DELETE", f"/api/v1/statuses/{posted['id']}", by=alice)
    for suffix in ("", "/activity", "/replies"):
        gone = await get(instance, where + suffix)
        assert (gone.status, gone.json["type"], gone.json["id"]) == (410, "Tombstone", posted["uri"])
        assert b"Secret" not in gone.body
    assert await items(instance, "/users/alice/outbox") == []
    assert (await get(instance, "/users/alice/outbox")).json["totalItems"] == 0


@pytest.mark.attack("PRV-01")
async def test_the_outbox_has_what_is_public_and_nothing_else(instance: Instance, alice: Account, bob: Actor) -> None:
    await follows(instance, bob, alice)
    carol = await instance.account("carol")
    hers = await instance.post(carol, "Carol's")
    for visibility in VISIBILITIES:
        await instance.post(alice, f"@carol {visibility}", visibility=visibility)
    await instance.call("POST", f"/api/v1/statuses/{hers['id']}/reblog", by=alice)
    for asked in (await get(instance, "/users/alice/outbox"), await signed_get(instance, bob, "/users/alice/outbox")):
        assert asked.json["totalItems"] == 3
        assert b"private" not in asked.body
    found = await items(instance, "/users/alice/outbox")
    assert [(one["type"], one["actor"]) for one in found] == [
        ("Announce", alice.uri),
        ("Create", alice.uri),
        ("Create", alice.uri),
    ]
    assert found[0]["object"] == hers["uri"]
    assert all(PUBLIC in one["to"] + one["cc"] for one in found)


async def test_pages_back_and_forth(instance: Instance, alice: Account) -> None:
    texts = [f"Post {n:02d}" for n in range(45)]
    for text in texts:
        await instance.post(alice, text)
    found = await items(instance, "/users/alice/outbox")
    assert [one["object"]["content"] for one in found] == [f"<p>{text}</p>" for text in reversed(texts)]
    whole = (await get(instance, "/users/alice/outbox")).json
    seen: list[str] = []
    following = whole["last"]
    while following:
        page = (await get(instance, following.removeprefix(instance.url))).json
        seen += reversed([one["object"]["content"] for one in page["orderedItems"]])
        following = page.get("prev")
    assert seen == [f"<p>{text}</p>" for text in texts]


@pytest.mark.parametrize("query", ["max_id=x", "max_id=-1", "min_id=99999999999999999999"])
async def test_cursors_that_are_none(instance: Instance, alice: Account, query: str) -> None:
    assert (await get(instance, f"/users/alice/outbox?page=true&{query}")).status == 400


@pytest.mark.attack("PRV-01")
async def test_featured(instance: Instance, alice: Account) -> None:
    assert (await get(instance, "/users/alice/featured")).json["orderedItems"] == []
    public = await instance.post(alice, "Pinned")
    private = await instance.post(alice, "Pinned for few", visibility="private")
    for posted in (public, private):
        await instance.call("POST", f"/api/v1/statuses/{posted['id']}/pin", by=alice)
    featured = (await get(instance, "/users/alice/featured")).json
    assert (featured["type"], featured["totalItems"]) == ("OrderedCollection", 1)
    assert [note["id"] for note in featured["orderedItems"]] == [public["uri"]]


async def test_followers_and_following(instance: Instance, alice: Account, bob: Actor) -> None:
    await follows(instance, bob, alice)
    carol = await instance.account("carol")
    found = await instance.find(carol, f"alice@{instance.domain}")
    await instance.call("POST", f"/api/v1/accounts/{found['id']}/follow", by=carol)
    followers = (await get(instance, "/users/alice/followers")).json
    assert (followers["id"], followers["totalItems"]) == (f"{alice.uri}/followers", 2)
    assert await items(instance, "/users/alice/followers") == [carol.uri, bob.uri]
    assert await items(instance, "/users/carol/following") == [alice.uri]
    assert await items(instance, "/users/alice/following") == []


async def test_hidden_relations_tell_their_number_only(instance: Instance, alice: Account, bob: Actor) -> None:
    dora = await instance.account("dora", hide_relations=True)
    await follows(instance, bob, dora)
    followers = (await get(instance, "/users/dora/followers")).json
    assert followers["totalItems"] == 1
    assert "first" not in followers
    assert (await get(instance, "/users/dora/followers?page=true")).status == 404


async def test_a_follow_can_be_fetched_by_its_id(instance: Instance, alice: Account, bob: Actor) -> None:
    await instance.follow(alice, bob.handle)
    await instance.tick()
    sent = next(one.body for one in bob.server.received if one.body["type"] == "Follow")
    fetched = await get(instance, sent["id"].removeprefix(instance.url))
    assert {name: fetched.json[name] for name in ("id", "type", "actor", "object")} == {
        name: sent[name] for name in ("id", "type", "actor", "object")
    }
    assert (await get(instance, "/users/alice/follows/1")).status == 404


@pytest.mark.attack("PRV-01")
async def test_replies(instance: Instance, alice: Account) -> None:
    posted = await instance.post(alice, "Ask me")
    answers = [await instance.post(alice, f"Answer {n}", in_reply_to_id=posted["id"]) for n in range(23)]
    await instance.post(alice, "Whispered", in_reply_to_id=posted["id"], visibility="private")
    note = (await get(instance, path(posted, instance))).json
    assert note["replies"]["first"]["items"] == [answer["uri"] for answer in answers[:5]]
    found: list[str] = []
    page = (await get(instance, path(posted, instance) + "/replies")).json["first"]
    while True:
        found += page["items"]
        if "next" not in page:
            break
        page = (await get(instance, page["next"].removeprefix(instance.url))).json
    assert found == [answer["uri"] for answer in answers]
    again = (await get(instance, note["replies"]["first"]["next"].removeprefix(instance.url))).json
    assert again["items"][0] == answers[5]["uri"]


class TestWhatIsNotPublic:
    """PRV-02: every form of the address, every stranger: the answer is that of an id that never was."""

    @pytest.fixture
    async def posts(self, instance: Instance, alice: Account, bob: Actor) -> dict[str, Any]:
        await follows(instance, bob, alice)
        dave = await instance.account("dave")
        await instance.find(alice, bob.handle)
        return {
            "private": await instance.post(alice, "For followers", visibility="private"),
            "direct": await instance.post(alice, f"@dave {bob.handle} psst", visibility="direct"),
            "between": await instance.post(dave, "@alice between us", visibility="direct"),
        }

    @pytest.mark.attack("PRV-02")
    async def test_strangers_see_nothing(
        self, instance: Instance, alice: Account, posts: dict[str, Any], other_peer: Server
    ) -> None:
        eve, carol = other_peer.actor("eve"), await instance.account("carol")
        unknown = await get(instance, "/users/alice/statuses/123456789")
        for posted in posts.values():
            author = posted["account"]["username"]
            forms = [path(posted, instance) + suffix for suffix in ("", "/activity", "/replies", ".json", "/embed")]
            forms += [f"/@{author}/{posted['id']}"]
            for form in forms:
                answers: list[Got] = [
                    await get(instance, form),
                    await get(instance, form, "application/json"),
                    await get(instance, form, Authorization=f"Bearer {carol.token}"),
                    await signed_get(instance, eve, form),
                ]
                for answer in answers:
                    if answer.status in {302, 303} and form.startswith("/@"):
                        assert answer.headers["Location"] == posted["uri"]
                        continue
                    assert answer.status == 404, form
                    assert b"followers" not in answer.body
                    assert b"psst" not in answer.body
                if form == path(posted, instance):
                    assert answers[0].body == unknown.body
                    assert answers[3].body == unknown.body
            assert (await get(instance, f"/@{author}/{posted['id']}", BROWSER)).status == 404

    async def test_a_follower_and_its_server_see_what_followers_see(
        self, instance: Instance, alice: Account, bob: Actor, posts: dict[str, Any]
    ) -> None:
        neighbour = bob.server.actor("neighbour")
        for signer in (bob, neighbour):
            for suffix in ("", "/activity"):
                seen = await signed_get(instance, signer, path(posts["private"], instance) + suffix)
                assert seen.status == 200
                assert "private" in seen.headers["Cache-Control"]
                assert b"For followers" in seen.body

    async def test_only_the_addressee_sees_what_is_direct(
        self, instance: Instance, alice: Account, bob: Actor, posts: dict[str, Any]
    ) -> None:
        neighbour = bob.server.actor("neighbour")
        assert (await signed_get(instance, bob, path(posts["direct"], instance))).status == 200
        assert (await signed_get(instance, neighbour, path(posts["direct"], instance))).status == 404
        assert (await signed_get(instance, bob, path(posts["between"], instance))).status == 404

    @pytest.mark.attack("PRV-02")
    async def test_a_wrong_signature_is_none(
        self, instance: Instance, alice: Account, bob: Actor, posts: dict[str, Any], other_peer: Server
    ) -> None:
        eve = other_peer.actor("eve")
        where = path(posts["private"], instance)
        # Eve's key under Bob's name, an old signature, and one for another path.
        assert (await signed_get(instance, bob, where, key=eve.key)).status == 404
        assert (await signed_get(instance, bob, where, age=24 * 3600)).status == 404
        assert (await signed_get(instance, bob, where, target="/users/alice")).status == 404

    async def test_under_another_name_it_is_not_there(
        self, instance: Instance, alice: Account, bob: Actor, posts: dict[str, Any]
    ) -> None:
        elsewhere = path(posts["private"], instance).replace("/alice/", "/dave/")
        assert (await signed_get(instance, bob, elsewhere)).status == 404

    @pytest.mark.attack("PRV-07")
    async def test_whoever_is_blocked_sees_it_no_longer(
        self, instance: Instance, alice: Account, bob: Actor, posts: dict[str, Any]
    ) -> None:
        found = await instance.find(alice, bob.handle)
        await instance.call("POST", f"/api/v1/accounts/{found['id']}/block", by=alice)
        for name in ("private", "direct"):
            assert (await signed_get(instance, bob, path(posts[name], instance))).status == 404
        public = await instance.post(alice, "For all")
        assert (await signed_get(instance, bob, path(public, instance))).status == 403
        assert (await get(instance, path(public, instance))).status == 200


@pytest.mark.attack("PRV-09")
async def test_what_is_delivered_goes_to_whom_it_is_for(instance: Instance, alice: Account, bob: Actor) -> None:
    """PRV-09: a direct post goes to the addressee's own inbox; nothing names hidden recipients."""
    await follows(instance, bob, alice)
    bob.server.received.clear()
    await instance.post(alice, f"{bob.handle} psst", visibility="direct")
    await instance.post(alice, "For followers", visibility="private")
    await instance.tick()
    assert sorted(one.path for one in bob.server.received) == ["/inbox", "/users/bob/inbox"]
    for one in bob.server.received:
        assert not {"bto", "bcc"} & (set(one.body) | set(one.body["object"]))
        named = one.body["to"] + one.body["cc"]
        assert named == ([bob.uri] if one.path == "/users/bob/inbox" else [f"{alice.uri}/followers"])
        assert one.body["object"]["to"] + one.body["object"]["cc"] == named
