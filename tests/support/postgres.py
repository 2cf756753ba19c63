"""A throwaway PostgreSQL cluster, made and ended by the tests, or the server at TEST_DATABASE_URL."""

from __future__ import annotations

import os
import pwd
import shutil
import subprocess
import tempfile
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import urlsplit, urlunsplit

import psycopg


def programs() -> Path | None:
    """The folder of PostgreSQL's server programs; None where there are none."""
    found = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"), key=lambda path: path.parts[-3], reverse=True)
    if found:
        return found[0].parent
    initdb = shutil.which("initdb")
    return Path(initdb).parent if initdb and shutil.which("postgres") else None


class Cluster:
    """A cluster in a folder of its own, reached by a socket there."""

    def __init__(self) -> None:
        found = programs()
        assert found is not None, "PostgreSQL's server programs are not on this machine"
        self._programs = found
        self.folder = Path(tempfile.mkdtemp(prefix="fediverse-postgres-"))
        self.url = f"postgresql://test@/postgres?host={self.folder}"
        # The server refuses to run as root.
        self._user = "postgres" if os.geteuid() == 0 else None
        if self._user:
            owner = pwd.getpwnam(self._user)
            os.chown(self.folder, owner.pw_uid, owner.pw_gid)
        self._run("initdb", "--username", "test", "--auth", "trust", "--no-sync", "--encoding", "UTF8")

    def start(self) -> None:
        """The server runs."""
        options = f"-c listen_addresses='' -c unix_socket_directories={self.folder} -c fsync=off -c max_connections=200"
        self._run("pg_ctl", "start", "--wait", "--log", str(self.folder / "log"), "--options", options)

    def stop(self) -> None:
        """The server is gone, without a farewell to anybody connected."""
        self._run("pg_ctl", "stop", "--mode", "immediate")

    def remove(self) -> None:
        """Nothing is left of the cluster."""
        shutil.rmtree(self.folder, ignore_errors=True)

    def _run(self, program: str, *arguments: str) -> None:
        subprocess.run(
            [self._programs / program, *arguments, "--pgdata", str(self.folder / "data")],
            user=self._user,
            group=self._user,
            extra_groups=[] if self._user else None,
            cwd=self.folder,
            check=True,
            stdout=subprocess.DEVNULL,
        )


@contextmanager
def server() -> Iterator[str]:
    """The URL of a server on which databases may be created."""
    given = os.environ.get("TEST_DATABASE_URL")
    if given:
        yield given
        return
    cluster = Cluster()
    cluster.start()
    try:
        yield cluster.url
    finally:
        cluster.stop()
        cluster.remove()


def named(url: str, name: str) -> str:
    """The URL of another database on the same server."""
    return urlunsplit(urlsplit(url)._replace(path=f"/{name}"))


def create(url: str, name: str, *, template: str | None = None) -> str:
    """The URL of a new database, empty or a copy of ``template``."""
    with psycopg.connect(url, autocommit=True) as connection:
        copy = f' TEMPLATE "{template}"' if template else ""
        connection.execute(f'CREATE DATABASE "{name}"{copy}')
    return named(url, name)


def drop(url: str, name: str) -> None:
    """The database is gone, whoever is still connected."""
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute(f'DROP DATABASE IF EXISTS "{name}" WITH (FORCE)')


class Pool:
    """Migrated, empty databases. Making one takes longer than most tests, so they are emptied and used again."""

    def __init__(self, url: str, template: str) -> None:
        self.url = url
        self._template = template
        self._free: list[str] = []
        self._all: list[str] = []

    def take(self) -> str:
        """The name of a database that nobody else uses."""
        if self._free:
            return self._free.pop()
        name = f"test_{uuid.uuid4().hex[:12]}"
        create(self.url, name, template=self._template)
        self._all.append(name)
        return name

    def give_back(self, name: str) -> None:
        """The database may be used by the next one: it is empty again, or gone where somebody holds on to it."""
        try:
            with psycopg.connect(named(self.url, name), autocommit=True, options="-c lock_timeout=2000") as connection:
                found = connection.execute(
                    "SELECT tablename FROM pg_tables WHERE schemaname = 'public' AND tablename <> 'alembic_version'"
                ).fetchall()
                # Emptying by DELETE, with foreign keys at rest: TRUNCATE makes new files for every table.
                wipe = "".join(f'DELETE FROM "{table}";' for (table,) in found)
                connection.execute(f"BEGIN; SET LOCAL session_replication_role = replica; {wipe} COMMIT")
        except psycopg.Error:
            drop(self.url, name)
            self._all.remove(name)
        else:
            self._free.append(name)

    def drop_all(self) -> None:
        """The databases are gone."""
        for name in self._all:
            drop(self.url, name)
