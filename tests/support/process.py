"""An instance as a process of its own, as operators run it, to be killed at any instant."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import aiohttp

from fediverse.db import open_database
from fediverse.settings import Settings
from tests.support.instance import Account, create_account, free_port

SECRET = "a secret that only the tests know, long enough"


class Process:
    """``fediverse serve`` on a loopback port, over a database that outlives it."""

    def __init__(self, database_url: str, folder: Path, **environment: str) -> None:
        self.port = free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self.folder = folder
        self._environment = {
            **{name: value for name, value in os.environ.items() if not name.startswith("FEDIVERSE_")},
            "FEDIVERSE_BASE_URL": self.url,
            "FEDIVERSE_DATABASE_URL": database_url,
            "FEDIVERSE_DATA_DIR": str(folder),
            "FEDIVERSE_SECRET_KEY": SECRET,
            "FEDIVERSE_ALLOWED_PRIVATE_ADDRESSES": "127.0.0.0/8",
            "FEDIVERSE_RATE_LIMITS": "off",
            "FEDIVERSE_LOG_LEVEL": "warning",
            **environment,
        }
        self.settings = Settings(base_url=self.url, database_url=database_url, data_dir=folder, secret_key=SECRET)
        self._process: subprocess.Popen[bytes] | None = None

    async def account(self, username: str) -> Account:
        """A new account, written while the server is not running."""
        database = open_database(self.settings.database)
        try:
            return await database.write(create_account, self.settings, username)
        finally:
            await database.close()

    async def start(self, *options: str) -> None:
        """The server runs and is ready."""
        self._process = self._run("serve", "--port", str(self.port), *options)
        async with aiohttp.ClientSession() as http:
            for _ in range(600):
                assert self._process.poll() is None, (self.folder / "log").read_text()[-3000:]
                try:
                    async with http.get(f"{self.url}/readyz") as answer:
                        if answer.status == 200:
                            return
                except aiohttp.ClientError:
                    pass
                await asyncio.sleep(0.05)
        raise AssertionError("the server did not become ready: " + (self.folder / "log").read_text()[-3000:])

    def start_worker(self) -> subprocess.Popen[bytes]:
        """A process of its own works the queues; the caller ends it."""
        return self._run("work")

    def _run(self, *words: str) -> subprocess.Popen[bytes]:
        with (self.folder / "log").open("ab") as log:
            command = [sys.executable, "-m", "fediverse", *words]
            return subprocess.Popen(command, env=self._environment, stdout=log, stderr=log, cwd=self.folder)

    def ask_to_stop(self) -> None:
        """The server is told to stop, and may take its time."""
        assert self._process is not None
        self._process.send_signal(signal.SIGTERM)

    async def ended(self) -> int:
        """The exit status, once the server has ended."""
        assert self._process is not None
        status = await asyncio.to_thread(self._process.wait, 60)
        self._process = None
        return status

    def kill(self) -> None:
        """The server is gone at this instant, wherever it was."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            self._process = None

    async def stop(self) -> int:
        """The server was asked to stop, and has; its exit status."""
        self.ask_to_stop()
        return await self.ended()

    def log(self) -> str:
        """What the server wrote."""
        return (self.folder / "log").read_text()


async def eventually(check: Any, *, seconds: float = 60) -> Any:
    """What ``check()`` returns once it is true."""
    deadline = asyncio.get_running_loop().time() + seconds
    while True:
        found = await check()
        if found or asyncio.get_running_loop().time() > deadline:
            assert found, f"still not so after {seconds} s"
            return found
        await asyncio.sleep(0.1)
