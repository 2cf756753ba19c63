"""The pages, in the order in which their addresses are tried."""

from __future__ import annotations

import asyncio
from collections import Counter
from typing import Final

from aiohttp import web

from fediverse import keys
from fediverse.media import PictureStore, RemoteFiles
from fediverse.web import (
    about,
    account,
    actions,
    connected,
    consent,
    entrance,
    feeds,
    following,
    home,
    joining,
    limits,
    links,
    pictures,
    public,
    render,
    searching,
    settings,
    static,
    transfer,
    writing,
)

# Feeds before profiles: "/@name.atom" would be the profile of somebody called so.
_ROOMS: Final = (
    static,
    pictures,
    feeds,
    following,
    actions,
    public,
    home,
    writing,
    searching,
    about,
    entrance,
    links,
    joining,
    consent,
    settings,
    account,
    connected,
    transfer,
)


def add_routes(app: web.Application) -> None:
    """The application has the pages, their templates, their files and the pictures."""
    app[keys.TEMPLATES] = render.environment()
    if keys.PICTURES not in app:
        app[keys.PICTURES] = PictureStore(app[keys.SETTINGS].media)
    app[keys.REMOTE_FILES] = RemoteFiles(
        app[keys.SETTINGS].data_dir.resolve() / "cache",
        max_bytes=app[keys.SETTINGS].media_cache_mb * 1024 * 1024,
        max_seconds=app[keys.SETTINGS].media_cache_days * 24 * 60 * 60,
    )
    app[limits.UNDER_WAY] = Counter()
    app[limits.PATIENCE] = asyncio.sleep
    for room in _ROOMS:
        app.add_routes(room.routes)
