"""Who acts: actors local and remote, their keys and relations; people, and who may speak as whom."""

from __future__ import annotations

from sqlalchemy import (
    JSON,
    BigInteger,
    Boolean,
    Column,
    ForeignKey,
    Index,
    PrimaryKeyConstraint,
    Table,
    Text,
    UniqueConstraint,
    true,
)

from fediverse.tables.base import count, flag, instant, key, metadata, only, words

# The instance actor's row. It signs the server's own requests and owns no posts.
INSTANCE_ACTOR_ID = 1

# Local actors have host '' and NULL uri, url and collection columns: those are built from settings.
actors = Table(
    "actors",
    metadata,
    key(),
    words("username"),
    words("username_folded"),
    words("host"),
    Column("uri", Text, unique=True),
    words("kind"),  # Person, Service, Organization, Group or Application
    words("name"),
    words("summary"),  # HTML, cleaned
    words("summary_source"),  # the text that a local actor typed
    Column("url", Text),
    Column("inbox", Text),
    Column("shared_inbox", Text),
    Column("outbox", Text),
    Column("followers_uri", Text),
    Column("following_uri", Text),
    Column("featured_uri", Text),
    # A picture's key in media storage for local actors, its remote address for others.
    Column("avatar", Text),
    Column("header", Text),
    words("avatar_description"),
    words("header_description"),
    Column("fields", JSON, nullable=False),  # [{"name": text, "value": HTML, "verified_at": instant | null}]
    Column("fields_source", JSON, nullable=False),  # [{"name": text, "value": text}], local only
    Column("also_known_as", JSON, nullable=False),  # [uri]
    flag("locked"),
    flag("discoverable"),
    flag("indexable"),
    flag("hide_relations"),
    # Which tabs the profile has, for clients that show tabs.
    flag("show_media", default=True),
    flag("show_media_replies", default=True),
    flag("show_featured", default=True),
    # Domains whose pages may name the actor as their author.
    Column("attribution_domains", JSON, nullable=False, server_default="[]"),
    Column("emojis", JSON, nullable=False, server_default="[]"),  # [drafts.EmojiDraft], of name, summary and fields
    # Known here; for remote actors those are the relations with this server only, shown with the remote totals.
    count("followers_count"),
    count("following_count"),
    count("statuses_count"),
    instant("last_status_at", nullable=True),
    Column("moved_to_id", BigInteger),
    # How a local actor speaks unless it says otherwise.
    words("default_visibility"),
    flag("default_sensitive"),
    Column("default_language", Text),
    words("default_quote_policy"),  # public, followers or nobody; empty for public
    # Grows with every change that shows; caches are keyed by (id, version).
    count("version"),
    instant("created_at"),
    instant("fetched_at", nullable=True),
    instant("suspended_at", nullable=True),
    instant("limited_at", nullable=True),
    # By themselves, and not only because of their host.
    flag("suspended_alone"),
    flag("limited_alone"),
    instant("sensitized_at", nullable=True),  # all posts are shown as sensitive
    instant("deleted_at", nullable=True),
)
Index("ix_actors_handle", actors.c.username_folded, actors.c.host)
Index(
    "uq_actors_local_username",
    actors.c.username_folded,
    unique=True,
    **only("host = ''"),
)
Index("ix_actors_host", actors.c.host)
# The directory and the suggestions.
Index("ix_actors_active", actors.c.last_status_at, actors.c.id, **only("discoverable", "discoverable = 1"))
Index("ix_actors_followed", actors.c.followers_count, actors.c.id, **only("discoverable", "discoverable = 1"))

actor_keys = Table(
    "actor_keys",
    metadata,
    key(),
    Column("actor_id", BigInteger, ForeignKey("actors.id", ondelete="CASCADE"), nullable=False, index=True),
    Column("key_uri", Text, unique=True),  # NULL for local actors
    words("algorithm"),  # rsa or ed25519
    words("public_key"),  # PEM (SPKI) or Multibase
    Column("private_key", Text),  # sealed with the instance secret; local actors only
    instant("fetched_at"),
)

