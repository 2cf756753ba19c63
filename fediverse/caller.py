"""Who asks: the address of the caller, as far as it can be believed.

Of an IPv6 address the first 64 bits count: everybody with a line of their own has all of the others.
"""

from __future__ import annotations

import ipaddress

from aiohttp import web

from fediverse.settings import Settings

Network = ipaddress.IPv4Network | ipaddress.IPv6Network
TRUSTED: web.AppKey[tuple[Network, ...]] = web.AppKey("trusted_proxies")


def client_address(request: web.Request) -> str:
    """The address that asks: behind a trusted proxy the one that it forwards for, else the peer's.

    An IPv6 address is told as its network, such as ``2001:db8::/64``; one that cannot be read as it is.
    """
    return shown_address(_believed(request))


def _believed(request: web.Request) -> str:
    peer = request.remote or ""
    trusted = request.app[TRUSTED]
    if not trusted or not _is_trusted(peer, trusted):
        return peer
    forwarded = [part.strip() for part in ",".join(request.headers.getall("X-Forwarded-For", [])).split(",")]
    for address in reversed([part for part in forwarded if part]):
        if not _is_trusted(address, trusted):
            return address
    return peer


def shown_address(address: str) -> str:
    """The address as it is told, counted and stored: of IPv6 its network."""
    try:
        ip = ipaddress.ip_address(address)
    except ValueError:
        return address
    if isinstance(ip, ipaddress.IPv4Address):
        return address
    if ip.ipv4_mapped is not None:
        return str(ip.ipv4_mapped)
    return str(ipaddress.IPv6Network((int(ip), 64), strict=False))


def trusted_networks(settings: Settings) -> tuple[Network, ...]:
    """The networks of reverse proxies. Raises ValueError for what is neither an address nor a network."""
    return tuple(ipaddress.ip_network(entry, strict=False) for entry in settings.trusted_proxies)


def _is_trusted(address: str, trusted: tuple[Network, ...]) -> bool:
    try:
        ip = ipaddress.ip_address(address)
    except ValueError:
        return False
    return any(ip in network for network in trusted)
