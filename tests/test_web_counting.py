"""The counter in the composer counts exactly as the server does: both are held to one table, and to each other."""

from __future__ import annotations

import json
import random
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest

from fediverse.text import count

ROOT = Path(__file__).parent.parent
TABLE = json.loads((ROOT / "tests" / "data" / "counting.json").read_text(encoding="utf-8"))
NODE = shutil.which("node")
PROGRAM = """
import { readFileSync } from "node:fs";
const { count } = await import(process.argv[1]);
const cases = JSON.parse(readFileSync(0, "utf8"));
process.stdout.write(JSON.stringify(cases.map(([text, warning]) => count(text, warning))));
"""
# What the rules are about: starts and ends of links, mentions and hashtags, neighbours of every kind.
PIECES = (
    *("http://", "https://", "HTTPS://", "@", "#", "＃", "＠", "/", ".", ":", "?", "!", ",", ")", "(", "[", "]"),
    *("example.org", "bob", "a.example", "xn--bcher-kva.example", "bücher.example", "127.0.0.1", "[::1]", ":8080"),
    *("日本語", "例え.jp", "né", "e\u0301", "👩\u200d👩\u200d👧", "🇩🇪", "❤\ufe0f", "\u200d", "\u200b", "مرحبا", "תודה"),
    *("localhost", "ſ", "1", "99999", "x", "~", "'", "$", "|", "*", "www.", "/path_(a)", "?q=1#f", "·", "・"),
    *("\n", " ", "  ", "&", "=", "%20", ":0", "_", "-"),
)


def counted_by_script(cases: list[tuple[str, str]]) -> list[int]:
    assert NODE is not None
    script = (ROOT / "fediverse" / "static" / "counting.js").as_uri()
    done = subprocess.run(
        [NODE, "--input-type=module", "--eval", PROGRAM, script],
        input=json.dumps(cases),
        capture_output=True,
        text=True,
        check=True,
        timeout=60,
    )
    numbers: list[int] = json.loads(done.stdout)
    return numbers


needs_node = pytest.mark.skipif(NODE is None, reason="Node is not on this machine; the browser test counts too")


@needs_node
def test_the_script_counts_as_the_table_says() -> None:
    cases: list[Any] = [(row["text"], row["spoiler_text"]) for row in TABLE]
    assert len(cases) > 50
    wrong = [
        (row["text"], number, row["count"])
        for row, number in zip(TABLE, counted_by_script(cases), strict=True)
        if number != row["count"]
    ]
    assert wrong == []


@needs_node
def test_the_script_counts_as_the_server_does() -> None:
    chance = random.Random(140)
    cases = [("".join(chance.choices(PIECES, k=chance.randint(1, 12))), "") for _ in range(3000)]
    wrong = [
        (text, number, count(text))
        for (text, _), number in zip(cases, counted_by_script(cases), strict=True)
        if number != count(text)
    ]
    assert wrong == []
