"""A real instance of this server on a loopback port, with its workers worked by hand."""

from __future__ import annotations

import gzip
import secrets
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import aiohttp
import orjson
from aiohttp import web
from aiohttp.web_app import _cached_build_middleware
from sqlalchemy import Connection

from fediverse import access, clock, keys, slowness
from fediverse.actors import directory, people
from fediverse.app import create_app
from fediverse.db import Database, open_database
from fediverse.settings import Settings
from fediverse.slowness import PATIENCE, Patience
from fediverse.workers import WORKERS
from tests.support.entities import problems_of_answer, unnamed

_KEYS: list[directory.LocalKeys] = []


def some_keys() -> directory.LocalKeys:
    """Keys for a local actor: making RSA keys is slow, so tests share one pair."""
    if not _KEYS:
        _KEYS.append(directory.make_keys())
    return _KEYS[0]


@dataclass(frozen=True)
class Account:
    """A person and the actor that it speaks as, with a token for everything."""

    username: str
    id: int
    person_id: int
    token: str
    uri: str

    @property
    def headers(self) -> dict[str, str]:
        """Requests with these headers are this account's."""
        return {"Authorization": f"Bearer {self.token}"}


@dataclass
class Instance:
    """A running instance."""

    settings: Settings
    app: web.Application
    http: aiohttp.ClientSession
    #: Where it listens, whatever its base URL says.
    address: str
    accounts: dict[str, Account] = field(default_factory=dict)

    @property
    def url(self) -> str:
        """The base URL."""
        return self.settings.base_url

    @property
    def domain(self) -> str:
        """What stands behind the @."""
        return self.settings.urls.domain

    @property
    def database(self) -> Database:
        """The instance's own database."""
        return self.app[keys.DATABASE]

    async def account(
        self, username: str, *, role: people.Role = "user", scopes: str = "read write follow push", **profile: Any
    ) -> Account:
        """A new account."""
        account = await self.database.write(create_account, self.settings, username, role, scopes, profile)
        self.accounts[username] = account
        return account

    async def tick(self) -> int:
        """All queues are worked until nothing is due; returns how much was done."""
        total = 0
        while True:
            done = await self.app[WORKERS].tick()
            total += done
            if not done:
                return total

    async def call(
        self,
        method: str,
        path: str,
        *,
        by: Account | None = None,
        status: int | None = None,
        headers: dict[str, str] | None = None,
        **request: Any,
    ) -> Any:
        """The JSON that the API answers; asserts its status (any 2xx unless given)."""
        all_headers = {**(by.headers if by else {}), **(headers or {})}
        async with self.http.request(method, self.url + path, headers=all_headers, **request) as response:
            body = await response.read()
            fits = response.status == status if status is not None else response.status // 100 == 2
            assert fits, f"{method} {path}: {response.status} {body[:500]!r}"
            return await response.json(content_type=None) if body else None

    async def post(self, by: Account, text: str, *, status: int | None = None, **fields: Any) -> Any:
        """The status that was posted."""
        return await self.call("POST", "/api/v1/statuses", by=by, status=status, json={"status": text, **fields})

    async def find(self, by: Account, handle: str) -> Any:
        """The account with this handle, looked up on its own server if need be."""
        found = await self.call(
            "GET", "/api/v2/search", by=by, params={"q": handle, "resolve": "true", "type": "accounts"}
        )
        assert found["accounts"], f"{handle} was not found"
        return found["accounts"][0]

    async def follow(self, by: Account, handle: str) -> Any:
        """The account that ``by`` now follows, or asks to."""
        target = await self.find(by, handle)
        await self.call("POST", f"/api/v1/accounts/{target['id']}/follow", by=by)
        return target

    async def home(self, by: Account, **params: str) -> list[Any]:
        """The account's home timeline."""
        home: list[Any] = await self.call("GET", "/api/v1/timelines/home", by=by, params=params)
        return home

    async def notifications(self, by: Account, **params: str) -> list[Any]:
        """The account's notifications."""
        told: list[Any] = await self.call("GET", "/api/v1/notifications", by=by, params=params)
        return told


