"""Requests over aiohttp with every limit applied; what the answers mean is decided in the modules above."""

from __future__ import annotations

import asyncio
import ssl
import time
import zlib
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Mapping
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from datetime import UTC
from email.utils import parsedate_to_datetime
from functools import cache
from types import SimpleNamespace
from weakref import WeakValueDictionary

import aiohttp

from fediverse.remote.addresses import AddressGuard
from fediverse.remote.errors import Answered, Refused, TooBig, Unreachable
from fediverse.remote.limits import (
    DRAIN_BYTES,
    EXCERPT_BYTES,
    IDLE_SECONDS,
    MAX_FETCHES_PER_HOST,
    MAX_HEADER_BYTES,
    MAX_HEADERS,
    MAX_IN_FLIGHT,
    MAX_REDIRECTS,
    Deadlines,
)
from fediverse.remote.names import AddressNotPermitted, GuardedResolver, Names, permitted, socket_factory
from fediverse.remote.urls import Target, redirected, target

Signer = Callable[[str, str, bytes | None], Mapping[str, str]]
"""(method, URL, body) to the headers that sign the request: Host, Date, Digest, Signature."""

Permit = Callable[[str], Awaitable[bool]]
"""Whether a host (with its port) may be asked. It is asked of every hop of a redirection."""

_REDIRECTS = frozenset((301, 302, 303, 307, 308))
_CLOSED = (aiohttp.ServerDisconnectedError, aiohttp.ClientOSError)


@dataclass(frozen=True, slots=True)
class PostResult:
    """What a server answered to a delivery, whatever its status.

    ``retry_after`` is in seconds; ``body_excerpt`` is at most 1 KiB, for the log.
    """

    status: int
    retry_after: float | None
    accept_signature: str | None
    body_excerpt: str


class Answer:
    """A successful answer whose body is still to be read. ``url`` is the one finally fetched."""

    def __init__(self, here: Target, response: aiohttp.ClientResponse) -> None:
        self.here = here
        self.url = here.url
        self._response = response
        types = response.headers.getall("Content-Type", [])
        self.content_type = types[0] if len(types) == 1 else ""

    async def chunks(self, max_bytes: int) -> AsyncIterator[bytes]:
        """Yield the body, decompressed; raise ``TooBig`` as soon as it is longer than ``max_bytes``."""
        declared = self._response.content_length
        if declared is not None and declared > max_bytes:
            raise self._too_big(max_bytes)
        body = _Body(self.here.host, self._response.headers.getall("Content-Encoding", []), max_bytes)
        taken = 0
        async for received in self._received():
            taken += len(received)
            for chunk in body.decode(received):
                if body.room < 0:
                    raise self._too_big(max_bytes)
                yield chunk
            if taken > max_bytes:
                raise self._too_big(max_bytes)
        body.finish()

    async def read(self, max_bytes: int) -> bytes:
        """Return the whole body, decompressed; raise ``TooBig`` if it is longer than ``max_bytes``."""
        return b"".join([chunk async for chunk in self.chunks(max_bytes)])

    async def beginning(self, max_bytes: int) -> bytes:
        """Return the body, decompressed, or no more than its first ``max_bytes``; the rest is not waited for."""
        body = _Body(self.here.host, self._response.headers.getall("Content-Encoding", []), max_bytes)
        kept = bytearray()
        taken = 0
        async for received in self._received():
            taken += len(received)
            for chunk in body.decode(received):
                kept += chunk
                if len(kept) >= max_bytes:
                    return bytes(kept[:max_bytes])
            if taken > max_bytes:
                raise self._too_big(max_bytes)
        body.finish()
        return bytes(kept)

    async def _received(self) -> AsyncIterator[bytes]:
        content = self._response.content
        while True:
            with translated(self.here):
                received = await content.readany()
            if not received:
                return
            yield received

    def _too_big(self, max_bytes: int) -> TooBig:
        return TooBig(f"The answer of {self.here.host} is longer than the {max_bytes} bytes that are taken.")


