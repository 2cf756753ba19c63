"""Posts that wait for their time: kept, moved, and posted exactly once."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import Connection, update

from fediverse import clock, media, moderation, scheduled
from fediverse.errors import Unavailable
from fediverse.tables.instance import jobs
from tests.support.entities import assert_entity
from tests.support.files import form, picture
from tests.support.instance import Account, Instance

PATH = "/api/v1/scheduled_statuses"


def at(minutes: float, *, days: int = 0) -> str:
    return (datetime.now(UTC) + timedelta(days=days, minutes=minutes)).isoformat()


async def upload(instance: Instance, by: Account, data: bytes) -> Any:
    return await instance.call("POST", "/api/v2/media", by=by, data=form(data))


async def schedule(instance: Instance, by: Account, text: str, when: str, **fields: Any) -> Any:
    return await instance.post(by, text, scheduled_at=when, **fields)


async def test_a_post_waits_and_is_posted_once(instance: Instance, monkeypatch: pytest.MonkeyPatch) -> None:
    alice, carol = await instance.account("alice"), await instance.account("carol")
    poll = {"options": ["a", "b"], "expires_in": 600}
    parent = await instance.post(carol, "parent")
    words = "later @dave"
    fields = {"in_reply_to_id": parent["id"], "spoiler_text": "cw", "language": "de", "poll": poll}
    key = {"Idempotency-Key": "once"}
    asked = {"status": words, "scheduled_at": at(10), "visibility": "unlisted", **fields}
    waiting = await instance.call("POST", "/api/v1/statuses", by=alice, json=asked, headers=key)
    assert_entity("ScheduledStatus", waiting)
    again = await instance.call("POST", "/api/v1/statuses", by=alice, json=asked, headers=key)
    assert again == waiting
    said = waiting["params"]
    assert (said["text"], said["visibility"], said["language"], said["sensitive"]) == (words, "unlisted", "de", True)
    assert said["poll"] == {**poll, "multiple": False, "hide_totals": False}
    assert len(await instance.home(alice)) == 0

    cancelled = await schedule(instance, alice, "never", at(20))
    listed = await instance.call("GET", PATH, by=alice)
    assert [one["id"] for one in listed] == [cancelled["id"], waiting["id"]]
    assert [one["id"] for one in await instance.call("GET", PATH, by=alice, params={"limit": 1})] == [cancelled["id"]]
    assert await instance.call("DELETE", f"{PATH}/{cancelled['id']}", by=alice) == {}
    await instance.call("DELETE", f"{PATH}/{cancelled['id']}", by=alice, status=404)

    path = f"{PATH}/{waiting['id']}"
    await instance.call("PUT", path, by=alice, json={"scheduled_at": at(4)}, status=422)
    moved = await instance.call("PUT", path, by=alice, json={"scheduled_at": at(30)})
    assert moved["scheduled_at"] > waiting["scheduled_at"]
    assert await instance.call("GET", path, by=alice) == moved

    await instance.account("dave")  # exists by now, not when it was written
    real = clock.now
    monkeypatch.setattr(clock, "now", lambda: real() + 11 * clock.MINUTE)
    await instance.tick()
    assert await instance.call("GET", path, by=alice) == moved  # the first time has passed, but does not count
    monkeypatch.setattr(clock, "now", lambda: real() + 31 * clock.MINUTE)
    await instance.tick()
    (posted,) = [status for status in await instance.home(alice) if status["account"]["id"] == str(alice.id)]
    assert (posted["spoiler_text"], posted["visibility"], posted["language"]) == ("cw", "unlisted", "de")
    assert posted["in_reply_to_id"] == parent["id"]
    assert posted["poll"]["expires_at"] > posted["created_at"]
    assert [mention["acct"] for mention in posted["mentions"]] == ["dave"]
    assert posted["application"]["name"] == "fediverse"
    await instance.call("GET", path, by=alice, status=404)
    assert await instance.call("GET", PATH, by=alice) == []
    # What was sent again after all is the post of then.
    late = {**asked, "scheduled_at": datetime.fromtimestamp(real() / 1000 + 9999, UTC).isoformat()}
    again = await instance.call("POST", "/api/v1/statuses", by=alice, json=late, headers=key)
    assert again["id"] == posted["id"]


async def test_a_worker_that_dies_posts_neither_twice_nor_never(
    instance: Instance, monkeypatch: pytest.MonkeyPatch
) -> None:
    alice = await instance.account("alice")
    waiting = await schedule(instance, alice, "once", at(6))
    real, post = clock.now, scheduled.post
    monkeypatch.setattr(clock, "now", lambda: real() + 7 * clock.MINUTE)

    def dies(tx: Connection, *arguments: Any, **named: Any) -> None:
        post(tx, *arguments, **named)
        raise Unavailable("killed before the commit")

    monkeypatch.setattr(scheduled, "post", dies)
    await instance.tick()
    assert await instance.home(alice) == []
    assert await instance.call("GET", f"{PATH}/{waiting['id']}", by=alice)
    monkeypatch.setattr(scheduled, "post", post)

    def due_again(tx: Connection) -> None:
        tx.execute(update(jobs).where(jobs.c.kind == "statuses.scheduled").values(due_at=0, leased_until=None))

    await instance.database.write(due_again)
    await instance.tick()
    assert len(await instance.home(alice)) == 1
    # Killed after the commit, before the job was settled: it runs again, and finds nothing to do.
    urls = instance.settings.urls
    await instance.database.write(post, urls, int(waiting["id"]), mentions=[], now=clock.now())
    assert len(await instance.home(alice)) == 1


async def test_files_wait_with_their_post(instance: Instance, monkeypatch: pytest.MonkeyPatch) -> None:
    alice = await instance.account("alice")
    first, second = [await upload(instance, alice, picture(size=(8, side))) for side in (8, 9)]
    waiting = await schedule(instance, alice, "", at(10, days=2), media_ids=[first["id"], second["id"]])
    assert_entity("ScheduledStatus", waiting)
    assert waiting["params"]["media_ids"] == [file["id"] for file in waiting["media_attachments"]]
    dropped = await upload(instance, alice, picture(size=(8, 10)))
    never = await schedule(instance, alice, "never", at(10), media_ids=[dropped["id"]])
    for taken in (first["id"], dropped["id"]):
        await instance.post(alice, "mine", media_ids=[taken], status=422)
        await schedule(instance, alice, "mine, too", at(10), media_ids=[taken], status=422)
    await instance.call("DELETE", f"{PATH}/{never['id']}", by=alice)
    real = clock.now
    monkeypatch.setattr(clock, "now", lambda: real() + 2 * clock.DAY + 11 * clock.MINUTE)
    # What nothing waits for is swept, and what is waited for is not.
    assert await instance.database.write(media.attachments.sweep, now=clock.now()) == 1
    await instance.tick()
    (posted,) = await instance.home(alice)
    assert [file["id"] for file in posted["media_attachments"]] == waiting["params"]["media_ids"]
    assert await instance.database.write(media.attachments.sweep, now=clock.now() + 2 * clock.DAY) == 0


@pytest.mark.attack("API-03")
async def test_what_cannot_be_scheduled(instance: Instance) -> None:
    alice = await instance.account("alice")
    for text, fields, code in (
        ("x" * 141, {}, 422),
        ("", {}, 422),
        ("x", {"scheduled_at": at(4)}, 422),
        ("x", {"scheduled_at": "tomorrow"}, 422),
        ("x", {"scheduled_at": "2" * 200}, 422),
        ("x", {"scheduled_at": "9999-12-31T23:59:59-12:00"}, 422),
        ("x", {"scheduled_at": "0001-01-01T00:00:00+12:00"}, 422),
        ("x", {"scheduled_at": ["x"]}, 400),
        ("x", {"visibility": "direct"}, 422),
        ("x", {"in_reply_to_id": "1"}, 404),
        ("x", {"poll": {"options": ["a"], "expires_in": 300}}, 422),
    ):
        await instance.post(alice, text, **{"scheduled_at": at(10), **fields}, status=code)
    assert await instance.call("GET", PATH, by=alice) == []
    assert (await instance.post(alice, "the past is now", scheduled_at="2020-01-01T00:00:00Z"))["content"]
    assert (await schedule(instance, alice, "far", "9999-12-31T23:59:59Z"))["scheduled_at"].startswith("9999-12-31")
    local = await schedule(instance, alice, "no zone is UTC", "2090-01-01T12:00")
    assert local["scheduled_at"] == "2090-01-01T12:00:00.000Z"
    noon = (datetime.now(UTC) + timedelta(days=3)).replace(hour=12).isoformat()
    for number in range(scheduled.MOST_A_DAY):
        await schedule(instance, alice, str(number), noon)
    refusal = await instance.post(alice, "one too many", scheduled_at=noon, status=422)
    assert_entity("Error", refusal)
    other_day = await schedule(instance, alice, "another day", at(10, days=5))
    await instance.call("PUT", f"{PATH}/{other_day['id']}", by=alice, json={"scheduled_at": noon}, status=422)


@pytest.mark.attack("API-01")
async def test_waiting_posts_are_their_authors_only(instance: Instance, monkeypatch: pytest.MonkeyPatch) -> None:
    alice, carol = await instance.account("alice"), await instance.account("carol")
    waiting = await schedule(instance, alice, "mine", at(10))
    for method, fields in (("GET", {}), ("PUT", {"scheduled_at": at(60)}), ("DELETE", {})):
        await instance.call(method, f"{PATH}/{waiting['id']}", by=carol, json=fields, status=404)
        await instance.call(method, f"{PATH}/{'9' * 30}", by=carol, json=fields, status=404)
    assert await instance.call("GET", PATH, by=carol) == []
    # Whoever is suspended by then posts nothing; it waits on.
    await instance.database.write(moderation.set_suspended, alice.id, True, now=clock.now())
    real = clock.now
    monkeypatch.setattr(clock, "now", lambda: real() + 11 * clock.MINUTE)
    await instance.tick()
    await instance.database.write(moderation.set_suspended, alice.id, False, now=clock.now())
    assert await instance.home(alice) == []
    assert len(await instance.call("GET", PATH, by=alice)) == 1
