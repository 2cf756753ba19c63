"""Other people's ids at every address of the API and the pages, and the limit of 140 on every way in."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from tests.peers.scripted import Actor, Server
from tests.support.browser import Browser
from tests.support.files import form, picture
from tests.support.instance import PASSWORD, Account, Instance
from tests.support.routes import parameters, templates
from tests.test_inbox_conversation import deliver, followed
from tests.test_outbox_c2s import post

FAMILY = "\U0001f468\u200d\U0001f469\u200d\U0001f467\u200d\U0001f466"
#: With what only its author may do to a post that everybody sees.
AUTHORS_ONLY = {
    ("PUT", "/api/v1/statuses/{id}"),
    ("DELETE", "/api/v1/statuses/{id}"),
    ("GET", "/api/v1/statuses/{id}/source"),
    ("POST", "/api/v1/statuses/{id}/pin"),
    ("POST", "/api/v1/statuses/{id}/unpin"),
}
VERBS = ("like", "unlike", "boost", "unboost", "pin", "unpin", "delete")


@pytest.fixture
async def alice(instance: Instance) -> Account:
    return await instance.account("alice", locked=True)


@pytest.fixture
async def carol(instance: Instance) -> Account:
    return await instance.account("carol")


async def state(instance: Instance, alice: Account) -> list[Any]:
    """Everything of alice's that somebody else could have changed."""
    paths = (
        f"accounts/{alice.id}/statuses?limit=40",
        f"accounts/{alice.id}/statuses?pinned=true",
        f"accounts/{alice.id}/followers",
        f"accounts/{alice.id}/following",
        "accounts/verify_credentials",
        "notifications",
        "follow_requests",
        "markers?timeline[]=home&timeline[]=notifications",
        "bookmarks",
        "favourites",
        "blocks",
        "mutes",
        "preferences",
        "../v2/filters",
        "lists",
        "featured_tags",
        "followed_tags",
        "conversations",
        "scheduled_statuses",
        f"accounts/{(await instance.find(alice, 'dave'))['id']}/lists",
    )
    return [await instance.call("GET", f"/api/v1/{path}", by=alice) for path in paths]


async def prepare(instance: Instance, alice: Account) -> dict[str, str]:
    """Things of alice's: posts for all and for few, a notification, a request, a follower, a block, markers."""
    dave, eve = await instance.account("dave"), await instance.account("eve")
    await instance.follow(dave, "alice")
    await instance.call("POST", f"/api/v1/follow_requests/{dave.id}/authorize", by=alice)
    await instance.follow(eve, "alice")
    await instance.follow(alice, "dave")
    public = await instance.post(alice, "For all")
    private = await instance.post(alice, "For followers", visibility="private")
    for verb in ("favourite", "bookmark", "pin"):
        for one in (public, private):
            await instance.call("POST", f"/api/v1/statuses/{one['id']}/{verb}", by=alice)
    await instance.call("POST", f"/api/v1/statuses/{private['id']}/favourite", by=dave)
    frank = await instance.account("frank")
    await instance.call("POST", f"/api/v1/accounts/{frank.id}/block", by=alice)
    await instance.call("POST", "/api/v1/markers", by=alice, json={"home": {"last_read_id": public["id"]}})
    told = await instance.notifications(alice)
    report = await instance.call("POST", "/api/v1/reports", by=alice, json={"account_id": str(frank.id)})
    keywords = [{"keyword": "secret"}]
    sent = {"title": "Mine", "context": ["home"], "keywords_attributes": keywords}
    made = await instance.call("POST", "/api/v2/filters", by=alice, json=sent)
    address = f"/api/v2/filters/{made['id']}/statuses"
    entry = await instance.call("POST", address, by=alice, json={"status_id": public["id"]})
    listed = await instance.call("POST", "/api/v1/lists", by=alice, json={"title": "Mine"})
    ids = {"account_ids": [str(dave.id)]}
    await instance.call("POST", f"/api/v1/lists/{listed['id']}/accounts", by=alice, json=ids)
    await instance.post(alice, "@dave For few", visibility="direct")
    (conversation,) = await instance.call("GET", "/api/v1/conversations", by=alice)
    due = (datetime.now(UTC) + timedelta(days=1)).isoformat()
    waiting = await instance.post(alice, "For later", scheduled_at=due)
    question = {"options": ["a", "b"], "expires_in": 3600}
    asking = await instance.post(alice, "For followers?", visibility="private", poll=question)
    shown = await instance.call("POST", "/api/v1/featured_tags", by=alice, json={"name": "mine"})
    upload = await instance.call("POST", "/api/v2/media", by=alice, data=form(picture()))
    return {
        "upload": upload["id"],
        "featured tag": shown["id"],
        "list": listed["id"],
        "conversation": conversation["id"],
        "scheduled": waiting["id"],
        "poll": asking["poll"]["id"],
        "public": public["id"],
        "private": private["id"],
        "notification": told[0]["id"],
        "follower": str(dave.id),
        "request": str(eve.id),
        "report": report["id"],
        "filter": made["id"],
        "filter keyword": made["keywords"][0]["id"],
        "filter status": entry["id"],
    }


