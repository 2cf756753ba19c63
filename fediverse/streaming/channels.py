"""The streams that clients can subscribe to, by Mastodon's names: who may, and what they are keyed by."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from fediverse import access
from fediverse.access import Credentials
from fediverse.params import read_id
from fediverse.text import fold_tag

USER: Final = "user"
NOTIFICATIONS: Final = "user:notification"
DIRECT: Final = "direct"
LIST: Final = "list"
HASHTAG: Final = "hashtag"
HASHTAG_LOCAL: Final = "hashtag:local"
PUBLIC: Final = tuple(f"public{origin}{kind}" for origin in ("", ":local", ":remote") for kind in ("", ":media"))

_OWN: Final = (USER, NOTIFICATIONS, DIRECT)
_TAGGED: Final = (HASHTAG, HASHTAG_LOCAL)
_READ_STATUSES: Final = "read:statuses"
_READ_NOTIFICATIONS: Final = "read:notifications"
_MAX_TAG: Final = 200


class Refused(Exception):
    """The subscription is not possible; ``status`` says why in HTTP's numbers."""

    def __init__(self, message: str, status: int) -> None:
        super().__init__(message)
        self.message = message
        self.status = status


@dataclass(frozen=True, slots=True)
class Channel:
    """A stream that somebody subscribed to.

    ``key`` is what it has in common with the same stream of others, ``label`` how it is named in their messages.
    """

    name: str
    key: tuple[str, Any]
    label: tuple[str, ...]


def channel(name: object, params: Mapping[str, Any], credentials: Credentials | None) -> Channel:
    """The stream of that name for whoever asks. Raises Refused.

    A list's owner is not looked at here.
    """
    if not isinstance(name, str) or name not in (*_OWN, LIST, *_TAGGED, *PUBLIC):
        raise Refused("There is no stream of that name", 400)
    if name in PUBLIC:
        _may(credentials, _READ_STATUSES, anonymous=True)
        return Channel(name, (name, None), (name,))
    if name in _TAGGED:
        _may(credentials, _READ_STATUSES, anonymous=True)
        tag = _tag(params.get("tag"))
        return Channel(name, (name, fold_tag(tag)), (name, tag))
    actor_id = _may(credentials, _READ_NOTIFICATIONS if name == NOTIFICATIONS else _READ_STATUSES)
    if name == LIST:
        list_id = _list_id(params.get("list"))
        return Channel(name, (name, list_id), (name, str(list_id)))
    return Channel(name, (name, actor_id), (name,))


def hears_notifications(credentials: Credentials | None) -> bool:
    """Whether the ``user`` stream of whoever asks has notifications too."""
    return credentials is not None and access.allows(credentials.scopes, _READ_NOTIFICATIONS)


def _may(credentials: Credentials | None, scope: str, *, anonymous: bool = False) -> int:
    if credentials is None:
        if anonymous:
            return 0
        raise Refused("This stream needs an access token", 401)
    if not credentials.is_person and not anonymous:
        raise Refused("This stream needs the access token of a person", 403)
    if not access.allows(credentials.scopes, scope):
        raise Refused(f"The access token does not have the scope {scope}", 403)
    return credentials.actor_id


def _tag(value: object) -> str:
    name = value.strip().removeprefix("#") if isinstance(value, str) else ""
    if not name or len(name) > _MAX_TAG or any(character.isspace() for character in name):
        raise Refused("This stream needs a hashtag, named by “tag”", 400)
    return name


def _list_id(value: object) -> int:
    found = read_id(str(value)) if isinstance(value, str | int) and not isinstance(value, bool) else None
    if found is None:
        raise Refused("This stream needs the id of a list, named by “list”", 400)
    return found
