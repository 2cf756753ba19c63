"""Filters: what the viewer does not want to see, in both shapes of the API and in every timeline."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import Connection

from fediverse import clock, filters, loading, statuses
from fediverse.clock import MINUTE
from fediverse.filters.words import Phrase, Text, text_of_html
from tests.support.instance import Account, Instance

ALL = ["home", "notifications", "public", "thread", "account"]


@pytest.mark.parametrize(
    ("keyword", "whole_word", "text", "found"),
    [
        ("cat", True, "A Cat sat", "Cat"),
        ("cat", True, "concatenate", None),
        ("cat", False, "concatenate", "cat"),
        ("cat", True, "concatenate, then cat", "cat"),
        ("#cat", True, "x#cats", None),
        ("#cat", True, "x#cat!", "#cat"),  # what is no letter needs no edge of a word
        ("c++", True, "ac++ c++11", "c++"),
        ("élan", True, "E\u0301lan vital", "Élan"),
        ("क", True, "कि", None),  # a vowel sign belongs to its letter
        ("STRASSE", True, "Die Straße da", "Straße"),
        ("猫", False, "黒猫です", "猫"),
        ("(a+)+$", False, "aaaaaaaaaaaaaaaa", None),
        ("two words", True, "in two words.", "two words"),
    ],
)
def test_words_are_found(keyword: str, whole_word: bool, text: str, found: str | None) -> None:
    assert Phrase.of(keyword, whole_word=whole_word).find(Text.of(text)) == found


@given(st.text(max_size=5), st.text(min_size=1, max_size=3), st.text(max_size=5))
def test_what_is_within_is_found_as_it_is_written(before: str, keyword: str, after: str) -> None:
    text = Text.of(before + keyword + after)
    found = Phrase.of(keyword, whole_word=False).find(text)
    if Text.of(keyword).folded in text.folded:
        assert found is not None
        assert Text.of(keyword).folded in Text.of(found).folded or found.casefold() in text.folded


def test_words_of_html_are_parted_where_lines_are() -> None:
    assert text_of_html("<p>one<br>two</p><p><strong>thr</strong>ee &amp; 4</p>").split() == [
        "one", "two", "three", "&", "4",
    ]  # fmt: skip
    assert "label" in text_of_html('<a href="https://x.example/?a>b">label</a>')


async def make(instance: Instance, by: Account, *keywords: str, **fields: Any) -> Any:
    asked = {"title": "t", "context": ALL, "keywords_attributes": [{"keyword": word} for word in keywords], **fields}
    return await instance.call("POST", "/api/v2/filters", by=by, json=asked)


async def texts(instance: Instance, by: Account, path: str, **params: str) -> list[str]:
    found = await instance.call("GET", f"/api/v1/{path}", by=by, params=params)
    return [(status.get("reblog") or status)["content"].removeprefix("<p>").removesuffix("</p>") for status in found]


async def test_a_filter_is_made_changed_and_deleted(instance: Instance) -> None:
    alice = await instance.account("alice")

    async def call(method: str, path: str, status: int | None = None, **sent: Any) -> Any:
        return await instance.call(method, f"/api/v2/filters{path}", by=alice, status=status, json=sent)

    made = await make(instance, alice, "cat", "dog", filter_action="hide", expires_in=3600, context=["home", "public"])
    assert made["title"] == "t"
    assert made["context"] == ["home", "public"]
    assert made["filter_action"] == "hide"
    assert made["expires_at"]
    assert [word["keyword"] for word in made["keywords"]] == ["cat", "dog"]
    assert all(word["whole_word"] for word in made["keywords"])
    assert await call("GET", "") == [made]
    cat, dog = made["keywords"]
    attributes = [{"id": cat["id"], "whole_word": False}, {"id": dog["id"], "_destroy": True}, {"keyword": "cow"}]
    changed = await call("PUT", f"/{made['id']}", title="u", keywords_attributes=attributes, expires_in="")
    assert changed["title"] == "u"
    assert changed["expires_at"] is None
    assert changed["context"] == ["home", "public"], "what is not named stays"
    assert [(word["keyword"], word["whole_word"]) for word in changed["keywords"]] == [("cat", False), ("cow", True)]
    assert await call("GET", f"/{made['id']}") == changed

    added = await call("POST", f"/{made['id']}/keywords", keyword="hen", whole_word=False)
    assert await call("GET", f"/keywords/{added['id']}") == added
    assert (await call("PUT", f"/keywords/{added['id']}", keyword="Hen"))["keyword"] == "Hen"
    assert len(await call("GET", f"/{made['id']}/keywords")) == 3
    await call("DELETE", f"/keywords/{added['id']}")
    await call("GET", f"/keywords/{added['id']}", 404)

    status = await instance.post(alice, "Named")
    entry = await call("POST", f"/{made['id']}/statuses", status_id=status["id"])
    assert entry["status_id"] == status["id"]
    await call("POST", f"/{made['id']}/statuses", 422, status_id=status["id"])
    assert await call("GET", f"/{made['id']}/statuses") == [entry]
    assert await call("GET", f"/statuses/{entry['id']}") == entry
    assert await call("DELETE", f"/statuses/{entry['id']}") == entry
    await call("GET", f"/statuses/{entry['id']}", 404)

    for wrong in (
        {"title": ""},
        {"title": "x" * 257},
        {"context": []},
        {"context": ["nowhere"]},
        {"filter_action": "burn"},
        {"keywords_attributes": [{"keyword": " "}]},
        {"keywords_attributes": [{"keyword": "x" * 513}]},
    ):
        await call("POST", "", 422, **{"title": "t", "context": ["home"], **wrong})
    for wrong in ({"keywords_attributes": "x"}, {"expires_in": "soon"}, {"title": "a\0b"}, {"context": [{"a": "b"}]}):
        await call("POST", "", 400, **{"title": "t", "context": ["home"], **wrong})
    await call("PUT", f"/{made['id']}", 404, keywords_attributes=[{"id": "1", "keyword": "x"}])
    for path in ("/x", "/99999999999999999999", "/-1", "/keywords/x", "/statuses/1"):
        await call("GET", path, 404)
    await call("DELETE", f"/{made['id']}")
    assert await call("GET", "") == []


async def test_the_older_shape_shows_the_same_filters(instance: Instance) -> None:
    alice = await instance.account("alice")

    async def call(method: str, path: str, status: int | None = None, **sent: Any) -> Any:
        return await instance.call(method, f"/api/v1/filters{path}", by=alice, status=status, json=sent)

    made = await call("POST", "", phrase="cat", context=["home"], irreversible=True, expires_in=60)
    assert (made["phrase"], made["irreversible"], made["whole_word"]) == ("cat", True, False)
    assert made["expires_at"]
    newer = (await instance.call("GET", "/api/v2/filters", by=alice))[0]
    assert (newer["title"], newer["filter_action"]) == ("cat", "hide")
    assert newer["keywords"][0]["id"] == made["id"]
    changed = await call("PUT", f"/{made['id']}", phrase="dog", context=["public"], whole_word=True)
    assert (changed["phrase"], changed["context"], changed["whole_word"]) == ("dog", ["public"], True)
    assert changed["expires_at"] == made["expires_at"]
    assert await call("GET", "") == [changed]
    two = await make(instance, alice, "one", "two", context=["home"])
    first = two["keywords"][0]["id"]
    await call("PUT", f"/{first}", 422, phrase="one", context=["public"])
    assert (await call("PUT", f"/{first}", phrase="eins", context=["home"]))["phrase"] == "eins"
    await call("DELETE", f"/{first}")
    assert [view["phrase"] for view in await call("GET", "")] == ["dog", "two"]
    await call("DELETE", f"/{made['id']}")
    await call("GET", f"/{made['id']}", 404)
    assert len(await instance.call("GET", "/api/v2/filters", by=alice)) == 1
    await call("POST", "", 422, phrase="", context=["home"])
    await call("POST", "", 422, phrase="x")


async def test_statuses_say_which_filters_fit_and_what_is_hidden_is_left_out(instance: Instance) -> None:
    alice, bob = await instance.account("alice"), await instance.account("bob")
    await instance.follow(alice, "bob")
    for number in range(1, 7):
        await instance.post(bob, f"spoiled {number} #t" if number % 2 else f"good {number} #t")
    await instance.post(alice, "my own spoiled #t")
    warned = await instance.post(bob, "a Warning #t", spoiler_text="careful")
    told = await instance.post(bob, "@alice spoiled mention")
    await make(instance, alice, "warning", context=["thread"])
    hidden = await make(instance, alice, "spoiled", filter_action="hide")
    other = await instance.call("GET", "/api/v1/timelines/home", by=bob)
    assert all(status["filtered"] == [] for status in other), "filters are the viewer's own"

    seen = await instance.call("GET", f"/api/v1/statuses/{warned['id']}", by=alice)
    (match,) = seen["filtered"]
    assert match["keyword_matches"] == ["Warning"]
    assert match["status_matches"] is None
    assert match["filter"]["context"] == ["thread"]
    assert "keywords" not in match["filter"]
    seen = await instance.call("GET", f"/api/v1/statuses/{told['id']}", by=alice)
    assert seen["filtered"][0]["filter"]["id"] == hidden["id"], "by itself it shows, and says so"
    found = await instance.call("GET", f"/api/v1/accounts/{bob.id}/statuses", by=alice)
    assert len(found) == 8, "a profile is for the client to filter"

    want = ["a Warning", "my own spoiled", "good 6", "good 4", "good 2"]
    for path in ("timelines/home", "timelines/public", "timelines/tag/t"):
        shown = await texts(instance, alice, path)
        assert [text.partition(" <a")[0] for text in shown] == want, path
    assert [text.partition(" <a")[0] for text in await texts(instance, alice, "timelines/home", limit="4")] == want[:4]
    assert await instance.notifications(alice) == []

    boost = await instance.call("POST", f"/api/v1/statuses/{warned['id']}/reblog", by=alice)
    assert boost["filtered"] == boost["reblog"]["filtered"] != []
    await instance.call("POST", f"/api/v2/filters/{hidden['id']}/statuses", by=alice, json={"status_id": warned["id"]})
    seen = await instance.call("GET", f"/api/v1/statuses/{warned['id']}", by=alice)
    assert seen["filtered"][1]["status_matches"] == [warned["id"]]
    assert "a Warning" not in " ".join(await texts(instance, alice, "timelines/public"))
    await instance.call("PUT", f"/api/v1/statuses/{told['id']}", by=bob, json={"status": "@alice nice mention"})
    assert "nice mention" in str(await instance.notifications(alice)), "an edit is looked at anew"
    await instance.call("DELETE", f"/api/v2/filters/{hidden['id']}", by=alice)
    assert len(await texts(instance, alice, "timelines/tag/t")) == 8


async def test_pages_lead_on_through_what_is_hidden(instance: Instance) -> None:
    alice, bob = await instance.account("alice"), await instance.account("bob")
    await make(instance, alice, "no", filter_action="hide")
    for number in range(12):
        await instance.post(bob, f"yes {number}" if number in {0, 1, 7, 11} else f"no {number}")

    async def walk(start: dict[str, str], relation: str) -> list[str]:
        shown: list[str] = []
        address = f"{instance.url}/api/v1/timelines/public"
        asked: dict[str, str] | None = {"limit": "2", **start}
        for _ in range(12):
            async with instance.http.get(address, params=asked, headers=alice.headers) as response:
                page = [status["content"] for status in await response.json()]
                shown += page if relation == "next" else page[::-1]
                if relation not in response.links:
                    return shown
                address, asked = str(response.links[relation]["url"]), None
        raise AssertionError("the pages have no end")

    back = [f"<p>yes {number}</p>" for number in (11, 7, 1, 0)]
    assert await walk({}, "next") == back
    assert await walk({"min_id": "1"}, "prev") == back[::-1]


async def test_a_filter_ends_when_it_says_so(instance: Instance) -> None:
    alice, bob = await instance.account("alice"), await instance.account("bob")
    await make(instance, alice, "cat", expires_in=60)
    status = await instance.post(bob, "cat")

    def fitting(tx: Connection, now: int) -> int:
        row = statuses.by_id(tx, int(status["id"]))
        assert row is not None
        (view,) = loading.statuses(tx, [row], alice.id, now=now)
        assert len(filters.of(tx, alice.id).matches(row, now=now)) == len(view.filtered)
        return len(view.filtered)

    assert await instance.database.read(fitting, clock.now()) == 1
    assert await instance.database.read(fitting, clock.now() + 2 * MINUTE) == 0
