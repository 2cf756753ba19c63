"""``fediverse account`` and ``fediverse token``."""

from __future__ import annotations

import sys
from typing import Any, Literal

import click
from sqlalchemy import Connection, Row

from fediverse import access, clock, letters, moderation
from fediverse.actors import closing, directory, people
from fediverse.actors.directory import LocalKeys
from fediverse.admin import actions
from fediverse.cli.context import run, settings_for
from fediverse.errors import NotFound
from fediverse.settings import Settings


@click.group()
def account() -> None:
    """Accounts of this instance."""


@account.command()
@click.argument("name")
@click.option("--email", required=True, help="The person's e-mail address.")
@click.option("--password-stdin", is_flag=True, help="Read the password from standard input.")
@click.option("--invite", is_flag=True, help="Print a one-time link by which the person chooses a password.")
@click.option("--role", type=click.Choice(people.ROLES), default="user", show_default=True)
@click.option("--bot", is_flag=True, help="The account posts by itself.")
def create(name: str, email: str, password_stdin: bool, invite: bool, role: people.Role, bot: bool) -> None:
    """Create a person, the actor NAME, and let the one speak as the other."""
    if password_stdin == invite:
        raise click.UsageError("Give either --password-stdin or --invite.")
    settings = settings_for()
    hashed = access.passwords.hash_password(_password()) if password_stdin else ""
    made = directory.make_keys()
    link = run(settings, _create, settings, name, email=email, hashed=hashed, role=role, bot=bot, made=made)
    click.echo(f"Created @{settings.urls.handle(name)}.")
    if link:
        click.echo(f"To choose a password: {settings.base_url}/invite?token={link}")


def _create(
    tx: Connection,
    settings: Settings,
    name: str,
    *,
    email: str,
    hashed: str,
    role: people.Role,
    bot: bool,
    made: LocalKeys,
) -> str | None:
    now = clock.now()
    kind: Literal["Person", "Service"] = "Service" if bot else "Person"
    actor = directory.create_local(tx, username=name, kind=kind, keys=made, secret=settings.secret, now=now)
    person = people.create_person(tx, email=email, password_hash=hashed, role=role, now=now)
    people.join(tx, person.id, actor.id, now=now)
    moderation.audit(tx, None, action="account.create", target=name, now=now)
    return None if hashed else access.create_link(tx, "invite", person_id=person.id, now=now)


def _password() -> str:
    line = sys.stdin.readline().rstrip("\r\n")
    if not line:
        raise click.UsageError("Standard input holds no password.")
    return line


@account.command("list")
def list_() -> None:
    """Show all accounts."""
    for row in run(settings_for(), people.everybody):
        waiting = "waiting for confirmation" if row.confirmed_at is None else "waiting for approval"
        here = row.confirmed_at is not None and row.approved_at is not None
        state = "suspended" if row.suspended_at else "active" if here else waiting
        click.echo(f"{row.username or '-'}\t{row.email}\t{row.role}\t{state}")


@account.command()
@click.argument("name")
def show(name: str) -> None:
    """Show one account."""
    settings = settings_for()
    actor, person = run(settings, _find, name)
    facts = {
        "handle": f"@{settings.urls.handle(actor.username)}",
        "name": actor.name,
        "kind": actor.kind,
        "e-mail": person.email if person is not None else "-",
        "role": person.role if person is not None else "-",
        "posts": actor.statuses_count,
        "followers": actor.followers_count,
        "following": actor.following_count,
        "locked": "yes" if actor.locked else "no",
        "created": clock.rfc3339(actor.created_at),
        "suspended": clock.rfc3339(actor.suspended_at) if actor.suspended_at else "no",
    }
    for label, value in facts.items():
        click.echo(f"{label + ':':<11} {value}")


def _find(tx: Connection, name: str) -> tuple[Row[Any], Row[Any] | None]:
    actor = directory.local(tx, name.removeprefix("@"))
    if actor is None or actor.deleted_at is not None:
        raise NotFound(f"There is no account {name} here: 'fediverse account list' shows all.")
    return actor, people.by_actor(tx, actor.id)


