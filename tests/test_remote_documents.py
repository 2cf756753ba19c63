"""What counts as an ActivityPub document, and for which address it speaks."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from typing import Any

import pytest

from fediverse.remote import (
    AddressGuard,
    Answered,
    Mismatch,
    NotActivityPub,
    Refused,
    Remote,
    is_activity_type,
    parse_object,
)
from tests.support.wire import AP, Request, Wire, answer, listening

AS = "https://www.w3.org/ns/activitystreams"


@pytest.fixture
async def peers() -> AsyncIterator[tuple[Wire, Wire]]:
    async with listening() as one, listening() as other:
        yield one, other


@pytest.fixture
async def remote(peers: tuple[Wire, Wire]) -> AsyncIterator[Remote]:
    async with Remote.open(guard=AddressGuard("127.0.0.1"), user_agent="test/1 (+https://t.example)") as opened:
        yield opened


def document(identity: Any, kind: str = AP, **more: Any) -> bytes:
    return answer(200, json.dumps({"id": identity, "type": "Note", **more}).encode(), Content_Type=kind)


@pytest.mark.attack("ORI-02")
@pytest.mark.parametrize(
    ("header", "expected"),
    [
        ("application/activity+json", True),
        ("Application/Activity+JSON; charset=utf-8", True),
        (f'application/ld+json; profile="{AS}"', True),
        (f'application/ld+json; charset="utf-8"; profile="{AS}"', True),
        (f'application/ld+json;profile="http://other.example {AS}";charset=utf-8', True),
        (f"application/ld+json; profile={AS}", True),
        ("application/ld+json", False),
        ('application/ld+json; profile="https://www.w3.org/ns/activitystreams-not"', False),
        (f'application/ld+json; x="profile={AS}"', False),
        (f'application/ld+json; profile="a"; profile="{AS}"', False),
        ("application/json", False),
        (f'application/json; profile="{AS}"', False),
        ("text/html", False),
        ("text/plain, application/activity+json", False),
        ("application/activity+json, text/html", False),
        ("application/octet-stream", False),
        ("image/png; application/activity+json", False),
        ("application/activity+json; broken", False),
        ("", False),
    ],
)
async def test_only_two_content_types_are_activitypub(
    header: str, expected: bool, remote: Remote, peers: tuple[Wire, Wire]
) -> None:
    assert is_activity_type(header) is expected
    url = f"{peers[0].url}/n"
    peers[0].answers["/n"] = document(url, header)
    if expected:
        assert (await remote.get_document(url, sign=None)).body["id"] == url
    else:
        with pytest.raises(NotActivityPub):
            await remote.get_document(url, sign=None)


async def test_two_content_types_at_once_are_none(remote: Remote, peers: tuple[Wire, Wire]) -> None:
    url = f"{peers[0].url}/n"
    peers[0].answers["/n"] = document(url, f"{AP}\r\nContent-Type: {AP}")
    with pytest.raises(NotActivityPub):
        await remote.get_document(url, sign=None)


NOT_OBJECTS = {
    "empty": b"",
    "null": b"null",
    "list": b"[]",
    "string": b'"x"',
    "html": b"<html>",
    "NaN": b'{"a": NaN}',
    "Infinity": b'{"a": -Infinity}',
    "BOM": b'\xef\xbb\xbf{"a": 1}',
    "UTF-16": '{"a": 1}'.encode("utf-16"),
    "Latin-1": '{"a": "ü"}'.encode("latin-1"),
    "surrogate": b'{"a": "\\ud800"}',
    "5,000 digits": b'{"a": ' + b"9" * 5000 + b"}",
    "cut": b'{"a": 1',
    "two": b"{} {}",
    "twice": b'{"id": "https://a.example/", "id": "https://b.example/"}',
    "twice inside": b'{"a": [{"b": 1, "\\u0062": 2}]}',
    "65 levels": b'{"a":' * 65 + b"1" + b"}" * 65,
    "65 mixed levels": b'{"a":' + b"[" * 64 + b"]" * 64 + b"}",
    "bottomless": b'{"a":' + b"[" * 100_000,
    "100,000 levels": b'{"a":' + b"[" * 100_000 + b"]" * 100_000 + b"}",
}


@pytest.mark.attack("DOS-05", "DOS-06")
@pytest.mark.parametrize("body", NOT_OBJECTS.values(), ids=NOT_OBJECTS.keys())
async def test_what_is_no_proper_json_object_is_refused_in_a_sentence(
    body: bytes, remote: Remote, peers: tuple[Wire, Wire]
) -> None:
    with pytest.raises(ValueError, match="This"):
        parse_object(body)
    peers[0].answers["/n"] = answer(200, body, Content_Type=AP)
    for fetch in (remote.get_document(f"{peers[0].url}/n", sign=None), remote.get_json(f"{peers[0].url}/n")):
        with pytest.raises(NotActivityPub):
            await fetch


def test_odd_but_proper_json_is_read() -> None:
    assert parse_object(b'{"a":' * 64 + b"1" + b"}" * 64)
    assert parse_object(b'{"a": [{"b": 1}, {"b": 2}]}') == {"a": [{"b": 1}, {"b": 2}]}
    assert len(parse_object(json.dumps({"a": list(range(100_000))}).encode())["a"]) == 100_000


async def test_a_document_speaks_for_the_url_it_came_from(remote: Remote, peers: tuple[Wire, Wire]) -> None:
    peer = peers[0]
    peer.answers["/u/a"] = document(f"{peer.url}/u/a")
    found = await remote.get_document(f"{peer.url}/u/a", sign=None)
    assert (found.url_final, found.body["type"]) == (f"{peer.url}/u/a", "Note")
    # The key of an actor is asked for with a fragment, which is not sent.
    assert (await remote.get_document(f"{peer.url}/u/a#main-key", sign=None)).url_final == f"{peer.url}/u/a"
    assert peer.paths == ["/u/a", "/u/a"]
    assert peer.requests[0].headers["accept"] == f'{AP}, application/ld+json; profile="{AS}"'
    assert peer.requests[0].headers["user-agent"] == "test/1 (+https://t.example)"
    assert "cookie" not in peer.requests[0].headers


async def test_the_host_is_compared_without_case_and_the_rest_exactly() -> None:
    async def resolver(_host: str) -> list[str]:
        return ["127.0.0.1"]

    async with (
        listening() as peer,
        Remote.open(guard=AddressGuard("127.0.0.1"), user_agent="t", resolver=resolver) as remote,
    ):
        peer.answers["/u/A"] = document(f"HTTP://Peer.TEST:{peer.port}/u/A")
        found = await remote.get_document(f"http://peer.test:{peer.port}/u/A", sign=None)
        assert found.url_final == f"http://peer.test:{peer.port}/u/A"
        peer.answers["/u/a"] = document(f"http://peer.test:{peer.port}/U/a")
        with pytest.raises(Answered):  # its own id is another place, where there is nothing
            await remote.get_document(f"http://peer.test:{peer.port}/u/a", sign=None)


async def test_a_part_of_a_page_is_asked_for_by_its_own_id(remote: Remote, peers: tuple[Wire, Wire]) -> None:
    peer = peers[0]
    peer.answers["/u/a"] = document(f"{peer.url}/u/a#key")
    for asked, requests in (("/u/a#key", 1), ("/u/a#other-key", 2), ("/u/a", 2)):
        peer.requests.clear()
        found = await remote.get_document(peer.url + asked, sign=None)
        assert (found.url_final, found.body["id"]) == (f"{peer.url}/u/a", f"{peer.url}/u/a#key")
        assert len(peer.requests) == requests


@pytest.mark.attack("ORI-01")
async def test_a_page_that_names_its_own_id_is_fetched_from_there(remote: Remote, peers: tuple[Wire, Wire]) -> None:
    one, other = peers
    one.answers["/@a"] = document(f"{one.url}/users/a")
    one.answers["/users/a"] = document(f"{one.url}/users/a")
    assert (await remote.get_document(f"{one.url}/@a", sign=None)).url_final == f"{one.url}/users/a"
    # On another host just the same: the copy here is worth nothing, the one there everything.
    one.answers["/copy"] = document(f"{other.url}/n", content="forged")
    other.answers["/n"] = document(f"{other.url}/n", content="true")
    assert (await remote.get_document(f"{one.url}/copy", sign=None)).body["content"] == "true"
    assert one.paths == ["/@a", "/users/a", "/copy"]
    assert other.paths == ["/n"]


@pytest.mark.attack("ORI-01")
async def test_there_is_one_second_fetch_and_it_must_match(remote: Remote, peers: tuple[Wire, Wire]) -> None:
    one, other = peers
    one.answers["/1"] = document(f"{other.url}/2")
    other.answers["/2"] = document(f"{one.url}/3")
    one.answers["/3"] = document(f"{one.url}/3")
    with pytest.raises(Mismatch):
        await remote.get_document(f"{one.url}/1", sign=None)
    assert (one.paths, other.paths) == (["/1"], ["/2"])
    # The second may redirect, but not to a document with a third id, though that one agrees with its own place.
    other.answers["/2"] = answer(302, Location=f"{one.url}/3")
    with pytest.raises(Mismatch):
        await remote.get_document(f"{one.url}/1", sign=None)


@pytest.mark.attack("ORI-03")
async def test_an_open_redirect_lends_nobody_its_name(remote: Remote, peers: tuple[Wire, Wire]) -> None:
    victim, evil = peers
    path = f"/open?u={evil.url}/evil"
    victim.answers[path] = answer(302, Location=f"{evil.url}/evil")
    evil.answers["/evil"] = document(victim.url + path, content="forged")
    with pytest.raises(Mismatch):
        await remote.get_document(victim.url + path, sign=None)
    # The document is evil's own, whoever pointed there.
    evil.answers["/evil"] = document(f"{evil.url}/evil")
    assert (await remote.get_document(victim.url + path, sign=None)).url_final == f"{evil.url}/evil"


@pytest.mark.parametrize(
    "identity", [None, 5, "", ["https://a.example/"], {"id": "x"}, "urn:x", "/n", "https://127.1/"]
)
async def test_without_a_usable_id_it_is_nobodys(identity: Any, remote: Remote, peers: tuple[Wire, Wire]) -> None:
    peers[0].answers["/n"] = document(identity)
    with pytest.raises(Mismatch):
        await remote.get_document(f"{peers[0].url}/n", sign=None)
    assert peers[0].paths == ["/n"]


@pytest.mark.parametrize("status", [201, 204, 304, 400, 401, 403, 404, 410, 429, 500, 503])
async def test_other_statuses_are_told(status: int, remote: Remote, peers: tuple[Wire, Wire]) -> None:
    peers[0].answers["/n"] = answer(status, Retry_After="120")
    with pytest.raises(Answered) as told:
        await remote.get_document(f"{peers[0].url}/n", sign=None)
    assert (told.value.code, told.value.retry_after, told.value.status) == (status, 120.0, 502)
    assert told.value.gone is (status in (404, 410))


async def test_each_hop_is_signed_anew(remote: Remote, peers: tuple[Wire, Wire]) -> None:
    one, other = peers
    signed: list[tuple[str, str, bytes | None]] = []

    def sign(method: str, url: str, body: bytes | None) -> dict[str, str]:
        signed.append((method, url, body))
        return {"Host": url.split("/")[2], "Signature": f"number {len(signed)}"}

    one.answers["/a?x=%2F#f"] = answer(500)
    one.answers["/a?x=%2F"] = answer(307, Location=f"{other.url}/b")
    other.answers["/b"] = answer(301, Location="c")
    other.answers["/c"] = document(f"{one.url}/d")
    one.answers["/d"] = document(f"{one.url}/d")
    await remote.get_document(f"{one.url}/a?x=%2F#f", sign=sign)
    urls = [f"{one.url}/a?x=%2F", f"{other.url}/b", f"{other.url}/c", f"{one.url}/d"]
    assert signed == [("GET", url, None) for url in urls]
    arrived = [one.requests[0], *other.requests, one.requests[1]]
    assert [request.headers["signature"] for request in arrived] == [f"number {n}" for n in range(1, 5)]
    assert [request.headers["host"] for request in arrived] == [url.split("/")[2] for url in urls]


@pytest.mark.attack("SSRF-06")
async def test_five_redirects_are_followed_and_no_sixth(remote: Remote, peers: tuple[Wire, Wire]) -> None:
    peer = peers[0]
    for number in range(25):
        peer.answers[f"/{number}"] = answer(302, Location=f"/{number + 1}")
    peer.answers["/25"] = document(f"{peer.url}/25")
    await remote.get_document(f"{peer.url}/20", sign=None)
    assert len(peer.requests) == 6
    peer.requests.clear()
    with pytest.raises(Refused, match="too often"):
        await remote.get_document(f"{peer.url}/0", sign=None)
    assert len(peer.requests) == 6


@pytest.mark.attack("SSRF-06")
async def test_no_url_is_asked_twice(remote: Remote, peers: tuple[Wire, Wire]) -> None:
    one, other = peers
    one.answers["/self"] = answer(302, Location="/self#again")
    one.answers["/a"] = answer(302, Location=f"{other.url}/b")
    other.answers["/b"] = answer(302, Location=f"{one.url}/a")
    for path, asked in (("/self", 1), ("/a", 1)):
        one.requests.clear()
        with pytest.raises(Refused, match="circles"):
            await remote.get_document(one.url + path, sign=None)
        assert len(one.requests) == asked
    assert other.paths == ["/b"]


async def test_a_redirect_without_a_place_is_just_its_status(remote: Remote, peers: tuple[Wire, Wire]) -> None:
    async def ask(request: Request, writer: Any) -> None:
        writer.write(answer(302))

    peers[0].answers["/n"] = ask
    with pytest.raises(Answered) as told:
        await remote.get_json(f"{peers[0].url}/n")
    assert told.value.code == 302


async def test_json_of_any_type_is_read_as_json(remote: Remote, peers: tuple[Wire, Wire]) -> None:
    peers[0].answers["/nodeinfo"] = answer(200, b'{"version": "2.0"}', Content_Type="text/plain")
    assert await remote.get_json(f"{peers[0].url}/nodeinfo") == {"version": "2.0"}
    assert peers[0].requests[0].headers["accept"] == "application/json"
