"""URLs as this client understands them: one strict reading, from which everything that is sent is made.

Two parsers that read a URL differently are how address checks get fooled, so nothing else here takes a URL apart.
"""

from __future__ import annotations

import re
from functools import lru_cache
from ipaddress import IPv4Address, IPv6Address
from typing import NamedTuple
from urllib.parse import quote, urljoin

import idna
import yarl

from fediverse.remote.addresses import IPAddress
from fediverse.remote.errors import Refused

MAX_URL_LENGTH = 2048

_FORBIDDEN = re.compile(r"[\x00-\x20\x7f\\]")
_URL = re.compile(r"(?P<scheme>https?)://(?P<authority>[^/?#]+)(?P<rest>[^#]*)(?P<fragment>#.*)?", re.IGNORECASE)
_AUTHORITY = re.compile(r"(?:\[(?P<v6>[0-9A-Fa-f:.]+)\]|(?P<name>[^\[\]:@]+))(?::(?P<port>\d{1,5}))?")
_NAME = re.compile(
    r"(?=.{1,253}$)(?:[a-z0-9_](?:[a-z0-9_-]{0,61}[a-z0-9_])?\.)*[a-z0-9_](?:[a-z0-9_-]{0,61}[a-z0-9_])?"
)
# Resolvers read 127.1, 0177.0.0.1, 0x7f000001 and 2130706433 as IPv4, and so does WHATWG's URL standard
# ("ends in a number").
_NUMERIC_END = re.compile(r"(?:.*\.)?(?:\d+|0x[0-9a-f]*)")
_NON_ASCII = re.compile(r"[^\x21-\x7e]+")
_DEFAULT_PORTS = {"https": 443, "http": 80}


class Target(NamedTuple):
    """A URL taken apart: ``url`` is its canonical form, without fragment, exactly as it is requested."""

    url: str
    scheme: str
    host: str
    port: int
    literal: IPAddress | None
    fragment: str
    yarl: yarl.URL

    @property
    def authority(self) -> str:
        """``host``, or ``host:port`` where the port is not the scheme's own."""
        return self.url.split("/", 3)[2]


def split_authority(authority: str) -> tuple[str, int | None, IPAddress | None]:
    """Return (host, port or None, address if the host is a literal) of ``host`` or ``host:port``.

    The host comes in lower case, in ASCII (IDNA), without a trailing dot; IPv6 without brackets. Raises ``Refused``.
    """
    found = _AUTHORITY.fullmatch(authority)
    if found is None:
        raise Refused("This address names no host that can be called. Check how it is written.")
    port = int(found["port"]) if found["port"] else None
    if port is not None and not 0 < port < 65536:
        raise Refused("This address has a port that does not exist; ports go from 1 to 65535.")
    if found["v6"]:
        literal_v6 = _literal_v6(found["v6"])
        return literal_v6.compressed, port, literal_v6
    host = _host_name(found["name"])
    if _NUMERIC_END.fullmatch(host) is None:
        return host, port, None
    try:
        # Nothing but the canonical dotted quad: other spellings exist to slip past checks.
        return host, port, IPv4Address(host)
    except ValueError as error:
        raise Refused("This address spells an IP address in a form that is not accepted.") from error


def _literal_v6(text: str) -> IPv6Address:
    try:
        return IPv6Address(text)
    except ValueError as error:
        raise Refused("This address has brackets, but no IPv6 address in them.") from error


def _host_name(name: str) -> str:
    host = name.lower()
    if not host.isascii():
        try:
            host = idna.encode(name, uts46=True).decode("ascii")
        except idna.IDNAError as error:
            raise Refused("This address has a host name that is not a valid international domain name.") from error
    host = host.removesuffix(".")
    if _NAME.fullmatch(host) is None:
        raise Refused("This address has a host name with characters that host names do not have.")
    return host


def authority_of(host: str, port: int | None) -> str:
    """Return ``host`` or ``host:port``, with brackets around IPv6."""
    bracketed = f"[{host}]" if ":" in host else host
    return bracketed if port is None else f"{bracketed}:{port}"


@lru_cache(maxsize=4096)
def target(url: str) -> Target:
    """Return the parts of an http or https URL; raise ``Refused`` for anything else.

    Scheme and host are lowered, a default port dropped, an empty path made "/", and what is not ASCII is
    percent-encoded; everything else stays as it was written, since ids are compared exactly.
    """
    if len(url) > MAX_URL_LENGTH:
        raise Refused(f"This address is longer than {MAX_URL_LENGTH} characters and is not called.")
    found = None if _FORBIDDEN.search(url) else _URL.fullmatch(url)
    if found is None:
        raise Refused("This is not an http or https address.")
    scheme, authority, rest, fragment = found.groups("")
    origin, scheme, host, port, literal = _origin(scheme, authority)
    if not rest.startswith("/"):
        rest = "/" + rest
    if not rest.isascii():
        try:
            rest = _NON_ASCII.sub(lambda match: quote(match[0]), rest)
        except UnicodeEncodeError as error:
            raise Refused("This address has characters that cannot be sent.") from error
    canonical = origin + rest
    return Target(canonical, scheme, host, port, literal, fragment[1:], yarl.URL(canonical, encoded=True))


@lru_cache(maxsize=4096)
def _origin(scheme: str, authority: str) -> tuple[str, str, str, int, IPAddress | None]:
    """Return (canonical origin, scheme, host, port, literal)."""
    scheme = scheme.lower()
    host, port, literal = split_authority(authority)
    if port == _DEFAULT_PORTS[scheme]:
        port = None
    origin = f"{scheme}://{authority_of(host, port)}"
    return origin, scheme, host, port or _DEFAULT_PORTS[scheme], literal


def redirected(here: Target, location: str) -> Target:
    """Return where a Location header leads from here; raise ``Refused`` for a step from https down to http."""
    try:
        there = target(urljoin(here.url, location.strip()))
    except ValueError as error:
        raise Refused(f"{here.host} redirects to something that is not an address.") from error
    if here.scheme == "https" and there.scheme == "http":
        raise Refused(f"{here.host} redirects from https to http, which is not followed.")
    return there
