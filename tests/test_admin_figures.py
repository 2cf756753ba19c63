"""Measures, dimensions and retention through the client API, over real HTTP."""

from __future__ import annotations

from typing import Any

import pytest
from sqlalchemy import Connection, func, select, update

from fediverse import clock
from fediverse.actors import people
from fediverse.clock import DAY, rfc3339
from fediverse.tables import actors as tables
from fediverse.tables.statuses import tags
from tests.peers.scripted import Server
from tests.support.entities import assert_entity
from tests.support.instance import Account, Instance
from tests.test_admin_accounts import EVERYTHING

TODAY = clock.now() // DAY * DAY
MEASURES, DIMENSIONS, RETENTION = (f"/api/v1/admin/{name}" for name in ("measures", "dimensions", "retention"))


async def ask(instance: Instance, by: Account, path: str, entity: str, **sent: Any) -> list[Any]:
    found: list[Any] = await instance.call("POST", path, by=by, json=sent)
    for one in found:
        assert_entity(entity, one)
    return found


async def test_what_went_on_is_counted(instance: Instance, peer: Server) -> None:
    mona = await instance.account("mona", role="moderator", scopes=EVERYTHING)
    alice, bob = await instance.account("alice"), peer.actor("bob")
    post = await instance.post(alice, "About #bread")
    await instance.post(alice, "More #bread")
    await instance.follow(alice, bob.handle)
    for kind in ("Like", "Announce", "Follow"):
        await peer.send(
            bob, f"{instance.url}/inbox", bob.activity(kind, alice.uri if kind == "Follow" else post["uri"])
        )
    note = bob.note("Nice #bread", inReplyTo=post["uri"], cc=[alice.uri], tag=[
        {"type": "Mention", "href": alice.uri, "name": "@alice"}, {"type": "Hashtag", "name": "#bread"},
    ])  # fmt: skip
    await peer.send(bob, f"{instance.url}/inbox", bob.activity("Create", note))
    await instance.tick()
    await instance.tick()
    follow = next(one.body for one in peer.received if one.body["type"] == "Follow")
    await peer.send(bob, f"{instance.url}/inbox", bob.activity("Accept", follow))
    await instance.tick()
    account = await instance.find(alice, bob.handle)
    report = await instance.call("POST", "/api/v1/reports", by=alice, json={"account_id": account["id"]})
    await instance.call("POST", f"/api/v1/admin/reports/{report['id']}/resolve", by=mona)
    tag_id = await instance.database.read(lambda tx: tx.scalar(select(tags.c.id).where(tags.c.name == "bread")))

    names = ["active_users", "new_users", "interactions", "opened_reports", "resolved_reports"]
    by_tag = ["tag_accounts", "tag_uses", "tag_servers"]
    by_host = [f"instance_{what}" for what in ("accounts", "statuses", "reports", "follows", "followers")]
    sent: dict[str, Any] = {"keys": [*names, *by_tag, *by_host, "unheard_of"]}
    sent |= {key: {"id": str(tag_id)} for key in by_tag} | {key: {"domain": peer.host} for key in by_host}
    found = await ask(instance, mona, MEASURES, "AdminMeasure", **sent, start_at=rfc3339(TODAY - 2 * DAY), end_at="")
    totals = {one["key"]: int(one["total"]) for one in found}
    assert totals == {
        "active_users": 2, "new_users": 2, "interactions": 3, "opened_reports": 1, "resolved_reports": 1,
        "tag_accounts": 2, "tag_uses": 3, "tag_servers": 1,
        "instance_accounts": 1, "instance_statuses": 2, "instance_reports": 1, "instance_follows": 1,
        "instance_followers": 1,
    }  # fmt: skip
    for one in found:
        assert [(line["date"], line["value"]) for line in one["data"]] == [
            (rfc3339(TODAY - 2 * DAY), "0"), (rfc3339(TODAY - DAY), "0"), (rfc3339(TODAY), one["total"]),
        ], one["key"]  # fmt: skip
        assert one["previous_total"] == "0"
    later = {"start_at": rfc3339(TODAY + DAY), "end_at": rfc3339(TODAY + DAY)}
    found = await ask(instance, mona, MEASURES, "AdminMeasure", **sent | later)
    assert {one["total"] for one in found} == {"0"}
    assert {one["key"]: int(one["previous_total"]) for one in found} == totals

    tag, host = {"id": str(tag_id)}, {"domain": peer.host}
    keys = ["languages", "sources", "servers", "space_usage", "software_versions", "tag_servers", "tag_languages",
            "instance_accounts", "instance_languages", "nonsense"]  # fmt: skip
    lines = {
        one["key"]: [(line["key"], line["value"]) for line in one["data"]]
        for one in await ask(instance, mona, DIMENSIONS, "AdminDimension", keys=keys, tag_servers=tag,
                             tag_languages=tag, instance_accounts=host, instance_languages=host)
    }  # fmt: skip
    assert set(lines) == set(keys) - {"nonsense"}
    assert lines["languages"] == [("en", "2")]
    assert lines["sources"] == [("fediverse", "2")]
    assert set(lines["servers"]) == {(instance.domain, "2"), (peer.host, "2")}
    assert lines["tag_servers"] == [(instance.domain, "2"), (peer.host, "1")]
    assert lines["instance_accounts"] == [("bob", "1")]
    assert [key for key, value in lines["space_usage"] if int(value) >= 0][1] == "media"
    assert int(lines["space_usage"][0][1]) > 100_000
    assert lines["software_versions"][0][0] == "fediverse"


