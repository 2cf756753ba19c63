"""Where pictures are kept: a folder or a bucket, by one URL, behind obstore."""

from __future__ import annotations

import re
import secrets
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from fediverse.errors import NotFound, Unavailable

if TYPE_CHECKING:
    from obstore.store import ObjectStore

# Made here, never taken from a caller's file name: what does not look like this is in no storage.
_KEY: Final = re.compile(r"[0-9a-f]{32}\.(?:jpg|png)")
_NO_PICTURE: Final = "There is no such picture."


def new_key(extension: str) -> str:
    """A storage key that nobody can guess."""
    return f"{secrets.token_hex(16)}.{extension}"


def is_key(key: str) -> bool:
    """Whether this could be the key of a stored picture."""
    return _KEY.fullmatch(key) is not None


@dataclass(slots=True)
class PictureStore:
    """A folder's path or an S3-compatible bucket's URL, opened when it is first needed."""

    url: str
    _opened: ObjectStore | None = None

    async def put(self, key: str, data: bytes, *, content_type: str) -> None:
        """The picture is stored under the key. Raises Unavailable when the storage does not take it."""
        import obstore  # noqa: PLC0415 heavy, and rarely needed

        store = self._store()
        # A folder keeps no attributes, and refuses to be given any.
        attributes = None if "://" not in self.url else {"Content-Type": content_type}
        try:
            await obstore.put_async(store, key, data, attributes=attributes)
        except (obstore.exceptions.BaseError, OSError) as error:
            raise Unavailable("The picture cannot be stored just now. Please try again later.") from error

    async def get(self, key: str) -> bytes:
        """The bytes under the key. Raises NotFound when there are none, Unavailable when the storage is away."""
        import obstore  # noqa: PLC0415 heavy, and rarely needed

        if not is_key(key):
            raise NotFound(_NO_PICTURE)
        try:
            found = await obstore.get_async(self._store(), key)
            return bytes(await found.bytes_async())
        except FileNotFoundError as error:
            raise NotFound(_NO_PICTURE) from error
        except (obstore.exceptions.BaseError, OSError) as error:
            raise Unavailable("The picture cannot be read just now. Please try again later.") from error

    async def delete(self, key: str) -> None:
        """Nothing is stored under the key. What cannot be deleted now is not worth a failed request."""
        import obstore  # noqa: PLC0415 heavy, and rarely needed

        try:
            await obstore.delete_async(self._store(), key)
        except (FileNotFoundError, obstore.exceptions.BaseError, OSError):
            return

    def _store(self) -> ObjectStore:
        if self._opened is None:
            from obstore.store import LocalStore, from_url  # noqa: PLC0415 heavy, and rarely needed

            if "://" in self.url:
                self._opened = from_url(self.url)
            else:
                self._opened = LocalStore(self.url, mkdir=True)
        return self._opened
