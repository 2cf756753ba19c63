"""Polls: asked, voted in, counted and closed, here and across servers, over real HTTP."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from fediverse import clock
from fediverse.documents import read_note
from tests.peers.scripted import PUBLIC, Actor, Server, rfc3339, stamp
from tests.support.browser import Browser
from tests.support.entities import assert_entity
from tests.support.instance import PASSWORD, Account, Instance
from tests.test_web_public import assert_inert

Later = Callable[[float], None]


@pytest.fixture
def later(monkeypatch: pytest.MonkeyPatch) -> Later:
    """Makes the instance's clock go ahead by so many seconds in all."""
    real = clock.now

    def move(seconds: float) -> None:
        monkeypatch.setattr(clock, "now", lambda: real() + int(seconds * 1000))

    return move


async def ask(instance: Instance, by: Account, *options: str, **fields: Any) -> Any:
    poll = {"options": list(options), "expires_in": 300, **fields}
    return await instance.post(by, "Which one?", poll=poll)


async def vote(instance: Instance, by: Account, poll_id: str, *choices: Any, status: int | None = None) -> Any:
    return await instance.call(
        "POST", f"/api/v1/polls/{poll_id}/votes", by=by, json={"choices": list(choices)}, status=status
    )


def counts(poll: Any) -> list[int | None]:
    return [option["votes_count"] for option in poll["options"]]


async def test_a_poll_from_its_question_to_its_end(instance: Instance, later: Later) -> None:
    alice, bob, carol = [await instance.account(name) for name in ("alice", "bob", "carol")]
    form = {
        "status": "Which one?",
        "poll[options][]": ["Tea", "Coffee"],
        "poll[expires_in]": "300",
        "poll[hide_totals]": "true",
    }
    asked = await instance.call("POST", "/api/v1/statuses", by=alice, data=form)
    poll = asked["poll"]
    assert_entity("Poll", poll)
    assert [option["title"] for option in poll["options"]] == ["Tea", "Coffee"]
    assert (poll["voted"], poll["own_votes"], poll["expired"], poll["multiple"]) == (True, [], False, False)
    path = f"/api/v1/polls/{poll['id']}"
    seen = await instance.call("GET", path)
    assert_entity("Poll", seen)
    assert "voted" not in seen
    for by, choices in ((alice, [0]), (bob, []), (bob, [0, 1]), (bob, [2]), (bob, ["-1"]), (bob, ["x" * 99])):
        await vote(instance, by, poll["id"], *choices, status=422)
    voted = await vote(instance, bob, poll["id"], "1")
    assert_entity("Poll", voted)
    assert (voted["voted"], voted["own_votes"], voted["votes_count"], voted["voters_count"]) == (True, [1], 1, 1)
    assert counts(voted) == [None, None]  # hidden until the end
    await vote(instance, bob, poll["id"], 0, status=422)
    assert (await instance.home(alice))[0]["poll"]["votes_count"] == 1
    boost = await instance.call("POST", f"/api/v1/statuses/{asked['id']}/reblog", by=bob)
    assert boost["reblog"]["poll"]["own_votes"] == [1]
    assert (await instance.call("GET", path, by=carol))["voted"] is False
    later(301)
    await vote(instance, carol, poll["id"], 0, status=422)
    await instance.tick()
    ended = await instance.call("GET", path, by=carol)
    assert (ended["expired"], counts(ended)) == (True, [0, 1])
    for who in (alice, bob):
        told = [one for one in await instance.notifications(who) if one["type"] == "poll"]
        assert len(told) == 1
        assert_entity("Notification", told[0])
        assert (told[0]["account"]["acct"], told[0]["status"]["poll"]["expired"]) == ("alice", True)
    assert await instance.notifications(carol) == []
    found = await instance.call("GET", "/api/v2/search", by=alice, params={"q": "Coffee"})
    assert [status["id"] for status in found["statuses"]] == [asked["id"]]
    gone = await instance.call("DELETE", f"/api/v1/statuses/{asked['id']}", by=alice)  # what it takes to write it anew
    assert (gone["text"], gone["poll"]["options"][1]["title"]) == ("Which one?", "Coffee")
    await instance.call("GET", path, by=alice, status=404)


