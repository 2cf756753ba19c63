"""``fediverse db``: migrations."""

from __future__ import annotations

import click

from fediverse import migrations
from fediverse.cli.context import migrate, settings_for


@click.group()
def db() -> None:
    """The database's schema."""


@db.command()
def upgrade() -> None:
    """Bring the database to this program's revision. Safe to run again."""
    if migrate(settings_for()):
        click.echo(f"The database is now at revision {migrations.HEAD}.")
    else:
        click.echo(f"The database is at revision {migrations.HEAD} already.")
