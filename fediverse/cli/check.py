"""``fediverse check``: what is wrong with this installation, and what is missing for going live."""

from __future__ import annotations

import asyncio
import ctypes
import socket
import stat
import sys
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote, urlsplit

import click
from sqlalchemy import Connection

from fediverse import instance, migrations, relay
from fediverse.actors import directory, people
from fediverse.cli.context import migrate, settings_for
from fediverse.db import Database, open_database
from fediverse.errors import FediverseError
from fediverse.mail import Mailer, MailError
from fediverse.remote import AddressGuard, Remote
from fediverse.settings import Settings, SettingsError
from fediverse.tables.actors import INSTANCE_ACTOR_ID

_LOOPBACK = frozenset({"localhost", "127.0.0.1", "::1"})
_TIME_ERROR = 5  # adjtimex(2): the clock is not synchronised


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that was looked at. ``fatal``: the instance cannot work so."""

    good: bool
    sentence: str
    fatal: bool = False


@click.command()
def check() -> None:
    """Say in sentences what is wrong with this installation. Exit status 1 when something is."""
    findings = asyncio.run(_findings(settings_for()))
    for finding in findings:
        mark = "ok  " if finding.good else "STOP" if finding.fatal else "TODO"
        click.echo(f"{mark}  {finding.sentence}")
    if not all(finding.good for finding in findings):
        sys.exit(1)


async def _findings(settings: Settings) -> list[Finding]:
    found = [*_addresses(settings), *_files(settings), _clock()]
    try:
        if settings.is_sqlite:
            migrate(settings)
        database = open_database(settings.database)
    except Exception as error:
        return [*found, Finding(False, f"The database cannot be opened: {error}", fatal=True)]
    try:
        found.extend([finding async for finding in _stored(database, settings)])
    except FediverseError as error:
        found.append(Finding(False, f"The database does not answer: {error.message}", fatal=True))
    finally:
        await database.close()
    found.extend([finding async for finding in _redis(settings)])
    found.extend([finding async for finding in _reachable(settings)])
    found.append(await _mail(settings))
    return found


def _addresses(settings: Settings) -> Iterator[Finding]:
    parts = urlsplit(settings.base_url)
    if parts.hostname in _LOOPBACK:
        yield Finding(
            False,
            f"The base URL is {settings.base_url}, which only this machine can reach. Before anybody else follows an "
            "account, set FEDIVERSE_BASE_URL to the final https address: it can never change afterwards.",
        )
    elif parts.scheme != "https":
        yield Finding(
            False,
            f"The base URL {settings.base_url} is not https. Other servers refuse to talk to it: put Caddy or nginx "
            "with a certificate in front, and set FEDIVERSE_BASE_URL to the https address.",
        )
    else:
        yield Finding(True, f"Pages and ids live at {settings.base_url}.")
    yield Finding(True, f"Handles look like @name@{settings.urls.domain}.")
    if parts.scheme == "https" and not settings.trusted_proxies:
        yield Finding(
            False,
            "No reverse proxy is trusted, so all visitors seem to come from one address and share one rate limit. "
            "Set FEDIVERSE_TRUSTED_PROXIES to the proxy's address, such as 127.0.0.1.",
        )
    if settings.allowed_private_addresses:
        yield Finding(
            False,
            f"Private addresses may be reached ({settings.allowed_private_addresses}). That is for trying out and for "
            "networks of your own; unset FEDIVERSE_ALLOWED_PRIVATE_ADDRESSES otherwise.",
        )


def _files(settings: Settings) -> Iterator[Finding]:
    try:
        assert settings.secret
    except (OSError, SettingsError) as error:
        yield Finding(False, f"The secret cannot be read or made: {error}", fatal=True)
        return
    path = settings.data_dir / "secret"
    if not settings.secret_key and stat.S_IMODE(path.stat().st_mode) & 0o077:
        yield Finding(False, f"Others on this machine can read {path}. Run: chmod 600 {path}")
    else:
        yield Finding(True, "The instance secret is there. Keep a copy of it with your backups: it opens all keys.")
    stored = Path(settings.database.partition("///")[2])
    if settings.is_sqlite and stored.is_file() and stat.S_IMODE(stored.stat().st_mode) & 0o077:
        yield Finding(False, f"Others on this machine can read {stored}. Run: chmod 600 {stored}*")


def _clock() -> Finding:
    try:
        state = ctypes.CDLL(None, use_errno=True).adjtimex(ctypes.create_string_buffer(512))
    except (OSError, AttributeError):
        return Finding(True, "Whether the clock is right cannot be seen on this system: keep it synchronised.")
    if state == _TIME_ERROR:
        return Finding(
            False,
            "The clock is not synchronised. Other servers refuse signatures that are a minute off: install and start "
            "chrony or systemd-timesyncd.",
        )
    return Finding(True, "The clock is synchronised.")


async def _stored(database: Database, settings: Settings) -> AsyncIterator[Finding]:
    revision = await database.read(migrations.revision)
    if revision != migrations.HEAD:
        yield Finding(
            False,
            f"The database is at revision {revision or 'none'}, not {migrations.HEAD}: run 'fediverse db upgrade'.",
            fatal=True,
        )
        return
    yield Finding(
        True, f"The database ({'SQLite' if settings.is_sqlite else 'PostgreSQL'}) is at this program's revision."
    )
    try:
        await database.read(instance.check_names, settings.urls)
    except FediverseError as error:
        yield Finding(False, error.message, fatal=True)
    if await database.read(people.owner_exists):
        yield Finding(True, "The instance has an owner.")
    else:
        yield Finding(False, "The instance has no owner yet: start it and open the set-up link that it prints.")
    yield await database.read(_instance_key, settings)


def _instance_key(tx: Connection, settings: Settings) -> Finding:
    if directory.by_id(tx, INSTANCE_ACTOR_ID) is None:
        return Finding(False, "The instance has no keys yet: they are made when it is started first.")
    try:
        directory.signing_key(tx, INSTANCE_ACTOR_ID, settings.secret)
    except Exception:
        return Finding(
            False,
            "The secret does not open the stored keys: restore the secret that belongs to this database.",
            fatal=True,
        )
    return Finding(True, "The secret opens the stored keys.")


async def _mail(settings: Settings) -> Finding:
    if not settings.sends_mail:
        return Finding(
            True,
            "No mail is sent: lost passwords take a link of 'fediverse account reset-password NAME', and addresses are "
            "not confirmed. FEDIVERSE_SMTP_URL would change that.",
        )
    try:
        await Mailer(settings).try_out()
    except MailError as error:
        return Finding(False, f"The SMTP server of FEDIVERSE_SMTP_URL does not let this instance in: {error}.")
    return Finding(True, "The SMTP server answers and takes mail of this instance.")


async def _redis(settings: Settings) -> AsyncIterator[Finding]:
    """Whether what carries events between processes answers. Its password is told to nobody."""
    if not settings.redis_url:
        if not settings.is_sqlite:
            yield Finding(
                True,
                "There is no Redis, which one process that does everything does not need. Where several share this "
                "database set FEDIVERSE_REDIS_URL: else clients stream only what happens in the process they ask.",
            )
        return
    place = urlsplit(settings.redis_url)
    name = f"Redis at {place.netloc.rpartition('@')[2] or place.path}"
    client = relay.connect(settings.redis_url)
    try:
        await client.ping()
    except Exception as error:
        if not relay.is_away(error):
            raise
        yield Finding(
            False,
            f"{name} does not answer: {error}. The instance goes on without it, but what happens in one process is "
            "not streamed from another, and each counts rate limits by itself. Start it, or set FEDIVERSE_REDIS_URL.",
        )
    else:
        yield Finding(True, f"{name} carries events between processes.")
    finally:
        await client.aclose()


async def _reachable(settings: Settings) -> AsyncIterator[Finding]:
    """Whether the instance answers where it says that it lives, as other servers will ask it."""
    urls = settings.urls
    guard = AddressGuard(settings.allowed_private_addresses)
    resource = quote(f"acct:{urlsplit(urls.base_url).hostname}@{urls.domain}")
    scheme = urlsplit(urls.base_url).scheme
    asked = f"{scheme}://{urls.domain}/.well-known/webfinger?resource={resource}"
    ca_file = str(settings.ca_file) if settings.ca_file else None
    async with Remote.open(guard=guard, user_agent="fediverse-check", ca_file=ca_file) as remote:
        try:
            answer = await remote.get_json(asked)
        except (FediverseError, OSError, socket.gaierror) as error:
            reason = str(error).rstrip(".")
            yield Finding(
                False,
                f"{asked} does not answer as other servers will ask it: {reason}. Is the instance running, and does "
                "the proxy pass /.well-known/ on?",
            )
            return
    links = answer.get("links") if isinstance(answer, dict) else None
    named = [link.get("href") for link in links or [] if isinstance(link, dict) and link.get("rel") == "self"]
    if urls.instance_actor in named:
        yield Finding(True, f"WebFinger at {urls.domain} leads here.")
    else:
        yield Finding(False, f"WebFinger at {urls.domain} answers, but does not lead to {urls.instance_actor}.")
