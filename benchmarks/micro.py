"""CPU of the hot pure functions, one call at a time, in this process: ``python -m benchmarks.micro [NAME …]``.

For work on one of them: before and after, on the same machine, a minute apart. One JSON object per function on
standard output, in CPU microseconds a call and as a share of an RSA-2048 signature.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any, cast

import orjson
from sqlalchemy import JSON, Boolean, Integer, Row, Table, Text

from benchmarks.identity import CONTEXT, Keys, Peer, activity, note, signed_post
from benchmarks.signing import cpu_ms, signature_ms
from fediverse import entities
from fediverse.documents import read_activity, read_note
from fediverse.drafts import Visibility
from fediverse.entities import StatusView
from fediverse.signatures import SigningKey, parse, sign_cavage, verify
from fediverse.site import Site
from fediverse.tables.actors import actors
from fediverse.tables.statuses import statuses
from fediverse.text import MentionTarget, count, render, sanitize
from fediverse.urls import Urls

_URLS = Urls("https://social.example.com", "example.com")
_TEXT = (
    "@ann@social.example.net the numbers of today are out, see https://example.org/numbers/2026 and tell us #metrics"
)
_AUTHOR = Peer("http://social.example.net", "shared1")
_TARGET = "https://social.example.com/users/alice"
_INBOX = "https://social.example.com/inbox"

Call = Callable[[], object]


def calls() -> dict[str, Call]:
    """The functions by name, each ready to be called."""
    made = note(_AUTHOR, "1", mentions=(_TARGET, "@alice@example.com"))
    body = orjson.dumps(activity(_AUTHOR, "Create", "1", made))
    mentions: dict[tuple[str, str | None], MentionTarget] = {
        ("ann", "social.example.net"): MentionTarget("https://social.example.net/@ann", "ann", "ann@example.net")
    }
    return {
        "count": lambda: count(_TEXT),
        "count, ASCII without links": lambda: count("Nothing happened today, and it was good so."),
        "render": lambda: render(_TEXT, mentions=mentions, tag_url=_URLS.tag),
        "sanitize": lambda: sanitize(made["content"]),
        "read_activity and read_note": lambda: _read(body),
        **_signature_calls(body),
        **_entity_calls(made["content"]),
    }


def _read(body: bytes) -> object:
    found = read_activity(orjson.loads(body)).object
    assert found is not None
    return read_note(found, received_at=1_790_000_000_000)


def _signature_calls(body: bytes) -> dict[str, Call]:
    private = Keys(1).of("shared0")
    key, public = SigningKey(f"{_AUTHOR.uri}#main-key", private), private.public_key()
    request = signed_post(_INBOX, _AUTHOR, private, {"@context": CONTEXT})
    head, _, posted = request.partition(b"\r\n\r\n")
    lines = [line.partition(": ") for line in head.decode().split("\r\n")[1:]]
    headers = [(name, value) for name, _, value in lines]
    now, hosts = time.time(), frozenset({"social.example.com"})

    def check() -> None:
        verify(parse("POST", "/inbox", headers), public, body=posted, now=now, hosts=hosts)

    return {"sign": lambda: sign_cavage(key, "POST", _INBOX, date=now, body=body), "verify": check}


def _entity_calls(content: str) -> dict[str, Call]:
    author = _row(actors, id=2, username="ann", host="social.example.net", uri=_AUTHOR.uri, url=_AUTHOR.uri)
    status = _row(
        statuses,
        id=3,
        uri=f"{_AUTHOR.uri}/notes/1",
        author_id=2,
        visibility=Visibility.PUBLIC,
        content=content,
        mentions=[{"id": 1, "username": "alice", "host": "", "uri": _TARGET, "url": _TARGET}],
        tags=[{"name": "metrics"}],
    )
    view = StatusView(cast(Row[Any], status), cast(Row[Any], author))
    kept = Site(_URLS, "1", b"k" * 32)

    def anew() -> dict[str, Any]:
        return entities.status(view, Site(_URLS, "1", b"k" * 32), 1)

    return {"entities.status": anew, "entities.status, seen before": lambda: entities.status(view, kept, 1)}


def _row(table: Table, **values: Any) -> SimpleNamespace:
    """What a row of the table looks like: empty but for the values."""
    kinds: tuple[tuple[type[Any], Any], ...] = ((JSON, []), (Text, ""), (Boolean, False), (Integer, 0))
    empty = {
        column.name: None if column.nullable else next(value for kind, value in kinds if isinstance(column.type, kind))
        for column in table.columns
    }
    return SimpleNamespace(**{**empty, **values})


def main() -> None:
    """Measures what the command line names, or everything."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.micro", description=(__doc__ or "").partition("\n")[0])
    parser.add_argument(
        "names", nargs="*", metavar="NAME", help="functions whose names begin with this; all unless given"
    )
    parser.add_argument("--seconds", type=float, default=1.0, help="CPU seconds for each (1)")
    given = parser.parse_args()
    signature = signature_ms()
    for name, call in calls().items():
        if given.names and not name.startswith(tuple(given.names)):
            continue
        cost = cpu_ms(call, seconds=given.seconds)
        told = {"function": name, "cpu_us": round(cost * 1000, 2), "in_signatures": round(cost / signature, 4)}
        print(orjson.dumps(told).decode(), flush=True)
        print(f"{name:<32} {cost * 1000:>10.2f} µs", file=sys.stderr, flush=True)


if __name__ == "__main__":
    main()
