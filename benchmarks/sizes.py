"""How much of everything: enough for figures, or just enough to see that the benchmarks themselves work."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Sizes:
    """Numbers of things, and seconds."""

    hosts: int = 100
    keys: int = 8
    followers: int = 1000
    fanouts: int = 3
    posts: int = 300
    few_followers: int = 10
    many_followers: int = 100_000
    posts_compared: int = 25
    authors: int = 40
    deliveries: int = 2000
    stored: int = 100_000
    timeline: int = 1000
    searched: int = 1_000_000
    searched_written: int = 1000
    streams: int = 5000
    seconds: float = 5.0
    starts: int = 5
    rest: float = 10.0


FULL = Sizes()
QUICK = Sizes(
    hosts=3,
    keys=2,
    followers=12,
    fanouts=1,
    posts=12,
    few_followers=3,
    many_followers=60,
    posts_compared=3,
    authors=4,
    deliveries=40,
    stored=200,
    timeline=40,
    searched=200,
    searched_written=60,
    streams=40,
    seconds=0.4,
    starts=1,
    rest=1.0,
)
