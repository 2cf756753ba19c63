"""What follows from each answer to a delivery; and what a host's circuit makes of it. Pure, so no time passes."""

from __future__ import annotations

import random
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fediverse.clock import DAY, HOUR, MINUTE, SECOND
from fediverse.outbox.hosts import HostState, after_answer, after_failure
from fediverse.outbox.retry import Outcome, Step, is_host_failure, next_attempt

SCHEDULE = [15 * SECOND, MINUTE, 5 * MINUTE, 15 * MINUTE, 30 * MINUTE, HOUR, 2 * HOUR, 4 * HOUR, 8 * HOUR, 12 * HOUR]


class Low(random.Random):
    def random(self) -> float:
        return 0.0


class High(random.Random):
    def random(self) -> float:
        return 0.999999


@pytest.mark.parametrize(("attempt", "wait"), list(enumerate(SCHEDULE, start=1)))
@pytest.mark.parametrize("status", [None, 500, 502, 503, 504, 408, 425, 429])
def test_the_schedule_with_its_jitter(attempt: int, wait: int, status: int | None) -> None:
    low = next_attempt(attempt, 0, Outcome(status), private=True, rng=Low())
    high = next_attempt(attempt, 0, Outcome(status), private=True, rng=High())
    assert (low.step, low.wait) == (Step.LATER, wait)
    assert wait * 1.49 < high.wait < wait * 1.5


@pytest.mark.parametrize(("private", "days"), [(True, 7), (False, 3)])
def test_tries_end_with_the_lifetime(private: bool, days: int) -> None:
    age, attempts = 0, 0
    while True:
        attempts += 1
        decision = next_attempt(attempts, age, Outcome(None), private=private, rng=Low())
        if decision.step is Step.DEAD:
            break
        age += decision.wait
    assert days * DAY - 12 * HOUR < age <= days * DAY


@pytest.mark.parametrize("status", [404, 405, 406, 410, 413, 415, 422, 451, 501])
def test_no_second_try_where_none_helps(status: int) -> None:
    decision = next_attempt(1, 0, Outcome(status, knock_left=True), private=True)
    assert decision.step is Step.DEAD
    assert decision.gone == (status == 410)
    assert decision.missing == (status == 404)


@pytest.mark.parametrize("status", [400, 401, 403])
def test_a_second_knock_while_the_host_is_unknown(status: int) -> None:
    assert next_attempt(1, 0, Outcome(status, knock_left=True), private=False).step is Step.KNOCK


def test_a_bad_request_of_a_known_host_is_final() -> None:
    assert next_attempt(1, 0, Outcome(400), private=False).step is Step.DEAD


@pytest.mark.parametrize("status", [401, 403])
def test_a_refusal_is_tried_late_twice(status: int) -> None:
    waits = [
        next_attempt(refusals + 1, 0, Outcome(status, refusals=refusals), private=False, rng=Low())
        for refusals in range(3)
    ]
    assert [decision.step for decision in waits] == [Step.LATER, Step.LATER, Step.DEAD]
    assert [decision.wait for decision in waits[:2]] == [HOUR, 12 * HOUR]
    assert all(decision.refused for decision in waits[:2])


@pytest.mark.parametrize("status", [200, 201, 202, 204])
def test_any_success_is_done(status: int) -> None:
    assert next_attempt(1, 0, Outcome(status, knock_left=True), private=False).step is Step.DONE


@pytest.mark.parametrize("status", [429, 503])
def test_retry_after_is_obeyed_up_to_a_day(status: int) -> None:
    assert next_attempt(1, 0, Outcome(status, retry_after=7), private=True).wait == 7 * SECOND
    assert next_attempt(9, 0, Outcome(status, retry_after=3600), private=True).wait == HOUR
    assert next_attempt(1, 0, Outcome(status, retry_after=10**8), private=True).wait == DAY


def test_retry_after_zero_is_no_licence_to_hammer() -> None:
    assert next_attempt(1, 0, Outcome(429, retry_after=0), private=True).wait >= SECOND
    assert next_attempt(6, 0, Outcome(429, retry_after=0), private=True).wait >= 5 * MINUTE


def test_an_address_that_is_never_called_is_final() -> None:
    assert next_attempt(1, 0, Outcome(hopeless=True), private=True).step is Step.DEAD
    assert not is_host_failure(Outcome(hopeless=True))


@given(
    attempts=st.integers(1, 100),
    age=st.integers(0, 10 * DAY),
    status=st.one_of(st.none(), st.integers(100, 599)),
    retry_after=st.one_of(st.none(), st.floats(0, 1e9)),
    refusals=st.integers(0, 5),
    private=st.booleans(),
)
def test_nothing_is_due_after_its_lifetime(
    attempts: int, age: int, status: int | None, retry_after: float | None, refusals: int, private: bool
) -> None:
    decision = next_attempt(attempts, age, Outcome(status, retry_after, refusals=refusals), private=private)
    if decision.step is Step.LATER:
        assert decision.wait >= SECOND
        assert age + decision.wait <= (7 if private else 3) * DAY


def test_five_failures_in_ten_minutes_open_the_circuit() -> None:
    state = HostState()
    for n in range(4):
        state = after_failure(state, n * MINUTE)
    assert state.open_until is None
    state = after_failure(state, 4 * MINUTE)
    assert state.open_until == 4 * MINUTE + 15 * SECOND


def test_failures_far_apart_do_not() -> None:
    state = HostState()
    for n in range(20):
        state = after_failure(state, n * 11 * MINUTE)
    assert state.open_until is None


def test_each_failed_probe_doubles_the_time_up_to_six_hours() -> None:
    state, now, waits = _opened()
    for _ in range(14):
        now = state.open_until or 0
        state = after_failure(state, now)
        waits.append((state.open_until or 0) - now)
    assert waits[:4] == [15 * SECOND, 30 * SECOND, 60 * SECOND, 120 * SECOND]
    assert waits[-1] == 6 * HOUR


def test_a_straggler_does_not_double_it() -> None:
    state, now, _ = _opened()
    assert after_failure(state, now + SECOND) == state


def test_any_answer_closes_it() -> None:
    state, now, _ = _opened()
    closed = after_answer(state, now, "rfc9421")
    assert (closed.opened, closed.open_until, closed.failures, closed.dialect) == (0, None, 0, "rfc9421")
    assert after_answer(closed, now).dialect == "rfc9421"


def test_seven_days_of_failure_make_a_host_dead_and_one_answer_brings_it_back() -> None:
    state = HostState()
    for day in range(7):
        assert state.dead_since is None
        state = after_failure(replace(state, open_until=None), day * DAY)
        state = after_failure(state, day * DAY + HOUR)
    assert state.dead_since == 6 * DAY
    assert (state.open_until or 0) - (6 * DAY + HOUR) <= DAY
    assert after_answer(state, 8 * DAY) == HostState(last_success_at=8 * DAY)


def _opened() -> tuple[HostState, int, list[int]]:
    state = HostState()
    for n in range(5):
        state = after_failure(state, n)
    return state, 4, [(state.open_until or 0) - 4]
