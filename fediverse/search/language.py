"""What somebody typed into a search field, understood: words, phrases, exclusions and operators."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from typing import Final, Literal

import regex

from fediverse.clock import DAY, Instant
from fediverse.errors import Invalid
from fediverse.text.words import phrases

Scope = Literal["all", "library", "public"]

#: What ``has:`` and ``is:`` take, and the mark that a post with that property has in the index.
PROPERTIES: Final = {
    "media": "_m",
    "image": "_mi",
    "video": "_mv",
    "audio": "_ma",
    "poll": "_q",
    "link": "_c",
    "embed": "_e",
    "quote": "_u",
    "reply": "_r",
    "sensitive": "_s",
}
_TERMS: Final = 32
_PHRASES: Final = 64
_TERM = regex.compile(
    r"""([+-]?)                                      # must or must not
        (?:(from|has|is|language|before|after|during|in):(?=["\S]))?
        (?:"([^"]*)"?|(\S+))""",
    regex.VERBOSE | regex.IGNORECASE,
)
_LANGUAGE = regex.compile(r"[a-z0-9-]{2,35}")


@dataclass(slots=True)
class Query:
    """A search for posts. ``must`` and ``must_not`` are rows of words, marks of the index among them."""

    must: list[list[str]] = field(default_factory=list)
    must_not: list[list[str]] = field(default_factory=list)
    #: Handles of authors, ``me`` among them, that are wanted or not.
    authors: list[str] = field(default_factory=list)
    not_authors: list[str] = field(default_factory=list)
    #: From the beginning of the first instant to just before the second.
    since: Instant | None = None
    until: Instant | None = None
    scope: Scope = "all"

    @property
    def is_empty(self) -> bool:
        """Whether nothing is asked for but, at most, what not to find."""
        return not (self.must or self.authors or self.since is not None or self.until is not None)


def parse(typed: str) -> Query:
    """The search that was typed. Raises Invalid for a date, a property or a scope that is none."""
    query = Query()
    for number, match in enumerate(_TERM.finditer(typed)):
        if number == _TERMS:
            raise Invalid(f"Search for at most {_TERMS} words at once.")
        excluded = match[1] == "-"
        operator = (match[2] or "").lower()
        value = match[3] if match[3] is not None else match[4]
        if operator:
            _apply(query, operator, value.strip(), excluded=excluded)
        else:
            (query.must_not if excluded else query.must).extend(phrases(value))
    if len(query.must) + len(query.must_not) > _PHRASES:
        raise Invalid("Search for fewer words at once.")
    return query


def language_mark(language: str) -> str:
    """The mark of posts in a language, whatever its region."""
    return "_l" + language.lower().partition("-")[0]


def _apply(query: Query, operator: str, value: str, *, excluded: bool) -> None:
    marks = query.must_not if excluded else query.must
    match operator:
        case "from":
            (query.not_authors if excluded else query.authors).append(value)
        case "has" | "is":
            mark = PROPERTIES.get(value.lower())
            if mark is None:
                known = ", ".join(PROPERTIES)
                raise Invalid(f"“{operator}:{value[:40]}” is not known here. There are {known}.")
            marks.append([mark])
        case "language":
            if not _LANGUAGE.fullmatch(value.lower()):
                raise Invalid(f"“{value[:40]}” is not the code of a language, such as en or de.")
            marks.append([language_mark(value)])
        case "in":
            if value.lower() not in {"all", "library", "public"}:
                raise Invalid("“in:” takes all, library or public.")
            query.scope = value.lower()  # type: ignore[assignment]  # it is one of the three
        case _:
            _bound(query, operator, _day(operator, value))


def _bound(query: Query, operator: str, day: Instant) -> None:
    if operator in {"after", "during"}:
        since = day if operator == "during" else day + DAY
        query.since = max(query.since or since, since)
    if operator in {"before", "during"}:
        until = day if operator == "before" else day + DAY
        query.until = min(query.until if query.until is not None else until, until)


def _day(operator: str, value: str) -> Instant:
    """Midnight (UTC) of a day."""
    try:
        day = date.fromisoformat(value)
        if not date.min + timedelta(1) < day < date.max - timedelta(1):
            raise ValueError
    except ValueError:
        raise Invalid(f"“{operator}:” takes a day written like 2026-01-31.") from None
    return int(datetime(day.year, day.month, day.day, tzinfo=UTC).timestamp()) * 1000
