"""``fediverse serve`` and ``fediverse work``: the running instance."""

from __future__ import annotations

import asyncio
import fcntl
import resource
import signal
from collections.abc import Iterator
from contextlib import contextmanager, suppress

import click
import uvloop
from aiohttp import web
from sqlalchemy import Connection

from fediverse import access, clock, keys, logs, slowness
from fediverse.actors import people
from fediverse.app import create_app
from fediverse.cli.context import migrate, require_current, settings_for
from fediverse.db import open_database
from fediverse.operation import DRAINING
from fediverse.settings import DEFAULT_HOST, DEFAULT_PORT, Settings, SettingsError

# A stop waits for what is under way no longer than this.
GRACE_SECONDS = 30.0


@click.command()
@click.option("--host", default=DEFAULT_HOST, show_default=True, help="The address to listen on.")
@click.option("--port", default=DEFAULT_PORT, show_default=True, help="The port to listen on.")
@click.option("--no-worker", is_flag=True, help="Leave deliveries and received activities to 'fediverse work'.")
def serve(host: str, port: int, no_worker: bool) -> None:
    """Run the instance: pages, API, inboxes, and (unless told otherwise) its workers."""
    settings = settings_for(host=host, port=port)
    logs.configure(settings.log_level)
    _open_many_files()
    if no_worker and settings.is_sqlite:
        raise SettingsError("On SQLite one process does everything: leave out --no-worker, or use PostgreSQL.")
    if no_worker and not settings.redis_url:
        click.echo(
            "What 'fediverse work' does is not streamed to clients of this process: FEDIVERSE_REDIS_URL is not set.",
            err=True,
        )
    if settings.is_sqlite:
        with _alone(settings):
            migrate(settings)
            uvloop.run(_serve(settings, host, port, run_workers=True))
    else:
        uvloop.run(_serve(settings, host, port, run_workers=not no_worker))


@click.command()
def work() -> None:
    """Run the workers only, beside 'fediverse serve --no-worker' on the same PostgreSQL."""
    settings = settings_for()
    logs.configure(settings.log_level)
    if settings.is_sqlite:
        raise SettingsError(
            "On SQLite one process does everything: 'fediverse serve' works too. Use PostgreSQL for more."
        )
    uvloop.run(_work(settings))


def _open_many_files() -> None:
    """As many connections can be open as the system lets this process have: the usual 1,024 are soon used up."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft != hard:
        with suppress(OSError, ValueError):
            resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))


async def _serve(settings: Settings, host: str, port: int, *, run_workers: bool) -> None:
    if not settings.is_sqlite:
        await _require_current(settings)
    app = create_app(settings, run_workers=run_workers)
    runner = slowness.runner(app, grace_seconds=GRACE_SECONDS)
    stop = _stop_signal()
    await runner.setup()
    try:
        site = web.TCPSite(runner, host, port, backlog=1024)
        try:
            await site.start()
        except OSError as error:
            raise SettingsError(f"Port {port} of {host} cannot be used: {error.strerror or error}.") from error
        await _greet(app, settings)
        await stop.wait()
        app[DRAINING].append(True)
        click.echo("Stopping: finishing what is under way.", err=True)
    finally:
        await runner.cleanup()


async def _work(settings: Settings) -> None:
    await _require_current(settings)
    app = create_app(settings, run_workers=True)
    stop = _stop_signal()
    runner = web.AppRunner(app)
    await runner.setup()
    click.echo("Working. Stop with Ctrl-C.", err=True)
    try:
        await stop.wait()
    finally:
        await runner.cleanup()


async def _require_current(settings: Settings) -> None:
    database = open_database(settings.database)
    try:
        await require_current(database)
    finally:
        await database.close()


def _stop_signal() -> asyncio.Event:
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    return stop


async def _greet(app: web.Application, settings: Settings) -> None:
    """Says where to go; without an owner, by which link to become it."""
    click.echo(f"The instance is at {settings.base_url}")
    link = await app[keys.DATABASE].write(_setup_token)
    if link is not None:
        click.echo("It has no owner yet. Open this link, once, to set it up:")
        click.echo(f"\n    {settings.base_url}/setup?token={link}\n")


def _setup_token(tx: Connection) -> str | None:
    return None if people.owner_exists(tx) else access.create_link(tx, "setup", now=clock.now())


@contextmanager
def _alone(settings: Settings) -> Iterator[None]:
    """Only one process serves a SQLite database: a second one would take the first one's leases for dead."""
    settings.data_dir.mkdir(parents=True, exist_ok=True)
    with (settings.data_dir / "serve.lock").open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            raise SettingsError(
                f"Another 'fediverse serve' is using {settings.data_dir}: stop it first, or set FEDIVERSE_DATA_DIR."
            ) from None
        yield
