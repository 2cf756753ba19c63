"""Accounts, relations, timelines, notifications and search through the client API, over real HTTP."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

import pytest
from aiohttp import web
from sqlalchemy import select, update

from fediverse import clock, ids
from fediverse.tables.actors import actors, follows, mutes
from fediverse.tables.instance import instance as properties
from tests.support.entities import assert_entity
from tests.support.instance import Account, Instance

MakeInstance = Callable[..., Awaitable[Instance]]


@pytest.fixture
async def alice(instance: Instance) -> Account:
    return await instance.account("alice")


@pytest.fixture
async def carol(instance: Instance) -> Account:
    return await instance.account("carol")


async def relate(instance: Instance, by: Account, to: Account, deed: str, **fields: Any) -> Any:
    answer = await instance.call("POST", f"/api/v1/accounts/{to.id}/{deed}", by=by, json=fields)
    assert_entity("Relationship", answer)
    assert answer["id"] == str(to.id)
    return answer


async def all_pages(instance: Instance, path: str, by: Account | None = None, link: str = "next") -> list[list[Any]]:
    pages: list[list[Any]] = []
    url: str | None = instance.url + path
    while url:
        async with instance.http.get(url, headers=by.headers if by else {}) as response:
            assert response.status == 200
            pages.append(await response.json())
            following = response.links.get(link)
            url = str(following["url"]) if following else None
            assert url is None or url.startswith(instance.url)
    return pages


async def test_account_and_lookup(instance: Instance, alice: Account) -> None:
    account = await instance.call("GET", f"/api/v1/accounts/{alice.id}")
    assert_entity("Account", account)
    assert account["acct"] == account["username"] == "alice"
    assert account["url"] == f"{instance.url}/@alice"
    assert account["uri"] == f"{instance.url}/users/alice"
    assert account["avatar"] == f"{instance.url}/static/avatar.png"
    for handle in ("alice", "@alice", "ALICE", f"alice@{instance.domain}", f"@Alice@{instance.domain}"):
        found = await instance.call("GET", "/api/v1/accounts/lookup", params={"acct": handle})
        assert found["id"] == str(alice.id)
    for handle in ("nobody", "alice@elsewhere.example", "", "@", "a b", "alice@@x", "alice@" + "x" * 400):
        await instance.call("GET", "/api/v1/accounts/lookup", params={"acct": handle}, status=404)
    await instance.call("GET", "/api/v1/accounts/1", status=404)  # the instance actor is nobody's account


async def test_remote_account_has_a_full_handle_and_proxied_pictures(instance: Instance, alice: Account) -> None:
    row = {
        "id": ids.new_id(),
        "username": "bob",
        "username_folded": "bob",
        "host": "far.example",
        "uri": "https://far.example/u/bob",
        "url": "https://far.example/@bob",
        "kind": "Service",
        "avatar": "https://far.example/bob.png",
        "fields": [{"name": "n", "value": "v", "verified_at": clock.now()}],
        "fields_source": [],
        "also_known_as": [],
        "created_at": clock.now(),
    }
    await instance.database.write(lambda tx: tx.execute(actors.insert().values(**row)).rowcount)
    account = await instance.call("GET", f"/api/v1/accounts/{row['id']}")
    assert_entity("Account", account)
    assert (account["acct"], account["bot"], account["url"]) == ("bob@far.example", True, row["url"])
    assert account["avatar"].startswith(f"{instance.url}/proxy/")
    assert account["header"] == f"{instance.url}/static/header.png"
    await instance.database.write(
        lambda tx: (
            tx.execute(
                update(actors).where(actors.c.id == row["id"]).values(suspended_at=clock.now(), version=1)
            ).rowcount
        )
    )
    account = await instance.call("GET", f"/api/v1/accounts/{row['id']}")
    assert (account["suspended"], account["fields"]) == (True, [])
    assert account["avatar"].endswith("/static/avatar.png")


async def test_following_and_its_reverse(instance: Instance, alice: Account, carol: Account) -> None:
    answer = await relate(instance, carol, alice, "follow", reblogs=False, notify=True)
    assert (answer["following"], answer["showing_reblogs"], answer["notifying"]) == (True, False, True)
    answer = await relate(instance, carol, alice, "follow", reblogs="true", notify="0")
    assert (answer["following"], answer["showing_reblogs"], answer["notifying"]) == (True, True, False)
    query = f"/api/v1/accounts/relationships?id[]={carol.id}&id[]={alice.id}&id[]=999&id[]=abc"
    found = await instance.call("GET", query, by=alice)
    assert [one["id"] for one in found] == [str(carol.id), str(alice.id)]
    assert found[0]["followed_by"] is True
    account = await instance.call("GET", f"/api/v1/accounts/{alice.id}")
    assert account["followers_count"] == 1
    listed = await instance.call("GET", f"/api/v1/accounts/{alice.id}/followers")
    assert [one["acct"] for one in listed] == ["carol"]
    listed = await instance.call("GET", f"/api/v1/accounts/{carol.id}/following")
    assert [one["acct"] for one in listed] == ["alice"]
    assert (await relate(instance, carol, alice, "unfollow"))["following"] is False
    await relate(instance, carol, alice, "follow")
    assert (await relate(instance, alice, carol, "remove_from_followers"))["followed_by"] is False
    await instance.call("POST", f"/api/v1/accounts/{carol.id}/follow", by=carol, status=403)
    await instance.call("POST", "/api/v1/accounts/999/follow", by=carol, status=404)


async def test_hidden_relations_are_shown_to_oneself_only(instance: Instance, carol: Account) -> None:
    shy = await instance.account("shy", hide_relations=True)
    await relate(instance, carol, shy, "follow")
    path = f"/api/v1/accounts/{shy.id}/followers"
    assert await instance.call("GET", path) == []
    assert await instance.call("GET", path, by=carol) == []
    assert len(await instance.call("GET", path, by=shy)) == 1


async def test_locked_account_decides_who_follows(instance: Instance, carol: Account) -> None:
    locked = await instance.account("locked", locked=True)
    answer = await relate(instance, carol, locked, "follow")
    assert (answer["following"], answer["requested"]) == (False, True)
    me = await instance.call("GET", "/api/v1/accounts/verify_credentials", by=locked)
    assert me["source"]["follow_requests_count"] == 1
    asking = await instance.call("GET", "/api/v1/follow_requests", by=locked)
    assert [one["acct"] for one in asking] == ["carol"]
    told = (await instance.notifications(locked))[0]
    assert_entity("Notification", told)
    assert told["type"] == "follow_request"
    answer = await instance.call("POST", f"/api/v1/follow_requests/{carol.id}/authorize", by=locked)
    assert_entity("Relationship", answer)
    assert answer["followed_by"] is True
    await instance.call("POST", f"/api/v1/follow_requests/{carol.id}/reject", by=locked, status=404)
    await relate(instance, carol, locked, "unfollow")
    await relate(instance, carol, locked, "follow")
    await instance.call("POST", f"/api/v1/follow_requests/{carol.id}/reject", by=locked)
    assert await instance.call("GET", "/api/v1/follow_requests", by=locked) == []


async def test_blocking_and_muting(instance: Instance, alice: Account, carol: Account) -> None:
    await relate(instance, carol, alice, "follow")
    status = await instance.post(alice, "can you see me")
    assert (await relate(instance, alice, carol, "block"))["blocking"] is True
    assert [one["acct"] for one in await instance.call("GET", "/api/v1/blocks", by=alice)] == ["carol"]
    await instance.call("GET", f"/api/v1/statuses/{status['id']}", by=carol, status=404)
    assert await instance.call("GET", f"/api/v1/accounts/{alice.id}/statuses", by=carol) == []
    assert await instance.call("GET", f"/api/v1/accounts/{alice.id}/following", by=carol) == []
    await instance.call("POST", f"/api/v1/accounts/{alice.id}/follow", by=carol, status=403)
    assert (await relate(instance, alice, carol, "unblock"))["blocking"] is False
    answer = await relate(instance, carol, alice, "mute", notifications=False, duration=3600)
    assert (answer["muting"], answer["muting_notifications"]) == (True, False)
    assert answer["muting_expires_at"] is not None
    muted = await instance.call("GET", "/api/v1/mutes", by=carol)
    assert_entity("MutedAccount", muted[0])
    assert muted[0]["mute_expires_at"] == answer["muting_expires_at"]
    assert (await relate(instance, carol, alice, "mute"))["muting_expires_at"] is None
    await instance.database.write(lambda tx: tx.execute(update(mutes).values(expires_at=clock.now() - 1)).rowcount)
    assert await instance.call("GET", "/api/v1/mutes", by=carol) == []
    assert (await relate(instance, carol, alice, "unmute"))["muting"] is False


async def test_home_pages_back_and_forth_without_end(instance: Instance, alice: Account) -> None:
    made = [(await instance.post(alice, f"number {i}"))["id"] for i in range(7)][::-1]
    pages = await all_pages(instance, "/api/v1/timelines/home?limit=3", alice)
    assert [len(page) for page in pages] == [3, 3, 1, 0]
    assert [status["id"] for page in pages for status in page] == made
    newer = await all_pages(instance, f"/api/v1/timelines/home?limit=3&min_id={made[-1]}", alice, "prev")
    assert [status["id"] for page in reversed(newer) for status in page] == made[:-1]
    since = await instance.home(alice, since_id=made[-1], limit="3")
    assert [status["id"] for status in since] == made[:3]
    most = await instance.home(alice, limit="1000")
    assert len(most) == 7


@pytest.mark.parametrize(
    "query", ["limit=x", "max_id=x", "min_id=-1", "since_id=1.5", "max_id=" + "9" * 25, "limit=%ff"]
)
async def test_pages_that_cannot_be(instance: Instance, alice: Account, query: str) -> None:
    assert_entity("Error", await instance.call("GET", f"/api/v1/timelines/home?{query}", by=alice, status=400))


async def test_public_timeline_and_its_halves(instance: Instance, alice: Account, carol: Account) -> None:
    public = await instance.post(alice, "public")
    await instance.post(alice, "unlisted", visibility="unlisted")
    await instance.post(carol, "@alice answer", in_reply_to_id=public["id"])
    for query in ("", "?local=true", "?remote=false"):
        found = await instance.call("GET", f"/api/v1/timelines/public{query}")
        assert [status["id"] for status in found] == [public["id"]]
    assert await instance.call("GET", "/api/v1/timelines/public?remote=true") == []
    assert await instance.call("GET", "/api/v1/timelines/public?only_media=1") == []


async def test_tag_timeline(instance: Instance, alice: Account) -> None:
    one = await instance.post(alice, "#One and #Two")
    two = await instance.post(alice, "only #two")
    for path, wanted in (
        ("one", [one]),
        ("ONE", [one]),
        ("two", [two, one]),
        ("two?all[]=one", [one]),
        ("two?none[]=one", [two]),
        ("one?any[]=two", [two, one]),
        ("one?all[]=unknown", []),
        ("unknown", []),
    ):
        found = await instance.call("GET", f"/api/v1/timelines/tag/{path}")
        assert [status["id"] for status in found] == [status["id"] for status in wanted], path


async def test_account_statuses(instance: Instance, alice: Account, carol: Account) -> None:
    plain = await instance.post(alice, "plain")
    tagged = await instance.post(alice, "with a #tag")
    theirs = await instance.post(carol, "theirs")
    reply = await instance.post(alice, "@carol reply", in_reply_to_id=theirs["id"])
    boost = await instance.call("POST", f"/api/v1/statuses/{theirs['id']}/reblog", by=alice)
    path = f"/api/v1/accounts/{alice.id}/statuses"
    for query, wanted in (
        ("", [boost, reply, tagged, plain]),
        ("?exclude_replies=true", [boost, tagged, plain]),
        ("?exclude_reblogs=true", [reply, tagged, plain]),
        ("?tagged=TAG", [tagged]),
        ("?tagged=unknown", []),
        ("?only_media=true", []),
    ):
        found = await instance.call("GET", path + query)
        assert [status["id"] for status in found] == [status["id"] for status in wanted], query


async def test_notifications(instance: Instance, alice: Account, carol: Account) -> None:
    status = await instance.post(alice, "tell me")
    await relate(instance, carol, alice, "follow")
    await instance.call("POST", f"/api/v1/statuses/{status['id']}/favourite", by=carol)
    await instance.call("POST", f"/api/v1/statuses/{status['id']}/reblog", by=carol)
    await instance.post(carol, "@alice hello")
    told = await instance.notifications(alice)
    for one in told:
        assert_entity("Notification", one)
    assert [one["type"] for one in told] == ["mention", "reblog", "favourite", "follow"]
    assert [("status" in one) for one in told] == [True, True, True, False]
    pages = await all_pages(instance, "/api/v1/notifications?limit=3&exclude_types[]=follow", alice)
    assert [[one["type"] for one in page] for page in pages] == [["mention", "reblog", "favourite"], []]
    only = await instance.call("GET", "/api/v1/notifications?types[]=mention&types[]=follow", by=alice)
    assert [one["type"] for one in only] == ["mention", "follow"]
    assert await instance.notifications(alice, account_id=str(alice.id)) == []
    assert (await instance.call("GET", "/api/v1/notifications/unread_count", by=alice))["count"] == 4
    markers = {"notifications": {"last_read_id": told[2]["id"]}}
    saved = await instance.call("POST", "/api/v1/markers", by=alice, json=markers)
    assert_entity("Marker", saved["notifications"])
    assert (await instance.call("GET", "/api/v1/notifications/unread_count", by=alice))["count"] == 2
    first = f"/api/v1/notifications/{told[0]['id']}"
    assert (await instance.call("GET", first, by=alice))["id"] == told[0]["id"]
    assert await instance.call("POST", f"{first}/dismiss", by=alice) == {}
    await instance.call("GET", first, by=alice, status=404)
    assert len(await instance.notifications(alice)) == 3
    assert await instance.call("POST", "/api/v1/notifications/clear", by=alice) == {}
    assert await instance.notifications(alice) == []


async def test_markers_never_go_back(instance: Instance, alice: Account) -> None:
    assert await instance.call("GET", "/api/v1/markers?timeline[]=home", by=alice) == {}
    await instance.call("POST", "/api/v1/markers", by=alice, data={"home[last_read_id]": "20"})
    await instance.call("POST", "/api/v1/markers", by=alice, json={"home": {"last_read_id": "10"}})
    found = await instance.call("GET", "/api/v1/markers?timeline[]=home&timeline[]=notifications", by=alice)
    assert found["home"]["last_read_id"] == "20"
    assert "notifications" not in found
    await instance.call("POST", "/api/v1/markers", by=alice, json={"home": {"last_read_id": "x"}}, status=400)
    await instance.call("POST", "/api/v1/markers", by=alice, json={"home": "x"}, status=400)


async def test_search(instance: Instance, alice: Account, carol: Account) -> None:
    status = await instance.post(alice, "about #Sailing")

    async def find(q: str, by: Account | None = alice, **params: str) -> Any:
        found = await instance.call("GET", "/api/v2/search", by=by, params={"q": q, **params})
        assert_entity("Search", found)
        return found

    assert [one["acct"] for one in (await find("ali"))["accounts"]] == ["alice"]
    assert [one["acct"] for one in (await find(f"@alice@{instance.domain}"))["accounts"]] == ["alice"]
    assert [one["name"] for one in (await find("sail"))["hashtags"]] == ["Sailing"]
    assert [one["name"] for one in (await find("#SAIL", None))["hashtags"]] == ["Sailing"]
    assert (await find("sail", type="accounts"))["hashtags"] == []
    for nothing in ("%", "al_ce", "a*ice", '"'):
        assert (await find(nothing))["accounts"] == []
    for address in (status["uri"], status["url"]):
        assert [one["id"] for one in (await find(address, resolve="true"))["statuses"]] == [status["id"]]
        assert [one["id"] for one in (await find(address, None))["statuses"]] == [status["id"]]
    for address in (f"{instance.url}/@alice", f"{instance.url}/users/alice"):
        assert [one["acct"] for one in (await find(address))["accounts"]] == ["alice"]
    secret = await instance.post(alice, "for followers", visibility="private")
    assert (await find(secret["uri"], carol, resolve="true"))["statuses"] == []
    assert (await find(secret["uri"], None))["statuses"] == []
    assert len((await find(secret["uri"]))["statuses"]) == 1
    for params in ({"resolve": "true"}, {"offset": "20"}):
        await instance.call("GET", "/api/v2/search", params={"q": "@x@y.example", **params}, status=401)
    for params in ({}, {"q": " "}, {"q": "x", "type": "everything"}, {"q": "x" * 5000}):
        await instance.call("GET", "/api/v2/search", by=alice, params=params, status=422)
    found = await instance.call("GET", "/api/v1/accounts/search?q=carol&following=true", by=alice)
    assert found == []
    await relate(instance, alice, carol, "follow")
    found = await instance.call("GET", "/api/v1/accounts/search?q=CAR&following=true&resolve=true", by=alice)
    assert [one["acct"] for one in found] == ["carol"]


async def test_instance_tells_the_truth(instance: Instance, alice: Account) -> None:
    await instance.post(alice, "one")
    await instance.post(alice, "hidden", visibility="private")
    await instance.call("GET", "/api/v1/accounts/verify_credentials", by=alice)
    await instance.database.write(
        lambda tx: tx.execute(properties.insert(), [{"name": "rules", "value": ["Be kind."]}]).rowcount
    )
    two = await instance.call("GET", "/api/v2/instance")
    assert_entity("Instance", two)
    assert two["domain"] == instance.domain
    assert two["configuration"]["statuses"]["max_characters"] == 140
    assert two["configuration"]["statuses"]["characters_reserved_per_url"] == 23
    assert two["usage"]["users"]["active_month"] == 1
    assert two["registrations"]["enabled"] is False
    one = await instance.call("GET", "/api/v1/instance")
    assert_entity("V1Instance", one)
    assert one["stats"] == {"user_count": 1, "status_count": 2, "domain_count": 0}
    rules = await instance.call("GET", "/api/v1/instance/rules")
    assert_entity("Rule", rules[0])
    assert rules[0]["text"] == "Be kind."
    assert await instance.call("GET", "/api/v1/custom_emojis") == []


async def test_what_is_not_here_is_not_found(instance: Instance, alice: Account) -> None:
    for path in ("v1/nothing", "v1/streaming/nothing", "v9/instance"):
        assert_entity("Error", await instance.call("GET", f"/api/{path}", by=alice, status=404))


async def test_other_origins_may_use_the_api(instance: Instance) -> None:
    headers = {"Origin": "https://client.example", "Access-Control-Request-Method": "POST"}
    for path in ("/api/v1/statuses", "/oauth/token", "/.well-known/oauth-authorization-server", "/api/v1/nothing"):
        async with instance.http.options(instance.url + path, headers=headers) as response:
            assert response.status == 204
            assert response.headers["Access-Control-Allow-Origin"] == "*"
            assert "Authorization" in response.headers["Access-Control-Allow-Headers"]
            assert "Access-Control-Allow-Credentials" not in response.headers
    for path in ("/api/v1/timelines/home", "/api/v1/nothing", "/api/v1/instance"):
        async with instance.http.get(instance.url + path, headers=headers) as response:
            assert response.headers["Access-Control-Allow-Origin"] == "*"
            assert "Link" in response.headers["Access-Control-Expose-Headers"]
    async with instance.http.options(f"{instance.url}/oauth/authorize", headers=headers) as response:
        assert "Access-Control-Allow-Origin" not in response.headers


BODIES: list[tuple[bytes, str]] = [
    (b'{"status": NaN}', "application/json"),
    (b'{"status": Infinity}', "application/json"),
    (b'{"status": "\\ud800"}', "application/json"),
    (b'{"status": "\\u0000"}', "application/json"),
    (b'{"poll": {"options": ["\\u0000"]}}', "application/json"),
    (b"\xef\xbb\xbf{}", "application/json"),
    ('{"status": "x"}'.encode("utf-16"), "application/json"),
    (b'{"status": 1e999}', "application/json"),
    (b'{"in_reply_to_id": ' + b"9" * 5000 + b"}", "application/json"),
    (b"null", "application/json"),
    (b"[]", "application/json"),
    (b'"text"', "application/json"),
    (b"{", "application/json"),
    (b"[" * 5000, "application/json"),
    (b'{"a":' * 2000 + b"1" + b"}" * 2000, "application/json"),
    (b"status=%ff%fe", "application/x-www-form-urlencoded"),
    (b"status=%00", "application/x-www-form-urlencoded"),
    (b"status=\xff", "application/x-www-form-urlencoded"),
    (b"&".join(b"a%d=1" % i for i in range(5000)), "application/x-www-form-urlencoded"),
    (b"a=1&a[]=2&a[b]=3&status[][][][][][][]=x", "application/x-www-form-urlencoded"),
    (b"no boundary", "multipart/form-data"),
    (b"--x\r\nbroken", "multipart/form-data; boundary=x"),
    (b'--x\r\nContent-Disposition: form-data; name="status"\r\n\r\n\xff\r\n--x--', "multipart/form-data; boundary=x"),
    (b"<status/>", "application/xml"),
]


@pytest.mark.parametrize(("body", "kind"), BODIES, ids=range(len(BODIES)))
async def test_malformed_bodies_are_refused_and_change_nothing(
    instance: Instance, alice: Account, body: bytes, kind: str
) -> None:
    for method, path in (
        ("POST", "/api/v1/statuses"),
        ("POST", f"/api/v1/accounts/{alice.id}/follow"),
        ("POST", "/api/v1/markers"),
        ("POST", "/api/v1/apps"),
        ("POST", "/oauth/token"),
    ):
        headers = {**alice.headers, "Content-Type": kind}
        async with instance.http.request(method, instance.url + path, data=body, headers=headers) as response:
            assert 400 <= response.status < 500, (path, response.status)
            assert_entity("Error", await response.json())
    assert await instance.home(alice) == []
    rows = await instance.database.read(lambda tx: tx.execute(select(follows)).all())
    assert rows == []


@pytest.mark.attack("SSRF-08")
async def test_search_reaches_no_private_address(make_instance: MakeInstance) -> None:
    instance = await make_instance(allowed_private_addresses="")
    alice = await instance.account("alice")
    asked: list[str] = []

    async def canary(request: web.Request) -> web.Response:
        asked.append(request.path)
        return web.json_response({"id": str(request.url), "type": "Person", "secret": "marker"})

    app = web.Application()
    app.router.add_route("*", "/{path:.*}", canary)
    runner = web.AppRunner(app)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    try:
        port = runner.addresses[0][1]
        for q in (
            f"http://127.0.0.1:{port}/users/x",
            f"http://localhost:{port}/users/x",
            f"http://[::ffff:127.0.0.1]:{port}/users/x",
            f"http://2130706433:{port}/users/x",
            f"@x@127.0.0.1:{port}",
            f"x@localhost:{port}",
        ):
            params = {"q": q, "resolve": "true"}
            found = await instance.call("GET", "/api/v2/search", by=alice, params=params)
            assert found == {"accounts": [], "statuses": [], "hashtags": []}
            await instance.call("GET", "/api/v1/accounts/search", by=alice, params=params)
            await instance.post(alice, f"hello {q[:100]}")
    finally:
        await runner.cleanup()
    assert asked == []
