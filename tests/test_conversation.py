"""Two real instances, over real HTTP: the whole conversation, seen through the client API of both."""

from __future__ import annotations

from typing import Any

import pytest

from fediverse.text import plain
from tests.conftest import MakeInstance
from tests.support.instance import Account, Instance, settle


def texts(statuses: list[Any]) -> list[str]:
    """What the statuses say, without markup."""
    return [(status["reblog"] or status)["content"] for status in statuses]


def by_href(status: Any) -> dict[str, str]:
    """The full handles behind the mentions' links."""
    domains = {mention["url"]: mention["url"].split("/")[2] for mention in status["mentions"]}
    return {url: f"@{mention['username']}@{domains[url]}" for mention in status["mentions"] for url in [mention["url"]]}


@pytest.fixture
async def pair(make_instance: MakeInstance) -> tuple[Instance, Instance]:
    """Two instances of two companies."""
    return await make_instance(), await make_instance()


async def following(one: Instance, other: Instance) -> tuple[Account, Account]:
    """alice on the one and bob on the other, who follow each other."""
    alice, bob = await one.account("alice"), await other.account("bob")
    await one.follow(alice, f"@bob@{other.domain}")
    await settle(one, other)
    await other.follow(bob, f"@alice@{one.domain}")
    await settle(one, other)
    return alice, bob


async def test_following_across_servers(pair: tuple[Instance, Instance]) -> None:
    one, other = pair
    alice, bob = await following(one, other)
    me = await one.call("GET", "/api/v1/accounts/verify_credentials", by=alice)
    assert (me["followers_count"], me["following_count"]) == (1, 1)
    assert [told["type"] for told in await other.notifications(bob)] == ["follow"]
    seen = await one.find(alice, f"@bob@{other.domain}")
    [stands] = await one.call("GET", "/api/v1/accounts/relationships", by=alice, params={"id[]": seen["id"]})
    assert stands["following"]
    assert stands["followed_by"]
    await one.call("POST", f"/api/v1/accounts/{seen['id']}/unfollow", by=alice)
    await settle(one, other)
    me = await other.call("GET", "/api/v1/accounts/verify_credentials", by=bob)
    assert (me["followers_count"], me["following_count"]) == (0, 1)


async def test_a_post_with_mention_hashtag_and_link(pair: tuple[Instance, Instance]) -> None:
    one, other = pair
    alice, bob = await following(one, other)
    text = f"@bob@{other.domain} read https://example.com/a?b=1 about #Coffee"
    posted = await one.post(alice, text, language="en")
    await settle(one, other)
    [seen] = await other.home(bob)
    assert seen["uri"] == posted["uri"]
    assert plain(seen["content"], handles=by_href(seen)) == plain(posted["content"], handles=by_href(posted)) == text
    assert seen["language"] == "en"
    assert [mention["acct"] for mention in seen["mentions"]] == ["bob"]
    assert [tag["name"].lower() for tag in seen["tags"]] == ["coffee"]
    assert (await other.notifications(bob))[0]["type"] == "mention"
    tagged = await other.call("GET", "/api/v1/timelines/tag/coffee", by=bob)
    assert [status["uri"] for status in tagged] == [posted["uri"]]


async def test_replies_are_seen_by_those_who_follow_both(pair: tuple[Instance, Instance]) -> None:
    one, other = pair
    alice, bob = await following(one, other)
    carol = await other.account("carol")
    await other.follow(carol, f"@alice@{one.domain}")
    await settle(one, other)
    asked = await one.post(alice, "What do you think?")
    await settle(one, other)
    [seen] = await other.home(bob)
    answer = await other.post(bob, f"@alice@{one.domain} It is good", in_reply_to_id=seen["id"])
    await settle(one, other)
    [told] = [told for told in await one.notifications(alice) if told["type"] == "mention"]
    assert told["status"]["uri"] == answer["uri"]
    assert told["status"]["in_reply_to_id"] == asked["id"]
    context = await one.call("GET", f"/api/v1/statuses/{asked['id']}/context", by=alice)
    assert [status["uri"] for status in context["descendants"]] == [answer["uri"]]
    again = await one.post(alice, f"@bob@{other.domain} Thank you", in_reply_to_id=told["status"]["id"])
    await settle(one, other)
    assert again["uri"] in [status["uri"] for status in await other.home(bob)]
    assert again["uri"] not in [status["uri"] for status in await other.home(carol)], "carol follows alice only"
    await other.call("POST", f"/api/v1/accounts/{bob.id}/follow", by=carol)
    third = await one.post(alice, f"@bob@{other.domain} One more thing", in_reply_to_id=told["status"]["id"])
    await settle(one, other)
    assert third["uri"] in [status["uri"] for status in await other.home(carol)], "now carol follows both"


