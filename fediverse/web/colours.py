"""The brand's colour made legible: the owner picks any colour, and text keeps 4.5:1 (WCAG 2.2, 1.4.3) on both themes.

Pure functions; ``templates`` link ``/brand/RRGGBB.css``, so the result can be cached for ever.
"""

from __future__ import annotations

from typing import Final

_ENOUGH: Final = 4.5
# The backgrounds that coloured text stands on, as in app.css: the one furthest from white or black, and the surface
# that is tinted with the brand, with the share of it.
_LIGHT: Final = (0xF4, 0xF5, 0xF7)
_LIGHT_SURFACE: Final = (0xFF, 0xFF, 0xFF)
_LIGHT_TINT: Final = 0.09
_DARK: Final = (0x1D, 0x21, 0x28)
_DARK_SURFACE: Final = (0x16, 0x1A, 0x20)
_DARK_TINT: Final = 0.16
_WHITE: Final = (255, 255, 255)
_BLACK: Final = (0, 0, 0)

Rgb = tuple[int, int, int]


def parse(colour: str) -> Rgb:
    """Red, green and blue of ``#rrggbb`` or ``rrggbb``. Raises ValueError for anything else."""
    digits = colour.removeprefix("#")
    if len(digits) != 6 or not digits.isalnum() or not digits.isascii():
        raise ValueError("a colour is # and six hexadecimal digits")
    return int(digits[:2], 16), int(digits[2:4], 16), int(digits[4:], 16)


def contrast(one: Rgb, other: Rgb) -> float:
    """The contrast ratio of two colours, 1 to 21 (WCAG 2.2, relative luminance)."""
    lighter, darker = sorted((_luminance(one), _luminance(other)), reverse=True)
    return (lighter + 0.05) / (darker + 0.05)


def legible(colour: Rgb, *backgrounds: Rgb) -> Rgb:
    """The colour, moved towards black or white until text in it can be read on each of the backgrounds."""
    goal = _on(backgrounds[0])
    for step in range(101):
        moved = _mix(colour, goal, step / 100)
        if all(contrast(moved, background) >= _ENOUGH for background in backgrounds):
            return moved
    return goal


def stylesheet(colour: str) -> str:
    """The custom properties that app.css takes the brand from. Raises ValueError for what is no colour."""
    fill = parse(colour)
    on_fill = _on(fill)
    light_tint = _mix(_LIGHT_SURFACE, fill, _LIGHT_TINT)
    light = {"--brand": fill, "--on-brand": on_fill, "--brand-ink": legible(fill, _LIGHT, light_tint)}
    # A fill that disappears in the dark is lifted, and its text chosen anew.
    dark_fill = fill if contrast(fill, _DARK) >= 2 else legible(fill, _DARK)
    dark_tint = _mix(_DARK_SURFACE, dark_fill, _DARK_TINT)
    dark = {"--brand": dark_fill, "--on-brand": _on(dark_fill), "--brand-ink": legible(fill, _DARK, dark_tint)}
    return f":root{{{_rules(light)}}}@media (prefers-color-scheme:dark){{:root{{{_rules(dark)}}}}}\n"


def for_white(colour: str) -> str:
    """The colour as six digits, dark enough for a white sign on it (3:1, WCAG 2.2, 1.4.11)."""
    fill = parse(colour)
    return _hex(fill if contrast(fill, _WHITE) >= 3 else legible(fill, _WHITE)).removeprefix("#")


def _on(fill: Rgb) -> Rgb:
    """White or black, whichever is read better on the fill: one of them always has 4.5:1."""
    return _WHITE if contrast(fill, _WHITE) >= contrast(fill, _BLACK) else _BLACK


def _rules(values: dict[str, Rgb]) -> str:
    return ";".join(f"{name}:{_hex(value)}" for name, value in values.items())


def _hex(colour: Rgb) -> str:
    return "#{:02x}{:02x}{:02x}".format(*colour)


def _mix(one: Rgb, other: Rgb, share: float) -> Rgb:
    red, green, blue = (round(a + (b - a) * share) for a, b in zip(one, other, strict=True))
    return red, green, blue


def _luminance(colour: Rgb) -> float:
    red, green, blue = (_linear(channel / 255) for channel in colour)
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def _linear(channel: float) -> float:
    return channel / 12.92 if channel <= 0.04045 else float(((channel + 0.055) / 1.055) ** 2.4)
