"""What is found by words, over real HTTP: posts in full text, with operators, and accounts by name."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import Connection, text

from fediverse import search
from fediverse.actors import directory
from fediverse.errors import Invalid
from fediverse.text.words import phrases, words
from tests.peers import scripted
from tests.support import world
from tests.support.entities import assert_entity
from tests.support.instance import Account, Instance


class Finder:
    """Searches for posts, and knows them by the texts that they were posted with."""

    def __init__(self, instance: Instance) -> None:
        self.instance = instance
        self.texts: dict[str, str] = {}

    async def post(self, by: Account, name: str, text: str, **fields: Any) -> Any:
        status = await self.instance.post(by, text, **fields)
        self.texts[status["id"]] = name
        return status

    async def __call__(self, q: str, by: Account | None, **params: str) -> list[str]:
        asked = {"q": q, "type": "statuses", **params}
        found = await self.instance.call("GET", "/api/v2/search", by=by, params=asked)
        assert_entity("Search", found)
        return [self.texts[status["id"]] for status in found["statuses"]]


async def test_posts_are_found_by_whom_they_concern(instance: Instance) -> None:
    alice, bob = await instance.account("alice"), await instance.account("bob")
    open_ = await instance.account("open", indexable=True)
    find = Finder(instance)
    shy = await find.post(alice, "shy", "Rowing at dawn")
    await find.post(open_, "open", "ROWING at noon, in Zürich")
    await find.post(open_, "quiet", "rowing quietly", visibility="unlisted")
    await find.post(alice, "told", "@bob rowing?", visibility="direct")
    await find.post(open_, "secret", "rowing for followers", visibility="private")

    assert await find("rowing", alice) == ["told", "open", "shy"]
    assert await find("rowing", bob) == ["told", "open"]
    assert await find("rowing", open_) == ["secret", "quiet", "open"]
    assert await find("rowing", None) == []
    assert await find("rowing in:library", bob) == ["told"]
    assert await find("rowing in:public", bob) == ["open"]
    assert await find("zurich", bob) == ["open"]

    address = f"/api/v1/statuses/{shy['id']}"
    for does, undoes in (("favourite", "unfavourite"), ("bookmark", "unbookmark"), ("reblog", "unreblog")):
        await instance.call("POST", f"{address}/{does}", by=bob)
        assert await find("dawn", bob) == ["shy"]
        await instance.call("POST", f"{address}/{undoes}", by=bob)
        assert await find("dawn", bob) == []

    await instance.call("PUT", address, by=alice, json={"status": "Sailing at dusk"})
    assert await find("rowing dawn", alice) == []
    assert await find("sailing dusk", alice) == ["shy"]
    await instance.call("DELETE", address, by=alice)
    assert await find("sailing", alice) == []

    await instance.call("POST", f"/api/v1/accounts/{open_.id}/block", by=bob)
    assert await find("rowing", bob) == ["told"]
    await instance.call("PATCH", "/api/v1/accounts/update_credentials", by=open_, json={"indexable": False})
    assert await find("noon", alice) == []
    await instance.call("PATCH", "/api/v1/accounts/update_credentials", by=open_, json={"indexable": True})
    await instance.tick()
    assert await find("noon", alice) == ["open"]
    await instance.call("PATCH", "/api/v1/accounts/update_credentials", by=alice, json={"indexable": True})
    await instance.tick()
    assert await find("in:public from:alice", open_) == []  # none of hers is left that is public
    await instance.database.write(directory.mark_gone, open_.id, 1)
    for table, left in (("status_words", 1), ("actor_words", 2)):
        count = text(f"SELECT count(*) FROM {table}")
        assert await instance.database.read(Connection.scalar, count) == left


async def test_operators(instance: Instance) -> None:
    alice, bob = await instance.account("alice", indexable=True), await instance.account("bob", indexable=True)
    find = Finder(instance)
    first = await find.post(alice, "plain", "The quick brown fox", language="en")
    await find.post(alice, "link", "The fox is quick: https://example.com/fox #Foxes", language="de")
    await find.post(bob, "reply", "fox, indeed", in_reply_to_id=first["id"])
    await find.post(bob, "warned", "no fox", spoiler_text="Hunting")
    await find.post(bob, "kanji", "東京都に住んでいます")

    quoted = {"quoted_status_id": first["id"]}
    await find.post(alice, "quote", "so it is said", **quoted)

    every = ["warned", "reply", "link", "plain"]
    for q, expected in {
        "fox": every,
        '"quick brown"': ["plain"],
        '"brown quick"': [],
        "quick fox -brown": ["link"],
        'fox -"quick brown"': ["warned", "reply", "link"],
        "from:me fox": ["link", "plain"],
        "fox -from:me": ["warned", "reply"],
        "from:bob fox": ["warned", "reply"],
        f"from:@bob@{instance.domain} fox": ["warned", "reply"],
        "fox from:nobody": [],
        "has:link": ["link"],
        "has:quote": ["quote"],
        "is:reply": ["reply"],
        "fox is:sensitive": ["warned"],
        "hunting": ["warned"],
        "language:de": ["link"],
        "language:de-CH fox": ["link"],
        "#foxes": ["link"],
        "has:media": [],
        "has:poll": [],
        "fox before:2020-01-01": [],
        "fox after:2020-01-01": every,
        f"fox during:{first['created_at'][:10]} before:2100-01-01": every,
        f"fox after:{first['created_at'][:10]}": [],
        "FROM:bob FOX": ["warned", "reply"],
        "foo:bar": [],
        "東京": ["kanji"],
        "京都に": ["kanji"],
        "京": ["kanji"],
        "都京": [],
        "-fox": [],
        '"': [],
        "don't": [],
        "') OR *": [],
    }.items():
        assert await find(q, alice) == expected, q
    assert await find("fox", alice, limit="2") == every[:2]
    assert await find("fox", alice, limit="2", offset="2") == every[2:]
    assert await find("fox", alice, max_id=first["id"]) == []
    assert await find("fox", alice, min_id=first["id"], limit="1") == ["link"]
    assert await find("fox", alice, account_id=str(bob.id)) == ["warned", "reply"]
    for q in ("before:yesterday fox", "has:wings", "in:nowhere fox", "language:ø", "after:0001-01-01", "x " * 40):
        refusal = await instance.call(
            "GET", "/api/v2/search", by=alice, params={"q": q, "type": "statuses"}, status=422
        )
        assert_entity("Error", refusal)
        await instance.call("GET", "/api/v2/search", by=alice, params={"q": q})
    old = await instance.call("GET", "/api/v1/search", by=alice, params={"q": "fox"})
    assert old["hashtags"] == ["Foxes"]
    assert [status["id"] for status in old["statuses"]] == list(find.texts)[3::-1]


async def test_many_posts_of_somebody_muted_hide_no_others(instance: Instance) -> None:
    alice = await instance.account("alice", indexable=True)
    seen = await instance.post(alice, "the regatta begins")

    def shout(tx: Connection) -> int:
        loud = world.local(tx, "loud", indexable=True)
        for _ in range(130):
            world.post(tx, loud, "regatta")
        return int(loud.id)

    loud = await instance.database.write(shout)
    asked = {"q": "regatta", "type": "statuses"}
    found = await instance.call("GET", "/api/v2/search", by=alice, params=asked)
    assert {status["account"]["acct"] for status in found["statuses"]} == {"loud"}
    await instance.call("POST", f"/api/v1/accounts/{loud}/mute", by=alice)
    found = await instance.call("GET", "/api/v2/search", by=alice, params=asked)
    assert [status["id"] for status in found["statuses"]] == [seen["id"]]


async def test_posts_from_elsewhere(instance: Instance, peer: scripted.Server) -> None:
    alice, bob = await instance.account("alice"), await instance.account("bob")
    for who in (peer.actor("open", indexable=True), peer.actor("shy")):
        note = who.mention(alice.uri, "Gone <b>fish</b>ing<br>today &amp; here", id=f"{who.uri}/statuses/1")
        await peer.send(who, f"{instance.url}/inbox", who.activity("Create", note))
        await instance.tick()

    async def found(q: str, by: Account) -> list[str]:
        answer = await instance.call("GET", "/api/v2/search", by=by, params={"q": q, "type": "statuses"})
        return [status["account"]["username"] for status in answer["statuses"]]

    assert await found("fishing today here", bob) == ["open"]
    assert await found("fishing from:me", bob) == []
    assert await found("fishing", alice) == ["shy", "open"]
    assert await found(f"fishing from:shy@{peer.host}", alice) == ["shy"]


async def test_what_was_stored_before_is_indexed_by_a_job(instance: Instance) -> None:
    alice = await instance.account("alice", name="Zoë Quinn")
    await instance.post(alice, "an old story")

    def lose(tx: Connection) -> None:
        for name in ("status_words", "actor_words"):
            tx.execute(text(f"DELETE FROM {name}"))

    async def found() -> tuple[int, int]:
        posts = await instance.call("GET", "/api/v2/search", by=alice, params={"q": "story"})
        people = await instance.call("GET", "/api/v2/search", by=alice, params={"q": "zoe"})
        return len(posts["statuses"]), len(people["accounts"])

    await instance.database.write(lose)
    assert await found() == (0, 0)
    await instance.database.write(search.reindex)
    await instance.database.write(search.reindex_part, {"actors_after": 0})
    await instance.tick()
    assert await found() == (1, 1)
    await instance.database.write(search.refresh_all)
    assert await found() == (1, 1)


async def test_accounts_by_name(instance: Instance) -> None:
    alice = await instance.account("alice", name="Ålice Example")
    anna, anders = await instance.account("anna_b", name="Anna Berg"), await instance.account("anders", name="田中太郎")

    async def find(q: str, **params: str) -> list[str]:
        found = await instance.call("GET", "/api/v1/accounts/search", by=alice, params={"q": q, **params})
        return [one["acct"] for one in found]

    assert await find("an") == ["anna_b", "anders"]
    await instance.call("POST", f"/api/v1/accounts/{anders.id}/follow", by=alice)
    assert await find("an") == ["anders", "anna_b"]
    assert await find("an", following="true") == ["anders"]
    assert await find("berg ann") == ["anna_b"]
    assert await find("BER") == ["anna_b"]
    assert await find("anna_b") == ["anna_b"]
    assert await find("ålic") == ["alice"]
    assert await find("田中") == ["anders"]
    assert await find("太") == ["anders"]
    assert await find("an", limit="1", offset="1") == ["anna_b"]
    await instance.call("PATCH", "/api/v1/accounts/update_credentials", by=anna, json={"display_name": "Christine"})
    assert await find("berg") == []
    assert await find("christine") == ["anna_b"]


@given(st.text(max_size=200))
def test_words_hold_nothing_that_needs_quoting(typed: str) -> None:
    for word in [*words(typed, most=50), *(word for phrase in phrases(typed) for word in phrase)]:
        assert word
        assert not set(word) & set("'\"\\_ :*&|!()<>\x00")


@given(st.text(alphabet='ab東京 -:"#@éfromhas', max_size=80))
def test_any_search_is_understood_or_refused(typed: str) -> None:
    try:
        query = search.parse(typed)
    except Invalid:
        return
    assert all([*query.must, *query.must_not])


def test_words_of_a_text() -> None:
    assert words("Don't STOP, Zoë_1!", most=50) == ["don", "t", "stop", "zoe", "1"]
    assert words("one two three", most=2) == ["one", "two"]
    assert words("私はABC", most=50) == ["私は", "abc", "私", "は"]
    assert words("가나다", most=50) == ["가나다"]
    assert phrases("ABC私は猫") == [["abc"], ["私は", "は猫"]]
    assert phrases("it's") == [["it", "s"]]
    with pytest.raises(Invalid):
        search.parse("東a" * 100)