@pytest.mark.attack("API-03")
async def test_what_may_not_be_asked(instance: Instance) -> None:
    alice = await instance.account("alice")
    fair = {"options": ["a", "b"], "expires_in": 300}
    for wrong in (
        {"options": ["a"]},
        {"options": list("abcde")},
        {"options": ["a", "a"]},
        {"options": ["a", " a\u200b"]},
        {"options": ["a", " "]},
        {"options": ["a", "x" * 51]},
        {"options": ["a", "👨‍👩‍👧‍👦" * 51]},
        {"options": ["a", "b"], "expires_in": 299},
        {"options": ["a", "b"], "expires_in": 3_000_000},
        {"options": ["a", "b"], "expires_in": "9" * 18},
        {"options": []},
        {"expires_in": 300, "options": None},
    ):
        refusal = await instance.call(
            "POST", "/api/v1/statuses", by=alice, json={"status": "x", "poll": {**fair, **wrong}}, status=422
        )
        assert_entity("Error", refusal)
    for malformed in ("x", [1], {"options": [{"a": 1}], "expires_in": 300}, {**fair, "expires_in": "soon"}):
        await instance.call("POST", "/api/v1/statuses", by=alice, json={"status": "x", "poll": malformed}, status=400)
    for length, status in ((140, 200), (141, 422)):  # options do not count, the text does all the same
        await instance.post(alice, "x" * length, poll={**fair, "options": ["y" * 50, "z" * 50]}, status=status)
    assert (await instance.post(alice, "", poll=fair))["content"] == ""
    limits = (await instance.call("GET", "/api/v2/instance"))["configuration"]["polls"]
    assert limits["max_options"] == 4
    assert (limits["max_characters_per_option"], limits["min_expiration"]) == (50, 300)
    for path in ("/api/v1/polls/1", "/api/v1/polls/x", f"/api/v1/polls/{'9' * 30}"):
        await instance.call("GET", path, by=alice, status=404)
    plain = await instance.post(alice, "no poll")
    await instance.call("GET", f"/api/v1/polls/{plain['id']}", by=alice, status=404)
    await vote(instance, alice, plain["id"], 0, status=404)


async def test_an_edit_that_asks_something_else_voids_votes(instance: Instance) -> None:
    alice, bob = await instance.account("alice"), await instance.account("bob")
    asked = await ask(instance, alice, "Tea", "Coffee", multiple=True)
    path, poll_id = f"/api/v1/statuses/{asked['id']}", asked["poll"]["id"]
    both = await vote(instance, bob, poll_id, 0, 1)
    assert (both["votes_count"], both["voters_count"], both["own_votes"]) == (2, 1, [0, 1])
    poll = {"options": ["Tea", "Coffee"], "expires_in": 600, "multiple": True}
    same = await instance.call("PUT", path, by=alice, json={"status": "Which ones?", "poll": poll})
    assert (same["poll"]["votes_count"], same["poll"]["id"]) == (2, poll_id)
    poll["options"] = ["Tea", "Cocoa"]
    other = await instance.call("PUT", path, by=alice, json={"status": "Which ones?", "poll": poll})
    assert (other["poll"]["votes_count"], other["poll"]["voters_count"]) == (0, 0)
    again = await vote(instance, bob, poll_id, 1)
    assert again["own_votes"] == [1]
    versions = await instance.call("GET", f"{path}/history")
    assert [option["title"] for option in versions[0]["poll"]["options"]] == ["Tea", "Coffee"]
    assert [option["title"] for option in versions[-1]["poll"]["options"]] == ["Tea", "Cocoa"]
    without = await instance.call("PUT", path, by=alice, json={"status": "No matter."})
    assert without["poll"] is None


