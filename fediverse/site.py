"""What entities and pages need to know of this instance: its URLs, its version, how pictures are reached.

Built once per process. Pictures of other servers are only ever shown through the proxy, whose addresses carry a MAC:
nobody can make the proxy fetch what this instance did not itself hand out.
"""

from __future__ import annotations

import hashlib
import hmac
from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections import OrderedDict
from collections.abc import Hashable
from dataclasses import dataclass, field
from typing import Any, Final

from sqlalchemy import Row

from fediverse.urls import Urls

#: What clients read the API's features from: the Mastodon version whose API this one is nearest to.
API_VERSION: Final = "4.5.0"
#: The same as a number: groups of notifications came with 2, quotes with 7.
API_NUMBER: Final = 7
_MAC_BYTES: Final = 16
_MAX_URL: Final = 4096


class Recent:
    """The most recently computed values by key, at most ``size`` of them.

    Keys carry a version, so nothing is ever out of date. One instance belongs to one process; concurrent readers at
    worst compute a value twice.
    """

    def __init__(self, size: int) -> None:
        self._size = size
        self._values: OrderedDict[Hashable, Any] = OrderedDict()

    def get(self, key: Hashable) -> Any | None:
        """The value kept under ``key``, or None."""
        return self._values.get(key)

    def put(self, key: Hashable, value: Any) -> None:
        """``value`` is kept; the oldest one goes when there are too many."""
        self._values[key] = value
        if len(self._values) > self._size:
            try:
                self._values.popitem(last=False)
            except KeyError:  # another thread emptied it at the same time
                return


@dataclass(frozen=True, slots=True)
class Site:
    """This instance as entities and templates see it."""

    urls: Urls
    version: str
    proxy_key: bytes = field(repr=False)
    #: closed, invite, approval or open.
    registrations: str = "closed"
    #: By which push services know this instance; clients subscribe with it.
    vapid_key: str = ""
    accounts: Recent = field(default_factory=lambda: Recent(4096), compare=False, repr=False)
    statuses: Recent = field(default_factory=lambda: Recent(4096), compare=False, repr=False)
    #: Whole statuses as they are sent.
    sent: Recent = field(default_factory=lambda: Recent(8192), compare=False, repr=False)
    cards: Recent = field(default_factory=lambda: Recent(2048), compare=False, repr=False)

    @property
    def api_version(self) -> str:
        """The version string of the instance entities."""
        return f"{API_VERSION} (compatible; fediverse {self.version})"

    def static(self, path: str) -> str:
        """The address of one of the files that come with the program."""
        return f"{self.urls.base_url}/static/{path}"

    def picture(self, actor_host: str, stored: str) -> str:
        """Where a picture is shown from: ``stored`` is a storage key for local actors, a remote address for others."""
        return self.proxied(stored) if actor_host else self.urls.media(stored)

    def avatar_url(self, actor: Row[Any]) -> str:
        """The address of an actor's avatar; a default where there is none."""
        return self.picture(actor.host, actor.avatar) if actor.avatar else self.static("avatar.png")

    def header_url(self, actor: Row[Any]) -> str:
        """The address of an actor's header; a default where there is none."""
        return self.picture(actor.host, actor.header) if actor.header else self.static("header.png")

    def proxied(self, url: str) -> str:
        """The proxy's address for a remote picture: ``/proxy/MAC/BASE64URL``."""
        raw = url.encode()
        return f"{self.urls.base_url}/proxy/{_text(self._mac(raw))}/{_text(raw)}"

    def unproxied(self, mac: str, encoded: str) -> str | None:
        """The remote address that a proxy path of ours stands for; None where the MAC does not fit."""
        try:
            raw = urlsafe_b64decode(encoded + "=" * (-len(encoded) % 4))
        except ValueError:
            return None
        # As it is written: decoding passes over what is no base64, such as ends of lines, and it goes into a header.
        wanted = _text(self._mac(raw)).encode()
        if len(raw) > _MAX_URL or not hmac.compare_digest(mac.encode("utf-8", "replace"), wanted):
            return None
        return raw.decode()

    def _mac(self, raw: bytes) -> bytes:
        return hmac.digest(self.proxy_key, raw, hashlib.sha256)[:_MAC_BYTES]


def proxy_key(secret: bytes) -> bytes:
    """The key of the proxy's addresses, derived from the instance secret."""
    return hmac.digest(secret, b"fediverse picture proxy v1", hashlib.sha256)


def _text(raw: bytes) -> str:
    return urlsafe_b64encode(raw).rstrip(b"=").decode()
