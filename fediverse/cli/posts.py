"""``fediverse status``: posts, as moderators deal with them."""

from __future__ import annotations

import click
from sqlalchemy import Connection

from fediverse import clock, moderation, statuses
from fediverse.actors import directory
from fediverse.cli.context import run, settings_for
from fediverse.errors import NotFound
from fediverse.urls import Urls


@click.group()
def status() -> None:
    """Single posts."""


@status.command()
@click.argument("url")
@click.confirmation_option("--yes", prompt="Delete this post for good?")
def delete(url: str) -> None:
    """Delete the post at URL (its page or its id), and tell other servers if it is ours."""
    settings = settings_for()
    run(settings, _delete, settings.urls, url)
    click.echo("The post is deleted.")


def _delete(tx: Connection, urls: Urls, url: str) -> None:
    row = statuses.by_uri(tx, urls, url)
    author = directory.by_id(tx, row.author_id) if row is not None else None
    if row is None or author is None or row.deleted_at is not None:
        raise NotFound("There is no such post here.")
    now = clock.now()
    statuses.delete(tx, urls, row, author=author, now=now)
    moderation.audit(tx, None, action="status.delete", target=url, now=now)