async def settle(*instances: Instance) -> None:
    """All queues of all instances are worked until none has anything to do."""
    while sum([await instance.tick() for instance in instances]):
        pass


def free_port() -> int:
    """A port of the loopback that nobody listens on.

    Not one that the system hands out: another test's connection could take it before it is listened on.
    """
    while True:
        port = 15000 + secrets.randbelow(17000)
        with socket.socket() as probe:
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                continue
        return port


@asynccontextmanager
async def running(
    database_url: str, folder: Path, *, patience: Patience = PATIENCE, **overrides: Any
) -> AsyncIterator[Instance]:
    """An instance over real HTTP, without running workers."""
    port = free_port()
    values: dict[str, Any] = {
        "base_url": f"http://127.0.0.1:{port}",
        "database_url": database_url,
        "data_dir": folder,
        "secret_key": "a secret that only the tests know, long enough",
        "allowed_private_addresses": "127.0.0.0/8,::1",
        "rate_limits": "off",
        **overrides,
    }
    settings = Settings(**values)
    database = open_database(settings.database)
    # With shared keys: the instance would make its own, which takes longer than most tests.
    await database.write(
        directory.ensure_instance_actor, settings.urls, keys=some_keys(), secret=settings.secret, now=clock.now()
    )
    await database.close()
    app = create_app(settings, run_workers=False, patience=patience)
    wrong = _checked(app)
    runner = slowness.runner(app, grace_seconds=1, patience=patience)
    await runner.setup()
    try:
        await web.TCPSite(runner, "127.0.0.1", port).start()
        jar = aiohttp.DummyCookieJar()
        async with aiohttp.ClientSession(cookie_jar=jar, timeout=aiohttp.ClientTimeout(total=60)) as http:
            yield Instance(settings, app, http, f"http://127.0.0.1:{port}")
    finally:
        await runner.cleanup()
        # aiohttp remembers the handlers of a thousand applications, and with them all that these hold.
        _cached_build_middleware.cache_clear()
    assert not wrong, "answers that are not what clients expect:\n" + "\n".join(wrong)


def _checked(app: web.Application) -> list[str]:
    """Every answer of the client API is held against the shape of its entity; what does not fit ends up in the list."""
    wrong: list[str] = []

    async def check(request: web.Request, response: web.StreamResponse) -> None:
        resource = request.match_info.route.resource
        if resource is None or not resource.canonical.startswith("/api/") or not isinstance(response, web.Response):
            return
        if response.content_type != "application/json" or not isinstance(response.body, bytes):
            return
        path = unnamed(resource.canonical)
        packed = response.headers.get("Content-Encoding") == "gzip"
        body = gzip.decompress(response.body) if packed else response.body
        found = problems_of_answer(request.method, path, response.status, orjson.loads(body))
        wrong.extend(found[:10])

    app.on_response_prepare.append(check)
    return wrong


def create_account(
    tx: Connection,
    settings: Settings,
    username: str,
    role: people.Role = "user",
    scopes: str = "read write follow push",
    profile: dict[str, Any] | None = None,
) -> Account:
    """A person, an actor and a token."""
    now = clock.now()
    actor = directory.create_local(tx, username=username, keys=some_keys(), secret=settings.secret, now=now)
    if profile:
        actor = directory.update_local(tx, actor.id, **profile)
    # The hash of "correct horse": hashing anew for every account would take most of the tests' time.
    person = people.create_person(tx, email=f"{username}@example.com", password_hash=PASSWORD_HASH, role=role, now=now)
    people.join(tx, person.id, actor.id, now=now)
    token = access.token_create(tx, person_id=person.id, actor_id=actor.id, scopes=access.parse_scopes(scopes), now=now)
    return Account(username, actor.id, person.id, token, settings.urls.actor(username))


PASSWORD = "correct horse battery"
PASSWORD_HASH = access.passwords.hash_password(PASSWORD)