@pytest.mark.attack("API-01")
async def test_nobody_reaches_what_is_anothers_by_its_id(instance: Instance, alice: Account, carol: Account) -> None:
    """Every route of the API that has a parameter; whoever adds one has to say here whose things it is about."""
    things = await prepare(instance, alice)
    before = await state(instance, alice)
    body = {
        "status": "taken over",
        "home": {"last_read_id": "1"},
        "status_id": things["public"],
        "account_ids": [things["follower"]],
        **dict.fromkeys(("keyword", "phrase", "title"), "taken over"),
        "choices": ["0"],
        "scheduled_at": (datetime.now(UTC) + timedelta(days=2)).isoformat(),
    }
    asked = 0
    for method, template in templates(instance.app, "GET", "POST", "PUT", "DELETE", "PATCH"):
        names = parameters(template)
        if not template.startswith("/api/") or not names or names in (["hashtag"], ["date"]) or "/tags/{" in template:
            continue
        if template.startswith("/api/v1/statuses/{id}"):
            wanted = [("private", {404})]
            if (method, template) in AUTHORS_ONLY:
                # Taking back a pin that is none does nothing, and says so to anybody.
                wanted.append(("public", {404, 422} | ({200} if template.endswith("/unpin") else set())))
        elif template.startswith("/api/v1/notifications/{id}"):
            wanted = [("notification", {404})]
        elif template.startswith("/api/v1/follow_requests/{account_id}"):
            wanted = [("request", {404}), ("follower", {404})]
        elif found := re.match(r"/api/v1/(report|conversation|poll)s/\{", template):
            wanted = [(found[1], {404})]
        elif template.startswith("/api/v1/featured_tags/{id}"):
            wanted = [("featured tag", {404})]
        elif template.startswith("/api/v1/media/{id}"):
            wanted = [("upload", {404})]
        elif template.startswith("/api/v1/announcements/{id}"):
            wanted = [("public", {404})]
        elif template.startswith("/api/v1/suggestions/{account_id}"):
            wanted = [("follower", {200})]  # of one's own suggestions
        elif template.startswith("/api/v1/admin/"):
            wanted = [("follower", {403})]
        elif template.startswith("/api/v1/scheduled_statuses/{id}"):
            wanted = [("scheduled", {404})]
        elif template.startswith(("/api/v1/notifications/requests/{id}", "/api/v2/notifications/{group_key}")):
            # Made for one's own notifications only; what is dismissed twice is gone as well.
            wanted = [("notification", {404} | ({200} if "dismiss" in template or "accounts" in template else set()))]
        elif re.match(r"/api/v1/(timelines/list|lists)/\{", template):
            wanted = [("list", {404})]
        elif "/filters/" in template:
            kind = "filter keyword" if "keywords/{" in template or "/v1/" in template else "filter"
            wanted = [("filter status" if "statuses/{" in template else kind, {404})]
        else:
            # What carol does to an account concerns her own relation to it: alice's to the same ones stay.
            assert template.startswith("/api/v1/accounts/{id}"), f"Whose things is {template} about?"
            wanted = [("follower", {200, 403, 404, 422}), ("request", {200, 403, 404, 422})]
        for thing, allowed in wanted:
            path = re.sub(r"\{\w+\}", things[thing], template)
            headers = {**carol.headers}
            async with instance.http.request(method, instance.url + path, headers=headers, json=body) as answer:
                assert answer.status in allowed, (method, path, answer.status)
                if thing == "private":
                    assert "For followers" not in await answer.text()
            asked += 1
    assert asked >= 40
    # Those without an id are about one's own.
    await instance.call("POST", "/api/v1/notifications/clear", by=carol)
    await instance.call("POST", "/api/v1/markers", by=carol, json={"home": {"last_read_id": "1"}})
    await instance.call(
        "PATCH", "/api/v1/accounts/update_credentials", by=carol, json={"id": str(alice.id), "display_name": "x"}
    )
    for name in ("relationships?id[]=", "search?q="):
        seen = await instance.call("GET", f"/api/v1/accounts/{name}{things['request']}", by=carol)
        assert "requested_by': True" not in str(seen)
    assert await state(instance, alice) == before


@pytest.mark.attack("API-01")
async def test_nobody_reaches_what_is_anothers_on_a_page(instance: Instance, alice: Account, carol: Account) -> None:
    things = await prepare(instance, alice)
    before = await state(instance, alice)
    async with Browser(instance.url) as browser:
        token = (await browser.sign_in("carol", PASSWORD)).form("/logout").fields["csrf"]

        async def send(path: str) -> int:
            return (await browser.request("POST", path, data={"csrf": token, "back": "/home"}, follow=False)).status

        for verb in VERBS:
            assert await send(f"/posts/{things['private']}/{verb}") == 404, verb
        for verb in ("pin", "delete"):
            assert await send(f"/posts/{things['public']}/{verb}") in {403, 404, 422}, verb
        await send(f"/posts/{things['public']}/unpin")
        for who in ("eve", "dave"):
            for verb in ("accept", "reject", "remove_follower", "unblock", "unmute"):
                assert await send(f"/@{who}/{verb}") in {303, 404}, verb
        assert await send("/notifications/read") == 303
        for path in (f"/@alice/{things['private']}", f"/compose?reply_to={things['private']}", "/settings/instance"):
            assert (await browser.get(path)).status in {403, 404}, path
    assert await state(instance, alice) == before


