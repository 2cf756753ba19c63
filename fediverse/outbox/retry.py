"""What to do after a try to deliver: a pure function of what came back. No clock, no database.

The schedule outlives a weekend for what can't be fetched again, and its jitter is proportional: retries that came
due together must not stay together.
"""

from __future__ import annotations

import enum
import random
from dataclasses import dataclass

from fediverse.clock import DAY, HOUR, MINUTE, SECOND, Instant

PUBLIC_LIFETIME: Instant = 3 * DAY
PRIVATE_LIFETIME: Instant = 7 * DAY
MAX_RETRY_AFTER: Instant = DAY
MAX_REFUSALS = 2

_WAITS = (15 * SECOND, MINUTE, 5 * MINUTE, 15 * MINUTE, 30 * MINUTE, HOUR, 2 * HOUR, 4 * HOUR, 8 * HOUR)
_LAST_WAIT = 12 * HOUR
# Long enough for the other side to refetch a key or set its clock.
_REFUSED_WAITS = (HOUR, 12 * HOUR)
_REFUSED = frozenset({401, 403})
_TRANSIENT = frozenset({408, 425, 429})
# A server that asks to come back at once, again and again, is taken at its word this often.
_TRUSTED_TRIES = 5
_LATER_AT_LEAST = 5 * MINUTE


class Step(enum.Enum):
    """What becomes of a delivery."""

    DONE = "done"
    LATER = "later"  # due again after ``wait``
    KNOCK = "knock"  # at once, signed in the other dialect
    DEAD = "dead"  # never again


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a try came to.

    ``status`` is None when no answer came. ``retry_after`` is in seconds. ``hopeless`` says that the address can never
    be called. ``knock_left`` says that the other dialect may still be tried; ``refusals`` counts the answers 401 and
    403 before this one.
    """

    status: int | None = None
    retry_after: float | None = None
    hopeless: bool = False
    knock_left: bool = False
    refusals: int = 0


@dataclass(frozen=True, slots=True)
class Decision:
    """What to do, and after how many milliseconds.

    ``gone``: the inbox was deleted, and its owner is to be checked. ``missing``: there is no such inbox just now.
    """

    step: Step
    wait: Instant = 0
    refused: bool = False
    gone: bool = False
    missing: bool = False


_DONE = Decision(Step.DONE)
_KNOCK = Decision(Step.KNOCK)
DEAD = Decision(Step.DEAD)


def next_attempt(
    attempts: int, age: Instant, outcome: Outcome, *, private: bool, rng: random.Random | None = None
) -> Decision:
    """What follows from the ``attempts``-th try of an activity that was published ``age`` milliseconds ago.

    Never a wait that ends after the lifetime: seven days for what is private or takes something back, else three.
    """
    status = outcome.status
    lifetime = PRIVATE_LIFETIME if private else PUBLIC_LIFETIME
    if status is not None and 200 <= status < 300:
        return _DONE
    if outcome.hopeless:
        return DEAD
    if outcome.knock_left and (status == 400 or status in _REFUSED):
        return _KNOCK
    if status in _REFUSED:
        if outcome.refusals >= MAX_REFUSALS:
            return DEAD
        wait = _jittered(_REFUSED_WAITS[outcome.refusals], rng)
        return Decision(Step.LATER, wait, refused=True) if age + wait <= lifetime else DEAD
    if status is not None and (status == 501 or (400 <= status < 500 and status not in _TRANSIENT)):
        return Decision(Step.DEAD, gone=status == 410, missing=status == 404)
    wait = _asked_for(outcome.retry_after, attempts) or _scheduled(attempts, rng)
    return Decision(Step.LATER, wait) if age + wait <= lifetime else DEAD


def is_host_failure(outcome: Outcome) -> bool:
    """Whether the try speaks against the host as a whole: no answer, or 5xx. Any other answer shows that it lives."""
    if outcome.status is None:
        return not outcome.hopeless
    return outcome.status >= 500 and outcome.status != 501


def _scheduled(attempts: int, rng: random.Random | None) -> Instant:
    return _jittered(_WAITS[attempts - 1] if 0 < attempts <= len(_WAITS) else _LAST_WAIT, rng)


def _jittered(wait: Instant, rng: random.Random | None) -> Instant:
    draw = rng.random() if rng is not None else random.random()  # noqa: S311 jitter, not a secret
    return wait + int(wait * draw / 2)


def _asked_for(retry_after: float | None, attempts: int) -> Instant:
    if retry_after is None:
        return 0
    least = SECOND if attempts <= _TRUSTED_TRIES else _LATER_AT_LEAST
    return max(min(int(retry_after * 1000), MAX_RETRY_AFTER), least)
