"""Handles: found, confirmed by their own domain, and never lent to anybody."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from typing import Any
from urllib.parse import quote

import pytest

from fediverse.remote import AddressGuard, Answered, Mismatch, NotActivityPub, Refused, Remote, RemoteError, read_handle
from fediverse.remote.webfinger import read_host_meta
from tests.support.wire import Wire, answer, listening

AP = "application/activity+json"
WELL_KNOWN = "/.well-known/webfinger?resource="


@pytest.fixture
async def peers() -> AsyncIterator[tuple[Wire, Wire]]:
    async with listening() as one, listening() as other:
        yield one, other


@pytest.fixture
async def remote() -> AsyncIterator[Remote]:
    async with Remote.open(guard=AddressGuard("127.0.0.1"), user_agent="test") as opened:
        yield opened


def domain(peer: Wire) -> str:
    return f"127.0.0.1:{peer.port}"


def handle_at(peer: Wire, user: str, href: Any, subject: Any = None, **more: Any) -> None:
    """Make the peer know a handle."""
    body = {
        "subject": f"acct:{user}@{domain(peer)}" if subject is None else subject,
        "links": [
            {"rel": "http://webfinger.net/rel/profile-page", "type": "text/html", "href": f"{peer.url}/@{user}"},
            {"rel": "self", "type": "text/html", "href": f"{peer.url}/wrong"},
            {"rel": "self", "type": AP, "href": href},
        ],
        **more,
    }
    path = f"{WELL_KNOWN}acct:{user}@{quote(domain(peer), safe=':')}"
    peer.answers[path] = answer(200, json.dumps(body).encode(), Content_Type="application/jrd+json")


async def test_a_handle_is_looked_up(remote: Remote, peers: tuple[Wire, Wire]) -> None:
    peer = peers[0]
    handle_at(peer, "alice", f"{peer.url}/users/alice", aliases=[f"{peer.url}/@alice", 5])
    found = await remote.webfinger("alice", domain(peer))
    assert found.subject == f"alice@{domain(peer)}"
    assert found.self_href == f"{peer.url}/users/alice"
    assert found.aliases == (f"{peer.url}/@alice",)
    assert found.subscribe_template is None
    assert peer.requests[0].headers["accept"] == "application/jrd+json, application/json"
    resolved = await remote.resolve_handle("alice", domain(peer).upper())
    assert (resolved.user, resolved.host, resolved.actor_uri) == ("alice", domain(peer), f"{peer.url}/users/alice")


async def test_the_page_for_following_from_elsewhere_is_told(remote: Remote, peers: tuple[Wire, Wire]) -> None:
    peer = peers[0]
    rel = "http://ostatus.org/schema/1.0/subscribe"
    template = f"{peer.url}/authorize_interaction?uri={{uri}}"
    handle_at(
        peer,
        "alice",
        "",
        links=[
            "odd",
            {"rel": rel, "template": template},
            {
                "rel": "self",
                "type": 'application/ld+json; profile="https://www.w3.org/ns/activitystreams"',
                "href": peer.url,
            },
        ],
    )
    found = await remote.webfinger("alice", domain(peer))
    assert (found.subscribe_template, found.self_href) == (template, peer.url)


@pytest.mark.parametrize(
    "href", ["", None, 5, "/users/a", "javascript:alert(1)", "https://127.1/a", "acct:a@b.example"]
)
async def test_without_an_actor_a_handle_is_of_no_use(href: Any, remote: Remote, peers: tuple[Wire, Wire]) -> None:
    handle_at(peers[0], "alice", href)
    with pytest.raises(NotActivityPub):
        await remote.resolve_handle("alice", domain(peers[0]))


@pytest.mark.parametrize("body", [b"", b"[]", b"<html>", b'{"subject": 5}', b'{"links": {}}', b'{"links": null}'])
async def test_odd_answers_are_none(body: bytes, remote: Remote, peers: tuple[Wire, Wire]) -> None:
    peer = peers[0]
    peer.answers[f"{WELL_KNOWN}acct:alice@{domain(peer)}"] = answer(200, body)
    with pytest.raises(NotActivityPub):
        await remote.webfinger("alice", domain(peer))


async def test_a_canonical_handle_elsewhere_is_confirmed_there(remote: Remote, peers: tuple[Wire, Wire]) -> None:
    """The split domain: the person is @alice@brand, the server runs at social.brand."""
    social, brand = peers
    subject = f"acct:alice@{domain(brand)}"
    handle_at(social, "alice", f"{social.url}/users/alice", subject)
    handle_at(brand, "alice", f"{social.url}/users/alice")
    resolved = await remote.resolve_handle("alice", domain(social))
    assert (resolved.user, resolved.host) == ("alice", domain(brand))
    assert (len(social.requests), len(brand.requests)) == (1, 1)
    confirmed = await remote.handle_of("alice", f"{social.url}/users/alice")
    assert (confirmed.user, confirmed.host) == ("alice", domain(brand))


@pytest.mark.attack("ORI-09")
@pytest.mark.parametrize("bank", ["unknown", "another actor", "another subject", "sends on", "broken"])
async def test_nobody_gets_a_handle_that_its_domain_does_not_confirm(
    bank: str, remote: Remote, peers: tuple[Wire, Wire]
) -> None:
    evil, good = peers
    mallory = f"{evil.url}/users/mallory"
    handle_at(evil, "ceo", mallory, f"acct:ceo@{domain(good)}")
    if bank == "another actor":
        handle_at(good, "ceo", f"{good.url}/users/ceo")
    elif bank == "another subject":
        handle_at(good, "ceo", mallory, f"acct:chair@{domain(good)}")
    elif bank == "sends on":
        handle_at(good, "ceo", mallory, f"acct:ceo@{domain(evil)}")
    elif bank == "broken":
        good.answers[f"{WELL_KNOWN}acct:ceo@{domain(good)}"] = b"\x00\r\n\r\n"
    resolved = await remote.resolve_handle("ceo", domain(evil))
    assert (resolved.user, resolved.host, resolved.actor_uri) == ("ceo", domain(evil), mallory)
    assert len(evil.requests) == 1
    assert good.paths[0] == f"{WELL_KNOWN}acct:ceo@{domain(good)}"


@pytest.mark.attack("ORI-09")
async def test_an_actor_has_only_the_handle_that_leads_back_to_it(remote: Remote, peers: tuple[Wire, Wire]) -> None:
    evil, good = peers
    handle_at(good, "ceo", f"{good.url}/users/ceo")
    found = await remote.handle_of("ceo", f"{good.url}/users/ceo")
    assert (found.user, found.host) == ("ceo", domain(good))
    handle_at(evil, "ceo", f"{good.url}/users/ceo")
    for name, actor in (("ceo", f"{evil.url}/users/mallory"), ("ceo", f"{good.url}/users/other")):
        with pytest.raises(Mismatch):
            await remote.handle_of(name, actor)
    with pytest.raises(Answered):
        await remote.handle_of("mallory", f"{evil.url}/users/mallory")


@pytest.mark.parametrize(
    "subject", ["acct:a@b@c.example", "acct:", "acct:@", "acct:alice@127.1", "acct:a b@c.example", "acct:a@c.example/x"]
)
async def test_a_malformed_subject_is_refused(subject: str, remote: Remote, peers: tuple[Wire, Wire]) -> None:
    handle_at(peers[0], "alice", f"{peers[0].url}/users/alice", subject)
    with pytest.raises(RemoteError):
        await remote.resolve_handle("alice", domain(peers[0]))


@pytest.mark.parametrize("subject", ["https://example.org/@alice", 5, ""])
async def test_a_subject_that_is_no_handle_changes_nothing(
    subject: Any, remote: Remote, peers: tuple[Wire, Wire]
) -> None:
    handle_at(peers[0], "alice", f"{peers[0].url}/users/alice", subject)
    resolved = await remote.resolve_handle("alice", domain(peers[0]))
    assert (resolved.user, resolved.host) == ("alice", domain(peers[0]))


def host_meta(*links: str, prolog: str = '<?xml version="1.0" encoding="UTF-8"?>') -> bytes:
    return f'{prolog}<XRD xmlns="http://docs.oasis-open.org/ns/xri/xrd-1.0">{"".join(links)}</XRD>'.encode()


async def test_host_meta_leads_the_way_where_there_is_no_webfinger(remote: Remote, peers: tuple[Wire, Wire]) -> None:
    one, other = peers
    one.answers["/.well-known/host-meta"] = answer(
        200,
        host_meta(
            f'<Link rel="lrdd" type="application/xrd+xml" template="{other.url}/xml?q={{uri}}"/>',
            f'<Link rel="lrdd" type="application/json" template="{other.url}/wf?q={{uri}}&amp;x=1"/>',
        ),
    )
    body = {
        "subject": f"acct:alice@{domain(one)}",
        "links": [{"rel": "self", "type": AP, "href": f"{other.url}/alice"}],
    }
    other.answers[f"/wf?q=acct%3Aalice%40127.0.0.1%3A{one.port}&x=1"] = answer(200, json.dumps(body).encode())
    assert (await remote.webfinger("alice", domain(one))).self_href == f"{other.url}/alice"
    assert one.requests[1].headers["accept"] == "application/xrd+xml"


@pytest.mark.parametrize(
    "meta",
    [
        b"",
        b"<html>",
        host_meta(),
        host_meta('<Link rel="lrdd" template="https://a.example/"/>'),
        host_meta('<Link rel="lrdd" template="http://127.0.0.1:SELF/.well-known/webfinger?resource={uri}"/>'),
        host_meta(prolog='<!DOCTYPE x [<!ENTITY a "b">]>'),
    ],
)
async def test_useless_host_meta_leaves_the_first_answer(meta: bytes, remote: Remote, peers: tuple[Wire, Wire]) -> None:
    peer = peers[0]
    peer.answers["/.well-known/host-meta"] = answer(200, meta.replace(b"SELF", str(peer.port).encode()))
    with pytest.raises(Answered) as told:
        await remote.webfinger("alice", domain(peer))
    assert told.value.gone
    assert len(peer.requests) <= 3


async def test_other_failures_are_not_taken_for_absence(remote: Remote, peers: tuple[Wire, Wire]) -> None:
    peer = peers[0]
    peer.answers[f"{WELL_KNOWN}acct:alice@{domain(peer)}"] = answer(503)
    with pytest.raises(Answered) as told:
        await remote.webfinger("alice", domain(peer))
    assert told.value.code == 503
    assert len(peer.requests) == 1


def test_xml_with_a_document_type_is_not_read_at_all() -> None:
    levels = "".join(f'<!ENTITY a{n + 1} "{f"&a{n};" * 10}">' for n in range(9))
    bomb = f'<!DOCTYPE XRD [<!ENTITY a0 "lol">{levels}]>'
    outside = '<!DOCTYPE XRD [<!ENTITY x SYSTEM "file:///etc/passwd">]>'
    link = '<Link rel="lrdd" template="https://a.example/?{uri}"/>'
    assert read_host_meta(host_meta(link)) == "https://a.example/?{uri}"
    for prolog in (bomb, outside, "<!DOCTYPE XRD>"):
        with pytest.raises(ValueError, match="document type"):
            read_host_meta(host_meta(link, prolog=prolog))


def test_handles_are_read_in_their_three_forms() -> None:
    for text in ("alice@Example.org", "@alice@example.org", "acct:alice@EXAMPLE.org."):
        assert read_handle(text) == ("alice", "example.org")
    assert read_handle("@a.b-c@127.0.0.1:8001") == ("a.b-c", "127.0.0.1:8001")
    assert read_handle("@ä@münchen.example") == ("ä", "xn--mnchen-3ya.example")
    assert read_handle("a@[::1]:80") == ("a", "[::1]:80")


@pytest.mark.parametrize(
    "text",
    [
        "",
        "@",
        "alice",
        "@alice",
        "a@",
        "@@b.example",
        "a@b@c.example",
        "a b@c.example",
        "a/b@c.example",
        "a@c.example/x",
    ],
)
def test_what_is_no_handle_is_refused(text: str) -> None:
    with pytest.raises(Refused):
        read_handle(text)
