"""Files of other servers that the proxy keeps for a while: in a folder, bounded in size and age.

Nothing hangs on them: what is gone is fetched again. Processes of one machine share the folder.
"""

from __future__ import annotations

import asyncio
import hashlib
import time
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager
from pathlib import Path
from typing import Final, NamedTuple

from fediverse.decoding import HEAD_BYTES, shown_as
from fediverse.errors import NotFound
from fediverse.limited import SingleFlight
from fediverse.media.storage import UPLOAD, PictureStore
from fediverse.media.uploads import workplace

PICTURE_BYTES: Final = 10 * 1024 * 1024
CLIP_BYTES: Final = 100 * 1024 * 1024
"""Bytes of a video or sound; as much as most servers take."""

_FETCHES: Final = 32
_NOT_SHOWN: Final = "This file is none that can be shown here."
_TOO_LARGE: Final = "This file is too large to be shown here."

Fetch = Callable[[], AbstractAsyncContextManager[AsyncIterator[bytes]]]


class Kept(NamedTuple):
    """A file that is here."""

    key: str
    media_type: str
    size: int


class RemoteFiles:
    """The folder. ``max_bytes`` and ``max_seconds`` say when files go: the oldest first."""

    def __init__(self, folder: Path, *, max_bytes: int, max_seconds: float) -> None:
        self._store = PictureStore(str(folder))
        self._workplace = folder.with_name(f"{folder.name}-new")
        self._max_bytes, self._max_seconds = max_bytes, max_seconds
        self._flights: SingleFlight[str, Kept] = SingleFlight()
        self._written = 0
        # Of the fetches that this process may have under way most stay free for what federation needs.
        self._fetching = asyncio.Semaphore(_FETCHES)

    async def find(self, url: str) -> Kept | None:
        """The file of this address, if it is here."""
        key = _key(url)
        try:
            size = await self._store.size(key)
            head = b"".join([chunk async for chunk in self._store.read(key, 0, min(size, HEAD_BYTES))])
        except NotFound:
            return None
        kind = shown_as(head)
        return Kept(key, kind, size) if kind is not None else None

    async def fetch(self, url: str, fetch: Fetch) -> Kept:
        """The file of this address is here, fetched once for all who wait for it.

        Raises NotFound for what is no picture, video or sound, or too large; and what ``fetch`` raises.
        """
        return await self._flights.do(url, lambda: self._fetch(_key(url), fetch))

    def read(self, kept: Kept, start: int, end: int) -> AsyncIterator[bytes]:
        """Yield the bytes of a file from ``start`` up to ``end``."""
        return self._store.read(kept.key, start, end)

    async def evict(self, *, now: float | None = None) -> int:
        """What is too old is gone, and of the rest the oldest until all fits; returns how many files went."""
        self._written = 0
        files = sorted(await self._store.entries(), key=lambda entry: entry[2], reverse=True)
        oldest, room, gone = (time.time() if now is None else now) - self._max_seconds, self._max_bytes, []
        for key, size, at in files:
            room -= size
            if at < oldest or room < 0:
                gone.append(key)
        await self._store.delete(*gone)
        return len(gone)

    async def _fetch(self, key: str, fetch: Fetch) -> Kept:
        async with self._fetching:
            kept = await self._stored(key, fetch)
        self._written += kept.size
        if self._written > self._max_bytes // 16:
            await self.evict()
        return kept

    async def _stored(self, key: str, fetch: Fetch) -> Kept:
        with workplace(self._workplace) as place:
            path = place / key
            async with fetch() as chunks:
                kind, size = await _write(path, chunks)
            await self._store.put(key, path, content_type=kind)
        return Kept(key, kind, size)


async def _write(path: Path, chunks: AsyncIterator[bytes]) -> tuple[str, int]:
    """The media type and size of the file that was written. What its first bytes refuse is read no further."""
    size, most, kind, head = 0, PICTURE_BYTES, None, b""
    with path.open("wb") as file:
        async for chunk in chunks:
            size += len(chunk)
            if kind is None:
                head += chunk[: HEAD_BYTES - len(head)]
                if len(head) >= HEAD_BYTES:
                    kind = _kind(head)
                    most = PICTURE_BYTES if kind.startswith("image/") else CLIP_BYTES
            if size > most:
                raise NotFound(_TOO_LARGE)
            await asyncio.to_thread(file.write, chunk)
    return kind or _kind(head), size


def _kind(head: bytes) -> str:
    kind = shown_as(head)
    if kind is None:
        raise NotFound(_NOT_SHOWN)
    return kind


def _key(url: str) -> str:
    return f"{hashlib.sha256(url.encode()).hexdigest()[:32]}.{UPLOAD}"
