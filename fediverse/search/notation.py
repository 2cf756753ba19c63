"""Words to find and words to be found, as the two databases write them.

Words hold letters, digits, marks and ``_`` alone (``text.words``), so nothing in them needs quoting.
"""

from __future__ import annotations

from collections.abc import Sequence

Phrase = Sequence[str]


def expression(
    dialect: str, must: Sequence[Sequence[Phrase]], must_not: Sequence[Phrase], *, prefix: bool = False
) -> str:
    """A search for one of the phrases of each of ``must`` and none of ``must_not``.

    ``prefix``: the last word need only begin so.
    """
    sqlite = dialect == "sqlite"
    write = _quoted if sqlite else _followed
    any_, all_ = (" OR ", " AND ") if sqlite else (" | ", " & ")
    groups = [[write(phrase) for phrase in either] for either in must]
    if prefix and groups:
        groups[-1] = [f"{one} *" if sqlite else f"{one[:-1]}:*)" for one in groups[-1]]
    wanted = all_.join(f"({any_.join(either)})" for either in groups)
    unwanted = [write(phrase) for phrase in must_not]
    if not sqlite:
        return all_.join([wanted, *(f"!{one}" for one in unwanted)])
    return f"({wanted}) NOT ({any_.join(unwanted)})" if unwanted else wanted


def as_vector(found: Sequence[str]) -> str:
    """PostgreSQL's notation of a text: each word once, with the places where it stands."""
    places: dict[str, list[str]] = {}
    for place, word in enumerate(found, 1):
        places.setdefault(word, []).append(str(place))
    return " ".join(f"'{word}':{','.join(at[:255])}" for word, at in places.items())


def _quoted(phrase: Phrase) -> str:
    return f'"{" ".join(phrase)}"'


def _followed(phrase: Phrase) -> str:
    return "(" + " <-> ".join(f"'{word}'" for word in phrase) + ")"
