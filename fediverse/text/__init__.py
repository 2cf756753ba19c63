"""Text: how long a Note is, what its words mean, how they become HTML, and foreign HTML made safe.

All of it is pure: no I/O, no clock, no database.
"""

from __future__ import annotations

from fediverse.text.characters import is_blank, normalise
from fediverse.text.counting import CODE_POINT_LIMIT, LIMIT, URL_LENGTH, check_length, count
from fediverse.text.microsyntax import Entity, Hashtag, Link, Mention, entities
from fediverse.text.names import display_host, fold_host, fold_tag, split_handle
from fediverse.text.render import MentionTarget, excerpt, from_plain, markdown_as_text, plain, render
from fediverse.text.sanitize import INPUT_LIMIT, safe_url, sanitize, sanitize_name

__all__ = [
    "CODE_POINT_LIMIT",
    "INPUT_LIMIT",
    "LIMIT",
    "URL_LENGTH",
    "Entity",
    "Hashtag",
    "Link",
    "Mention",
    "MentionTarget",
    "check_length",
    "count",
    "display_host",
    "entities",
    "excerpt",
    "fold_host",
    "fold_tag",
    "from_plain",
    "is_blank",
    "markdown_as_text",
    "normalise",
    "plain",
    "render",
    "safe_url",
    "sanitize",
    "sanitize_name",
    "split_handle",
]
