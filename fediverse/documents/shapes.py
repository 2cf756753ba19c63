"""Tolerant accessors: the many shapes in which servers send one and the same thing. Nothing here raises.

JSON-LD lets a property be absent, null, one value or an array of them, and a thing be its id or an object with one.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from typing import Any, Final
from urllib.parse import urljoin

from fediverse.clock import Instant
from fediverse.documents.context import Document
from fediverse.errors import BadRequest
from fediverse.text import fold_host, safe_url

MAX_ID: Final = 2_048
"""Characters of an id or URL beyond which it is none."""

MAX_IDS: Final = 1_000
"""Ids that are read from one property; what comes after is passed over."""

EARLIEST: Final[Instant] = 631_152_000_000
"""1990-01-01: what claims to be older than the web has no date, but a broken clock."""

_UNSTORABLE = re.compile("[\x00\ud800-\udfff]")  # PostgreSQL takes no NUL, UTF-8 no lone surrogate
_URI = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*:[^\x00-\x20\x7f-\x9f\ud800-\udfff<>\"\\^`{|}]+")
# The spelling that nearly all ids have, which needs no folding.
_PLAIN_HTTP = re.compile(r"https?://[a-z0-9][a-z0-9-]*(?:\.[a-z0-9-]+)+(?:[/?#][!#-;=?-\[\]_a-z~]*)?")
_HTTP = re.compile(
    r"(?P<scheme>https?)://(?P<host>\[[0-9A-Fa-f:.]+\]|[^/?#@:\[\]\\]+)(?P<port>:[0-9]{1,5})?(?P<rest>(?:[/?#].*)?)",
    re.IGNORECASE | re.DOTALL,
)
_DEFAULT_PORTS: Final = {"http": ":80", "https": ":443"}
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_MILLISECOND: Final = timedelta(milliseconds=1)
_AS_PREFIXES: Final = ("https://www.w3.org/ns/activitystreams#", "as:")


def clean(value: object, limit: int) -> str:
    """The value if it is a string, without what cannot be stored and at most ``limit`` characters; else ""."""
    if not isinstance(value, str):
        return ""
    if len(value) > limit:
        value = value[:limit]
    if "\0" in value or not value.isascii():
        value = _UNSTORABLE.sub("", value)
    return value


def entries(value: object, limit: int) -> list[Any]:
    """The values of a property, ``limit`` at most: none when it is absent or null, one when it is no array."""
    if isinstance(value, list):
        return value[:limit]
    return [] if value is None else [value]


def objects(value: object, limit: int) -> Iterator[Document]:
    """The values of a property that are objects, among its first ``limit``."""
    return (entry for entry in entries(value, limit) if isinstance(entry, dict))


def type_of(document: Document, known: frozenset[str] = frozenset()) -> str:
    """The object's type, of several the first that is known, else the first; "" without one."""
    value = document.get("type")
    if isinstance(value, str):
        return value if value in known else _short(value)
    names = [_short(entry) for entry in entries(value, 16) if isinstance(entry, str)]
    return next((name for name in names if name in known), names[0] if names else "")


def _short(name: str) -> str:
    for prefix in _AS_PREFIXES:
        name = name.removeprefix(prefix)
    return clean(name, 100)


def id_of(value: object) -> str | None:
    """The id of a thing given as its id, an object (a Link by its href) or an array, whose first entry counts."""
    for _ in range(4):  # an array of objects whose id is an object: nobody sends more
        if isinstance(value, str):
            return _uri(value)
        if isinstance(value, list):
            value = next((entry for entry in value[:MAX_IDS] if entry), None)
        elif isinstance(value, dict):
            value = value.get("id") or value.get("href")
        else:
            return None
    return None


def ids(value: object, limit: int = MAX_IDS) -> tuple[str, ...]:
    """The ids of the things in a property, each once, in order."""
    if isinstance(value, str):
        uri = _uri(value)
        return (uri,) if uri else ()
    return tuple(dict.fromkeys(uri for entry in entries(value, limit) if (uri := id_of(entry))))


# One activity names its actor, the public and the followers many times over.
@lru_cache(maxsize=2048)
def _uri(value: str) -> str | None:
    """An id of any scheme, or one of the short names of the public; None for what is neither."""
    if len(value) > MAX_ID:
        return None
    if _PLAIN_HTTP.fullmatch(value):
        return value
    if value[:4].lower() == "http":
        return http_uri(value)
    if value == "Public" or _URI.fullmatch(value):
        return value
    return None