@pytest.mark.attack("API-01")
async def test_nobody_votes_in_what_they_may_not_see(instance: Instance) -> None:
    alice, bob = await instance.account("alice"), await instance.account("bob")
    poll = {"options": ["a", "b"], "expires_in": 300}
    hidden = await instance.post(alice, "friends only", visibility="private", poll=poll)
    await instance.call("GET", f"/api/v1/polls/{hidden['poll']['id']}", by=bob, status=404)
    await vote(instance, bob, hidden["poll"]["id"], 0, status=404)
    mine = await instance.call("GET", f"/api/v1/polls/{hidden['poll']['id']}", by=alice)
    assert mine["votes_count"] == 0


async def follower(instance: Instance, peer: Server, name: str = "bob", *, of: Account) -> Actor:
    actor = peer.actor(name)
    assert await peer.send(actor, f"{of.uri}/inbox", actor.activity("Follow", of.uri)) == 202
    await instance.tick()
    peer.received.clear()
    return actor


def ballot(voter: Actor, question: str, title: str, **changes: Any) -> dict[str, Any]:
    voter.counter += 1
    note = {
        "id": f"{voter.uri}#votes/{voter.counter}",
        "type": "Note",
        "name": title,
        "attributedTo": voter.uri,
        "inReplyTo": question,
        "to": [question.partition("/statuses")[0]],
        **changes,
    }
    return note


async def test_a_local_poll_is_voted_in_from_elsewhere(instance: Instance, peer: Server, later: Later) -> None:
    alice = await instance.account("alice")
    bob = await follower(instance, peer, of=alice)
    asked = await ask(instance, alice, "Tea", "Coffee")
    several = await ask(instance, alice, "Red", "Green", "Blue", multiple=True)
    await instance.tick()
    question = peer.received[0].body["object"]
    assert (question["type"], question["id"], question["votersCount"]) == ("Question", asked["uri"], 0)
    assert [(o["name"], o["replies"]["totalItems"]) for o in question["oneOf"]] == [("Tea", 0), ("Coffee", 0)]
    assert question["endTime"] == asked["poll"]["expires_at"]
    assert "anyOf" in peer.received[1].body["object"]
    assert "votersCount" in peer.received[0].body["@context"][2]
    peer.received.clear()

    inbox = f"{alice.uri}/inbox"
    for title in ("Tea", "Tea", "Coffee", "Cocoa"):  # one counts: of one option, once
        await peer.send(bob, inbox, bob.activity("Create", ballot(bob, asked["uri"], title)))
    array = [ballot(bob, several["uri"], title) for title in ("Red", "Blue", "Blue", "Black")]
    await peer.send(bob, inbox, bob.activity("Create", array))  # as GoToSocial does
    eve = peer.actor("eve")
    await peer.send(eve, inbox, eve.activity("Create", [ballot(bob, asked["uri"], "Coffee")]))  # in another's name
    await instance.tick()
    home = {status["id"]: status["poll"] for status in await instance.home(alice)}
    assert len(home) == 2  # votes are no posts
    assert (counts(home[asked["id"]]), home[asked["id"]]["voters_count"]) == ([1, 0], 1)
    assert (counts(home[several["id"]]), home[several["id"]]["voters_count"]) == ([1, 0, 1], 1)
    assert await instance.notifications(alice, **{"types[]": "mention"}) == []

    assert peer.received == []  # not told at every vote
    later(181)
    await instance.tick()
    told = [one.body for one in peer.received]
    assert [body["type"] for body in told] == ["Update", "Update"]
    updated = next(body["object"] for body in told if body["object"]["id"] == asked["uri"])
    assert [option["replies"]["totalItems"] for option in updated["oneOf"]] == [1, 0]
    assert "updated" not in updated
    peer.received.clear()

    later(301)
    await instance.tick()
    closed = [one.body["object"] for one in peer.received]
    assert len(closed) == 2
    assert all(question["closed"] == question["endTime"] for question in closed)
    late = peer.actor("late")
    await peer.send(late, inbox, late.activity("Create", ballot(late, asked["uri"], "Coffee")), age=-301)
    await instance.tick()
    ended = await instance.call("GET", f"/api/v1/polls/{asked['poll']['id']}")
    assert (counts(ended), ended["expired"]) == ([1, 0], True)


