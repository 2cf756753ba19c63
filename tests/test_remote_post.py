"""Deliveries: every status is a value, connections are used again, and a bad answer costs nobody else anything."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import pytest

from fediverse.remote import AddressGuard, Refused, Remote, Unreachable
from tests.support.wire import Request, Script, Wire, answer, listening
from tests.test_remote_limits import LONG, SHORT, SLOW, forever


@pytest.fixture
async def peer() -> AsyncIterator[Wire]:
    async with listening() as wire:
        yield wire


@pytest.fixture
async def remote() -> AsyncIterator[Remote]:
    async with Remote.open(guard=AddressGuard("127.0.0.1"), user_agent="test/1", deadlines=SHORT) as opened:
        yield opened


async def test_what_is_given_is_sent_and_the_answer_comes_back(remote: Remote, peer: Wire) -> None:
    peer.answers["/inbox?a=%2F"] = answer(
        429, b"<p>too many</p>", Retry_After="30", Accept_Signature='sig1=("@method")', Set_Cookie="a=b"
    )
    headers = {
        "Host": "x.example",
        "Digest": "SHA-256=abc",
        "Signature": "s",
        "Content-Type": "application/activity+json",
    }
    for _ in range(2):
        result = await remote.post(f"{peer.url}/inbox?a=%2F#fragment", b'{"a":1}', headers)
        assert (result.status, result.retry_after) == (429, 30.0)
        assert (result.accept_signature, result.body_excerpt) == ('sig1=("@method")', "<p>too many</p>")
    for request in peer.requests:
        assert (request.method, request.body) == ("POST", b'{"a":1}')
        assert {name: request.headers[name.lower()] for name in headers} == headers
        assert request.headers["user-agent"] == "test/1"
        assert request.headers["content-length"] == "7"
        assert "cookie" not in request.headers
    assert len(peer.accepted) == 1


@pytest.mark.parametrize("status", [200, 201, 202, 204, 301, 302, 307, 308, 400, 401, 404, 410, 500, 501, 503])
async def test_every_status_is_a_value_and_no_redirect_is_followed(status: int, remote: Remote, peer: Wire) -> None:
    peer.answers["/inbox"] = answer(status, Location=f"{peer.url}/elsewhere")
    result = await remote.post(f"{peer.url}/inbox", b"{}", {})
    assert (result.status, result.retry_after, result.accept_signature) == (status, None, None)
    assert peer.paths == ["/inbox"]


@pytest.fixture
async def patient() -> AsyncIterator[Remote]:
    """Has so much time that a busy machine is no failure."""
    async with Remote.open(guard=AddressGuard("127.0.0.1"), user_agent="test/1", deadlines=LONG) as opened:
        yield opened


async def test_connections_are_kept_and_not_held_back(patient: Remote, peer: Wire) -> None:
    """As many at once as the caller likes, up to the number of all; then the same connections again."""
    arrived = 0
    everyone = asyncio.Event()

    async def script(_request: Request, writer: asyncio.StreamWriter) -> None:
        nonlocal arrived
        arrived += 1
        if arrived == 100:
            everyone.set()
        await everyone.wait()
        writer.write(answer(202))

    peer.answers["/inbox"] = script
    for _ in range(3):
        results = await asyncio.gather(*(patient.post(f"{peer.url}/inbox", b"{}", {}) for _ in range(100)))
        assert {result.status for result in results} == {202}
    assert len(peer.accepted) == 100


async def test_an_answer_after_continue_and_in_chunks_is_read(remote: Remote, peer: Wire) -> None:
    peer.answers["/inbox"] = (
        b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early\r\nLink: x\r\n\r\n"
        b"HTTP/1.1 202 Accepted\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n2;x=y\r\nde\r\n0\r\nTrailer: t\r\n\r\n"
    )
    for _ in range(2):
        result = await remote.post(f"{peer.url}/inbox", b"{}", {})
        assert (result.status, result.body_excerpt) == (202, "abcde")
    assert len(peer.accepted) == 1


async def test_only_the_beginning_of_a_long_answer_is_kept(remote: Remote, peer: Wire) -> None:
    peer.answers["/long"] = answer(500, b"\xff" + b"x" * 60_000)
    peer.answers["/endless"] = forever(b"HTTP/1.1 500 X\r\nContent-Length: 5000000000\r\n\r\n", b"y" * 65536)
    long = await remote.post(f"{peer.url}/long", b"{}", {})
    assert (long.status, long.body_excerpt) == (500, "\ufffd" + "x" * 1023)
    endless = await remote.post(f"{peer.url}/endless", b"{}", {})
    assert (endless.status, endless.body_excerpt) == (500, "y" * 1024)
    # The first connection was read to its end and used again; the endless one was given up.
    assert len(peer.accepted) == 1
    await remote.post(f"{peer.url}/long", b"{}", {})
    assert len(peer.accepted) == 2


@pytest.mark.parametrize("script", SLOW.values(), ids=SLOW.keys())
async def test_a_tarpit_is_left_but_a_status_that_arrived_counts(
    script: Script | bytes, remote: Remote, peer: Wire
) -> None:
    peer.answers["/inbox"] = script
    headless = script in (SLOW["silence"], SLOW["one header byte at a time"], SLOW["continue for ever"])
    if headless:
        with pytest.raises(Unreachable):
            await remote.post(f"{peer.url}/inbox", b"{}", {})
    else:
        assert (await remote.post(f"{peer.url}/inbox", b"{}", {})).status == 200


async def test_a_server_that_does_not_read_is_left(remote: Remote) -> None:
    async def deaf(_reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.transport.pause_reading()
        await asyncio.sleep(5)
        writer.close()

    server = await asyncio.start_server(deaf, "127.0.0.1", 0, limit=1024)
    async with server:
        port = server.sockets[0].getsockname()[1]
        with pytest.raises(Unreachable):
            await remote.post(f"http://127.0.0.1:{port}/inbox", b"x" * 20_000_000, {})


def closing(*, after: int) -> tuple[Script, list[bytes]]:
    """Answers so many requests on each connection, then closes it when the next arrives, without a word."""
    counts: dict[int, int] = {}
    bodies: list[bytes] = []

    async def script(request: Request, writer: asyncio.StreamWriter) -> None:
        counts[id(writer)] = counts.get(id(writer), 0) + 1
        bodies.append(request.body)
        if counts[id(writer)] > after:
            writer.close()
        else:
            writer.write(answer(202))

    return script, bodies


async def test_a_connection_that_went_stale_is_replaced_once(remote: Remote, peer: Wire) -> None:
    script, bodies = closing(after=1)
    peer.answers["/inbox"] = script
    for number in (b"1", b"2", b"3"):
        assert (await remote.post(f"{peer.url}/inbox", number, {})).status == 202
    assert bodies == [b"1", b"2", b"2", b"3", b"3"]
    assert len(peer.accepted) == 3


async def test_a_new_connection_that_is_closed_is_a_failure(remote: Remote, peer: Wire) -> None:
    script, bodies = closing(after=0)
    peer.answers["/inbox"] = script
    with pytest.raises(Unreachable):
        await remote.post(f"{peer.url}/inbox", b"1", {})
    assert bodies == [b"1"]


async def test_nothing_is_sent_twice_once_an_answer_began(remote: Remote, peer: Wire) -> None:
    async def cut(_request: Request, writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 202 Accepted\r\nContent-Length: 100\r\n\r\nhalf")
        await writer.drain()
        writer.close()

    peer.answers["/warm"] = answer(202)
    peer.answers["/inbox"] = cut
    await remote.post(f"{peer.url}/warm", b"", {})
    result = await remote.post(f"{peer.url}/inbox", b"{}", {})
    assert (result.status, result.body_excerpt) == (202, "half")
    assert peer.paths == ["/warm", "/inbox"]


@pytest.mark.parametrize("garbage", [b"\x00\xff\x16\r\n\r\n", b"220 smtp\r\n", b"HTTP/1.1 2 X\r\n\r\n"])
async def test_garbage_is_no_answer(garbage: bytes, remote: Remote, peer: Wire) -> None:
    peer.answers["/inbox"] = garbage
    with pytest.raises(Unreachable):
        await remote.post(f"{peer.url}/inbox", b"{}", {})


async def test_nobody_there_is_unreachable(remote: Remote) -> None:
    async with listening() as gone:
        pass
    with pytest.raises(Unreachable):
        await remote.post(f"{gone.url}/inbox", b"{}", {})


async def test_what_is_no_address_is_refused(remote: Remote) -> None:
    for url in ("", "inbox", "http://8.8.8.8/inbox", "https://10.0.0.1/inbox", "https://user@a.example/"):
        with pytest.raises(Refused):
            await remote.post(url, b"{}", {})


async def test_headers_cannot_be_smuggled_in(remote: Remote, peer: Wire) -> None:
    with pytest.raises(ValueError, match=r"[Nn]ewline|header"):
        await remote.post(f"{peer.url}/inbox", b"{}", {"Signature": "a\r\nX-Evil: b"})
    assert peer.requests == []
