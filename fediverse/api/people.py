"""Finding people: the directory, and suggestions whom to follow."""

from __future__ import annotations

from typing import Any, Final, Literal

from aiohttp import web
from sqlalchemy import Connection

from fediverse import entities, suggestions
from fediverse.api import respond
from fediverse.api.respond import Call, path_id
from fediverse.errors import Invalid
from fediverse.params import query

routes = web.RouteTableDef()

_LIMIT: Final = (40, 80)
_OFFSET: Final = 10_000


@routes.get("/api/v1/directory")
async def directory(request: web.Request) -> web.Response:
    """Accounts that want to be found: ``order`` active or new, ``local`` for those of this server."""
    asked = query(request)
    wanted = asked.text("order") or "active"
    if wanted not in {"active", "new"}:
        raise Invalid("The order is active or new.")
    order: Literal["active", "new"] = "new" if wanted == "new" else "active"
    local = asked.flag("local")
    limit = asked.integer("limit", _LIMIT[0], low=1, high=_LIMIT[1])
    offset = asked.integer("offset", 0, low=0, high=_OFFSET)

    def work(tx: Connection, call: Call) -> list[dict[str, Any]]:
        found = suggestions.directory(
            tx, order=order, local=local, limit=limit, offset=offset, viewer_id=call.viewer_id, now=call.now
        )
        return [entities.account(row, call.site) for row in found]

    return await respond.read(request, work, scope="", anonymous=True)


def _suggested(request: web.Request, tx: Connection, call: Call) -> list[suggestions.Suggestion]:
    asked = query(request)
    limit = asked.integer("limit", _LIMIT[0], low=1, high=_LIMIT[1])
    offset = asked.integer("offset", 0, low=0, high=_OFFSET)
    return suggestions.suggest(tx, call.actor_id, limit=limit, offset=offset, now=call.now)


@routes.get("/api/v2/suggestions")
async def suggest(request: web.Request) -> web.Response:
    """Whom the account may want to follow, and why."""

    def work(tx: Connection, call: Call) -> list[dict[str, Any]]:
        found = _suggested(request, tx, call)
        return [entities.suggestion(one.actor, one.sources, call.site) for one in found]

    return await respond.read(request, work, scope="read:accounts")


@routes.get("/api/v1/suggestions")
async def suggest_accounts(request: web.Request) -> web.Response:
    """The same, as accounts."""

    def work(tx: Connection, call: Call) -> list[dict[str, Any]]:
        return [entities.account(one.actor, call.site) for one in _suggested(request, tx, call)]

    return await respond.read(request, work, scope="read:accounts")


@routes.delete("/api/v1/suggestions/{account_id}")
async def dismiss(request: web.Request) -> web.Response:
    """An account is not suggested any more."""
    target_id = path_id(request, "account_id")

    def work(tx: Connection, call: Call) -> dict[str, Any]:
        suggestions.dismiss(tx, call.actor_id, target_id, now=call.now)
        return {}

    # Mastodon asks for no more than reading here, so clients hold no more.
    return await respond.write(request, work, scope=("write:accounts", "read:accounts"))
