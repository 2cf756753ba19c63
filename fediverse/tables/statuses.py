"""Posts and boosts, what they mention, and how people answer them short of a reply."""

from __future__ import annotations

from sqlalchemy import (
    JSON,
    BigInteger,
    Column,
    ForeignKey,
    Index,
    PrimaryKeyConstraint,
    SmallInteger,
    Table,
    Text,
    UniqueConstraint,
)

from fediverse.tables.base import count, flag, instant, key, metadata, only, words

# A boost (Announce) is a row with boost_of_id: the client API and the timelines treat it as a status of its own.
statuses = Table(
    "statuses",
    metadata,
    key(),
    Column("uri", Text, unique=True),  # NULL for local statuses; the Announce's id for remote boosts
    Column("url", Text),
    Column("author_id", BigInteger, ForeignKey("actors.id", ondelete="CASCADE"), nullable=False),
    flag("local"),
    words("kind"),  # Note, or what a remote server sent: Article, Page, Question, Video, Event, …; Announce for boosts
    Column("visibility", SmallInteger, nullable=False),  # drafts.Visibility
    words("title"),  # the name of an Article, Page, Video or Event
    words("content"),  # HTML, cleaned
    words("text"),  # what a local author typed
    words("spoiler_text"),
    flag("sensitive"),
    Column("language", Text),
    Column("in_reply_to_id", BigInteger),
    Column("in_reply_to_uri", Text),  # kept while the parent is not known here
    Column("in_reply_to_author_id", BigInteger),  # the addressee of the reply rule
    Column("conversation_id", BigInteger, nullable=False),  # the id of the first status known of the thread
    Column("boost_of_id", BigInteger),
    flag("listed"),  # shows in public timelines: public, no boost, no reply to somebody else
    # Kept beside the status so that a page of a timeline needs no query per row.
    Column("mentions", JSON, nullable=False),  # [{"id": int, "username": text, "host": text, "uri": text, "url": text}]
    Column("tags", JSON, nullable=False),  # [{"name": text as first written}]
    Column("emojis", JSON, nullable=False),  # [{"shortcode": text, "url": text}]
    Column("attachments", JSON, nullable=False),  # [drafts.AttachmentDraft as a dict]
    Column("poll", JSON(none_as_null=True)),  # drafts.Poll; who voted for what is in poll_votes
    Column("card_id", BigInteger),  # of its first link; in the table cards
    # What it quotes (FEP-044f): an id here once that is known, its ActivityPub id always.
    Column("quote_of_id", BigInteger),
    Column("quote_uri", Text),
    words("quote_state"),  # drafts.QuoteState; empty for no quote
    Column("quote_authorization", Text),  # the id of the document by which the quoted author agrees
    Column("quote_policy", JSON(none_as_null=True)),  # drafts.QuotePolicy: who may quote it; NULL: nobody said
    words("app_name"),
    Column("app_url", Text),
    count("replies_count"),
    count("boosts_count"),
    count("favourites_count"),
    count("quotes_count"),
    count("version"),
    instant("created_at"),  # published
    instant("edited_at", nullable=True),
    instant("deleted_at", nullable=True),  # a tombstone: the content is wiped, the id never comes back
    Column("idempotency_key", Text),
    UniqueConstraint("author_id", "idempotency_key"),
)
Index("ix_statuses_author", statuses.c.author_id, statuses.c.id)
Index("ix_statuses_conversation", statuses.c.conversation_id, statuses.c.id)
Index(
    "ix_statuses_parent",
    statuses.c.in_reply_to_id,
    statuses.c.id,
    **only("in_reply_to_id IS NOT NULL"),
)
Index(
    "ix_statuses_orphan",
    statuses.c.in_reply_to_uri,
    **only("in_reply_to_uri IS NOT NULL"),
)
Index(
    "uq_statuses_boost",
    statuses.c.boost_of_id,
    statuses.c.author_id,
    unique=True,
    **only("boost_of_id IS NOT NULL"),
)
Index("ix_statuses_card", statuses.c.card_id, statuses.c.id, **only("card_id IS NOT NULL"))
Index("ix_statuses_quote", statuses.c.quote_of_id, statuses.c.id, **only("quote_of_id IS NOT NULL"))
Index(
    "ix_statuses_quote_authorization",
    statuses.c.quote_authorization,
    **only("quote_authorization IS NOT NULL"),
)
Index("ix_statuses_listed", statuses.c.id, **only("listed", "listed = 1"))
Index(
    "ix_statuses_listed_local",
    statuses.c.id,
    **only("listed AND local", "listed = 1 AND local = 1"),
)

