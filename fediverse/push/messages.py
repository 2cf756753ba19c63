"""What a device is told of a notification, and how it is encrypted for nobody but the device."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

import orjson
from sqlalchemy import Row

from fediverse import text
from fediverse.clock import DAY, SECOND
from fediverse.entities import NotificationView
from fediverse.site import Site

#: How long a push service keeps a message for a device that is off.
LIFETIME: Final = 2 * DAY
_BODY: Final = 140
_NAME: Final = 60
# Push services take 4096 bytes; encryption adds some 100 to these.
_MOST_BYTES: Final = 3500
_TITLES: Final = {
    "mention": "{name} mentioned you",
    "quote": "{name} quoted you",
    "status": "{name} posted",
    "reblog": "{name} boosted your post",
    "follow": "{name} follows you now",
    "follow_request": "{name} asks to follow you",
    "favourite": "{name} likes your post",
    "poll": "A poll has ended",
    "update": "{name} edited a post",
    "quoted_update": "{name} edited a post that you quoted",
    "moderation_warning": "A moderator has written to you",
    "severed_relationships": "Some of your relations have ended",
    "admin.sign_up": "{name} signed up",
    "admin.report": "{name} sent a report",
}


def payload(view: NotificationView, site: Site, *, access_token: str, locale: str) -> bytes:
    """The message, in the words that Mastodon's apps expect."""
    row, sender = view.notification, view.account
    name = sender.name or f"@{site.urls.acct(sender.username, sender.host)}"
    message = {
        "access_token": access_token,
        "preferred_locale": locale or "en",
        # A number, unlike ids elsewhere: apps read it as one.
        "notification_id": row.id,
        "notification_type": row.kind,
        "icon": site.avatar_url(sender),
        "title": _TITLES.get(row.kind, "{name}").format(name=_cut(name, _NAME)),
        "body": _body(view),
    }
    encoded = orjson.dumps(message)
    if len(encoded) > _MOST_BYTES:  # a picture with a long address
        encoded = orjson.dumps({**message, "icon": site.static("avatar.png")})
    return encoded


def _body(view: NotificationView) -> str:
    """What the post says, or warns of; of a person, how they describe themselves."""
    if view.status is None:
        return _cut(text.plain(view.account.summary), _BODY)
    post = (view.status.boost or view.status).status
    return _cut(post.spoiler_text or post.title or text.plain(post.content), _BODY)


def _cut(words: str, length: int) -> str:
    short = " ".join(words.split())
    return short if len(short) <= length else f"{short[: length - 1].rstrip()}…"


@dataclass(frozen=True, slots=True)
class Message:
    """What is to be posted to an endpoint."""

    body: bytes
    headers: Mapping[str, str]


def sealed(subscription: Row[Any], plain: bytes, *, jwt: str, public_key: str) -> Message:
    """The message encrypted for the device: by RFC 8291, or by the draft that apps of old speak.

    Raises whatever encryption raises for keys that are none.
    """
    from pywebpush import WebPusher  # noqa: PLC0415 heavy, and needed only where devices subscribe

    encoding = "aes128gcm" if subscription.standard else "aesgcm"
    keys = {"p256dh": subscription.p256dh, "auth": subscription.auth}
    encrypted = WebPusher({"endpoint": subscription.endpoint, "keys": keys}).encode(plain, encoding)
    headers = {
        "Content-Type": "application/octet-stream",
        "Content-Encoding": encoding,
        "TTL": str(LIFETIME // SECOND),
        "Urgency": "normal",
    }
    if subscription.standard:
        headers["Authorization"] = f"vapid t={jwt},k={public_key}"
    else:
        headers["Authorization"] = f"WebPush {jwt}"
        headers["Encryption"] = f"salt={encrypted['salt'].decode()}"
        headers["Crypto-Key"] = f"dh={encrypted['crypto_key'].decode()};p256ecdsa={public_key}"
    return Message(encrypted["body"], headers)