def http_uri(value: object) -> str | None:
    """The value in the form in which ids are compared, if it is an http or https URL without user info; else None."""
    if not isinstance(value, str):
        return None
    if len(value) <= MAX_ID and _PLAIN_HTTP.fullmatch(value):
        return value
    return normalise_uri(value) if safe_url(value) and origin(value) else None


def normalise_uri(uri: str) -> str:
    """The id with scheme and host as they are compared: lower case, A-labels, no default port.

    Everything else stays exactly as written, a trailing slash, the case of the path and the fragment too. What is
    not an http or https URL stays as it is.
    """
    parts = _HTTP.fullmatch(uri)
    own = origin(uri)
    return own + parts["rest"] if parts and own else uri


@lru_cache(maxsize=8192)
def _host(name: str) -> str | None:
    try:
        return fold_host(name)
    except BadRequest:
        return None


@lru_cache(maxsize=2048)
def origin(url: str) -> str | None:
    """``scheme://host`` of an http or https URL, with its port if that is not the scheme's own; None for others.

    None too when user info is in it, a backslash in the host, or the host is not one: nobody's origin.
    """
    parts = _HTTP.fullmatch(url)
    if parts is None or (host := _host(parts["host"])) is None:
        return None
    scheme, port = parts["scheme"].lower(), parts["port"] or ""
    if port and not 0 < int(port[1:]) < 65536:
        return None
    port = f":{int(port[1:])}" if port else ""
    return f"{scheme}://{host}{'' if port == _DEFAULT_PORTS[scheme] else port}"


def same_origin(a: str | None, b: str | None) -> bool:
    """Whether both are http or https URLs of one scheme, host and port."""
    return a is not None and b is not None and (own := origin(a)) is not None and own == origin(b)


def host_of(url: str) -> str:
    """The host of an http or https URL, with its port where that is not the scheme's own; "" for others."""
    return (origin(url) or "//").split("//", 1)[1]


def instant_of(value: object) -> Instant | None:
    """The instant of an ISO 8601 time, one without a zone in UTC; None for what is none or before EARLIEST."""
    if not isinstance(value, str) or not 10 <= len(value) <= 40:
        return None
    try:
        moment = datetime.fromisoformat(value.strip().upper())
        if moment.tzinfo is None:
            moment = moment.replace(tzinfo=UTC)
        instant = (moment - _EPOCH) // _MILLISECOND
    except (ValueError, OverflowError):
        return None
    return instant if instant >= EARLIEST else None


def link_of(value: object, base: str | None = None, *, kind: str = "text/html") -> str | None:
    """The http or https URL of ``url``: a string, a Link or an array of either; None without one that is safe.

    Of several, the first Link of media type ``kind`` counts, then the first without a type, then the first. With
    ``base`` a relative URL is resolved.
    """
    if isinstance(value, str):
        return _link(value, base)
    second = third = None
    for entry in entries(value, 64):
        href, media_type = entry, None
        if isinstance(entry, dict):
            href, media_type = entry.get("href") or entry.get("url"), entry.get("mediaType")
        if not isinstance(href, str) or (found := _link(href, base)) is None:
            continue
        if isinstance(media_type, str) and media_type.startswith(kind):
            return found
        if not media_type:
            second = second or found
        third = third or found
    return second or third


def _link(value: str, base: str | None) -> str | None:
    if len(value) > MAX_ID:
        return None
    if base is not None and "://" not in value[:10]:
        try:
            value = urljoin(base, value)
        except ValueError:
            return None
    return safe_url(value)


def picture_of(value: object, base: str) -> str | None:
    """The URL of ``icon`` or ``image``: an Image, a Link, a string or an array of them; relative ones resolved."""
    for entry in entries(value, 16):
        if isinstance(entry, dict):
            entry = entry.get("url") or entry.get("href")
        if found := link_of(entry, base, kind="image/"):
            return found
    return None


def size_of(value: object) -> int | None:
    """A width or a height in pixels, if it is a likely one."""
    return value if isinstance(value, int) and not isinstance(value, bool) and 0 < value < 65536 else None
