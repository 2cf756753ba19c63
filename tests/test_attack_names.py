"""One domain in many spellings is one, and no name passes for another."""

from __future__ import annotations

import socket
import unicodedata
from collections.abc import AsyncIterator
from typing import Any
from urllib.parse import quote

import pytest
from sqlalchemy import select

from fediverse import clock, moderation
from fediverse.actors.profile import MAX_NAME
from fediverse.tables.actors import actors
from tests.peers.scripted import Server, stamp
from tests.support.browser import Browser, PageSeen
from tests.support.instance import PASSWORD, Account, Instance
from tests.test_api_oauth import grant, register
from tests.test_inbox_conversation import deliver, followed

BIDI = set("\u061c\u200e\u200f\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069")
INVISIBLE = set("\u00ad\u200b\u200c\u200d\u2060\ufeff\u3164\u115f\u1160\uffa0\u2800\U000e0041")


@pytest.fixture(autouse=True)
def names(monkeypatch: pytest.MonkeyPatch) -> None:
    """Every name under .test is on this machine."""
    real = socket.getaddrinfo

    def look_up(host: Any, *arguments: Any, **options: Any) -> Any:
        here = isinstance(host, str) and host.rstrip(".").endswith(".test")
        return real("127.0.0.1" if here else host, *arguments, **options)

    monkeypatch.setattr(socket, "getaddrinfo", look_up)


def rename(server: Server, name: str) -> Server:
    """The scripted server under a name of its own."""
    port = server.url.rsplit(":", 1)[1]
    server.url, server.host = f"http://{name}:{port}", f"{name}:{port}"
    return server


@pytest.fixture
async def alice(instance: Instance) -> Account:
    return await instance.account("alice")


@pytest.fixture
async def browser(instance: Instance, alice: Account) -> AsyncIterator[Browser]:
    async with Browser(instance.url) as made:
        await made.sign_in("alice", PASSWORD)
        yield made


async def stored(instance: Instance, username: str) -> list[str]:
    """The hosts of the accounts of that name."""
    hosts = select(actors.c.host).where(actors.c.username == username)
    return await instance.database.read(lambda tx: list(tx.scalars(hosts)))


