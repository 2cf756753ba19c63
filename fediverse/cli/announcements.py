"""``fediverse announcement``: what everybody here is told."""

from __future__ import annotations

import sys
from datetime import datetime

import click
from sqlalchemy import Connection

from fediverse import announcements, clock, moderation
from fediverse.announcements import Draft
from fediverse.cli.context import run, settings_for

_WHEN = click.DateTime(["%Y-%m-%d", "%Y-%m-%dT%H:%M", "%Y-%m-%d %H:%M"])


@click.group()
def announcement() -> None:
    """What everybody here is told."""


@announcement.command()
@click.argument("text")
@click.option("--starts", type=_WHEN, help="When what it is about begins (UTC).")
@click.option("--ends", type=_WHEN, help="When that ends; the announcement is not shown any more then.")
@click.option("--all-day", is_flag=True, help="The days count, not the hours.")
def create(text: str, starts: datetime | None, ends: datetime | None, all_day: bool) -> None:
    """Announce TEXT (- for standard input); its addresses become links."""
    draft = Draft(
        text=sys.stdin.read() if text == "-" else text,
        starts_at=clock.from_datetime(starts) if starts is not None else None,
        ends_at=_end(ends, all_day=all_day) if ends is not None else None,
        all_day=all_day,
    )
    click.echo(f"Announcement {run(settings_for(), _create, draft)} is published.")


def _end(ends: datetime, *, all_day: bool) -> int:
    """The last instant of a day that is meant as a whole."""
    return clock.from_datetime(ends) + (clock.DAY - clock.SECOND if all_day else 0)


def _create(tx: Connection, draft: Draft) -> int:
    now = clock.now()
    row = announcements.create(tx, draft, now=now)
    moderation.audit(tx, None, action="announcement.create", target=str(row.id), detail=row.text[:500], now=now)
    return int(row.id)


@announcement.command("list")
def list_() -> None:
    """Show all announcements."""
    for row in run(settings_for(), announcements.everything):
        ends = f"until {clock.rfc3339(row.ends_at)}" if row.ends_at is not None else ""
        click.echo("\t".join(part for part in (str(row.id), " ".join(row.text.split()), ends) if part))


@announcement.command()
@click.argument("number", type=click.IntRange(0, (1 << 63) - 1))
def delete(number: int) -> None:
    """Withdraw the announcement with this NUMBER."""
    run(settings_for(), _delete, number)
    click.echo("The announcement is withdrawn.")


def _delete(tx: Connection, number: int) -> None:
    announcements.remove(tx, number)
    moderation.audit(tx, None, action="announcement.delete", target=str(number), now=clock.now())
