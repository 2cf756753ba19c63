"""Simple pictures for the demo's accounts and brands, drawn instead of shipped. All are PNG files in memory."""

from __future__ import annotations

from io import BytesIO

from PIL import Image, ImageDraw, ImageFont

_SIZE = 400
_SCALE = 2  # drawn larger, then reduced: edges come out smooth


def avatar(initials: str, colour: str) -> bytes:
    """A square with one or two letters in the middle."""
    side = _SIZE * _SCALE
    image = Image.new("RGB", (side, side), colour)
    draw = ImageDraw.Draw(image)
    draw.ellipse((side * 0.55, -side * 0.35, side * 1.35, side * 0.45), fill=_shade(colour, 1.18))
    draw.ellipse((-side * 0.3, side * 0.65, side * 0.45, side * 1.4), fill=_shade(colour, 0.82))
    font = ImageFont.load_default(size=side * 0.42)
    draw.text((side / 2, side / 2), initials, font=font, fill="white", anchor="mm")
    return _png(image, (_SIZE, _SIZE))


def header(colour: str) -> bytes:
    """A wide picture: hills, one behind the other."""
    width, height = 1500, 500
    image = Image.new("RGB", (width, height), _shade(colour, 1.5))
    draw = ImageDraw.Draw(image)
    for step in range(5):
        top = height * (0.35 + 0.13 * step)
        shift = 260 * (step % 3) - 200
        for left in range(-600, width + 600, 700):
            draw.ellipse((left + shift, top, left + shift + 900, top + 700), fill=_shade(colour, 1.35 - 0.16 * step))
    return _png(image, (width, height))


def cup(colour: str) -> bytes:
    """A logo: a cup of coffee."""
    image, draw, side = _canvas(colour)
    white = "white"
    draw.rounded_rectangle((side * 0.22, side * 0.38, side * 0.64, side * 0.74), side // 12, fill=white)
    draw.arc((side * 0.56, side * 0.43, side * 0.8, side * 0.65), -100, 100, fill=white, width=side // 22)
    draw.rounded_rectangle((side * 0.18, side * 0.78, side * 0.68, side * 0.83), side // 40, fill=white)
    for left in (0.32, 0.42, 0.52):
        draw.line((side * left, side * 0.2, side * left, side * 0.32), fill=white, width=side // 32)
    return _png(image, (_SIZE, _SIZE))


def book(colour: str) -> bytes:
    """A logo: an open book."""
    image, draw, side = _canvas(colour)
    for near, far in ((0.49, 0.18), (0.51, 0.82)):
        page = [(near, 0.32), (far, 0.25), (far, 0.7), (near, 0.77)]
        draw.polygon([(side * x, side * y) for x, y in page], fill="white")
        for line in range(3):
            y = 0.4 + 0.1 * line
            ends = (near + (far - near) * 0.2, y - 0.012, near + (far - near) * 0.8, y - 0.052)
            draw.line(tuple(side * part for part in ends), fill=colour, width=side // 50)
    return _png(image, (_SIZE, _SIZE))


def _canvas(colour: str) -> tuple[Image.Image, ImageDraw.ImageDraw, int]:
    side = _SIZE * _SCALE
    image = Image.new("RGBA", (side, side), (0, 0, 0, 0))
    draw = ImageDraw.Draw(image)
    draw.rounded_rectangle((0, 0, side - 1, side - 1), side // 5, fill=colour)
    return image, draw, side


def _shade(colour: str, factor: float) -> tuple[int, int, int]:
    """The colour (``#rrggbb``) lighter or darker."""
    red, green, blue = (min(255, round(int(colour[i : i + 2], 16) * factor)) for i in (1, 3, 5))
    return red, green, blue


def _png(image: Image.Image, size: tuple[int, int]) -> bytes:
    out = BytesIO()
    image.resize(size, Image.Resampling.LANCZOS).save(out, "PNG")
    return out.getvalue()
