"""Activities as they come in: whose, what, about what. What is embedded is kept as it came."""

from __future__ import annotations

from typing import Final

from fediverse.documents.actors import ACTOR_TYPES
from fediverse.documents.addressing import read_recipients
from fediverse.documents.context import Document
from fediverse.documents.notes import NOTE_TYPES
from fediverse.documents.shapes import clean, entries, http_uri, id_of, instant_of, type_of
from fediverse.drafts import ActivityDraft
from fediverse.errors import BadRequest

ACTIVITY_TYPES: Final = frozenset(
    {
        *("Accept", "Add", "Announce", "Arrive", "Block", "Create", "Delete", "Dislike", "EmojiReact", "Flag"),
        *("Follow", "Ignore", "Invite", "Join", "Leave", "Like", "Listen", "Move", "Offer", "Question", "Reject"),
        *("QuoteRequest", "Read", "Remove", "TentativeAccept", "TentativeReject", "Travel", "Undo", "Update", "View"),
    }
)
"""Types of activities that exist, most of which nothing is done with here."""

MAX_OBJECTS: Final = 100
"""Objects of one activity that are read."""

MAX_CONTENT: Final = 5000
"""Characters of a report that are read."""

_OBJECT_TYPES: Final = ACTIVITY_TYPES | ACTOR_TYPES | NOTE_TYPES | {"Tombstone"}


def read_activity(document: object) -> ActivityDraft:
    """The activity, its ids in the form in which they are compared.

    An actor that is embedded counts as its id only. Of several objects the first is ``object``, all are ``objects``.

    Raises BadRequest when it has no type, or no actor with an http(s) id.
    """
    if not isinstance(document, dict):
        raise BadRequest("An activity must be a JSON object.")
    kind = type_of(document, ACTIVITY_TYPES)
    if not kind:
        raise BadRequest("An activity needs a type.")
    actor_uri = http_uri(id_of(document.get("actor")))
    if actor_uri is None:
        raise BadRequest("An activity needs an actor whose id is an http(s) URL.")
    value = document.get("object")
    first = next((entry for entry in value[:MAX_OBJECTS] if entry), None) if isinstance(value, list) else value
    embedded = first if isinstance(first, dict) else None
    to, cc = read_recipients(document)
    return ActivityDraft(
        type=kind,
        id=id_of(document.get("id")),
        actor_uri=actor_uri,
        object_uri=id_of(first),
        object_type=type_of(embedded, _OBJECT_TYPES) if embedded is not None else "",
        object=embedded,
        objects=_all(value) if isinstance(value, list) else (),
        target_uri=id_of(document.get("target")),
        instrument_uri=http_uri(id_of(document.get("instrument"))),
        result_uri=http_uri(id_of(document.get("result"))),
        to=to,
        cc=cc,
        published_at=instant_of(document.get("published")),
        content=clean(document.get("content"), MAX_CONTENT) if kind == "Flag" else "",
    )


def _all(value: object) -> tuple[str | Document, ...]:
    found: list[str | Document] = []
    for entry in entries(value, MAX_OBJECTS):
        if isinstance(entry, dict):
            found.append(entry)
        elif uri := id_of(entry):
            found.append(uri)
    return tuple(found)
