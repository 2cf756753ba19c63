"""What people may do to the instance and to others, by their role: owner, admin, moderator or user."""

from __future__ import annotations

from enum import IntFlag
from typing import Final


class Permission(IntFlag):
    """Mastodon's permissions of roles, as far as there is something here that they permit."""

    ADMINISTRATOR = 0x1
    VIEW_AUDIT_LOG = 0x4
    VIEW_DASHBOARD = 0x8
    MANAGE_REPORTS = 0x10
    MANAGE_FEDERATION = 0x20
    MANAGE_SETTINGS = 0x40
    MANAGE_BLOCKS = 0x80
    MANAGE_TAXONOMIES = 0x100
    MANAGE_USERS = 0x400
    MANAGE_RULES = 0x1000
    MANAGE_ROLES = 0x20000
    MANAGE_USER_ACCESS = 0x40000
    DELETE_USER_DATA = 0x80000


_MODERATOR: Final = (
    Permission.VIEW_AUDIT_LOG
    | Permission.VIEW_DASHBOARD
    | Permission.MANAGE_REPORTS
    | Permission.MANAGE_TAXONOMIES
    | Permission.MANAGE_USERS
    | Permission.MANAGE_USER_ACCESS
)
_ADMIN: Final = (
    _MODERATOR
    | Permission.MANAGE_FEDERATION
    | Permission.MANAGE_SETTINGS
    | Permission.MANAGE_BLOCKS
    | Permission.MANAGE_RULES
    | Permission.MANAGE_ROLES
    | Permission.DELETE_USER_DATA
)
_PERMISSIONS: Final = {
    "user": Permission(0),
    "moderator": _MODERATOR,
    "admin": _ADMIN,
    "owner": _ADMIN | Permission.ADMINISTRATOR,
}
_RANKS: Final = {"user": 0, "moderator": 1, "admin": 2, "owner": 3}
#: The roles that look after others, as they are stored.
STAFF: Final = ("owner", "admin", "moderator")
#: The ids of roles in the client API, those of Mastodon's own.
ROLE_IDS: Final = {"user": "-99", "moderator": "1", "admin": "2", "owner": "3"}


def permissions(role: str) -> Permission:
    """Everything that the role permits; nothing for what is no role."""
    return _PERMISSIONS.get(role, Permission(0))


def may(role: str, permission: Permission) -> bool:
    """Whether somebody with the role may do what needs the permission."""
    return bool(permissions(role) & permission)


def rank(role: str) -> int:
    """Greater for the role that stands above."""
    return _RANKS.get(role, -1)


def outranks(role: str, other: str) -> bool:
    """Whether somebody with the role may act against somebody with the other one: never among equals."""
    return rank(role) > rank(other)
