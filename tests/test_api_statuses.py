"""Posting, reading, editing, deleting and reacting through the client API, over real HTTP."""

from __future__ import annotations

from typing import Any

import aiohttp
import pytest

from tests.support.entities import assert_entity
from tests.support.instance import Account, Instance


@pytest.fixture
async def alice(instance: Instance) -> Account:
    return await instance.account("alice")


@pytest.fixture
async def carol(instance: Instance) -> Account:
    return await instance.account("carol")


async def follow(instance: Instance, follower: Account, followee: Account) -> None:
    relationship = await instance.call("POST", f"/api/v1/accounts/{followee.id}/follow", by=follower)
    assert relationship["following"] or relationship["requested"]


async def test_post_has_the_shape_of_a_status(instance: Instance, alice: Account) -> None:
    text = "Hello @alice #Fediverse https://example.com/a/long/path/that/is/longer/than/thirty"
    status = await instance.post(alice, text, language="en", spoiler_text="cw")
    assert_entity("Status", status)
    assert status["account"]["acct"] == "alice"
    assert status["spoiler_text"] == "cw"
    assert status["sensitive"] is True
    assert status["language"] == "en"
    assert status["visibility"] == "public"
    assert status["tags"][0]["url"].endswith("/tags/fediverse")
    assert status["mentions"][0]["acct"] == "alice"
    assert status["uri"] == f"{instance.url}/users/alice/statuses/{status['id']}"
    assert status["url"] == f"{instance.url}/@alice/{status['id']}"
    assert status["application"] == {"name": "fediverse", "website": None}
    assert (status["favourited"], status["reblogged"], status["muted"], status["bookmarked"]) == (False,) * 4
    assert status["pinned"] is False
    again = await instance.call("GET", f"/api/v1/statuses/{status['id']}", by=alice)
    assert again == status
    anonymous = await instance.call("GET", f"/api/v1/statuses/{status['id']}")
    assert_entity("Status", anonymous)
    assert "favourited" not in anonymous


async def test_form_multipart_and_json_mean_the_same(instance: Instance, alice: Account) -> None:
    fields = {"status": "as a form", "sensitive": "true", "visibility": "unlisted"}
    form = await instance.call("POST", "/api/v1/statuses", by=alice, data=fields)
    multipart = aiohttp.FormData({**fields, "status": "as multipart"}, default_to_multipart=True)
    parts = await instance.call("POST", "/api/v1/statuses", by=alice, data=multipart)
    json = await instance.call("POST", "/api/v1/statuses", by=alice, json={**fields, "sensitive": True})
    query = await instance.call("POST", "/api/v1/statuses", by=alice, params={**fields, "status": "as a query"})
    for status in (form, parts, json, query):
        assert (status["sensitive"], status["visibility"]) == (True, "unlisted")


@pytest.mark.parametrize("visibility", ["public", "unlisted", "private"])
async def test_visibility_is_kept(instance: Instance, alice: Account, visibility: str) -> None:
    status = await instance.post(alice, "seen by some", visibility=visibility)
    assert status["visibility"] == visibility


async def test_idempotency_key_posts_once(instance: Instance, alice: Account) -> None:
    headers = {"Idempotency-Key": "one"}
    first = await instance.call("POST", "/api/v1/statuses", by=alice, json={"status": "once"}, headers=headers)
    again = await instance.call("POST", "/api/v1/statuses", by=alice, json={"status": "once"}, headers=headers)
    other = await instance.call("POST", "/api/v1/statuses", by=alice, json={"status": "once"})
    assert first["id"] == again["id"] != other["id"]
    assert len(await instance.home(alice)) == 2


@pytest.mark.parametrize(
    ("fields", "code"),
    [
        ({"status": "x" * 141}, 422),
        ({"status": "x" * 100, "spoiler_text": "y" * 41}, 422),
        ({"status": "👨‍👩‍👧‍👦" * 141}, 422),
        ({"status": "e" + "\u0301" * 1500}, 422),
        ({"status": ""}, 422),
        ({"status": " \n\u200b\t"}, 422),
        ({}, 422),
        ({"status": "x", "visibility": "secret"}, 422),
        ({"status": "x", "visibility": "direct"}, 422),
        ({"status": "x", "language": "klingon!"}, 422),
        ({"status": "x", "media_ids": ["1"]}, 422),
        ({"status": "x", "poll": {"options": ["a", "b"], "expires_in": 60}}, 422),
        ({"status": "x", "scheduled_at": "soon"}, 422),
        ({"status": "x", "quoted_status_id": "1"}, 404),
        ({"status": "x", "in_reply_to_id": "1"}, 404),
        ({"status": "x", "in_reply_to_id": "not an id"}, 404),
        ({"status": "x", "in_reply_to_id": "9" * 30}, 404),
        ({"status": ["x"]}, 400),
        ({"status": {"x": 1}}, 400),
        ({"status": "null\x00byte"}, 400),
    ],
)
@pytest.mark.attack("API-03")
async def test_what_cannot_be_posted(instance: Instance, alice: Account, fields: dict[str, Any], code: int) -> None:
    refusal = await instance.call("POST", "/api/v1/statuses", by=alice, json=fields, status=code)
    assert_entity("Error", refusal)
    assert await instance.home(alice) == []


