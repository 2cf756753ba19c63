"""Memory at rest and after every kind of load, and how soon a server that is started answers."""

from __future__ import annotations

import asyncio
from statistics import median

from benchmarks import documents, fanout, inbox, posting, reading, server
from benchmarks.report import MEGABYTES, SECONDS, Figure
from benchmarks.stage import ACCOUNT, Setting, stage


async def memory(setting: Setting) -> dict[str, list[Figure]]:
    """Resident memory of the whole tree: idle, and when all loads are over."""
    sizes = setting.sizes
    async with stage(setting) as place:
        await place.tree.quiet()
        began = place.tree.cpu()
        await asyncio.sleep(sizes.rest)
        idle_share = (place.tree.cpu() - began) / sizes.rest
        idle = place.tree.memory()
        await inbox.fill(place, sizes.timeline)
        authors = place.hosts.peers("shared", sizes.authors)
        await inbox.notes(place, authors, "Notes")
        await inbox.mix(place, authors, "mix")
        for name, path in reading.PATHS.items():
            await reading.read(place, name, path)
        await documents.all_of(place)
        await posting.to_one(place)
        await fanout.spread(place, "own")
        await fanout.spread(place, "shared")
        await asyncio.sleep(sizes.rest)
        after = place.tree.memory()
    detail = {"idle_cpu_share": round(idle_share, 4)}
    return {
        "memory": [
            Figure("idle", idle, MEGABYTES, bound="memory idle", detail=detail),
            Figure("after all loads", after, MEGABYTES, bound="memory after"),
        ]
    }


async def start(setting: Setting) -> dict[str, list[Figure]]:
    """From the start of the process to the first 200: on an empty folder, and, what counts, on an existing one."""
    async with server.fresh(setting.database) as running:
        first = await running.start()
        await running.stop()
        running.account(ACCOUNT)
        later = []
        for _ in range(setting.sizes.starts):
            later.append(await running.start())
            await running.stop()
    return {
        "start": [
            Figure("cold start", median(later), SECONDS, bound="start", detail={"all": [round(s, 3) for s in later]}),
            Figure("very first start, tables made", first, SECONDS),
        ]
    }
