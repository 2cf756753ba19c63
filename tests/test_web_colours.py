"""Whatever colour an owner picks, text in it and on it can be read."""

from __future__ import annotations

import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fediverse.web import colours
from fediverse.web.static import files

CSS = files()["app.css"].body.decode()


def declared(theme: str) -> dict[str, colours.Rgb]:
    """The plain colours of app.css in a theme."""
    light, dark = (m[1] for m in re.finditer(r":root \{\n(.*?)\n *\}", CSS, re.DOTALL) if "--ground" in m[1])
    block = light if theme == "light" else dark
    found = dict(re.findall(r"--([a-z-]+): (#[0-9a-f]{3,6});", block))
    return {n: colours.parse(v if len(v) == 7 else "#" + "".join(c * 2 for c in v[1:])) for n, v in found.items()}


def brand(colour: str) -> dict[str, dict[str, colours.Rgb]]:
    sheet = colours.stylesheet(colour)
    light, dark = (dict(re.findall(r"(--[a-z-]+):(#[0-9a-f]{6})", part)) for part in sheet.split("@media"))
    return {
        theme: {name: colours.parse(value) for name, value in values.items()}
        for theme, values in (("light", light), ("dark", dark))
    }


@settings(deadline=None)
@given(st.tuples(*[st.integers(0, 255)] * 3))
def test_every_brand_is_legible(rgb: colours.Rgb) -> None:
    for theme, values in brand("{:02x}{:02x}{:02x}".format(*rgb)).items():
        plain = declared(theme)
        share = {"light": 0.09, "dark": 0.16}[theme]
        assert f"color-mix(in srgb, var(--brand) {share * 100:g}%, var(--surface))" in CSS
        tint = tuple(
            round(b * share + s * (1 - share)) for b, s in zip(values["--brand"], plain["surface"], strict=True)
        )
        assert colours.contrast(values["--brand"], values["--on-brand"]) >= 4.5
        for ground in (plain["ground"], plain["surface"], plain["raised"], tint):
            assert colours.contrast(values["--brand-ink"], ground) >= 4.45  # rounding of the mixed colour


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_every_text_colour_is_legible(theme: str) -> None:
    plain = declared(theme)
    for ink in ("ink", "quiet", "like", "boost", "bad"):
        for ground in ("ground", "surface", "raised", "hover"):
            assert colours.contrast(plain[ink], plain[ground]) >= 4.5, (ink, ground)
    for kind in ("bad", "good"):
        assert colours.contrast(plain[kind], plain[f"{kind}-ground"]) >= 4.5
    assert colours.contrast(plain["ink"], plain["surface"]) >= 12


def test_initials_are_legible() -> None:
    tones = re.findall(r"\.tone-\d \{ background-color: (#[0-9a-f]{6}); \}", CSS)
    assert len(tones) == 6
    assert all(colours.contrast(colours.parse(tone), (255, 255, 255)) >= 4.5 for tone in tones)


@pytest.mark.parametrize("wrong", ["", "#12345", "red", "12345g", "#1234567", "١٢٣٤٥٦"])
def test_what_is_no_colour_is_refused(wrong: str) -> None:
    with pytest.raises(ValueError, match=r"colour|invalid literal"):
        colours.parse(wrong)
