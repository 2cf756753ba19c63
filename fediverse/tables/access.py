"""Who is let in: browser sessions, OAuth, one-time links. Secrets are stored as SHA-256 hashes only."""

from __future__ import annotations

from sqlalchemy import JSON, BigInteger, Column, ForeignKey, Table, Text

from fediverse.tables.base import instant, key, metadata, words


def _person(*, nullable: bool = False) -> Column[int]:
    return Column("person_id", BigInteger, ForeignKey("people.id", ondelete="CASCADE"), nullable=nullable, index=True)


def _actor(*, nullable: bool = False) -> Column[int]:
    return Column("actor_id", BigInteger, ForeignKey("actors.id", ondelete="CASCADE"), nullable=nullable, index=True)


sessions = Table(
    "sessions",
    metadata,
    Column("token_hash", Text, primary_key=True),
    _person(),
    _actor(),
    words("user_agent"),
    instant("created_at"),
    instant("used_at"),
    instant("expires_at"),
)

oauth_apps = Table(
    "oauth_apps",
    metadata,
    key(),
    words("client_id", unique=True),
    words("client_secret_hash"),
    words("name"),
    Column("website", Text),
    Column("redirect_uris", JSON, nullable=False),  # [uri], matched exactly
    words("scopes"),  # space-separated
    instant("created_at"),
)

oauth_codes = Table(
    "oauth_codes",
    metadata,
    Column("code_hash", Text, primary_key=True),
    Column("app_id", BigInteger, ForeignKey("oauth_apps.id", ondelete="CASCADE"), nullable=False),
    _person(),
    _actor(),
    words("redirect_uri"),
    words("scopes"),
    words("code_challenge"),  # S256; empty when the client sent none
    instant("expires_at"),
    instant("used_at", nullable=True),
)

# person and actor are NULL for a client-credentials token.
oauth_tokens = Table(
    "oauth_tokens",
    metadata,
    key(),
    words("token_hash", unique=True),
    Column("app_id", BigInteger, ForeignKey("oauth_apps.id", ondelete="CASCADE"), nullable=False, index=True),
    _person(nullable=True),
    _actor(nullable=True),
    words("scopes"),
    Column("code_hash", Text),  # the code it came from: using that code again revokes it
    instant("created_at"),
    instant("used_at", nullable=True),
    instant("revoked_at", nullable=True),
)

one_time_links = Table(
    "one_time_links",
    metadata,
    Column("token_hash", Text, primary_key=True),
    words("purpose"),  # setup, reset, invite, confirm
    _person(nullable=True),
    instant("created_at"),
    instant("expires_at"),
    instant("used_at", nullable=True),
)
