"""Clients post to their actor's outbox, by the rules of the client API (ActivityPub §6)."""

from __future__ import annotations

from typing import Any

import pytest

from tests.peers.scripted import PUBLIC, Actor, Server
from tests.support.instance import Account, Instance
from tests.test_discovery_endpoints import AP, get


@pytest.fixture
async def alice(instance: Instance) -> Account:
    return await instance.account("alice")


@pytest.fixture
def bob(peer: Server) -> Actor:
    return peer.actor("bob")


async def post(
    instance: Instance, by: Account | None, document: Any, *, to: str = "alice", content_type: str = AP, **extra: Any
) -> tuple[int, str, Any]:
    """(status, Location, error) of what was posted to the outbox."""
    headers = {"Content-Type": content_type, **(by.headers if by else {}), **extra.pop("headers", {})}
    sent = {"data": document} if isinstance(document, bytes) else {"json": document}
    async with instance.http.post(f"{instance.url}/users/{to}/outbox", headers=headers, **sent) as response:
        body = await response.json() if response.status >= 400 else {}
        return response.status, response.headers.get("Location", ""), body.get("error")


async def done(instance: Instance, by: Account, document: Any) -> str:
    """The Location of what was posted, which was accepted."""
    status, location, error = await post(instance, by, document, to=by.username)
    assert status == 201, error
    assert location.startswith(instance.url)
    return location


async def note_at(instance: Instance, location: str) -> Any:
    activity = (await get(instance, location.removeprefix(instance.url))).json
    return activity["object"]


def note(content: str = "<p>Hello</p>", **changes: Any) -> dict[str, Any]:
    return {"type": "Note", "content": content, "to": [PUBLIC], **changes}


async def test_a_bare_note(instance: Instance, alice: Account) -> None:
    location = await done(instance, alice, note("<p>Hello <strong>world</strong></p><p>And more</p>"))
    activity = (await get(instance, location.removeprefix(instance.url))).json
    assert (activity["id"], activity["type"], activity["actor"]) == (location, "Create", alice.uri)
    assert activity["object"]["content"] == "<p>Hello world</p><p>And more</p>"
    assert activity["object"]["attributedTo"] == alice.uri
    assert activity["to"] == [PUBLIC]


async def test_a_create_whose_ids_and_times_are_not_believed(instance: Instance, alice: Account) -> None:
    wanted = note(id=f"{instance.url}/users/alice/statuses/1", published="2001-01-01T00:00:00Z", attributedTo=alice.uri)
    create = {"type": "Create", "id": "https://evil.example/1", "actor": alice.uri, "object": wanted, "cc": [PUBLIC]}
    made = await note_at(instance, await done(instance, alice, create))
    assert made["id"] != wanted["id"]
    assert not made["published"].startswith("2001")


async def test_who_is_addressed_by_either_gets_it(instance: Instance, alice: Account, bob: Actor) -> None:
    await done(instance, alice, {"type": "Create", "bto": [bob.uri], "object": note("psst", to=[])})
    await instance.tick()
    [delivered] = bob.server.received
    assert delivered.path == "/users/bob/inbox"
    assert delivered.body["object"]["to"] == [bob.uri]
    assert delivered.body["object"]["tag"][0]["href"] == bob.uri
    assert "bto" not in str(delivered.body)


@pytest.mark.parametrize(
    ("to", "cc", "visibility"),
    [
        ([PUBLIC], [], "public"),
        (["{followers}"], ["as:Public"], "unlisted"),
        (["{followers}"], [], "private"),
        ([], [], "public"),
    ],
)
async def test_the_audience_is_the_visibility(
    instance: Instance, alice: Account, to: list[str], cc: list[str], visibility: str
) -> None:
    filled = [entry.format(followers=f"{alice.uri}/followers") for entry in to]
    await done(instance, alice, note(to=filled, cc=cc))
    [status] = await instance.call("GET", f"/api/v1/accounts/{alice.id}/statuses", by=alice)
    assert status["visibility"] == visibility


async def test_html_becomes_what_a_person_would_have_typed(instance: Instance, alice: Account, bob: Actor) -> None:
    content = (
        f'<p>Hi <a class="mention" href="{bob.uri}">@<span>bob</span></a>, see '
        '<a href="https://example.com/long/address?x=1">example.com/long…</a> '
        '<a rel="tag" href="https://x.example/tags/Tea">#Tea</a><br>bye<script>alert(1)</script></p>'
    )
    tag = [{"type": "Mention", "href": bob.uri, "name": bob.handle}]
    await done(instance, alice, note(content, tag=tag, cc=[bob.uri]))
    [status] = await instance.call("GET", f"/api/v1/accounts/{alice.id}/statuses", by=alice)
    source = await instance.call("GET", f"/api/v1/statuses/{status['id']}/source", by=alice)
    assert source["text"] == f"Hi {bob.handle}, see https://example.com/long/address?x=1 #Tea\nbye"
    assert [mention["acct"] for mention in status["mentions"]] == [bob.handle[1:]]
    assert [tag["name"] for tag in status["tags"]] == ["Tea"]
    await instance.tick()
    assert bob.server.types() == ["Create"]


