"""Documents as other servers write them, each with what must be read from it."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from fediverse.clock import from_datetime, rfc3339, to_datetime
from fediverse.documents import read_activity, read_actor, read_collection, read_note
from fediverse.drafts import Visibility
from fediverse.errors import BadRequest

GOLDEN = sorted((Path(__file__).parent / "data" / "golden").glob("*.json"))
RECEIVED_AT = 1_780_315_200_000  # 2026-06-01T12:00:00Z

READERS: dict[str, Callable[[object], Any]] = {
    "note": lambda document: read_note(document, received_at=RECEIVED_AT),
    "actor": read_actor,
    "activity": read_activity,
    "collection": read_collection,
}


def _plain(name: str, value: Any) -> Any:
    """The value as JSON has it; instants as text."""
    if isinstance(value, Visibility):
        return value.name.lower()
    if name.endswith("_at") and value is not None:
        return rfc3339(value)
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return dataclasses.asdict(value)
    return [_plain("", entry) for entry in value] if isinstance(value, tuple) else value


@pytest.mark.parametrize("path", GOLDEN, ids=lambda path: path.stem)
def test_reads(path: Path) -> None:
    fixture = json.loads(path.read_bytes())
    expect, read = fixture["expect"], READERS[fixture["reads"]]
    assert path.stem.startswith(fixture["software"] + "-")
    if "error" in expect:
        with pytest.raises(BadRequest, match=expect["error"]):
            read(fixture["document"])
        return
    draft = read(fixture["document"])
    for part in expect.pop("contains", []):
        assert part in draft.content
    assert {name: _plain(name, getattr(draft, name)) for name in expect} == expect


def test_every_fixture_is_there() -> None:
    assert len(GOLDEN) >= 70
    assert rfc3339(from_datetime(to_datetime(RECEIVED_AT))) == "2026-06-01T12:00:00.000Z"