people = Table(
    "people",
    metadata,
    key(),
    words("email"),
    words("email_folded", unique=True),
    words("password_hash"),  # empty until an invitation is taken up
    words("role"),  # owner, admin, moderator or user
    words("locale"),
    words("reason"),  # what they wrote when they asked for an account
    instant("created_at"),
    instant("approved_at", nullable=True),
    instant("confirmed_at", nullable=True),  # when it was known that the address is theirs
    words("new_email"),  # the address that is to take the place of the other, once it is confirmed
    instant("suspended_at", nullable=True),
    instant("last_active_at", nullable=True),
)

# Who was here in which week, for the public count of that.
person_weeks = Table(
    "person_weeks",
    metadata,
    instant("week"),
    Column("person_id", BigInteger, ForeignKey("people.id", ondelete="CASCADE"), nullable=False, index=True),
    PrimaryKeyConstraint("week", "person_id"),
)

# Who was here on which day, for moderators to see how many stay. Kept for a year.
person_days = Table(
    "person_days",
    metadata,
    instant("day"),
    Column("person_id", BigInteger, ForeignKey("people.id", ondelete="CASCADE"), nullable=False, index=True),
    PrimaryKeyConstraint("day", "person_id"),
)

# Where people signed in from, for moderators to see: an IPv6 address as its network. Kept for ninety days.
person_addresses = Table(
    "person_addresses",
    metadata,
    Column("person_id", BigInteger, ForeignKey("people.id", ondelete="CASCADE"), nullable=False),
    Column("address", Text, nullable=False, index=True),
    instant("used_at"),
    PrimaryKeyConstraint("person_id", "address"),
)

memberships = Table(
    "memberships",
    metadata,
    Column("person_id", BigInteger, ForeignKey("people.id", ondelete="CASCADE"), nullable=False),
    Column("actor_id", BigInteger, ForeignKey("actors.id", ondelete="CASCADE"), nullable=False, index=True),
    words("role"),  # owner or editor
    instant("created_at"),
    PrimaryKeyConstraint("person_id", "actor_id"),
)

follows = Table(
    "follows",
    metadata,
    key(),  # also in the id of the Follow activity that a local actor sends: new at every attempt
    Column("follower_id", BigInteger, ForeignKey("actors.id", ondelete="CASCADE"), nullable=False),
    Column("followee_id", BigInteger, ForeignKey("actors.id", ondelete="CASCADE"), nullable=False),
    Column("uri", Text),  # the Follow's id when a remote actor sent it
    flag("accepted"),
    flag("follower_is_local"),  # so that a post finds its home timelines without passing by every remote follower
    Column("show_boosts", Boolean, nullable=False, server_default=true()),
    flag("notify"),
    Column("languages", Text),  # ",de,en,": only posts in these are wanted; NULL for all
    instant("created_at"),
    UniqueConstraint("follower_id", "followee_id"),
)
Index("ix_follows_followee", follows.c.followee_id, follows.c.accepted, follows.c.id)
# The flags stand in the columns too: with fewer of them SQLite prefers the index above, and a post reads every follow.
Index(
    "ix_follows_local",
    follows.c.followee_id,
    follows.c.follower_is_local,
    follows.c.accepted,
    follows.c.id,
    **only("follower_is_local AND accepted", "follower_is_local = 1 AND accepted = 1"),
)
Index("ix_follows_follower", follows.c.follower_id, follows.c.accepted, follows.c.id)

blocks = Table(
    "blocks",
    metadata,
    key(),
    Column("actor_id", BigInteger, ForeignKey("actors.id", ondelete="CASCADE"), nullable=False),
    Column("target_id", BigInteger, ForeignKey("actors.id", ondelete="CASCADE"), nullable=False, index=True),
    Column("uri", Text),  # the Block's id when a remote actor sent it
    instant("created_at"),
    UniqueConstraint("actor_id", "target_id"),
)

mutes = Table(
    "mutes",
    metadata,
    key(),
    Column("actor_id", BigInteger, ForeignKey("actors.id", ondelete="CASCADE"), nullable=False),
    Column("target_id", BigInteger, ForeignKey("actors.id", ondelete="CASCADE"), nullable=False, index=True),
    flag("notifications"),  # whether their notifications are hidden too
    instant("expires_at", nullable=True),
    instant("created_at"),
    UniqueConstraint("actor_id", "target_id"),
)
