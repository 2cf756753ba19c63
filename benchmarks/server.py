"""The server under test: ``fediverse serve``, as operators run it, on a database of its own that is gone afterwards."""

from __future__ import annotations

import asyncio
import os
import secrets
import signal
import socket
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

import psycopg
from sqlalchemy.engine import URL, make_url

from benchmarks.client import Client
from benchmarks.identity import plain

_START_SECONDS = 60.0
_STOP_SECONDS = 40.0


class BenchmarkError(Exception):
    """A benchmark cannot be done, or the server did not do what it was to be measured at."""


class Server:
    """An instance on a loopback port. ``database_url`` is empty for SQLite in the folder."""

    def __init__(self, folder: Path, database_url: str) -> None:
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self.port: int = probe.getsockname()[1]
        self.url = f"http://127.0.0.1:{self.port}"
        self.database = database_url or f"sqlite:///{folder / 'fediverse.db'}"
        self._folder = folder
        self._process: subprocess.Popen[bytes] | None = None
        self._environment = {
            **{name: value for name, value in os.environ.items() if not name.startswith("FEDIVERSE_")},
            "FEDIVERSE_BASE_URL": self.url,
            "FEDIVERSE_DATABASE_URL": database_url,
            "FEDIVERSE_DATA_DIR": str(folder),
            "FEDIVERSE_ALLOWED_PRIVATE_ADDRESSES": "127.0.0.0/8",
            "FEDIVERSE_RATE_LIMITS": "off",
            "FEDIVERSE_LOG_LEVEL": "warning",
        }

    def command(self, *arguments: str, stdin: str = "") -> str:
        """What ``fediverse …`` prints. Raises BenchmarkError with what it says when it fails."""
        done = subprocess.run(
            [sys.executable, "-m", "fediverse", *arguments],
            env=self._environment,
            cwd=self._folder,
            input=f"{stdin}\n",
            capture_output=True,
            text=True,
            check=False,
        )
        if done.returncode != 0:
            raise BenchmarkError(f"'fediverse {' '.join(arguments)}' failed: {done.stderr.strip()[-2000:]}")
        return done.stdout.strip()

    def prepare(self) -> None:
        """The database has its tables. SQLite makes them when it is first opened."""
        if not self.database.startswith("sqlite"):
            self.command("db", "upgrade")

    def account(self, name: str) -> str:
        """An account was made; its bearer token."""
        email = f"{name}@example.org"
        self.command("account", "create", name, "--email", email, "--password-stdin", stdin=secrets.token_hex())
        return self.command("token", "create", name)

    async def start(self) -> float:
        """The server answers; the seconds from its start to the first 200. Raises BenchmarkError when it does not."""
        with (self._folder / "log").open("ab") as log:
            began = time.perf_counter()
            self._process = subprocess.Popen(
                [sys.executable, "-m", "fediverse", "serve", "--port", str(self.port)],
                env=self._environment,
                cwd=self._folder,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )
        request = plain("GET", f"{self.url}/api/v1/instance")
        client = Client(self.url)
        try:
            while time.perf_counter() - began < _START_SECONDS and self._process.poll() is None:
                try:
                    if (await client.ask(request)).status == 200:
                        return time.perf_counter() - began
                except OSError:
                    pass
                await asyncio.sleep(0.01)
        finally:
            client.close()
        said = (self._folder / "log").read_text(errors="replace")[-2000:]
        raise BenchmarkError(f"The server did not start. It said:\n{said}")

    def pids(self) -> list[int]:
        """The roots of all that works for the instance: the server, and PostgreSQL where that is on this machine."""
        assert self._process is not None
        return [self._process.pid, *_postgres(self.database)]

    async def stop(self) -> None:
        """The server has ended, if it ran."""
        if self._process is None:
            return
        process, self._process = self._process, None
        process.send_signal(signal.SIGTERM)
        try:
            await asyncio.to_thread(process.wait, _STOP_SECONDS)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


@asynccontextmanager
async def fresh(database: str) -> AsyncIterator[Server]:
    """An instance that was never used, not yet started. ``database`` is ``sqlite`` or a PostgreSQL server's URL."""
    with TemporaryDirectory(prefix="fediverse-benchmark-") as folder, _new_database(database) as url:
        server = Server(Path(folder), url)
        server.prepare()
        try:
            yield server
        finally:
            await server.stop()


@contextmanager
def _new_database(database: str) -> Iterator[str]:
    """The URL of a new database on a PostgreSQL server, dropped afterwards; empty for SQLite."""
    if database == "sqlite":
        yield ""
        return
    name = f"benchmark_{secrets.token_hex(6)}"
    with psycopg.connect(_libpq(make_url(database)), autocommit=True) as connection:
        connection.execute(f'CREATE DATABASE "{name}"')
        try:
            yield make_url(database).set(database=name).render_as_string(hide_password=False)
        finally:
            connection.execute(f'DROP DATABASE IF EXISTS "{name}" WITH (FORCE)')


def _libpq(url: URL) -> str:
    return url.set(drivername="postgresql").render_as_string(hide_password=False)


def _postgres(database: str) -> list[int]:
    """The process id of the PostgreSQL server: its backends' parent, which also counts those that have ended."""
    url = make_url(database)
    if url.drivername.startswith("sqlite"):
        return []
    with psycopg.connect(_libpq(url)) as connection:
        backend = connection.info.backend_pid
        status = Path(f"/proc/{backend}/status")
        if not status.exists() or "Name:\tpostgres" not in status.read_text():
            print("PostgreSQL is not on this machine: its CPU is not counted.", file=sys.stderr)
            return []
        parent = next(line for line in status.read_text().splitlines() if line.startswith("PPid:"))
        return [int(parent.split()[1])]
