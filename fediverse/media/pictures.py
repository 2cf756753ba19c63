"""Pictures of actors and of the instance made harmless, in the sizes in which they are shown.

Only pixels pass, as ``decoding.stills`` says.
"""

from __future__ import annotations

from dataclasses import dataclass
from io import BytesIO
from typing import TYPE_CHECKING, Final, Literal

from fediverse.decoding import limits, shown_as, stills
from fediverse.errors import TooLarge, UnsupportedType

if TYPE_CHECKING:
    from PIL.Image import Image

Kind = Literal["avatar", "header", "logo"]

MAX_BYTES: Final = 8 * 1024 * 1024
"""Bytes of an upload."""

MAX_PIXELS: Final = limits.PICTURE_PIXELS
"""Pixels of an upload (8K): decoded they take at most 133 MB."""

_SIZES: Final[dict[Kind, tuple[int, int]]] = {"avatar": (400, 400), "header": (1500, 500), "logo": (512, 512)}
_QUALITY: Final = 88
_NOT_A_PICTURE: Final = "This is not a picture that can be shown here. Send a JPEG, PNG or WebP file."
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
    kind = shown_as(data[: limits.HEAD_BYTES])
    return kind if kind is not None and kind.startswith("image/") else None


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
        stills.check_pixels(*stills.webp_size(data))  # Pillow would allocate its canvas on opening
    return _encode(_fit(_decode(data, _TAKEN[found], kind), kind))


def _decode(data: bytes, format_name: str, kind: Kind) -> Image:
    from PIL import Image  # noqa: PLC0415 heavy, and rarely needed

    with stills.mended(), Image.open(BytesIO(data), formats=(format_name,)) as image:
        stills.check_pixels(*image.size)
        if format_name == "JPEG":
            # Decodes at 1/2, 1/4 or 1/8 where that is still large enough: less time, less memory.
            side = 2 * max(_SIZES[kind])
            image.draft(None, (side, side))
        image.load()
        return stills.upright_in_srgb(image)


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
    plain = stills.flattened(image)
    out = BytesIO()
    if plain.mode == "RGBA":
        plain.save(out, "PNG", optimize=True)
        kind, extension = "image/png", "png"
    else:
        plain.save(out, "JPEG", quality=_QUALITY, optimize=True, progressive=True)
        kind, extension = "image/jpeg", "jpg"
    return Picture(out.getvalue(), kind, extension, *plain.size)
