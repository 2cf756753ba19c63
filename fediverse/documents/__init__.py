"""ActivityStreams documents: read into drafts, leniently; written from rows, strictly. Pure: no I/O and no clock.

Reading takes whatever JSON there is and raises nothing but BadRequest, for what is of no use at all.
"""

from __future__ import annotations

from fediverse.documents.activities import ACTIVITY_TYPES, read_activity
from fediverse.documents.actors import ACTOR_TYPES, read_actor
from fediverse.documents.addressing import audience
from fediverse.documents.collections import (
    CollectionDraft,
    collection,
    collection_page,
    ordered_collection,
    ordered_collection_page,
    read_collection,
)
from fediverse.documents.context import PUBLIC, Document
from fediverse.documents.notes import NOTE_TYPES, read_note
from fediverse.documents.polls import has_ended, new_poll, titles
from fediverse.documents.shapes import host_of, http_uri, id_of, ids, normalise_uri, origin, same_origin, type_of
from fediverse.documents.writing import (
    Picture,
    actor_document,
    dumps,
    instance_actor_document,
    key_document,
    note_document,
    tombstone,
)

__all__ = [
    "ACTIVITY_TYPES",
    "ACTOR_TYPES",
    "NOTE_TYPES",
    "PUBLIC",
    "CollectionDraft",
    "Document",
    "Picture",
    "actor_document",
    "audience",
    "collection",
    "collection_page",
    "dumps",
    "has_ended",
    "host_of",
    "http_uri",
    "id_of",
    "ids",
    "instance_actor_document",
    "key_document",
    "new_poll",
    "normalise_uri",
    "note_document",
    "ordered_collection",
    "ordered_collection_page",
    "origin",
    "read_activity",
    "read_actor",
    "read_collection",
    "read_note",
    "same_origin",
    "titles",
    "tombstone",
    "type_of",
]