def question(actor: Actor, *counts: tuple[str, int], **changes: Any) -> dict[str, Any]:
    options = [
        {"type": "Note", "name": name, "replies": {"type": "Collection", "totalItems": votes}} for name, votes in counts
    ]
    kind = changes.pop("kind", "oneOf")
    return actor.note("Which?", **{"type": "Question", kind: options, "endTime": stamp(600), **changes})


async def test_a_poll_of_another_server(instance: Instance, peer: Server, later: Later) -> None:
    alice = await instance.account("alice")
    bob = peer.actor("bob")
    await instance.follow(alice, bob.handle)
    await instance.tick()
    await peer.send(bob, f"{alice.uri}/inbox", bob.activity("Accept", peer.received[-1].body))
    await instance.tick()
    peer.received.clear()
    asked = question(bob, ("Tea", 3), ("<b>Coffee</b>", 4), votersCount=7)
    peer.serve({**asked, "@context": PUBLIC})
    await peer.send(bob, f"{alice.uri}/inbox", bob.activity("Create", asked))
    await instance.tick()
    status = (await instance.home(alice))[0]
    poll = status["poll"]
    assert_entity("Poll", poll)
    assert (counts(poll), poll["voters_count"], poll["voted"]) == ([3, 4], 7, False)
    assert poll["options"][1]["title"] == "<b>Coffee</b>"  # a text, which clients escape
    assert "Tea" not in status["content"]

    await vote(instance, alice, poll["id"], 1)
    await instance.tick()
    (sent,) = [one.body for one in peer.received]
    assert (sent["type"], sent["to"], sent["object"]["name"]) == ("Create", [bob.uri], "<b>Coffee</b>")
    assert sent["object"]["inReplyTo"] == asked["id"]
    assert "content" not in sent["object"]
    await vote(instance, alice, poll["id"], 0, status=422)

    update = question(bob, ("Tea", 5), ("<b>Coffee</b>", 6), votersCount=11, id=asked["id"])
    for wrong in ({"oneOf": asked["oneOf"][:1]}, {"anyOf": asked["oneOf"], "oneOf": None}):
        await peer.send(bob, f"{alice.uri}/inbox", bob.activity("Update", {**update, **wrong}))
    await instance.tick()
    assert counts(await instance.call("GET", f"/api/v1/polls/{poll['id']}")) == [3, 5]
    await peer.send(bob, f"{alice.uri}/inbox", bob.activity("Update", update))
    await instance.tick()
    status = (await instance.home(alice))[0]
    assert (counts(status["poll"]), status["poll"]["own_votes"], status["edited_at"]) == ([5, 6], [1], None)

    # Who looks later has it fetched, once however often it is looked at.
    peer.serve({**question(bob, ("Tea", 8), ("<b>Coffee</b>", 9), id=asked["id"]), "@context": PUBLIC})
    later(61)
    before = peer.gets[f"/users/bob/statuses/{asked['id'].rpartition('/')[2]}"]
    for _ in range(3):
        await instance.call("GET", f"/api/v1/polls/{poll['id']}", by=alice)
    await instance.tick()
    assert counts(await instance.call("GET", f"/api/v1/polls/{poll['id']}", by=alice)) == [8, 9]
    assert peer.gets[f"/users/bob/statuses/{asked['id'].rpartition('/')[2]}"] == before + 1

    # Closed early, at its end it says so, and the voter is told.
    end = clock.now() / 1000
    peer.serve(
        {**question(bob, ("Tea", 9), ("<b>Coffee</b>", 9), id=asked["id"], closed=rfc3339(end)), "@context": PUBLIC}
    )
    later(125)
    await instance.call("GET", f"/api/v1/polls/{poll['id']}", by=alice)
    await instance.tick()
    ended = await instance.call("GET", f"/api/v1/polls/{poll['id']}", by=alice)
    assert (ended["expired"], counts(ended)) == (True, [9, 9])
    assert [one["type"] for one in await instance.notifications(alice)] == ["poll"]