class _Body:
    """Undoes the one content encoding that is asked for, and counts what comes out: ``room`` is what is left."""

    def __init__(self, host: str, encodings: list[str], room: int) -> None:
        self._host = host
        self.room = room
        encoding = ",".join(encodings).strip().lower()
        if encoding not in ("", "identity", "gzip", "x-gzip"):
            raise self._broken()
        self._gzip = zlib.decompressobj(16 + zlib.MAX_WBITS) if "gzip" in encoding else None

    def decode(self, received: bytes) -> Iterator[bytes]:
        """Yield what the bytes stand for; once ``room`` is negative, the consumer has to stop."""
        if self._gzip is None:
            self.room -= len(received)
            yield received
            return
        while received:
            if self._gzip.eof:
                raise self._broken()
            try:
                # One byte more than is allowed is enough to know; a bomb is never unpacked further.
                chunk = self._gzip.decompress(received, self.room + 1)
            except zlib.error as error:
                raise self._broken() from error
            if chunk:
                self.room -= len(chunk)
                yield chunk
            received = self._gzip.unconsumed_tail or self._gzip.unused_data

    def finish(self) -> None:
        """Raise ``Unreachable`` if the body ended too early."""
        if self._gzip is not None and not self._gzip.eof:
            raise self._broken()

    def _broken(self) -> Unreachable:
        return Unreachable(f"The answer of {self._host} is encoded in a way that cannot be read.")


class Transport:
    """Two aiohttp sessions, for https and for allow-listed http, behind one guard. Made inside a running loop."""

    def __init__(
        self, guard: AddressGuard, names: Names, *, user_agent: str, ca_file: str | None, deadlines: Deadlines
    ) -> None:
        self.deadlines = deadlines
        self._guard = guard
        self._names = names
        tls = trusted(ca_file)
        self._sessions = {
            scheme: self._session(scheme, user_agent, tls if scheme == "https" else True)
            for scheme in ("https", "http")
        }
        self._fetching = asyncio.Semaphore(MAX_IN_FLIGHT)
        self._delivering = asyncio.Semaphore(MAX_IN_FLIGHT)
        self._hosts: WeakValueDictionary[str, asyncio.Semaphore] = WeakValueDictionary()

    def _session(self, scheme: str, user_agent: str, tls: ssl.SSLContext | bool) -> aiohttp.ClientSession:
        connector = aiohttp.TCPConnector(
            resolver=GuardedResolver(self._names, self._guard, scheme),
            socket_factory=socket_factory(self._guard, scheme),
            ssl=tls,
            use_dns_cache=False,
            limit=0,
            keepalive_timeout=IDLE_SECONDS,
        )
        trace = aiohttp.TraceConfig()
        trace.on_connection_reuseconn.append(_note_reuse)
        return aiohttp.ClientSession(
            connector=connector,
            cookie_jar=aiohttp.DummyCookieJar(),
            headers={"User-Agent": user_agent},
            auto_decompress=False,
            trust_env=False,
            max_line_size=MAX_HEADER_BYTES,
            max_field_size=MAX_HEADER_BYTES,
            max_headers=MAX_HEADERS,
            timeout=aiohttp.ClientTimeout(total=None, connect=self.deadlines.connect),
            trace_configs=[trace],
        )

    async def close(self) -> None:
        """Close every connection."""
        for session in self._sessions.values():
            await session.close()

    @asynccontextmanager
    async def get(
        self, url: str, *, accept: str, sign: Signer | None, permit: Permit | None = None
    ) -> AsyncIterator[Answer]:
        """Fetch the URL and hand out a 200 answer, after at most five redirects, none to a URL seen before.

        Every hop is checked before it is dialled and signed anew. Raises ``Refused``, ``Unreachable`` or ``Answered``.
        The caller sets the deadline (``within``).
        """
        here = target(url)
        seen = {here.url}
        while True:
            if permit is not None and not await permit(here.authority):
                raise Refused(f"Nothing is fetched from {here.host} here.")
            async with self._place(here.host), self._open(here, accept, sign) as response:
                location = response.headers.get("Location") if response.status in _REDIRECTS else None
                if location is None:
                    if response.status != 200:
                        raise _answered(here, response)
                    yield Answer(here, response)
                    return
            here = redirected(here, location)
            if here.url in seen or len(seen) > MAX_REDIRECTS:
                raise Refused(f"{target(url).host} redirects in circles or too often.")
            seen.add(here.url)

    @asynccontextmanager
    async def _place(self, host: str) -> AsyncIterator[None]:
        """Wait for a place among the fetches in flight, first among those to the same host."""
        limit = self._hosts.get(host)
        if limit is None:
            limit = self._hosts[host] = asyncio.Semaphore(MAX_FETCHES_PER_HOST)
        async with limit, self._fetching:
            yield

    @asynccontextmanager
    async def _open(self, here: Target, accept: str, sign: Signer | None) -> AsyncIterator[aiohttp.ClientResponse]:
        self.check(here)
        headers = {"Accept": accept, "Accept-Encoding": "gzip"}
        if sign is not None:
            headers.update(sign("GET", here.url, None))
        with translated(here):
            response = await self._sessions[here.scheme].get(here.yarl, headers=headers, allow_redirects=False)
        try:
            yield response
        finally:
            # Gives the connection back if the body was read to its end, and closes it otherwise.
            response.close()

    def check(self, here: Target) -> None:
        """Raise ``Refused`` if the URL names a forbidden IP address; names are checked when they are dialled."""
        if here.literal is not None:
            permitted(self._guard, here.scheme, here.host, here.port, [here.literal])

    async def post(self, url: str, body: bytes, headers: Mapping[str, str]) -> PostResult:
        """Send the body and return the answer whatever its status; no redirect is followed.

        A connection that was kept open and that the other side closed before it answered anything is replaced once.
        Raises ``Refused`` or ``Unreachable``.
        """
        here = target(url)
        self.check(here)
        async with self._delivering:
            note = SimpleNamespace(reused=False)
            async with within(self.deadlines.delivery, here):
                try:
                    response = await self._send(here, body, headers, note)
                except Unreachable as error:
                    if not (note.reused and isinstance(error.__cause__, _CLOSED)):
                        raise
                    response = await self._send(here, body, headers, note)
            try:
                return PostResult(
                    status=response.status,
                    retry_after=read_retry_after(response.headers.get("Retry-After"), time.time()),
                    accept_signature=response.headers.get("Accept-Signature"),
                    body_excerpt=await _excerpt(response, self.deadlines.drain),
                )
            finally:
                response.close()

    async def _send(
        self, here: Target, body: bytes, headers: Mapping[str, str], note: SimpleNamespace
    ) -> aiohttp.ClientResponse:
        with translated(here):
            return await self._sessions[here.scheme].post(
                here.yarl, data=body, headers=headers, allow_redirects=False, trace_request_ctx=note
            )


