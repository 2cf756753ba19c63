"""An actor's filters made ready once per version, and held against statuses; what came of it is kept, too."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Final

from sqlalchemy import BigInteger, Connection, Row, bindparam, select

from fediverse import clock
from fediverse.clock import Instant
from fediverse.db import is_writing
from fediverse.entities.filters import FilterMatch, FilterView, filter_head, filter_result
from fediverse.entities.statuses import StatusView
from fediverse.filters import store
from fediverse.filters.words import Phrase, Text, text_of_html
from fediverse.site import Recent
from fediverse.tables.filters import filter_versions

# By (actor id, version of its filters).
_known_filters = Recent(8192)
# By (status id, version).
_known_texts = Recent(8192)
# By the two of them together.
_known_matches = Recent(16384)

_VERSION: Final = select(filter_versions.c.version).where(
    filter_versions.c.actor_id == bindparam("me", type_=BigInteger)
)


@dataclass(frozen=True, slots=True)
class _Rule:
    """One filter, ready to be held against statuses."""

    head: dict[str, Any]
    contexts: frozenset[str]
    hides: bool
    expires_at: Instant | None
    phrases: tuple[Phrase, ...]
    status_ids: frozenset[int]

    def match(self, text: Text, status_ids: Sequence[int]) -> FilterMatch | None:
        """What the filter says of a status with this text, which is known by these ids."""
        found = next((found for phrase in self.phrases if (found := phrase.find(text)) is not None), None)
        named = [status_id for status_id in status_ids if status_id in self.status_ids]
        if found is None and not named:
            return None
        result = filter_result(self.head, found=found, status_ids=named)
        return FilterMatch(self.contexts, self.hides, self.expires_at, result)


@dataclass(frozen=True, slots=True)
class Filters:
    """All filters of an actor, in one version."""

    actor_id: int
    version: int
    rules: tuple[_Rule, ...]

    def matches(self, status: Row[Any], *, now: Instant, boost_id: int = 0) -> tuple[FilterMatch, ...]:
        """Which of them fit a whole row of ``statuses``; ``boost_id`` is the boost that holds it."""
        if not self.rules:
            return ()
        key = (self.actor_id, self.version, status.id, status.version, boost_id)
        found: tuple[FilterMatch, ...] | None = _known_matches.get(key)
        if found is None:
            status_ids = (status.id, boost_id) if boost_id else (status.id,)
            text = _text(status)
            found = tuple(match for rule in self.rules if (match := rule.match(text, status_ids)) is not None)
            _known_matches.put(key, found)
        if not found:
            return ()
        return tuple(match for match in found if match.expires_at is None or match.expires_at > now)


def of(tx: Connection, actor_id: int, version: int | None = None) -> Filters:
    """The filters of an actor, whose ``version`` may be known already (0: it never had any)."""
    if version is None:
        version = tx.scalar(_VERSION, {"me": actor_id}) or 0
    if not version:
        return Filters(actor_id, 0, ())
    found: Filters | None = _known_filters.get((actor_id, version))
    if found is None:
        found = Filters(actor_id, version, tuple(_rule(view) for view in store.all_of(tx, actor_id)))
        if not is_writing(tx):  # what may yet be rolled back is kept for nobody
            _known_filters.put((actor_id, version), found)
    return found


def mark(
    tx: Connection,
    views: Iterable[StatusView],
    viewer_id: int,
    *,
    version: int | None = None,
    now: Instant | None = None,
) -> None:
    """The views say which of the viewer's filters fit them; of a boost, the post in it does."""
    mine = of(tx, viewer_id, version)
    if not mine.rules:
        return
    now = clock.now() if now is None else now
    for view in views:
        if view.boost is None:
            view.filtered = mine.matches(view.status, now=now)
        else:
            view.boost.filtered = mine.matches(view.boost.status, now=now, boost_id=view.status.id)


def hides(view: StatusView, viewer_id: int | None, context: str) -> bool:
    """Whether a filter of the viewer's wants the status left out of a context such as ``home``. Own posts stay."""
    subject = view.boost or view
    return (
        bool(subject.filtered)
        and subject.status.author_id != viewer_id
        and any(match.hides and context in match.contexts for match in subject.filtered)
    )


def _rule(view: FilterView) -> _Rule:
    row = view.filter
    return _Rule(
        head=filter_head(row),
        contexts=frozenset(row.contexts),
        hides=row.action == "hide",
        expires_at=row.expires_at,
        phrases=tuple(Phrase.of(keyword.keyword, whole_word=keyword.whole_word) for keyword in view.keywords),
        status_ids=frozenset(status.status_id for status in view.statuses),
    )


def _text(status: Row[Any]) -> Text:
    """All that is shown of a status as words: text, warning, title, a poll's options, descriptions of media."""
    key = (status.id, status.version)
    found: Text | None = _known_texts.get(key)
    if found is None:
        described = [attachment.get("description") or "" for attachment in status.attachments]
        options = [option["title"] for option in status.poll["options"]] if status.poll else []
        parts = [status.spoiler_text, status.title, text_of_html(status.content), *options, *described]
        found = Text.of("\n\n".join(part for part in parts if part))
        _known_texts.put(key, found)
    return found
