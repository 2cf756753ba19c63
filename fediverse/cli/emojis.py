"""``fediverse emoji``: this instance's own emoji."""

from __future__ import annotations

import asyncio
from pathlib import Path

import click
from sqlalchemy import Connection

from fediverse import clock, emojis, media, moderation
from fediverse.cli.context import migrate, require_current, run, settings_for
from fediverse.db import open_database
from fediverse.errors import NotFound
from fediverse.settings import Settings


@click.group()
def emoji() -> None:
    """Pictures that people here write as a word between colons."""


@emoji.command()
@click.argument("shortcode")
@click.argument("file", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option("--category", default="", help="Under which heading it is offered.")
def add(shortcode: str, file: Path, category: str) -> None:
    """Add the picture in FILE (PNG, GIF or WebP, 256 KB at most) as :SHORTCODE:, also in the place of an older one."""
    name = emojis.check_shortcode(shortcode)
    settings = settings_for()
    if settings.is_sqlite:
        migrate(settings)
    asyncio.run(_store(settings, name, file.read_bytes(), category))
    click.echo(f":{name}: is there.")


async def _store(settings: Settings, name: str, data: bytes, category: str) -> None:
    database = open_database(settings.database)
    try:
        await require_current(database)
        picture, still = await media.store_emoji(database, media.PictureStore(settings.media), data)
        await database.write(_add, name, picture, still, category)
    finally:
        await database.close()


def _add(tx: Connection, name: str, picture: str, still: str, category: str) -> None:
    now = clock.now()
    emojis.add(tx, name, picture=picture, still=still, category=category, now=now)
    moderation.audit(tx, None, action="emoji.add", target=name, now=now)


@emoji.command("list")
def list_() -> None:
    """Show all emoji."""
    for row in run(settings_for(), emojis.everything):
        click.echo("\t".join(part for part in (f":{row.shortcode}:", row.category) if part))


@emoji.command()
@click.argument("shortcode")
def remove(shortcode: str) -> None:
    """Let nobody use :SHORTCODE: any more. What was posted with it keeps it."""
    run(settings_for(), _remove, shortcode)
    click.echo(f":{shortcode.strip(':')}: is gone.")


def _remove(tx: Connection, shortcode: str) -> None:
    if not emojis.remove(tx, shortcode):
        raise NotFound(f"There is no emoji :{shortcode.strip(':')}:.")
    moderation.audit(tx, None, action="emoji.remove", target=shortcode.strip(":"), now=clock.now())