@pytest.mark.attack("IDN-01")
async def test_a_domain_is_one_in_every_spelling(
    instance: Instance, alice: Account, peer: Server, other_peer: Server
) -> None:
    """Looked up, mentioned, followed, signing, and blocked with what is below it."""
    bob = rename(peer, "xn--bcher-kva.test").actor("bob")
    port = peer.host.rsplit(":", 1)[1]
    forms = [
        f"{name}:{port}"
        for name in (
            "xn--bcher-kva.test",
            "XN--BCHER-KVA.TEST",
            "bücher.test",
            "BÜCHER.test",
            unicodedata.normalize("NFD", "bücher.test"),
            "bücher.test.",
            "ｂücher.test",
            "bücher。test",
            "bücher．TEST",
        )
    ]
    found = {(await instance.find(alice, f"@bob@{form}"))["id"] for form in forms}
    assert len(found) == 1
    [id_] = found
    assert await stored(instance, "bob") == [peer.host]
    for number, form in enumerate(forms):
        looked_up = await instance.call("GET", f"/api/v1/accounts/lookup?acct={quote(f'bob@{form}')}", by=alice)
        assert looked_up["id"] == id_, form
        if "。" in form or "．" in form or form.startswith("ｂ"):
            continue  # found when looked for, but not in running text, where such a dot ends a word
        posted = await instance.post(alice, f"hello {number} @bob@{form}")
        assert [mention["id"] for mention in posted["mentions"]] in ([id_], [] if ".:" in form else [id_]), form
    await followed(instance, alice, bob)
    assert await instance.call("GET", f"/api/v1/accounts/relationships?id[]={id_}", by=alice)
    # The ids that it uses itself, in other spellings.
    upper = peer.url.replace("xn--bcher-kva.test", "XN--BCHER-KVA.test")
    note = bob.note("in capitals")
    for key_id, changes in (
        (bob.key_id.replace(peer.url, upper), {}),
        (bob.key_id.replace(peer.url, upper), {"actor": bob.uri.replace(peer.url, upper)}),
        (bob.key_id.replace(".test", ".test."), {"actor": bob.uri.replace(".test", ".test.")}),
        (bob.key_id, {"actor": bob.uri.replace(peer.url, upper)}),
    ):
        activity = bob.activity("Create", {**note, "attributedTo": changes.get("actor", bob.uri)}, **changes)
        assert await peer.send(bob, f"{instance.url}/inbox", activity, key_id=key_id) in {202, 401, 403}
    await instance.tick()
    assert await stored(instance, "bob") == [peer.host]
    # A block in any spelling holds for the port, for all spellings and for all below.
    mallory = rename(other_peer, "deep.below.xn--bcher-kva.test").actor("mallory")
    await instance.find(alice, mallory.handle)
    await instance.database.write(moderation.block_host, "BÜCHER。Test.", severity="block", now=clock.now())
    for actor in (bob, mallory, other_peer.actor("new")):
        for kind in ("Follow", "Create"):
            sent = alice.uri if kind == "Follow" else actor.mention(alice.uri, "after the block")
            assert await actor.server.send(actor, f"{instance.url}/inbox", actor.activity(kind, sent)) in {
                202,
                401,
                403,
            }
    await instance.tick()
    assert "after the block" not in str(await instance.notifications(alice))
    assert not [one for one in await instance.notifications(alice) if one["type"] == "follow"]
    before = sum(peer.gets.values()) + sum(other_peer.gets.values())
    for form in forms:
        answer = await instance.call(
            "GET", "/api/v2/search", by=alice, params={"q": f"@somebody@{form}", "resolve": "true", "type": "accounts"}
        )
        assert answer["accounts"] == []
    assert sum(peer.gets.values()) + sum(other_peer.gets.values()) == before
    peer.received.clear()
    await instance.post(alice, f"to nobody @bob@{forms[0]}")
    await instance.tick()
    assert peer.received == []


#: (A-labels, whether people read it in their own script)
HOSTS = [
    ("xn--bcher-kva.test", "bücher.test"),
    ("xn--80ak6aa92e.test", "xn--80ak6aa92e.test"),  # аррӏе, all Cyrillic
    ("xn--pypal-4ve.test", "xn--pypal-4ve.test"),  # pаypal with one Cyrillic letter
    ("xn--e1afmkfd.test", "пример.test"),  # Cyrillic that cannot be Latin
    ("xn--mgba3a4f16a.test", "ایران.test"),
]


@pytest.mark.attack("IDN-02")
@pytest.mark.parametrize(("host", "shown"), HOSTS)
async def test_a_look_alike_is_shown_for_what_it_is(
    instance: Instance, browser: Browser, alice: Account, peer: Server, host: str, shown: str
) -> None:
    support = rename(peer, host).actor("support")
    await followed(instance, alice, support)
    mention = support.mention(alice.uri, "Please sign in")
    await deliver(instance, support, support.activity("Create", mention))
    port = peer.host.rsplit(":", 1)[1]
    for path in ("/home", "/mentions", "/notifications", "/@alice/following", f"/@support@{peer.host}"):
        page = await browser.get(path)
        handles = ["".join(one.itertext()) for one in page.all("bdi") if "@support" in "".join(one.itertext())]
        assert handles, path
        assert set(handles) <= {f"@support@{shown}:{port}", "@support"}, path
        assert f"@support@{shown}:{port}" in handles, path
    [told] = await instance.notifications(alice, types="mention")
    assert told["account"]["acct"] == f"support@{host}:{port}"


