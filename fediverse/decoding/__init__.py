"""Uploaded files, read in a process of their own: bounded in memory and time, without the server's secrets.

Pictures, videos and sounds of strangers go through libraries in C that have had holes before. What goes wrong in them
ends one short-lived process, and the upload with it. Nothing here knows the database or the network.
"""

from __future__ import annotations

import asyncio
import os
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

import orjson

from fediverse.decoding.limits import HEAD_BYTES
from fediverse.decoding.sniffing import Found, shown_as, sniff
from fediverse.errors import Invalid, Unavailable

__all__ = ["HEAD_BYTES", "Found", "run", "shown_as", "sniff"]

_SOURCES: Final = str(Path(__file__).parent.parent.parent)
# What a library needs to be found; nothing that is secret.
_PASSED_ON: Final = ("PATH", "LANG", "LD_LIBRARY_PATH", "TMPDIR")
_BROKEN: Final = "This file is damaged or too demanding, and cannot be read. Save it anew in an editor, then send that."
_MAX_ANSWER: Final = 64 * 1024


async def run(task: str, *, seconds: float, **options: Any) -> dict[str, Any]:
    """What the task (see ``decoding.__main__``) made of the file; its process has ended, also when this is cancelled.

    Raises Invalid for a file that is not taken, that breaks what reads it, or that takes longer than ``seconds``.
    """
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-P", "-m", "fediverse.decoding", task),
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.DEVNULL,
        env=_environment(),
        limit=_MAX_ANSWER,
    )
    try:
        async with asyncio.timeout(seconds):
            answer, _ = await process.communicate(orjson.dumps(options))
    except TimeoutError as error:
        raise Invalid(_BROKEN) from error
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
    return _read(process.returncode, answer)


def _environment() -> Mapping[str, str]:
    path = os.pathsep.join(part for part in (_SOURCES, os.environ.get("PYTHONPATH", "")) if part)
    kept = {name: os.environ[name] for name in _PASSED_ON if name in os.environ}
    # Every arena of glibc reserves addresses, of which the process has not many.
    return {**kept, "PYTHONPATH": path, "MALLOC_ARENA_MAX": "2"}


def _read(code: int | None, answer: bytes) -> dict[str, Any]:
    if code == os.EX_OSERR:
        raise Unavailable("The file cannot be worked on just now. Please try again later.")
    if code != 0:
        raise Invalid(_BROKEN)
    found: dict[str, Any] = orjson.loads(answer)
    if "refused" in found:
        raise Invalid(found["refused"])
    return found