@account.command()
@click.argument("name")
def approve(name: str) -> None:
    """Let NAME in, who asked for an account."""
    run(settings_for(), _approve, name)
    click.echo(f"{name} is approved.")


def _approve(tx: Connection, name: str) -> None:
    now = clock.now()
    actor, person = _find(tx, name)
    if person is None:
        raise NotFound(f"Nobody signs in as {name}.")
    people.approve(tx, person.id, now=now)
    letters.approved(tx, person.id)
    moderation.audit(tx, None, action="account.approve", target=actor.username, now=now)


@account.command()
@click.argument("name")
def suspend(name: str) -> None:
    """Shut NAME out and hide its posts, until it is unsuspended."""
    run(settings_for(), _suspend, name, suspended=True)
    click.echo(f"{name} is suspended.")


@account.command()
@click.argument("name")
def unsuspend(name: str) -> None:
    """Let NAME in again."""
    run(settings_for(), _suspend, name, suspended=False)
    click.echo(f"{name} is not suspended.")


def _suspend(tx: Connection, name: str, *, suspended: bool) -> None:
    now = clock.now()
    actor, person = _find(tx, name)
    (actions.suspend if suspended else actions.unsuspend)(tx, actor, person, by=None, now=now)


@account.command("role")
@click.argument("name")
@click.argument("role", type=click.Choice(people.ROLES))
def set_role(name: str, role: people.Role) -> None:
    """Give the person behind NAME a role: owner, admin, moderator or user."""
    run(settings_for(), _set_role, name, role)
    click.echo(f"{name} has the role {role}.")


def _set_role(tx: Connection, name: str, role: people.Role) -> None:
    actor, person = _find(tx, name)
    if person is None:
        raise NotFound(f"Nobody signs in as {name}.")
    people.set_role(tx, person.id, role)
    moderation.audit(tx, None, action="account.role", target=actor.username, detail=role, now=clock.now())


@account.command("reset-password")
@click.argument("name")
def reset_password(name: str) -> None:
    """Print a one-time link by which the person behind NAME chooses a new password."""
    settings = settings_for()
    link = run(settings, _reset, name)
    click.echo(f"{settings.base_url}/reset?token={link}")


def _reset(tx: Connection, name: str) -> str:
    _actor, person = _find(tx, name)
    if person is None:
        raise NotFound(f"Nobody signs in as {name}.")
    return access.create_link(tx, "reset", person_id=person.id, now=clock.now())


@account.command()
@click.argument("name")
@click.confirmation_option("--yes", prompt="Delete this account and all its posts for good?")
def delete(name: str) -> None:
    """Delete NAME and all that it posted, and tell every server that knows it. The name stays taken."""
    settings = settings_for()
    run(settings, _delete, settings, name)
    click.echo(f"{name} is deleted.")


def _delete(tx: Connection, settings: Settings, name: str) -> None:
    now = clock.now()
    actor, person = _find(tx, name)
    closing.close(tx, settings.urls, actor, now=now)
    if person is not None and not people.actors_of(tx, person.id):
        people.delete_person(tx, person.id)
    moderation.audit(tx, None, action="account.delete", target=name, now=now)


@click.group()
def token() -> None:
    """Access tokens of the client API."""


@token.command("create")
@click.argument("name")
@click.option("--scopes", default="read write follow push", show_default=True)
def create_token(name: str, scopes: str) -> None:
    """Print a bearer token for NAME, and nothing else."""
    click.echo(run(settings_for(), _token, name, scopes))


def _token(tx: Connection, name: str, scopes: str) -> str:
    actor, person = _find(tx, name)
    if person is None:
        raise NotFound(f"Nobody signs in as {name}.")
    wanted = access.parse_scopes(scopes)
    return access.token_create(tx, person_id=person.id, actor_id=actor.id, scopes=wanted, now=clock.now())
