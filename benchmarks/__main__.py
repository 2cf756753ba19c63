"""``python -m benchmarks [NAME …]``: all benchmarks or some, JSON on standard output, a summary on standard error."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Awaitable, Callable

import uvloop

from benchmarks import documents, fanout, footprint, inbox, pictures, posting, reading, searching, signing, streams
from benchmarks.report import Conditions, Figure, tell
from benchmarks.server import BenchmarkError
from benchmarks.sizes import FULL, QUICK
from benchmarks.stage import Setting

Run = Callable[[Setting], Awaitable[dict[str, list[Figure]]]]

# Those of one line share a server, and are measured together even if only one is told of.
GROUPS: tuple[tuple[tuple[str, ...], Run], ...] = (
    (("signatures",), signing.run),
    (("start",), footprint.start),
    (("fanout",), fanout.run),
    (("post",), posting.run),
    (("inbox",), inbox.run),
    (("home", "public", "list", "hashtag", "notifications", "groups"), reading.run),
    (("search",), searching.run),
    (("actor", "webfinger", "profile"), documents.run),
    (("picture",), pictures.run),
    (("streams",), streams.run),
    (("memory",), footprint.memory),
)
NAMES = tuple(name for names, _ in GROUPS for name in names)


async def _run(wanted: set[str], setting: Setting, conditions: Conditions) -> None:
    for names, run in GROUPS:
        if wanted.isdisjoint(names):
            continue
        found = await run(setting)
        for name in names:
            if name in wanted:
                tell(name, found[name], conditions)


def main() -> None:
    """Runs what the command line names."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description="See benchmarks/README.md.")
    parser.add_argument("names", nargs="*", metavar="NAME", help=f"which: {', '.join(NAMES)}; all unless named")
    parser.add_argument(
        "--database", default="sqlite", help="sqlite, or the URL of a PostgreSQL server: postgresql://…"
    )
    parser.add_argument("--quick", action="store_true", help="tiny sizes: shows that the benchmarks work, no more")
    parser.add_argument("--patience", type=float, default=20.0, help="seconds to wait for a quiet machine (20)")
    given = parser.parse_args()
    if unknown := set(given.names) - set(NAMES):
        parser.error(f"there is no benchmark {', '.join(sorted(unknown))}; there are {', '.join(NAMES)}")
    if given.database != "sqlite" and not given.database.startswith("postgres"):
        parser.error("--database takes sqlite or a URL that begins with postgresql://")
    sizes, patience = (QUICK, 0.0) if given.quick else (FULL, given.patience)
    conditions = Conditions(
        "sqlite" if given.database == "sqlite" else "postgresql", given.quick, signing.signature_ms()
    )
    try:
        uvloop.run(_run(set(given.names or NAMES), Setting(given.database, sizes, patience), conditions))
    except (BenchmarkError, TimeoutError) as error:
        print(f"benchmarks: {error}", file=sys.stderr)
        sys.exit(1)


if __name__ == "__main__":
    main()
