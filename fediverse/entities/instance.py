"""The instance as clients see it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from html import escape
from typing import Any, Final

from sqlalchemy import Row

from fediverse.decoding import limits as files
from fediverse.documents import polls
from fediverse.drafts import MAX_ATTACHMENTS, MAX_DESCRIPTION
from fediverse.entities.accounts import account
from fediverse.site import API_NUMBER, Site
from fediverse.text.counting import LIMIT, URL_LENGTH

# What is taken, by all the names that clients know it by.
_FILE_TYPES: Final = (
    *("image/jpeg", "image/png", "image/gif", "image/webp", "image/avif", "image/heic", "image/heif"),
    *("video/mp4", "video/quicktime", "video/webm", "video/x-matroska"),
    *("audio/mpeg", "audio/mp3", "audio/mp4", "audio/m4a", "audio/x-m4a", "audio/aac", "audio/ogg", "audio/opus"),
    *("audio/webm", "audio/flac", "audio/x-flac", "audio/wav", "audio/wave", "audio/x-wav", "audio/vnd.wave"),
)


@dataclass(frozen=True, slots=True)
class Limits:
    """How much a profile may hold."""

    pins: int
    name: int
    note: int
    fields: int
    field: int
    description: int


@dataclass(frozen=True, slots=True)
class InstanceFacts:
    """What is shown of the instance: what its owner said of it, and true counts."""

    title: str
    description: str
    contact_email: str
    rules: Sequence[str]
    thumbnail: str
    limits: Limits
    languages: Sequence[str] = ("en",)
    contact: Row[Any] | None = None
    users: int = 0
    active_month: int = 0
    statuses: int = 0
    domains: int = 0
    has_privacy_policy: bool = False
    has_terms: bool = False
    icon: tuple[str, str] | None = None  # its address, and its size as 512x512


def instance_rules(rules: Sequence[str]) -> list[dict[str, Any]]:
    """The rules of the house, in order."""
    return [{"id": str(i), "text": text, "hint": "", "translations": {}} for i, text in enumerate(rules, 1)]


def instance_v2(facts: InstanceFacts, site: Site) -> dict[str, Any]:
    """The Instance entity of ``/api/v2/instance``."""
    return {
        "domain": site.urls.domain,
        "title": facts.title,
        "version": site.api_version,
        # Required of the entity; the program has no public home of its own to point to.
        "source_url": f"{site.urls.base_url}/",
        "description": facts.description,
        "usage": {"users": {"active_month": facts.active_month}},
        "thumbnail": {"url": facts.thumbnail, "blurhash": None, "versions": {}, "description": ""},
        "icon": [{"src": facts.icon[0], "size": facts.icon[1]}] if facts.icon is not None else [],
        "languages": list(facts.languages),
        "configuration": {
            **_configuration(facts.limits),
            "urls": {
                "streaming": _streaming(site),
                "status": None,
                "about": f"{site.urls.base_url}/about",
                "privacy_policy": f"{site.urls.base_url}/privacy-policy" if facts.has_privacy_policy else None,
                "terms_of_service": f"{site.urls.base_url}/terms-of-service" if facts.has_terms else None,
            },
            "vapid": {"public_key": site.vapid_key},
            "translation": {"enabled": False},
            "limited_federation": False,
        },
        "registrations": {
            "enabled": _takes_registrations(site),
            "approval_required": site.registrations == "approval",
            "reason_required": site.registrations == "approval",
            "message": None,
            "min_age": None,
            "url": None,
        },
        "api_versions": {"mastodon": API_NUMBER},
        "contact": {
            "email": facts.contact_email,
            "account": account(facts.contact, site) if facts.contact is not None else None,
        },
        "rules": instance_rules(facts.rules),
    }


def instance_v1(facts: InstanceFacts, site: Site) -> dict[str, Any]:
    """The older entity of ``/api/v1/instance``."""
    return {
        "uri": site.urls.domain,
        "title": facts.title,
        "short_description": facts.description,
        "description": f"<p>{escape(facts.description, quote=False)}</p>" if facts.description else "",
        "email": facts.contact_email,
        "version": site.api_version,
        "urls": {"streaming_api": _streaming(site)},
        "stats": {
            "user_count": facts.users,
            "status_count": facts.statuses,
            "domain_count": facts.domains,
        },
        "thumbnail": facts.thumbnail,
        "languages": list(facts.languages),
        "registrations": _takes_registrations(site),
        "approval_required": site.registrations == "approval",
        "invites_enabled": site.registrations == "invite",
        "max_toot_chars": LIMIT,
        "configuration": _configuration(facts.limits),
        "contact_account": account(facts.contact, site) if facts.contact is not None else None,
        "rules": instance_rules(facts.rules),
    }


def _streaming(site: Site) -> str:
    """Where clients open their WebSockets: they add the path."""
    return site.urls.base_url.replace("http", "ws", 1)


def _takes_registrations(site: Site) -> bool:
    return site.registrations in {"open", "approval"}


def _configuration(limits: Limits) -> dict[str, Any]:
    return {
        "accounts": {
            "max_featured_tags": 0,
            "max_pinned_statuses": limits.pins,
            "max_display_name_length": limits.name,
            "max_note_length": limits.note,
            "max_avatar_description_length": limits.description,
            "max_header_description_length": limits.description,
            "max_profile_fields": limits.fields,
            "profile_field_name_limit": limits.field,
            "profile_field_value_limit": limits.field,
        },
        "statuses": {
            "max_characters": LIMIT,
            "max_media_attachments": MAX_ATTACHMENTS,
            "characters_reserved_per_url": URL_LENGTH,
        },
        "media_attachments": {
            "supported_mime_types": list(_FILE_TYPES),
            "image_size_limit": files.PICTURE_BYTES,
            "image_matrix_limit": files.PICTURE_PIXELS,
            "video_size_limit": files.CLIP_BYTES,
            "video_frame_rate_limit": files.FRAME_RATE,
            "video_matrix_limit": files.CLIP_PIXELS,
            "description_limit": MAX_DESCRIPTION,
        },
        "polls": {
            "max_options": polls.OPTIONS,
            "max_characters_per_option": polls.OPTION_LENGTH,
            "min_expiration": polls.SHORTEST,
            "max_expiration": polls.LONGEST,
        },
    }
