"""Host names to addresses, and from there to sockets: the one place where both are checked.

aiohttp asks a resolver for names only and dials IP literals directly. Both paths end in ``make_socket``, so that the
address which is checked is the address which is dialled.
"""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Awaitable, Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from ipaddress import ip_address
from typing import TypeVar

from aiohttp.abc import AbstractResolver, ResolveResult

from fediverse.remote.addresses import AddressGuard, IPAddress
from fediverse.remote.errors import Refused, Unreachable

Resolver = Callable[[str], Awaitable[Sequence[str]]]
"""A host name to its addresses, as texts; raises ``OSError`` where there are none."""

AddrInfo = tuple[int | socket.AddressFamily, int | socket.SocketKind, int, str, tuple]  # type: ignore[type-arg]

_Address = TypeVar("_Address", str, IPAddress)

CACHE_SECONDS = 30.0
CACHE_ENTRIES = 4096
LOOKUP_THREADS = 16


class AddressNotPermitted(OSError):
    """Raised where a socket is about to be made for an address that may not be called."""


class Names:
    """Looks host names up, remembers the answers for half a minute and shares look-ups that are under way."""

    def __init__(self, resolver: Resolver | None = None) -> None:
        # getaddrinfo blocks for as long as a broken DNS server likes; threads of its own keep it out of everyone's way.
        self._threads = ThreadPoolExecutor(LOOKUP_THREADS, "dns") if resolver is None else None
        self._resolve = resolver or self._system
        self._cache: dict[str, tuple[float, tuple[str, ...]]] = {}
        self._pending: dict[str, asyncio.Task[tuple[str, ...]]] = {}

    async def addresses(self, host: str) -> tuple[str, ...]:
        """Return all addresses of the host, unchecked; raise ``Unreachable`` if it has none."""
        with suppress(ValueError):
            return (str(ip_address(host)),)
        now = asyncio.get_running_loop().time()
        known = self._cache.get(host)
        if known is not None and known[0] > now:
            return known[1]
        pending = self._pending.get(host)
        if pending is None:
            pending = asyncio.create_task(self._look_up(host))
            self._pending[host] = pending
            pending.add_done_callback(lambda task: self._looked_up(host, task))
        try:
            # Shielded, since the others who wait for the same name outlive whoever asked first.
            return await asyncio.shield(pending)
        except (OSError, UnicodeError) as error:
            raise Unreachable(f"The host name {host} could not be resolved.") from error

    def _looked_up(self, host: str, task: asyncio.Task[tuple[str, ...]]) -> None:
        self._pending.pop(host, None)
        if not task.cancelled():
            task.exception()  # counts as retrieved, though all who waited may have left

    async def _look_up(self, host: str) -> tuple[str, ...]:
        found = tuple(await self._resolve(host))
        if not found:
            raise OSError("no addresses")
        if len(self._cache) >= CACHE_ENTRIES:
            self._cache.clear()
        self._cache[host] = (asyncio.get_running_loop().time() + CACHE_SECONDS, found)
        return found

    async def _system(self, host: str) -> list[str]:
        answers = await asyncio.get_running_loop().run_in_executor(
            self._threads, lambda: socket.getaddrinfo(host, None, type=socket.SOCK_STREAM)
        )
        # A scope after "%" stays in the text, so that the guard refuses it.
        return list(dict.fromkeys(str(answer[4][0]) for answer in answers))

    async def close(self) -> None:
        """End the look-ups that are under way."""
        for task in list(self._pending.values()):
            task.cancel()
        if self._threads is not None:
            self._threads.shutdown(wait=False, cancel_futures=True)


class GuardedResolver(AbstractResolver):
    """Gives aiohttp the permitted addresses of a name: for http those of all-allow-listed hosts only."""

    def __init__(self, names: Names, guard: AddressGuard, scheme: str) -> None:
        self._names = names
        self._guard = guard
        self._scheme = scheme

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_UNSPEC
    ) -> list[ResolveResult]:
        """Return the addresses that may be dialled; raise ``Refused`` if none may."""
        found = await self._names.addresses(host)
        return [
            ResolveResult(
                hostname=host,
                host=text,
                port=port,
                family=socket.AF_INET6 if ":" in text else socket.AF_INET,
                proto=0,
                flags=socket.AI_NUMERICHOST | socket.AI_NUMERICSERV,
            )
            for text in permitted(self._guard, self._scheme, host, port, found)
        ]

    async def close(self) -> None:
        """Do nothing: the names belong to both resolvers."""


def permitted(guard: AddressGuard, scheme: str, host: str, port: int, found: Sequence[_Address]) -> list[_Address]:
    """Return the addresses, out of those found for the host, that may be dialled; raise ``Refused`` if none may.

    Private addresses beside public ones are dropped. Over plain http either all are allow-listed or none is used:
    a host with a public address would be spoken to in the clear.
    """
    if scheme == "http":
        if not guard.all_allowlisted(found, port):
            raise Refused(f"{host} can be called over https only.")
        return list(found)
    usable = [address for address in found if guard.permits(address, port)]
    if not usable:
        raise Refused(f"{host} is at an address that this server does not call.")
    return usable


def socket_factory(guard: AddressGuard, scheme: str) -> Callable[[AddrInfo], socket.socket]:
    """Return what makes aiohttp's sockets; it raises ``AddressNotPermitted`` instead where the guard says no."""

    def make_socket(info: AddrInfo) -> socket.socket:
        family, kind, protocol, _, (host, port, *_rest) = info
        allowed = guard.all_allowlisted([host], port) if scheme == "http" else guard.permits(host, port)
        if not allowed:
            raise AddressNotPermitted(f"{host} port {port}")
        return socket.socket(family, kind, protocol)

    return make_socket
