"""A request that says it is signed, and the rules that both dialects share: headers, clock and host."""

from __future__ import annotations

import enum
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC
from email.utils import parsedate_to_datetime
from typing import Literal, NoReturn

from fediverse.errors import Unauthorized

MAX_AGE = 12 * 3600
"""Seconds that a signature may be old: peers queue, and sign before they queue. Mastodon's figure."""

MAX_SKEW = 3600
"""Seconds that a signature may lie in the future: clocks of small servers are wrong by a summer time."""

EXPIRES_LEEWAY = 60
"""Seconds of grace after ``expires``: Lemmy's signatures live 10 seconds, less than clocks differ."""

MAX_KEY_ID = 2048
"""Characters of a key id; longer ones are no URL that anyone serves."""

SAFE_METHODS = frozenset({"GET", "HEAD"})

# A second line of one of these would let the signature cover one value and the application read the other.
_SINGLE = frozenset({"signature", "signature-input", "host", "date", "digest", "content-digest"})

_DEFAULT_PORTS = {"https": ":443", "http": ":80"}

Reason = Literal[
    "missing", "malformed", "weak", "stale", "digest", "mismatch", "host", "algorithm", "key"
]  # fmt: skip
"""Why a signature was refused: a stable word for metrics."""


class SignatureError(Unauthorized):
    """The request is not provably from the one who is said to have signed it."""

    def __init__(self, reason: Reason, message: str) -> None:
        super().__init__(message)
        self.reason: Reason = reason


def refuse(reason: Reason, message: str) -> NoReturn:
    """Never returns: raises the :class:`SignatureError` with this reason and this sentence."""
    raise SignatureError(reason, message)


class Dialect(enum.StrEnum):
    """The two ways in which the fediverse signs."""

    CAVAGE = "cavage"
    RFC9421 = "rfc9421"


@dataclass(frozen=True, slots=True)
class SignedRequest:
    """What a request claims about its signature; nothing of it is proven until ``verify`` returned.

    ``covered`` holds the components in the order of the signature, in lower case. ``created`` and ``expires`` are
    seconds since the epoch. ``headers`` has lower-case names, the values of repeated ones joined by ``, ``.
    """

    dialect: Dialect
    method: str
    target: str
    headers: Mapping[str, str]
    key_id: str
    algorithm: str | None
    covered: tuple[str, ...]
    created: int | None
    expires: int | None
    signature: bytes
    label: str = ""
    signature_params: str = ""

    def needs_digest(self, body: bytes | None) -> bool:
        """True when a body has to be vouched for: always on methods that change things."""
        return self.method not in SAFE_METHODS or bool(body)


def fold(headers: Sequence[tuple[str, str]]) -> dict[str, str]:
    """Returns the headers under lower-case names; refuses those that may only be there once and are repeated.

    The same mapping feeds the signature and every other check, so they cannot see two different values.
    """
    folded: dict[str, str] = {}
    for raw_name, raw_value in headers:
        name, value = raw_name.lower(), raw_value.strip(" \t")
        if name.startswith("("):
            refuse("malformed", "A header may not be named like a part of the signature.")
        if name not in folded:
            folded[name] = value
        elif name in _SINGLE:
            refuse("malformed", "A header that the signature depends on is repeated. Send it once.")
        else:
            folded[name] = f"{folded[name]}, {value}"
    return folded


def check_line(text: str) -> None:
    """Returns when the text can stand in one line of a signing string; raises ``malformed`` otherwise."""
    if not text.isascii() or "\n" in text or "\r" in text or "\0" in text:
        refuse("malformed", "The signed parts of the request hold characters that cannot be signed.")


def check_key_id(key_id: str) -> None:
    """Returns when the key id may be one; raises ``malformed`` otherwise. Whether it is fetched is up to others."""
    if not 0 < len(key_id) <= MAX_KEY_ID or not all("!" <= char <= "~" for char in key_id):
        refuse("malformed", "The signature's key id is not a usable address.")


def check_instant(instant: float, now: float) -> None:
    """Returns when an instant (seconds) lies in the accepted window around now; raises ``stale`` otherwise."""
    if instant < now - MAX_AGE:
        refuse("stale", "The request was signed too long ago. Check the clock and sign when sending.")
    if instant > now + MAX_SKEW:
        refuse("stale", "The request was signed in the future. Check the clock of the sending server.")


def check_expires(expires: int | None, now: float) -> None:
    """Returns while the signature has not expired, by its own word; raises ``stale`` otherwise.

    An ``expires`` that is not covered by the signature counts as well: it can only make the check stricter.
    """
    if expires is not None and expires < now - EXPIRES_LEEWAY:
        refuse("stale", "The signature has expired. Sign when sending.")


def check_date(value: str | None, now: float) -> None:
    """Returns when a Date header lies in the accepted window; raises ``stale`` or ``malformed`` otherwise."""
    if value is None:
        refuse("missing", "The signature covers a Date header that the request does not have.")
    try:
        date = parsedate_to_datetime(value)
        instant = (date if date.tzinfo else date.replace(tzinfo=UTC)).timestamp()
    except Exception as error:  # the parser raises TypeError, ValueError, IndexError and OverflowError
        raise SignatureError("malformed", "The Date header is not a date as HTTP writes it.") from error
    check_instant(instant, now)


def check_host(value: str | None, hosts: Collection[str], schemes: Collection[str]) -> None:
    """Returns when the signed Host is one of ours, default ports aside; raises ``host`` otherwise.

    Without this a request that another server received and kept could be relayed to us.
    """
    if value is not None:
        name = value.lower()
        ours = {host.lower() for host in hosts}
        if name in ours:
            return
        for scheme in schemes:
            port = _DEFAULT_PORTS.get(scheme, "")
            if port and name.endswith(port) and name.removesuffix(port) in ours:
                return
    refuse("host", "The signature is made for another server's host name.")
