"""The receive path: what has to be true before an activity is stored and answered with 202.

In this order, so that what is cheap and certain comes before what costs: content type, recipient, announced size, that
there is a signature at all, and only then the body; JSON, what the signature claims, blocks, the key (remembered,
stored, and only then fetched), the signature, and that the signer is exactly the activity's actor. Then the activity
is stored with its neighbours in one commit. What it means is the worker's work.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from sqlalchemy import Connection

from fediverse import clock, metrics
from fediverse.actors import directory
from fediverse.actors.signers import KnownSigner, LookUp, Signers
from fediverse.db import Database
from fediverse.documents import ACTIVITY_TYPES, host_of, http_uri, id_of, type_of
from fediverse.errors import BadRequest, FediverseError, Forbidden, Gone, NotFound, TooLarge, UnsupportedType
from fediverse.inbox import store
from fediverse.inbox.store import Incoming
from fediverse.limited import Expiring
from fediverse.outbox import hosts
from fediverse.remote import is_activity_type, parse_object, target
from fediverse.signatures import SignatureError, SignedRequest, parse
from fediverse.urls import Urls

MAX_BYTES = 1024 * 1024
TOO_LARGE = "An activity may have 1 MiB at most."
_RECIPIENT_SECONDS = 10.0
_HEARD_SECONDS = 30.0


class Quota(Protocol):
    """How many activities a server may send."""

    def check(self, host: str) -> None:
        """Raises TooManyRequests when the server has sent too many."""

    def count(self, host: str) -> None:
        """The server has sent one more."""


@dataclass(frozen=True, slots=True)
class Posted:
    """A POST to an inbox: the request line and headers as they came. ``recipient`` is '' for everybody.

    ``length`` is the body's size as far as it is announced. ``read`` gives the body, once, and raises TooLarge beyond
    the number of bytes. ``look_up`` surrounds asking another server who signed. ``quota`` counts by server.
    """

    path: str
    headers: Sequence[tuple[str, str]]
    content_type: str
    content_encoding: str
    length: int | None
    read: Callable[[int], Awaitable[bytes]]
    look_up: LookUp
    quota: Quota
    recipient: str = ""


@dataclass(frozen=True, slots=True)
class Claim:
    """What an activity says of itself, as far as the door has to know."""

    type: str
    id: str | None
    actor_uri: str


class Receiver:
    """Takes in what other servers send. One per process."""

    def __init__(self, database: Database, signers: Signers, urls: Urls) -> None:
        self._database = database
        self._signers = signers
        self._urls = urls
        self._writer = _Writer(database)
        self._recipients: Expiring[str, int] = Expiring(4096, _RECIPIENT_SECONDS)
        self._heard: Expiring[str, bool] = Expiring(4096, _HEARD_SECONDS)

    async def receive(self, posted: Posted) -> None:
        """Returns once the activity is durably stored, or needs no storing; the answer is 202 then.

        Raises a FediverseError that says what is wrong with the request. Counts the outcome.
        """
        try:
            outcome, reason = await self._receive(posted)
        except SignatureError as error:
            metrics.INBOX.labels("refused", f"signature_{error.reason}").inc()
            raise
        except FediverseError as error:
            metrics.INBOX.labels("refused", _reason(error)).inc()
            raise
        metrics.INBOX.labels(outcome, reason).inc()

    async def _receive(self, posted: Posted) -> tuple[str, str]:
        check_type(posted.content_type, posted.content_encoding)
        if posted.recipient:
            await self._check_recipient(posted.recipient)
        if posted.length is not None and posted.length > MAX_BYTES:
            raise TooLarge(TOO_LARGE)
        # Before the body is read: whoever does not sign gets no memory here.
        parsed = parse("POST", posted.path, posted.headers)
        body = await posted.read(MAX_BYTES)
        draft = read(body)
        # Who claims to be of a server that floods us learns no more than it would; only what is proven counts.
        host = host_of(draft.actor_uri)
        posted.quota.check(host)
        signer = await self._verify(parsed, draft, body, posted.look_up)
        if signer is None:
            return "ignored", "unknown_deleted"
        posted.quota.count(host)
        await self._writer.add(
            Incoming(
                signer.actor_id,
                store.activity_key(draft.id, signer.uri, body),
                draft.type,
                body,
            )
        )
        await self._note_life(signer.uri)
        return "stored", draft.type if draft.type in _COUNTED else "other"

    async def _note_life(self, signer_uri: str) -> None:
        """Deliveries to the signer's server are tried again soon, should they have been held back."""
        host = target(signer_uri).authority
        if self._heard.get(host) is None:
            self._heard.put(host, True)
            await self._database.write(hosts.heard_from, host, now=clock.now())

    async def _verify(self, parsed: SignedRequest, draft: Claim, body: bytes, look_up: LookUp) -> KnownSigner | None:
        """The signer; None for the deletion of somebody who is not known here."""
        now = clock.now() / 1000
        signer = self._signers.remembered(parsed.key_id)
        is_new = False
        if signer is None:
            self._signers.check(parsed, body=body, now=now)
            standing = await self._signers.standing(parsed.key_id, draft.actor_uri)
            if standing.blocked:
                raise Forbidden("This server does not take messages from yours.")
            if draft.type == "Delete" and not standing.actor_is_known:
                # Servers tell everybody when an account goes; its key is gone with it, and nothing of it is here.
                return None
            signer, is_new = standing.signer, not standing.actor_is_known
        return await self._signers.verify(
            parsed, signer, actor_uri=draft.actor_uri, body=body, now=now, look_up=look_up, is_new=is_new
        )

    async def _check_recipient(self, username: str) -> None:
        status = self._recipients.get(username)
        if status is None:
            status = await self._database.read(_recipient_status, username)
            self._recipients.put(username, status)
        if status == 404:
            raise NotFound("There is no such account here.")
        if status == 410:
            raise Gone("This account was deleted.")


