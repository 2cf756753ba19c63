"""The profile's own endpoints, and links that are verified by a link back."""

from __future__ import annotations

from typing import Any

import aiohttp
import pytest
from aiohttp import web

from fediverse.actors.verification import own_links
from tests.conftest import MakeInstance
from tests.peers.scripted import Server
from tests.support.entities import assert_entity
from tests.support.instance import Account, Instance
from tests.test_media import picture

PROFILE = "/api/v1/profile"
CREDENTIALS = "/api/v1/accounts/update_credentials"


async def test_the_profile_is_read_and_changed(instance: Instance) -> None:
    alice = await instance.account("alice")
    reader = await instance.account("reader", scopes="profile")
    await instance.call("GET", PROFILE, by=reader)
    empty = await instance.call("GET", PROFILE, by=alice)
    assert_entity("Profile", empty)
    assert (empty["avatar"], empty["fields"], empty["show_media"]) == (None, [], True)

    sent = {
        "display_name": "Alice",
        "note": "I bake @nobody",
        "fields_attributes": {"0": {"name": "Site", "value": "bread.example"}, "1": {"name": "", "value": ""}},
        "avatar_description": " A loaf ",
        "attribution_domains": ["https://Bread.example/", "*.flour.example", "bread.example", ""],
        "bot": True,
        "hide_collections": True,
        "show_media": False,
        "show_featured": "0",
    }
    changed = await instance.call("PATCH", PROFILE, by=alice, json=sent)
    assert_entity("Profile", changed)
    assert changed["note"] == "I bake @nobody"
    assert changed["fields"] == [{"name": "Site", "value": "bread.example", "verified_at": None}]
    assert changed["attribution_domains"] == ["bread.example", "flour.example"]
    flags = ("bot", "hide_collections", "show_media", "show_media_replies", "show_featured", "locked")
    assert [changed[name] for name in flags] == [True, True, False, True, False, False]
    account = await instance.call("GET", f"/api/v1/accounts/{alice.id}")
    assert (account["avatar_description"], account["show_media"]) == ("A loaf", False)
    document = await instance.call("GET", "/users/alice", headers={"Accept": "application/activity+json"})
    assert document["attributionDomains"] == ["bread.example", "flour.example"]

    for wrong in (
        {"avatar_description": "x" * 1501},
        {"attribution_domains": ["not a domain"]},
        {"attribution_domains": [f"a{number}.example" for number in range(11)]},
        {"fields_attributes": [{"name": "x", "value": str(number)} for number in range(5)]},
        {"display_name": "x" * 51},
    ):
        assert_entity("Error", await instance.call("PATCH", PROFILE, by=alice, json=wrong, status=422))
    for shape in ({"fields_attributes": "x"}, {"attribution_domains": {"a": 1}}, {"note": ["x"]}):
        await instance.call("PATCH", PROFILE, by=alice, json=shape, status=400)
    assert await instance.call("PUT", PROFILE, by=alice, json={}) == changed


async def test_pictures_are_described_and_removed(instance: Instance) -> None:
    alice = await instance.account("alice")
    form = aiohttp.FormData({"avatar_description": "A loaf"})
    for kind in ("avatar", "header"):
        form.add_field(kind, picture(), filename="p.png", content_type="image/png")
    mine = await instance.call("PATCH", CREDENTIALS, by=alice, data=form)
    assert_entity("CredentialAccount", mine)
    shown = await instance.call("GET", PROFILE, by=alice)
    assert (shown["avatar"], shown["header"], shown["avatar_description"]) == (mine["avatar"], mine["header"], "A loaf")
    document = await instance.call("GET", "/users/alice", headers={"Accept": "application/activity+json"})
    assert document["icon"]["name"] == "A loaf"
    for kind in ("avatar", "header"):
        left = await instance.call("DELETE", f"{PROFILE}/{kind}", by=alice)
        assert_entity("CredentialAccount", left)
        assert left[kind].endswith(f"/static/{kind}.png")
        await instance.tick()
        async with instance.http.get(mine[kind]) as response:
            assert response.status == 404
        await instance.call("DELETE", f"{PROFILE}/{kind}", by=alice)
    assert left["avatar_description"] == ""


