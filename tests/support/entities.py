"""Whether JSON has the shape of an entity of Mastodon's client API: its fields, their presence and types.

The tables (tests/data/client_api_*.tsv) list the facts of the public OpenAPI description of Mastodon, as
``tools.client_api_facts`` takes them from it.
"""

from __future__ import annotations

import re
from functools import cache
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

_TABLE = Path(__file__).parent.parent / "data" / "client_api_entities.tsv"
_OPERATIONS = Path(__file__).parent.parent / "data" / "client_api_operations.tsv"
_DATE_TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z")
# Said to be addresses, and empty where Mastodon knows none.
_EMPTY_FOR_NONE = {
    *("PreviewCard.author_url", "PreviewCard.provider_url", "PreviewCard.embed_url", "PreviewCardAuthor.url"),
    *("TrendsLink.author_url", "TrendsLink.provider_url", "TrendsLink.embed_url"),
}
_DATE = re.compile(r"\d{4}-\d\d-\d\d")


@cache
def _entities() -> dict[str, list[tuple[str, bool, str]]]:
    found: dict[str, list[tuple[str, bool, str]]] = {}
    for line in _TABLE.read_text().splitlines()[1:]:
        entity, field, presence, kind = line.split("\t")
        found.setdefault(entity, []).append((field, presence == "required", kind))
    return found


def problems(entity: str, value: Any, at: str = "") -> list[str]:
    """What is wrong with ``value`` as that entity, a sentence each; empty when nothing is."""
    if not isinstance(value, dict):
        return [f"{at or entity}: not an object but {value!r}"]
    wrong: list[str] = []
    for field, required, kind in _entities()[entity]:
        place: Any = value
        *parents, last = field.split(".")
        for step in [*parents, last]:
            if not isinstance(place, dict) or step not in place:
                # A parent that is missing has a line of its own, and may be optional.
                if required and isinstance(place, dict) and step == last:
                    wrong.append(f"{at or entity}.{field}: missing")
                break
            place = place[step]
        else:
            if place == "" and f"{entity}.{field}" in _EMPTY_FOR_NONE:
                continue
            if not _fits(kind, place, f"{at or entity}.{field}", wrong):
                wrong.append(f"{at or entity}.{field}: {place!r} is not {kind}")
    return wrong


def assert_entity(entity: str, value: Any) -> None:
    """``value`` has the shape of the entity."""
    found = problems(entity, value)
    assert not found, "\n".join(found)


@cache
def operations() -> dict[tuple[str, str, int], str]:
    """The type of each successful answer, by method, path (its parameters unnamed) and status."""
    found = {}
    for line in _OPERATIONS.read_text().splitlines()[1:]:
        method, path, status, kind = line.split("\t")
        found[method, unnamed(path), int(status)] = kind
    return found


def unnamed(path: str) -> str:
    """A path's template without the names of its parameters."""
    return re.sub(r"\{[^}]*\}", "{}", path.rstrip("/"))


def problems_of_answer(method: str, path: str, status: int, value: Any) -> list[str]:
    """What is wrong with the JSON that an operation (``path`` with unnamed parameters) answered."""
    at = f"{method} {path} {status}"
    kind = "Error" if status >= 400 else operations().get((method, path, status))
    if kind is None:
        return []
    wrong: list[str] = []
    if not _fits(kind, value, at, wrong):
        wrong.append(f"{at}: {str(value)[:300]} is not {kind}")
    return wrong


def _fits(kind: str, value: Any, at: str, wrong: list[str]) -> bool:
    """Whether the value is any of the kinds; what is wrong with it as the nearest of them goes into ``wrong``."""
    nearest: list[str] | None = None
    for one in _alternatives(kind):
        found: list[str] = []
        if _is(one, value, at, found):
            if not found:
                return True
            nearest = found if nearest is None or len(found) < len(nearest) else nearest
    wrong += nearest or []
    return nearest is not None


@cache
def _alternatives(kind: str) -> list[str]:
    """The kinds between the bars that stand outside of brackets and quotes."""
    parts, depth, start = [], 0, 0
    for place, character in enumerate(kind):
        depth += {"[": 1, "{": 1, "]": -1, "}": -1}.get(character, 0)
        if character == "|" and depth == 0:
            parts.append(kind[start:place])
            start = place + 1
    return [*parts, kind[start:]]


def _is(kind: str, value: Any, at: str, wrong: list[str]) -> bool:
    if kind.startswith("[") and kind.endswith("]"):
        if not isinstance(value, list):
            return False
        return all(_fits(kind[1:-1], item, f"{at}[{i}]", wrong) for i, item in enumerate(value))
    if kind.startswith("{") and kind.endswith("}"):
        return isinstance(value, dict) and all(
            _fits(kind[1:-1], item, f"{at}.{name}", wrong) for name, item in value.items()
        )
    if kind.startswith('"'):
        return value in kind.strip('"').split(",")
    if kind in _entities():
        if not isinstance(value, dict):
            return False
        wrong += problems(kind, value, at)
        return True
    match kind:
        case "any":
            return True
        case "string":
            return isinstance(value, str)
        case "integer":
            return isinstance(value, int) and not isinstance(value, bool)
        case "number":
            return isinstance(value, int | float) and not isinstance(value, bool)
        case "boolean":
            return isinstance(value, bool)
        case "null":
            return value is None
        case "object":
            return isinstance(value, dict)
        case "uri":
            return isinstance(value, str) and bool(urlsplit(value).scheme)
        case "date-time":
            return isinstance(value, str) and bool(_DATE_TIME.fullmatch(value))
        case "date":
            return isinstance(value, str) and bool(_DATE.fullmatch(value))
    raise AssertionError(f"The table has a type that nobody checks: {kind}")
