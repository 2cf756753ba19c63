"""Which network addresses this server calls: the public ones, and those that its operator allow-listed.

The lists follow IANA's special-purpose address registries (RFC 6890 and its updates). They are spelled out here since
``ipaddress.is_global`` differs between Python's patch releases.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from ipaddress import (
    IPv4Address,
    IPv4Network,
    IPv6Address,
    IPv6Network,
    ip_address,
    ip_network,
)

IPAddress = IPv4Address | IPv6Address
IPNetwork = IPv4Network | IPv6Network

_REFUSED_V4 = tuple(
    IPv4Network(text)
    for text in (
        "0.0.0.0/8",  # this network; 0.0.0.0 reaches loopback on Linux
        "10.0.0.0/8",
        "100.64.0.0/10",  # carrier-grade NAT
        "127.0.0.0/8",
        "169.254.0.0/16",  # link-local, where clouds keep their metadata services
        "172.16.0.0/12",
        "192.0.0.0/24",
        "192.0.2.0/24",  # documentation
        "192.88.99.0/24",  # former 6to4 relays
        "192.168.0.0/16",
        "198.18.0.0/15",  # benchmarking
        "198.51.100.0/24",  # documentation
        "203.0.113.0/24",  # documentation
        "224.0.0.0/4",  # multicast
        "240.0.0.0/4",  # reserved, broadcast
    )
)
# Only this block is global unicast: loopback, ULA, link- and site-local, multicast, discard and the IPv4-compatible
# addresses are all outside it.
_GLOBAL_V6 = IPv6Network("2000::/3")
_REFUSED_V6 = tuple(
    IPv6Network(text)
    for text in (
        "2001::/23",  # IETF protocol assignments; Teredo is unwrapped before this is asked
        "2001:db8::/32",  # documentation
        "3fff::/20",  # documentation
    )
)
_NAT64 = IPv6Network("64:ff9b::/96")

_ENTRY = re.compile(r"\[(?P<v6>[^\]]+)\](?::(?P<port6>\d{1,5}))?|(?P<v4>[0-9.]+)(?::(?P<port4>\d{1,5}))?")


class AddressGuard:
    """The addresses that may be called: global unicast, and the entries of ``allowed``.

    ``allowed`` has entries such as ``127.0.0.1``, ``127.0.0.1:8001``, ``[::1]:8001`` and ``10.0.0.0/8``, in one
    comma-separated text or as a sequence; one without a port stands for all ports. Raises ``ValueError`` with a
    sentence for an entry that is none of these.
    """

    def __init__(self, allowed: str | Sequence[str] = "") -> None:
        entries = allowed.split(",") if isinstance(allowed, str) else allowed
        self._allowed = tuple(_read_entry(entry.strip()) for entry in entries if entry.strip())

    @property
    def has_exceptions(self) -> bool:
        """Whether anything is allow-listed at all."""
        return bool(self._allowed)

    def permits(self, ip: str | IPAddress, port: int) -> bool:
        """Whether a connection to this address and port may be made."""
        address = _unmapped(ip)
        return self._is_allowlisted(address, port) or _is_global(address)

    def all_allowlisted(self, ips: Iterable[str | IPAddress], port: int) -> bool:
        """Whether there is at least one address, and every one is allow-listed (being public does not count)."""
        addresses = [_unmapped(ip) for ip in ips]
        return bool(addresses) and all(self._is_allowlisted(address, port) for address in addresses)

    def _is_allowlisted(self, address: IPAddress, port: int) -> bool:
        if isinstance(address, IPv6Address) and address.scope_id is not None:
            return False
        return any(
            address.version == network.version and address in network and allowed_port in (None, port)
            for network, allowed_port in self._allowed
        )


def _read_entry(entry: str) -> tuple[IPNetwork, int | None]:
    port: int | None = None
    try:
        if "/" in entry:
            network = ip_network(entry)
        else:
            text = entry
            if entry.count(":") < 2 or entry.startswith("["):
                found = _ENTRY.fullmatch(entry)
                if found is None:
                    raise ValueError("not an address")
                text = found["v6"] or found["v4"]
                digits = found["port6"] or found["port4"]
                port = int(digits) if digits else None
            network = ip_network(_unmapped(text))
    except ValueError as error:
        raise ValueError(
            f"{entry!r} is not an address that can be allowed ({error}). Write an IP address such as 127.0.0.1 "
            "or ::1, one with a port such as 127.0.0.1:8001 or [::1]:8001, or a range such as 10.0.0.0/8; "
            "separate several with commas."
        ) from error
    if port is not None and not 0 < port < 65536:
        raise ValueError(f"{entry!r} has port {port}, but ports go from 1 to 65535. Write another one.")
    return network, port


def _unmapped(ip: str | IPAddress) -> IPAddress:
    """Return the address with an IPv4-mapped one (``::ffff:127.0.0.1``) as the IPv4 address that it dials."""
    address = ip_address(ip) if isinstance(ip, str) else ip
    if isinstance(address, IPv6Address) and address.ipv4_mapped is not None:
        return address.ipv4_mapped
    return address


def _is_global(address: IPAddress) -> bool:
    if isinstance(address, IPv4Address):
        return not any(address in network for network in _REFUSED_V4)
    if address.scope_id is not None:
        return False
    embedded = _embedded(address)
    if embedded:
        return all(_is_global(inner) for inner in embedded)
    return address in _GLOBAL_V6 and not any(address in network for network in _REFUSED_V6)


def _embedded(address: IPv6Address) -> tuple[IPv4Address, ...]:
    """Return the IPv4 addresses that a gateway would make of this one (6to4, Teredo, NAT64)."""
    if address.sixtofour is not None:
        return (address.sixtofour,)
    if address.teredo is not None:
        return address.teredo
    if address in _NAT64:
        return (IPv4Address(int(address) & 0xFFFFFFFF),)
    return ()
