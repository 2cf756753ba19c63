"""``make demo``: two instances, their people, a conversation between them; stays until Ctrl-C.

Every run starts anew: the folders ``data/demo-1`` and ``data/demo-2`` are emptied first. Accounts are made by the
command line, everything else happens over HTTP, as it would between strangers.
"""

from __future__ import annotations

import asyncio
import signal
import sys
from collections.abc import Sequence
from contextlib import AsyncExitStack, suppress
from pathlib import Path

import aiohttp

from tools.demo.acting import Stage
from tools.demo.servers import DemoError, Server, check_ports
from tools.demo.story import BRANDS, PASSWORD, SCRIPT

FOLDER = Path("data").resolve()


async def _run() -> None:
    stopped = asyncio.Event()
    for stop_signal in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(stop_signal, stopped.set)
    check_ports()
    async with AsyncExitStack() as stack:
        servers = []
        for number, brand in enumerate(BRANDS, start=1):
            # One jar each: cookies are not parted by ports, and IP addresses have none by default.
            jar = aiohttp.CookieJar(unsafe=True)
            timeout = aiohttp.ClientTimeout(total=30)
            http = await stack.enter_async_context(aiohttp.ClientSession(cookie_jar=jar, timeout=timeout))
            servers.append(Server(brand, FOLDER / f"demo-{number}", http))
        for server in servers:
            server.make_folder()
        stack.push_async_callback(_stop, servers)
        prepared = asyncio.create_task(_prepare(servers))
        waiting = asyncio.create_task(stopped.wait())
        await asyncio.wait({prepared, waiting}, return_when=asyncio.FIRST_COMPLETED)
        if not prepared.done():
            prepared.cancel()
            with suppress(asyncio.CancelledError):
                await prepared
            return
        prepared.result()
        _tell(servers)
        await _watch(servers, waiting)


async def _prepare(servers: Sequence[Server]) -> None:
    print("Starting two instances and letting their people talk. This takes less than a minute.", flush=True)
    await asyncio.gather(*(server.start() for server in servers))
    stage = Stage(servers)
    await asyncio.gather(*(stage.people(server) for server in servers))
    await stage.follow()
    await stage.play(SCRIPT)
    await stage.settle()


async def _watch(servers: Sequence[Server], stopped: asyncio.Task[bool]) -> None:
    """Returns when a stop is asked for. Raises DemoError when an instance ends by itself."""
    ends = {asyncio.create_task(server.process.wait()): server for server in servers if server.process is not None}
    await asyncio.wait({stopped, *ends}, return_when=asyncio.FIRST_COMPLETED)
    for end, server in ends.items():
        if end.done():
            raise DemoError(f"{server.brand.name} has ended. It said:\n\n{server.last_words()}")
        end.cancel()


async def _stop(servers: Sequence[Server]) -> None:
    print("\nStopping both instances.", flush=True)
    await asyncio.gather(*(server.stop() for server in servers))


def _tell(servers: Sequence[Server]) -> None:
    for server in servers:
        owner, *others = (person.key for person in server.brand.people)
        print(f"\n{server.brand.name}")
        print(f"    timeline   {server.url}/public")
        print(f"    profile    {server.url}/@{owner}")
        print(f"    sign in    {server.url}/login   as {owner} (the owner), {' or '.join(others)}")
    print(f"\nThe password of every account is: {PASSWORD}")
    print("Sign in at both in one browser: what is written at one shows up at the other.")
    print("Stop with Ctrl-C. The next run starts anew.", flush=True)


def main() -> None:
    """Runs the demo; what is wrong is told in a sentence."""
    try:
        asyncio.run(_run())
    except DemoError as error:
        print(f"demo: {error}", file=sys.stderr)
        sys.exit(1)


main()
