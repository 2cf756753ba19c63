"""Who signed a request: the keys of remote actors, cached, fetched when unknown, fetched once more when they changed.

A key counts for an actor if the actor's own document, fetched from the actor's id, lists it. A document somewhere
else that claims to be somebody's key is never believed, and mostly not even fetched.

Asking another server is rationed: per actor one fetch in five minutes, whether it helped or not, so that bad
signatures cannot be turned into load on others. How many actors a caller may have looked up is the caller's part of it.
"""

from __future__ import annotations

from collections.abc import Callable, Collection
from contextlib import AbstractContextManager
from dataclasses import dataclass, replace
from typing import Any

import structlog
from sqlalchemy import Connection, Row, select

from fediverse import moderation
from fediverse.actors import directory
from fediverse.actors.discovery import Discovery
from fediverse.db import Database
from fediverse.drafts import ActorDraft
from fediverse.errors import FediverseError, Forbidden
from fediverse.limited import Expiring, SingleFlight
from fediverse.remote import Mismatch, RemoteError, target
from fediverse.signatures import PublicKey, SignatureError, SignedRequest, load_public, precheck, verify
from fediverse.tables.actors import actor_keys, actors
from fediverse.urls import Urls

log = structlog.get_logger(__name__)

REMEMBERED_SECONDS = 30.0
"""How long a signer is taken from memory; a suspension or a new key in another process is noticed after that."""

COOL_DOWN_SECONDS = 300.0

_UNKNOWN = "The signature's key could not be found in the sender's actor document."
_BLOCKED = "This server does not take messages from yours."

LookUp = Callable[[], AbstractContextManager[None]]
"""What surrounds asking another server; it refuses callers on whose behalf that was in vain too often."""


@dataclass(frozen=True, slots=True)
class KnownSigner:
    """A remote actor with one of its keys, as they are stored here."""

    actor_id: int
    uri: str
    key_id: str
    public_key: PublicKey
    suspended: bool


@dataclass(frozen=True, slots=True)
class Standing:
    """What is known about somebody who says that they signed."""

    signer: KnownSigner | None
    actor_is_known: bool
    blocked: bool


