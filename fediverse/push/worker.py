"""The worker that sends what is on its way to devices.

It can be killed at any instruction: a row goes only once the push service has answered, and what was held is claimed
again when its lease has ended. A device may be told twice then, never not at all.
"""

from __future__ import annotations

import asyncio
import random
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, Literal, Protocol

import structlog
from cryptography.hazmat.primitives.asymmetric.ec import EllipticCurvePrivateKey
from sqlalchemy import Connection, Row, select

from fediverse import clock, events, loading, queue
from fediverse.clock import DAY, HOUR, MINUTE, SECOND, Instant
from fediverse.db import Database
from fediverse.entities import NotificationView
from fediverse.push import messages, subscriptions, vapid
from fediverse.push import queue as pushes
from fediverse.push.messages import Message
from fediverse.remote import PostResult, Refused, RemoteError, target
from fediverse.site import Site
from fediverse.tables.push import pushes as table
from fediverse.tables.timelines import notifications

log = structlog.get_logger(__name__)

_BATCH: Final = 32
_WAITS: Final = (15 * SECOND, MINUTE, 5 * MINUTE, 20 * MINUTE, HOUR, 3 * HOUR, 6 * HOUR, 12 * HOUR)
_GONE: Final = frozenset({404, 410})
_TRANSIENT: Final = frozenset({408, 425, 429})
_ATTEMPTS: Final = 12
# Messages are the same for whoever looks: no marks or filters of a viewer are in them.
NOBODY: Final = 0
_MOST_TOKENS: Final = 1000
_TOKEN_SECONDS: Final = 12 * 3600
_FRESH_SECONDS: Final = 3600
_HOUR_SECONDS: Final = 3600.0


class Poster(Protocol):
    """The part of ``remote.Remote`` that pushes need."""

    async def post(self, url: str, body: bytes, headers: Mapping[str, str]) -> PostResult:
        """Send the body; raise ``RemoteError`` if no answer comes."""
        ...


@dataclass(frozen=True, slots=True)
class _Job:
    push: Row[Any]
    subscription: Row[Any]
    view: NotificationView


@dataclass(frozen=True, slots=True)
class _Result:
    """What came of a try: ``gone`` ends the subscription, ``refused`` may be its last but some, ``later`` is due."""

    push_id: int
    subscription_id: int
    outcome: Literal["taken", "refused", "gone", "later", "dropped"]
    due_at: Instant = 0
    error: str = ""


