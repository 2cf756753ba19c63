"""Scopes of Mastodon's client API: a coarse one contains its finer ones, ``follow`` some of both kinds."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from functools import lru_cache
from typing import Final

from fediverse.access.errors import OAuthError

_READ: Final = (
    "accounts", "blocks", "bookmarks", "favourites", "filters", "follows", "lists", "mutes", "notifications", "search",
    "statuses",
)  # fmt: skip
_WRITE: Final = (
    "accounts", "blocks", "bookmarks", "conversations", "favourites", "filters", "follows", "lists", "media", "mutes",
    "notifications", "reports", "statuses",
)  # fmt: skip
_ADMIN: Final = (
    "accounts", "reports", "domain_allows", "domain_blocks", "ip_blocks", "email_domain_blocks",
    "canonical_email_blocks",
)  # fmt: skip
#: Every scope that an application may ask for. Those of administration open nothing without a role that permits it.
ALL_SCOPES: Final = (
    "profile",
    "read",
    *(f"read:{name}" for name in _READ),
    "write",
    *(f"write:{name}" for name in _WRITE),
    "follow",
    "push",
    *("admin:read", *(f"admin:read:{name}" for name in _ADMIN)),
    *("admin:write", *(f"admin:write:{name}" for name in _ADMIN)),
)
DEFAULT_SCOPE: Final = "read"
_KNOWN: Final = frozenset(ALL_SCOPES)
_FOLLOW: Final = frozenset(f"{kind}:{name}" for kind in ("read", "write") for name in ("blocks", "follows", "mutes"))
_SENTENCES: Final = {
    "profile": "See who you are",
    "read": "Read everything you can read",
    "write": "Post, follow and change your profile in your name",
    "follow": "Follow, mute and block people in your name",
    "push": "Send you notifications",
    "admin:read": "Read everything that moderators of this server can read",
    "admin:write": "Moderate this server in your name",
}

_FINER: Final = {
    "read": "Read your {}",
    "write": "Change your {}",
    "admin:read": "Read the {} that moderators of this server see",
    "admin:write": "Change the {} of this server",
}


def parse_scopes(text: str, *, default: str = DEFAULT_SCOPE) -> tuple[str, ...]:
    """The scopes named in ``text``, each once, in order; those of ``default`` when it names none.

    Raises OAuthError ``invalid_scope`` for one that does not exist.
    """
    # Some clients join them with "+" or commas.
    names = tuple(dict.fromkeys(text.replace("+", " ").replace(",", " ").split())) or tuple(default.split())
    for name in names:
        if name not in _KNOWN:
            raise OAuthError("invalid_scope", f"There is no scope “{name[:60]}” here.")
    return names


def join_scopes(scopes: Iterable[str]) -> str:
    """The scopes as OAuth sends them."""
    return " ".join(scopes)


@lru_cache(maxsize=1024)
def held(text: str) -> frozenset[str]:
    """The scopes that a stored, space-separated text holds."""
    return frozenset(text.split())


def allows(scopes: Collection[str], wanted: str) -> bool:
    """Whether somebody with ``scopes`` may do what needs ``wanted``."""
    if wanted in scopes:
        return True
    coarse, colon, _ = wanted.rpartition(":")
    if colon and coarse in scopes:
        return True
    return "follow" in scopes and wanted in _FOLLOW


def is_subset(wanted: Iterable[str], granted: Collection[str]) -> bool:
    """Whether everything in ``wanted`` is contained in ``granted``."""
    return all(allows(granted, scope) for scope in wanted)


def describe_scopes(scopes: Iterable[str]) -> list[str]:
    """What the scopes allow, a sentence each, for the consent page."""
    sentences = []
    for scope in scopes:
        coarse, _, name = scope.rpartition(":")
        if scope in _SENTENCES:
            sentences.append(_SENTENCES[scope])
        else:
            sentences.append(_FINER[coarse].format(name.replace("_", " ")))
    return sentences
