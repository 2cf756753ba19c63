"""Uploaded pictures: what is refused, what is left of the rest, and where it is kept."""

from __future__ import annotations

import io
import resource
import struct
import time
import zlib
from pathlib import Path

import pytest
from PIL import Image, PngImagePlugin

from fediverse import media
from fediverse.db import open_database
from fediverse.errors import FediverseError, Invalid, NotFound, TooLarge, UnsupportedType
from fediverse.media import PictureStore
from fediverse.tables import metadata

_ORIENTATION, _GPS = 0x0112, 0x8825


def picture(format: str = "JPEG", size: tuple[int, int] = (64, 48), mode: str = "RGB", **options: object) -> bytes:
    out = io.BytesIO()
    Image.new(mode, size, (200, 30, 40) if mode == "RGB" else (200, 30, 40, 90)).save(out, format, **options)
    return out.getvalue()


def declared_png(width: int, height: int) -> bytes:
    """A PNG that says it is that large, and holds nearly nothing."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    return (
        b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(bytes(1000))) + chunk(b"IEND", b"")
    )


@pytest.mark.attack("MED-02")
@pytest.mark.parametrize(
    ("data", "error"),
    [
        (b"", UnsupportedType),
        (b"<!doctype html><script>alert(1)</script>", UnsupportedType),
        (b'<svg xmlns="http://www.w3.org/2000/svg" onload="alert(1)"/>', UnsupportedType),
        (b'<?xml version="1.0"?><svg/>', UnsupportedType),
        (b"%PDF-1.7", UnsupportedType),
        (picture("GIF"), UnsupportedType),
        (picture("BMP"), UnsupportedType),
        (b"\xff\xd8\xff" + b"<script>" * 10, Invalid),
        (b"\x89PNG\r\n\x1a\n" + b"<script>" * 10, Invalid),
        (b"RIFF\x00\x00\x00\x00WEBPjunkjunkjunkjunk", Invalid),
        (b"RIFF\x00\x00\x00\x00WEBP", Invalid),
        (picture("PNG", (200, 200))[:-100], Invalid),
        (bytes(media.MAX_BYTES + 1), TooLarge),
    ],
)
def test_what_is_no_picture_is_refused_in_a_sentence(data: bytes, error: type[FediverseError]) -> None:
    with pytest.raises(error) as caught:
        media.prepare(data, "avatar")
    assert caught.value.message.endswith(".")


@pytest.mark.attack("MED-04")
@pytest.mark.parametrize(
    "data",
    [
        declared_png(50_000, 50_000),
        b"RIFF\x00\x00\x00\x00WEBPVP8X\x0a\x00\x00\x00\x00\x00\x00\x00" + b"\xff\x3f\x00" * 2 + bytes(20),
        b"RIFF\x00\x00\x00\x00WEBPVP8L\x0a\x00\x00\x00\x2f" + b"\xff\xff\xff\x0f" + bytes(20),
    ],
    ids=["png", "webp-extended", "webp-lossless"],
)
def test_a_decompression_bomb_is_refused_before_it_is_decoded(data: bytes) -> None:
    before, started = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss, time.process_time()
    with pytest.raises(Invalid, match="million"):
        media.prepare(data, "avatar")
    assert time.process_time() - started < 5
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 50 * 1024


@pytest.mark.attack("MED-04")
def test_a_text_bomb_in_a_png_is_refused() -> None:
    texts = PngImagePlugin.PngInfo()
    for number in range(80):
        texts.add_itxt(f"k{number}", "A" * 1_000_000, zip=True)
    with pytest.raises(Invalid):
        media.prepare(picture("PNG", pnginfo=texts), "avatar")


@pytest.mark.attack("MED-05")
def test_metadata_stays_behind_and_orientation_is_applied() -> None:
    image = Image.new("RGB", (80, 40), "white")
    image.paste("black", (0, 0, 40, 40))  # the left half; upright after the turn: the upper half
    exif = Image.Exif()
    exif[_ORIENTATION] = 6
    exif[0x010E] = "MARKER description"
    exif.get_ifd(_GPS)[2] = (48.0, 8.0, 15.0)
    out = io.BytesIO()
    image.save(out, "JPEG", exif=exif, comment=b"MARKER comment", quality=95)
    data = out.getvalue()
    assert b"MARKER" in data
    prepared = media.prepare(data, "logo")
    assert b"MARKER" not in prepared.data
    assert b"Exif" not in prepared.data
    with Image.open(io.BytesIO(prepared.data)) as result:
        assert result.size == (40, 80)
        assert not result.getexif()
        assert "comment" not in result.info
        upper, lower = result.getpixel((20, 20)), result.getpixel((20, 60))
    assert isinstance(upper, tuple)
    assert isinstance(lower, tuple)
    assert upper[0] < 60
    assert lower[0] > 200


@pytest.mark.attack("MED-02")
@pytest.mark.parametrize("format", ["JPEG", "PNG", "WEBP"])
def test_a_polyglot_dies_by_encoding_anew(format: str) -> None:
    prepared = media.prepare(picture(format) + b"<script>alert('MARKER')</script>", "avatar")
    assert b"MARKER" not in prepared.data


@pytest.mark.attack("MED-05")
def test_png_texts_and_profiles_stay_behind() -> None:
    texts = PngImagePlugin.PngInfo()
    texts.add_text("XML:com.adobe.xmp", "MARKER")
    data = picture("PNG", mode="RGBA", pnginfo=texts, icc_profile=b"MARKER of a broken profile")
    prepared = media.prepare(data, "avatar")
    assert prepared.content_type == "image/png"
    assert b"MARKER" not in prepared.data


@pytest.mark.parametrize(
    ("kind", "size", "expected"),
    [
        ("avatar", (1000, 600), (400, 400)),
        ("avatar", (100, 60), (60, 60)),
        ("header", (4000, 3000), (1500, 500)),
        ("logo", (1024, 256), (512, 128)),
        ("avatar", (3000, 1), (1, 1)),
    ],
)
def test_pictures_have_the_size_of_their_kind(
    kind: media.Kind, size: tuple[int, int], expected: tuple[int, int]
) -> None:
    prepared = media.prepare(picture("JPEG", size), kind)
    assert (prepared.width, prepared.height) == expected
    assert prepared.content_type == "image/jpeg"


def test_other_modes_are_taken() -> None:
    out = io.BytesIO()
    Image.new("CMYK", (30, 30), (0, 255, 255, 0)).save(out, "JPEG")
    assert media.prepare(out.getvalue(), "avatar").content_type == "image/jpeg"
    out = io.BytesIO()
    Image.new("P", (30, 30)).save(out, "PNG", transparency=0)
    assert media.prepare(out.getvalue(), "avatar").content_type == "image/png"
    out = io.BytesIO()
    frames = [Image.new("RGB", (30, 30), colour) for colour in ("red", "green", "blue")]
    frames[0].save(out, "WEBP", save_all=True, append_images=frames[1:])
    assert media.prepare(out.getvalue(), "avatar").content_type == "image/jpeg"


def test_sniffing_knows_what_browsers_show_as_pictures_only() -> None:
    assert media.sniff(picture("GIF")) == "image/gif"
    assert media.sniff(picture("WEBP")) == "image/webp"
    assert media.sniff(b"\0\0\0\x1cftypavif") == "image/avif"
    assert media.sniff(b"<svg/>") is None
    assert media.sniff(b"") is None


async def test_a_picture_is_stored_found_and_discarded(tmp_path: Path) -> None:
    db = open_database(f"sqlite:///{tmp_path}/test.db")
    store = PictureStore(str(tmp_path / "media"))
    try:
        await db.write(metadata.create_all)
        key = await media.store_picture(db, store, picture("PNG", (500, 500)), kind="avatar")
        row = await db.read(media.find, key)
        assert row is not None
        stored = await store.get(key)
        assert (row.content_type, row.width, row.size) == ("image/jpeg", 400, len(stored))
        assert media.sniff(stored) == "image/jpeg"
        await media.discard_picture(db, store, key)
        assert await db.read(media.find, key) is None
        with pytest.raises(NotFound):
            await store.get(key)
        await media.discard_picture(db, store, key)  # a second time is no error
        await media.discard_picture(db, store, None)
    finally:
        await db.close()


@pytest.mark.attack("MED-01")
@pytest.mark.parametrize("key", ["../secret", "..%2fsecret", "/etc/passwd", "a\0b", "a" * 5000, "..\\x.jpg", ""])
async def test_only_keys_made_here_are_looked_for(tmp_path: Path, key: str) -> None:
    (tmp_path / "secret").write_text("MARKER")
    with pytest.raises(NotFound):
        await PictureStore(str(tmp_path / "media")).get(key)
