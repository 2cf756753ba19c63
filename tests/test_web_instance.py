"""The instance's own properties, the names that freeze, and the people behind actors."""

from __future__ import annotations

import pytest
from sqlalchemy import Connection

from fediverse import clock, timelines
from fediverse import instance as instance_info
from fediverse.actors import people
from fediverse.db import Database
from fediverse.errors import Conflict, Invalid
from fediverse.paging import Page
from fediverse.settings import SettingsError
from fediverse.urls import Urls
from fediverse.web import profiles
from tests.support.instance import Instance

URLS = Urls("https://social.example", "example.com")


async def test_names_freeze_once_and_for_all(database: Database) -> None:
    await database.read(instance_info.check_names, Urls("https://other.example", "other.example"))  # still free
    assert await database.write(instance_info.freeze_names, URLS)
    assert not await database.write(instance_info.freeze_names, Urls("https://late.example", "late.example"))
    await database.read(instance_info.check_names, URLS)
    for changed, setting in (
        (Urls("https://social.example:8443", "example.com"), "FEDIVERSE_BASE_URL"),
        (Urls("https://social.example", "social.example"), "FEDIVERSE_DOMAIN"),
    ):
        with pytest.raises(SettingsError, match=f"{setting} is .* cannot change"):
            await database.read(instance_info.check_names, changed)


@pytest.mark.parametrize(
    "change",
    [
        {"name": " "},
        {"name": "\u3164"},
        {"name": "x" * 61},
        {"description": "x" * 501},
        {"contact_email": "nobody"},
        {"colour": "red"},
        {"colour": "#12345g"},
        {"rules": ("x",) * 21},
        {"rules": ("x" * 301,)},
    ],
)
async def test_what_cannot_be_shown_is_refused(database: Database, change: dict[str, object]) -> None:
    with pytest.raises(Invalid):
        await database.write(lambda tx: instance_info.update(tx, **change))  # type: ignore[arg-type]
    assert await database.read(instance_info.get) == instance_info.InstanceInfo()


async def test_properties_are_kept_as_they_were_said(database: Database) -> None:
    said = await database.write(
        lambda tx: instance_info.update(
            tx, name=" Acme  Social ", colour="#ABCDEF", rules=("One.", " "), contact_actor_id=2**62, logo="key"
        )
    )
    assert said == await database.read(instance_info.get)
    assert (said.name, said.colour, said.rules) == ("Acme Social", "#abcdef", ("One.",))
    assert (said.contact_actor_id, said.logo, said.description) == (2**62, "key", "")
    assert (await database.write(lambda tx: instance_info.update(tx, logo=None))).logo is None


async def test_people_are_found_by_what_they_type(instance: Instance) -> None:
    alice = await instance.account("Alice")

    def find(tx: Connection) -> list[int | None]:
        typed = ("alice", "@ALICE", " alice@EXAMPLE.com", "nobody", "alice@elsewhere.example", "", "@")
        return [person.id if (person := people.by_login(tx, login)) else None for login in typed]

    assert await instance.database.read(find) == [alice.person_id] * 3 + [None] * 4
    with pytest.raises(Conflict):
        await instance.database.write(lambda tx: people.create_person(tx, email="ALICE@example.com", now=clock.now()))


async def test_strangers_see_of_a_profile_what_the_timeline_selects(instance: Instance) -> None:
    """The statements that are built once select what ``timelines.account`` selects."""
    alice, bob = await instance.account("alice"), await instance.account("bob")
    seen = await instance.post(bob, "public")
    root = await instance.post(alice, "root")
    for number, visibility in enumerate(("public", "unlisted", "private", "direct")):
        await instance.post(alice, f"@bob {visibility}", visibility=visibility)
        await instance.post(
            alice,
            f"reply {number}",
            visibility=visibility if number < 3 else "public",
            in_reply_to_id=(seen if number % 2 else root)["id"],
        )
    deleted = await instance.post(alice, "deleted")
    await instance.call("DELETE", f"/api/v1/statuses/{deleted['id']}", by=alice)
    for posted in (seen, root):
        await instance.call("POST", f"/api/v1/statuses/{posted['id']}/reblog", by=alice)
    await instance.call("POST", f"/api/v1/statuses/{root['id']}/pin", by=alice)

    def compare(tx: Connection) -> int:
        compared = 0
        for page in (Page(20), Page(3), Page(20, max_id=int(root["id"]) + 1)):
            for replies in (True, False):
                mine = profiles.posts(tx, alice.id, page, viewer_id=None, replies=replies)
                theirs = timelines.account(tx, alice.id, page, viewer_id=None, exclude_replies=not replies)
                assert [row.id for row in mine] == [row.id for row in theirs]
                compared += len(mine)
        pinned = profiles.pinned(tx, alice.id, viewer_id=None)
        assert [row.id for row in pinned] == [int(root["id"])]
        return compared

    assert await instance.database.read(compare) > 12
