"""One delivery: signed, sent, and what came of it.

The signature and its Date are made when it is sent, in batches: one hop into a thread signs what was claimed together.
"""

from __future__ import annotations

import asyncio
import random
import time
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Protocol

import structlog

from fediverse import clock
from fediverse.clock import Instant
from fediverse.outbox import retry
from fediverse.outbox.deliveries import UNREACHABLE, Claimed
from fediverse.outbox.retry import Decision, Outcome, Step
from fediverse.remote import PostResult, Refused, RemoteError
from fediverse.signatures import CannotSign, Dialect, SigningJob, SigningKey
from fediverse.signatures.outgoing import Headers, sign_many

log = structlog.get_logger(__name__)

CONTENT_TYPE = "application/activity+json"
# Takahē drops what was signed more than a minute ago; a job that waited longer than this is signed again.
FRESH_SECONDS = 15.0
_INLINE = 2  # a hop into a thread costs a third of a signature
_KNOCKABLE = frozenset({400, 401, 403})


class Poster(Protocol):
    """The part of ``remote.Remote`` that deliveries need."""

    async def post(self, url: str, body: bytes, headers: Headers) -> PostResult:
        """Send the body; raise ``RemoteError`` if no answer comes."""
        ...


@dataclass(slots=True)
class Job:
    """A claimed row with all that sending it takes. ``dialect`` is empty while the host's is not known."""

    row: Claimed
    url: str
    body: bytes
    key: SigningKey
    created_at: Instant
    private: bool
    dialect: str = ""
    headers: Headers = field(default_factory=dict)
    signed_at: float = 0.0
    claimed_at: float = 0.0
    broken: str = ""


async def sign(jobs: Sequence[Job]) -> None:
    """The jobs carry fresh headers, or say in ``broken`` why they cannot be signed."""
    now = time.time()
    work = [
        SigningJob(job.key, "POST", job.url, job.body, Dialect(job.dialect) if job.dialect else Dialect.CAVAGE)
        for job in jobs
    ]
    signed = sign_many(work, now=now) if len(work) <= _INLINE else await asyncio.to_thread(sign_many, work, now=now)
    for job, headers in zip(jobs, signed, strict=True):
        if isinstance(headers, CannotSign):
            job.broken = str(headers)
        else:
            headers["Content-Type"] = CONTENT_TYPE
            job.headers = headers
            job.signed_at = now


@dataclass(frozen=True, slots=True)
class Sent:
    """What came of a try. ``failed`` speaks against the host as a whole; ``dialect`` is what it accepted, if it did."""

    job: Job
    decision: Decision
    error: str
    failed: bool
    hopeless: bool
    dialect: str


async def send(poster: Poster, job: Job, *, rng: random.Random | None = None) -> Sent:
    """The job was tried once, in the other dialect too where that is called for."""
    if not job.broken and time.time() - job.signed_at > FRESH_SECONDS:
        await sign([job])
    if job.broken:
        return Sent(job, retry.DEAD, f"cannot be signed: {job.broken}", failed=False, hopeless=True, dialect="")
    outcome, error, wants_other = await _post(poster, job, knock_left=not job.dialect or job.row.refusals > 0)
    decision = _decide(job, outcome, rng)
    if decision.step is Step.KNOCK or (wants_other and outcome.status in _KNOCKABLE):
        tried = job.dialect or Dialect.CAVAGE
        job.dialect = Dialect.CAVAGE if tried == Dialect.RFC9421 else Dialect.RFC9421
        await sign([job])
        second, second_error, _ = await _post(poster, job, knock_left=False)
        if second.status is not None:
            outcome, error = second, second_error
        else:  # nothing came back: what the first answer said still holds
            outcome = replace(outcome, knock_left=False)
        decision = _decide(job, outcome, rng)
    failed = retry.is_host_failure(outcome)
    if failed and outcome.retry_after is None and not error.startswith(UNREACHABLE):
        error = UNREACHABLE + error  # a proxy in front of a server that is down
    accepted = (job.dialect or Dialect.CAVAGE) if decision.step is Step.DONE else ""
    return Sent(job, decision, error, failed=failed, hopeless=outcome.hopeless, dialect=accepted)


def _decide(job: Job, outcome: Outcome, rng: random.Random | None) -> Decision:
    age = clock.now() - job.created_at
    return retry.next_attempt(job.row.attempts, age, outcome, private=job.private, rng=rng)


async def _post(poster: Poster, job: Job, *, knock_left: bool) -> tuple[Outcome, str, bool]:
    """(what came back, a line for the record, whether the answer asks for RFC 9421)."""
    refusals = job.row.refusals
    try:
        answer = await poster.post(job.url, job.body, job.headers)
    except Refused as error:
        return Outcome(hopeless=True), error.message, False
    except RemoteError as error:
        return Outcome(), UNREACHABLE + error.message, False
    except Exception as error:  # whatever one inbox provokes must not stop the deliveries to the others
        log.exception("delivery.error", inbox=job.url)
        return Outcome(), UNREACHABLE + repr(error), False
    wants_other = answer.accept_signature is not None and job.dialect != Dialect.RFC9421
    outcome = Outcome(answer.status, answer.retry_after, knock_left=knock_left, refusals=refusals)
    return outcome, f"answered {answer.status}: {answer.body_excerpt[:300]}", wants_other
