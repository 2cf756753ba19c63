"""Files that strangers upload, in the process that reads them: what they become, and what ends them."""

from __future__ import annotations

import asyncio
import io
import struct
from pathlib import Path
from typing import Any

import av
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image, PngImagePlugin

from fediverse import decoding
from fediverse.decoding import clips, limits, stills
from fediverse.errors import Invalid
from tests.support.files import clip, picture


async def look(folder: Path, data: bytes, *, seconds: float = 30) -> dict[str, Any]:
    source = folder / "source"
    source.write_bytes(data)
    return await decoding.run("look", seconds=seconds, source=str(source), folder=str(folder))


def many_frames(count: int, width: int = 1, height: int = 1) -> bytes:
    """A GIF of so many pictures, of 24 bytes each."""
    frame = (
        b"\x21\xf9\x04\x00\x01\x00\x00\x00" + b"\x2c" + struct.pack("<HHHHB", 0, 0, 1, 1, 0) + b"\x02\x02\x44\x01\x00"
    )
    head = b"GIF89a" + struct.pack("<HHBBB", width, height, 0x80, 0, 0) + bytes(6)
    return head + frame * count + b";"


@pytest.mark.attack("MED-04")
@pytest.mark.parametrize(
    "data",
    [
        many_frames(20_000),
        many_frames(2_000, 2_000, 1_000),
        many_frames(2, 15_000, 15_000),
        clip("mp4", "libx264", None, every=100_000),
        clip("mp4", "mpeg4", None, size=(4096, 2176), frames=1),
    ],
    ids=["frames", "work", "canvas", "hours", "points"],
)
async def test_what_would_take_too_long_is_refused_at_once(tmp_path: Path, data: bytes) -> None:
    with pytest.raises(Invalid) as refused:
        await look(tmp_path, data)
    assert refused.value.message.endswith(".")
    assert "damaged" not in refused.value.message


@pytest.mark.attack("MED-04")
async def test_a_text_bomb_in_a_png_is_refused(tmp_path: Path) -> None:
    texts = PngImagePlugin.PngInfo()
    for number in range(80):
        texts.add_itxt(f"k{number}", "A" * 1_000_000, zip=True)
    out = io.BytesIO()
    Image.new("RGB", (4, 4)).save(out, "PNG", pnginfo=texts)
    with pytest.raises(Invalid):
        await look(tmp_path, out.getvalue())


