"""Collections: read from other servers, and written."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

from fediverse.documents.context import NOTE_CONTEXT, SIMPLE_CONTEXT, Document
from fediverse.documents.shapes import entries, http_uri, id_of, ids, same_origin, type_of
from fediverse.errors import BadRequest

COLLECTION_TYPES: Final = frozenset({"Collection", "OrderedCollection", "CollectionPage", "OrderedCollectionPage"})
"""Types of collections and their pages."""

MAX_ITEMS: Final = 500
"""Items that are read from one document."""

MAX_TOTAL: Final = 1_000_000_000
"""What a larger total counts as: nobody has more followers."""


@dataclass(frozen=True, slots=True)
class CollectionDraft:
    """A collection, or a page of one. ``total`` is None where none that can be true is given.

    ``items`` are ids and embedded objects as they came, those of an embedded first page included; ``first`` and
    ``next`` are pages on the collection's own server that are still to be fetched.
    """

    id: str | None
    total: int | None
    first: str | None
    next: str | None
    items: tuple[str | Document, ...]

    @property
    def item_ids(self) -> tuple[str, ...]:
        """The ids of the items, each once."""
        return ids(list(self.items), MAX_ITEMS)


def read_collection(document: object) -> CollectionDraft:
    """The collection, MAX_ITEMS items at most. Raises BadRequest when it is none."""
    if not isinstance(document, dict) or type_of(document, COLLECTION_TYPES) not in COLLECTION_TYPES:
        raise BadRequest("This object is not a collection.")
    uri = http_uri(id_of(document.get("id")))
    items, following = _items(document), document.get("next")
    first: Any = document.get("first")
    if isinstance(first, dict) and (first.get("items") or first.get("orderedItems") or first.get("next")):
        items, following, first = [*items, *_items(first)], first.get("next"), None
    return CollectionDraft(
        id=uri,
        total=_total(document.get("totalItems")),
        first=_page(first, uri),
        next=_page(following, uri),
        items=tuple(items[:MAX_ITEMS]),
    )


def _items(document: Document) -> list[str | Document]:
    value = document.get("orderedItems")
    found = entries(document.get("items") if value is None else value, MAX_ITEMS)
    return [kept for entry in found if (kept := entry if isinstance(entry, dict) else id_of(entry))]


def _page(value: object, uri: str | None) -> str | None:
    page = http_uri(id_of(value))
    return page if page != uri and (uri is None or same_origin(page, uri)) else None


def _total(value: object) -> int | None:
    if isinstance(value, bool) or not isinstance(value, int) or value < 0:
        return None
    return min(value, MAX_TOTAL)


def ordered_collection(
    id_: str,
    *,
    total: int,
    first: str | None = None,
    last: str | None = None,
    items: Sequence[str | Document] | None = None,
) -> Document:
    """An OrderedCollection, in pages or with its items in it. The total is told even where the items are hidden."""
    document: Document = {
        "@context": NOTE_CONTEXT if items else SIMPLE_CONTEXT,
        "id": id_,
        "type": "OrderedCollection",
        "totalItems": total,
    }
    if first is not None:
        document["first"] = first
    if last is not None:
        document["last"] = last
    if items is not None:
        document["orderedItems"] = [_bare(item) for item in items]
    return document


def ordered_collection_page(
    id_: str,
    *,
    part_of: str,
    items: Sequence[str | Document],
    next_: str | None = None,
    prev: str | None = None,
) -> Document:
    """A page of an OrderedCollection; its items are ids or objects in full."""
    document: Document = {
        "@context": NOTE_CONTEXT,
        "id": id_,
        "type": "OrderedCollectionPage",
        "partOf": part_of,
        "orderedItems": [_bare(item) for item in items],
    }
    if next_ is not None:
        document["next"] = next_
    if prev is not None:
        document["prev"] = prev
    return document


def collection(id_: str, *, items: Sequence[str] = (), next_: str | None = None, context: bool = True) -> Document:
    """A Collection with its first page inline, the form in which Mastodon reads replies.

    ``context=False`` leaves out ``@context``, for one that is part of another document.
    """
    page: Document = {"type": "CollectionPage", "partOf": id_, "items": [*items]}
    if next_ is not None:
        page["next"] = next_
    document: Document = {"id": id_, "type": "Collection", "first": page}
    return {"@context": SIMPLE_CONTEXT, **document} if context else document


def collection_page(id_: str, *, part_of: str, items: Sequence[str], next_: str | None = None) -> Document:
    """A page of a Collection of ids."""
    document: Document = {
        "@context": SIMPLE_CONTEXT,
        "id": id_,
        "type": "CollectionPage",
        "partOf": part_of,
        "items": [*items],
    }
    if next_ is not None:
        document["next"] = next_
    return document


def _bare(item: str | Document) -> str | Document:
    if isinstance(item, str):
        return item
    return {name: value for name, value in item.items() if name != "@context"}
