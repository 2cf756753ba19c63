"""``fediverse domain``: whole servers blocked, limited, listed."""

from __future__ import annotations

import click

from fediverse import clock, moderation
from fediverse.admin import domains
from fediverse.cli.context import run, settings_for


@click.group()
def domain() -> None:
    """Other servers, with all their subdomains."""


@domain.command()
@click.argument("host")
@click.option("--comment", default="", help="Why, for those who look at the list later.")
def block(host: str, comment: str) -> None:
    """Refuse everything from and to HOST."""
    folded = run(settings_for(), domains.block, host, severity="block", comment=comment, now=clock.now())
    click.echo(f"{folded} is blocked.")


@domain.command()
@click.argument("host")
@click.option("--comment", default="", help="Why, for those who look at the list later.")
def limit(host: str, comment: str) -> None:
    """Keep HOST out of public timelines; its people reach only those who follow them."""
    folded = run(settings_for(), domains.block, host, severity="limit", comment=comment, now=clock.now())
    click.echo(f"{folded} is limited.")


@domain.command()
@click.argument("host")
def unblock(host: str) -> None:
    """Hold nothing against HOST any more."""
    if run(settings_for(), moderation.unblock_host, host, now=clock.now()):
        click.echo(f"{host} is neither blocked nor limited any more.")
    else:
        click.echo(f"{host} was neither blocked nor limited.")


@domain.command("list")
def list_() -> None:
    """Show all blocked and limited servers."""
    rows = run(settings_for(), moderation.list_hosts)
    if not rows:
        click.echo("No server is blocked or limited.")
    for row in rows:
        rejected = ", ".join(
            what for what, flag in (("media", row.reject_media), ("reports", row.reject_reports)) if flag
        )
        line = (row.severity, row.host, f"no {rejected}" if rejected and row.severity != "block" else "", row.comment)
        click.echo("\t".join(part for part in line if part))
