"""An upload on its way: looked into, stored, and converted later where browsers cannot play it as it is."""

from __future__ import annotations

import asyncio
import shutil
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

from sqlalchemy import Row

from fediverse import clock, decoding, ids
from fediverse.db import Database
from fediverse.errors import Invalid
from fediverse.media import attachments
from fediverse.media.storage import UPLOAD, PictureStore, content_type, new_key

_LOOK_SECONDS: Final = 60.0
_CONVERT_SECONDS: Final = 60 * 60.0
_LEFT_SECONDS: Final = 3 * _CONVERT_SECONDS


@contextmanager
def workplace(folder: Path) -> Iterator[Path]:
    """A folder of one's own for files that are worked on, beside the data: ``/tmp`` may be memory."""
    folder.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=folder) as made:
        yield Path(made)


def tidy(folder: Path, *, now: float) -> None:
    """What a process that was killed has left in the workplace is gone."""
    if folder.exists():
        for left in folder.iterdir():
            if left.stat().st_mtime < now - _LEFT_SECONDS:
                shutil.rmtree(left, ignore_errors=True)


async def store_upload(
    db: Database,
    store: PictureStore,
    source: Path,
    *,
    actor_id: int,
    thumbnail: Path | None = None,
    description: str = "",
    focus: Sequence[float] | None = None,
) -> Row[Any]:
    """The file is stored and known: a picture is ready, everything else is processed soon.

    Works beside ``source``, in its folder. Raises Invalid for what is not taken.
    """
    description = attachments.check_description(description)
    async with store.turn:
        found = await decoding.run("look", seconds=_LOOK_SECONDS, source=str(source), folder=str(source.parent))
    is_picture = found["type"] == "image"
    key = new_key(found["original"]["extension"] if is_picture else found["extension"])
    values: dict[str, Any] = {
        "id": ids.new_id(),
        "actor_id": actor_id,
        "kind": found["type"],
        "state": "ready" if is_picture else "processing",
        "storage_key": key,
        "description": description,
        "meta": _meta(key, found["original"] if is_picture else found, focus),
        "plan": {} if is_picture else {name: found[name] for name in _PLANNED if name in found},
        "source_key": None if is_picture else new_key(UPLOAD),
    }
    values["loose_since"] = values["created_at"] = clock.now()
    stored: list[str] = []
    try:
        if is_picture:
            await _store(store, key, source.parent / "original", stored)
        else:
            await _store(store, values["source_key"], source, stored)
        preview = await _preview(store, source.parent, found, thumbnail, stored)
        if preview is not None:
            values |= {"preview_key": preview["key"], "blurhash": preview["blurhash"]}
            values["meta"]["small"] = preview["small"]
        return await db.write(attachments.put, values)
    except BaseException:
        await store.delete(*stored)
        raise


_PLANNED: Final = ("type", "reader", "video", "audio", "extension", "rotation", "duration")


async def store_preview(store: PictureStore, source: Path) -> dict[str, Any]:
    """The picture is stored as a preview; returns its key, size and blurred placeholder. Raises Invalid."""
    async with store.turn:
        found = await decoding.run("preview", seconds=_LOOK_SECONDS, source=str(source), folder=str(source.parent))
    key = new_key(found["small"]["extension"])
    await store.put(key, source.parent / "small", content_type=content_type(key))
    return {"key": key, "blurhash": found["blurhash"], "small": _size(found["small"])}


async def convert(db: Database, store: PictureStore, folder: Path, attachment_id: int) -> None:
    """The upload is a file that browsers play, or failed; nothing happens when it is gone or done already.

    Done again from its beginning when it was interrupted: the file always gets the same key.
    """
    row = await db.read(attachments.by_id, attachment_id)
    if row is None or row.state != "processing" or row.source_key is None:
        return
    with workplace(folder) as place:
        source, target = place / "source", place / "target"
        with source.open("wb") as file:
            async for chunk in store.read(row.source_key, 0, await store.size(row.source_key)):
                await asyncio.to_thread(file.write, chunk)
        try:
            found = await decoding.run(
                "convert", seconds=_CONVERT_SECONDS, source=str(source), target=str(target), plan=row.plan
            )
        except Invalid as error:
            await db.write(attachments.converted, row.id, error=error.message)
            return
        await store.put(row.storage_key, target, content_type=content_type(row.storage_key))
    if not await db.write(attachments.converted, row.id, facts=_meta(row.storage_key, found, None)):
        await store.delete(row.storage_key)


async def _preview(
    store: PictureStore, folder: Path, found: Mapping[str, Any], thumbnail: Path | None, stored: list[str]
) -> dict[str, Any] | None:
    if thumbnail is not None:
        made = await store_preview(store, thumbnail)
        stored.append(made["key"])
        return made
    if "small" not in found:
        return None
    key = new_key(found["small"]["extension"])
    await _store(store, key, folder / "small", stored)
    return {"key": key, "blurhash": found["blurhash"], "small": _size(found["small"])}


async def _store(store: PictureStore, key: str, path: Path, stored: list[str]) -> None:
    await store.put(key, path, content_type=content_type(key))
    stored.append(key)


def _meta(key: str, found: Mapping[str, Any], focus: Sequence[float] | None) -> dict[str, Any]:
    """The facts of a file that are kept with it."""
    meta = {name: found[name] for name in _FACTS if found.get(name)}
    meta["media_type"] = content_type(key)
    if focus is not None:
        meta["focus"] = list(focus)
    return meta


_FACTS: Final = (
    *("width", "height", "size", "duration", "frame_rate", "bitrate"),
    *("audio_encode", "audio_bitrate", "audio_channels"),
)


def _size(small: Mapping[str, Any]) -> list[int]:
    return [small["width"], small["height"]]
