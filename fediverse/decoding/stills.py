"""Pictures made harmless: checked before they are decoded, then decoded, made smaller and encoded anew.

Only pixels pass. EXIF, XMP, IPTC, thumbnails, comments, colour profiles and whatever was hidden behind the picture's
end stay behind; orientation and colours are applied first, so that the picture looks as it did.

Imported where pictures are worked on only: Pillow is large.
"""

from __future__ import annotations

import math
import struct
from collections.abc import Iterator
from contextlib import contextmanager
from io import BytesIO
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from fediverse.decoding.limits import PICTURE_PIXELS, SHOWN_PIXELS, SMALL_PIXELS, WEBP_PIXELS
from fediverse.errors import Invalid

if TYPE_CHECKING:
    from PIL.Image import Image

BROKEN: Final = "This picture is damaged and cannot be read. Save it again in a picture editor, then send that file."

_QUALITY: Final = 85
_SMALL_QUALITY: Final = 80
# Drawings and screenshots stay sharp as PNG; photographs that somebody saved as PNG are larger than this.
_DRAWING_BYTES: Final = 3 * 1024 * 1024
_HASHED_SIZE: Final = 32
_BAND: Final = 256  # rows


def make(source: Path, reader: str, folder: Path) -> dict[str, Any]:
    """The picture and its preview are in the folder; returns what there is to know of them."""
    data = source.read_bytes()
    with mended():
        image = open_still(data, reader, least=SHOWN_PIXELS)
        shown = flattened(upright_in_srgb(shrink(image, SHOWN_PIXELS)))
        del image
    drawing = reader == "PNG" and len(data) <= _DRAWING_BYTES
    original = _save(shown, folder / "original", lossless=drawing or reader == "GIF")
    return {"type": "image", "original": original, **preview(shown, folder)}


def preview(shown: Image, folder: Path) -> dict[str, Any]:
    """The small picture is in the folder; returns it and the blurred placeholder."""
    small = shrink(shown, SMALL_PIXELS)
    return {"small": _save(small, folder / "small", quality=_SMALL_QUALITY), "blurhash": _blurhash(small)}


def make_preview(source: Path, reader: str, folder: Path) -> dict[str, Any]:
    """Just the preview of a picture is in the folder: for a video's own picture."""
    with mended():
        image = open_still(source.read_bytes(), reader, least=SMALL_PIXELS)
        return preview(flattened(upright_in_srgb(shrink(image, SMALL_PIXELS))), folder)


@contextmanager
def mended() -> Iterator[None]:
    """What Pillow raises for a file that it cannot read becomes a sentence."""
    from PIL.Image import DecompressionBombError  # noqa: PLC0415 heavy, and rarely needed

    try:
        yield
    except DecompressionBombError as error:  # Pillow's own limit is higher, and checked on opening
        raise Invalid(_too_many(PICTURE_PIXELS)) from error
    except (OSError, ValueError, SyntaxError, struct.error, EOFError, MemoryError) as error:
        raise Invalid(BROKEN) from error


def open_still(data: bytes, reader: str, *, least: int) -> Image:
    """The first frame, decoded; at a fraction of its size where that leaves at least ``least`` pixels."""
    from PIL import Image as pil  # noqa: PLC0415 heavy, and rarely needed

    if reader == "WEBP":
        check_pixels(*webp_size(data), most=WEBP_PIXELS)  # Pillow would allocate its canvas on opening
    if reader == "HEIF":
        import pillow_heif  # noqa: PLC0415 heavy, and rarely needed

        pillow_heif.options.DECODE_THREADS = 1
        pillow_heif.register_heif_opener(thumbnails=False)
    if reader == "AVIF":
        from PIL import AvifImagePlugin  # noqa: PLC0415 heavy, and rarely needed

        AvifImagePlugin.DEFAULT_MAX_THREADS = 1  # as many as the machine has cores would take too much memory
    image: Image = pil.open(BytesIO(data), formats=(reader,))
    check_pixels(*image.size)
    if reader == "JPEG":
        # Decodes at 1/2, 1/4 or 1/8 where that is still large enough: less time, less memory.
        scale = math.sqrt(least / (image.width * image.height))
        if scale < 1:
            image.draft(None, (math.ceil(image.width * scale), math.ceil(image.height * scale)))
    image.load()
    return image


def check_pixels(width: int, height: int, most: int = PICTURE_PIXELS) -> None:
    """Raises Invalid for a picture without points or with too many."""
    if width < 1 or height < 1:
        raise Invalid(BROKEN)
    if width * height > most:
        raise Invalid(_too_many(most))


def _too_many(most: int) -> str:
    return f"The picture has more than {most // 1_000_000} million points. Save it smaller and try again."


def webp_size(data: bytes) -> tuple[int, int]:
    """Width and height of the canvas by the first chunk (RFC 9649 §2.5–2.7)."""
    chunk, body = data[12:16], data[20:30]
    if len(body) < 10:
        raise Invalid(BROKEN)
    if chunk == b"VP8X":
        return int.from_bytes(body[4:7], "little") + 1, int.from_bytes(body[7:10], "little") + 1
    if chunk == b"VP8L":
        bits = int.from_bytes(body[1:5], "little")
        return (bits & 0x3FFF) + 1, (bits >> 14 & 0x3FFF) + 1
    if chunk == b"VP8 ":
        return int.from_bytes(body[6:8], "little") & 0x3FFF, int.from_bytes(body[8:10], "little") & 0x3FFF
    raise Invalid(BROKEN)


