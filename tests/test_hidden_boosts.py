"""What is hidden by itself stays hidden inside of a boost, and from whoever was blocked since."""

from __future__ import annotations

import pytest

from fediverse import clock, moderation, timelines
from fediverse.paging import Page
from tests.support.instance import Account, Instance


@pytest.fixture
async def people(instance: Instance) -> tuple[Account, Account, Account]:
    alice, bob, carol = [await instance.account(name) for name in ("alice", "bob", "carol")]
    return alice, bob, carol


@pytest.mark.parametrize("why", ["suspended", "blocked"])
async def test_a_boost_does_not_open_what_its_own_address_does_not(
    instance: Instance, people: tuple[Account, Account, Account], why: str
) -> None:
    alice, bob, carol = people
    post = await instance.post(alice, "a secret by now")
    boost = await instance.call("POST", f"/api/v1/statuses/{post['id']}/reblog", by=bob)
    await instance.call("GET", f"/api/v1/statuses/{boost['id']}", by=carol, status=200)
    if why == "suspended":
        await instance.database.write(moderation.set_suspended, alice.id, True, now=clock.now())
        await instance.call("GET", f"/api/v1/statuses/{boost['id']}", status=404)
    else:
        await instance.call("POST", f"/api/v1/accounts/{carol.id}/block", by=alice)
    for status_id in (post["id"], boost["id"]):
        await instance.call("GET", f"/api/v1/statuses/{status_id}", by=carol, status=404)
        await instance.call("POST", f"/api/v1/statuses/{status_id}/favourite", by=carol, status=404)


async def test_nothing_of_a_blocker_is_left_with_the_one_who_is_blocked(
    instance: Instance, people: tuple[Account, Account, Account]
) -> None:
    alice, bob, carol = people
    await instance.follow(carol, "@bob")
    post = await instance.post(alice, "a secret by now, @carol")
    await instance.call("POST", f"/api/v1/statuses/{post['id']}/reblog", by=bob)
    lists = ("timelines/home", "notifications", f"accounts/{bob.id}/statuses")

    async def showing() -> list[str]:
        return [name for name in lists if "secret" in str(await instance.call("GET", f"/api/v1/{name}", by=carol))]

    async def mentions() -> int:
        return len(await instance.database.read(timelines.mentioning, carol.id, Page(20), now=clock.now()))

    assert (await showing(), await mentions()) == (list(lists), 1)
    await instance.call("POST", f"/api/v1/accounts/{carol.id}/block", by=alice)
    assert (await showing(), await mentions()) == ([], 0)
