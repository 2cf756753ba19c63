"""Accounts as clients see them, and how the viewer stands to them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final, Protocol

from sqlalchemy import Row

from fediverse.clock import DAY, Instant, rfc3339
from fediverse.drafts import Visibility
from fediverse.entities.emojis import emojis
from fediverse.roles import ROLE_IDS, permissions
from fediverse.site import Site

VISIBILITIES: Final = {
    "public": Visibility.PUBLIC,
    "unlisted": Visibility.UNLISTED,
    "private": Visibility.FOLLOWERS,
    "direct": Visibility.DIRECT,
}
_NAMES: Final = {int(value): name for name, value in VISIBILITIES.items()}
_BOT_KINDS: Final = frozenset({"Service", "Application"})


class RelationshipFacts(Protocol):
    """How one actor stands to another."""

    @property
    def target_id(self) -> int: ...  # noqa: D102 the names say it
    @property
    def following(self) -> bool: ...  # noqa: D102 the names say it
    @property
    def requested(self) -> bool: ...  # noqa: D102 the names say it
    @property
    def show_boosts(self) -> bool: ...  # noqa: D102 the names say it
    @property
    def notify(self) -> bool: ...  # noqa: D102 the names say it
    @property
    def followed_by(self) -> bool: ...  # noqa: D102 the names say it
    @property
    def requested_by(self) -> bool: ...  # noqa: D102 the names say it
    @property
    def blocking(self) -> bool: ...  # noqa: D102 the names say it
    @property
    def blocked_by(self) -> bool: ...  # noqa: D102 the names say it
    @property
    def muting(self) -> bool: ...  # noqa: D102 the names say it
    @property
    def muting_notifications(self) -> bool: ...  # noqa: D102 the names say it
    @property
    def muting_expires_at(self) -> Instant | None: ...  # noqa: D102 the names say it
    @property
    def languages(self) -> tuple[str, ...]: ...  # noqa: D102 the names say it
    @property
    def domain_blocking(self) -> bool: ...  # noqa: D102 the names say it
    @property
    def endorsed(self) -> bool: ...  # noqa: D102 the names say it
    @property
    def note(self) -> str: ...  # noqa: D102 the names say it


def visibility_name(visibility: int) -> str:
    """The API's word for a stored visibility."""
    return _NAMES[visibility]


def day(instant: Instant) -> str:
    """``2026-01-31``."""
    return rfc3339(instant)[:10]


def account(row: Row[Any], site: Site) -> dict[str, Any]:
    """An actor as an Account. The dict is shared by everybody who asks for the same version: copy it to change it."""
    key = (row.id, row.version)
    entity: dict[str, Any] | None = site.accounts.get(key)
    if entity is None:
        entity = _account(row, site)
        site.accounts.put(key, entity)
    return entity


