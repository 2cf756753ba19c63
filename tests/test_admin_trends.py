"""Trends reviewed by moderators through the client API, over real HTTP."""

from __future__ import annotations

from typing import Any

import pytest
from sqlalchemy import Connection, update

from fediverse import ids
from fediverse.db import insert
from fediverse.tables.cards import cards
from fediverse.tables.statuses import statuses
from tests.support import world
from tests.support.entities import assert_entity
from tests.support.instance import Instance
from tests.test_admin_accounts import EVERYTHING, logged
from tests.test_trends import counted, shown

TRENDS = "/api/v1/admin/trends"


@pytest.mark.attack("API-05")
async def test_moderators_say_what_is_shown(instance: Instance) -> None:
    mona = await instance.account("mona", role="moderator", scopes=EVERYTHING)
    ulf = await instance.account("ulf", scopes=EVERYTHING)

    def talk(tx: Connection) -> tuple[int, int]:
        authors = [world.local(tx, f"somebody{n}") for n in range(2)]
        card_id = ids.new_id()
        tx.execute(insert(tx, cards).values(id=card_id, url="https://a.test/", kind="link", link="https://a.test/",
                                            title="A page"))  # fmt: skip
        posts = [world.post(tx, author, "about #bread") for author in authors]
        tx.execute(update(statuses).where(statuses.c.id.in_([post.id for post in posts])).values(card_id=card_id))
        return posts[0].id, card_id

    post_id, card_id = await instance.database.write(talk)
    await instance.call("POST", f"/api/v1/statuses/{post_id}/favourite", by=ulf)
    await counted(instance)
    found: dict[str, Any] = {}
    for kind in ("tags", "statuses", "links"):
        assert await shown(instance, kind) == []
        for who, status in ((ulf, 403), (mona, 200)):
            found[kind] = await instance.call("GET", f"{TRENDS}/{kind}", by=who, status=status)
        assert len(found[kind]) == 1
        assert found[kind][0]["requires_review"] is True
        await instance.call("POST", f"{TRENDS}/{kind}/7/approve", by=mona, status=404)
        await instance.call("POST", f"{TRENDS}/{kind}/x/reject", by=mona, status=404)
        await instance.call("POST", f"{TRENDS}/{kind}/{found[kind][0]['id']}/approve", by=ulf, status=403)
    assert_entity("Tag", found["tags"][0])
    assert_entity("AdminTag", found["tags"][0])
    assert_entity("Status", found["statuses"][0])
    assert_entity("TrendsLink", found["links"][0])
    named = {"tags": found["tags"][0]["id"], "statuses": str(post_id), "links": str(card_id)}
    assert {kind: one[0]["id"] for kind, one in found.items()} == named
    for kind, id_ in named.items():
        allowed = await instance.call("POST", f"{TRENDS}/{kind}/{id_}/approve", by=mona)
        assert (allowed["id"], allowed["requires_review"]) == (id_, False)
        assert len(await shown(instance, kind)) == 1
    for kind, id_ in {**named, "tags": "BREAD"}.items():
        refused = await instance.call("POST", f"{TRENDS}/{kind}/{id_}/reject", by=mona)
        assert refused["id"] == named[kind]
        assert await shown(instance, kind) == []
    (tag,) = await instance.call("GET", f"{TRENDS}/tags?limit=1", by=mona)
    assert (tag["trendable"], tag["requires_review"]) == (False, False)
    assert [name for name, _ in await logged(instance)] == ["trend.approve"] * 3 + ["trend.reject"] * 3
    sent = {"keys": ["tag_uses"], "tag_uses": {"id": "bread"}}
    assert (await instance.call("POST", "/api/v1/admin/measures", by=mona, json=sent))[0]["total"] == "2"
