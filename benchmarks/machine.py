"""What processes used: CPU seconds and memory of whole trees, and who else was on the machine meanwhile."""

from __future__ import annotations

import asyncio
import os
import time
from collections.abc import Iterable
from dataclasses import dataclass

import psutil

# The work that follows a reply is over when the tree used less than this share of a core for this long.
QUIET_SHARE = 0.05
QUIET_SECONDS = 1.5
_STEP_SECONDS = 0.25
_LOOK_SECONDS = 1.0


class Tree:
    """Processes with all their descendants."""

    def __init__(self, pids: Iterable[int] = ()) -> None:
        self._roots = [psutil.Process(pid) for pid in pids]

    def _processes(self) -> list[psutil.Process]:
        found: dict[int, psutil.Process] = {}
        for root in self._roots:
            for process in (root, *root.children(recursive=True)):
                found[process.pid] = process
        return list(found.values())

    def cpu(self) -> float:
        """CPU seconds used until now, those of descendants that have ended included."""
        total = 0.0
        for process in self._processes():
            try:
                times = process.cpu_times()
            except psutil.NoSuchProcess:
                continue
            total += times.user + times.system + times.children_user + times.children_system
        return total

    def memory(self) -> float:
        """Resident megabytes."""
        return round(sum(process.memory_info().rss for process in self._processes()) / 1e6, 1)

    async def quiet(self, *, limit: float = 300.0) -> tuple[float, float]:
        """The monotonic time from which the tree had nothing more to do, and the CPU seconds used by now.

        The seconds are those at the end of the quiet stretch: no tail of the work is lost, and idling adds a few
        thousandths. Raises TimeoutError when that does not come within ``limit`` seconds.
        """
        deadline = time.monotonic() + limit
        began, began_cpu = time.monotonic(), self.cpu()
        while True:
            await asyncio.sleep(_STEP_SECONDS)
            now, cpu = time.monotonic(), self.cpu()
            if cpu - began_cpu >= QUIET_SHARE * max(now - began, 2 * _STEP_SECONDS):
                began, began_cpu = now, cpu
            elif now - began >= QUIET_SECONDS:
                return began, cpu
            if now > deadline:
                raise TimeoutError(f"The server still works after {limit:.0f} s.")


@dataclass(frozen=True, slots=True)
class Reading:
    """CPU seconds between two moments. ``others`` is the share of the machine that neither of us used, 0 to 1."""

    seconds: float
    server: float
    generator: float
    peers: float
    others: float


class Meter:
    """Reads from its making until ``stop``."""

    def __init__(self, server: Tree, peers: Tree) -> None:
        self._server, self._peers = server, peers
        self._start = self._now()

    def _now(self) -> tuple[float, float, float, float, float]:
        own = os.times()
        machine = psutil.cpu_times()
        busy = machine.user + machine.nice + machine.system + machine.irq + machine.softirq + machine.steal
        return time.monotonic(), self._server.cpu(), own.user + own.system, self._peers.cpu(), busy

    def stop(self, *, server_cpu: float | None = None) -> Reading:
        """What was used; ``server_cpu`` is the server's clock at the moment that counts, now unless given."""
        then, now = self._start, self._now()
        seconds, server, generator, peers, busy = (b - a for a, b in zip(then, now, strict=True))
        others = max(0.0, busy - server - generator - peers) / (seconds * (os.cpu_count() or 1))
        if server_cpu is not None:
            server = server_cpu - then[1]
        return Reading(seconds, server, generator, peers, min(others, 1.0))


async def calm(server: Tree, peers: Tree, *, patience: float, share: float) -> None:
    """Nobody else uses more than this share of the machine, or the patience (seconds) is at its end."""
    deadline = time.monotonic() + patience
    while time.monotonic() < deadline:
        meter = Meter(server, peers)
        await asyncio.sleep(_LOOK_SECONDS)
        if meter.stop().others < share:
            return
