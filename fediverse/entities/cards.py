"""Cards of links, as clients see them."""

from __future__ import annotations

from typing import Any

from sqlalchemy import Row

from fediverse.clock import rfc3339
from fediverse.site import Site


def card(row: Row[Any], site: Site) -> dict[str, Any]:
    """A PreviewCard. Foreign HTML is never embedded; the picture comes through the proxy, as that of a photo does."""
    key = (row.id, row.version)
    entity: dict[str, Any] | None = site.cards.get(key)
    if entity is None:
        image = site.proxied(row.image) if row.image else None
        entity = {
            "url": row.link,
            "title": row.title,
            "description": row.description,
            "language": row.language or None,
            "type": row.kind,
            "author_name": row.author_name,
            "author_url": row.author_url,
            "provider_name": row.provider_name,
            "provider_url": row.provider_url,
            "html": "",
            "width": row.width or 0,
            "height": row.height or 0,
            "image": image,
            "image_description": row.image_description,
            "embed_url": image if image is not None and row.kind == "photo" else "",
            "blurhash": None,
            "published_at": rfc3339(row.published_at) if row.published_at is not None else None,
            "authors": [{"name": row.author_name, "url": row.author_url, "account": None}] if row.author_name else [],
        }
        site.cards.put(key, entity)
    return entity
