"""A picture of twelve megapixels until it is there with its preview and placeholder: what the process for it takes.

``python -m benchmarks.pictures FILE`` measures one file of one's own: CPU seconds and megabytes at most.
"""

from __future__ import annotations

import asyncio
import json
import resource
import subprocess
import sys
import tempfile
from pathlib import Path
from statistics import median
from typing import Any

from PIL import Image

from benchmarks.report import MEGABYTES, SECONDS, Figure
from benchmarks.stage import Setting
from fediverse import decoding

_LARGE = (4000, 3000)
_TINY = (400, 300)
_KIB_PER_MB = 1e6 / 1024


async def run(setting: Setting) -> dict[str, list[Figure]]:
    """CPU seconds and the most memory, the start of the process included. The server's own processes only wait."""
    size = _TINY if setting.sizes.starts == 1 else _LARGE
    with tempfile.TemporaryDirectory() as folder:
        source = Path(folder) / "source"
        _photograph(size).save(source, "JPEG", quality=92)
        detail = {"points": size[0] * size[1], "bytes": source.stat().st_size}
        told = [await asyncio.to_thread(_measured, source) for _ in range(setting.sizes.starts)]
    return {
        "picture": [
            Figure(
                "JPEG to picture, preview, placeholder",
                median(one["cpu_seconds"] for one in told),
                f"CPU {SECONDS}",
                bound="picture",
                detail=detail,
            ),
            Figure("the same, at its peak", max(one["peak_mb"] for one in told), MEGABYTES, bound="picture memory"),
        ]
    }


def _photograph(size: tuple[int, int]) -> Image.Image:
    """Something with as much in it as a photograph."""
    noise = Image.effect_noise((size[0] // 4, size[1] // 4), 80).resize(size, Image.Resampling.BICUBIC)
    return Image.blend(noise, Image.radial_gradient("L").resize(size), 0.5).convert("RGB")


def _measured(source: Path) -> dict[str, float]:
    """By a process of its own: what children took is known of all together only."""
    command = [sys.executable, "-m", "benchmarks.pictures", str(source)]
    told: dict[str, float] = json.loads(subprocess.run(command, check=True, capture_output=True).stdout)
    return told


def main() -> None:
    """Measures the file that the command line names."""
    source = Path(sys.argv[1])
    with tempfile.TemporaryDirectory() as folder:
        made: dict[str, Any] = asyncio.run(decoding.run("look", seconds=60, source=str(source), folder=folder))
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    told = {
        "cpu_seconds": round(used.ru_utime + used.ru_stime, 3),
        "peak_mb": round(used.ru_maxrss / _KIB_PER_MB, 1),
        "made": {name: made[name] for name in ("original", "small") if name in made},
    }
    print(json.dumps(told))


if __name__ == "__main__":
    main()
