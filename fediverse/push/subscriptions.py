"""Which devices are told of which notifications. Owner of the table ``push_subscriptions``."""

from __future__ import annotations

import binascii
from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Any, Final

from cryptography.hazmat.primitives.asymmetric.ec import SECP256R1, EllipticCurvePublicKey
from sqlalchemy import Connection, Row, delete, select, update

from fediverse import ids
from fediverse.clock import Instant
from fediverse.db import insert
from fediverse.errors import Invalid
from fediverse.signatures import sealing
from fediverse.tables.access import oauth_tokens
from fediverse.tables.push import push_subscriptions as table

#: The kinds of notifications that a device can be told of.
ALERTS: Final = (
    "mention",
    "quote",
    "status",
    "reblog",
    "follow",
    "follow_request",
    "favourite",
    "poll",
    "update",
    "quoted_update",
    "moderation_warning",
    "severed_relationships",
    "admin.sign_up",
    "admin.report",
)
POLICIES: Final = ("all", "followed", "follower", "none")
#: Devices of one actor; whoever subscribes one more ends the oldest subscription.
MOST: Final = 40
# Push services that say no this often in a row mean it.
_REFUSALS: Final = 10
_POINT_BYTES: Final = 65
_AUTH_BYTES: Final = 16
_PURPOSE: Final = b"fediverse: access tokens of push subscriptions, AES-256-GCM, v1"


@dataclass(frozen=True, slots=True)
class Device:
    """Where a device is reached, and what is encrypted with."""

    endpoint: str
    p256dh: str
    auth: str
    standard: bool = False


def subscribe(
    tx: Connection,
    device: Device,
    *,
    token_id: int,
    actor_id: int,
    access_token: str,
    secret: bytes,
    alerts: Collection[str],
    policy: str,
    now: Instant,
) -> Row[Any]:
    """The device is told of these kinds of notifications, instead of the one that the token had before.

    Raises Invalid for keys that nothing can be encrypted with.
    """
    values = {
        "actor_id": actor_id,
        "endpoint": device.endpoint,
        "p256dh": _key(device.p256dh),
        "auth": _auth(device.auth),
        "access_token": sealing.encrypt_private(secret, access_token, purpose=_PURPOSE),
        "standard": device.standard,
        "alerts": _alerts(alerts),
        "policy": _policy(policy),
        "created_at": now,
    }
    unsubscribe(tx, token_id)  # and what is on its way to it
    row = tx.execute(
        insert(tx, table)
        .values(id=ids.new_id(), token_id=token_id, **values)
        # Another request of the same client was faster.
        .on_conflict_do_update(index_elements=["token_id"], set_={**values, "refusals": 0})
        .returning(*table.c)
    ).one()
    oldest = select(table.c.id).where(table.c.actor_id == actor_id).order_by(table.c.id.desc()).offset(MOST).limit(1)
    tx.execute(delete(table).where(table.c.actor_id == actor_id, table.c.id <= oldest.scalar_subquery()))
    return row


def get(tx: Connection, token_id: int) -> Row[Any] | None:
    """The token's subscription."""
    return tx.execute(select(table).where(table.c.token_id == token_id)).first()


def change(
    tx: Connection, token_id: int, *, alerts: Collection[str] | None = None, policy: str | None = None
) -> Row[Any] | None:
    """The token's device is told of these kinds, from these people; None without a subscription."""
    values: dict[str, Any] = {}
    if alerts is not None:
        values["alerts"] = _alerts(alerts)
    if policy is not None:
        values["policy"] = _policy(policy)
    if values:
        tx.execute(update(table).where(table.c.token_id == token_id).values(**values))
    return get(tx, token_id)


def unsubscribe(tx: Connection, token_id: int) -> None:
    """The token has no subscription, and nothing is on its way."""
    tx.execute(delete(table).where(table.c.token_id == token_id))


def end(tx: Connection, subscription_ids: Sequence[int]) -> None:
    """These subscriptions are over: their devices are gone."""
    if subscription_ids:
        tx.execute(delete(table).where(table.c.id.in_(subscription_ids)))


def answered(tx: Connection, *, well: Collection[int], refused: Collection[int]) -> None:
    """Which subscriptions took what was sent, and which did not; those that never do are over."""
    if well:
        tx.execute(update(table).where(table.c.id.in_(well), table.c.refusals > 0).values(refusals=0))
    if refused:
        tx.execute(update(table).where(table.c.id.in_(refused)).values(refusals=table.c.refusals + 1))
        tx.execute(delete(table).where(table.c.id.in_(refused), table.c.refusals >= _REFUSALS))


def sweep(tx: Connection) -> None:
    """Subscriptions of revoked tokens are gone; nothing was sent to them any more."""
    revoked = select(oauth_tokens.c.id).where(oauth_tokens.c.revoked_at.is_not(None))
    tx.execute(delete(table).where(table.c.token_id.in_(revoked)))


def token_of(row: Row[Any], secret: bytes) -> str:
    """The access token that the device knows. Raises KeySealed when it does not open."""
    return sealing.decrypt_private(secret, row.access_token, purpose=_PURPOSE)


def decode(text: str) -> bytes:
    """The bytes of base64, in either alphabet, padded or not. Raises ValueError."""
    plain = text.strip().rstrip("=").replace("+", "-").replace("/", "_")
    try:
        return urlsafe_b64decode(plain + "=" * (-len(plain) % 4))
    except binascii.Error as error:
        raise ValueError(str(error)) from error


def encode(raw: bytes) -> str:
    """Bytes as base64url without padding."""
    return urlsafe_b64encode(raw).rstrip(b"=").decode()


def _key(text: str) -> str:
    try:
        raw = decode(text)
        if len(raw) != _POINT_BYTES:
            raise ValueError("not an uncompressed point")
        EllipticCurvePublicKey.from_encoded_point(SECP256R1(), raw)
    except ValueError as error:
        raise Invalid("“subscription[keys][p256dh]” must be a public key on the curve P-256, as base64url.") from error
    return encode(raw)


def _auth(text: str) -> str:
    try:
        raw = decode(text)
    except ValueError:
        raw = b""
    if len(raw) != _AUTH_BYTES:
        raise Invalid(f"“subscription[keys][auth]” must be {_AUTH_BYTES} bytes, as base64url.")
    return encode(raw)


def _alerts(alerts: Collection[str]) -> list[str]:
    return [kind for kind in ALERTS if kind in alerts]


def _policy(policy: str) -> str:
    if policy not in POLICIES:
        raise Invalid(f"“data[policy]” must be one of {', '.join(POLICIES)}.")
    return policy
