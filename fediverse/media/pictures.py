"""Uploaded pictures made harmless: checked before they are decoded, then decoded, resized and encoded anew.

Only pixels pass. EXIF, XMP, IPTC, thumbnails, comments, colour profiles and whatever was hidden behind the picture's
end stay behind; orientation and colours are applied first, so that the picture looks as it did.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass
from io import BytesIO
from typing import TYPE_CHECKING, Final, Literal

from fediverse.errors import Invalid, TooLarge, UnsupportedType

if TYPE_CHECKING:
    from PIL.Image import Image

Kind = Literal["avatar", "header", "logo"]

MAX_BYTES: Final = 8 * 1024 * 1024
"""Bytes of an upload."""

MAX_PIXELS: Final = 33_177_600
"""Pixels of an upload (8K): decoded they take at most 133 MB."""

_SIZES: Final[dict[Kind, tuple[int, int]]] = {"avatar": (400, 400), "header": (1500, 500), "logo": (512, 512)}
_QUALITY: Final = 88
_NOT_A_PICTURE: Final = "This is not a picture that can be shown here. Send a JPEG, PNG or WebP file."
_BROKEN: Final = "This picture is damaged and cannot be read. Save it again in a picture editor, then send that file."
_TOO_MANY_PIXELS: Final = (
    f"The picture has more than {MAX_PIXELS // 1_000_000} million points. Save it smaller and try again."
)

# What files of these types begin with, for those that are shown as they are: from other servers.
_SIGNATURES: Final = (
    (b"\xff\xd8\xff", "image/jpeg"),
    (b"\x89PNG\r\n\x1a\n", "image/png"),
    (b"GIF87a", "image/gif"),
    (b"GIF89a", "image/gif"),
)
_TAKEN: Final = {"image/jpeg": "JPEG", "image/png": "PNG", "image/webp": "WEBP"}


@dataclass(frozen=True, slots=True)
class Picture:
    """A picture as it is stored."""

    data: bytes
    content_type: str
    extension: str
    width: int
    height: int


def sniff(data: bytes) -> str | None:
    """The media type of a picture by its first bytes; None when it is none that browsers show as a picture only.

    SVG is such a one: it carries scripts.
    """
    for signature, kind in _SIGNATURES:
        if data.startswith(signature):
            return kind
    if data[:4] == b"RIFF" and data[8:12] == b"WEBP":
        return "image/webp"
    if data[4:8] == b"ftyp" and data[8:12] in (b"avif", b"avis"):
        return "image/avif"
    return None


def prepare(data: bytes, kind: Kind) -> Picture:
    """The picture in the size of its kind, of nothing but pixels. Takes up to seconds of CPU: call it in a thread.

    Avatars and headers are cut to their proportions around the centre, logos keep theirs.

    Raises TooLarge for too many bytes, UnsupportedType for what is no JPEG, PNG or WebP, Invalid for too many pixels
    or a damaged file.
    """
    if len(data) > MAX_BYTES:
        raise TooLarge(f"The picture is larger than {MAX_BYTES // 1024 // 1024} MB. Save it smaller and try again.")
    found = sniff(data)
    if found not in _TAKEN:
        raise UnsupportedType(_NOT_A_PICTURE)
    if found == "image/webp":
        _check_pixels(*_webp_size(data))  # Pillow would allocate its canvas on opening
    return _encode(_fit(_decode(data, _TAKEN[found], kind), kind))


def _decode(data: bytes, format_name: str, kind: Kind) -> Image:
    from PIL import Image, ImageOps  # noqa: PLC0415 heavy, and rarely needed

    try:
        with Image.open(BytesIO(data), formats=(format_name,)) as image:
            _check_pixels(*image.size)
            if format_name == "JPEG":
                # Decodes at 1/2, 1/4 or 1/8 where that is still large enough: less time, less memory.
                side = 2 * max(_SIZES[kind])
                image.draft(None, (side, side))
            image.load()
            return _in_srgb(ImageOps.exif_transpose(image))
    except Invalid:
        raise
    except Image.DecompressionBombError as error:  # Pillow's own limit is higher, and checked on opening
        raise Invalid(_TOO_MANY_PIXELS) from error
    except (OSError, ValueError, SyntaxError, struct.error, MemoryError) as error:
        raise Invalid(_BROKEN) from error


def _check_pixels(width: int, height: int) -> None:
    if width < 1 or height < 1:
        raise Invalid(_BROKEN)
    if width * height > MAX_PIXELS:
        raise Invalid(_TOO_MANY_PIXELS)


def _webp_size(data: bytes) -> tuple[int, int]:
    """Width and height of the canvas by the first chunk (RFC 9649 §2.5–2.7)."""
    chunk, body = data[12:16], data[20:30]
    if len(body) < 10:
        raise Invalid(_BROKEN)
    if chunk == b"VP8X":
        return int.from_bytes(body[4:7], "little") + 1, int.from_bytes(body[7:10], "little") + 1
    if chunk == b"VP8L":
        bits = int.from_bytes(body[1:5], "little")
        return (bits & 0x3FFF) + 1, (bits >> 14 & 0x3FFF) + 1
    if chunk == b"VP8 ":
        return int.from_bytes(body[6:8], "little") & 0x3FFF, int.from_bytes(body[8:10], "little") & 0x3FFF
    raise Invalid(_BROKEN)


def _in_srgb(image: Image) -> Image:
    """The picture in RGB or RGBA, its colour profile applied."""
    from PIL import ImageCms  # noqa: PLC0415 heavy, and rarely needed

    profile = image.info.get("icc_profile")
    has_alpha = image.mode in ("RGBA", "LA", "PA") or "transparency" in image.info
    if profile and image.mode in ("RGB", "RGBA", "CMYK", "L"):
        try:
            source = ImageCms.ImageCmsProfile(BytesIO(profile))
            mode = "RGBA" if image.mode == "RGBA" else "RGB"
            converted = ImageCms.profileToProfile(image, source, ImageCms.createProfile("sRGB"), outputMode=mode)
            if converted is not None:
                return converted
        except (ImageCms.PyCMSError, OSError, ValueError):
            return image.convert("RGBA" if has_alpha else "RGB")  # a broken profile is as good as none
    return image.convert("RGBA" if has_alpha else "RGB")


def _fit(image: Image, kind: Kind) -> Image:
    from PIL import Image as pil  # noqa: PLC0415 heavy, and rarely needed
    from PIL import ImageOps  # noqa: PLC0415

    width, height = _SIZES[kind]
    if kind == "logo":
        image.thumbnail((width, height), pil.Resampling.LANCZOS)
        return image
    scale = min(1.0, image.width / width, image.height / height)  # never blown up: that only makes it larger
    size = (max(1, round(width * scale)), max(1, round(height * scale)))
    return ImageOps.fit(image, size, pil.Resampling.LANCZOS)


def _encode(image: Image) -> Picture:
    """The pixels as JPEG, or as PNG where something shines through: what every server and card reader takes."""
    from PIL import Image as pil  # noqa: PLC0415 heavy, and rarely needed

    transparent = image.mode == "RGBA" and image.getchannel("A").getextrema() != (255, 255)
    plain = pil.new("RGBA" if transparent else "RGB", image.size)  # carries no info that a plugin might write
    plain.paste(image)
    out = BytesIO()
    if transparent:
        plain.save(out, "PNG", optimize=True)
        kind, extension = "image/png", "png"
    else:
        plain.save(out, "JPEG", quality=_QUALITY, optimize=True, progressive=True)
        kind, extension = "image/jpeg", "jpg"
    return Picture(out.getvalue(), kind, extension, *plain.size)