@pytest.mark.attack("API-03")
async def test_the_limit_holds(instance: Instance, alice: Account) -> None:
    assert (await post(instance, alice, note("x" * 140)))[0] == 201
    status, _, error = await post(instance, alice, note("x" * 141))
    assert status == 422
    assert "141" in error
    assert "140" in error
    assert (await post(instance, alice, note("x" * 100, summary="y" * 41)))[0] == 422
    assert (await post(instance, alice, note("")))[0] == 422


async def test_a_reply(instance: Instance, alice: Account, bob: Actor) -> None:
    asked = bob.server.serve(bob.note("What?"))
    made = await note_at(instance, await done(instance, alice, note("That.", inReplyTo=asked["id"])))
    assert made["inReplyTo"] == asked["id"]
    status, _, _ = await post(instance, alice, note(inReplyTo=f"{bob.server.url}/nothing"))
    assert status == 404


async def test_update_and_delete(instance: Instance, alice: Account) -> None:
    uri = (await note_at(instance, await done(instance, alice, note("Frist"))))["id"]
    assert await done(instance, alice, {"type": "Update", "object": note("First", id=uri)}) == uri
    assert (await get(instance, uri.removeprefix(instance.url))).json["content"] == "<p>First</p>"
    assert (await post(instance, alice, {"type": "Update", "object": note("x" * 141, id=uri)}))[0] == 422
    await done(instance, alice, {"type": "Delete", "object": {"type": "Tombstone", "id": uri}})
    assert (await get(instance, uri.removeprefix(instance.url))).status == 410


@pytest.mark.attack("API-01")
async def test_nobody_elses_post_is_changed(instance: Instance, alice: Account) -> None:
    carol = await instance.account("carol")
    uri = (await note_at(instance, await done(instance, alice, note("Mine"))))["id"]
    for activity in ({"type": "Update", "object": note("Hers", id=uri)}, {"type": "Delete", "object": uri}):
        assert (await post(instance, carol, activity, to="carol"))[0] == 404
    assert (await get(instance, uri.removeprefix(instance.url))).json["content"] == "<p>Mine</p>"


@pytest.mark.parametrize("by_id", [True, False])
async def test_like_and_boost_and_their_undo(instance: Instance, alice: Account, bob: Actor, by_id: bool) -> None:
    theirs = bob.server.serve(bob.note("Like me"))
    for kind in ("Like", "Announce"):
        bob.server.received.clear()
        location = await done(instance, alice, {"type": kind, "object": theirs["id"], "to": [PUBLIC]})
        await instance.tick()
        assert [(one.body["type"], one.body["id"]) for one in bob.server.received] == [(kind, location)]
        undone = location if by_id else {"type": kind, "actor": alice.uri, "object": theirs["id"]}
        await done(instance, alice, {"type": "Undo", "object": undone})
        await instance.tick()
        undo = bob.server.received[-1].body
        assert (undo["type"], undo["object"]["type"], undo["object"]["id"]) == ("Undo", kind, location)
        assert (await post(instance, alice, {"type": "Undo", "object": undone}))[0] == 404


@pytest.mark.parametrize("by_id", [True, False])
async def test_follow_and_block_and_their_undo(instance: Instance, alice: Account, bob: Actor, by_id: bool) -> None:
    for kind in ("Follow", "Block"):
        bob.server.received.clear()
        location = await done(instance, alice, {"type": kind, "object": bob.uri})
        await instance.tick()
        assert [(one.body["type"], one.body["id"]) for one in bob.server.received] == [(kind, location)]
        undone = location if by_id else {"type": kind, "object": {"id": bob.uri, "type": "Person"}}
        await done(instance, alice, {"type": "Undo", "object": undone})
        await instance.tick()
        assert bob.server.received[-1].body["object"]["id"] == location
        assert (await post(instance, alice, {"type": "Undo", "object": undone}))[0] == 404


@pytest.mark.attack("NET-05", "OAU-04")
async def test_who_may_post(instance: Instance, alice: Account) -> None:
    carol = await instance.account("carol")
    reader = await instance.account("reader", scopes="read")
    liker = await instance.account("liker", scopes="read write:favourites")
    assert (await post(instance, None, note()))[0] == 401
    assert (await post(instance, None, note(), headers={"Authorization": "Bearer nonsense"}))[0] == 401
    assert (await post(instance, None, note(), headers={"Authorization": "Basic YTpi"}))[0] == 401
    assert (await post(instance, carol, note()))[0] == 403
    assert (await post(instance, reader, note(), to="reader"))[0] == 403
    assert (await post(instance, liker, note(), to="liker"))[0] == 403
    assert (await post(instance, alice, note(), to="nobody"))[0] == 404
    assert (await get(instance, "/users/alice/outbox")).json["totalItems"] == 0