TRICKS = [
    "\u202eecila",
    "ali\u202dce\u202c",
    "alice\u2067",
    "\u2069\u2069alice",
    "a\u200bl\u200ci\u200dc\u2060e\ufeff",
    "alice\u00ad",
    "\u3164",
    "\u2800\u2800",
    "\u115f\u1160\uffa0",
    " \u00a0\u2003\u3000 ",
    "\u0300\u0301",
    "\U000e0041\U000e0042",
    "alice\x00\x07\x1b[31m",
    "alice\n\n\n\n\nbob",
    "ali" + "\u0489" * 500 + "ce",
]


def isolated(page: PageSeen, name: str) -> bool:
    """Whether every text node that holds the name is within ``bdi``, or in what has no direction around it."""
    parents = {child: parent for parent in page.tree.iter() for child in parent}
    for element in page.tree.iter():
        if not isinstance(element.tag, str) or name not in (element.text or ""):
            continue
        above: Any = element
        while above is not None and above.tag not in {"bdi", "title", "textarea", "p", "dd", "head"}:
            above = parents.get(above)
        if above is None:
            return False
    return True


@pytest.mark.attack("IDN-02")
async def test_a_name_reorders_nothing_and_is_never_blank(
    instance: Instance, browser: Browser, alice: Account, peer: Server
) -> None:
    mallory = peer.actor("mallory")
    actor_id = await followed(instance, alice, mallory)
    for number, trick in enumerate(TRICKS):
        mallory.extra = {"name": trick, "attachment": [{"type": "PropertyValue", "name": trick, "value": trick}]}
        note = mallory.mention(alice.uri, f"number {number}", summary=trick)
        update = mallory.activity("Update", {**mallory.document(), "updated": stamp(60)})
        await deliver(instance, mallory, update, mallory.activity("Create", note))
        remote = await instance.call("GET", f"/api/v1/accounts/{actor_id}", by=alice)
        typed = trick.replace("\x00", "")[:MAX_NAME]
        await instance.call("PATCH", "/api/v1/accounts/update_credentials", by=alice, json={"display_name": typed})
        local = await instance.call("GET", f"/api/v1/accounts/{alice.id}")
        for account, username in ((remote, "mallory"), (local, "alice")):
            name = account["display_name"]
            opened = sum(name.count(one) for one in "\u2066\u2067\u2068")
            assert opened == name.count("\u2069"), ascii(name)
            assert not (BIDI - set("\u2066\u2067\u2068\u2069")) & set(name), ascii(name)
            assert not INVISIBLE & set(name), ascii(name)
            assert not any(unicodedata.category(one) == "Cc" for one in name), ascii(name)
            assert len(name) <= 1000
            path = f"/@{username}" if username == "alice" else f"/@{mallory.handle[1:]}"
            page = await browser.get(f"{path}?max_id=1")
            heading = "".join(page.all("h1")[0].itertext())
            assert any(unicodedata.category(one)[0] in "LNSP" for one in heading), (ascii(trick), ascii(heading))
            assert page.all("h1")[0].find("bdi") is not None
            assert isolated(page, heading), ascii(trick)
    for path in ("/home", "/mentions", "/notifications"):
        assert isolated(await browser.get(path), mallory.extra["name"][:3])


@pytest.mark.attack("IDN-02")
@pytest.mark.parametrize(
    "name", ["аlice", "alicе", "ａlice", "Αlice", "al\u200bice", "alice\u202e", "ALICE", "admin", "alice "]
)
async def test_nobody_here_gets_a_user_name_like_anothers(make_instance: Any, name: str) -> None:
    instance = await make_instance(registrations="open")
    await instance.account("alice")
    app = await register(instance, scopes="read write")
    sent = {**grant(app, ""), "grant_type": "client_credentials", "scope": "read write"}
    token = (await instance.call("POST", "/oauth/token", json=sent))["access_token"]
    fields = {"username": name, "email": "x@example.com", "password": "x" * 12, "agreement": True}
    headers = {"Authorization": f"Bearer {token}"}
    await instance.call("POST", "/api/v1/accounts", headers=headers, json=fields, status=422)
