"""A received activity as handlers get it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

from sqlalchemy import Row

from fediverse.clock import Instant
from fediverse.drafts import ActivityDraft, ActorDraft, NoteDraft
from fediverse.inbox.threads import Fetched
from fediverse.urls import Urls

Outcome = Literal["applied", "ignored", "refused", "failed"]


@dataclass(frozen=True, slots=True)
class Supplies:
    """What was fetched for an activity: a post under what it answers (the topmost first), or the sender's document."""

    thread: Sequence[Fetched] = ()
    signer: ActorDraft | None = None


@dataclass(frozen=True, slots=True)
class Activity:
    """Something that an actor did, proven by its signature.

    ``note`` is the embedded post, which is the sender's own. ``actors`` has the rows of those whom the activity names
    or addresses, by their ids as they were written; ``mentioned`` those of the post's mentions that are known here.
    ``relevant`` says whether somebody here follows the signer.
    """

    id: int
    signer: Row[Any]
    draft: ActivityDraft
    urls: Urls
    now: Instant
    note: NoteDraft | None = None
    actors: Mapping[str, Row[Any]] = field(default_factory=dict)
    mentioned: Sequence[Row[Any]] = ()
    relevant: bool = False
    supplies: Supplies = field(default_factory=Supplies)

    @property
    def signer_uri(self) -> str:
        """The sender's id."""
        return str(self.signer.uri)

    @property
    def concerns_us(self) -> bool:
        """Whether somebody here follows the sender, or is addressed, mentioned or answered."""
        if self.relevant or any(row.host == "" for row in (*self.actors.values(), *self.mentioned)):
            return True
        parent = self.note.in_reply_to_uri if self.note is not None else None
        return parent is not None and self.urls.parse(parent) is not None

    def local(self, uri: str | None) -> Row[Any] | None:
        """The living actor of this instance whose id this is."""
        row = self.actors.get(uri) if uri is not None else None
        return row if row is not None and row.host == "" and row.deleted_at is None else None
