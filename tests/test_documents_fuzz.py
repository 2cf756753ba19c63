"""Whatever JSON comes in, reading it gives a draft within its limits or BadRequest, and nothing else."""

from __future__ import annotations

import copy
import json
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from fediverse.documents import (
    dumps,
    host_of,
    ids,
    normalise_uri,
    note_document,
    origin,
    read_activity,
    read_actor,
    read_collection,
    read_note,
    same_origin,
)
from fediverse.documents.attachments import MAX_ATTACHMENTS
from fediverse.documents.tags import MAX_TAGS
from fediverse.drafts import Visibility
from fediverse.errors import BadRequest
from fediverse.text import fold_tag, render, sanitize
from fediverse.urls import Urls

NOW = 1_780_315_200_000
URLS = Urls("https://social.example", "social.example")
DOCUMENTS = [
    json.loads(path.read_bytes())["document"] for path in sorted((Path(__file__).parent / "data/golden").glob("*.json"))
]
WORDS = sorted({name for document in DOCUMENTS for name in document} | {"id", "href", "name", "icon", "mediaType"})

strings = st.one_of(
    st.text(st.characters(codec=None, exclude_categories=())),  # lone surrogates and NUL too
    st.sampled_from(
        [
            "https://a.example/users/x",
            "https://a.example/users/x/followers",
            "https://[::1",
            "http://a.example:0/",
            "HTTPS://A.example:443#x",
            "https://\u0130.example/",
            "https://xn--.example/",
            "https://a.example/" + "x" * 3000,
            "as:Public",
            "@x@a.example",
            "#x",
            "2026-05-01T00:00:00Z",
            "9999-12-31T23:59:59-12:00",
            "Note",
            "Person",
            "Create",
            "Collection",
            "Mention",
            "Link",
            "image/png",
        ]
    ),
)
scalars = st.none() | st.booleans() | st.integers() | st.floats() | strings
anything = st.recursive(
    scalars,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.sampled_from(WORDS) | strings, inner, max_size=6),
    max_leaves=25,
)
quick = settings(max_examples=300, deadline=None, suppress_health_check=[HealthCheck.too_slow])


def read_all(document: object) -> None:
    for read in (read_activity, read_actor, read_collection, lambda value: read_note(value, received_at=NOW)):
        try:
            draft = read(document)
        except BadRequest:
            continue
        _check(draft)


def _check(draft: Any) -> None:
    """What goes into a column is valid UTF-8 without NUL, and within its limits."""
    for name in draft.__slots__:
        value = getattr(draft, name)
        if name in ("object", "objects", "items"):  # kept as they came
            continue
        for text in _strings(value):
            text.encode("utf-8")
            assert "\0" not in text
            assert len(text) <= 400_000
    if hasattr(draft, "attachments"):
        assert len(draft.attachments) <= MAX_ATTACHMENTS
        assert max(len(draft.tags), len(draft.mentions), len(draft.emojis)) <= MAX_TAGS
        assert draft.published_at <= NOW
        assert same_origin(draft.uri, draft.author_uri)


def _strings(value: Any) -> list[str]:
    if isinstance(value, str):
        return [value]
    if isinstance(value, dict):
        return [text for entry in value.values() for text in _strings(entry)]
    if isinstance(value, tuple):
        return [text for entry in value for text in _strings(entry)]
    if hasattr(value, "__slots__"):
        return [text for name in value.__slots__ for text in _strings(getattr(value, name))]
    return []


@quick
@given(anything)
def test_any_json(document: object) -> None:
    read_all(document)


@quick
@given(st.sampled_from(DOCUMENTS), st.lists(st.tuples(st.sampled_from(WORDS), anything), max_size=4), st.data())
def test_real_documents_with_anything_in_them(
    document: dict[str, Any], changes: list[tuple[str, Any]], data: st.DataObject
) -> None:
    changed = copy.deepcopy(document)
    for name, value in changes:
        changed[data.draw(st.sampled_from(sorted(changed)))] = value
        changed[name] = value
    read_all(changed)


@quick
@given(strings, strings)
def test_addresses(one: str, other: str) -> None:
    assert normalise_uri(normalise_uri(one)) == normalise_uri(one)
    assert same_origin(one, other) == (origin(one) is not None and origin(one) == origin(other))
    assert all(ids(uri) == (uri,) for uri in ids([one, other]))
    assert (host_of(one) == "") == (origin(one) is None)


names = st.from_regex(r"[a-z][a-z0-9_]{0,20}", fullmatch=True)
tags = st.text(st.characters(categories=["Lu", "Ll", "Lo", "Nd"]), min_size=1, max_size=30)


polls = st.builds(
    lambda options, ends, **rest: {
        "options": [{"title": title, "votes": votes} for title, votes in options.items()],
        "expires_at": NOW + ends,
        "closed": ends <= 0,
        "fetched_at": NOW,
        **rest,
    },
    st.dictionaries(names, st.integers(0, 2**31 - 1), min_size=2, max_size=4),
    st.integers(-1000, 1000),
    multiple=st.booleans(),
    hide_totals=st.just(False),
    voters=st.none() | st.integers(0, 2**31 - 1),
)


@quick
@given(
    st.text(st.characters(codec="utf-8", exclude_categories=["Cc", "Cs"]), max_size=140),
    st.sampled_from(Visibility),
    st.lists(names, unique=True, max_size=5),
    st.lists(tags, unique_by=fold_tag, max_size=5),
    st.none() | polls,
)
def test_our_notes_come_back_as_they_were(
    text: str, visibility: Visibility, mentioned: list[str], tagged: list[str], poll: Any
) -> None:
    people = [
        {"id": 1, "username": name, "host": "there.example", "uri": f"https://there.example/users/{name}", "url": ""}
        for name in mentioned
    ]
    content = render(text, mentions={}, tag_url=URLS.tag)
    row: Any = SimpleNamespace(
        id=7,
        created_at=NOW,
        edited_at=None,
        visibility=int(visibility),
        content=content,
        spoiler_text="",
        sensitive=False,
        language="en",
        mentions=people,
        tags=[{"name": name} for name in tagged],
        emojis=[],
        attachments=[],
        poll=poll,
        quote_policy={"automatic": ["followers"], "manual": ["public"]},
        quote_uri=None,
        quote_authorization=None,
    )
    author: Any = SimpleNamespace(id=1, username="alice", sensitized_at=None)
    written = json.loads(dumps(note_document(URLS, row, author, parent_uri=None)))
    draft = read_note(written, received_at=NOW)
    assert draft.content == sanitize(content)
    assert draft.visibility is visibility
    assert draft.quote_policy == (row.quote_policy if visibility.is_public else None)
    assert (draft.poll, draft.kind) == (poll, "Note" if poll is None else "Question")
    assert list(draft.audience) == [person["uri"] for person in people]
    assert [(m.uri, m.username, m.host) for m in draft.mentions] == [
        (person["uri"], person["username"], "there.example") for person in people
    ]
    assert list(draft.tags) == tagged
    assert draft.language == "en"
