"""Files of a multipart form while they arrive: each on the disk, none larger than is taken of it."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final, NamedTuple

from aiohttp import BodyPartReader, web
from aiohttp.http_exceptions import HttpProcessingError

from fediverse import params
from fediverse.errors import BadRequest, Invalid, Unavailable
from fediverse.params import Params

_MAX_PARTS: Final = 40
_MAX_TEXT: Final = 64 * 1024
_CHUNK: Final = 256 * 1024
_UNREADABLE: Final = "The multipart form cannot be read."


class Received(NamedTuple):
    """What a request holds."""

    sent: Params
    files: dict[str, Path]


async def receive(request: web.Request, folder: Path, limits: Mapping[str, int]) -> Received:
    """The parameters of the request, and the files of those fields that ``limits`` names with their most bytes.

    Each file is called ``source``, in a folder of its own in ``folder``; an empty one is none. Raises BadRequest for
    what cannot be read, Invalid for what is too large.
    """
    if not request.content_type.startswith("multipart/"):
        return Received(await params.read(request), {})
    files: dict[str, Path] = {}
    pairs: list[tuple[str, Any]] = []
    try:
        reader = await request.multipart()
        while (part := await reader.next()) is not None:
            if not isinstance(part, BodyPartReader) or not part.name or len(files) + len(pairs) >= _MAX_PARTS:
                raise BadRequest(_UNREADABLE)
            if part.name in limits:
                path = folder / part.name / "source"
                path.parent.mkdir(exist_ok=True)
                if await _write(part, path, limits[part.name]):
                    files[part.name] = path
            else:
                pairs.append((part.name, await _text(part)))
    except (ValueError, AssertionError, RuntimeError, LookupError, HttpProcessingError) as error:
        raise BadRequest(_UNREADABLE) from error
    return Received(params.from_parts(request, pairs), files)


async def _write(part: BodyPartReader, path: Path, most: int) -> int:
    """How many bytes were written."""
    size = 0
    with path.open("wb") as file:
        while chunk := await part.read_chunk(_CHUNK):
            size += len(chunk)
            if size > most:
                raise Invalid(f"The file is larger than {most >> 20} MB. Make it smaller and try again.")
            try:
                await asyncio.to_thread(file.write, chunk)
            except OSError as error:
                raise Unavailable("There is no room for the file just now. Please try again later.") from error
    return size


async def _text(part: BodyPartReader) -> str:
    text = b""
    while chunk := await part.read_chunk():
        text += chunk
        if len(text) > _MAX_TEXT:
            raise Invalid("A field of the form is too long.")
    return text.decode("utf-8", "replace")
