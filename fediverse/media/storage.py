"""Where files are kept: a folder or a bucket, by one URL, behind obstore.

By its synchronous calls in threads: an asynchronous one that ends in the moment in which the process does aborts it.
"""

from __future__ import annotations

import asyncio
import re
import secrets
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Final

from fediverse.errors import NotFound, Unavailable

if TYPE_CHECKING:
    from obstore.store import ObjectStore

#: What files are served as, by their extension. An upload that waits for its conversion is served to nobody.
TYPES: Final = {
    "jpg": "image/jpeg",
    "png": "image/png",
    "webp": "image/webp",
    "mp4": "video/mp4",
    "mp3": "audio/mpeg",
    "m4a": "audio/mp4",
}
UPLOAD: Final = "upload"
CHUNK: Final = 1024 * 1024

# Made here, never taken from a caller's file name: what does not look like this is in no storage.
_KEY: Final = re.compile(rf"[0-9a-f]{{32}}\.(?:{'|'.join((*TYPES, UPLOAD))})")
_NO_FILE: Final = "There is no such picture."
_PART: Final = 5 * 1024 * 1024  # the least that buckets take


def new_key(extension: str) -> str:
    """A storage key that nobody can guess."""
    return f"{secrets.token_hex(16)}.{extension}"


def is_key(key: str) -> bool:
    """Whether this could be the key of a stored file."""
    return _KEY.fullmatch(key) is not None


def content_type(key: str) -> str:
    """The media type of a stored file, by its key."""
    return TYPES.get(key.rpartition(".")[2], "application/octet-stream")


@dataclass(slots=True)
class PictureStore:
    """A folder's path or an S3-compatible bucket's URL, opened when it is first needed."""

    url: str
    #: Decoding takes memory by the hundred megabytes; one at a time is enough.
    turn: asyncio.Semaphore = field(default_factory=lambda: asyncio.Semaphore(1), repr=False)
    _opened: ObjectStore | None = None

    async def put(self, key: str, data: bytes | Path, *, content_type: str) -> None:
        """The bytes, or those of a file, are stored under the key. Raises Unavailable when they are not taken."""
        # A folder keeps no attributes, and refuses to be given any.
        await asyncio.to_thread(self._put, key, data, None if self.is_folder else {"Content-Type": content_type})

    async def get(self, key: str) -> bytes:
        """The bytes under the key. Raises NotFound when there are none, Unavailable when the storage is away."""
        return b"".join([chunk async for chunk in self.read(key, 0, await self.size(key))])

    async def size(self, key: str) -> int:
        """How many bytes are under the key. Raises as ``get`` does."""
        return await asyncio.to_thread(self._size, key)

    async def read(self, key: str, start: int, end: int) -> AsyncIterator[bytes]:
        """Yield the bytes from ``start`` up to ``end``, a chunk at a time. Raises as ``get`` does."""
        while start < end:
            chunk = await asyncio.to_thread(self._range, key, start, min(start + CHUNK, end))
            start += len(chunk)
            yield chunk

    async def entries(self) -> list[tuple[str, int, float]]:
        """Key, size and time of storage (seconds since 1970) of everything here. Raises Unavailable."""
        return await asyncio.to_thread(self._list)

    async def delete(self, *keys: str) -> None:
        """Nothing is stored under the keys. What cannot be deleted now is not worth a failed request."""
        if keys:
            await asyncio.to_thread(self._delete, keys)

    def _put(self, key: str, data: bytes | Path, attributes: dict[str, str] | None) -> None:
        import obstore  # noqa: PLC0415 heavy, and rarely needed

        with _translated():
            # In parts, a few at a time: a large file is never in memory as a whole.
            obstore.put(self._store(), key, data, attributes=attributes, chunk_size=_PART, max_concurrency=2)

    def _size(self, key: str) -> int:
        import obstore  # noqa: PLC0415 heavy, and rarely needed

        _check(key)
        with _translated():
            return int(obstore.head(self._store(), key)["size"])

    def _range(self, key: str, start: int, end: int) -> bytes:
        import obstore  # noqa: PLC0415 heavy, and rarely needed

        _check(key)
        with _translated():
            return bytes(obstore.get_range(self._store(), key, start=start, end=end))

    def _list(self) -> list[tuple[str, int, float]]:
        import obstore  # noqa: PLC0415 heavy, and rarely needed

        with _translated():
            return [
                (entry["path"], entry["size"], entry["last_modified"].timestamp())
                for entry in obstore.list(self._store()).collect()
            ]

    def _delete(self, keys: tuple[str, ...]) -> None:
        import obstore  # noqa: PLC0415 heavy, and rarely needed

        for key in keys:
            try:
                obstore.delete(self._store(), key)
            except (FileNotFoundError, obstore.exceptions.BaseError, OSError):
                continue

    @property
    def is_folder(self) -> bool:
        """Whether the files are in a folder of this machine."""
        return "://" not in self.url

    def _store(self) -> ObjectStore:
        if self._opened is None:
            from obstore.store import LocalStore, from_url  # noqa: PLC0415 heavy, and rarely needed

            self._opened = LocalStore(self.url, mkdir=True) if self.is_folder else from_url(self.url)
        return self._opened


def _check(key: str) -> None:
    if not is_key(key):
        raise NotFound(_NO_FILE)


@contextmanager
def _translated() -> Iterator[None]:
    """What obstore raises becomes an error that can be told."""
    import obstore  # noqa: PLC0415 heavy, and rarely needed

    try:
        yield
    except FileNotFoundError as error:
        raise NotFound(_NO_FILE) from error
    except (obstore.exceptions.BaseError, OSError) as error:
        raise Unavailable("Files cannot be stored or read just now. Please try again later.") from error