class Worker:
    """Sends pushes."""

    def __init__(
        self,
        database: Database,
        hub: events.Hub,
        poster: Poster,
        *,
        site: Site,
        secret: bytes,
        rng: random.Random | None = None,
    ) -> None:
        self._database = database
        self._waker = hub.waker("pushes")
        self._poster = poster
        self._site = site
        self._secret = secret
        self._rng = rng or random.Random()  # noqa: S311 jitter, not a secret
        self._key: EllipticCurvePrivateKey | None = None
        self._subject = f"{site.urls.base_url}/"
        # Signed once an hour for each push service: (token, until when it is fresh).
        self._tokens: dict[str, tuple[str, float]] = {}

    async def run(self, stop: asyncio.Event) -> None:
        """Works until ``stop`` is set."""
        if self._database.is_sqlite:
            await self._database.write(queue.drop_leases, table)
        swept = float("-inf")
        while not stop.is_set():
            try:
                now = asyncio.get_running_loop().time()
                if now > swept + _HOUR_SECONDS:
                    await self._database.write(subscriptions.sweep)
                    swept = now
                if not await self.tick():
                    await queue.sleep_until_woken(self._waker)
            except Exception:
                log.exception("push.pass_failed")
                await asyncio.sleep(queue.POLL_SECONDS)

    async def tick(self) -> int:
        """One pass over what is due; returns how many were tried."""
        now = clock.now()
        claimed = await self._database.write(queue.claim, table, now=now, limit=_BATCH)
        if not claimed:
            return 0
        jobs = await self._database.read(_load, claimed)
        if self._key is None and jobs:
            self._key = await self._database.read(vapid.load, self._secret)
        encrypted = await asyncio.to_thread(self._encrypt, jobs)
        results = await asyncio.gather(*(self._send(job, message) for job, message in encrypted))
        await self._database.write(_settle, [row.id for row in claimed], results)
        return len(claimed)

    def _encrypt(self, jobs: Sequence[_Job]) -> list[tuple[_Job, Message]]:
        """What is to be sent; what cannot be encrypted is left out. In a thread: it takes half a millisecond each."""
        made = []
        for job in jobs:
            subscription = job.subscription
            try:
                token = subscriptions.token_of(subscription, self._secret)
                plain = messages.payload(job.view, self._site, access_token=token, locale=subscription.locale)
                jwt = self._token(subscription.endpoint)
                message = messages.sealed(subscription, plain, jwt=jwt, public_key=self._site.vapid_key)
            except Exception:
                log.exception("push.cannot_be_encrypted", subscription=subscription.id)
                continue
            made.append((job, message))
        return made

    def _token(self, endpoint: str) -> str:
        """Says to the push service who is calling; signed once an hour."""
        here = target(endpoint)
        audience = f"{here.scheme}://{here.authority}"
        now = time.time()
        token, fresh_until = self._tokens.get(audience, ("", 0.0))
        if now >= fresh_until:
            assert self._key is not None
            token = vapid.token(self._key, audience=audience, subject=self._subject, expires=int(now) + _TOKEN_SECONDS)
            if len(self._tokens) > _MOST_TOKENS:
                self._tokens.clear()
            self._tokens[audience] = (token, now + _FRESH_SECONDS)
        return token

    async def _send(self, job: _Job, message: Message) -> _Result:
        ids = (job.push.id, job.subscription.id)
        try:
            answer = await self._poster.post(job.subscription.endpoint, message.body, message.headers)
        except Refused as error:  # an address that is never called
            return _Result(*ids, "gone", error=error.message)
        except RemoteError as error:
            return self._later(job, None, error.message)
        except Exception as error:  # whatever one push service provokes must not stop the others
            log.exception("push.error", subscription=job.subscription.id)
            return self._later(job, None, repr(error))
        status = answer.status
        if 200 <= status < 300:
            return _Result(*ids, "taken")
        if status in _GONE:
            return _Result(*ids, "gone")
        if status < 500 and status not in _TRANSIENT:
            log.info(
                "push.refused", endpoint=job.subscription.endpoint, status=status, answer=answer.body_excerpt[:200]
            )
            return _Result(*ids, "refused")
        return self._later(job, answer.retry_after, f"answered {status}")

    def _later(self, job: _Job, retry_after: float | None, error: str) -> _Result:
        """It is tried again, unless it would be no news any more."""
        attempts, now = job.push.attempts, clock.now()
        wait = _WAITS[min(attempts, len(_WAITS)) - 1]
        wait += int(wait * self._rng.random() / 2)
        if retry_after is not None:
            wait = max(wait, min(int(retry_after * SECOND), DAY))
        is_late = attempts >= _ATTEMPTS or now + wait > job.push.created_at + messages.LIFETIME
        return _Result(job.push.id, job.subscription.id, "dropped" if is_late else "later", now + wait, error)


def _load(tx: Connection, claimed: Sequence[Row[Any]]) -> list[_Job]:
    """What is still to be told to whom: neither the notification nor the subscription may be gone."""
    known = pushes.subscriptions_of(tx, [row.subscription_id for row in claimed])
    wanted = [row.notification_id for row in claimed]
    rows = tx.execute(select(notifications).where(notifications.c.id.in_(wanted), ~notifications.c.filtered)).all()
    views = {view.notification.id: view for view in loading.notifications(tx, rows, NOBODY)}
    return [
        _Job(row, known[row.subscription_id], views[row.notification_id])
        for row in claimed
        if row.subscription_id in known and row.notification_id in views
    ]


def _settle(tx: Connection, claimed: Sequence[int], results: Sequence[_Result]) -> None:
    later = [(result.push_id, result.due_at, result.error) for result in results if result.outcome == "later"]
    waiting = {push_id for push_id, _, _ in later}
    pushes.postpone(tx, later)
    queue.settle(tx, table, [push_id for push_id in claimed if push_id not in waiting])

    def those(outcome: str) -> list[int]:
        return sorted({result.subscription_id for result in results if result.outcome == outcome})

    subscriptions.answered(tx, well=those("taken"), refused=those("refused"))
    subscriptions.end(tx, those("gone"))
