"""The command line. It is fixed: others script against it.

This is the only place where settings are read. Every refusal is a sentence on standard error and exit status 1.
"""

from __future__ import annotations

import sys

import click

from fediverse.cli.accounts import account, token
from fediverse.cli.announcements import announcement
from fediverse.cli.audit import audit
from fediverse.cli.check import check
from fediverse.cli.database import db
from fediverse.cli.deliveries import delivery
from fediverse.cli.emojis import emoji
from fediverse.cli.hosts import domain
from fediverse.cli.instance import instance
from fediverse.cli.posts import status
from fediverse.cli.serve import serve, work
from fediverse.errors import FediverseError
from fediverse.settings import SettingsError


@click.group(context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
@click.version_option(package_name="fediverse")
def cli() -> None:
    """A company's own microblog on the open social web."""


for command in (serve, work, db, check, account, token, domain, status, instance, audit, delivery, announcement, emoji):
    cli.add_command(command)


def main() -> None:
    """Runs the command; what a user can mend is told in a sentence, without a traceback."""
    try:
        cli(prog_name="fediverse")
    except (SettingsError, FediverseError) as error:
        click.echo(f"fediverse: {error}", err=True)
        sys.exit(1)
