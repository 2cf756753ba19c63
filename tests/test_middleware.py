"""What is refused before any route is looked at."""

from __future__ import annotations

import asyncio
from urllib.parse import urlsplit

import pytest

from tests.support.instance import Instance


async def status_of(instance: Instance, request_line: str, *headers: bytes) -> int:
    """The status that a request of exactly these bytes gets."""
    place = urlsplit(instance.address)
    reader, writer = await asyncio.open_connection(place.hostname, place.port)
    try:
        host = f"Host: {place.netloc}".encode()
        writer.write(
            b"\r\n".join([f"{request_line} HTTP/1.1".encode(), host, b"Connection: close", *headers, b"", b""])
        )
        return int((await asyncio.wait_for(reader.readline(), 10)).split()[1])
    finally:
        writer.close()


@pytest.mark.parametrize(
    "header",
    [
        b'Signature: keyId="https://\xff.example/x"',
        b"Cookie: a=\xff",
        b"Authorization: Bearer \xfe",
        b"User-Agent: \xed\xa0\x80",
        b"X-Forwarded-For: \xff",
    ],
)
@pytest.mark.parametrize("path", ["/users/alice", "/login", "/api/v1/instance", "/metrics"])
async def test_a_header_that_is_no_text_is_refused_in_a_sentence(instance: Instance, path: str, header: bytes) -> None:
    await instance.account("alice")
    assert await status_of(instance, f"GET {path}", header) == 400


async def test_a_header_in_any_language_is_taken(instance: Instance) -> None:
    assert await status_of(instance, "GET /login", "User-Agent: Büchse/Ελλάδα".encode()) == 200


@pytest.mark.parametrize("origin", ["http://[", "null", "", "https://evil.example", "://", "http://[::1"])
async def test_a_form_from_an_origin_that_is_none_is_refused(instance: Instance, origin: str) -> None:
    assert await status_of(instance, "POST /login", b"Content-Length: 0", f"Origin: {origin}".encode()) == 403
