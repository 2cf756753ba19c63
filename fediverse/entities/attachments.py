"""Pictures, videos and sounds as clients see them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from sqlalchemy import Row

from fediverse.site import Site

# What lasts longer than this is a film that no proxy fetches as a whole: it plays from where it is.
_PROXIED_SECONDS: Final = 10 * 60
_PICTURES: Final = ("image", "gifv", "video")


def attachment(entry: Mapping[str, Any], site: Site, *, id_: int, is_ready: bool = True) -> dict[str, Any]:
    """A MediaAttachment. Files of other servers are shown through the proxy; ``id_`` is for those, which have none."""
    key, facts = entry.get("key"), entry.get("facts", {})
    url, preview = address(entry, site), preview_address(entry, site)
    return {
        "id": str(entry.get("id", id_)),
        "type": entry["type"],
        "url": url if is_ready else None,
        "preview_url": preview,
        "remote_url": None if key else entry["url"],
        "preview_remote_url": None if key else entry.get("preview_url"),
        "text_url": None,
        "meta": _meta(entry, facts),
        "description": entry.get("description") or None,
        "blurhash": entry.get("blurhash"),
    }


def own_attachment(entry: Mapping[str, Any], row: Row[Any], site: Site) -> dict[str, Any]:
    """The MediaAttachment of an upload; without an address while it is processed."""
    return attachment(entry, site, id_=row.id, is_ready=row.state == "ready")


def address(entry: Mapping[str, Any], site: Site) -> str:
    """Where the file is shown from."""
    if entry.get("key"):
        return site.urls.media(entry["key"])
    url: str = entry["url"]
    if entry["type"] == "unknown" or entry.get("facts", {}).get("duration", 0) > _PROXIED_SECONDS:
        return url
    return site.proxied(url)


def preview_address(entry: Mapping[str, Any], site: Site) -> str | None:
    """Where a small picture of the file is shown from; None where there is none."""
    if entry.get("key"):
        return site.urls.media(entry["preview_key"]) if entry.get("preview_key") else None
    preview = entry.get("preview_url") or (entry["url"] if entry["type"] == "image" else None)
    return site.proxied(preview) if preview else None


def _meta(entry: Mapping[str, Any], facts: Mapping[str, Any]) -> dict[str, Any]:
    """Sizes and lengths, as far as they are known: those of a video stand inside and out, as clients look for them."""
    width, height = entry.get("width"), entry.get("height")
    original: dict[str, Any] = {}
    if width and height and entry["type"] in _PICTURES:
        original = _sized(width, height)
    meta: dict[str, Any] = {}
    if entry["type"] != "image":
        for name in ("frame_rate", "duration", "bitrate"):
            if name in facts:
                original[name] = facts[name]
        meta = {name: facts[name] for name in _HEARD if name in facts}
        if "duration" in facts:
            meta |= {"length": _length(facts["duration"]), "duration": facts["duration"]}
        if "frame_rate" in facts:
            meta |= {"fps": _rate(facts["frame_rate"])}
        if width and height:
            meta |= _sized(width, height)
    if original:
        meta["original"] = original
    if facts.get("small"):
        meta["small"] = _sized(*facts["small"])
    if "focus" in facts:
        meta["focus"] = {"x": facts["focus"][0], "y": facts["focus"][1]}
    return meta


_HEARD: Final = ("audio_encode", "audio_bitrate", "audio_channels")


def _sized(width: int, height: int) -> dict[str, Any]:
    return {"width": width, "height": height, "size": f"{width}x{height}", "aspect": round(width / height, 4)}


def _length(seconds: float) -> str:
    hundredths = round(seconds * 100)
    return f"{hundredths // 360_000}:{hundredths // 6000 % 60:02}:{hundredths // 100 % 60:02}.{hundredths % 100:02}"


def _rate(fraction: str) -> int:
    above, _, below = fraction.partition("/")
    return round(int(above) / int(below)) if int(below or 0) else 0
