"""Handles: WebFinger (RFC 7033), and host-meta (RFC 6415) where a server keeps its WebFinger elsewhere.

The domain of a handle has the last word on it. A server may answer that somebody's handle lives on another domain, and
is believed only when that domain names the same actor.
"""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote
from xml.parsers import expat

from fediverse.remote.documents import is_activity_type
from fediverse.remote.errors import Answered, Mismatch, NotActivityPub, Refused, RemoteError
from fediverse.remote.urls import authority_of, split_authority, target

JRD_ACCEPT = "application/jrd+json, application/json"
XRD_ACCEPT = "application/xrd+xml"
_SUBSCRIBE = "http://ostatus.org/schema/1.0/subscribe"
_USER = re.compile(r"[^@\s/?#:\\\x00-\x20\x7f]{1,256}")

FetchObject = Callable[[str, str], Awaitable[dict[str, Any]]]
"""(URL, Accept) to the JSON object there."""
FetchBytes = Callable[[str, str], Awaitable[bytes]]
"""(URL, Accept) to the body there."""


@dataclass(frozen=True, slots=True)
class WebFingerResult:
    """What a domain says about one of its handles.

    ``subject`` is the handle it calls canonical, as ``user@host``; ``self_href`` the actor's id;
    ``subscribe_template`` the page for following someone from that account, with ``{uri}`` in it.
    """

    subject: str
    self_href: str
    aliases: tuple[str, ...]
    subscribe_template: str | None


@dataclass(frozen=True, slots=True)
class ResolvedHandle:
    """A handle that its own domain confirms, and the actor behind it."""

    user: str
    host: str
    actor_uri: str


def read_handle(text: str) -> tuple[str, str]:
    """Return (user, host) of ``user@host``, ``@user@host`` or ``acct:user@host``, the host in canonical form.

    The host keeps its port. Raises ``Refused`` if it is no handle.
    """
    bare = text.removeprefix("acct:").removeprefix("@")
    user, at, authority = bare.rpartition("@")
    if not at or _USER.fullmatch(user) is None:
        raise Refused("This is not a handle; handles look like @name@example.org.")
    host, port, _ = split_authority(authority)
    return user, authority_of(host, port)


def read_jrd(value: dict[str, Any], asked: str) -> WebFingerResult:
    """Return what the answer to a query for the handle ``asked`` says; raise ``NotActivityPub`` if it has no actor."""
    links = [link for link in _list(value.get("links")) if isinstance(link, dict)]
    self_href = next((link["href"] for link in links if _is_self(link)), None)
    if self_href is None:
        raise NotActivityPub(f"@{asked} exists, but has no ActivityPub profile.")
    subject = value.get("subject")
    template = next((link.get("template") for link in links if link.get("rel") == _SUBSCRIBE), None)
    return WebFingerResult(
        subject=_handle_in(subject) or asked,
        self_href=self_href,
        aliases=tuple(alias for alias in _list(value.get("aliases")) if isinstance(alias, str)),
        subscribe_template=template if isinstance(template, str) and "{uri}" in template else None,
    )


def _list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else []


def _handle_in(subject: Any) -> str | None:
    return "@".join(read_handle(subject)) if isinstance(subject, str) and subject.startswith("acct:") else None


def _is_self(link: dict[str, Any]) -> bool:
    href, kind = link.get("href"), link.get("type")
    if link.get("rel") != "self" or not isinstance(href, str) or not isinstance(kind, str):
        return False
    try:
        target(href)
    except RemoteError:
        return False
    return is_activity_type(kind)


def read_host_meta(body: bytes) -> str | None:
    """Return the URL template for WebFinger queries (with ``{uri}``) in an XRD document, if it has one.

    Raises ``ValueError`` for what is not well-formed, or has a document type declaration: that is where entity bombs
    and external references would be.
    """
    found: list[str] = []

    def element(name: str, attributes: dict[str, str]) -> None:
        template = attributes.get("template", "")
        json_or_any = "xml" not in attributes.get("type", "")
        if name.rpartition(":")[2] == "Link" and attributes.get("rel") == "lrdd" and "{uri}" in template:
            # Where both are offered, the JSON one is the one we read.
            found.insert(0 if json_or_any else len(found), template)

    def doctype(*_: object) -> None:
        raise ValueError("A document type declaration is not taken here.")

    parser = expat.ParserCreate()
    parser.StartElementHandler = element
    parser.StartDoctypeDeclHandler = doctype
    try:
        parser.Parse(body, True)
    except expat.ExpatError as error:
        raise ValueError("This is not well-formed XML.") from error
    return found[0] if found else None


async def look_up(
    scheme: str, user: str, host: str, *, fetch_object: FetchObject, fetch_bytes: FetchBytes
) -> WebFingerResult:
    """Return what ``host`` says about ``user@host``, asking host-meta for the way if WebFinger is not in its place."""
    asked = f"{user}@{host}"
    resource = quote(f"acct:{asked}", safe=":@")
    try:
        url = f"{scheme}://{host}/.well-known/webfinger?resource={resource}"
        return read_jrd(await fetch_object(url, JRD_ACCEPT), asked)
    except Answered as absent:
        if not absent.gone:
            raise
        try:
            body = await fetch_bytes(f"{scheme}://{host}/.well-known/host-meta", XRD_ACCEPT)
            template = read_host_meta(body)
        except (RemoteError, ValueError):
            raise absent from None
        if template is None or template.replace("{uri}", resource) == url:
            raise
    return read_jrd(await fetch_object(template.replace("{uri}", quote(f"acct:{asked}", safe="")), JRD_ACCEPT), asked)


LookUp = Callable[[str, str], Awaitable[WebFingerResult]]
"""(user, host) to what that host says about the handle."""


async def resolve(user: str, host: str, *, look_up: LookUp) -> ResolvedHandle:
    """Return the canonical handle and the actor of ``user@host``.

    Another handle that the host names as canonical counts if its own domain points to the same actor and calls it
    canonical, too; else the handle stays the one that was asked for.
    """
    user, host = read_handle(f"{user}@{host}")
    first = await look_up(user, host)
    if _same(first.subject, f"{user}@{host}"):
        return ResolvedHandle(*read_handle(first.subject), first.self_href)
    claimed_user, claimed_host = read_handle(first.subject)
    try:
        second = await look_up(claimed_user, claimed_host)
    except RemoteError:
        return ResolvedHandle(user, host, first.self_href)
    if second.self_href == first.self_href and _same(second.subject, first.subject):
        return ResolvedHandle(claimed_user, claimed_host, first.self_href)
    return ResolvedHandle(user, host, first.self_href)


async def handle_of(name: str, actor_uri: str, *, look_up: LookUp) -> ResolvedHandle:
    """Return the confirmed handle of the actor, whose document calls it ``name`` (its preferredUsername).

    Raises ``Mismatch`` if the host of the actor's id does not know the name, or knows it as somebody else.
    """
    own = target(actor_uri)
    host = own.authority
    found = await resolve(name, host, look_up=look_up)
    if target(found.actor_uri).url != own.url:
        raise Mismatch(f"@{name}@{host} is the handle of somebody else.")
    return found


def _same(one: str, other: str) -> bool:
    return one.casefold() == other.casefold()