async def _excerpt(response: aiohttp.ClientResponse, seconds: float) -> str:
    """Read the body to its end, so that the connection can be used again, and return how it begins."""
    content = response.content
    if content.is_eof():  # the usual case: it came along with the headers, or there is none
        return content.read_nowait(EXCERPT_BYTES).decode("utf-8", "replace")
    kept = b""
    drained = 0
    try:
        async with asyncio.timeout(seconds):
            while drained <= DRAIN_BYTES and (chunk := await content.readany()):
                drained += len(chunk)
                kept += chunk[: EXCERPT_BYTES - len(kept)]
    except (aiohttp.ClientError, OSError):
        # The status has arrived and says what became of the delivery; a body that breaks off changes nothing.
        response.close()
    return kept.decode("utf-8", "replace")


async def _note_reuse(
    _session: aiohttp.ClientSession, context: SimpleNamespace, _params: aiohttp.TraceConnectionReuseconnParams
) -> None:
    if context.trace_request_ctx is not None:
        context.trace_request_ctx.reused = True


@cache
def trusted(ca_file: str | None) -> ssl.SSLContext:
    """Whose certificates are trusted. Reading the system's takes 40 ms of CPU: once is enough."""
    context = ssl.create_default_context()
    if ca_file is not None:
        try:
            context.load_verify_locations(ca_file)
        except OSError as error:
            raise ValueError(f"The certificates in {ca_file} cannot be read: name a PEM file that exists.") from error
    return context


def _answered(here: Target, response: aiohttp.ClientResponse) -> Answered:
    return Answered(
        f"{here.host} answered with status {response.status}.",
        code=response.status,
        retry_after=read_retry_after(response.headers.get("Retry-After"), time.time()),
    )


def read_retry_after(value: str | None, now: float) -> float | None:
    """Return the seconds that a Retry-After header asks to wait from ``now`` (seconds since 1970), if readable."""
    if value is None:
        return None
    text = value.strip()
    if text.isascii() and text.isdigit() and len(text) < 10:
        return float(text)
    try:
        moment = parsedate_to_datetime(text)
    except (ValueError, OverflowError):
        return None
    return max(0.0, moment.replace(tzinfo=moment.tzinfo or UTC).timestamp() - now)


@contextmanager
def translated(here: Target) -> Iterator[None]:
    """Turn what aiohttp, TLS and sockets raise into this package's errors."""
    try:
        yield
    except (aiohttp.ClientError, OSError) as error:
        if isinstance(getattr(error, "os_error", error), AddressNotPermitted):
            raise Refused(f"{here.host} is at an address that this server does not call.") from error
        raise Unreachable(f"{here.host} could not be reached or did not answer properly.") from error


@asynccontextmanager
async def within(seconds: float, here: Target) -> AsyncIterator[None]:
    """Raise ``Unreachable`` if the block takes longer than this many seconds."""
    try:
        async with asyncio.timeout(seconds):
            yield
    except TimeoutError as error:
        raise Unreachable(f"{here.host} did not answer within {seconds:g} seconds.") from error