_COUNTED = frozenset(
    ("Accept", "Add", "Announce", "Block", "Create", "Delete", "Follow", "Like", "Reject", "Remove", "Undo", "Update")
)


def check_type(content_type: str, content_encoding: str) -> None:
    """Returns for ActivityPub's content types without further encoding; raises UnsupportedType otherwise."""
    if not is_activity_type(content_type):
        raise UnsupportedType(
            "Inboxes take application/activity+json, "
            'or application/ld+json with profile="https://www.w3.org/ns/activitystreams".'
        )
    if content_encoding.strip().lower() not in {"", "identity"}:
        raise UnsupportedType("Inboxes take no compressed bodies. Send it without Content-Encoding.")


def read(body: bytes) -> Claim:
    """What the activity in a body says of itself. Raises BadRequest when there is none.

    The worker reads the rest; what the two read in common they read by the same functions.
    """
    try:
        document: dict[str, Any] = parse_object(body)
    except ValueError as error:
        raise BadRequest(str(error)) from error
    kind = type_of(document, ACTIVITY_TYPES)
    if not kind:
        raise BadRequest("An activity needs a type.")
    actor_uri = http_uri(id_of(document.get("actor")))
    if actor_uri is None:
        raise BadRequest("An activity needs an actor whose id is an http(s) URL.")
    return Claim(kind, id_of(document.get("id")), actor_uri)


def _recipient_status(tx: Connection, username: str) -> int:
    actor = directory.local(tx, username)
    if actor is None or actor.username != username:
        return 404
    return 410 if actor.deleted_at is not None else 200


def _reason(error: FediverseError) -> str:
    return type(error).__name__.lower()


class _Writer:
    """Stores what arrives while the last commit was under way as one: a durable commit costs an fsync."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._waiting: list[tuple[Incoming, asyncio.Future[None]]] = []
        self._task: asyncio.Task[None] | None = None

    async def add(self, incoming: Incoming) -> None:
        """Returns once the activity is durably stored. Raises Unavailable while the database is away."""
        future: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiting.append((incoming, future))
        if self._task is None:
            self._task = asyncio.create_task(self._flush())
        await future

    async def _flush(self) -> None:
        while self._waiting:
            group, self._waiting = self._waiting, []
            try:
                await self._database.write(store.add, [incoming for incoming, _ in group], now=clock.now())
            except Exception as error:
                for _, future in group:
                    if not future.done():
                        future.set_exception(error)
                continue
            for _, future in group:
                if not future.done():
                    future.set_result(None)
        self._task = None