def shrink(image: Image, pixels: int) -> Image:
    """The picture with at most so many points, of the same proportions; EXIF and profile are still with it."""
    from PIL import Image as pil  # noqa: PLC0415 heavy, and rarely needed

    scale = math.sqrt(pixels / (image.width * image.height))
    if scale >= 1:
        return image
    info = image.info
    size = (max(1, int(image.width * scale)), max(1, int(image.height * scale)))
    # Modes of palettes and single bits have no colours between theirs.
    if image.mode not in ("RGB", "RGBA", "L", "LA", "CMYK"):
        image = in_colours(image)
    much = scale < 0.5
    smaller = image.resize(size, pil.Resampling.LANCZOS, reducing_gap=2.0) if much else _resized(image, size)
    smaller.info = info
    return smaller


def _resized(image: Image, size: tuple[int, int]) -> Image:
    """The picture in another size, a band at a time: as a whole it would be in memory up to four times."""
    from PIL import Image as pil  # noqa: PLC0415 heavy, and rarely needed

    smaller, step = pil.new(image.mode, size), image.height / size[1]
    for top in range(0, size[1], _BAND):
        begin, end = top * step, min(top + _BAND, size[1]) * step
        # With what the filter looks at above and below.
        first, last = max(0, int(begin - 4 * step)), min(image.height, math.ceil(end + 4 * step))
        band = image.crop((0, first, image.width, last))
        box = (0, begin - first, image.width, min(end - first, band.height))
        part = band.resize((size[0], min(_BAND, size[1] - top)), pil.Resampling.LANCZOS, box=box)
        smaller.paste(part, (0, top))
    return smaller


def upright_in_srgb(image: Image) -> Image:
    """The picture as it is meant to be looked at: turned upright, in RGB or RGBA, its colour profile applied."""
    from PIL import ImageCms, ImageOps  # noqa: PLC0415 heavy, and rarely needed

    profile = image.info.get("icc_profile")
    image = ImageOps.exif_transpose(image)
    if profile and image.mode in ("RGB", "RGBA", "CMYK", "L") and "transparency" not in image.info:
        try:
            source = ImageCms.ImageCmsProfile(BytesIO(profile))
            mode = "RGBA" if image.mode == "RGBA" else "RGB"
            converted = ImageCms.profileToProfile(image, source, ImageCms.createProfile("sRGB"), outputMode=mode)
            if converted is not None:
                return converted
        except (ImageCms.PyCMSError, OSError, ValueError):
            return in_colours(image)  # a broken profile is as good as none
    return in_colours(image)


def in_colours(image: Image) -> Image:
    """The picture in RGB, or in RGBA where something may shine through."""
    if image.mode.startswith("I") or image.mode == "F":  # 16 bits a point, which a conversion would clip
        image = image.convert("I").point(lambda value: value / 256).convert("L")
    has_alpha = image.mode in ("RGBA", "LA", "PA", "La", "RGBa") or "transparency" in image.info
    return image.convert("RGBA" if has_alpha else "RGB")


def flattened(image: Image) -> Image:
    """The points alone, which carry nothing that a plugin might write; in RGB where nothing shines through."""
    from PIL import Image as pil  # noqa: PLC0415 heavy, and rarely needed

    if image.mode == "RGBA" and image.getchannel("A").getextrema() == (255, 255):
        image = image.convert("RGB")
    plain = pil.new(image.mode, image.size)
    plain.paste(image)
    return plain


def _save(image: Image, path: Path, *, quality: int = _QUALITY, lossless: bool = False) -> dict[str, Any]:
    """JPEG, which everything takes; PNG for drawings; WebP where something shines through a photograph."""
    if lossless:
        image.save(path, "PNG", compress_level=6)
        extension = "png"
    elif image.mode == "RGBA":
        image.save(path, "WEBP", quality=quality, method=3)
        extension = "webp"
    else:
        image.save(path, "JPEG", quality=quality, optimize=True, progressive=True)
        extension = "jpg"
    return {"extension": extension, "width": image.width, "height": image.height, "size": path.stat().st_size}


def _blurhash(image: Image) -> str:
    import blurhash  # noqa: PLC0415 heavy, and rarely needed
    from PIL import Image as pil  # noqa: PLC0415

    tiny = image.convert("RGBA")
    tiny.thumbnail((_HASHED_SIZE, _HASHED_SIZE), pil.Resampling.BOX)
    ground = pil.new("RGBA", tiny.size, "white")
    ground.alpha_composite(tiny)
    raw = ground.convert("RGB").tobytes()
    points = list(zip(raw[0::3], raw[1::3], raw[2::3], strict=True))
    rows = [points[y * tiny.width : (y + 1) * tiny.width] for y in range(tiny.height)]
    made: str = blurhash.encode(rows, components_x=4, components_y=3)
    return made
