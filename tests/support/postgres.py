"""A throwaway PostgreSQL cluster, made and ended by the tests, or the server at TEST_DATABASE_URL."""

from __future__ import annotations

import os
import pwd
import shutil
import subprocess
import tempfile
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


@contextmanager
def server() -> Iterator[str]:
    """The URL of a server on which databases may be created."""
    given = os.environ.get("TEST_DATABASE_URL")
    if given:
        yield given
        return
    binaries = programs()
    assert binaries is not None
    folder = Path(tempfile.mkdtemp(prefix="fediverse-postgres-"))
    # The server refuses to run as root.
    user = "postgres" if os.geteuid() == 0 else None
    if user:
        owner = pwd.getpwnam(user)
        os.chown(folder, owner.pw_uid, owner.pw_gid)
    data = folder / "data"

    def run(program: str, *arguments: str) -> None:
        subprocess.run(
            [binaries / program, *arguments],
            user=user,
            group=user,
            extra_groups=[] if user else None,
            cwd=folder,
            check=True,
            stdout=subprocess.DEVNULL,
        )

    run("initdb", "--pgdata", str(data), "--username", "test", "--auth", "trust", "--no-sync", "--encoding", "UTF8")
    options = f"-c listen_addresses='' -c unix_socket_directories={folder} -c fsync=off -c max_connections=200"
    run("pg_ctl", "start", "--pgdata", str(data), "--wait", "--log", str(folder / "log"), "--options", options)
    try:
        yield f"postgresql://test@/postgres?host={folder}"
    finally:
        run("pg_ctl", "stop", "--pgdata", str(data), "--mode", "immediate")
        shutil.rmtree(folder, ignore_errors=True)


def named(url: str, name: str) -> str:
    """The URL of another database on the same server."""
    return (
        urlunsplit(urlsplit(url)._replace(path=f"/{name}"))
        if urlsplit(url).netloc != "test@"
        else url.replace("/postgres?", f"/{name}?")
    )


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
