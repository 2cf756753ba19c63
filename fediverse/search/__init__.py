"""What is found by words: accounts and posts.

Owner of the tables ``status_words`` and ``actor_words``: full-text indexes of the posts that somebody here can find at
all, and of the names of accounts. They are written in the transaction that changes a post or an account. SQLite has
them as FTS5 tables, PostgreSQL as columns of tsvector; what goes in and what is asked are the same rows of words on
both, made in ``text.words``.
"""

from __future__ import annotations

from fediverse.search.finding import Slice, posts
from fediverse.search.index import (
    REINDEX,
    forget,
    forget_author,
    put,
    refresh,
    refresh_all,
    reindex,
    reindex_part,
)
from fediverse.search.language import Query, parse
from fediverse.search.people import accounts
from fediverse.search.people import put as put_actors

__all__ = [
    "REINDEX",
    "Query",
    "Slice",
    "accounts",
    "forget",
    "forget_author",
    "parse",
    "posts",
    "put",
    "put_actors",
    "refresh",
    "refresh_all",
    "reindex",
    "reindex_part",
]
