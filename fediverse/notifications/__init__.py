"""What somebody here is told: mentioned, boosted, liked, followed. Owner of the tables of notifications.

``telling`` writes them, the only place where notifications come to be; ``reading`` and ``grouping`` show them;
``policy`` decides which are kept back, and who may be heard all the same; ``markers`` say how far they were read.
"""

from __future__ import annotations

from fediverse.notifications.grouping import Group, group, group_page, group_senders, unread_groups
from fediverse.notifications.markers import get_markers, set_marker
from fediverse.notifications.policy import (
    DEFAULT,
    Policy,
    Request,
    accept_requests,
    dismiss_requests,
    get_policy,
    get_request,
    pending,
    requests_page,
    set_policy,
)
from fediverse.notifications.reading import Wanted, by_ids, get, page, unread_count
from fediverse.notifications.removal import (
    clear,
    dismiss,
    dismiss_group,
    forget_actor,
    forget_between,
    forget_host,
    forget_house,
    forget_statuses,
    retract,
)
from fediverse.notifications.telling import HouseKind, Kind, notify, notify_boosters, notify_subscribers, tell

__all__ = [
    "DEFAULT",
    "Group",
    "HouseKind",
    "Kind",
    "Policy",
    "Request",
    "Wanted",
    "accept_requests",
    "by_ids",
    "clear",
    "dismiss",
    "dismiss_group",
    "dismiss_requests",
    "forget_actor",
    "forget_between",
    "forget_host",
    "forget_house",
    "forget_statuses",
    "get",
    "get_markers",
    "get_policy",
    "get_request",
    "group",
    "group_page",
    "group_senders",
    "notify",
    "notify_boosters",
    "notify_subscribers",
    "page",
    "pending",
    "requests_page",
    "retract",
    "set_marker",
    "set_policy",
    "tell",
    "unread_count",
    "unread_groups",
]
