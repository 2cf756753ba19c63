"""Pictures, videos and sounds for tests, small ones, made when they are needed and kept."""

from __future__ import annotations

import io
import struct
import zlib
from fractions import Fraction
from functools import cache
from typing import Any, cast

import aiohttp
import av
from PIL import Image

Form = aiohttp.FormData
COLOURS = ("red", "green", "blue", "yellow")


@cache
def picture(format: str = "JPEG", size: tuple[int, int] = (64, 48), mode: str = "RGB", quality: int = 90) -> bytes:
    """A picture: the upper left quarter is red, the rest white."""
    image = Image.new(mode, size, "white")
    image.paste("red", (0, 0, size[0] // 2, size[1] // 2))
    out = io.BytesIO()
    image.save(out, format, quality=quality)
    return out.getvalue()


@cache
def gif(frames: int, size: tuple[int, int] = (32, 24)) -> bytes:
    """A GIF of so many pictures."""
    images = [Image.new("RGB", size, COLOURS[i % 4]) for i in range(frames)]
    out = io.BytesIO()
    images[0].save(out, "GIF", save_all=frames > 1, append_images=images[1:], duration=100)
    return out.getvalue()


@cache
def clip(
    format: str = "mp4",
    video: str | None = "libx264",
    audio: str | None = "aac",
    *,
    size: tuple[int, int] = (64, 48),
    frames: int = 10,
    every: int = 1,
    turned: int = 0,
    words: tuple[tuple[str, str], ...] = (),
) -> bytes:
    """A video of a second (a picture ``every`` tenth of one), or a sound; ``words`` is what it says of itself."""
    out = io.BytesIO()
    with av.open(out, "w", format=format) as made:
        made.metadata.update(dict(words))
        film: Any = made.add_stream(cast(Any, video), rate=10) if video else None
        sound: Any = made.add_stream(cast(Any, audio), rate=48_000) if audio else None
        if sound is not None:
            sound.codec_context.layout = "mono"
        if film is not None:
            film.width, film.height = size
            film.pix_fmt = "yuv420p"
            if turned:
                film.set_display_rotation(turned)
            for number in range(frames):
                image = Image.new("RGB", size, COLOURS[number % 4])
                shown = av.VideoFrame.from_image(image)
                shown.pts, shown.time_base = number * every, Fraction(1, 10)
                made.mux(film.encode(shown))
            made.mux(film.encode(None))
        if sound is not None:
            for number in range(0, 48_000, 960):
                frame = av.AudioFrame(format="s16", layout="mono", samples=960)
                frame.sample_rate, frame.pts, frame.time_base = 48_000, number, Fraction(1, 48_000)
                for plane in frame.planes:
                    plane.update(bytes(plane.buffer_size))
                made.mux(sound.encode(frame))
            made.mux(sound.encode(None))
    return out.getvalue()


def declared_png(width: int, height: int) -> bytes:
    """A PNG that says it is that large, and holds nearly nothing."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    return (
        b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(bytes(1000))) + chunk(b"IEND", b"")
    )


def form(
    data: bytes, filename: str = "file", kind: str = "application/octet-stream", **fields: Any
) -> aiohttp.FormData:
    """A multipart form with the file; fields of bytes are files, too."""
    made = aiohttp.FormData()
    made.add_field("file", data, filename=filename, content_type=kind)
    for name, value in fields.items():
        if isinstance(value, bytes):
            made.add_field(name, value, filename=name, content_type="image/png")
        else:
            made.add_field(name, value)
    return made