@pytest.mark.parametrize(
    "document",
    [
        {"type": "Note", "content": "x", "attributedTo": "https://elsewhere.example/users/eve"},
        {"type": "Create", "actor": "https://elsewhere.example/users/eve", "object": {"type": "Note", "content": "x"}},
        {"type": "Create", "object": {"type": "Note", "content": "x", "attributedTo": "https://elsewhere.example/eve"}},
        {
            "type": "Undo",
            "object": {"type": "Like", "actor": "https://elsewhere.example/eve", "object": "https://x.y/"},
        },
    ],
)
async def test_nobody_speaks_for_somebody_else(instance: Instance, alice: Account, document: Any) -> None:
    assert (await post(instance, alice, document))[0] == 403


@pytest.mark.parametrize(
    ("document", "status"),
    [
        (b"", 400),
        (b"[]", 400),
        (b'"text"', 400),
        (b"{nonsense", 400),
        (b'{"type": "Note", "type": "Create"}', 400),
        (b"{}", 422),
        ({"type": "Travel"}, 422),
        ({"type": "Article", "content": "x"}, 422),
        ({"type": "Create"}, 400),
        ({"type": "Create", "object": "https://x.example/1"}, 400),
        ({"type": "Create", "object": {"type": "Article", "content": "x"}}, 422),
        ({"type": "Note", "content": "x", "attachment": [{"type": "Image", "url": "https://x.example/1.png"}]}, 422),
        ({"type": "Note", "content": 7}, 422),
        ({"type": "Note", "content": "x", "to": [f"https://x.example/{n}" for n in range(21)]}, 422),
        ({"type": "Update", "object": "https://x.example/1"}, 400),
        ({"type": "Update", "object": {"type": "Person", "name": "x"}}, 422),
        ({"type": "Update", "object": {"type": "Note", "content": "x"}}, 400),
        ({"type": "Delete"}, 400),
        ({"type": "Delete", "object": "{alice}"}, 404),
        ({"type": "Like"}, 400),
        ({"type": "Like", "object": "https://127.0.0.1:1/nothing"}, 404),
        ({"type": "Announce", "object": {"type": "Note"}}, 400),
        ({"type": "Follow", "object": 7}, 400),
        ({"type": "Follow", "object": "https://127.0.0.1:1/nobody"}, 404),
        ({"type": "Undo"}, 400),
        ({"type": "Undo", "object": "{alice}#likes/x"}, 404),
        ({"type": "Undo", "object": "{alice}/follows/99999999999999999999"}, 404),
        ({"type": "Undo", "object": {"type": "Delete", "object": "https://x.example/1"}}, 422),
        ({"type": "Undo", "object": "https://x.example/1"}, 422),
    ],
)
async def test_what_is_malformed_changes_nothing(
    instance: Instance, alice: Account, document: Any, status: int
) -> None:
    if isinstance(document, dict) and isinstance(document.get("object"), str):
        document = document | {"object": document["object"].replace("{alice}", alice.uri)}
    found, location, error = await post(instance, alice, document)
    assert (found, location) == (status, "")
    assert error.endswith(".")
    assert (await get(instance, "/users/alice/outbox")).json["totalItems"] == 0


@pytest.mark.parametrize(
    ("content_type", "status"),
    [
        (AP, 201),
        (f"{AP}; charset=utf-8", 201),
        ('application/ld+json; charset=utf-8; profile="https://www.w3.org/ns/activitystreams"', 201),
        ("application/json", 201),
        ("text/plain", 415),
        ("multipart/form-data", 415),
        ("", 415),
    ],
)
@pytest.mark.attack("NET-05")
async def test_content_types(instance: Instance, alice: Account, content_type: str, status: int) -> None:
    assert (await post(instance, alice, note(), content_type=content_type))[0] == status


async def test_a_body_that_is_too_large(instance: Instance, alice: Account) -> None:
    assert (await post(instance, alice, note("x" * 300_000)))[0] == 413


async def test_the_same_key_posts_once(instance: Instance, alice: Account) -> None:
    first = await post(instance, alice, note(), headers={"Idempotency-Key": "k"})
    second = await post(instance, alice, note(), headers={"Idempotency-Key": "k"})
    assert first == second
    assert (await get(instance, "/users/alice/outbox")).json["totalItems"] == 1