@pytest.mark.attack("API-01")
async def test_nobody_reaches_what_is_anothers_through_an_outbox(
    instance: Instance, alice: Account, carol: Account
) -> None:
    things = await prepare(instance, alice)
    before = await state(instance, alice)
    uris = {name: f"{alice.uri}/statuses/{things[name]}" for name in ("public", "private")}
    edited = {"type": "Note", "content": "taken over"}
    for name, uri in uris.items():
        for document in (
            {"type": "Update", "object": {**edited, "id": uri}},
            {"type": "Delete", "object": uri},
            {"type": "Undo", "object": f"{alice.uri}#likes/{things[name]}"},
            {"type": "Undo", "object": {"type": "Like", "actor": alice.uri, "object": uri}},
        ):
            assert (await post(instance, carol, document, to="carol"))[0] in {403, 404, 422}, document
            assert (await post(instance, carol, document, to="alice"))[0] == 403
    for document in (
        {"type": "Like", "object": uris["private"]},
        {"type": "Announce", "object": uris["private"]},
        {"type": "Note", "content": "x", "inReplyTo": uris["private"]},
    ):
        assert (await post(instance, carol, document, to="carol"))[0] == 404, document
    assert await state(instance, alice) == before


#: (text, content warning, whether it is within 140)
WORDS = [
    ("x" * 140, "", True),
    ("x" * 141, "", False),
    (FAMILY * 140, "", True),
    (FAMILY * 141, "", False),
    ("e\u0301" * 140, "", True),
    ("e\u0301" * 141, "", False),
    ("\u00e9" * 140, "", True),
    ("\u00e9" * 141, "", False),
    ("\u1112\u1161\u11ab" * 140, "", True),
    ("e" + "\u0301" * 3000, "", False),
    ("x" * 100, "y" * 40, True),
    ("x" * 100, "y" * 41, False),
    ("x" * 139 + "\ny", "", False),
    ("x" * 138 + "\ny", "", True),
    ("https://example.com/" + "a" * 500 + " " + "x" * 116, "", True),
    ("https://example.com/" + "a" * 500 + " " + "x" * 117, "", False),
    ("", "", False),
    (" \n\u200b\u2800\t\u3164", "", False),
]


@pytest.mark.attack("API-03")
async def test_140_is_the_same_on_every_way_in(instance: Instance, carol: Account) -> None:
    """The client API as JSON and as a form, an edit, the page, an outbox, and an edit there."""
    first = await instance.post(carol, "first")
    uri = f"{carol.uri}/statuses/{first['id']}"
    async with Browser(instance.url) as browser:
        await browser.sign_in("carol", PASSWORD)
        form = (await browser.get("/compose")).form("/compose")
        for number, (words, warning, fits) in enumerate(WORDS):
            fields = {"status": words, "spoiler_text": warning}
            found = []
            for method, path, sent in (
                ("POST", "/api/v1/statuses", {"json": fields}),
                ("POST", "/api/v1/statuses", {"data": fields}),
                ("PUT", f"/api/v1/statuses/{first['id']}", {"json": fields}),
            ):
                async with instance.http.request(method, instance.url + path, headers=carol.headers, **sent) as answer:
                    found.append(answer.status == 200)
                    assert answer.status in {200, 422}, await answer.text()
            page = await browser.send(
                form, follow=False, text=words.replace("\n", "\r\n"), spoiler_text=warning, key=f"key{number}"
            )
            assert page.status in {303, 422}
            found.append(page.status == 303)
            note = {"type": "Note", "content": words, "summary": warning, "mediaType": "text/plain"}
            for document in (note, {"type": "Update", "object": {**note, "id": uri}}):
                status = (await post(instance, carol, document, to="carol"))[0]
                assert status in {200, 201, 422}
                found.append(status < 300)
            assert found == [fits] * 6, (ascii(words[:20]), len(words))
    # What stands in what was refused is nowhere.
    own = await instance.call("GET", f"/api/v1/accounts/{carol.id}/statuses?limit=40", by=carol)
    assert all(status["content"] for status in own)
    assert len(own) == 1 + 4 * sum(fits for *_, fits in WORDS) or len(own) == 40


@pytest.mark.attack("API-03")
async def test_what_others_write_may_be_longer(instance: Instance, carol: Account, peer: Server) -> None:
    bob: Actor = peer.actor("bob")
    await followed(instance, carol, bob)
    note = bob.note("long " * 1000)
    await deliver(instance, bob, bob.activity("Create", note))
    [shown] = await instance.home(carol)
    assert len(shown["content"]) > 4900
