"""What is not for everybody, looked for at every address that there is, by everybody who might ask."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from typing import Any

import pytest
from sqlalchemy import Connection

from fediverse import clock, moderation
from fediverse.actors import directory
from fediverse.actors.closing import close
from tests.peers.scripted import PUBLIC, Actor, Server, signed
from tests.support.browser import Browser
from tests.support.instance import PASSWORD, Account, Instance
from tests.support.routes import filled, parameters
from tests.test_discovery_endpoints import AP, get, signed_get
from tests.test_outbox_c2s import note, post
from tests.test_outbox_documents import follows, items

MARKER = "XMARKERX"
HTML = "text/html,application/xhtml+xml"
NOWHERE = "123456789"
#: Addresses that other servers have, and that somebody will ask for here.
ELSEWHERE = (
    "/users/{name}/statuses/{id}.json",
    "/users/{name}/statuses/{id}/embed",
    "/users/{name}/statuses/{id}/likes",
    "/users/{name}/statuses/{id}/shares",
    "/users/{name}/statuses/{id}/replies?page=true",
    "/@{name}/{id}.json",
    "/@{name}/{id}/embed",
    "/@{name}/{id}/activity",
    "/api/v1/statuses/{id}/card",
    "/api/v1/statuses?id[]={id}",
    "/api/oembed?url=%2F@{name}%2F{id}",
)


@dataclass
class Caller:
    """Somebody who asks, in one form."""

    name: str
    headers: dict[str, str] = field(default_factory=dict)
    signer: Actor | None = None
    dialect: Any = "cavage"


@dataclass
class Scene:
    """Posts of alice's and dave's, and everybody for whom they are not."""

    instance: Instance
    alice: Account
    dave: Account
    public: Any
    #: (author, status)
    hidden: list[tuple[str, Any]]
    strangers: list[Caller]


@pytest.fixture
async def alice(instance: Instance) -> Account:
    return await instance.account("alice", discoverable=True, indexable=True)


@pytest.fixture
def bob(peer: Server) -> Actor:
    return peer.actor("bob")


@pytest.fixture
async def scene(instance: Instance, alice: Account, bob: Actor, other_peer: Server) -> AsyncIterator[Scene]:
    await follows(instance, bob, alice)
    dave, carol = await instance.account("dave"), await instance.account("carol")
    await instance.follow(dave, "alice")
    public = await instance.post(alice, "For all #tagged")
    hidden = [
        ("alice", await instance.post(alice, f"{MARKER} followers #tagged #{MARKER}tag", visibility="private")),
        ("alice", await instance.post(alice, f"@dave {MARKER} direct #tagged", visibility="direct")),
        ("alice", await instance.post(alice, f"{MARKER} reply", visibility="private", in_reply_to_id=public["id"])),
        ("alice", await instance.post(alice, "warned", visibility="private", spoiler_text=f"{MARKER} warning")),
        ("dave", await instance.post(dave, f"@alice {MARKER} between us", visibility="direct")),
        ("dave", await instance.post(dave, f"@alice {MARKER} a", visibility="direct", in_reply_to_id=public["id"])),
    ]
    first = hidden[0][1]["id"]
    await instance.call("PUT", f"/api/v1/statuses/{first}", by=alice, json={"status": f"{MARKER} edited #tagged"})
    await instance.call("POST", f"/api/v1/statuses/{first}/pin", by=alice)
    await instance.call("POST", f"/api/v1/statuses/{first}/favourite", by=dave)
    await instance.call("POST", f"/api/v1/statuses/{first}/bookmark", by=dave)
    await instance.tick()
    eve = other_peer.actor("eve")
    async with Browser(instance.url) as browser:
        await browser.sign_in("carol", PASSWORD)
        cookie = "; ".join(f"{name}={value}" for name, value in browser.cookies.items())
        yield Scene(
            instance,
            alice,
            dave,
            public,
            hidden,
            [
                Caller("nobody"),
                Caller("nobody with a browser", {"Accept": HTML}),
                Caller("nobody's server", {"Accept": AP}),
                Caller("carol's application", carol.headers),
                Caller("carol's application as a server", {**carol.headers, "Accept": AP}),
                Caller("carol's browser", {"Cookie": cookie, "Accept": HTML}),
                Caller("a stranger's server", {"Accept": AP}, eve),
                Caller("a stranger's server, RFC 9421", {"Accept": AP}, eve, "rfc9421"),
            ],
        )


async def ask(instance: Instance, path: str, caller: Caller) -> tuple[int, str, str]:
    """(status, Location, body) as the caller gets it."""
    headers = list(caller.headers.items())
    if caller.signer is not None:
        options: dict[str, Any] = {"covered": "(request-target) host date"}
        if caller.dialect == "rfc9421":
            options = {"dialect": "rfc9421", "components": '"@method" "@target-uri"'}
        headers += signed(caller.signer, instance.url + path, b"", method="GET", **options)
    async with instance.http.get(instance.url + path, headers=headers, allow_redirects=False) as response:
        return response.status, response.headers.get("Location", ""), await response.text()


def everywhere(instance: Instance, author: str, id_: str) -> list[tuple[str, bool]]:
    """(path, whether it names a post) of every address that can be read, filled in with an author and a post."""
    values = {
        "name": author,
        "acct": author,
        "id": id_,
        "list_id": id_,
        "filter_id": id_,
        "group_key": f"ungrouped-{id_}",
        "file": "app.css",
        "date": "2026-01-01",
        "tag": "tagged",
        "hashtag": "tagged",
        "key": "x",
        "mac": "x",
        "url": "x",
        "colour": "ffffff",
        "version": "2.1",
    }
    found = []
    for _, template, path in filled(instance.app, "GET", values=values):
        if template.startswith("/api/v1/streaming"):  # they never end; what goes out on them has tests of its own
            continue
        about_account = template.startswith("/api/v1/accounts/{id}")
        names_post = "id" in parameters(template) and "statuses" in template and not about_account
        found.append((path, names_post or template.endswith("/@{acct}/{id}")))
    found += [(template.format(name=author, id=id_), True) for template in ELSEWHERE]
    return found


@pytest.mark.attack("PRV-02", "PRV-04")
async def test_a_hidden_post_is_at_no_address_for_anybody_else(scene: Scene) -> None:
    """Every address that names a post, and every stranger: the answer is the one for a post that never was."""
    asked = 0
    for author, status in scene.hidden:
        there, nowhere = everywhere(scene.instance, author, status["id"]), everywhere(scene.instance, author, NOWHERE)
        for (path, names_post), (missing, _) in zip(there, nowhere, strict=True):
            if not names_post:
                continue
            for caller in scene.strangers:
                code, location, body = await ask(scene.instance, path, caller)
                expected = await ask(scene.instance, missing, caller)
                same = (expected[0], expected[1].replace(NOWHERE, status["id"]), expected[2].replace(NOWHERE, "ID"))
                assert (code, location, body.replace(status["id"], "ID")) == same, (path, caller.name)
                assert code in {302, 401, 404, 405} or (code, body) == (200, "[]"), (path, caller.name, code)
                assert MARKER not in body
                asked += 1
    assert asked > 6 * 8 * 15
    # The very same addresses open for those whom they are for.
    status = scene.hidden[0][1]
    assert MARKER in str(await scene.instance.call("GET", f"/api/v1/statuses/{status['id']}", by=scene.dave))


@pytest.mark.attack("PRV-01", "PRV-03", "PRV-04")
async def test_no_page_feed_card_collection_or_list_tells_of_it(scene: Scene, bob: Actor) -> None:
    """The whole table of routes, with every stranger; feeds, pages, cards, collections, lists, counts of tags."""
    instance = scene.instance
    asked = 0
    ids = [scene.public["id"], str(scene.alice.id), str(scene.dave.id), scene.hidden[0][1]["id"]]
    extra = [
        # In lower case, so that what is asked for and said again is not taken for what was found.
        f"/api/v2/search?q={MARKER.lower()}&type=statuses",
        f"/api/v2/search?q={MARKER.lower()}",
        f"/api/v2/search?q=%23{MARKER.lower()}",
        f"/search?q={MARKER.lower()}",
        f"/search?q=%23{MARKER.lower()}",
        f"/tags/{MARKER.lower()}tag",
        f"/api/v1/timelines/tag/{MARKER.lower()}tag",
        f"/api/v1/accounts/{scene.alice.id}/statuses?pinned=true",
        f"/api/v1/accounts/{scene.alice.id}/statuses?tagged=tagged",
        "/api/v1/timelines/public?local=true",
        "/users/alice/outbox?page=true",
        "/users/alice/outbox?page=true&min_id=0",
        f"/users/alice/statuses/{scene.public['id']}/replies?page=true",
        "/public?from=everywhere",
        "/sitemap.xml",
        "/feed",
        "/rss",
        "/@alice.rss",
        "/@alice.json",
        "/users/alice.atom",
    ]
    followers_server = Caller("a follower's server", {"Accept": AP}, bob)
    for author in ("alice", "dave"):
        paths = {path for id_ in ids for path, _ in everywhere(instance, author, id_)}
        for path in [*sorted(paths), *(one for one in extra if author == "alice")]:
            callers = scene.strangers
            if "/outbox" in path or "/replies" in path or "/featured" in path:
                callers = [*callers, followers_server]
            for caller in callers:
                code, _, body = await ask(instance, path, caller)
                assert code < 500, (path, caller.name, body[:300])
                assert MARKER not in body, (path, caller.name)
                asked += 1
    assert asked > 1000
    # Nor whether a hashtag is in use among few.
    for caller in scene.strangers:
        for suffix in ("", ".atom"):
            used = await ask(instance, f"/tags/{MARKER.lower()}tag{suffix}", caller)
            unused = await ask(instance, f"/tags/qqqqqqtag{suffix}", caller)
            assert used[0] == unused[0]
            assert used[2].replace(f"{MARKER.lower()}", "qqqqqq") == unused[2]


@pytest.mark.attack("PRV-01")
async def test_no_total_tells_how_much_is_hidden(instance: Instance, alice: Account, bob: Actor) -> None:
    await follows(instance, bob, alice)
    public = await instance.post(alice, "For all")
    await instance.post(alice, "Also", visibility="unlisted")
    paths = (
        "/users/alice/outbox",
        "/users/alice/outbox?page=true",
        "/users/alice/featured",
        f"/users/alice/statuses/{public['id']}/replies",
        f"/users/alice/statuses/{public['id']}",
        "/users/alice",
        f"/api/v1/statuses/{public['id']}",
        f"/api/v1/accounts/{alice.id}",
        "/nodeinfo/2.1",
        "/api/v2/instance",
    )

    async def totals() -> list[bytes]:
        found = [(await get(instance, path)).body for path in paths]
        return [*found, *[(await signed_get(instance, bob, path)).body for path in paths[:5]]]

    before = await totals()
    for visibility in ("private", "direct"):
        for _ in range(3):
            made = await instance.post(alice, f"{bob.handle} x", visibility=visibility, in_reply_to_id=public["id"])
    await instance.call("POST", f"/api/v1/statuses/{made['id']}/favourite", by=alice)
    await instance.tick()
    after = await totals()
    for path, one, other in zip([*paths, *paths[:5]], before, after, strict=True):
        assert one == other, path
    assert (await get(instance, "/users/alice/outbox")).json["totalItems"] == 2


async def blocked_by(instance: Instance, alice: Account, actor: Actor, how: str) -> None:
    if how == "by alice":
        found = await instance.find(alice, actor.handle)
        await instance.call("POST", f"/api/v1/accounts/{found['id']}/block", by=alice)
    else:
        host = actor.server.host if how == "by host" else "127.0.0.1"
        await instance.database.write(moderation.block_host, host, severity="block", now=clock.now())
    await instance.tick()


@pytest.mark.attack("PRV-07")
@pytest.mark.parametrize("how", ["by alice", "by host", "by domain"])
async def test_whoever_is_blocked_gets_nothing_and_reaches_nobody(
    instance: Instance, alice: Account, bob: Actor, how: str
) -> None:
    await follows(instance, bob, alice)
    public = await instance.post(alice, "For all")
    private = await instance.post(alice, "For followers", visibility="private")
    await instance.tick()
    assert "Create" in bob.server.types()
    await blocked_by(instance, alice, bob, how)
    bob.server.received.clear()
    paths = [one["uri"].removeprefix(instance.url) for one in (public, private)]
    for path in (*paths, *(f"/users/alice/{name}" for name in ("outbox", "followers", "following", "featured"))):
        for suffix in ("", "/activity") if path in paths else ("",):
            assert (await signed_get(instance, bob, path + suffix)).status in {403, 404}, path
    stub = await signed_get(instance, bob, "/users/alice")
    assert (stub.status, "publicKey" in stub.json, "outbox" in stub.json) == (200, True, False)
    # What it does, from a follow to a mention, has no effect.
    inbox = f"{instance.url}/inbox"
    mention = bob.mention(alice.uri, "Look at me", inReplyTo=public["uri"])
    bob.server.serve(mention)
    for activity in (
        bob.activity("Follow", alice.uri),
        bob.activity("Like", public["uri"]),
        bob.activity("Announce", public["uri"], to=[PUBLIC]),
        bob.activity("Create", mention),
    ):
        assert await bob.server.send(bob, inbox, activity) in {202, 401, 403}
    await instance.tick()
    assert [one["type"] for one in await instance.notifications(alice) if one["type"] != "follow"] == []
    seen = await instance.call("GET", f"/api/v1/statuses/{public['id']}", by=alice)
    assert (seen["favourites_count"], seen["reblogs_count"], seen["replies_count"]) == (0, 0, 0)
    account = await instance.call("GET", "/api/v1/accounts/verify_credentials", by=alice)
    assert account["followers_count"] == (0 if how == "by alice" else 1)
    # What alice does is told to it no more: a Reject, which answers, is all that may come.
    bob.server.received.clear()
    for visibility in ("public", "unlisted", "private"):
        await instance.post(alice, f"{bob.handle} after", visibility=visibility)
    await instance.call("PUT", f"/api/v1/statuses/{public['id']}", by=alice, json={"status": "Changed"})
    await instance.tick()
    assert bob.server.types() == []


def keys_of(value: Any) -> set[str]:
    """Every name in a document."""
    if isinstance(value, dict):
        return set(value) | {name for part in value.values() for name in keys_of(part)}
    return {name for part in value for name in keys_of(part)} if isinstance(value, list) else set()


@pytest.mark.attack("PRV-09")
async def test_nobody_gets_what_is_for_others_and_hidden_recipients_stay_hidden(
    instance: Instance, alice: Account, bob: Actor, other_peer: Server
) -> None:
    await follows(instance, bob, alice)
    eve, frank = other_peer.actor("eve"), bob.server.actor("frank")
    bob.server.received.clear()
    # A direct post goes to the one inbox, not to a shared one, and not to the followers' servers.
    await instance.post(alice, f"{eve.handle} psst", visibility="direct")
    await instance.post(alice, "For followers", visibility="private")
    await instance.tick()
    assert [one.path for one in other_peer.received] == ["/users/eve/inbox"]
    assert [(one.path, "For followers" in str(one.body)) for one in bob.server.received] == [("/inbox", True)]
    # Hidden ones beside others would have to be named to be told: that is refused, never done.
    for document in (
        note("beside", to=[PUBLIC], bto=[eve.uri]),
        note("beside", to=[f"{alice.uri}/followers"], bcc=[eve.uri]),
        note("beside", to=[frank.uri], bto=[eve.uri]),
        note("beside", to=[], bto=[eve.uri, frank.uri]),
        note(f"beside {frank.handle}", to=[], bcc=[eve.uri]),
        {"type": "Create", "to": [PUBLIC], "bcc": [eve.uri], "object": note("beside", to=[PUBLIC])},
    ):
        status, _, error = await post(instance, alice, document)
        assert (status, "bto" in str(error)) == (422, True), document
    # One alone, and those who are named openly as well, are told; the words never leave.
    assert (await post(instance, alice, note("alone", to=[], bto=[eve.uri])))[0] == 201
    assert (await post(instance, alice, note("named", to=[PUBLIC], cc=[eve.uri], bcc=[eve.uri])))[0] == 201
    await instance.tick()
    assert [one.path for one in other_peer.received[1:]] == ["/users/eve/inbox", "/inbox"]
    for received in (*bob.server.received, *other_peer.received):
        assert not {"bto", "bcc"} & keys_of(received.body)
        assert "beside" not in str(received.body)
        assert not (received in bob.server.received and eve.uri in str(received.body) and "named" not in str(received))
    for item in await items(instance, "/users/alice/outbox"):
        assert not {"bto", "bcc"} & keys_of(item)


@pytest.mark.attack("PRV-11")
async def test_what_is_deleted_is_gone_everywhere_and_everybody_is_told(
    instance: Instance, alice: Account, bob: Actor, other_peer: Server
) -> None:
    """A follower, somebody mentioned elsewhere, and the server of one who boosted."""
    await follows(instance, bob, alice)
    eve = other_peer.actor("eve")
    carol = await instance.account("carol")
    await instance.follow(carol, "alice")
    parent = await instance.post(carol, "parent")
    posted = await instance.post(
        alice, f"{MARKER} {eve.handle} #{MARKER}tag", spoiler_text=MARKER, in_reply_to_id=parent["id"]
    )
    id_, path = posted["id"], posted["uri"].removeprefix(instance.url)
    await instance.call("PUT", f"/api/v1/statuses/{id_}", by=alice, json={"status": f"{MARKER} 2 {eve.handle}"})
    for by, verb in ((alice, "pin"), (carol, "favourite"), (carol, "bookmark"), (carol, "reblog")):
        await instance.call("POST", f"/api/v1/statuses/{id_}/{verb}", by=by)
    dave = await instance.account("dave")
    await instance.post(dave, "@alice a reply to it", in_reply_to_id=id_)
    await instance.tick()
    assert MARKER in str(await instance.home(carol))
    assert MARKER in str((await get(instance, path)).body)
    everybody = [
        Caller("nobody"),
        Caller("browser", {"Accept": HTML}),
        Caller("server", {"Accept": AP}),
        Caller("alice", alice.headers),
        Caller("carol", carol.headers),
        Caller("follower's server", {"Accept": AP}, bob),
    ]

    async def sweep() -> None:
        for by in everybody:
            for id_asked in (id_, parent["id"], str(alice.id), str(carol.id)):
                for author in ("alice", "carol"):
                    for address, _ in everywhere(instance, author, id_asked):
                        assert MARKER not in (await ask(instance, address, by))[2], (address, by.name)

    await instance.call("DELETE", f"/api/v1/statuses/{id_}", by=alice)
    await instance.tick()
    await sweep()
    for by in (alice, carol):
        assert MARKER not in str(await instance.notifications(by)) + str(await instance.home(by))
        await instance.call("GET", f"/api/v1/statuses/{id_}", by=by, status=404)
    for suffix in ("", "/activity"):
        gone = await get(instance, path + suffix)
        assert (gone.status, gone.json["type"]) == (410, "Tombstone")
    assert (await get(instance, f"/@alice/{id_}", HTML)).status == 410
    for server in (bob.server, other_peer):
        deletes = [one.body for one in server.received if one.body["type"] == "Delete"]
        assert [one["object"]["id"] for one in deletes] == [posted["uri"]]
        assert deletes[0]["object"]["type"] == "Tombstone"


def close_account(tx: Connection, instance: Instance, account: Account) -> None:
    actor = directory.by_id(tx, account.id)
    assert actor is not None
    close(tx, instance.settings.urls, actor, now=clock.now())


@pytest.mark.attack("PRV-11")
async def test_a_deleted_account_is_gone_everywhere_and_everybody_is_told(
    instance: Instance, bob: Actor, other_peer: Server
) -> None:
    alice = await instance.account("alice", name=f"{MARKER} name", summary=f"<p>{MARKER} bio</p>", discoverable=True)
    carol = await instance.account("carol")
    eve = other_peer.actor("eve")
    await follows(instance, bob, alice)
    await instance.follow(carol, "alice")
    posted = await instance.post(alice, f"{MARKER} {eve.handle} @carol #tagged")
    await instance.call("POST", f"/api/v1/statuses/{posted['id']}/reblog", by=carol)
    await instance.tick()
    await instance.database.write(close_account, instance, alice)
    await instance.tick()
    everybody = [
        Caller("nobody"),
        Caller("browser", {"Accept": HTML}),
        Caller("server", {"Accept": AP}),
        Caller("carol", carol.headers),
        Caller("her own token", alice.headers),
        Caller("follower's server", {"Accept": AP}, bob),
    ]
    for by in everybody:
        for id_ in (posted["id"], str(alice.id), str(carol.id)):
            for author in ("alice", "carol"):
                for address, _ in everywhere(instance, author, id_):
                    assert MARKER not in (await ask(instance, address, by))[2], (address, by.name)
        for address in (
            "/api/v2/search?q=alice",
            "/api/v1/accounts/search?q=alice",
            "/api/v1/accounts/lookup?acct=alice",
        ):
            assert MARKER not in (await ask(instance, address, by))[2], (address, by.name)
    assert (await get(instance, "/users/alice")).json["type"] == "Tombstone"
    assert (await get(instance, "/@alice", HTML)).status == 410
    await instance.call("GET", "/api/v1/accounts/verify_credentials", by=alice, status=401)
    for server in (bob.server, other_peer):
        deletes = [one.body for one in server.received if one.body["type"] == "Delete"]
        assert [one["object"] for one in deletes][-1:] == [alice.uri]
