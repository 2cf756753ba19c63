"""Custom emoji as clients see them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from sqlalchemy import Row

from fediverse.site import Site


def emojis(entries: Iterable[Mapping[str, Any]], site: Site) -> list[dict[str, Any]]:
    """The CustomEmojis of a text: those of other servers come through the proxy."""
    return [_emoji(entry["shortcode"], *_addresses(entry, site)) for entry in entries]


def custom_emoji(row: Row[Any], site: Site) -> dict[str, Any]:
    """An emoji of this instance, to be chosen."""
    shown = _emoji(row.shortcode, site.urls.media(row.picture), site.urls.media(row.still))
    return {**shown, "visible_in_picker": True, "category": row.category or None}


def _addresses(entry: Mapping[str, Any], site: Site) -> tuple[str, str]:
    if entry.get("key"):
        return site.urls.media(entry["key"]), site.urls.media(entry["still"])
    url = site.proxied(entry["url"])
    return url, url


def _emoji(shortcode: str, url: str, static_url: str) -> dict[str, Any]:
    return {
        "shortcode": shortcode,
        "url": url,
        "static_url": static_url,
        "visible_in_picker": False,
        "category": None,
    }
