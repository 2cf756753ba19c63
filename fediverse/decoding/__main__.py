"""The process that reads one uploaded file: ``python -m fediverse.decoding TASK``, options as JSON on standard input.

Tasks: ``look`` (what the file is; a picture is made at once, a clip gets its preview), ``preview`` (a picture as the
preview of something else) and ``convert`` (a clip becomes a file that browsers play). The answer is one JSON object.
"""

from __future__ import annotations

import ctypes
import os
import resource
import signal
import sys
from pathlib import Path
from typing import Any, Final

import orjson

from fediverse.decoding import clips, limits, stills
from fediverse.decoding.limits import HEAD_BYTES
from fediverse.decoding.sniffing import sniff
from fediverse.errors import Invalid

_DIE_WITH_PARENT: Final = 1  # PR_SET_PDEATHSIG
_MEMORY: Final = {"look": 2 << 30, "preview": 1 << 30, "convert": 3 << 30}  # addresses, of which a part is ever used
_CPU_SECONDS: Final = {"look": 30, "preview": 20, "convert": 30 * 60}
_FILE_BYTES: Final = 256 << 20
_UNTAKEN: Final = (
    "This is not a file that can be shown here. Send a picture (JPEG, PNG, GIF, WebP, AVIF, HEIC), a video (MP4, MOV, "
    "WebM) or a sound (MP3, Ogg, WAV, FLAC, M4A)."
)
_TOO_LARGE: Final = (
    f"A picture may have {limits.PICTURE_BYTES >> 20} MB, a video or sound {limits.CLIP_BYTES >> 20} MB. "
    "Make it smaller and try again."
)


def look(source: Path, folder: Path) -> dict[str, Any]:
    """What the file is. Of a picture everything is in the folder, of a clip the preview."""
    with source.open("rb") as file:
        found = sniff(file.read(HEAD_BYTES))
    if found is None:
        raise Invalid(_UNTAKEN)
    size = source.stat().st_size
    if size > (limits.PICTURE_BYTES if found.family == "picture" else limits.CLIP_BYTES):
        raise Invalid(_TOO_LARGE)
    if found.family == "picture" and found.reader != "GIF":
        return stills.make(source, found.reader, folder)
    if found.reader == "GIF" and not clips.is_animated(source):
        return stills.make(source, "GIF", folder)
    reader = found.reader.lower()
    return {**clips.inspect(source, reader, folder), "reader": reader}


def preview(source: Path, folder: Path) -> dict[str, Any]:
    """The picture's preview is in the folder."""
    with source.open("rb") as file:
        found = sniff(file.read(HEAD_BYTES))
    if found is None or found.family != "picture" or source.stat().st_size > limits.PICTURE_BYTES:
        raise Invalid("The thumbnail is not a picture that can be shown here. Send a JPEG or PNG file.")
    return stills.make_preview(source, found.reader, folder)


def convert(source: Path, target: Path, plan: dict[str, Any]) -> dict[str, Any]:
    """The clip is at ``target`` as planned; encoded anew where it turns out that it cannot be taken over as it is."""
    try:
        return clips.convert(source, plan["reader"], target, plan)
    except Invalid:
        if "copy" not in (plan["video"], plan["audio"]):
            raise
    anew = {name: plan[name] and "encode" for name in ("video", "audio")}
    return clips.convert(source, plan["reader"], target, {**plan, **anew})


def _confine(task: str) -> None:
    """This process takes no more than its task needs, and ends with the one that started it."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_DIE_WITH_PARENT, signal.SIGKILL)
    for limit, most in (
        (resource.RLIMIT_AS, _MEMORY[task]),
        (resource.RLIMIT_CPU, _CPU_SECONDS[task]),
        (resource.RLIMIT_FSIZE, _FILE_BYTES),
        (resource.RLIMIT_NOFILE, 64),
        (resource.RLIMIT_CORE, 0),
    ):
        _, allowed = resource.getrlimit(limit)  # which nobody can raise
        least = most if allowed == resource.RLIM_INFINITY else min(most, allowed)
        resource.setrlimit(limit, (least, least))
    if task == "convert":
        os.nice(10)  # requests come first


def main() -> None:
    """Does the task that the command line names."""
    task = sys.argv[1]
    options = orjson.loads(sys.stdin.buffer.read())
    _confine(task)
    paths = {name: Path(options.pop(name)) for name in ("source", "folder", "target") if name in options}
    try:
        answer = {"look": look, "preview": preview, "convert": convert}[task](**paths, **options)  # type: ignore[operator]
    except Invalid as error:
        answer = {"refused": error.message}
    except OSError:  # no room on the disk, no file
        sys.exit(os.EX_OSERR)
    sys.stdout.buffer.write(orjson.dumps(answer))


if __name__ == "__main__":
    main()
