"""One instance of the demo: its folder, its `fediverse serve` process, its command line and its API."""

from __future__ import annotations

import asyncio
import os
import re
import shutil
import signal
import socket
import sys
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import aiohttp

from tools.demo.story import BRANDS, PASSWORD, Brand, Person

HOST = "127.0.0.1"
START_SECONDS = 20.0
STOP_SECONDS = 35.0
# Only a folder with this file in it is ever emptied.
_MARK = "made-by-make-demo"
_SETUP = re.compile(r"/setup\?token=(\S+)")
_CSRF = re.compile(r'name="csrf" value="([^"]+)"')
_ALLOWED = ",".join(f"{HOST}:{brand.port}" for brand in BRANDS)


class DemoError(Exception):
    """The demo cannot go on; the message is for whoever started it."""


def check_ports() -> None:
    """Both ports are free. Raises DemoError when one is not."""
    for brand in BRANDS:
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind((HOST, brand.port))
            except OSError as error:
                raise DemoError(
                    f"Port {brand.port} of {HOST} is in use: stop what is listening there (another demo, perhaps), "
                    "then try again."
                ) from error


@dataclass
class Server:
    """A running instance."""

    brand: Brand
    folder: Path
    http: aiohttp.ClientSession
    process: asyncio.subprocess.Process | None = None
    tokens: dict[str, str] = field(default_factory=dict)

    @property
    def url(self) -> str:
        """The base URL."""
        return f"http://{HOST}:{self.brand.port}"

    @property
    def log(self) -> Path:
        """What the process writes."""
        return self.folder / "serve.log"

    def make_folder(self) -> None:
        """The folder is there and empty. Raises DemoError rather than empty one that is not the demo's."""
        if self.folder.exists():
            if not (self.folder / _MARK).exists():
                raise DemoError(f"{self.folder} exists and was not made by the demo: move it away, then try again.")
            shutil.rmtree(self.folder)
        self.folder.mkdir(parents=True)
        (self.folder / _MARK).touch()

    async def start(self) -> None:
        """The instance answers. Raises DemoError when it does not within 20 s."""
        with self.log.open("wb") as log:
            self.process = await asyncio.create_subprocess_exec(
                *self._command("serve", "--host", HOST, "--port", str(self.brand.port)),
                env=self._environment(),
                cwd=self.folder,
                stdin=asyncio.subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                # Ctrl-C is for the demo, which then stops both in order.
                start_new_session=True,
            )
        deadline = asyncio.get_running_loop().time() + START_SECONDS
        while not await self._is_ready():
            if self.process.returncode is not None or asyncio.get_running_loop().time() > deadline:
                raise DemoError(f"{self.brand.name} did not start. It said:\n\n{self.last_words()}")
            await asyncio.sleep(0.1)

    async def _is_ready(self) -> bool:
        try:
            async with self.http.get(f"{self.url}/readyz") as answer:
                return answer.status == 200 and _SETUP.search(self.log.read_text()) is not None
        except aiohttp.ClientError:
            return False

    def last_words(self) -> str:
        """The end of the log."""
        return "\n".join(self.log.read_text(errors="replace").splitlines()[-15:])

    async def stop(self) -> None:
        """The process has finished what was under way and is gone."""
        if self.process is None or self.process.returncode is not None:
            return
        self.process.send_signal(signal.SIGTERM)
        try:
            await asyncio.wait_for(self.process.wait(), STOP_SECONDS)
        except TimeoutError:
            self.process.kill()
            await self.process.wait()

    async def set_up(self, owner: Person) -> None:
        """The instance has its owner, name and looks: by the one-time link and the forms, as a person would do it."""
        found = _SETUP.search(self.log.read_text())
        assert found is not None
        await self._submit(
            f"/setup?token={found[1]}",
            "/setup",
            {
                "token": found[1],
                "instance_name": self.brand.name,
                "username": owner.key,
                "name": owner.name,
                "kind": "Organization",
                "email": f"{owner.key}@example.com",
                "password": PASSWORD,
            },
        )
        await self._submit(
            "/settings/instance",
            "/settings/instance",
            {
                "name": self.brand.name,
                "description": self.brand.description,
                "contact_email": f"hello@{self.brand.website.removeprefix('https://')}",
                "colour": self.brand.colour,
                "rules": self.brand.rules,
            },
            files={"logo": self.brand.logo(self.brand.colour)},
        )

    async def _submit(
        self, page: str, action: str, values: dict[str, str], *, files: dict[str, bytes] | None = None
    ) -> None:
        """The form on the page is sent as a browser sends it."""
        async with self.http.get(self.url + page) as answer:
            token = _CSRF.search(await answer.text())
        if token is None:
            raise DemoError(f"{self.url}{page} shows no form (it answered {answer.status}).")
        form = aiohttp.FormData({**values, "csrf": token[1]}, default_to_multipart=bool(files))
        for name, data in (files or {}).items():
            form.add_field(name, data, filename=f"{name}.png", content_type="image/png")
        async with self.http.post(self.url + action, data=form, headers={"Origin": self.url}) as answer:
            if answer.status != 200:
                raise DemoError(f"The form {action} of {self.brand.name} was refused ({answer.status}).")

    async def add_account(self, person: Person) -> None:
        """The account exists and can sign in."""
        arguments = ("account", "create", person.key, "--email", f"{person.key}@example.com", "--password-stdin")
        await self.cli(*arguments, stdin=PASSWORD)

    async def cli(self, *arguments: str, stdin: str = "") -> str:
        """What `fediverse …` prints. Raises DemoError with its sentence when it fails."""
        process = await asyncio.create_subprocess_exec(
            *self._command(*arguments),
            env=self._environment(),
            cwd=self.folder,
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
        )
        out, error = await process.communicate(f"{stdin}\n".encode())
        if process.returncode != 0:
            raise DemoError(f"'fediverse {' '.join(arguments)}' failed: {error.decode().strip()}")
        return out.decode().strip()

    async def api(self, method: str, path: str, *, by: str, **request: Any) -> Any:
        """What the client API answers to the account. Raises DemoError when it refuses."""
        headers = {"Authorization": f"Bearer {self.tokens[by]}"}
        async with self.http.request(method, self.url + path, headers=headers, **request) as answer:
            if answer.status // 100 != 2:
                raise DemoError(f"{method} {path} for {by} was refused ({answer.status}): {await answer.text()}")
            return await answer.json()

    def _command(self, *arguments: str) -> tuple[str, ...]:
        return (sys.executable, "-m", "fediverse", *arguments)

    def _environment(self) -> dict[str, str]:
        """The surroundings without settings of other instances. (The folder is the working one for the same reason.)"""
        kept = {name: value for name, value in os.environ.items() if not name.startswith("FEDIVERSE_")}
        return {
            **kept,
            "PYTHONUNBUFFERED": "1",
            "FEDIVERSE_BASE_URL": self.url,
            "FEDIVERSE_DATA_DIR": str(self.folder),
            "FEDIVERSE_ALLOWED_PRIVATE_ADDRESSES": _ALLOWED,
            # Everything here comes from one address.
            "FEDIVERSE_RATE_LIMITS": "off",
            "FEDIVERSE_LOG_LEVEL": "warning",
        }