async def fields(instance: Instance, who: Account, *values: str) -> list[bool]:
    """Which of the profile's fields are verified, once it has these values."""
    lines = [{"name": "Site", "value": value} for value in values]
    await instance.call("PATCH", PROFILE, by=who, json={"fields_attributes": lines})
    await instance.tick()
    return await verified(instance, who)


async def verified(instance: Instance, who: Account) -> list[bool]:
    account = await instance.call("GET", f"/api/v1/accounts/{who.id}")
    mine = await instance.call("GET", "/api/v1/accounts/verify_credentials", by=who)
    found = [field["verified_at"] is not None for field in account["fields"]]
    assert found == [field["verified_at"] is not None for field in mine["source"]["fields"]]
    return found


def page(html: str, content_type: str = "text/html") -> Any:
    return lambda _request: web.Response(body=html.encode(), headers={"Content-Type": content_type})


async def test_links_that_lead_back_are_verified(instance: Instance, peer: Server, other_peer: Server) -> None:
    alice = await instance.account("alice")
    profile = f"{instance.url}/@alice"
    peer.scripts["/a"] = page(f'<p>Hi <a href="{profile.upper()}/" rel="noopener ME">me</a>')
    peer.scripts["/b"] = page(f'<head><link rel="me" href="{instance.url}/users/alice">')
    peer.scripts["/c"] = page(f'<a href="{profile}">me</a><a rel="me" href="{profile}x">me</a>')
    peer.scripts["/d"] = page(f'<a rel="me" href="{profile}">', "text/plain")
    assert await fields(instance, alice, *(f"{peer.url}/{path}" for path in "abcd")) == [True, True, False, False]

    # What is verified stays so when it moves, and when its page is away; not when the page says otherwise.
    assert await fields(instance, alice, f"{peer.url}/b", f"see {peer.url}/a") == [True, False]
    peer.scripts["/b"] = lambda _request: web.Response(status=503)
    assert await fields(instance, alice, f"{peer.url}/b", "x") == [True, False]
    peer.scripts["/b"] = page("<p>nothing")
    assert await fields(instance, alice, f"{peer.url}/b", "y") == [False, False]

    # A page is cut off, not waited for; what redirects to another host says nothing of the first.
    peer.scripts["/long"] = page(f'<a rel=me href="{profile}"></a>' + "x" * 2_000_000)
    peer.scripts["/late"] = page("x" * 2_000_000 + f'<a rel=me href="{profile}"></a>')
    other_peer.scripts["/mine"] = page(f'<a rel=me href="{profile}"></a>')
    peer.scripts["/there"] = lambda _request: web.Response(status=302, headers={"Location": f"{other_peer.url}/mine"})
    peer.scripts["/here"] = lambda _request: web.Response(status=302, headers={"Location": f"{peer.url}/long"})
    found = await fields(instance, alice, *(f"{peer.url}/{path}" for path in ("long", "late", "there", "here")))
    assert found == [True, False, False, True]
    assert other_peer.gets["/mine"] == 1


@pytest.mark.attack("SSRF-08")
async def test_links_inside_are_not_fetched(make_instance: MakeInstance, peer: Server) -> None:
    instance = await make_instance(allowed_private_addresses="127.0.0.1:1")
    alice = await instance.account("alice")
    peer.scripts["/a"] = page(f'<a rel="me" href="{instance.url}/@alice">')
    inside = (f"{peer.url}/a", peer.url.replace("http:", "https:"), f"http://localhost:{peer.host.split(':')[1]}/a")
    assert await fields(instance, alice, *inside) == [False, False, False]
    assert sum(peer.gets.values()) == 0


@pytest.mark.parametrize(
    ("html", "links"),
    [
        (b'<a rel="me" href=" https://A.example/@a/ ">', {"https://a.example/@a"}),
        (b'<LINK REL="nofollow Me" HREF="https://a.example/@a#x">', {"https://a.example/@a"}),
        (b'<a rel="me" href="https://a.example/?u=1">', set()),
        (b'<a rel="mehr" href="https://a.example/">', set()),
        (b'<!-- <a rel="me" href="https://a.example/"> -->', set()),
        (b'<script>"<a rel=me href=https://a.example/>"</script>', set()),
        (b'<a rel="me" href="http://[x">\xff\xfe\x00<a rel>', set()),
        (b"", set()),
    ],
)
def test_links_of_a_page(html: bytes, links: set[str]) -> None:
    assert own_links(html) == links
