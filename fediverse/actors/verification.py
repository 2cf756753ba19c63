"""Whether the pages that a profile links to link back: then the profile shows them as its owner's (rel="me").

A page counts for its own address only. Where a host redirects to another host, the other host's page says nothing of
the first: anybody can make some sites redirect anywhere.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any, Final
from urllib.parse import urlsplit

import structlog
from sqlalchemy import Connection, Row

from fediverse import clock, jobs
from fediverse.actors import directory
from fediverse.clock import DAY, Instant
from fediverse.db import Database
from fediverse.drafts import FieldDraft
from fediverse.remote import Remote, RemoteError, target
from fediverse.urls import Urls

log = structlog.get_logger(__name__)

_KIND: Final = "verify_links"
_MAX_PAGE: Final = 512 * 1024
_AGAIN: Final = 14 * DAY
_LINK: Final = re.compile(r"https?://[^\s<>\"']{1,250}", re.IGNORECASE)


def links(fields: Sequence[FieldDraft]) -> list[str]:
    """The values of a profile's fields that are links and nothing else, so that they can be verified."""
    return list(dict.fromkeys(line["value"] for line in fields if _LINK.fullmatch(line["value"])))


def enqueue(tx: Connection, actor: Row[Any]) -> None:
    """The links of the local actor's profile are verified soon, and again every two weeks."""
    if links(actor.fields_source):
        jobs.enqueue(tx, _KIND, {"actor_id": actor.id}, unique_key=f"{actor.id}:{actor.version}")


def job_kinds(database: Database, remote: Remote, urls: Urls) -> dict[str, jobs.Job]:
    """The jobs of this room."""

    async def verify(payload: Mapping[str, Any]) -> None:
        actor = await database.read(directory.by_id, payload["actor_id"])
        if actor is None or actor.deleted_at is not None or actor.suspended_at is not None:
            return
        addresses = {urls.profile(actor.username), urls.actor(actor.username)}
        found = {link: await _leads_back(remote, link, addresses) for link in links(actor.fields_source)}
        await database.write(_settle, actor.id, found, now=clock.now())

    return {_KIND: verify}


async def _leads_back(remote: Remote, link: str, addresses: set[str]) -> bool | None:
    """Whether the page at the link names one of the addresses as its own person; None when it cannot be had now."""
    try:
        page = await remote.get_page(link, max_bytes=_MAX_PAGE)
        if urlsplit(page.url_final).netloc != urlsplit(target(link).url).netloc:
            return False
    except RemoteError as error:
        log.info("verification.failed", link=link, error=str(error))
        return None
    return bool({_comparable(address) for address in addresses} & own_links(page.content))


def own_links(content: bytes) -> set[str]:
    """Where the page says with rel="me" that its person is found elsewhere; in the form in which they are compared."""
    from selectolax.lexbor import LexborHTMLParser  # noqa: PLC0415 heavy, and rarely needed

    found = set()
    for node in LexborHTMLParser(content).css("a[rel][href], link[rel][href]"):
        if "me" in (node.attributes.get("rel") or "").lower().split():
            found.add(_comparable(node.attributes.get("href") or ""))
    return found - {""}


def _comparable(address: str) -> str:
    try:
        parts = urlsplit(address.strip().lower())
    except ValueError:
        return ""
    return f"{parts.scheme}://{parts.netloc}{parts.path.rstrip('/')}" if not parts.query else ""


def _settle(tx: Connection, actor_id: int, found: Mapping[str, bool | None], *, now: Instant) -> None:
    """The fields of the profile as it is now say which links lead back; of pages that were away nothing changes."""
    actor = directory.by_id(tx, actor_id)
    if actor is None or actor.deleted_at is not None:
        return
    fields = []
    for typed, shown in zip(actor.fields_source, actor.fields, strict=False):
        verdict = found.get(typed["value"])
        verified = (
            shown.get("verified_at") if verdict is None else (shown.get("verified_at") or now) if verdict else None
        )
        fields.append({**shown, "verified_at": verified})
    if fields != actor.fields:
        directory.update_local(tx, actor.id, fields=fields)
    # One job for each span of time, however often the profile changes within it.
    span = now // _AGAIN + 1
    jobs.enqueue(tx, _KIND, {"actor_id": actor_id}, unique_key=f"{actor_id}:later:{span}", due_at=(span + 1) * _AGAIN)
