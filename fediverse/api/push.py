"""Web push: the one device that a token belongs to."""

from __future__ import annotations

from typing import Any

from aiohttp import web
from sqlalchemy import Connection, Row

from fediverse import entities, keys, params
from fediverse.api import respond
from fediverse.api.respond import NOT_FOUND, Call
from fediverse.errors import Invalid, NotFound
from fediverse.params import Params
from fediverse.push import subscriptions
from fediverse.push.subscriptions import ALERTS, Device
from fediverse.remote import RemoteError

routes = web.RouteTableDef()
_PATH = "/api/v1/push/subscription"


@routes.post(_PATH)
async def subscribe(request: web.Request) -> web.Response:
    """The token's device is told of these notifications from now on."""
    token = respond.require_token(request)
    sent = await params.read(request)
    device, data = _device(sent), sent.object("data")
    alerts, policy = _alerts(data), data.text("policy") or "all"
    # Names are looked up for those only who may subscribe.
    await respond.read(request, lambda _tx, _call: {}, scope="push")
    try:
        await request.app[keys.REMOTE].check(device.endpoint)
    except RemoteError as error:
        raise Invalid(f"“subscription[endpoint]” cannot be called: {error.message}") from error
    secret = request.app[keys.SETTINGS].secret

    def work(tx: Connection, call: Call) -> dict[str, Any]:
        row = subscriptions.subscribe(
            tx,
            device,
            token_id=call.token_id,
            actor_id=call.actor_id,
            access_token=token,
            secret=secret,
            alerts=alerts or (),
            policy=policy,
            now=call.now,
        )
        return _entity(row, call)

    return await respond.write(request, work, scope="push")


def _device(sent: Params) -> Device:
    subscription = sent.object("subscription")
    device_keys = subscription.object("keys")
    return Device(
        endpoint=subscription.text("endpoint").strip(),
        p256dh=device_keys.text("p256dh"),
        auth=device_keys.text("auth"),
        standard=subscription.flag("standard"),
    )


def _alerts(data: Params) -> list[str] | None:
    """The kinds that are asked for; None when nothing is said of them."""
    if not data.has("alerts"):
        return None
    alerts = data.object("alerts")
    return [kind for kind in ALERTS if alerts.flag(kind)]


@routes.get(_PATH)
async def show(request: web.Request) -> web.Response:
    """What the token's device is told of."""

    def work(tx: Connection, call: Call) -> dict[str, Any]:
        return _found(subscriptions.get(tx, call.token_id), call)

    return await respond.read(request, work, scope="push")


@routes.put(_PATH)
async def change(request: web.Request) -> web.Response:
    """The token's device is told of other notifications, or from other people."""
    sent = await params.read(request)
    data = sent.object("data")
    alerts, policy = _alerts(data), data.text("policy") or sent.text("policy") or None

    def work(tx: Connection, call: Call) -> dict[str, Any]:
        return _found(subscriptions.change(tx, call.token_id, alerts=alerts, policy=policy), call)

    return await respond.write(request, work, scope="push")


@routes.delete(_PATH)
async def unsubscribe(request: web.Request) -> web.Response:
    """The token's device is told nothing any more."""

    def work(tx: Connection, call: Call) -> dict[str, Any]:
        subscriptions.unsubscribe(tx, call.token_id)
        return {}

    return await respond.write(request, work, scope="push")


def _found(row: Row[Any] | None, call: Call) -> dict[str, Any]:
    if row is None:
        raise NotFound(NOT_FOUND)
    return _entity(row, call)


def _entity(row: Row[Any], call: Call) -> dict[str, Any]:
    return entities.push_subscription(row, call.site, ALERTS)
