"""Keys: ours, sealed under the instance secret; other people's, as their actor documents list them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import BigInteger, Connection, Row, bindparam, delete, select
from sqlalchemy.dialects import postgresql

from fediverse import ids
from fediverse.clock import Instant
from fediverse.db import Dialect, Prepared
from fediverse.drafts import KeyDraft
from fediverse.errors import NotFound
from fediverse.signatures import (
    PrivateKey,
    SignatureError,
    decrypt_private,
    encrypt_private,
    generate_ed25519,
    generate_rsa,
    load_private,
    load_public,
)
from fediverse.tables.actors import actor_keys

MAX_KEYS = 8
"""Keys that are kept of a remote actor; nobody has more than two or three."""


_DROP = delete(actor_keys).where(
    actor_keys.c.actor_id == bindparam("actor", type_=BigInteger),
    actor_keys.c.key_uri.not_in(bindparam("listed", expanding=True)),
)


def _build_put(sql: Dialect) -> postgresql.Insert:
    statement = sql(actor_keys)
    given = statement.excluded
    return statement.on_conflict_do_update(
        index_elements=["key_uri"],
        set_={name: given[name] for name in ("algorithm", "public_key", "fetched_at")},
        where=actor_keys.c.actor_id == given.actor_id,
    )


_PUT = Prepared(_build_put)


@dataclass(frozen=True, slots=True)
class LocalKeys:
    """The keys of an actor that is about to be made here: private and public text of each."""

    rsa: tuple[str, str]
    ed25519: tuple[str, str]


def make_keys() -> LocalKeys:
    """New keys. Takes about 40 ms of CPU, so call it in a thread and outside of any transaction."""
    return LocalKeys(generate_rsa(), generate_ed25519())


def add_local(tx: Connection, actor_id: int, keys: LocalKeys, *, secret: bytes, now: Instant) -> None:
    """The actor has these keys; the private ones are stored sealed."""
    rows = [
        {
            "id": ids.new_id(),
            "actor_id": actor_id,
            "algorithm": algorithm,
            "public_key": public,
            "private_key": encrypt_private(secret, private),
            "fetched_at": now,
        }
        for algorithm, (private, public) in (("rsa", keys.rsa), ("ed25519", keys.ed25519))
    ]
    tx.execute(actor_keys.insert(), rows)


def keys_of(tx: Connection, actor_id: int) -> Sequence[Row[Any]]:
    """All public keys of an actor, RSA first."""
    rows = tx.execute(select(actor_keys).where(actor_keys.c.actor_id == actor_id).order_by(actor_keys.c.id)).all()
    return sorted(rows, key=lambda row: row.algorithm != "rsa")


def key_by_uri(tx: Connection, key_uri: str) -> Row[Any] | None:
    """The remote key that is published under this id."""
    return tx.execute(select(actor_keys).where(actor_keys.c.key_uri == key_uri)).one_or_none()


def signing_key(tx: Connection, actor_id: int, secret: bytes, algorithm: str = "rsa") -> PrivateKey:
    """The private key with which a local actor signs.

    Raises NotFound when the actor has none, KeySealed when it was sealed under another secret.
    """
    token = tx.scalar(
        select(actor_keys.c.private_key).where(
            actor_keys.c.actor_id == actor_id,
            actor_keys.c.algorithm == algorithm,
            actor_keys.c.private_key.is_not(None),
        )
    )
    if token is None:
        raise NotFound("This account has no key to sign with: it is not an account of this server.")
    return load_private(decrypt_private(secret, token))


def replace_remote(tx: Connection, actor_id: int, keys: Sequence[KeyDraft], *, now: Instant) -> None:
    """The actor has exactly these keys: what its document no longer lists does not count any more.

    Keys that nothing can be verified with are not stored. A key id that another actor lists stays that actor's: it
    came there first, and its own document names it.
    """
    usable = {key.uri: key for key in keys[:MAX_KEYS] if _is_usable(key)}
    tx.execute(_DROP, {"actor": actor_id, "listed": list(usable)})
    rows = [
        {
            "id": ids.new_id(),
            "actor_id": actor_id,
            "key_uri": key.uri,
            "algorithm": key.algorithm,
            "public_key": key.public_key,
            "fetched_at": now,
        }
        for key in usable.values()
    ]
    if rows:
        tx.execute(_PUT(tx), rows)


def _is_usable(key: KeyDraft) -> bool:
    try:
        load_public(key.public_key)
    except SignatureError:
        return False
    return True
