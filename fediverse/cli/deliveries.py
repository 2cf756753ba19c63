"""``fediverse delivery``: what waits for other servers, and what could not be delivered."""

from __future__ import annotations

import click
from sqlalchemy import Connection

from fediverse import clock, moderation
from fediverse.cli.context import run, settings_for
from fediverse.outbox import deliveries, hosts
from fediverse.text import fold_host


@click.group()
def delivery() -> None:
    """Activities on their way to other servers."""


@delivery.command("list")
@click.argument("host", required=False)
def list_(host: str | None) -> None:
    """Show for which servers something waits or has failed for good, or just for HOST."""
    rows = run(settings_for(), deliveries.backlogs, fold_host(host) if host else None)
    if not rows:
        click.echo("Nothing waits, and nothing has failed.")
    for row in rows:
        line = (row.host, f"{row.waiting} waiting", f"{row.dead} failed", " ".join(row.error.split())[:200])
        click.echo("\t".join(part for part in line if part))


@delivery.command()
@click.argument("host")
def replay(host: str) -> None:
    """Try again what has failed for HOST, as far as it has not expired."""
    count = run(settings_for(), _replay, fold_host(host))
    click.echo(f"{count} deliveries to {host} are tried again.")


def _replay(tx: Connection, host: str) -> int:
    now = clock.now()
    count = deliveries.replay(tx, host, now=now)
    hosts.heard_from(tx, host, now=now)
    moderation.audit(tx, None, action="delivery.replay", target=host, detail=str(count), now=now)
    return count


@delivery.command()
@click.argument("host")
@click.confirmation_option("--yes", prompt="Forget everything that HOST did not get yet?")
def drop(host: str) -> None:
    """Forget everything that waits for HOST or has failed."""
    count = run(settings_for(), _drop, fold_host(host))
    click.echo(f"{count} deliveries to {host} are forgotten.")


def _drop(tx: Connection, host: str) -> int:
    count = deliveries.drop_host(tx, host)
    moderation.audit(tx, None, action="delivery.drop", target=host, detail=str(count), now=clock.now())
    return count