@pytest.mark.parametrize(
    "text", ["x" * 140, "👨‍👩‍👧‍👦" * 140, "e\u0301" * 140, "https://example.com/" + "a" * 300 + " " + "x" * 116]
)
@pytest.mark.attack("API-03")
async def test_what_counts_140_can_be_posted(instance: Instance, alice: Account, text: str) -> None:
    assert (await instance.post(alice, text))["content"]


async def test_empty_lists_of_what_is_not_supported_are_fine(instance: Instance, alice: Account) -> None:
    await instance.post(alice, "plain", media_ids=[], poll=None, scheduled_at=None, in_reply_to_id=None)


async def test_reply_and_context(instance: Instance, alice: Account, carol: Account) -> None:
    parent = await instance.post(alice, "parent")
    reply = await instance.post(carol, "@alice reply", in_reply_to_id=parent["id"])
    assert reply["in_reply_to_id"] == parent["id"]
    assert reply["in_reply_to_account_id"] == str(alice.id)
    around = await instance.call("GET", f"/api/v1/statuses/{parent['id']}/context")
    assert_entity("Context", around)
    assert [status["id"] for status in around["descendants"]] == [reply["id"]]
    around = await instance.call("GET", f"/api/v1/statuses/{reply['id']}/context", by=alice)
    assert [status["id"] for status in around["ancestors"]] == [parent["id"]]
    parent = await instance.call("GET", f"/api/v1/statuses/{parent['id']}")
    assert parent["replies_count"] == 1


@pytest.mark.attack("API-01")
async def test_several_at_once(instance: Instance, alice: Account, carol: Account) -> None:
    posts = [await instance.post(alice, str(n)) for n in range(3)]
    secret = await instance.post(alice, "secret", visibility="private")
    ids = [posts[2]["id"], secret["id"], posts[0]["id"], posts[2]["id"], "1", "x"]
    found = await instance.call("GET", "/api/v1/statuses", by=carol, params=[("id[]", id_) for id_ in ids])
    assert [status["id"] for status in found] == [posts[2]["id"], posts[0]["id"]]
    assert found[0]["favourited"] is False
    mine = await instance.call("GET", "/api/v1/statuses", by=alice, params={"id[]": secret["id"]})
    assert mine == [secret]
    assert await instance.call("GET", "/api/v1/statuses") == []
    await instance.call("GET", "/api/v1/statuses", params=[("id[]", "1")] * 21, status=400)


async def test_edit_keeps_history(instance: Instance, alice: Account, carol: Account) -> None:
    status = await instance.post(alice, "first #one", spoiler_text="cw")
    path = f"/api/v1/statuses/{status['id']}"
    assert (await instance.call("GET", f"{path}/history"))[0]["content"] == status["content"]
    edited = await instance.call("PUT", path, by=alice, json={"status": "second #two", "language": "de"})
    assert_entity("Status", edited)
    assert "second" in edited["content"]
    assert (edited["spoiler_text"], edited["language"]) == ("", "de")
    assert edited["edited_at"] is not None
    assert [tag["name"] for tag in edited["tags"]] == ["two"]
    versions = await instance.call("GET", f"{path}/history", by=carol)
    for version in versions:
        assert_entity("StatusEdit", version)
    assert ["first" in version["content"] for version in versions] == [True, False]
    source = await instance.call("GET", f"{path}/source", by=alice)
    assert_entity("StatusSource", source)
    assert source["text"] == "second #two"
    await instance.call("PUT", path, by=alice, json={"status": "x" * 141}, status=422)
    await instance.call("PUT", path, by=carol, json={"status": "mine now"}, status=404)
    await instance.call("GET", f"{path}/source", by=carol, status=404)