async def test_an_edit_elsewhere_may_change_the_poll(instance: Instance, peer: Server) -> None:
    alice = await instance.account("alice")
    bob = peer.actor("bob")
    asked = question(bob, ("Tea", 3), ("Coffee", 4), kind="anyOf", to=[PUBLIC, alice.uri])
    await peer.send(bob, f"{alice.uri}/inbox", bob.activity("Create", asked))
    await instance.tick()
    (status,) = await instance.call("GET", "/api/v1/timelines/public", by=alice)
    assert status["poll"]["multiple"] is True
    await vote(instance, alice, status["poll"]["id"], 0, 1)
    changed = {**asked, "anyOf": [*asked["anyOf"], {"type": "Note", "name": "Cocoa"}], "updated": stamp(2)}
    await peer.send(bob, f"{alice.uri}/inbox", bob.activity("Update", changed))
    await instance.tick()
    poll = await instance.call("GET", f"/api/v1/polls/{status['poll']['id']}", by=alice)
    assert (counts(poll), poll["voted"]) == ([3, 4, 0], False)


@pytest.mark.attack("XSS-01")
async def test_options_are_shown_as_text(instance: Instance, peer: Server) -> None:
    alice = await instance.account("alice")
    bob = peer.actor("bob")
    evil = "<script>alert(1)</script><img src=x onerror=alert(1)>"
    asked = question(bob, (evil, 1), ("\u202egnp.exe\x00", 2), ("", 3), ("", 4), to=[PUBLIC, alice.uri])
    await peer.send(bob, f"{alice.uri}/inbox", bob.activity("Create", asked))
    await instance.tick()
    (status,) = await instance.call("GET", "/api/v1/timelines/public", by=alice)
    assert [option["title"] for option in status["poll"]["options"]] == [evil, "gnp.exe"]
    async with Browser(instance.url) as browser:
        await browser.sign_in("alice", PASSWORD)
        page = await browser.get(f"/@bob@{peer.host}/{status['id']}")
        assert_inert(page)
        ballot = page.form(f"/posts/{status['id']}/vote")
        page = await browser.send(ballot, choice="1")
        assert "gnp.exe (your vote)" in page.words
        assert evil.replace("<", "&lt;").replace(">", "&gt;") in page.text
        composer = (await browser.get("/compose")).form("/compose")
        wrong = await browser.send(composer, text="Which?", option_1="Same", option_3="Same", poll_multiple="1")
        assert wrong.status == 422
        kept = wrong.form("/compose").fields
        assert (kept["option_1"], kept["option_2"], kept["poll_multiple"]) == ("Same", "Same", "1")
        asked = await browser.send(wrong.form("/compose"), option_2="Other", poll_seconds="3600")
        assert "0 people voted · open until" in asked.words
    poll = await instance.call("GET", f"/api/v1/polls/{status['poll']['id']}", by=alice)
    assert poll["own_votes"] == [1]
    mine = (await instance.home(alice))[0]["poll"]
    assert ([option["title"] for option in mine["options"]], mine["multiple"]) == (["Same", "Other"], True)


def test_questions_are_read_leniently() -> None:
    now = 1_800_000_000_000
    base = {"type": "Question", "id": "https://a.example/1", "attributedTo": "https://a.example/u"}

    def read(**changes: Any) -> Any:
        return read_note({**base, **changes}, received_at=now).poll

    assert read() is None
    assert read(oneOf=[]) is None
    assert read(oneOf="x", anyOf=[{"name": ""}]) is None
    one = read(oneOf={"name": "only", "replies": {"totalItems": -5}}, votersCount=True)
    assert (one["options"], one["voters"]) == ([{"title": "only", "votes": 0}], None)
    many = read(anyOf=[{"name": f"{n}", "replies": {"totalItems": 10**30}} for n in range(99)], closed=True)
    assert (len(many["options"]), many["closed"], many["multiple"]) == (32, True, True)
    assert many["options"][0]["votes"] == 2**31 - 1
    twice = read(oneOf=[{"name": "a"}, {"name": "a"}, 7, None, {"name": ["b"]}], endTime="nonsense")
    assert (len(twice["options"]), twice["expires_at"]) == (1, None)
    assert read(oneOf=[{"name": "a"}], closed="2020-01-01T00:00:00Z")["expires_at"] == 1_577_836_800_000
