"""Hostile servers: whatever they send or do not send, an error comes back and nothing stays behind.

Seconds are shortened by ``Deadlines``, and nothing here measures them: that the call ends is what is tested.
"""

from __future__ import annotations

import asyncio
import gzip
import zlib
from collections.abc import AsyncIterator, Awaitable, Callable
from datetime import UTC, datetime
from email.utils import format_datetime

import pytest

from fediverse.remote import (
    AddressGuard,
    Deadlines,
    NotActivityPub,
    Remote,
    RemoteError,
    TooBig,
    Unreachable,
)
from fediverse.remote.limits import MAX_BODY_BYTES, MAX_FETCHES_PER_HOST
from fediverse.remote.transport import read_retry_after
from tests.support.wire import AP, Request, Script, Wire, answer, listening

SHORT = Deadlines(connect=0.3, fetch=0.4, delivery=0.4, drain=0.2)
LONG = Deadlines(connect=30, fetch=60, delivery=60, drain=30)
OK = b"HTTP/1.1 200 OK\r\nContent-Type: application/activity+json\r\n"


@pytest.fixture
async def peer() -> AsyncIterator[Wire]:
    async with listening() as wire:
        yield wire


@pytest.fixture
async def hasty() -> AsyncIterator[Remote]:
    async with Remote.open(guard=AddressGuard("127.0.0.1"), user_agent="t", deadlines=SHORT) as opened:
        yield opened


@pytest.fixture
async def patient() -> AsyncIterator[Remote]:
    """Has so much time that only the other limits can end a call."""
    async with Remote.open(guard=AddressGuard("127.0.0.0/8"), user_agent="t", deadlines=LONG) as opened:
        yield opened


def forever(start: bytes, piece: bytes, pause: float = 0.0) -> Script:
    async def script(_request: Request, writer: asyncio.StreamWriter) -> None:
        writer.write(start)
        while True:
            writer.write(piece)
            await writer.drain()
            await asyncio.sleep(pause)

    return script


async def _close(_request: Request, writer: asyncio.StreamWriter) -> None:
    writer.close()


SLOW: dict[str, Script | bytes] = {
    "silence": forever(b"", b"", 0.01),
    "one byte at a time": forever(OK + b"Content-Length: 9999\r\n\r\n", b" ", 0.02),
    "one header byte at a time": forever(OK + b"X-Slow: ", b"a", 0.02),
    "continue for ever": forever(b"", b"HTTP/1.1 100 Continue\r\n\r\n", 0.02),
    "half a body": OK + b"Content-Length: 100\r\n\r\n{",
    "chunks that do not end": forever(OK + b"Transfer-Encoding: chunked\r\n\r\n", b"1\r\n \r\n", 0.02),
}
BROKEN: dict[str, Script | bytes] = {
    "closed at once": _close,
    "garbage": b"\x00\xff\x16\x03garbage\r\n\r\n",
    "not HTTP": b"220 mail.example ESMTP\r\n\r\n",
    "no status": b"HTTP/1.1 \r\n\r\n",
    "status beyond": b"HTTP/1.1 99999 X\r\n\r\n",
    "headers without end": forever(OK, b"X-A: b\r\n"),
    "one endless header": forever(OK + b"X-A: ", b"a" * 1000),
    "an endless first line": forever(b"HTTP/1.1 200 ", b"a" * 1000),
    "negative length": OK + b"Content-Length: -5\r\n\r\n{}",
    "length no number": OK + b"Content-Length: five\r\n\r\n{}",
    "two lengths": OK + b"Content-Length: 2\r\nContent-Length: 3\r\n\r\n{}",
    "bad chunk": OK + b"Transfer-Encoding: chunked\r\n\r\nzz\r\n{}\r\n0\r\n\r\n",
    "unknown encoding": answer(200, b"{}", Content_Type=AP, Content_Encoding="br"),
    "two encodings": answer(200, gzip.compress(gzip.compress(b"{}")), Content_Type=AP, Content_Encoding="gzip, gzip"),
    "deflate unasked": answer(200, zlib.compress(b"{}"), Content_Type=AP, Content_Encoding="deflate"),
    "not gzip": answer(200, b"{}", Content_Type=AP, Content_Encoding="gzip"),
    "half a gzip": answer(200, gzip.compress(b"{}" * 999)[:-9], Content_Type=AP, Content_Encoding="gzip"),
    "gzip and more": answer(200, gzip.compress(b"{}") + b"more", Content_Type=AP, Content_Encoding="gzip"),
}
CHUNK = b"10000\r\n" + b" " * 0x10000 + b"\r\n"
BIG: dict[str, Script | bytes] = {
    "announced": OK + b"Content-Length: 5000000000\r\n\r\n{",
    "one byte more": answer(200, b" " * (MAX_BODY_BYTES + 1), Content_Type=AP),
    "one byte more in chunks": OK + b"Transfer-Encoding: chunked\r\n\r\n" + CHUNK * 16 + b"1\r\n \r\n0\r\n\r\n",
    "endless chunks": forever(OK + b"Transfer-Encoding: chunked\r\n\r\n", CHUNK),
    "until it closes": forever(OK + b"Connection: close\r\n\r\n", b" " * 65536),
    "a bomb": answer(200, gzip.compress(b"\0" * 50_000_000), Content_Type=AP, Content_Encoding="gzip"),
    "one byte more packed": answer(
        200, gzip.compress(b" " * (MAX_BODY_BYTES + 1)), Content_Type=AP, Content_Encoding="gzip"
    ),
    "nothing, packed for ever": forever(
        OK + b"Content-Encoding: gzip\r\nConnection: close\r\n\r\n" + gzip.compress(b"")[:10],
        b"\x00\x00\x00\xff\xff" * 9999,
    ),
}

