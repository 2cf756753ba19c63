"""The full-text indexes of posts and of accounts, which the two databases have in forms of their own.

They are no tables of the metadata, since nothing of them is written or read but by ``search``; whoever makes all tables
makes them too.
"""

from __future__ import annotations

from sqlalchemy import DDL, event

from fediverse.tables.base import metadata

# The words are split before they are stored: letters of every script and "_" belong to them, spaces part them.
_FTS5 = "words, columnsize=0, tokenize=\"ascii tokenchars '_'\""
_SQLITE = (
    f"CREATE VIRTUAL TABLE IF NOT EXISTS status_words USING fts5({_FTS5})",
    f"CREATE VIRTUAL TABLE IF NOT EXISTS actor_words USING fts5({_FTS5}, prefix='1 2 3')",
)
_POSTGRES = tuple(
    statement
    for name, key, owner in (("status_words", "status_id", "statuses"), ("actor_words", "actor_id", "actors"))
    for statement in (
        f"CREATE TABLE IF NOT EXISTS {name} ({key} BIGINT NOT NULL CONSTRAINT pk_{name} PRIMARY KEY"
        f" REFERENCES {owner} (id) ON DELETE CASCADE, words TSVECTOR NOT NULL)",
        f"CREATE INDEX IF NOT EXISTS ix_{name}_words ON {name} USING gin (words)",
    )
)
for _dialect, _statements in (("sqlite", _SQLITE), ("postgresql", _POSTGRES)):
    for _statement in _statements:
        _made = DDL(_statement)  # type: ignore[no-untyped-call]
        event.listen(metadata, "after_create", _made.execute_if(dialect=_dialect))
