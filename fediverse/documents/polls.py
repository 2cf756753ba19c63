"""Polls: what may be asked here, and Questions as other servers send and read them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

from fediverse.clock import SECOND, Instant, rfc3339
from fediverse.documents.context import Document
from fediverse.documents.shapes import clean, entries, instant_of
from fediverse.drafts import Poll, PollOption
from fediverse.errors import Invalid
from fediverse.text import sanitize_name
from fediverse.text.characters import count_clusters

OPTIONS: Final = 4
"""Options of a poll made here."""

OPTION_LENGTH: Final = 50
"""Characters of an option of a poll made here."""

SHORTEST: Final = 300
"""Seconds that a poll made here lasts at least."""

LONGEST: Final = 2_629_746
"""Seconds that a poll made here lasts at most: a month."""

MAX_OPTIONS: Final = 32
"""Options of a Question that are read."""

MAX_OPTION: Final = 200
"""Characters of an option that are read."""

_MOST_VOTES: Final = 2**31 - 1


def new_poll(options: Sequence[str], *, expires_in: int, multiple: bool, hide_totals: bool, now: Instant) -> Poll:
    """A poll that nobody has voted in yet, open for ``expires_in`` seconds. Raises Invalid for what is no fair one."""
    titles = [sanitize_name(option, OPTION_LENGTH + 1) for option in options]
    if len(options) < 2:
        raise Invalid("A poll needs at least two options.")
    if len(options) > OPTIONS:
        raise Invalid(f"A poll has at most {OPTIONS} options.")
    if not all(titles):
        raise Invalid("Every option of a poll needs words.")
    if any(count_clusters(title) > OPTION_LENGTH for title in titles):
        raise Invalid(f"An option of a poll has at most {OPTION_LENGTH} characters. Shorten it.")
    if len(set(titles)) < len(titles):
        raise Invalid("Two options of the poll are the same.")
    if not SHORTEST <= expires_in <= LONGEST:
        raise Invalid("A poll is open for at least five minutes and at most a month: “expires_in” is in seconds.")
    return Poll(
        options=[PollOption(title=title, votes=0) for title in titles],
        multiple=multiple,
        hide_totals=hide_totals,
        expires_at=now + expires_in * SECOND,
        closed=False,
        voters=0,
        fetched_at=None,
    )


def read_poll(document: Document, *, read_at: Instant) -> Poll | None:
    """The poll that a Question describes; None when it has no options that can be told apart."""
    several = not document.get("oneOf") and bool(document.get("anyOf"))
    options: dict[str, PollOption] = {}
    for entry in entries(document.get("anyOf" if several else "oneOf"), MAX_OPTIONS):
        if not isinstance(entry, dict):
            continue
        title = sanitize_name(clean(entry.get("name"), MAX_OPTION * 4), MAX_OPTION)
        replies = entry.get("replies")
        votes = _count(replies.get("totalItems")) if isinstance(replies, dict) else None
        if title:
            options.setdefault(title, PollOption(title=title, votes=votes or 0))
    if not options:
        return None
    return Poll(
        options=list(options.values()),
        multiple=several,
        hide_totals=False,
        expires_at=_ends(document, read_at),
        closed=bool(document.get("closed")) and (instant_of(document.get("closed")) or 0) <= read_at,
        voters=_count(document.get("votersCount")),
        fetched_at=read_at,
    )


def _ends(document: Document, read_at: Instant) -> Instant | None:
    """When voting ends: when it was closed, where it was; a closing without a time is one by now."""
    closed, planned = document.get("closed"), instant_of(document.get("endTime"))
    if (at := instant_of(closed)) is not None:
        return at
    if closed is True:
        return min(planned or read_at, read_at)
    return planned


def _count(value: object) -> int | None:
    if isinstance(value, int) and not isinstance(value, bool):
        return max(0, min(value, _MOST_VOTES))
    return None


def poll_properties(poll: Mapping[str, Any]) -> Document:
    """What makes a Note a Question. Totals may be hidden until it is closed."""
    hidden = poll["hide_totals"] and not poll["closed"]
    options = [
        {
            "type": "Note",
            "name": option["title"],
            "replies": {"type": "Collection", "totalItems": 0 if hidden else option["votes"]},
        }
        for option in poll["options"]
    ]
    document: Document = {"anyOf" if poll["multiple"] else "oneOf": options}
    if poll["expires_at"] is not None:
        document["endTime"] = rfc3339(poll["expires_at"])
        if poll["closed"]:
            document["closed"] = rfc3339(poll["expires_at"])
    if poll["voters"] is not None:
        document["votersCount"] = poll["voters"]
    return document


def has_ended(poll: Mapping[str, Any], now: Instant) -> bool:
    """Whether nobody can vote any more."""
    return bool(poll["closed"]) or (poll["expires_at"] is not None and poll["expires_at"] <= now)


def titles(poll: Mapping[str, Any] | None) -> list[str]:
    """What can be voted for; nothing without a poll."""
    return [option["title"] for option in poll["options"]] if poll is not None else []
