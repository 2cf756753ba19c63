"""Filters as clients see them, in the present shape and the older one, and what they say of a status."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import Row

from fediverse.clock import Instant, rfc3339


@dataclass(frozen=True, slots=True)
class FilterView:
    """A filter with what it looks for."""

    filter: Row[Any]
    keywords: Sequence[Row[Any]] = ()
    statuses: Sequence[Row[Any]] = ()


@dataclass(frozen=True, slots=True)
class FilterMatch:
    """That one of the viewer's filters fits a status. Shared by all who ask: not to be changed."""

    contexts: frozenset[str]
    hides: bool
    expires_at: Instant | None
    result: dict[str, Any] = field(repr=False)


def filter_head(row: Row[Any]) -> dict[str, Any]:
    """A Filter without what it looks for, as it stands beside a status."""
    return {
        "id": str(row.id),
        "title": row.title,
        "context": row.contexts,
        "expires_at": rfc3339(row.expires_at) if row.expires_at else None,
        "filter_action": row.action,
    }


def filter_(view: FilterView) -> dict[str, Any]:
    """A Filter with its keywords and statuses."""
    return {
        **filter_head(view.filter),
        "keywords": [filter_keyword(row) for row in view.keywords],
        "statuses": [filter_status(row) for row in view.statuses],
    }


def filter_keyword(row: Row[Any]) -> dict[str, Any]:
    """A FilterKeyword."""
    return {"id": str(row.id), "keyword": row.keyword, "whole_word": row.whole_word}


def filter_status(row: Row[Any]) -> dict[str, str]:
    """A FilterStatus."""
    return {"id": str(row.id), "status_id": str(row.status_id)}


def filter_v1(keyword: Row[Any], row: Row[Any]) -> dict[str, Any]:
    """One keyword of a filter as the older API's whole filter."""
    return {
        "id": str(keyword.id),
        "phrase": keyword.keyword,
        "context": row.contexts,
        "whole_word": keyword.whole_word,
        "expires_at": rfc3339(row.expires_at) if row.expires_at else None,
        "irreversible": row.action == "hide",
    }


def filter_result(head: dict[str, Any], *, found: str | None, status_ids: Sequence[int]) -> dict[str, Any]:
    """A FilterResult: which filter fits, by which words or because the status was named."""
    return {
        "filter": head,
        "keyword_matches": [found] if found is not None else None,
        "status_matches": [str(status_id) for status_id in status_ids] or None,
    }
