"""How many requests are under way at once, to whom.

A host has at most four; one while it is not known to answer, or while its circuit is being probed. All hosts together
have 128, of which those not known to answer have at most half: however many of them accept a connection and never
answer, the others go on. A lane is a task that sends one delivery of its host after the other.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable, Iterable
from dataclasses import dataclass, field

import structlog

from fediverse.outbox.deliveries import PER_HOST
from fediverse.outbox.hosts import FAILURES_TO_OPEN, HostState
from fediverse.outbox.sending import Job

log = structlog.get_logger(__name__)

LANES = 128
UNPROVEN_LANES = 64
LANES_PER_HOST = 4
HELD = 512
UNPROVEN_HELD = 256
UNPROVEN_HELD_PER_HOST = 4

Send = Callable[[Job], Awaitable[bool]]
Allowed = Callable[[str, HostState], int]


@dataclass(slots=True)
class _Host:
    """What this worker holds of one host. ``failures`` are those in a row, seen here."""

    name: str
    proven: bool
    probing: bool
    jobs: deque[Job] = field(default_factory=deque)
    active: int = 0
    failures: int = 0
    waiting: bool = False

    @property
    def held(self) -> int:
        return len(self.jobs) + self.active

    @property
    def capacity(self) -> int:
        return _capacity(proven=self.proven, probing=self.probing)

    @property
    def width(self) -> int:
        return LANES_PER_HOST if self.proven else 1


class Lanes:
    """The deliveries that this worker holds. All calls are on the event loop's thread.

    ``send`` tries a job and says whether its host answered. ``release`` gets jobs that will not be tried now.
    """

    def __init__(self, send: Send, release: Callable[[Iterable[Job]], None], changed: Callable[[], None]) -> None:
        self._send = send
        self._release = release
        self._changed = changed
        self._hosts: dict[str, _Host] = {}
        self._waiting: deque[_Host] = deque()
        self._tasks: set[asyncio.Task[None]] = set()
        self._active = 0
        self._unproven_active = 0
        self.held: dict[int, Job] = {}

    @property
    def room(self) -> int:
        """How many more rows may be claimed."""
        return max(HELD - len(self.held), 0)

    def busy(self) -> list[str]:
        """Hosts of which no more rows may be claimed."""
        return [name for name, host in self._hosts.items() if host.held >= host.capacity]

    def allowance(self) -> Callable[[], Allowed]:
        """How many rows to claim of each host, by what is held now.

        The result makes functions that count what they have granted: a transaction that runs again takes a new one.
        """
        unproven = UNPROVEN_HELD - sum(host.held for host in self._hosts.values() if not host.proven)
        held = {name: (host.held, host.capacity) for name, host in self._hosts.items()}
        return lambda: _granting(held, unproven)

    def add(self, job: Job, state: HostState) -> None:
        """The job is sent as soon as there is a lane for it."""
        name = job.row.host
        host = self._hosts.get(name)
        if host is None:
            host = self._hosts[name] = _Host(name, state.is_proven, state.is_half_open)
        host.jobs.append(job)
        self.held[job.row.id] = job
        self._start(host)

    def give_all_back(self) -> None:
        """What was not begun is released."""
        for host in list(self._hosts.values()):
            self._give_back(host)

    async def drain(self) -> None:
        """What is under way is finished; that takes at most its own time limit."""
        while self._tasks:
            await asyncio.wait(set(self._tasks))

    async def wait_for_change(self) -> None:
        """Returns when a lane has ended."""
        if self._tasks:
            await asyncio.wait(set(self._tasks), return_when=asyncio.FIRST_COMPLETED)

    def _start(self, host: _Host) -> None:
        while host.jobs and host.active < host.width:
            free = LANES - self._active
            if free <= 0 or not (host.proven or self._unproven_active < UNPROVEN_LANES):
                if not host.waiting:
                    host.waiting = True
                    self._waiting.append(host)
                return
            host.active += 1
            self._active += 1
            self._unproven_active += not host.proven
            lane = self._lane(host, host.jobs.popleft(), counted_unproven=not host.proven)
            task = asyncio.create_task(lane)
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)

    async def _lane(self, host: _Host, job: Job | None, *, counted_unproven: bool) -> None:
        try:
            while job is not None:
                try:
                    self._learn(host, answered=await self._send(job))
                except Exception:  # its lease ends, and it is tried again; what waits behind it goes on
                    log.exception("delivery.try_failed", inbox=job.row.inbox)
                finally:
                    self.held.pop(job.row.id, None)
                    self._changed()
                if counted_unproven and host.proven:
                    counted_unproven = False
                    self._unproven_active -= 1
                job = host.jobs.popleft() if host.jobs else None
        finally:
            host.active -= 1
            self._active -= 1
            self._unproven_active -= counted_unproven
            if not host.held:
                # Looked at afresh, as the database knows it, when it comes up again.
                self._hosts.pop(host.name, None)
            self._next()

    def _learn(self, host: _Host, *, answered: bool) -> None:
        if answered:
            host.failures = 0
            host.probing = False
            if not host.proven:
                host.proven = True
            self._start(host)
            return
        host.failures += 1
        host.proven = False
        if host.probing or host.failures >= FAILURES_TO_OPEN:
            self._give_back(host)  # its circuit opens: what is held must not burn its tries

    def _give_back(self, host: _Host) -> None:
        jobs = list(host.jobs)
        host.jobs.clear()
        for job in jobs:
            self.held.pop(job.row.id, None)
        self._release(jobs)

    def _next(self) -> None:
        """Lanes that became free go to hosts that wait for one, in turn."""
        for _ in range(len(self._waiting)):
            if self._active >= LANES:
                break
            host = self._waiting.popleft()
            host.waiting = False
            self._start(host)


def _capacity(*, proven: bool, probing: bool) -> int:
    """How many rows of a host are held at most."""
    if probing:
        return 1
    return PER_HOST if proven else UNPROVEN_HELD_PER_HOST


def _granting(held: dict[str, tuple[int, int]], unproven_left: int) -> Allowed:
    left = unproven_left

    def allowed(name: str, state: HostState) -> int:
        nonlocal left
        fresh = (0, _capacity(proven=state.is_proven, probing=state.is_half_open))
        have, capacity = held.get(name, fresh)
        grant = max(capacity - have, 0)
        if not state.is_proven:
            grant = min(grant, max(left, 0))
            left -= grant
        return grant

    return allowed
