"""The URLs of this instance: built from settings, never stored, and read back.

Actor and object ids never change once federated. ``base_url`` is where pages and ids live; ``domain`` is what stands
behind the ``@`` in handles. The two may differ, and both may carry a port.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Literal
from urllib.parse import quote, urlsplit

Kind = Literal[
    "actor",
    "status",
    "activity",
    "followers",
    "following",
    "featured",
    "follow",
    "instance",
    "quote_authorization",
    "other",
]

_USER = r"(?P<user>[A-Za-z0-9_]+)"
_ROUTES: tuple[tuple[Kind, re.Pattern[str]], ...] = (
    ("instance", re.compile(r"/actor")),
    ("actor", re.compile(rf"/users/{_USER}")),
    ("actor", re.compile(rf"/@{_USER}")),
    ("status", re.compile(rf"/users/{_USER}/statuses/(?P<id>\d{{1,19}})")),
    ("status", re.compile(rf"/@{_USER}/(?P<id>\d{{1,19}})")),
    ("activity", re.compile(rf"/users/{_USER}/statuses/(?P<id>\d{{1,19}})/activity")),
    ("follow", re.compile(rf"/users/{_USER}/follows/(?P<id>\d{{1,19}})")),
    ("quote_authorization", re.compile(rf"/users/{_USER}/quote_authorizations/(?P<id>\d{{1,19}})")),
    ("followers", re.compile(rf"/users/{_USER}/followers")),
    ("following", re.compile(rf"/users/{_USER}/following")),
    ("featured", re.compile(rf"/users/{_USER}/featured")),
)


@dataclass(frozen=True, slots=True)
class Local:
    """What a URL of this instance names."""

    kind: Kind
    username: str = ""
    id: int = 0


@dataclass(frozen=True, slots=True)
class Urls:
    """Builds and recognises this instance's own URLs."""

    base_url: str
    domain: str

    @property
    def host(self) -> str:
        """Host, and port where one is given, of the base URL."""
        return urlsplit(self.base_url).netloc

    @property
    def shared_inbox(self) -> str:
        """The inbox that takes activities for everybody here."""
        return f"{self.base_url}/inbox"

    @property
    def instance_actor(self) -> str:
        """The actor that signs the server's own requests."""
        return f"{self.base_url}/actor"

    def actor(self, username: str) -> str:
        """The id of a local actor."""
        return f"{self.base_url}/users/{username}"

    def key(self, username: str) -> str:
        """The id of a local actor's RSA key."""
        return f"{self.base_url}/users/{username}#main-key"

    def ed25519_key(self, username: str) -> str:
        """The id of a local actor's Ed25519 Multikey (FEP-521a)."""
        return f"{self.base_url}/users/{username}#ed25519-key"

    def inbox(self, username: str) -> str:
        """A local actor's own inbox."""
        return f"{self.base_url}/users/{username}/inbox"

    def outbox(self, username: str) -> str:
        """A local actor's outbox."""
        return f"{self.base_url}/users/{username}/outbox"

    def followers(self, username: str) -> str:
        """A local actor's followers collection."""
        return f"{self.base_url}/users/{username}/followers"

    def following(self, username: str) -> str:
        """A local actor's following collection."""
        return f"{self.base_url}/users/{username}/following"

    def featured(self, username: str) -> str:
        """A local actor's pinned posts."""
        return f"{self.base_url}/users/{username}/featured"

    def status(self, username: str, status_id: int) -> str:
        """The id of a local Note."""
        return f"{self.base_url}/users/{username}/statuses/{status_id}"

    def activity(self, username: str, status_id: int) -> str:
        """The id of the Create (or Announce) that published a local status."""
        return f"{self.base_url}/users/{username}/statuses/{status_id}/activity"

    def replies(self, username: str, status_id: int) -> str:
        """The collection of public replies to a local Note."""
        return f"{self.base_url}/users/{username}/statuses/{status_id}/replies"

    def follow(self, username: str, follow_id: int) -> str:
        """The id of a Follow that a local actor sent."""
        return f"{self.base_url}/users/{username}/follows/{follow_id}"

    def quote_authorization(self, username: str, authorization_id: int) -> str:
        """The id of the document by which a local author lets a post be quoted by one other."""
        return f"{self.base_url}/users/{username}/quote_authorizations/{authorization_id}"

    def transient(self, username: str, kind: str, id_: int) -> str:
        """The id of an activity that nobody needs to fetch, such as an Accept or an Undo."""
        return f"{self.base_url}/users/{username}#{kind}/{id_}"

    def profile(self, username: str) -> str:
        """A local actor's page for people."""
        return f"{self.base_url}/@{username}"

    def status_page(self, username: str, status_id: int) -> str:
        """A local post's page for people."""
        return f"{self.base_url}/@{username}/{status_id}"

    def tag(self, name: str) -> str:
        """A hashtag's page."""
        return f"{self.base_url}/tags/{quote(name, safe='')}"

    def media(self, key: str) -> str:
        """The address of a stored picture."""
        return f"{self.base_url}/media/{key}"

    def handle(self, username: str, host: str = "") -> str:
        """``name@host`` in full; an empty host means here."""
        return f"{username}@{host or self.domain}"

    def acct(self, username: str, host: str = "") -> str:
        """Mastodon's short form: ``name`` for people here, ``name@host`` for others."""
        return f"{username}@{host}" if host else username

    def is_local(self, url: str) -> bool:
        """Whether ``url`` lies under the base URL."""
        return url.startswith(self.base_url) and url[len(self.base_url) : len(self.base_url) + 1] in {"", "/", "?", "#"}

    def parse(self, url: str) -> Local | None:
        """What a URL of this instance names; None when it is not one of ours.

        Query and fragment never name anything else, so an id with either is ``other``; callers that accept key ids
        strip the fragment first.
        """
        if not self.is_local(url):
            return None
        rest = url[len(self.base_url) :]
        for kind, pattern in _ROUTES:
            if match := pattern.fullmatch(rest):
                groups = match.groupdict()
                return Local(kind, groups.get("user") or "", int(groups.get("id") or 0))
        return Local("other")
