"""Files of people here: taken, made harmless, stored. Owner of the tables ``pictures`` and ``attachments``.

Pictures of actors and of the instance are here; what belongs to posts is in ``attachments`` and ``uploads``.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

from sqlalchemy import Connection, Row, delete, select

from fediverse import clock, jobs
from fediverse.db import Database
from fediverse.media import attachments, emojis, uploads
from fediverse.media.cache import RemoteFiles
from fediverse.media.pictures import MAX_BYTES, MAX_PIXELS, Kind, Picture, prepare, sniff
from fediverse.media.storage import PictureStore, content_type, is_key, new_key
from fediverse.tables.instance import pictures

__all__ = [
    "MAX_BYTES",
    "MAX_PIXELS",
    "Kind",
    "Picture",
    "PictureStore",
    "RemoteFiles",
    "attachments",
    "content_type",
    "discard_picture",
    "find",
    "forget",
    "is_key",
    "is_shown",
    "job_kinds",
    "prepare",
    "sniff",
    "store_emoji",
    "store_picture",
    "uploads",
]

_DELETE: Final = "pictures.delete"


async def store_picture(db: Database, store: PictureStore, data: bytes, *, kind: Kind) -> str:
    """The picture is stored, and can be fetched from ``/media/`` and the key that is returned.

    Raises TooLarge, UnsupportedType or Invalid for what is not taken (see :func:`prepare`).
    """
    async with store.turn:
        picture = await asyncio.to_thread(prepare, data, kind)
    key = new_key(picture.extension)
    await store.put(key, picture.data, content_type=picture.content_type)
    await db.write(_add, key, picture)
    return key


async def store_emoji(db: Database, store: PictureStore, data: bytes) -> tuple[str, str]:
    """The picture of an emoji is stored; returns its key, and that of a still one, which may be the same.

    Raises TooLarge, UnsupportedType or Invalid for what is not taken (see :func:`emojis.prepare`).
    """
    async with store.turn:
        made = await asyncio.to_thread(emojis.prepare, data)
    stored: dict[int, str] = {}
    for picture in made:
        if id(picture) not in stored:
            key = stored[id(picture)] = new_key(picture.extension)
            await store.put(key, picture.data, content_type=picture.content_type)
            await db.write(_add, key, picture)
    return stored[id(made[0])], stored[id(made[1])]


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


def job_kinds(db: Database, store: PictureStore, workplace: Path) -> dict[str, jobs.Job]:
    """The work that is left for later, by kind. ``workplace`` is a folder for files that are worked on."""

    converting = asyncio.Semaphore(1)  # more would take every core

    async def delete_file(payload: Mapping[str, Any]) -> None:
        await store.delete(str(payload["key"]))

    async def delete_files(payload: Mapping[str, Any]) -> None:
        await store.delete(*payload["keys"])

    async def convert(payload: Mapping[str, Any]) -> None:
        async with converting:
            await uploads.convert(db, store, workplace, payload["id"])

    async def purge(payload: Mapping[str, Any]) -> None:
        while await db.write(attachments.purge, payload["actor_id"]):
            continue

    return {
        _DELETE: delete_file,
        attachments.DELETE_FILES: delete_files,
        attachments.CONVERT: convert,
        attachments.PURGE: purge,
    }


def find(tx: Connection, key: str) -> Row[Any] | None:
    """What is known of a stored picture."""
    return tx.execute(select(pictures).where(pictures.c.storage_key == key)).first() if is_key(key) else None


def is_shown(tx: Connection, key: str) -> bool:
    """Whether anybody may have the file with this storage key."""
    return find(tx, key) is not None or (is_key(key) and attachments.is_shown(tx, key))


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