async def test_delete_answers_with_the_source(instance: Instance, alice: Account, carol: Account) -> None:
    status = await instance.post(alice, "to be written anew")
    path = f"/api/v1/statuses/{status['id']}"
    await instance.call("DELETE", path, by=carol, status=404)
    gone = await instance.call("DELETE", path, by=alice)
    assert gone["text"] == "to be written anew"
    assert_entity("Status", gone)
    await instance.call("GET", path, by=alice, status=404)
    await instance.call("DELETE", path, by=alice, status=404)
    assert await instance.home(alice) == []


@pytest.mark.parametrize(
    ("deed", "undo", "flag", "count"),
    [
        ("favourite", "unfavourite", "favourited", "favourites_count"),
        ("bookmark", "unbookmark", "bookmarked", None),
        ("mute", "unmute", "muted", None),
    ],
)
async def test_reactions_and_their_reverse(
    instance: Instance, alice: Account, carol: Account, deed: str, undo: str, flag: str, count: str | None
) -> None:
    status = await instance.post(alice, "react to me")
    path = f"/api/v1/statuses/{status['id']}"
    for _ in range(2):
        done = await instance.call("POST", f"{path}/{deed}", by=carol)
        assert done[flag] is True
        assert count is None or done[count] == 1
    assert (await instance.call("GET", path, by=carol))[flag] is True
    assert (await instance.call("GET", path, by=alice))[flag] is False
    for _ in range(2):
        undone = await instance.call("POST", f"{path}/{undo}", by=carol)
        assert undone[flag] is False
        assert count is None or undone[count] == 0


async def test_boost_and_its_reverse(instance: Instance, alice: Account, carol: Account) -> None:
    status = await instance.post(alice, "carry me")
    path = f"/api/v1/statuses/{status['id']}"
    boost = await instance.call("POST", f"{path}/reblog", by=carol)
    assert_entity("Status", boost)
    assert boost["id"] != status["id"]
    assert boost["account"]["acct"] == "carol"
    assert boost["reblog"]["id"] == status["id"]
    assert boost["reblog"]["reblogged"] is True
    assert boost["reblog"]["reblogs_count"] == 1
    assert boost["content"] == status["content"]
    again = await instance.call("POST", f"{path}/reblog", by=carol)
    assert again["id"] == boost["id"]
    liked = await instance.call("POST", f"/api/v1/statuses/{boost['id']}/favourite", by=alice)
    assert liked["id"] == status["id"]  # liking a boost likes the post
    who = await instance.call("GET", f"{path}/reblogged_by")
    assert [account["acct"] for account in who] == ["carol"]
    undone = await instance.call("POST", f"{path}/unreblog", by=carol)
    assert (undone["id"], undone["reblogged"], undone["reblogs_count"]) == (status["id"], False, 0)
    await instance.call("GET", f"/api/v1/statuses/{boost['id']}", status=404)


async def test_deleting_ones_boost_takes_it_back(instance: Instance, alice: Account, carol: Account) -> None:
    status = await instance.post(alice, "carry me")
    boost = await instance.call("POST", f"/api/v1/statuses/{status['id']}/reblog", by=carol)
    await instance.call("DELETE", f"/api/v1/statuses/{boost['id']}", by=alice, status=404)
    await instance.call("DELETE", f"/api/v1/statuses/{boost['id']}", by=carol)
    assert (await instance.call("GET", f"/api/v1/statuses/{status['id']}"))["reblogs_count"] == 0


async def test_private_posts_cannot_be_boosted(instance: Instance, alice: Account, carol: Account) -> None:
    await follow(instance, carol, alice)
    status = await instance.post(alice, "for followers", visibility="private")
    await instance.call("POST", f"/api/v1/statuses/{status['id']}/reblog", by=carol, status=422)


async def test_pins(instance: Instance, alice: Account, carol: Account) -> None:
    status = await instance.post(alice, "pin me")
    await instance.post(alice, "not me")
    path = f"/api/v1/statuses/{status['id']}"
    await instance.call("POST", f"{path}/pin", by=carol, status=422)
    assert (await instance.call("POST", f"{path}/pin", by=alice))["pinned"] is True
    pinned = await instance.call("GET", f"/api/v1/accounts/{alice.id}/statuses?pinned=true", by=carol)
    assert [one["id"] for one in pinned] == [status["id"]]
    assert (await instance.call("POST", f"{path}/unpin", by=alice))["pinned"] is False