async def test_boosts_and_likes_and_both_undone(pair: tuple[Instance, Instance]) -> None:
    one, other = pair
    alice, bob = await following(one, other)
    carol = await other.account("carol")
    await other.call("POST", f"/api/v1/accounts/{bob.id}/follow", by=carol)
    posted = await one.post(alice, "Worth repeating")
    await settle(one, other)
    [seen] = await other.home(bob)
    await other.call("POST", f"/api/v1/statuses/{seen['id']}/reblog", by=bob)
    await other.call("POST", f"/api/v1/statuses/{seen['id']}/favourite", by=bob)
    await settle(one, other)
    told = await one.notifications(alice)
    assert {entry["type"] for entry in told} >= {"reblog", "favourite"}
    [carried] = [status for status in await other.home(carol) if status["reblog"]]
    assert carried["reblog"]["uri"] == posted["uri"]
    own = await one.call("GET", f"/api/v1/statuses/{posted['id']}", by=alice)
    assert (own["reblogs_count"], own["favourites_count"]) == (1, 1)
    await other.call("POST", f"/api/v1/statuses/{seen['id']}/unreblog", by=bob)
    await other.call("POST", f"/api/v1/statuses/{seen['id']}/unfavourite", by=bob)
    await settle(one, other)
    own = await one.call("GET", f"/api/v1/statuses/{posted['id']}", by=alice)
    assert (own["reblogs_count"], own["favourites_count"]) == (0, 0)
    assert not [status for status in await other.home(carol) if status["reblog"]]


async def test_edits_and_deletions_follow(pair: tuple[Instance, Instance]) -> None:
    one, other = pair
    alice, bob = await following(one, other)
    posted = await one.post(alice, "Helo")
    await settle(one, other)
    await one.call("PUT", f"/api/v1/statuses/{posted['id']}", by=alice, json={"status": "Hello"})
    await settle(one, other)
    [seen] = await other.home(bob)
    assert texts([seen]) == ["<p>Hello</p>"]
    assert seen["edited_at"]
    history = await other.call("GET", f"/api/v1/statuses/{seen['id']}/history", by=bob)
    assert texts([{"reblog": None, **version} for version in history]) == ["<p>Helo</p>", "<p>Hello</p>"]
    await one.call("DELETE", f"/api/v1/statuses/{posted['id']}", by=alice)
    await settle(one, other)
    assert await other.home(bob) == []
    await other.call("GET", f"/api/v1/statuses/{seen['id']}", by=bob, status=404)
    headers = {"Accept": "application/activity+json"}
    gone = await one.call("GET", posted["uri"].removeprefix(one.url), headers=headers, status=410)
    assert gone["type"] == "Tombstone"


@pytest.mark.parametrize("visibility", ["private", "direct"])
async def test_private_posts_reach_whom_they_are_for(pair: tuple[Instance, Instance], visibility: str) -> None:
    one, other = pair
    alice, bob = await following(one, other)
    stranger = await other.account("stranger")
    posted = await one.post(alice, f"@bob@{other.domain} between us", visibility=visibility)
    await settle(one, other)
    [seen] = await other.home(bob)
    assert seen["visibility"] == visibility
    await other.call("GET", f"/api/v1/statuses/{seen['id']}", by=stranger, status=404)
    await other.call("GET", f"/api/v1/statuses/{seen['id']}", status=404)
    for path in (posted["uri"].removeprefix(one.url), f"/@alice/{posted['id']}"):
        for accept in ("application/activity+json", "text/html"):
            async with one.http.get(one.url + path, headers={"Accept": accept}) as response:
                assert response.status == 404, (path, accept)
    public = await other.call("GET", "/api/v1/timelines/public")
    assert public == []


