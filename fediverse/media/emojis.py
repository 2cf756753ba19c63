"""Pictures for emoji made harmless: small ones, of nothing but pixels, which may move."""

from __future__ import annotations

from io import BytesIO
from typing import TYPE_CHECKING, Final

from fediverse.decoding import stills
from fediverse.errors import Invalid, TooLarge, UnsupportedType
from fediverse.media.pictures import Picture, sniff

if TYPE_CHECKING:
    from PIL.Image import Image

MAX_BYTES: Final = 256 * 1024
_SIDE: Final = 512
_FRAMES: Final = 200
_TAKEN: Final = {"image/png": "PNG", "image/gif": "GIF", "image/webp": "WEBP"}


def prepare(data: bytes) -> tuple[Picture, Picture]:
    """The picture, and a still one for those who want nothing to move; the same where it does not.

    Raises TooLarge, UnsupportedType or Invalid for what cannot be an emoji.
    """
    from PIL import Image, ImageSequence  # noqa: PLC0415 heavy, and rarely needed

    if len(data) > MAX_BYTES:
        raise TooLarge(f"The picture is larger than {MAX_BYTES // 1024} KB. Save it smaller and try again.")
    kind = sniff(data)
    if kind not in _TAKEN:
        raise UnsupportedType("An emoji is a PNG, GIF or WebP file.")
    with stills.mended(), Image.open(BytesIO(data), formats=(_TAKEN[kind],)) as image:
        if max(image.size) > _SIDE:
            raise Invalid(f"An emoji has at most {_SIDE} by {_SIDE} pixels.")
        count = getattr(image, "n_frames", 1)
        if count > _FRAMES:
            raise Invalid(f"An emoji has at most {_FRAMES} frames.")
        frames, durations = [], []
        for frame in ImageSequence.Iterator(image):
            frames.append(frame.convert("RGBA"))
            durations.append(int(frame.info.get("duration") or 100))
    still = _still(frames[0])
    if len(frames) == 1:
        return still, still
    out = BytesIO()
    frames[0].save(out, "WEBP", save_all=True, append_images=frames[1:], duration=durations, loop=0, quality=85)
    return Picture(out.getvalue(), "image/webp", "webp", *frames[0].size), still


def _still(image: Image) -> Picture:
    out = BytesIO()
    image.save(out, "PNG", optimize=True)
    return Picture(out.getvalue(), "image/png", "png", *image.size)
