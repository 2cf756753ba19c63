"""masto.js, which web clients are made with, walks the main paths, streams among them."""

from __future__ import annotations

import asyncio
import contextlib
import os
import shutil
from pathlib import Path

import pytest

from tests.support.instance import Instance

ROOT = Path(__file__).parents[1]


def node() -> str:
    """The path of Node. Skips where masto.js cannot run, or fails where everything has to be tested."""
    found = shutil.which("node")
    if found is not None and (ROOT / "node_modules" / "masto").is_dir():
        return found
    missing = "Node or masto.js is not on this machine: masto.js was not tested"
    if os.environ.get("TEST_ALL") == "1":
        pytest.fail(missing, pytrace=False)
    pytest.skip(missing)


@pytest.mark.timeout(180)
async def test_masto_js_walks_the_main_paths(instance: Instance) -> None:
    alice, bob = await instance.account("alice"), await instance.account("bob")
    process = await asyncio.create_subprocess_exec(
        node(),
        str(ROOT / "tests" / "peers" / "masto" / "walk.mjs"),
        cwd=ROOT,
        env={**os.environ, "URL": instance.url, "ALICE": alice.token, "BOB": bob.token},
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )

    async def work() -> None:
        while True:
            await instance.tick()
            await asyncio.sleep(0.05)

    working = asyncio.create_task(work())
    try:
        out, _ = await process.communicate()
    finally:
        working.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await working
    assert out.decode().strip().endswith("ALL WELL"), out.decode()[-4000:]
