"""The benchmarks measure what they say: every load arrives, and what is told can be read. No figure is judged here."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from benchmarks import identity, micro
from benchmarks.__main__ import NAMES
from benchmarks.client import Driven
from benchmarks.report import BOUNDS, CPU_SECONDS, MILLISECONDS, Figure

_ROOT = Path(__file__).parent.parent


def _run(*names: str) -> list[dict[str, Any]]:
    command = [sys.executable, "-m", "benchmarks", "--quick", *names]
    done = subprocess.run(command, cwd=_ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr[-3000:]
    return [json.loads(line) for line in done.stdout.splitlines()]


@pytest.mark.timeout(240)
def test_all_deliveries_of_a_fan_out_are_counted() -> None:
    signatures, fanout, picture, streams = _run("signatures", "fanout", "picture", "streams")
    assert [figure["bound"] for figure in streams["figures"]] == [25.0, 1.0, None] * 2
    assert all(figure["connections"] == 40 for figure in streams["figures"] if figure["bound"])
    assert [figure["bound"] for figure in picture["figures"]] == [1.2, 200.0]
    assert all(figure["figure"] > 0 for figure in picture["figures"])
    assert signatures["benchmark"] == "signatures"
    assert signatures["figures"][0]["per_cpu_second"] > 0
    own, shared = fanout["figures"]
    assert (own["count"], shared["count"]) == (12, 3)
    assert own["signatures_checked"] == 12
    for figure in (own, shared):
        assert figure["figure"] > 0
        assert figure["unit"] == CPU_SECONDS
        assert figure["latency"]["p99_ms"] >= figure["latency"]["p50_ms"] > 0
        assert 0 <= figure["others_share"] <= 1
    assert own["bound"] == BOUNDS["fanout"].most
    # Too small to be judged.
    assert fanout["holds"] is own["holds"] is None
    assert fanout["quick"] is True


@pytest.mark.timeout(240)
def test_all_that_the_inbox_took_in_shows_up() -> None:
    (inbox,) = _run("inbox")
    empty, mixed, full, mixed_full, growth = inbox["figures"]
    for notes in (empty, full):
        assert (notes["shown_in_home"], notes["shown_in_mentions"]) == (40, 20)
    for mix in (mixed, mixed_full):
        assert (mix["shown_in_home"], mix["likes"], mix["boosts"]) == (26, 8, 4)
    stored = int(full["what"].split()[-2])
    assert stored >= 200
    assert growth["figure"] == pytest.approx(full["figure"] / empty["figure"], rel=0.01)


@pytest.mark.timeout(240)
def test_searches_find_what_is_stored() -> None:
    (search,) = _run("search")
    assert all(figure["figure"] > 0 and figure["unit"] == MILLISECONDS for figure in search["figures"])
    assert search["figures"][0]["found"] == 20


def test_a_name_that_is_none_is_refused() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "benchmarks", "speed"], cwd=_ROOT, capture_output=True, text=True, check=False
    )
    assert done.returncode == 2
    assert "there is no benchmark speed" in done.stderr


def test_a_figure_is_held_against_its_bound() -> None:
    told = Figure("x", 0.7, bound="fanout").told(0.25, judged=True)
    assert (told["bound"], told["aim"], told["holds"], told["in_signatures"]) == (0.65, 0.45, False, 2.8)
    assert Figure("x", 0.6, bound="fanout").told(0.25, judged=True)["holds"] is True
    assert Figure("x", 0.6, bound="fanout").told(0.25, judged=False)["holds"] is None
    assert Figure("x", 0.6).told(0.25, judged=True)["holds"] is None


def test_latencies_are_told_by_share() -> None:
    driven = Driven(latencies=[n / 1000 for n in range(100, 0, -1)])
    assert driven.latency() == {"p50_ms": 51.0, "p99_ms": 100.0}


@pytest.mark.parametrize("change", ["none", "body", "date", "uncovered"])
def test_a_delivery_that_is_not_well_signed_is_noticed(change: str) -> None:
    peer = identity.Peer("http://127.0.78.1:8000", "own0")
    key = identity.Keys(1).of(peer.name)
    request = identity.signed_post("http://127.0.0.1:8000/inbox", peer, key, identity.follow(peer, "http://x.test/a"))
    raw, _, body = request.partition(b"\r\n\r\n")
    head = raw.decode()
    match change:
        case "body":
            body += b" "
        case "date":
            head = head.replace("\r\nDate: ", "\r\nDate: x")
        case "uncovered":
            head = head.replace(" date digest", " date")
    assert identity.is_well_signed(head, body, key.public_key()) is (change == "none")


def test_the_hot_functions_are_all_there_and_run() -> None:
    for call in micro.calls().values():
        call()


def test_the_papers_name_every_benchmark() -> None:
    papers = (_ROOT / "benchmarks" / "README.md").read_text()
    assert [name for name in NAMES if f"python -m benchmarks {name}`" not in papers] == []
