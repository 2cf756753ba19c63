"""Which function applies which activity: handlers name their type, and what must be fetched before they run.

A handler is a plain function of a transaction and an activity and has no network. What it needs from elsewhere stands
in its decorator; the worker fetches that first, with no transaction open.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum, auto

from sqlalchemy import Connection

from fediverse.inbox.activity import Activity, Outcome

# What may stand in a decorator: a misspelt type would be a handler that never runs.
ACTIVITIES = frozenset(
    {
        *("Accept", "Add", "Announce", "Block", "Create", "Delete", "EmojiReact", "Flag", "Follow", "Like", "Move"),
        *("QuoteRequest", "Reject", "Remove", "Undo", "Update"),
    }
)
NOTES = ("Note", "Article", "Page", "Video", "Event", "Audio", "Image", "Question")
ACTORS = ("Person", "Service", "Organization", "Group", "Application")
ANY = "*"
BARE = ""  # only the object's id was sent
OBJECTS = frozenset((*ACTIVITIES, *NOTES, *ACTORS, "Tombstone", ANY, BARE))

Handle = Callable[[Connection, Activity], Outcome]


class Need(Enum):
    """What has to be had from elsewhere before a handler runs."""

    OBJECT = auto()  # the post that is the object, where it is not known here
    NOTE = auto()  # the post that is the object, where only its id was sent
    PARENT = auto()  # what the post answers, where that is not known here
    SIGNER = auto()  # the sender's own document, where the sender did not send it in full


@dataclass(frozen=True, slots=True)
class Handler:
    """A handler and what it needs."""

    handle: Handle
    needs: frozenset[Need]


_handlers: dict[tuple[str, str], Handler] = {}


def handles(kind: str, *objects: str, needs: tuple[Need, ...] = ()) -> Callable[[Handle], Handle]:
    """The decorated function applies activities of this type, with objects of these types (any, when none are given).

    Raises ValueError, at import, for an unknown type and for one that is taken.
    """
    keys = [(kind, name) for name in objects or (ANY,)]
    for key in keys:
        if kind not in ACTIVITIES or key[1] not in OBJECTS:
            raise ValueError(f"there is no activity {' of '.join(key)}")
        if key in _handlers:
            raise ValueError(f"{' of '.join(key)} is handled already")

    def register(handle: Handle) -> Handle:
        for key in keys:
            _handlers[key] = Handler(handle, frozenset(needs))
        return handle

    return register


def find(kind: str, object_type: str) -> Handler | None:
    """The handler of an activity with an object of that type, else of that activity with any object; None: ignored."""
    return _handlers.get((kind, object_type)) or _handlers.get((kind, ANY))