Fetch = Callable[[Remote, str], Awaitable[object]]
FETCHES: dict[str, Fetch] = {
    "document": lambda remote, url: remote.get_document(url, sign=None),
    "json": lambda remote, url: remote.get_json(url),
    "bytes": lambda remote, url: remote.get_bytes(url, max_bytes=MAX_BODY_BYTES, accept="*/*", types=[AP]),
}


@pytest.mark.attack("DOS-02")
@pytest.mark.parametrize("fetch", FETCHES.values(), ids=FETCHES.keys())
@pytest.mark.parametrize("script", SLOW.values(), ids=SLOW.keys())
async def test_a_slow_answer_is_cut_off(script: Script | bytes, fetch: Fetch, hasty: Remote, peer: Wire) -> None:
    peer.answers["/x"] = script
    with pytest.raises(Unreachable):
        await fetch(hasty, f"{peer.url}/x")


@pytest.mark.attack("DOS-02", "DOS-03")
@pytest.mark.parametrize("fetch", FETCHES.values(), ids=FETCHES.keys())
@pytest.mark.parametrize("script", BROKEN.values(), ids=BROKEN.keys())
async def test_a_broken_answer_is_no_answer(script: Script | bytes, fetch: Fetch, patient: Remote, peer: Wire) -> None:
    peer.answers["/x"] = script
    with pytest.raises(Unreachable):
        await fetch(patient, f"{peer.url}/x")


@pytest.mark.attack("DOS-02", "DOS-03")
@pytest.mark.parametrize("fetch", FETCHES.values(), ids=FETCHES.keys())
@pytest.mark.parametrize("script", BIG.values(), ids=BIG.keys())
async def test_a_big_answer_is_not_read_to_its_end(
    script: Script | bytes, fetch: Fetch, patient: Remote, peer: Wire
) -> None:
    peer.answers["/x"] = script
    with pytest.raises((TooBig, Unreachable) if script is BIG["nothing, packed for ever"] else TooBig):
        await fetch(patient, f"{peer.url}/x")


async def test_exactly_the_limit_is_taken_plain_and_packed(patient: Remote, peer: Wire) -> None:
    body = b"x" * MAX_BODY_BYTES
    peer.answers["/plain"] = answer(200, body, Content_Type="image/png; x=y")
    peer.answers["/packed"] = answer(200, gzip.compress(body), Content_Type="IMAGE/PNG", Content_Encoding="gzip")
    for path in ("/plain", "/packed"):
        kind, content = await patient.get_bytes(
            peer.url + path, max_bytes=MAX_BODY_BYTES, accept="image/png", types=["image/png"]
        )
        assert (kind, content) == ("image/png", body)
    assert [request.headers["accept"] for request in peer.requests] == ["image/png"] * 2
    assert [request.headers["accept-encoding"] for request in peer.requests] == ["gzip"] * 2


async def test_other_types_of_files_are_not_read(patient: Remote, peer: Wire) -> None:
    for kind in ("image/svg+xml", "text/html", "", "image/png, text/html"):
        peer.answers["/x"] = forever(b"HTTP/1.1 200 OK\r\nContent-Type: " + kind.encode() + b"\r\n\r\n", b" ")
        with pytest.raises(NotActivityPub):
            await patient.get_bytes(f"{peer.url}/x", max_bytes=10, accept="image/*", types=["image/png"])


async def test_a_stream_hands_on_what_has_come_and_then_its_end(patient: Remote, peer: Wire) -> None:
    peer.answers["/x"] = forever(
        b"HTTP/1.1 200 OK\r\nContent-Type: video/mp4\r\nConnection: close\r\n\r\n", b"abc" * 100
    )
    taken: list[bytes] = []

    async def take() -> None:
        async with patient.stream_bytes(
            f"{peer.url}/x", max_bytes=100_000, accept="video/*", types=["video/mp4"]
        ) as stream:
            assert stream.content_type == "video/mp4"
            async for chunk in stream.chunks:
                taken.append(chunk)

    with pytest.raises(TooBig):
        await take()
    assert 0 < sum(map(len, taken)) <= 100_000


