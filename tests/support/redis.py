"""A throwaway Redis (or Valkey) server on the loopback, started, stopped and started again by tests."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import time
from pathlib import Path

import pytest

from tests.support.instance import free_port

_SECONDS = 20


def require() -> str:
    """The path of the server's program. Skips where there is none, or fails where everything has to be tested."""
    program = shutil.which("redis-server") or shutil.which("valkey-server")
    missing = "Neither Redis nor Valkey is on this machine: events between processes were not tested"
    if program is None and os.environ.get("TEST_ALL") == "1":
        pytest.fail(missing, pytrace=False)
    if program is None:
        pytest.skip(missing)
    return program


class Server:
    """A server that keeps nothing."""

    def __init__(self, folder: Path) -> None:
        self._program = require()
        self._folder = folder
        self._port = free_port()
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def url(self) -> str:
        """Where it listens."""
        return f"redis://127.0.0.1:{self._port}/0"

    def start(self) -> None:
        """The server takes connections."""
        options = ["--bind", "127.0.0.1", "--port", str(self._port), "--save", "", "--appendonly", "no"]
        self._process = subprocess.Popen(
            [self._program, *options, "--dir", str(self._folder)], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        )
        end = time.monotonic() + _SECONDS
        while time.monotonic() < end:
            with socket.socket() as probe:
                if probe.connect_ex(("127.0.0.1", self._port)) == 0:
                    return
            time.sleep(0.02)
        raise AssertionError("Redis did not start")

    def stop(self) -> None:
        """The server is gone, without a farewell to anybody connected."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            self._process = None