async def test_favourites_and_bookmarks_page_by_when_they_were_made(
    instance: Instance, alice: Account, carol: Account
) -> None:
    made = [(await instance.post(alice, f"number {i}"))["id"] for i in range(3)]
    for kind, path in (("favourite", "favourites"), ("bookmark", "bookmarks")):
        for status_id in reversed(made):
            await instance.call("POST", f"/api/v1/statuses/{status_id}/{kind}", by=carol)
        seen: list[str] = []
        url: str | None = f"{instance.url}/api/v1/{path}?limit=2"
        while url:
            async with instance.http.get(url, headers=carol.headers) as response:
                seen += [status["id"] for status in await response.json()]
                following = response.links.get("next")
                url = str(following["url"]) if following else None
        assert seen == made
        assert await instance.call("GET", f"/api/v1/{path}", by=alice) == []
    who = await instance.call("GET", f"/api/v1/statuses/{made[0]}/favourited_by")
    assert [account["acct"] for account in who] == ["carol"]


@pytest.mark.parametrize("visibility", ["private", "direct"])
@pytest.mark.attack("PRV-02", "PRV-04")
async def test_what_may_not_be_seen_does_not_exist(
    instance: Instance, alice: Account, carol: Account, visibility: str
) -> None:
    dave = await instance.account("dave")
    await follow(instance, dave, alice)
    public = await instance.post(alice, "public parent")
    text = "@dave the secret marker"
    secret = await instance.post(alice, text, visibility=visibility, in_reply_to_id=public["id"])
    path = f"/api/v1/statuses/{secret['id']}"
    nothing = await instance.call("GET", "/api/v1/statuses/1", by=carol, status=404)
    for by in (carol, None):
        for suffix in ("", "/context", "/history", "/favourited_by", "/reblogged_by"):
            assert await instance.call("GET", path + suffix, by=by, status=404) == nothing
        for place in (
            f"/api/v1/statuses/{public['id']}/context",
            f"/api/v1/accounts/{alice.id}/statuses",
            "/api/v1/timelines/public",
        ):
            assert "secret marker" not in str(await instance.call("GET", place, by=by))
    for suffix in ("/favourite", "/reblog", "/bookmark", "/mute", "/pin", "/unfavourite", "/unpin"):
        await instance.call("POST", path + suffix, by=carol, status=404)
    await instance.call(
        "POST", "/api/v1/statuses", by=carol, json={"status": "x", "in_reply_to_id": secret["id"]}, status=404
    )
    assert "secret marker" not in str(await instance.notifications(carol))
    assert "secret marker" in str(await instance.call("GET", path, by=dave))
    assert "secret marker" in str(await instance.notifications(dave))


@pytest.mark.attack("API-01")
async def test_every_id_of_somebody_elses_is_safe(instance: Instance, alice: Account, carol: Account) -> None:
    status = await instance.post(alice, "mine")
    await instance.call("POST", f"/api/v1/statuses/{status['id']}/favourite", by=carol)
    told = (await instance.notifications(alice))[0]
    for method, path in (
        ("PUT", f"/api/v1/statuses/{status['id']}"),
        ("DELETE", f"/api/v1/statuses/{status['id']}"),
        ("GET", f"/api/v1/statuses/{status['id']}/source"),
        ("GET", f"/api/v1/notifications/{told['id']}"),
        ("POST", f"/api/v1/notifications/{told['id']}/dismiss"),
        ("POST", f"/api/v1/follow_requests/{alice.id}/authorize"),
        ("POST", f"/api/v1/follow_requests/{alice.id}/reject"),
    ):
        body = {"json": {"status": "x"}} if method == "PUT" else {}
        await instance.call(method, path, by=carol, status=404, **body)
    assert (await instance.notifications(alice))[0]["id"] == told["id"]
    assert (await instance.call("GET", f"/api/v1/statuses/{status['id']}", by=alice))["content"] == status["content"]


@pytest.mark.parametrize("word", ["0", "abc", "-1", "1.5", "9" * 19, "9" * 40, "%00", "１２", "1'--"])
async def test_ids_that_are_none_are_not_found(instance: Instance, alice: Account, word: str) -> None:
    for path in (
        "/api/v1/statuses/{}",
        "/api/v1/accounts/{}",
        "/api/v1/notifications/{}",
        "/api/v1/statuses/{}/context",
    ):
        refusal = await instance.call("GET", path.format(word), by=alice, status=404)
        assert_entity("Error", refusal)