async def test_who_stays_is_counted(instance: Instance) -> None:
    mona = await instance.account("mona", role="moderator", scopes=EVERYTHING)
    accounts = [await instance.account(f"user{n}") for n in range(4)]

    def history(tx: Connection) -> None:
        registered = TODAY - 2 * DAY
        for number, account in enumerate(accounts):
            who = tables.people.c.id == account.person_id
            tx.execute(update(tables.people).where(who).values(created_at=registered + number, last_active_at=None))
            for day in range(3 if number == 0 else 1):
                people.seen(tx, account.person_id, now=registered + day * DAY + 1000)
                people.seen(tx, account.person_id, now=registered + day * DAY + 2000)

    await instance.database.write(history)
    period = {"start_at": rfc3339(TODAY - 2 * DAY + 5), "end_at": rfc3339(TODAY + 5), "frequency": "day"}
    found = await ask(instance, mona, RETENTION, "AdminCohort", **period)
    assert [one["period"] for one in found] == [rfc3339(TODAY - n * DAY) for n in (2, 1, 0)]
    assert [(line["value"], line["rate"]) for line in found[0]["data"]] == [("4", 1.0), ("1", 0.25), ("1", 0.25)]
    assert [len(one["data"]) for one in found] == [3, 2, 1]
    assert found[1]["data"][0] == {"date": rfc3339(TODAY - DAY), "rate": 0.0, "value": "0"}
    months = await ask(instance, mona, RETENTION, "AdminCohort", **{**period, "frequency": "month"})
    assert sum(int(one["data"][0]["value"]) for one in months) >= 4
    assert {one["frequency"] for one in months} == {"month"}
    await instance.database.write(people.sweep, now=TODAY + 400 * DAY)
    left = await instance.database.read(lambda tx: tx.scalar(select(func.count()).select_from(tables.person_days)))
    assert left == 0


@pytest.mark.attack("OAU-04", "API-05")
async def test_figures_are_for_moderators_and_bounded(instance: Instance) -> None:
    mona = await instance.account("mona", role="moderator", scopes=EVERYTHING)
    user = await instance.account("ulf", scopes=EVERYTHING)
    narrow = await instance.account("narrow", role="owner", scopes="admin:read:accounts admin:write")
    for path in (MEASURES, DIMENSIONS, RETENTION):
        for who in (user, narrow):
            await instance.call("POST", path, by=who, json={"keys": ["new_users"]}, status=403)
        await instance.call("POST", path, json={}, status=401)
        for wrong in (
            {"start_at": "yesterday"},
            {"start_at": "2020-01-01", "end_at": "2023-01-01"},
            {"start_at": "2026-01-02", "end_at": "2026-01-01"},
            {"start_at": "0001-01-01", "end_at": "0001-01-02"},
            {"end_at": "9999-12-31T23:59:59-23:59"},
        ):
            assert_entity("Error", await instance.call("POST", path, by=mona, json=wrong, status=422))
    assert await instance.call("POST", MEASURES, by=mona, json={}) == []
    for wrong, status in (
        ({"keys": ["tag_uses"]}, 422),
        ({"keys": ["tag_uses"], "tag_uses": {"id": {}}}, 400),
        ({"keys": ["tag_uses"], "tag_uses": "x"}, 400),
        ({"keys": ["instance_statuses"]}, 422),
        ({"keys": ["instance_statuses"], "instance_statuses": {"domain": "no host!"}}, 400),
        ({"keys": {"x": 1}}, 400),
        ({"keys": ["x"] * 51}, 400),
    ):
        assert_entity("Error", await instance.call("POST", MEASURES, by=mona, json=wrong, status=status))
    await instance.call("POST", RETENTION, by=mona, json={"frequency": "year"}, status=422)
    form = {"keys[]": "tag_uses", "tag_uses[id]": "1", "start_at": "2026-01-01", "end_at": "2026-01-01"}
    assert (await instance.call("POST", MEASURES, by=mona, data=form))[0]["total"] == "0"
