"""Pictures of actors and of the instance: taken, made harmless, stored. Owner of the table ``pictures``."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import Any, Final

from sqlalchemy import Connection, Row, delete, select

from fediverse import clock, jobs
from fediverse.db import Database
from fediverse.media.pictures import MAX_BYTES, MAX_PIXELS, Kind, Picture, prepare, sniff
from fediverse.media.storage import PictureStore, is_key, new_key
from fediverse.tables.instance import pictures

__all__ = [
    "MAX_BYTES",
    "MAX_PIXELS",
    "Kind",
    "Picture",
    "PictureStore",
    "discard_picture",
    "find",
    "forget",
    "is_key",
    "job_kinds",
    "prepare",
    "sniff",
    "store_picture",
]

# Decoding takes memory by the hundred megabytes; one at a time is enough.
_DECODING: Final = asyncio.Semaphore(1)
_DELETE: Final = "pictures.delete"


async def store_picture(db: Database, store: PictureStore, data: bytes, *, kind: Kind) -> str:
    """The picture is stored, and can be fetched from ``/media/`` and the key that is returned.

    Raises TooLarge, UnsupportedType or Invalid for what is not taken (see :func:`prepare`).
    """
    async with _DECODING:
        picture = await asyncio.to_thread(prepare, data, kind)
    key = new_key(picture.extension)
    await store.put(key, picture.data, content_type=picture.content_type)
    await db.write(_add, key, picture)
    return key


async def discard_picture(db: Database, store: PictureStore, key: str | None) -> None:
    """The picture is gone from the database and from storage; without a key nothing happens."""
    if key and is_key(key):
        await db.write(_forget, key)
        await store.delete(key)


def forget(tx: Connection, key: str | None) -> None:
    """The picture is shown no more; a job deletes its file. Without a key nothing happens."""
    if key and is_key(key):
        _forget(tx, key)
        jobs.enqueue(tx, _DELETE, {"key": key})


def job_kinds(store: PictureStore) -> dict[str, jobs.Job]:
    """The work that is left for later, by kind."""

    async def delete_file(payload: Mapping[str, Any]) -> None:
        await store.delete(str(payload["key"]))

    return {_DELETE: delete_file}


def find(tx: Connection, key: str) -> Row[Any] | None:
    """What is known of a stored picture."""
    return tx.execute(select(pictures).where(pictures.c.storage_key == key)).first() if is_key(key) else None


def _add(tx: Connection, key: str, picture: Picture) -> None:
    tx.execute(
        pictures.insert().values(
            storage_key=key,
            content_type=picture.content_type,
            width=picture.width,
            height=picture.height,
            size=len(picture.data),
            created_at=clock.now(),
        )
    )


def _forget(tx: Connection, key: str) -> None:
    tx.execute(delete(pictures).where(pictures.c.storage_key == key))
