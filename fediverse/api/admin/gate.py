"""Whom the administration's endpoints are open to: the token's scope and the person's role must both permit it.

The role is read with every request, so that whoever loses it loses this at once.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

from aiohttp import web
from sqlalchemy import Connection

from fediverse import roles
from fediverse.admin.accounts import Staff
from fediverse.api import respond
from fediverse.api.respond import Call, Scope
from fediverse.errors import Forbidden
from fediverse.roles import Permission

#: (default, most) entries of a page.
PAGE: Final = (100, 200)

Work = Callable[[Connection, Call, Staff], Any]


async def read(request: web.Request, work: Work, *, scope: Scope, permission: Permission) -> web.Response:
    """What ``work(tx, call, staff)`` returned, as JSON. Raises Forbidden where scope or role do not permit it."""
    return await respond.read(request, _guarded(work, permission), scope=scope)


async def write(request: web.Request, work: Work, *, scope: Scope, permission: Permission) -> web.Response:
    """What ``work(tx, call, staff)`` returned, as JSON, once what it changed is committed. Raises as ``read`` does."""
    return await respond.write(request, _guarded(work, permission), scope=scope)


def refusal(shape: dict[str, Any]) -> web.Response:
    """422, with more than a sentence."""
    return respond.json(shape, status=422)


def _guarded(work: Work, permission: Permission) -> respond.Work:
    def guarded(tx: Connection, call: Call) -> Any:
        who = call.credentials
        if who is None or not roles.may(who.role, permission):
            raise Forbidden("This action is not allowed")
        return work(tx, call, Staff(who.person_id, who.actor_id, who.role, call.now))

    return guarded