async def test_a_locked_account_lets_in_whom_it_wants(pair: tuple[Instance, Instance]) -> None:
    one, other = pair
    alice, bob = await one.account("alice"), await other.account("bob", locked=True)
    target = await one.follow(alice, f"@bob@{other.domain}")
    await settle(one, other)
    [stands] = await one.call("GET", "/api/v1/accounts/relationships", by=alice, params={"id[]": target["id"]})
    assert (stands["following"], stands["requested"]) == (False, True)
    [asking] = await other.call("GET", "/api/v1/follow_requests", by=bob)
    assert asking["acct"] == f"alice@{one.domain}"
    await other.call("POST", f"/api/v1/follow_requests/{asking['id']}/authorize", by=bob)
    await settle(one, other)
    [stands] = await one.call("GET", "/api/v1/accounts/relationships", by=alice, params={"id[]": target["id"]})
    assert (stands["following"], stands["requested"]) == (True, False)
    await other.call("POST", f"/api/v1/accounts/{asking['id']}/remove_from_followers", by=bob)
    await settle(one, other)
    [stands] = await one.call("GET", "/api/v1/accounts/relationships", by=alice, params={"id[]": target["id"]})
    assert not stands["following"]


async def test_a_block_cuts_both_ways(pair: tuple[Instance, Instance]) -> None:
    one, other = pair
    alice, bob = await following(one, other)
    seen = await one.find(alice, f"@bob@{other.domain}")
    await one.call("POST", f"/api/v1/accounts/{seen['id']}/block", by=alice)
    await settle(one, other)
    me = await other.call("GET", "/api/v1/accounts/verify_credentials", by=bob)
    assert (me["followers_count"], me["following_count"]) == (0, 0)
    await other.post(bob, f"@alice@{one.domain} hello?")
    await one.post(alice, "Not for bob")
    await settle(one, other)
    assert [told["type"] for told in await one.notifications(alice)] == []
    assert "<p>Not for bob</p>" not in texts(await other.home(bob))


async def test_pinned_posts_are_seen_elsewhere(pair: tuple[Instance, Instance]) -> None:
    one, other = pair
    alice, bob = await following(one, other)
    posted = await one.post(alice, "Read this first")
    await one.call("POST", f"/api/v1/statuses/{posted['id']}/pin", by=alice)
    await settle(one, other)
    seen = await other.find(bob, f"@alice@{one.domain}")
    pinned = await other.call("GET", f"/api/v1/accounts/{seen['id']}/statuses", by=bob, params={"pinned": "true"})
    assert [status["uri"] for status in pinned] == [posted["uri"]]
    await one.call("POST", f"/api/v1/statuses/{posted['id']}/unpin", by=alice)
    await settle(one, other)
    pinned = await other.call("GET", f"/api/v1/accounts/{seen['id']}/statuses", by=bob, params={"pinned": "true"})
    assert pinned == []


async def test_a_changed_profile_is_told(pair: tuple[Instance, Instance]) -> None:
    one, other = pair
    alice, bob = await following(one, other)
    changes = {"display_name": "Alice of One", "note": "Hello from #One", "locked": "true"}
    await one.call("PATCH", "/api/v1/accounts/update_credentials", by=alice, data=changes)
    await settle(one, other)
    seen = await other.find(bob, f"@alice@{one.domain}")
    assert seen["display_name"] == "Alice of One"
    assert seen["locked"]
    assert "Hello from" in seen["note"]


async def test_141_characters_are_refused_on_every_way_in(pair: tuple[Instance, Instance]) -> None:
    one, _other = pair
    alice = await one.account("alice")
    for text, fields in (("x" * 141, {}), ("x" * 139, {"spoiler_text": "yy"}), ("👨‍👩‍👧‍👦" * 141, {})):
        refused = await one.post(alice, text, status=422, **fields)
        assert "140" in refused["error"]
    posted = await one.post(alice, "👨‍👩‍👧‍👦" * 140)
    refused = await one.call(
        "PUT", f"/api/v1/statuses/{posted['id']}", by=alice, json={"status": "x" * 141}, status=422
    )
    assert "140" in refused["error"]
    note = {"@context": "https://www.w3.org/ns/activitystreams", "type": "Note", "content": "<p>" + "x" * 141 + "</p>"}
    headers = {"Content-Type": "application/activity+json"}
    refused = await one.call("POST", "/users/alice/outbox", by=alice, json=note, headers=headers, status=422)
    assert "140" in refused["error"]
    note["content"] = "<p>fits</p>"
    async with one.http.post(
        one.url + "/users/alice/outbox", json=note, headers={**headers, **alice.headers}
    ) as answer:
        assert answer.status == 201
        assert answer.headers["Location"].startswith(one.url)
