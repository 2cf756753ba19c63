from __future__ import annotations

import json
import unicodedata
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fediverse import errors
from fediverse.text import CODE_POINT_LIMIT, LIMIT, URL_LENGTH, check_length, count, is_blank, normalise

TABLE = json.loads((Path(__file__).parent / "data" / "counting.json").read_text(encoding="utf-8"))
FAMILY = "\U0001f468\u200d\U0001f469\u200d\U0001f467\u200d\U0001f466"


def test_the_table_is_large_enough_to_hold_another_counter_to_it():
    assert len(TABLE) >= 40
    assert len({(case["text"], case["spoiler_text"]) for case in TABLE}) == len(TABLE)


@pytest.mark.parametrize("case", TABLE, ids=lambda case: ascii(case["text"])[:40])
def test_counts_as_the_table_says(case):
    assert count(case["text"], spoiler_text=case["spoiler_text"]) == case["count"]


@pytest.mark.parametrize(
    "text",
    [
        "x" * LIMIT,
        FAMILY * LIMIT,
        "e\u0301" * LIMIT,
        "한" * LIMIT,
        "x" * (LIMIT - URL_LENGTH) + "\nhttps://example.com/" + "y" * 500,
        "@" + "bob" + "@example.org" + " " + "x" * (LIMIT - 5),
    ],
)
def test_140_are_allowed_and_one_more_is_refused_with_both_numbers(text):
    excess = count(text) - LIMIT
    text = text.replace("\n", " ")[excess:] if excess > 0 else text
    assert count(text) == LIMIT
    if len(unicodedata.normalize("NFC", text)) <= CODE_POINT_LIMIT:
        check_length(text)
    with pytest.raises(errors.Invalid) as refused:
        check_length(text + "!")
    assert f"is {LIMIT + 1} characters long; at most {LIMIT} " in refused.value.message
    assert refused.value.status == 422


def test_the_content_warning_counts():
    check_length("x" * 100, "y" * 40)
    with pytest.raises(errors.Invalid, match="content warning included, is 141 characters long; at most 140"):
        check_length("x" * 100, "y" * 41)


def test_stacked_marks_meet_the_code_point_cap():
    text = ("a" + "\u0331" * 20) * 100
    assert count(text) == 100
    with pytest.raises(errors.Invalid, match=f"2100 code points; at most {CODE_POINT_LIMIT}"):
        check_length(text)
    with pytest.raises(errors.Invalid, match="code points"):
        check_length("a", text)
    check_length("a" * 100 + "\u0331" * (CODE_POINT_LIMIT - 100))


@pytest.mark.parametrize("text", ["", " \n ", "\u200b\u2060", "\u3164", "\u2800", "\u00ad", "\u202e\u202c", "\u0301"])
def test_nothing_to_read_is_refused_unless_something_comes_with_it(text):
    assert is_blank(text)
    with pytest.raises(errors.Invalid, match="nothing to read"):
        check_length(text)
    check_length(text, has_attachment=True)


@pytest.mark.parametrize("text", ["x", ".", "👍", "\ue000", "ﾠx", "1"])
def test_what_can_be_seen_is_not_blank(text):
    assert not is_blank(text)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("a\r\nb\rc\nd", "a\nb\nc\nd"),
        ("a\tb", "a b"),
        ("a\x00b\x07\x1b[31m\x7f\x9f", "ab[31m"),
        ("e\u0301", "\u00e9"),
        ("a \n ", "a"),
        ("  a", "  a"),
        ("a \n \n \u00a0\nb", "a\n\nb"),
        ("\n\na", "a"),
        ("a\n\n\n\n\nb", "a\n\nb"),
        ("a\u2028b\u2029c\x85d", "a\nb\nc\nd"),
        ("", ""),
    ],
)
def test_normalises(text, expected):
    assert normalise(text) == expected


@pytest.mark.parametrize("text", ["\ud800", "a\udfffb", "\ude00\ud83d"])
def test_lone_surrogates_are_refused(text):
    with pytest.raises(errors.Invalid, match="surrogate"):
        normalise(text)


@given(st.text(st.characters(exclude_categories=["Cs"])))
def test_normalising_twice_changes_nothing(text):
    once = normalise(text)
    assert normalise(once) == once
    assert unicodedata.is_normalized("NFC", once)
    assert not any(unicodedata.category(c) == "Cc" and c != "\n" for c in once)


@given(st.text())
def test_a_count_is_never_more_than_the_code_points_and_links(text):
    assert 0 <= count(text) <= len(unicodedata.normalize("NFC", text)) + URL_LENGTH * text.count("://")


@given(st.text(st.characters(exclude_categories=["Cs"])), st.text(st.characters(exclude_categories=["Cs"])))
def test_the_count_is_that_of_the_canonical_form(text, spoiler):
    decomposed = unicodedata.normalize("NFD", text)
    assert count(decomposed) == count(text)
    assert count(text, spoiler_text=spoiler) - count(text) == count("", spoiler_text=spoiler)