def _account(row: Row[Any], site: Site) -> dict[str, Any]:
    urls = site.urls
    hidden = bool(row.suspended_at or row.deleted_at)
    avatar = site.static("avatar.png") if hidden else site.avatar_url(row)
    header = site.static("header.png") if hidden else site.header_url(row)
    uri = row.uri or urls.actor(row.username)
    entity: dict[str, Any] = {
        "id": str(row.id),
        "username": row.username,
        "acct": urls.acct(row.username, row.host),
        "display_name": "" if hidden else row.name,
        "locked": row.locked,
        "bot": row.kind in _BOT_KINDS,
        "discoverable": row.discoverable,
        "indexable": row.indexable,
        "group": row.kind == "Group",
        # Mastodon rounds it down to the day, so that it tells nothing of the hour somebody signed up.
        "created_at": rfc3339(row.created_at // DAY * DAY),
        "note": "" if hidden else row.summary,
        "url": (row.url or uri) if row.host else urls.profile(row.username),
        "uri": uri,
        "avatar": avatar,
        "avatar_static": avatar,
        "avatar_description": "" if hidden else row.avatar_description,
        "header": header,
        "header_static": header,
        "header_description": "" if hidden else row.header_description,
        "hide_collections": row.hide_relations,
        "show_media": row.show_media,
        "show_media_replies": row.show_media_replies,
        "show_featured": row.show_featured,
        "noindex": not row.indexable,
        "followers_count": row.followers_count,
        "following_count": row.following_count,
        "statuses_count": row.statuses_count,
        "last_status_at": day(row.last_status_at) if row.last_status_at else None,
        "moved": None,
        "emojis": [] if hidden else emojis(row.emojis, site),
        "roles": [],
        "fields": [] if hidden else [_field(field) for field in row.fields],
    }
    if hidden:
        entity["suspended"] = True
    if row.limited_at:
        entity["limited"] = True
    return entity


def _field(field: dict[str, Any]) -> dict[str, Any]:
    verified = field.get("verified_at")
    return {
        "name": field["name"],
        "value": field["value"],
        "verified_at": rfc3339(verified) if verified else None,
    }


def _typed_fields(row: Row[Any]) -> list[dict[str, Any]]:
    """The fields as their owner typed them, with when their links were verified."""
    shown = [*row.fields, *({} for _ in row.fields_source)]
    return [
        _field({**typed, "verified_at": made.get("verified_at")})
        for typed, made in zip(row.fields_source, shown, strict=False)
    ]


def profile(row: Row[Any], site: Site) -> dict[str, Any]:
    """The signed-in person's own profile, as they typed it."""
    avatar = site.avatar_url(row) if row.avatar else None
    header = site.header_url(row) if row.header else None
    return {
        "id": str(row.id),
        "display_name": row.name,
        "note": row.summary_source,
        "fields": _typed_fields(row),
        "avatar": avatar,
        "avatar_static": avatar,
        "avatar_description": row.avatar_description,
        "header": header,
        "header_static": header,
        "header_description": row.header_description,
        "locked": row.locked,
        "bot": row.kind in _BOT_KINDS,
        "hide_collections": row.hide_relations,
        "discoverable": row.discoverable,
        "indexable": row.indexable,
        "show_media": row.show_media,
        "show_media_replies": row.show_media_replies,
        "show_featured": row.show_featured,
        "attribution_domains": row.attribution_domains,
    }


def credential_account(row: Row[Any], site: Site, *, role: str, follow_requests_count: int) -> dict[str, Any]:
    """The signed-in person's own actor, with what they typed as they typed it."""
    return {
        **account(row, site),
        "source": {
            "privacy": visibility_name(VISIBILITIES.get(row.default_visibility, Visibility.PUBLIC)),
            "sensitive": row.default_sensitive,
            "language": row.default_language,
            "note": row.summary_source,
            "fields": _typed_fields(row),
            "follow_requests_count": follow_requests_count,
            "hide_collections": row.hide_relations,
            "discoverable": row.discoverable,
            "indexable": row.indexable,
            "attribution_domains": row.attribution_domains,
            "quote_policy": row.default_quote_policy or "public",
        },
        "role": role_entity(role),
    }


def role_entity(role: str) -> dict[str, Any]:
    """A Role; its bits say which of the administration's endpoints may be called."""
    return {
        "id": ROLE_IDS[role],
        "name": "" if role == "user" else role.capitalize(),
        "permissions": str(int(permissions(role))),
        "color": "",
        "highlighted": False,
    }


def muted_account(row: Row[Any], site: Site, expires_at: Instant | None) -> dict[str, Any]:
    """An account in the list of muted ones, with when that ends."""
    return {**account(row, site), "mute_expires_at": rfc3339(expires_at) if expires_at else None}


def preferences(row: Row[Any]) -> dict[str, Any]:
    """How the actor posts and reads unless a client is told otherwise."""
    return {
        "posting:default:visibility": visibility_name(VISIBILITIES.get(row.default_visibility, Visibility.PUBLIC)),
        "posting:default:sensitive": row.default_sensitive,
        "posting:default:language": row.default_language,
        "posting:default:quote_policy": row.default_quote_policy or "public",
        "reading:expand:media": "default",
        "reading:expand:spoilers": False,
        "reading:autoplay:gifs": False,
    }


def relationship(facts: RelationshipFacts) -> dict[str, Any]:
    """How the viewer stands to an account."""
    return {
        "id": str(facts.target_id),
        "following": facts.following,
        "showing_reblogs": facts.following and facts.show_boosts,
        "notifying": facts.following and facts.notify,
        "languages": list(facts.languages) or None,
        "followed_by": facts.followed_by,
        "blocking": facts.blocking,
        "blocked_by": facts.blocked_by,
        "muting": facts.muting,
        "muting_notifications": facts.muting_notifications,
        "muting_expires_at": rfc3339(facts.muting_expires_at) if facts.muting_expires_at else None,
        "requested": facts.requested,
        "requested_by": facts.requested_by,
        "domain_blocking": facts.domain_blocking,
        "endorsed": facts.endorsed,
        "note": facts.note,
    }


def suggestion(row: Row[Any], sources: Sequence[str], site: Site) -> dict[str, Any]:
    """A Suggestion: an account, and why it is suggested, in the old words and the new ones."""
    return {
        "source": "global" if "most_followed" in sources else "past_interactions",
        "sources": list(sources),
        "account": account(row, site),
    }
