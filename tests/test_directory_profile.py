"""A local profile: typed text becomes HTML, and followers' servers are told of what shows."""

from __future__ import annotations

from typing import Any

import orjson
import pytest
from sqlalchemy import select

from fediverse import clock
from fediverse.actors import profile
from fediverse.db import Database
from fediverse.errors import Invalid
from fediverse.tables.outbox import activities
from tests.support import world
from tests.support.world import URLS


async def _updated(database: Database, **changes: Any) -> tuple[Any, list[Any]]:
    """The actor after the change, and what was published."""

    def work(tx: Any) -> tuple[Any, list[Any]]:
        world.local(tx, "bob")
        alice = world.local(tx, "alice")
        row = profile.update(tx, URLS, alice, now=clock.now(), **changes)
        return row, [orjson.loads(body) for body in tx.scalars(select(activities.c.document))]

    return await database.write(work)


async def test_a_bio_is_rendered_with_those_who_are_known_here(database: Database) -> None:
    row, (told,) = await _updated(database, summary_source="Works with @bob and @nobody <script>")
    assert f'href="{URLS.profile("bob")}"' in row.summary
    assert "@nobody" in row.summary
    assert "<script>" not in row.summary
    assert (told["type"], told["object"]["id"], told["object"]["summary"]) == (
        "Update",
        URLS.actor("alice"),
        row.summary,
    )


async def test_fields_are_html_without_a_paragraph(database: Database) -> None:
    row, _ = await _updated(database, fields_source=[{"name": "Web", "value": "https://example.com"}])
    (field,) = row.fields
    assert field["name"] == "Web"
    assert field["value"].startswith('<a href="https://example.com"')
    assert 'rel="me nofollow' in field["value"]


async def test_what_does_not_show_is_told_to_nobody(database: Database) -> None:
    row, told = await _updated(database, default_visibility="private", name="")
    assert row.default_visibility == "private"
    assert told == []


@pytest.mark.parametrize(
    "changes",
    [
        {"name": "x" * 51},
        {"summary_source": "x" * 501},
        {"fields_source": [{"name": "x", "value": "y"}] * 5},
        {"fields_source": [{"name": "x", "value": "y" * 256}]},
    ],
)
async def test_what_is_too_long_is_refused(database: Database, changes: dict[str, Any]) -> None:
    with pytest.raises(Invalid):
        await _updated(database, **changes)
