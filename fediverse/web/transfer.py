"""Settings: taking follows, blocks, mutes, lists, bookmarks and blocked domains along, from here and to here."""

from __future__ import annotations

from typing import Any, Final, cast

from aiohttp import hdrs, web
from sqlalchemy import Connection

from fediverse.errors import FediverseError, Invalid, NotFound, TooLarge
from fediverse.transfer import exporting, formats, imports
from fediverse.transfer.formats import FORMATS, Kind
from fediverse.web import render
from fediverse.web.visit import Visit, form, read, see_other, write

routes = web.RouteTableDef()

_WORDS: Final[dict[Kind, str]] = {
    "following": "Accounts that you follow",
    "blocks": "Accounts that you block",
    "mutes": "Accounts that you mute",
    "lists": "Your lists",
    "bookmarks": "Your bookmarks",
    "domain_blocks": "Domains that you block",
}


@routes.get("/settings/transfer")
async def show(request: web.Request) -> web.Response:
    """What can be taken along, and the imports so far."""
    return await _page(request)


@routes.get("/settings/transfer/{file}")
async def export(request: web.Request) -> web.Response:
    """One of the files."""
    kind = next((kind for kind, shape in FORMATS.items() if shape.file == request.match_info["file"]), None)
    if kind is None:
        raise NotFound("There is no such file.")

    def work(tx: Connection, visit: Visit) -> str:
        return formats.write(kind, (entry.row for entry in exporting.entries(tx, visit.urls, visit.me.id, kind)))

    _, text = await read(request, work)
    headers = {
        hdrs.CONTENT_DISPOSITION: f'attachment; filename="{FORMATS[kind].file}"',
        hdrs.CACHE_CONTROL: "private, no-store",
    }
    return web.Response(text=text, content_type="text/csv", charset="utf-8", headers=headers)


@routes.post("/settings/transfer")
async def begin(request: web.Request) -> web.Response:
    """The file is taken in, bit by bit."""
    sent = await form(request)
    kind, upload = sent.text("kind"), sent.upload("file")
    overwrite = sent.text("mode") == "overwrite"
    try:
        if kind not in FORMATS:
            raise Invalid("Say what is in the file.")
        rows = formats.read(cast(Kind, kind), upload.read() if upload is not None else b"")
        await write(
            request,
            lambda tx, visit: imports.begin(
                tx, visit.me.id, cast(Kind, kind), rows, overwrite=overwrite, now=visit.now
            ),
        )
    except (Invalid, TooLarge) as error:
        return await _page(request, error=error)
    return see_other("/settings/transfer?saved=1")


async def _page(request: web.Request, *, error: FediverseError | None = None) -> web.Response:
    def find(tx: Connection, visit: Visit) -> tuple[Any, dict[int, list[str]]]:
        found = imports.of_actor(tx, visit.me.id)
        failed: dict[int, list[str]] = {row.id: [] for row in found}
        for row in imports.failures(tx, [one.id for one in found if one.failed]):
            what = " ".join(str(row.data[name]) for name in ("list", "acct", "uri", "domain") if name in row.data)
            failed[row.import_id].append(f"{what[:200]}: {row.problem}")
        return found, failed

    visit, (found, failed) = await read(request, find)
    return render.page(
        visit,
        "settings_transfer.html",
        status=error.status if error is not None else 200,
        kinds=[(kind, words, FORMATS[kind].file) for kind, words in _WORDS.items()],
        words=_WORDS,
        imports=found,
        failed=failed,
        problem=error.message if error is not None else "",
        message="The import has begun. This page tells how far it is." if "saved" in request.query else "",
    )