async def test_the_process_has_limits_and_no_secrets(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """One that takes too long is killed, also when whoever waits for it goes away; none knows the environment."""
    monkeypatch.setenv("FEDIVERSE_SECRET_KEY", "MARKER")
    assert "MARKER" not in str(decoding._environment())
    with pytest.raises(Invalid, match="damaged"):
        await look(tmp_path, picture(), seconds=0.001)
    waiting = asyncio.create_task(look(tmp_path, picture()))
    await asyncio.sleep(0.02)
    waiting.cancel()
    with pytest.raises(asyncio.CancelledError):
        await waiting
    with pytest.raises(Invalid, match="damaged"):
        await decoding.run("nothing that there is", seconds=30)


@pytest.mark.parametrize(
    ("format", "video", "audio", "turned", "plan", "tracks"),
    [
        ("mp4", "libx264", "aac", 90, ("copy", "copy"), ["h264", "aac"]),
        ("matroska", "libx264", "libopus", 0, ("copy", "encode"), ["h264", "aac"]),
        ("mov", "mpeg4", "aac", 270, ("encode", "copy"), ["h264", "aac"]),
        ("webm", "libvpx", None, 0, ("encode", None), ["h264"]),
        ("mov", None, "aac", 0, (None, "copy"), ["aac"]),
        ("mp3", None, "libmp3lame", 0, (None, "copy"), ["mp3"]),
        ("ogg", None, "libopus", 0, (None, "encode"), ["mp3"]),
        ("flac", None, "flac", 0, (None, "encode"), ["mp3"]),
        ("wav", None, "pcm_s16le", 0, (None, "encode"), ["mp3"]),
    ],
)
def test_every_clip_becomes_what_browsers_play(
    tmp_path: Path,
    format: str,
    video: str | None,
    audio: str | None,
    turned: int,
    plan: tuple[str | None, str | None],
    tracks: list[str],
) -> None:
    data, source, target = clip(format, video, audio, turned=turned), tmp_path / "source", tmp_path / "target"
    source.write_bytes(data)
    sniffed = decoding.sniff(data[:64])
    assert sniffed is not None
    found = clips.inspect(source, sniffed.reader, tmp_path)
    assert (found["video"], found["audio"]) == plan
    assert 0.9 < found["duration"] < 1.2
    made = clips.convert(source, sniffed.reader, target, found)
    assert 0.9 < made["duration"] < 1.2
    with av.open(str(target)) as played:
        assert [s.codec_context.name.removesuffix("float") for s in played.streams] == tracks
        if video:
            frames = list(played.decode(video=0))
            assert len(frames) == 10
            size = (48, 64) if turned else (64, 48)
            assert (made["width"], made["height"]) == size
            upright = frames[0].to_image().rotate(frames[0].rotation, expand=True)
            assert upright.size == size
            with Image.open(tmp_path / "small") as small:
                assert small.size == size


def _shown(data: bytes, reader: str) -> Image.Image:
    image = stills.open_still(data, reader, least=limits.SHOWN_PIXELS)
    return stills.flattened(stills.upright_in_srgb(stills.shrink(image, limits.SHOWN_PIXELS)))


@pytest.mark.parametrize("mode", ["1", "L", "LA", "P", "RGB", "RGBA", "CMYK", "I;16", "YCbCr"])
def test_every_kind_of_picture_keeps_its_colours(mode: str) -> None:
    """A light grey one, however it is written down; also where it is made smaller."""
    grey = Image.new("L", (60, 40), 255 if mode == "1" else 200)
    image = grey.point(lambda value: value * 257, "I").convert("I;16") if mode == "I;16" else grey.convert("RGB")
    if mode not in ("I;16", "RGB"):
        image = image.convert(mode, palette=Image.Palette.ADAPTIVE)
    out, format = io.BytesIO(), "JPEG" if mode in ("CMYK", "YCbCr") else "PNG"
    image.save(out, format)
    shown = _shown(out.getvalue(), format)
    assert shown.mode in ("RGB", "RGBA")
    for made in (shown, stills.shrink(image, 600), stills.shrink(image, 2000)):
        point = stills.flattened(stills.upright_in_srgb(made)).convert("RGB").getpixel((5, 5))
        assert isinstance(point, tuple)
        assert all(abs(value - (255 if mode == "1" else 200)) < 9 for value in point), (mode, point)


def test_what_is_shown_through_stays_so() -> None:
    image = Image.new("RGBA", (3000, 3000), (255, 0, 0, 0))
    image.paste((0, 0, 255, 255), (0, 0, 1500, 3000))
    smaller = stills.shrink(image, limits.SHOWN_PIXELS)
    assert smaller.width * smaller.height <= limits.SHOWN_PIXELS
    assert [smaller.getpixel((x, 1400))[3] for x in (10, 2800)] == [255, 0]  # type: ignore[index]
    assert stills.flattened(smaller).mode == "RGBA"


@settings(max_examples=200, deadline=None)
@given(st.one_of(st.binary(max_size=80), st.binary(max_size=70).map(lambda rest: b"\0\0\0\x20ftyp" + rest)))
def test_whatever_a_file_begins_with_is_sniffed_without_ado(head: bytes) -> None:
    found = decoding.sniff(head)
    assert found is None or found.family in ("picture", "clip")
    shown = decoding.shown_as(head)
    assert shown is None or shown.partition("/")[0] in ("image", "video", "audio")
    assert "svg" not in str(shown)