# What a page of a timeline selects: enough to find the rest, which is mostly known already by (id, version).
HEAD = (
    statuses.c.id,
    statuses.c.version,
    statuses.c.author_id,
    statuses.c.boost_of_id,
    statuses.c.conversation_id,
)

# By which authors here let a post of theirs be quoted by one of the actor's: each is a document that others may fetch
# until it is revoked.
quote_authorizations = Table(
    "quote_authorizations",
    metadata,
    key(),
    Column("status_id", BigInteger, ForeignKey("statuses.id", ondelete="CASCADE"), nullable=False),
    words("quoting_uri"),  # the post that quotes it, which need not be known here
    Column("actor_id", BigInteger, ForeignKey("actors.id", ondelete="CASCADE"), nullable=False, index=True),
    instant("created_at"),
    instant("revoked_at", nullable=True),
    UniqueConstraint("status_id", "quoting_uri"),
)

# Every change of a status, the first version included; the API's history.
status_edits = Table(
    "status_edits",
    metadata,
    key(),
    Column("status_id", BigInteger, ForeignKey("statuses.id", ondelete="CASCADE"), nullable=False, index=True),
    words("content"),
    words("text"),
    words("spoiler_text"),
    flag("sensitive"),
    Column("attachments", JSON, nullable=False),
    Column("emojis", JSON, nullable=False),
    Column("poll_options", JSON(none_as_null=True)),  # the titles, where it had a poll
    instant("created_at"),
)

# Who voted for which option of the poll of a status: people here on any poll, everybody on those of here.
poll_votes = Table(
    "poll_votes",
    metadata,
    key(),
    Column("status_id", BigInteger, ForeignKey("statuses.id", ondelete="CASCADE"), nullable=False),
    Column("actor_id", BigInteger, ForeignKey("actors.id", ondelete="CASCADE"), nullable=False),
    Column("choice", SmallInteger, nullable=False),  # which option, counted from 0
    instant("created_at"),
    UniqueConstraint("status_id", "actor_id", "choice"),
)
Index("ix_poll_votes_actor", poll_votes.c.actor_id, poll_votes.c.status_id)

mentions = Table(
    "mentions",
    metadata,
    Column("actor_id", BigInteger, ForeignKey("actors.id", ondelete="CASCADE"), nullable=False),
    Column("status_id", BigInteger, ForeignKey("statuses.id", ondelete="CASCADE"), nullable=False, index=True),
    flag("silent"),  # addressed without being named in the text
    PrimaryKeyConstraint("actor_id", "status_id"),
)

tags = Table(
    "tags",
    metadata,
    key(),
    words("name", unique=True),  # folded: NFKC, no case
    words("display"),  # as first written
    instant("created_at"),
)

status_tags = Table(
    "status_tags",
    metadata,
    Column("tag_id", BigInteger, ForeignKey("tags.id", ondelete="CASCADE"), nullable=False),
    Column("status_id", BigInteger, ForeignKey("statuses.id", ondelete="CASCADE"), nullable=False, index=True),
    PrimaryKeyConstraint("tag_id", "status_id"),
)


def _reaction(name: str, *more: Column[str]) -> Table:
    return Table(
        name,
        metadata,
        key(),
        Column("actor_id", BigInteger, ForeignKey("actors.id", ondelete="CASCADE"), nullable=False),
        Column("status_id", BigInteger, ForeignKey("statuses.id", ondelete="CASCADE"), nullable=False),
        *more,
        instant("created_at"),
        UniqueConstraint("actor_id", "status_id"),
        Index(f"ix_{name}_status", "status_id", "id"),
        Index(f"ix_{name}_actor", "actor_id", "id"),
    )


favourites = _reaction("favourites", Column("uri", Text))
bookmarks = _reaction("bookmarks")
pins = _reaction("pins")

conversation_mutes = Table(
    "conversation_mutes",
    metadata,
    Column("actor_id", BigInteger, ForeignKey("actors.id", ondelete="CASCADE"), nullable=False),
    Column("conversation_id", BigInteger, nullable=False),
    PrimaryKeyConstraint("actor_id", "conversation_id"),
)

# Deletes that came before the thing they delete.
tombstones = Table(
    "tombstones",
    metadata,
    Column("uri", Text, primary_key=True),
    Column("actor_id", BigInteger, ForeignKey("actors.id", ondelete="CASCADE"), nullable=False),
    instant("created_at"),
)
