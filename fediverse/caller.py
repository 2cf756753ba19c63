"""Who asks: the address of the caller, as far as it can be believed."""

from __future__ import annotations

import ipaddress

from aiohttp import web

from fediverse.settings import Settings

Network = ipaddress.IPv4Network | ipaddress.IPv6Network
TRUSTED: web.AppKey[tuple[Network, ...]] = web.AppKey("trusted_proxies")


def client_address(request: web.Request) -> str:
    """The address that asks: behind a trusted proxy the one that it forwards for, else the peer's."""
    peer = request.remote or ""
    trusted = request.app[TRUSTED]
    if not trusted or not _is_trusted(peer, trusted):
        return peer
    forwarded = [part.strip() for part in ",".join(request.headers.getall("X-Forwarded-For", [])).split(",")]
    for address in reversed([part for part in forwarded if part]):
        if not _is_trusted(address, trusted):
            return address
    return peer


def trusted_networks(settings: Settings) -> tuple[Network, ...]:
    """The networks of reverse proxies. Raises ValueError for what is neither an address nor a network."""
    return tuple(ipaddress.ip_network(entry, strict=False) for entry in settings.trusted_proxies)


def _is_trusted(address: str, trusted: tuple[Network, ...]) -> bool:
    try:
        ip = ipaddress.ip_address(address)
    except ValueError:
        return False
    return any(ip in network for network in trusted)
