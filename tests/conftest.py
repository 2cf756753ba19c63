"""What every test may ask for: a database of either kind, real instances over real HTTP, scripted peers."""

from __future__ import annotations

import logging
import os
import shutil
import uuid
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

import pytest
import structlog

from fediverse import ids
from fediverse.db import Database, open_database, postgres_engine, sqlite_engine
from fediverse.migrations import upgrade
from tests.peers import scripted
from tests.support import postgres
from tests.support.commands import Commands
from tests.support.instance import Instance, running

DATABASES = ("sqlite", "postgres")

# What goes wrong on purpose fills the report of a failure otherwise.
structlog.configure(
    wrapper_class=structlog.make_filtering_bound_logger(logging.ERROR),
    processors=[
        structlog.processors.add_log_level,
        structlog.dev.ConsoleRenderer(exception_formatter=structlog.dev.plain_traceback),
    ],
)


def pytest_addoption(parser: pytest.Parser) -> None:
    """--databases chooses what the tests run on."""
    available = "sqlite,postgres" if os.environ.get("TEST_DATABASE_URL") or postgres.programs() else "sqlite"
    parser.addoption("--databases", default=available, help="comma-separated: sqlite, postgres")


def pytest_report_header(config: pytest.Config) -> str:
    """Says plainly which databases the tests run on."""
    chosen = config.getoption("--databases").split(",")
    words = [f"{name}: {'tested' if name in chosen else 'NOT tested'}" for name in DATABASES]
    return "databases — " + ", ".join(words)


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """The soak tests run only when they are asked for."""
    if "soak" not in config.getoption("-m"):
        left_out = [item for item in items if item.get_closest_marker("soak")]
        config.hook.pytest_deselected(items=left_out)
        items[:] = [item for item in items if not item.get_closest_marker("soak")]


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Whatever needs a database runs once on each."""
    if "database_kind" in metafunc.fixturenames:
        chosen = metafunc.config.getoption("--databases").split(",")
        metafunc.parametrize("database_kind", [kind for kind in DATABASES if kind in chosen], scope="session")


@pytest.fixture(autouse=True)
def _ids_of_today(monkeypatch: pytest.MonkeyPatch) -> None:
    """Ids never go back: a test that goes ahead in time would leave those after it with ids of the future."""
    monkeypatch.setattr(ids, "_generator", ids._Generator())


@pytest.fixture(scope="session")
def _sqlite_template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("template") / "fediverse.db"
    engine = sqlite_engine(f"sqlite:///{path}", begin="BEGIN IMMEDIATE")
    upgrade(engine)
    engine.dispose()
    return path


@pytest.fixture(scope="session")
def _postgres() -> Iterator[postgres.Pool]:
    with postgres.server() as url:
        name = f"template_{uuid.uuid4().hex[:8]}"
        engine = postgres_engine(postgres.create(url, name).replace("postgresql://", "postgresql+psycopg://"))
        upgrade(engine)
        engine.dispose()
        pool = postgres.Pool(url, name)
        yield pool
        pool.drop_all()
        postgres.drop(url, name)


@pytest.fixture
def new_database(database_kind: str, request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Callable[[], str]]:
    """Makes migrated, empty databases; each call returns the URL of another."""
    made: list[str] = []

    def make() -> str:
        if database_kind == "sqlite":
            path = tmp_path / f"test_{uuid.uuid4().hex[:12]}.db"
            shutil.copy(request.getfixturevalue("_sqlite_template"), path)
            return f"sqlite:///{path}"
        made.append(request.getfixturevalue("_postgres").take())
        return postgres.named(request.getfixturevalue("_postgres").url, made[-1])

    yield make
    for name in made:
        request.getfixturevalue("_postgres").give_back(name)


@pytest.fixture
async def database(new_database: Callable[[], str]) -> AsyncIterator[Database]:
    """An open, migrated, empty database."""
    url = new_database()
    opened = open_database(url.replace("postgresql://", "postgresql+psycopg://"))
    yield opened
    await opened.close()


MakeInstance = Callable[..., Awaitable[Instance]]


@pytest.fixture
async def make_instance(new_database: Callable[[], str], tmp_path: Path) -> AsyncIterator[MakeInstance]:
    """Starts instances of this server on loopback ports: ``await make_instance(base_url=…, …settings)``."""
    async with AsyncExitStack() as stack:

        async def make(**settings: Any) -> Instance:
            folder = tmp_path / f"instance-{uuid.uuid4().hex[:8]}"
            folder.mkdir()
            database_url = settings.pop("database_url", "") or new_database()
            return await stack.enter_async_context(running(database_url, folder, **settings))

        yield make


@pytest.fixture
async def instance(make_instance: MakeInstance) -> Instance:
    """One running instance without accounts. Workers run when a test says ``await instance.tick()``."""
    return await make_instance()


@pytest.fixture
def commands(new_database: Callable[[], str], tmp_path: Path) -> Commands:
    """The command line on an empty, migrated database."""
    settings = {
        "DATABASE_URL": new_database(),
        "DATA_DIR": str(tmp_path),
        "SECRET_KEY": "a secret that only the tests know, long enough",
    }
    return Commands({f"FEDIVERSE_{name}": value for name, value in settings.items()})


@pytest.fixture
async def peer() -> AsyncIterator[scripted.Server]:
    """A remote server that does what a test tells it to."""
    async with scripted.serving() as server:
        yield server


@pytest.fixture
async def other_peer() -> AsyncIterator[scripted.Server]:
    """A second one: another origin."""
    async with scripted.serving() as server:
        yield server
