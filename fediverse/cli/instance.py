"""``fediverse instance``: how the instance presents itself."""

from __future__ import annotations

from datetime import datetime
from typing import IO, Any

import click
from sqlalchemy import Connection

from fediverse import clock, moderation
from fediverse import instance as properties
from fediverse.actors import directory
from fediverse.cli.context import run, settings_for
from fediverse.errors import NotFound

_PROPERTIES = ("name", "description", "contact-email", "contact", "colour", "languages", "domain-blocks")
_TEXTS = ("extended-description", "privacy-policy", "terms-of-service", "rules")


@click.group()
def instance() -> None:
    """The instance's name, its looks and its texts."""


@instance.command()
def show() -> None:
    """Show how the instance presents itself."""
    for name, value in run(settings_for(), _show).items():
        click.echo(f"{name}: {value}")


def _show(tx: Connection) -> dict[str, str]:
    info = properties.get(tx)
    contact = directory.by_id(tx, info.contact_actor_id) if info.contact_actor_id is not None else None
    found = {
        "name": info.name,
        "description": info.description,
        "contact-email": info.contact_email,
        "contact": contact.username if contact is not None else "",
        "colour": info.colour,
        "languages": ", ".join(info.languages),
        "domain-blocks": info.domain_blocks,
        "rules": " / ".join(info.rules),
    }
    for name in _TEXTS[:3]:
        dates = [version["effective"] for version in properties.texts(tx, name.replace("-", "_"))]  # type: ignore[arg-type]
        found[name] = ", ".join(dates) if dates else "none"
    return found


@instance.command("set")
@click.argument("name", type=click.Choice(_PROPERTIES))
@click.argument("value")
def set_(name: str, value: str) -> None:
    """Set a property: a contact by user name, languages by their codes with commas, domain-blocks (who may see which
    servers are blocked) to nobody, users or everybody."""
    run(settings_for(), _set, name, value)
    click.echo(f"{name} is set.")


def _set(tx: Connection, name: str, value: str) -> None:
    changed: dict[str, Any] = {name.replace("-", "_"): value}
    if name == "languages":
        changed = {"languages": tuple(value.split(","))}
    elif name == "contact":
        changed = {"contact_actor_id": _local(tx, value) if value else None}
    properties.update(tx, **changed)
    moderation.audit(tx, None, action="instance.set", target=name, detail=value[:500], now=clock.now())


def _local(tx: Connection, name: str) -> int:
    row = directory.by_handle(tx, name.removeprefix("@"), "")
    if row is None or row.deleted_at is not None:
        raise NotFound(f"There is no account “{name}” here.")
    return int(row.id)


@instance.command()
@click.argument("name", type=click.Choice(_TEXTS))
@click.argument("file", type=click.File(encoding="utf-8"))
@click.option("--effective", type=click.DateTime(["%Y-%m-%d"]), help="The day from which terms of service hold.")
def text(name: str, file: IO[str], effective: datetime | None) -> None:
    """Set a text from FILE (- for standard input): paragraphs, lines that begin with # as headings, with - as lists;
    of rules each line is one. An empty file takes the text away."""
    there = run(settings_for(), _set_text, name, file.read(), effective)
    click.echo(f"The {name} is set." if there else f"The {name} is gone.")


def _set_text(tx: Connection, name: str, source: str, effective: datetime | None) -> bool:
    now = clock.now()
    moderation.audit(tx, None, action="instance.text", target=name, now=now)
    if name == "rules":
        return bool(properties.update(tx, rules=tuple(source.splitlines())).rules)
    day = effective.date() if effective is not None else None
    which: Any = name.replace("-", "_")
    return properties.set_text(tx, which, source, effective=day, now=now)