class Signers:
    """Verifies requests of remote actors. One per process."""

    def __init__(self, database: Database, discovery: Discovery, urls: Urls) -> None:
        self._database = database
        self._discovery = discovery
        self._hosts: Collection[str] = frozenset({urls.host})
        self._schemes = frozenset({target(urls.base_url).scheme})
        self._known: Expiring[str, KnownSigner] = Expiring(8192, REMEMBERED_SECONDS)
        # What an actor's document said when it was last asked for; (None,) when it could not be had.
        self._asked: Expiring[str, tuple[ActorDraft | None]] = Expiring(4096, COOL_DOWN_SECONDS)
        self._asking: SingleFlight[str, ActorDraft | None] = SingleFlight()
        self._learning: SingleFlight[str, Row[Any]] = SingleFlight()

    def forget(self) -> None:
        """Whoever signs next is looked up anew, as after a block."""
        self._known.clear()

    def remembered(self, key_id: str) -> KnownSigner | None:
        """The signer with this key, if it was seen within half a minute."""
        return self._known.get(key_id)

    async def standing(self, key_id: str, actor_uri: str) -> Standing:
        """What is stored about the key and the actor; nothing is fetched."""
        found = await self._database.read(_standing, key_id, directory.canonical(actor_uri))
        if found.signer is not None and not found.blocked:
            self._known.put(key_id, found.signer)
        return found

    def check(self, parsed: SignedRequest, *, body: bytes | None, now: float) -> None:
        """Returns when nothing but the key is left to be asked; raises SignatureError otherwise. ``now`` in seconds."""
        precheck(parsed, body=body, now=now, hosts=self._hosts, schemes=self._schemes)

    async def verify(
        self,
        parsed: SignedRequest,
        known: KnownSigner | None,
        *,
        actor_uri: str,
        body: bytes | None,
        now: float,
        look_up: LookUp,
        is_new: bool = False,
    ) -> KnownSigner:
        """The signer, who is exactly ``actor_uri`` and signed the request recently for this instance.

        ``known`` is what :meth:`remembered` or :meth:`standing` gave; ``is_new`` says that nothing at all is known of
        the actor yet: the fetch that makes it known is not counted against the one that a new key may cause.

        Raises SignatureError otherwise, Forbidden for those who are blocked or suspended here, and what ``look_up``
        raises before anybody is asked.
        """
        actor_uri = directory.canonical(actor_uri)
        if known is not None:
            if known.uri != actor_uri:
                raise SignatureError("mismatch", "The request is signed by somebody else than the activity's actor.")
            if known.suspended:
                raise Forbidden(_BLOCKED)
            try:
                self._verify(parsed, known.public_key, body=body, now=now)
                return known
            except SignatureError as error:
                if error.reason != "mismatch":
                    raise
        signer = await self._look_up(parsed, actor_uri, body=body, now=now, look_up=look_up)
        if is_new:
            self._asked.drop(actor_uri)
        return signer

    async def _look_up(
        self, parsed: SignedRequest, actor_uri: str, *, body: bytes | None, now: float, look_up: LookUp
    ) -> KnownSigner:
        """The signer by its own document, which counts as a look-up only where that has to be asked for."""
        self.check(parsed, body=body, now=now)
        if self._asked.get(actor_uri) is not None or actor_uri in self._asking:
            return await self._verify_by_document(parsed, actor_uri, body=body, now=now)
        with look_up():
            return await self._verify_by_document(parsed, actor_uri, body=body, now=now)

    async def _verify_by_document(
        self, parsed: SignedRequest, actor_uri: str, *, body: bytes | None, now: float
    ) -> KnownSigner:
        """The signer by what its own document lists now."""
        draft = await self._document(actor_uri)
        listed = next((key for key in draft.keys if key.uri == parsed.key_id), None) if draft is not None else None
        if draft is None or listed is None:
            raise SignatureError("key", _UNKNOWN)
        public_key = load_public(listed.public_key)
        self._verify(parsed, public_key, body=body, now=now)
        try:
            actor = await self._learning.do(actor_uri, lambda: self._discovery.learn(draft))
        except FediverseError as error:
            if isinstance(error, Mismatch):  # servers were asked who it is, and are not asked again for a while
                self._asked.put(actor_uri, (None,))
            raise SignatureError("key", "The sender's actor could not be confirmed.") from error
        if actor.suspended_at is not None:
            raise Forbidden(_BLOCKED)
        signer = KnownSigner(actor.id, actor_uri, parsed.key_id, public_key, suspended=False)
        self._forget_keys_of(actor_uri)
        self._known.put(parsed.key_id, signer)
        return signer

    def _verify(self, parsed: SignedRequest, key: PublicKey, *, body: bytes | None, now: float) -> None:
        try:
            verify(parsed, key, body=body, now=now, hosts=self._hosts, schemes=self._schemes)
        except SignatureError as error:
            path, question, _ = parsed.target.partition("?")
            if error.reason != "mismatch" or parsed.method != "GET" or not question:
                raise
            # Some servers leave the query out of what they sign.
            bare = replace(parsed, target=path)
            verify(bare, key, body=body, now=now, hosts=self._hosts, schemes=self._schemes)

    async def _document(self, actor_uri: str) -> ActorDraft | None:
        """What the actor's document says, at most five minutes old; None when it cannot be had."""
        asked = self._asked.get(actor_uri)
        if asked is not None:
            return asked[0]
        return await self._asking.do(actor_uri, lambda: self._ask(actor_uri))

    async def _ask(self, actor_uri: str) -> ActorDraft | None:
        draft: ActorDraft | None = None
        try:
            draft = await self._discovery.read_actor(actor_uri)
            if directory.canonical(draft.uri) != actor_uri:
                draft = None
        except FediverseError as error:
            log.info("signers.key_failed", actor=actor_uri, error=str(error))
        self._asked.put(actor_uri, (draft,))
        return draft

    def _forget_keys_of(self, actor_uri: str) -> None:
        """A withdrawn key does not live on in memory."""
        for key_id in [key_id for key_id, signer in self._known.items() if signer.uri == actor_uri]:
            self._known.drop(key_id)


def _standing(tx: Connection, key_id: str, actor_uri: str) -> Standing:
    row = tx.execute(
        select(
            actors.c.id,
            actors.c.uri,
            actors.c.host,
            actors.c.suspended_at,
            actors.c.deleted_at,
            actor_keys.c.public_key,
        )
        .join(actor_keys, actor_keys.c.actor_id == actors.c.id)
        .where(actor_keys.c.key_uri == key_id)
    ).one_or_none()
    actor = tx.execute(
        select(actors.c.id, actors.c.host, actors.c.suspended_at, actors.c.deleted_at).where(actors.c.uri == actor_uri)
    ).one_or_none()
    blocked = actor is not None and actor.suspended_at is not None
    hosts = {_authority(key_id), _authority(actor_uri), actor.host if actor is not None else ""} - {""}
    blocked = blocked or bool(moderation.blocked_among(tx, hosts))
    signer = None
    if row is not None and row.deleted_at is None:
        signer = KnownSigner(
            row.id, row.uri, key_id, load_public(row.public_key), suspended=row.suspended_at is not None
        )
    return Standing(signer, actor_is_known=actor is not None and actor.deleted_at is None, blocked=blocked)


def _authority(url: str) -> str:
    try:
        return str(target(url).yarl.authority)
    except RemoteError:
        return ""
