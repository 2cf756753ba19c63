"""What counts as an ActivityPub document, before anyone looks at what it says. Pure."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from typing import Any

import orjson

from fediverse.remote.errors import Mismatch, NotActivityPub, RemoteError
from fediverse.remote.urls import Target, target

# JSON types only: several servers take any text/html in it for a browser.
ACCEPT = 'application/activity+json, application/ld+json; profile="https://www.w3.org/ns/activitystreams"'
AS_PROFILE = "https://www.w3.org/ns/activitystreams"
MAX_DEPTH = 64

_TYPE = re.compile(r"\s*([\w.+-]+/[\w.+-]+)\s*(?=;|$)", re.ASCII)
_PARAMETER = re.compile(r';\s*+(?:([\w.+-]++)\s*+=\s*+("(?:[^"\\]|\\.)*+"|[^;"\s]*+)\s*+)?(?=;|$)', re.ASCII)


@dataclass(frozen=True, slots=True)
class Document:
    """An ActivityPub document that speaks for the URL it was fetched from: ``body["id"]`` equals ``url_final``.

    ``url_final`` is canonical (host in lower case, no default port) and has no fragment.
    """

    url_final: str
    body: dict[str, Any]


def media_type(header: str) -> tuple[str, dict[str, str]]:
    """Return the type in lower case and its parameters; ("", {}) if the header is malformed."""
    start = _TYPE.match(header)
    if start is None:
        return "", {}
    parameters: dict[str, str] = {}
    position = start.end()
    while position < len(header):
        found = _PARAMETER.match(header, position)
        if found is None:
            return "", {}
        if found[1]:
            value = found[2]
            if value.startswith('"'):
                value = re.sub(r"\\(.)", r"\1", value[1:-1])
            parameters.setdefault(found[1].lower(), value)
        position = found.end()
    return start[1].lower(), parameters


def is_activity_type(header: str) -> bool:
    """Whether a Content-Type says ActivityPub: activity+json, or ld+json with the ActivityStreams profile.

    Anything else may be a file that somebody uploaded, so it proves nothing about who wrote it.
    """
    kind, parameters = media_type(header)
    if kind == "application/activity+json":
        return True
    return kind == "application/ld+json" and AS_PROFILE in parameters.get("profile", "").split()


def parse_object(body: bytes) -> dict[str, Any]:
    """Return the JSON object in the body.

    Raises ``ValueError`` with a sentence if it is not UTF-8 JSON (NaN and Infinity are not), not an object, nested
    deeper than 64 levels, or has a name twice in one object: readers disagree which one counts.
    """
    try:
        value = orjson.loads(body)
    except orjson.JSONDecodeError as error:
        raise ValueError("This is not valid JSON.") from error
    if not isinstance(value, dict):
        raise ValueError("This is JSON, but not an object.")
    if _deeper_than(value, MAX_DEPTH):
        raise ValueError(f"This JSON is nested deeper than {MAX_DEPTH} levels.")
    # Numbers as texts: the standard library's limit on digits is of no interest here.
    json.loads(body, object_pairs_hook=_unique, parse_int=str, parse_float=str)
    return value


def _deeper_than(value: Any, levels: int) -> bool:
    row = [value]
    for _ in range(levels):
        row = [
            child
            for item in row
            for child in (item.values() if isinstance(item, dict) else item)
            if isinstance(child, dict | list)
        ]
        if not row:
            return False
    return True


def _unique(pairs: list[tuple[str, Any]]) -> None:
    if len({name for name, _ in pairs}) != len(pairs):
        raise ValueError("This JSON has a name twice in one object.")


def read_document(asked: Target, final: Target, body: bytes) -> Document | str:
    """Return the document if it speaks for the URL finally fetched, else the id that it claims.

    Raises ``NotActivityPub`` if it is no proper JSON object, and ``Mismatch`` if it has no usable id.
    """
    try:
        value = parse_object(body)
    except ValueError as error:
        raise NotActivityPub(f"The document from {final.host} cannot be read: {error}") from error
    claimed = value.get("id")
    if not isinstance(claimed, str):
        raise Mismatch(f"The document from {final.host} has no id, so it cannot be told whose it is.")
    try:
        own = target(claimed)
    except RemoteError as error:
        raise Mismatch(f"The document from {final.host} has an id that is not an address.") from error
    # An id with a fragment is a part of a page; it counts only when that very part was asked for.
    if own.url == final.url and own.fragment in ("", asked.fragment):
        return Document(final.url, value)
    return claimed
