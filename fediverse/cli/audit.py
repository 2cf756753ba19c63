"""``fediverse audit``: who did what to whom."""

from __future__ import annotations

import click

from fediverse import clock, moderation
from fediverse.cli.context import run, settings_for


@click.command()
@click.option("--limit", default=100, show_default=True, type=click.IntRange(1, 100_000), help="How many, at most.")
def audit(limit: int) -> None:
    """Show what moderators and the command line did, the latest first."""
    rows = run(settings_for(), moderation.audited, limit=limit)
    if not rows:
        click.echo("Nothing was done yet.")
    for row in rows:
        who = row.email or ("somebody who is gone" if row.person_id is not None else "the command line")
        line = (clock.rfc3339(row.created_at), who, row.action, row.target, row.detail)
        click.echo("\t".join(part for part in line if part))
