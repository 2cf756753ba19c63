"""What each actor here does not want to see: kept in tables, matched against statuses as they are shown.

Owner of the tables filters, filter_keywords, filter_statuses and filter_versions. Whoever shows a status to somebody
gets its view from ``loading``, with what the viewer's filters say of it; ``hides`` says whether it is to be left out.
Whoever has rows alone asks ``of(tx, actor_id)`` for the actor's filters, and those for what fits.
"""

from __future__ import annotations

from fediverse.filters.matching import Filters, hides, mark, of
from fediverse.filters.store import (
    ACTIONS,
    CONTEXTS,
    Changes,
    KeywordChange,
    add_keyword,
    add_status,
    all_of,
    change,
    change_keyword,
    create,
    delete,
    delete_keyword,
    delete_status,
    end_all,
    get,
    get_keyword,
    get_status,
)

__all__ = [
    "ACTIONS",
    "CONTEXTS",
    "Changes",
    "Filters",
    "KeywordChange",
    "add_keyword",
    "add_status",
    "all_of",
    "change",
    "change_keyword",
    "create",
    "delete",
    "delete_keyword",
    "delete_status",
    "end_all",
    "get",
    "get_keyword",
    "get_status",
    "hides",
    "mark",
    "of",
]
