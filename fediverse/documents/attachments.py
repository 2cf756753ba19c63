"""Pictures, videos and sounds of a post, in the shapes in which servers attach them."""

from __future__ import annotations

import re
from typing import Final
from urllib.parse import urlsplit

from fediverse.documents.context import Document
from fediverse.documents.shapes import clean, entries, link_of, objects, picture_of, size_of, type_of
from fediverse.drafts import MAX_DESCRIPTION, AttachmentDraft, MediaFacts

MAX_ATTACHMENTS: Final = 16
"""Attachments that are read from one post; the most that a server allows is 32, and nobody looks at those."""

_MEDIA: Final = frozenset({"Document", "Image", "Video", "Audio"})
_BLURHASH = re.compile(r"[0-9A-Za-z#$%*+,\-.:;=?@\[\]^_{|}~]{6,200}")
_DURATION = re.compile(r"PT(?:(\d{1,6})H)?(?:(\d{1,6})M)?(?:(\d{1,6}(?:\.\d{1,6})?)S)?", re.ASCII)
_MAX_SECONDS: Final = 24 * 60 * 60
_MEDIA_TYPE = re.compile(r"[a-z]+/[a-z0-9][a-z0-9.+-]{0,100}")
_EXTENSIONS: Final = {
    **dict.fromkeys(("jpg", "jpeg"), "image/jpeg"),
    **{name: f"image/{name}" for name in ("png", "gif", "webp", "avif")},
    **{name: f"video/{name}" for name in ("mp4", "webm")},
    "mov": "video/quicktime",
    "mp3": "audio/mpeg",
    **{name: f"audio/{name}" for name in ("ogg", "opus", "flac", "wav")},
    "m4a": "audio/mp4",
}


def read_attachments(document: Document, *, kind: str, base: str) -> tuple[AttachmentDraft, ...]:
    """The media of a post, MAX_ATTACHMENTS at most; those of an Image, Audio or Video are the object itself."""
    found = [
        media
        for entry in objects(document.get("attachment"), MAX_ATTACHMENTS)
        if (media := _attachment(entry, base)) is not None
    ]
    if kind in _MEDIA and (own := _own_media(document, kind, base)):
        found.insert(0, own)
    elif kind != "Note" and not found and (picture := picture_of(document.get("image"), base)):
        found.append(_draft("image", _guess(picture), picture))
    return tuple(found[:MAX_ATTACHMENTS])


def read_links(document: Document) -> list[str]:
    """The pages that a post attaches, as Lemmy does with what it links to."""
    return [
        href
        for entry in objects(document.get("attachment"), MAX_ATTACHMENTS)
        if type_of(entry) == "Link"
        and not _media_type(entry).startswith(("image/", "video/", "audio/"))
        and (href := link_of(entry.get("href") or entry.get("url")))
    ]


def _attachment(entry: Document, base: str) -> AttachmentDraft | None:
    kind, media_type = type_of(entry, _MEDIA), _media_type(entry)
    if kind not in _MEDIA and not (kind == "Link" and media_type.startswith(("image/", "video/", "audio/"))):
        return None
    url = link_of(entry.get("url") or entry.get("href"), base, kind=media_type or kind.lower())
    if url is None:
        return None
    media_type = media_type or _guess(url)
    draft = _draft(_kind(media_type, kind), media_type, url)
    draft["description"] = clean(entry.get("summary"), MAX_DESCRIPTION) or clean(entry.get("name"), MAX_DESCRIPTION)
    draft["preview_url"] = picture_of(entry.get("icon") or entry.get("preview"), base)
    blurhash = entry.get("blurhash")
    draft["blurhash"] = blurhash if isinstance(blurhash, str) and _BLURHASH.fullmatch(blurhash) else None
    draft["width"], draft["height"] = size_of(entry.get("width")), size_of(entry.get("height"))
    return _with_facts(draft, focus=_focus(entry.get("focalPoint")), duration=_seconds(entry.get("duration")))


def _own_media(document: Document, kind: str, base: str) -> AttachmentDraft | None:
    """The file that an Image, Audio or Video is, if one of its Links says so by a media type that browsers show."""
    for entry in objects(document.get("url"), 64):
        media_type = _media_type(entry)
        if media_type.startswith(f"{kind.lower()}/") and (url := link_of(entry, base)):
            draft = _draft(kind.lower(), media_type, url)
            draft["preview_url"] = picture_of(document.get("icon") or document.get("image"), base)
            draft["width"], draft["height"] = size_of(entry.get("width")), size_of(entry.get("height"))
            return _with_facts(draft, duration=_seconds(document.get("duration")))
    return None


def _draft(kind: str, media_type: str, url: str) -> AttachmentDraft:
    return {
        "type": kind,
        "media_type": media_type,
        "url": url,
        "preview_url": None,
        "description": "",
        "blurhash": None,
        "width": None,
        "height": None,
    }


def _with_facts(
    draft: AttachmentDraft, *, focus: list[float] | None = None, duration: float | None = None
) -> AttachmentDraft:
    facts: MediaFacts = {}
    if focus is not None:
        facts["focus"] = focus
    if duration is not None:
        facts["duration"] = duration
    if facts:
        draft["facts"] = facts
    return draft


def _focus(value: object) -> list[float] | None:
    """Two numbers from -1 to 1."""
    if not isinstance(value, list) or len(value) != 2:
        return None
    point = [float(n) for n in value if isinstance(n, int | float) and not isinstance(n, bool) and abs(n) <= 1]
    return point if len(point) == 2 else None


def _seconds(value: object) -> float | None:
    """The seconds of a duration such as PT1M2.5S, up to a day."""
    found = _DURATION.fullmatch(value) if isinstance(value, str) else None
    if found is None or not any(found.groups()):
        return None
    hours, minutes, seconds = (float(part or 0) for part in found.groups())
    total = hours * 3600 + minutes * 60 + seconds
    return total if 0 < total <= _MAX_SECONDS else None


def _media_type(entry: Document) -> str:
    value = next(iter(entries(entry.get("mediaType"), 1)), None)
    media_type = clean(value, 200).partition(";")[0].strip().lower()
    return media_type if _MEDIA_TYPE.fullmatch(media_type) else ""


def _guess(url: str) -> str:
    try:
        extension = urlsplit(url).path.rpartition(".")[2].lower()
    except ValueError:
        return ""
    return _EXTENSIONS.get(extension, "")


def _kind(media_type: str, kind: str) -> str:
    family = media_type.partition("/")[0]
    if family in ("image", "video", "audio"):
        return family
    return "unknown" if kind in ("Document", "Link") else kind.lower()
