"""What requests say of files: which ones a post has, how they are described, and where to look in them."""

from __future__ import annotations

import binascii
import math
from base64 import b64decode
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

from aiohttp import web
from sqlalchemy import Connection

from fediverse import keys
from fediverse.api.limits import count_file
from fediverse.errors import FediverseError, Invalid
from fediverse.media import attachments, uploads
from fediverse.params import Params, read_id

_MAX_IDS: Final = 40
_NOT_THERE: Final = "A file of this post does not exist, or belongs to another post already. Upload it anew."
_FOCUS: Final = "The focus is two numbers from -1 to 1 with a comma between, such as 0.0,0.5."


@dataclass(frozen=True, slots=True)
class Change:
    """What is said anew of a file that a post has or gets; None for what stays."""

    id: int
    description: str | None = None
    focus: Sequence[float] | None = None
    thumbnail: bytes | None = None


def media_ids(sent: Params) -> tuple[int, ...]:
    """The files that the post shall have. Raises Invalid for what can be the id of none."""
    found = [read_id(word) for word in sent.words("media_ids", most=_MAX_IDS) if word]
    if None in found:
        raise Invalid(_NOT_THERE)
    return tuple(dict.fromkeys(number for number in found if number is not None))


def description(sent: Params) -> str | None:
    """The description, where one was sent; an empty one takes it away. Raises Invalid for one that is too long."""
    return attachments.check_description(sent.text("description")) if sent.has("description") else None


def focus(sent: Params) -> tuple[float, float] | None:
    """The focal point, where one was sent. Raises Invalid for what is none."""
    word = sent.text("focus").strip()
    if not word:
        return None
    try:
        x, y = (float(part) for part in word.split(","))
    except ValueError:
        raise Invalid(_FOCUS) from None
    if not (math.isfinite(x) and math.isfinite(y)):
        raise Invalid(_FOCUS)
    return round(max(-1.0, min(x, 1.0)), 4), round(max(-1.0, min(y, 1.0)), 4)


def changes(sent: Params) -> list[Change]:
    """What ``media_attributes`` says. Raises Invalid for what cannot be said."""
    found = []
    for entry in sent.objects("media_attributes", most=_MAX_IDS):
        number = read_id(entry.text("id"))
        if number is None:
            raise Invalid(_NOT_THERE)
        found.append(Change(number, description(entry), focus(entry), _thumbnail(entry)))
    return found


def _thumbnail(entry: Params) -> bytes | None:
    """A picture as a file of a form, or as a data: URL."""
    upload = entry.upload("thumbnail")
    if upload is not None:
        return upload.read() or None
    word = entry.text("thumbnail")
    if not word:
        return None
    head, _, data = word.partition(",")
    try:
        if head.startswith("data:") and head.endswith(";base64"):
            return b64decode(data, validate=True)
    except binascii.Error:
        pass
    raise Invalid("Send the thumbnail as a file of a multipart form, or as a data: URL in base64.")


async def store_previews(request: web.Request, actor_id: int, wanted: Sequence[Change]) -> dict[int, dict[str, Any]]:
    """The thumbnails that were sent are stored; what ``attachments.change`` takes, by the file's id.

    Raises Invalid for what is no picture, TooManyRequests for more than the account may have decoded; then none is.
    """
    app = request.app
    store, workplace = app[keys.PICTURES], app[keys.SETTINGS].workplace
    sent = {change.id: change.thumbnail for change in wanted if change.thumbnail is not None}
    made: dict[int, dict[str, Any]] = {}
    try:
        for file_id, thumbnail in sent.items():
            count_file(request, actor_id)
            with uploads.workplace(workplace) as place:
                source = place / "source"
                source.write_bytes(thumbnail)
                made[file_id] = await uploads.store_preview(store, source)
    except FediverseError:
        await drop_previews(app, made)
        raise
    return made


async def drop_previews(app: web.Application, previews: dict[int, dict[str, Any]]) -> None:
    """The thumbnails, which nobody shall see after all, are gone."""
    await app[keys.PICTURES].delete(*(preview["key"] for preview in previews.values()))


def apply(
    tx: Connection, actor_id: int, status_id: int, wanted: Sequence[Change], previews: dict[int, dict[str, Any]]
) -> None:
    """The files of the post, and loose ones of its author, are described as they shall be. Raises Invalid."""
    rows = attachments.own(tx, [change.id for change in wanted], actor_id)
    for change in wanted:
        row = rows.get(change.id)
        if row is None or row.status_id not in (None, status_id):
            raise Invalid(_NOT_THERE)
        attachments.change(tx, row, description=change.description, focus=change.focus, preview=previews.get(change.id))
