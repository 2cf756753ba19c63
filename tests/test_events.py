"""Events: told after the commit and never before it, and the same in every process."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import orjson
import pytest
from sqlalchemy import Connection

from fediverse import events, keys
from fediverse.db import open_database
from fediverse.events import AccessChanged, Announcement, Changed, ConversationChanged, Deleted, Edited, Notified
from tests.support.instance import Instance


@pytest.mark.parametrize(
    "event",
    [
        events.Woken("jobs"),
        events.Surfaced(1, 2, 3, 2**62),
        events.Entered(1, (2, 3)),
        Edited(1),
        Deleted(1, listed=True, public=True, local=True, has_media=True, tags=("a", "ß")),
        Notified(((1, 2), (3, 4))),
        ConversationChanged((1, 2), 3),
        Changed(1, "filters_changed"),
        Announcement("announcement", '{"id": "1"}'),
        AccessChanged(token_id=1),
    ],
)
def test_an_event_is_the_same_in_another_process(event: events.Event) -> None:
    assert events.from_json(orjson.loads(orjson.dumps(events.to_json(event)))) == event


@pytest.mark.parametrize(
    "value", [None, 1, [], {}, {"kind": "Unknown"}, {"kind": "Edited"}, {"kind": "Edited", "x": 1}]
)
def test_what_another_version_sends_is_passed_over(value: object) -> None:
    assert events.from_json(value) is None


async def test_a_rollback_drops_events_and_a_failing_listener_stops_nobody(new_database: Callable[[], str]) -> None:
    told: list[Any] = []
    forwarded: list[Any] = []
    hub = events.Hub()

    def fail(_event: Edited) -> None:
        raise RuntimeError("a listener that fails")

    hub.listen(Edited, fail)
    hub.listen(Edited, told.append)
    hub.forward = forwarded.extend
    database = open_database(new_database().replace("postgresql://", "postgresql+psycopg://"), hub.dispatch)

    def rolled_back(tx: Connection) -> None:
        events.after_commit(tx, Edited(1))
        raise LookupError

    with pytest.raises(LookupError):
        await database.write(rolled_back)
    await database.write(lambda tx: events.after_commit(tx, Edited(2)))
    await database.close()
    assert told == [Edited(2)] == forwarded


async def test_what_happens_to_posts_is_told(instance: Instance) -> None:
    told: list[Any] = []
    for kind in (events.Surfaced, Edited, Deleted, Notified, AccessChanged):
        instance.app[keys.HUB].listen(kind, told.append)
    mira, noor = await instance.account("mira"), await instance.account("noor")
    post = await instance.post(mira, "Hello @noor #Köln")
    status_id = int(post["id"])
    surfaced, notified = told
    assert (surfaced.status_id, surfaced.author_id, surfaced.after) == (status_id, mira.id, 0)
    assert [actor for actor, _ in notified.told] == [noor.id]
    told.clear()
    await instance.call("PUT", f"/api/v1/statuses/{status_id}", by=mira, json={"status": "Bye @noor #Köln"})
    boost = await instance.call("POST", f"/api/v1/statuses/{status_id}/reblog", by=noor)
    await instance.call("POST", f"/api/v1/statuses/{status_id}/unreblog", by=noor)
    await instance.call("DELETE", f"/api/v1/statuses/{status_id}", by=mira)
    kinds = [type(event).__name__ for event in told]
    assert kinds == ["Edited", "Surfaced", "Notified", "Deleted", "Deleted"]
    assert told[3] == Deleted(int(boost["id"]))
    assert told[4] == Deleted(status_id, listed=True, public=True, local=True, tags=("köln",))
