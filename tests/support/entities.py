"""Whether JSON has the shape of an entity of Mastodon's client API: its fields, their presence and types.

The table (tests/data/client_api_entities.tsv) lists the facts of the public OpenAPI description of Mastodon.
"""

from __future__ import annotations

import re
from functools import cache
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

_TABLE = Path(__file__).parent.parent / "data" / "client_api_entities.tsv"
_DATE_TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z")
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
            if not _fits(kind, place, f"{at or entity}.{field}", wrong):
                wrong.append(f"{at or entity}.{field}: {place!r} is not {kind}")
    return wrong


def assert_entity(entity: str, value: Any) -> None:
    """``value`` has the shape of the entity."""
    found = problems(entity, value)
    assert not found, "\n".join(found)


def _fits(kind: str, value: Any, at: str, wrong: list[str]) -> bool:
    return any(_is(one, value, at, wrong) for one in kind.split("|"))


def _is(kind: str, value: Any, at: str, wrong: list[str]) -> bool:
    if kind.startswith("[") and kind.endswith("]"):
        if not isinstance(value, list):
            return False
        return all(_fits(kind[1:-1], item, f"{at}[{i}]", wrong) for i, item in enumerate(value))
    if kind.startswith('"'):
        return value in kind.strip('"').split(",")
    if kind in _entities():
        if not isinstance(value, dict):
            return False
        wrong += problems(kind, value, at)
        return True
    match kind:
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
