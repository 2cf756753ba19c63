"""What is told: one JSON object per benchmark, its figures held against the bounds that the project set itself."""

from __future__ import annotations

import sys
import time
from dataclasses import asdict, dataclass, field
from typing import Any

import orjson

CPU_SECONDS = "CPU seconds per 1,000"
MEGABYTES = "MB resident"
SECONDS = "seconds"
TIMES = "times"
MILLISECONDS = "milliseconds"
# What others may use of the machine before a figure counts as contended.
CONTENDED = 0.10


@dataclass(frozen=True, slots=True)
class Bound:
    """The most that a figure may be, and what it aims at."""

    most: float
    aim: float | None = None


# For one core, SQLite in WAL mode with durable commits. A ratio says that a cost does not grow: a fifth is noise.
BOUNDS = {
    "fanout": Bound(0.65, 0.45),
    "post": Bound(4.0, 2.0),
    "inbox": Bound(1.5, 1.0),
    "home": Bound(0.6, 0.37),
    "public": Bound(0.6),
    "list": Bound(0.6),
    "hashtag": Bound(0.6),
    "notifications": Bound(1.2),
    "groups": Bound(1.0),
    "actor": Bound(0.3),
    "webfinger": Bound(0.2),
    "profile": Bound(1.2),
    "search": Bound(30.0),
    "memory idle": Bound(120.0),
    "memory after": Bound(220.0),
    "start": Bound(1.2),
    "picture": Bound(1.2),
    "picture memory": Bound(200.0),
    "stream memory": Bound(25.0),
    "stream event": Bound(1.0),
    "flat": Bound(1.2),
}


@dataclass(slots=True)
class Figure:
    """One measured number. ``bound`` names an entry of BOUNDS; there is none for what is only reported."""

    what: str
    value: float
    unit: str = CPU_SECONDS
    bound: str | None = None
    contended: bool = False
    detail: dict[str, Any] = field(default_factory=dict)

    def told(self, signature_ms: float, *, judged: bool) -> dict[str, Any]:
        """The figure as JSON shows it; whether its bound holds is left open unless it is to be ``judged``."""
        limit = BOUNDS[self.bound] if self.bound else None
        shown: dict[str, Any] = {"what": self.what, "figure": round(self.value, 3), "unit": self.unit}
        if self.unit == CPU_SECONDS:
            # CPU seconds per 1,000 are CPU milliseconds each.
            shown["in_signatures"] = round(self.value / signature_ms, 2)
        shown |= {
            "bound": limit.most if limit else None,
            "aim": limit.aim if limit else None,
            "holds": self.value <= limit.most if limit and judged else None,
            "contended": self.contended,
        }
        return shown | self.detail


@dataclass(frozen=True, slots=True)
class Conditions:
    """What all figures of a run have in common. ``signature_ms``: CPU milliseconds of an RSA-2048 signature."""

    database: str
    quick: bool
    signature_ms: float


def tell(name: str, figures: list[Figure], conditions: Conditions) -> dict[str, Any]:
    """The benchmark's object was written to standard output, and a line per figure for people to standard error."""
    told = [figure.told(conditions.signature_ms, judged=not conditions.quick) for figure in figures]
    verdicts = [figure["holds"] for figure in told if figure["holds"] is not None]
    result = {
        "benchmark": name,
        "holds": all(verdicts) if verdicts else None,
        "contended": any(figure.contended for figure in figures),
        "figures": told,
        **asdict(conditions),
        "at": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()),
    }
    print(orjson.dumps(result).decode(), flush=True)
    for figure in told:
        verdict = {True: "holds", False: "MISSED", None: ""}[figure["holds"]]
        limit = f"(at most {figure['bound']:g})" if figure["bound"] is not None else ""
        busy = "— others kept the machine busy" if figure["contended"] else ""
        line = (
            f"{name:<14} {figure['what']:<46} {figure['figure']:>10.3f} {figure['unit']:<22} {limit} {verdict} {busy}"
        )
        print(line.rstrip(), file=sys.stderr, flush=True)
    return result
