"""The outgoing HTTP client: documents, handles, pictures, deliveries. Nothing else here opens a connection outwards.

What JSON-LD calls a context is never fetched: no document is processed as JSON-LD.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Collection, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any, Self

from fediverse.remote import documents, webfinger
from fediverse.remote.addresses import AddressGuard
from fediverse.remote.documents import Document, media_type
from fediverse.remote.errors import Mismatch, NotActivityPub, Refused
from fediverse.remote.limits import MAX_BODY_BYTES, Deadlines
from fediverse.remote.names import Names, Resolver
from fediverse.remote.transport import Permit, PostResult, Signer, Transport, within
from fediverse.remote.urls import split_authority, target
from fediverse.remote.webfinger import ResolvedHandle, WebFingerResult

_DEADLINES = Deadlines()
_PAGE_TYPES = frozenset({"text/html", "application/xhtml+xml"})
_PAGE_ACCEPT = "text/html, application/xhtml+xml;q=0.9"


@dataclass(frozen=True, slots=True)
class ByteStream:
    """A file of another server, to be read once with ``async for``. ``content_type`` has no parameters."""

    content_type: str
    chunks: AsyncIterator[bytes]


@dataclass(frozen=True, slots=True)
class Page:
    """The beginning of a web page, from the URL that redirects led to. ``charset`` is what its Content-Type says."""

    url_final: str
    content: bytes
    charset: str | None


class Remote:
    """Other servers, as far as this one talks to them. Made by ``Remote.open`` and closed with it."""

    def __init__(self, *, guard: AddressGuard, names: Names, transport: Transport) -> None:
        self._guard = guard
        self._names = names
        self._transport = transport

    @classmethod
    @asynccontextmanager
    async def open(
        cls,
        *,
        guard: AddressGuard,
        user_agent: str,
        ca_file: str | None = None,
        resolver: Resolver | None = None,
        deadlines: Deadlines = _DEADLINES,
    ) -> AsyncIterator[Self]:
        """Hand out a client that is closed afterwards, with all its connections.

        ``ca_file`` has certificates that are trusted besides the system's (``ValueError`` if it cannot be read).
        ``resolver`` takes the place of the system's name resolution.
        """
        names = Names(resolver)
        try:
            transport = Transport(guard, names, user_agent=user_agent, ca_file=ca_file, deadlines=deadlines)
            try:
                yield cls(guard=guard, names=names, transport=transport)
            finally:
                await transport.close()
        finally:
            await names.close()

    async def get_document(self, url: str, *, sign: Signer | None) -> Document:
        """Return the ActivityPub document at the URL, whose id is the URL that it was finally fetched from.

        A document with another id is fetched once more from there, and must then match exactly. Raises ``Refused``,
        ``Unreachable``, ``Answered``, ``NotActivityPub``, ``TooBig`` or ``Mismatch``.
        """
        asked = target(url)
        async with within(self._transport.deadlines.fetch, asked):
            found = await self._get_document_once(url, sign)
            if isinstance(found, Document):
                return found
            own = target(found)
            found = await self._get_document_once(found, sign)
        if not isinstance(found, Document) or found.url_final != own.url:
            raise Mismatch(f"The document from {asked.host} says that it is another one, and that one does not agree.")
        return found

    async def _get_document_once(self, url: str, sign: Signer | None) -> Document | str:
        async with self._transport.get(url, accept=documents.ACCEPT, sign=sign) as answer:
            if not documents.is_activity_type(answer.content_type):
                # Known before a byte of the body is read.
                raise NotActivityPub(f"{answer.here.host} answered with something that is not ActivityPub.")
            body = await answer.read(MAX_BODY_BYTES)
            return documents.read_document(target(url), answer.here, body)

    async def get_json(
        self, url: str, *, accept: str = "application/json", sign: Signer | None = None
    ) -> dict[str, Any]:
        """Return the JSON object at the URL, whatever its content type. It proves nothing about who wrote it."""
        body = await self._get_body(url, accept, sign)
        try:
            return documents.parse_object(body)
        except ValueError as error:
            raise NotActivityPub(f"The answer of {target(url).host} cannot be read: {error}") from error

    async def _get_body(self, url: str, accept: str, sign: Signer | None = None) -> bytes:
        async with (
            within(self._transport.deadlines.fetch, target(url)),
            self._transport.get(url, accept=accept, sign=sign) as answer,
        ):
            return await answer.read(MAX_BODY_BYTES)

    async def get_bytes(
        self, url: str, *, max_bytes: int, accept: str, types: Collection[str], sign: Signer | None = None
    ) -> tuple[str, bytes]:
        """Return (content type, content) of a file of one of the ``types`` (lower case, no parameters)."""
        async with self.stream_bytes(url, max_bytes=max_bytes, accept=accept, types=types, sign=sign) as stream:
            return stream.content_type, b"".join([chunk async for chunk in stream.chunks])

    @asynccontextmanager
    async def stream_bytes(
        self,
        url: str,
        *,
        max_bytes: int,
        accept: str,
        types: Collection[str],
        sign: Signer | None = None,
        seconds: float | None = None,
        permit: Permit | None = None,
    ) -> AsyncIterator[ByteStream]:
        """Hand out a file of one of the ``types`` while it arrives, within ``seconds`` in all (those of a fetch).

        Nothing is asked of hosts for which ``permit`` is false, also when they are redirected to. Reading raises
        ``TooBig`` beyond ``max_bytes`` (counted after decompression); another type raises
        ``NotActivityPub`` before anything is read.
        """
        async with (
            within(seconds or self._transport.deadlines.fetch, target(url)),
            self._transport.get(url, accept=accept, sign=sign, permit=permit) as answer,
        ):
            kind, _ = media_type(answer.content_type)
            if kind not in types:
                raise NotActivityPub(f"{answer.here.host} answered with a type of file that is not taken here.")
            yield ByteStream(kind, answer.chunks(max_bytes))

    async def get_page(self, url: str, *, max_bytes: int) -> Page:
        """Return the beginning of the HTML page at the URL: no more than ``max_bytes``, counted after decompression.

        It proves nothing about who wrote it. Raises ``NotActivityPub`` for what is no page, before anything is read.
        """
        async with (
            within(self._transport.deadlines.fetch, target(url)),
            self._transport.get(url, accept=_PAGE_ACCEPT, sign=None) as answer,
        ):
            kind, parameters = media_type(answer.content_type)
            if kind not in _PAGE_TYPES:
                raise NotActivityPub(f"{answer.here.host} answered with something that is no web page.")
            return Page(answer.here.url, await answer.beginning(max_bytes), parameters.get("charset"))

    async def check(self, url: str) -> None:
        """Raise ``Refused`` for an address that will never be called: an inner one, or http where https is wanted.

        What a name stands for is looked at again whenever it is called.
        """
        here = target(url)
        self._transport.check(here)
        if here.scheme == "http" and await self.scheme_for(here.authority) != "http":
            raise Refused("This address does not begin with https, as addresses elsewhere have to.")

    async def scheme_for(self, host: str) -> str:
        """Return "http" if every address of ``host`` (or ``host:port``) is allow-listed, else "https".

        For what is asked of a domain rather than of a URL: WebFinger, host-meta, NodeInfo.
        """
        name, port, _ = split_authority(host)
        if port == 443 or not self._guard.has_exceptions:
            return "https"
        found = await self._names.addresses(name)
        return "http" if self._guard.all_allowlisted(found, port or 80) else "https"

    async def webfinger(self, user: str, host: str) -> WebFingerResult:
        """Return what the host says about ``user@host`` (one query; host-meta leads the way where there is none)."""
        user, host = webfinger.read_handle(f"{user}@{host}")
        return await webfinger.look_up(
            await self.scheme_for(host),
            user,
            host,
            fetch_object=lambda url, accept: self.get_json(url, accept=accept),
            fetch_bytes=self._get_body,
        )

    async def resolve_handle(self, user: str, host: str) -> ResolvedHandle:
        """Return the canonical handle and the actor's id; a canonical handle elsewhere is confirmed there."""
        return await webfinger.resolve(user, host, look_up=self.webfinger)

    async def handle_of(self, preferred_username: str, actor_uri: str) -> ResolvedHandle:
        """Return the confirmed handle of an actor that was found by its id; raise ``Mismatch`` if there is none."""
        return await webfinger.handle_of(preferred_username, actor_uri, look_up=self.webfinger)

    async def post(self, url: str, body: bytes, headers: Mapping[str, str]) -> PostResult:
        """Send a delivery and return the answer whatever its status; raise ``Refused`` or ``Unreachable``."""
        return await self._transport.post(url, body, headers)
