"""Clients that take their time: every connection ends by itself, and nobody else waits for it."""

from __future__ import annotations

import asyncio
import contextlib
import json
from urllib.parse import urlsplit

import pytest

from fediverse.slowness import PATIENCE, Patience
from tests.conftest import MakeInstance
from tests.support.instance import Instance

HEAD = "POST {path} HTTP/1.1\r\nHost: {host}\r\nContent-Type: {kind}\r\nContent-Length: 1000\r\n{more}\r\n"
# The inbox waits only for the bodies of those who say that they signed.
SIGNATURE = 'Signature: keyId="https://peer.test/users/x",headers="host",signature="AAAA"\r\n'
JSON = "application/json"
AP = "application/activity+json"


def test_nobody_is_waited_for_longer_than_a_minute() -> None:
    assert PATIENCE.head <= 60
    assert PATIENCE.body <= 60


async def opened(instance: Instance, start: bytes) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    parts = urlsplit(instance.url)
    reader, writer = await asyncio.open_connection(parts.hostname, parts.port)
    writer.write(start)
    return reader, writer


async def drip(writer: asyncio.StreamWriter, byte: bytes) -> None:
    """A byte now and then, for ever."""
    with contextlib.suppress(OSError):
        while True:
            writer.write(byte)
            await writer.drain()
            await asyncio.sleep(0.02)


async def until_closed(instance: Instance, start: bytes, byte: bytes) -> bytes:
    """All that is answered to a client that goes on to send this byte, until the server closes."""
    reader, writer = await opened(instance, start)
    dripping = asyncio.create_task(drip(writer, byte)) if byte else None
    try:
        async with asyncio.timeout(20):
            return await reader.read()
    except ConnectionResetError:  # closed while we were still sending
        return b""
    finally:
        if dripping is not None:
            dripping.cancel()
        writer.close()


STARTS: dict[str, tuple[bytes, bytes]] = {
    "nothing at all": (b"", b""),
    "one byte of the first line at a time": (b"G", b"E"),
    "one header byte at a time": (b"GET / HTTP/1.1\r\nHost: x\r\nX-Slow: ", b"a"),
    "one header line at a time": (b"GET / HTTP/1.1\r\nHost: x\r\nX-Slow: a\r\n", b"\t"),
    "half a head": (b"GET / HTTP/1.1\r\nHost: x\r\n", b""),
    "empty lines": (b"", b"\r\n"),
}


@pytest.mark.attack("DOS-13")
@pytest.mark.parametrize("case", STARTS)
async def test_a_head_that_does_not_come_closes_the_connection(make_instance: MakeInstance, case: str) -> None:
    instance = await make_instance(patience=Patience(head=0.3))
    await until_closed(instance, *STARTS[case])


@pytest.mark.attack("DOS-13")
async def test_an_idle_connection_is_closed_after_its_answer(make_instance: MakeInstance) -> None:
    instance = await make_instance(patience=Patience(head=0.3))
    start = f"GET /healthz HTTP/1.1\r\nHost: {urlsplit(instance.url).netloc}\r\n\r\n".encode()
    assert (await until_closed(instance, start, b"")).startswith(b"HTTP/1.1 200")
    assert (await until_closed(instance, start + b"GET /healthz HT", b"T")).startswith(b"HTTP/1.1 200")


@pytest.mark.attack("DOS-13")
@pytest.mark.parametrize("byte", [b" ", b""], ids=["one byte at a time", "silence"])
@pytest.mark.parametrize(
    ("path", "kind"),
    [
        ("/inbox", AP),
        ("/users/alice/outbox", AP),
        ("/api/v1/apps", JSON),
        ("/api/v1/apps", "multipart/form-data; boundary=x"),
        ("/signin", "application/x-www-form-urlencoded"),
        ("/nowhere", JSON),
    ],
)
async def test_a_body_that_does_not_come_closes_the_connection(
    make_instance: MakeInstance, path: str, kind: str, byte: bytes
) -> None:
    instance = await make_instance(patience=Patience(body=0.3))
    alice = await instance.account("alice")
    more = f"Authorization: {alice.headers['Authorization']}\r\n{SIGNATURE}"
    head = HEAD.format(path=path, host=urlsplit(instance.url).netloc, kind=kind, more=more)
    answer = await until_closed(instance, head.encode() + b"--x\r\n", byte)
    assert b" 500 " not in answer
    assert b" 504 " not in answer
    if not byte and path in {"/inbox", "/api/v1/apps"}:  # who still sends may find the connection reset
        assert answer.startswith(b"HTTP/1.1 408"), answer
        assert json.loads(answer.partition(b"\r\n\r\n")[2])["error"].startswith("The rest of the request did not")


@pytest.mark.attack("DOS-13")
async def test_a_crowd_of_slow_clients_delays_nobody(make_instance: MakeInstance) -> None:
    instance = await make_instance(patience=Patience(head=2, body=2))
    alice = await instance.account("alice")
    host = urlsplit(instance.url).netloc
    starts = [
        b"GET / HTTP/1.1\r\nX-Slow: ",
        HEAD.format(path="/inbox", host=host, kind=AP, more=SIGNATURE).encode(),
        b"",
    ]
    crowd = [await opened(instance, start) for start in starts * 100]
    try:
        # All are held open while the honest are served.
        for number in range(20):
            await instance.post(alice, f"number {number}")
        assert len(await instance.home(alice)) == 20
        async with asyncio.timeout(30):
            await asyncio.gather(*(reader.read() for reader, _ in crowd), return_exceptions=True)
        assert all(reader.at_eof() or reader.exception() for reader, _ in crowd)
    finally:
        for _, writer in crowd:
            writer.close()


async def test_a_body_in_time_is_taken_however_slowly_it_comes(make_instance: MakeInstance) -> None:
    instance = await make_instance(patience=Patience(body=20))
    alice = await instance.account("alice")
    body = json.dumps({"status": "slowly"}).encode()
    head = (
        f"POST /api/v1/statuses HTTP/1.1\r\nHost: {urlsplit(instance.url).netloc}\r\nContent-Type: {JSON}\r\n"
        f"Authorization: {alice.headers['Authorization']}\r\nConnection: close\r\nContent-Length: {len(body)}\r\n\r\n"
    )
    reader, writer = await opened(instance, head.encode())
    for byte in body:
        writer.write(bytes([byte]))
        await writer.drain()
        await asyncio.sleep(0.01)
    assert (await reader.read()).startswith(b"HTTP/1.1 200")
    writer.close()