@pytest.mark.attack("SSRF-06")
async def test_the_deadline_counts_over_redirects(hasty: Remote, peer: Wire) -> None:
    def delayed(location: str) -> Script:
        async def script(_request: Request, writer: asyncio.StreamWriter) -> None:
            await asyncio.sleep(0.2)
            writer.write(answer(302, Location=location))

        return script

    for number in range(5):
        peer.answers[f"/{number}"] = delayed(f"/{number + 1}")
    with pytest.raises(Unreachable):
        await hasty.get_json(f"{peer.url}/0")
    assert "/5" not in peer.paths


async def test_a_name_that_takes_for_ever_is_cut_off(peer: Wire) -> None:
    async def resolver(_host: str) -> list[str]:
        await asyncio.Event().wait()
        return []

    async with Remote.open(guard=AddressGuard(), user_agent="t", deadlines=SHORT, resolver=resolver) as remote:
        for call in (
            remote.get_json("https://slow.test/"),
            remote.post("https://slow.test/", b"", {}),
        ):
            with pytest.raises(Unreachable):
                await call


@pytest.mark.attack("DOS-02")
async def test_a_handshake_that_takes_for_ever_is_cut_off(hasty: Remote, peer: Wire) -> None:
    with pytest.raises(Unreachable):
        await hasty.get_json(f"https://127.0.0.1:{peer.port}/")
    with pytest.raises(Unreachable):
        await hasty.post(f"https://127.0.0.1:{peer.port}/", b"", {})


async def test_one_host_holds_few_of_the_places(patient: Remote, peer: Wire) -> None:
    waiting = 0
    go = asyncio.Event()

    async def tarpit(_request: Request, writer: asyncio.StreamWriter) -> None:
        nonlocal waiting
        waiting += 1
        await go.wait()
        writer.write(answer(200, b"{}"))

    peer.answers["/tarpit"] = tarpit
    calls = [asyncio.create_task(patient.get_json(f"{peer.url}/tarpit")) for _ in range(100)]
    while waiting < MAX_FETCHES_PER_HOST:
        await asyncio.sleep(0.01)
    async with listening("127.0.0.2") as other:
        other.answers["/x"] = answer(200, b"{}")
        for _ in range(20):
            assert await patient.get_json(f"http://127.0.0.2:{other.port}/x") == {}
    assert waiting == MAX_FETCHES_PER_HOST
    go.set()
    assert await asyncio.gather(*calls) == [{}] * 100


@pytest.mark.attack("DOS-02")
async def test_a_tarpit_gives_the_places_back(hasty: Remote, peer: Wire) -> None:
    peer.answers["/tarpit"] = forever(b"", b"H", 0.05)
    calls = [hasty.get_json(f"{peer.url}/tarpit") for _ in range(200)]
    outcomes = await asyncio.gather(*calls, return_exceptions=True)
    assert all(isinstance(outcome, Unreachable) for outcome in outcomes)
    peer.answers["/x"] = answer(200, b"{}")
    assert await hasty.get_json(f"{peer.url}/x") == {}


@pytest.mark.attack("SSRF-08")
async def test_errors_repeat_nothing_that_was_sent(patient: Remote, peer: Wire) -> None:
    secret = b"SECRET-OF-THE-INNER-NETWORK"
    for given in (
        answer(500, secret),
        answer(200, secret, Content_Type=AP),
        answer(200, b"{}", Content_Type=secret.decode()),
        b"HTTP/1.1 200 OK\r\n" + secret + b"\r\n\r\n",
    ):
        peer.answers["/x"] = given
        with pytest.raises(RemoteError) as told:
            await patient.get_document(f"{peer.url}/x", sign=None)
        assert secret.decode() not in told.value.message
        assert told.value.status == 502


def test_retry_after_is_read_in_both_forms() -> None:
    now = datetime(2026, 11, 22, 12, tzinfo=UTC)
    for value, expected in {
        "120": 120.0,
        " 0 ": 0.0,
        format_datetime(now.replace(minute=2), usegmt=True): 120.0,
        format_datetime(now.replace(minute=2)).replace("+0000", "-0000"): 120.0,
        format_datetime(now.replace(year=2020), usegmt=True): 0.0,
        "-5": None,
        "soon": None,
        "٣": None,
        "": None,
        "9" * 400: None,
    }.items():
        assert read_retry_after(value, now.timestamp()) == expected
    assert read_retry_after(None, 0) is None
