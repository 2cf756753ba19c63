"""The files, in Mastodon's columns: read leniently, written so that no spreadsheet takes a cell for a formula. Pure."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, Literal

from fediverse.errors import BadRequest, Invalid, TooLarge
from fediverse.text import fold_host, split_handle

Kind = Literal["following", "blocks", "mutes", "lists", "bookmarks", "domain_blocks"]

MAX_BYTES: Final = 2 * 1024 * 1024
MAX_ROWS: Final = 20_000
_MAX_CELL: Final = 2_000
_FORMULA: Final = ("=", "+", "-", "@", "\t", "\r")
_FALSE: Final = frozenset({"false", "0", "no", "f"})


@dataclass(frozen=True, slots=True)
class Column:
    """A column: its name in our rows, its heading in the file, how its cells are read."""

    name: str
    heading: str
    read: Literal["text", "flag", "languages"] = "text"


@dataclass(frozen=True, slots=True)
class Format:
    """The file of one kind. ``headed``: whether its first line names the columns."""

    file: str
    columns: tuple[Column, ...]
    headed: bool = False


_ACCOUNT: Final = Column("acct", "Account address")
FORMATS: Final[Mapping[Kind, Format]] = {
    "following": Format(
        "following_accounts.csv",
        (
            _ACCOUNT,
            Column("boosts", "Show boosts", "flag"),
            Column("notify", "Notify on new posts", "flag"),
            Column("languages", "Languages", "languages"),
        ),
        headed=True,
    ),
    "blocks": Format("blocked_accounts.csv", (_ACCOUNT,)),
    "mutes": Format(
        "muted_accounts.csv", (_ACCOUNT, Column("notifications", "Hide notifications", "flag")), headed=True
    ),
    "lists": Format("lists.csv", (Column("list", "List name"), _ACCOUNT)),
    "bookmarks": Format("bookmarks.csv", (Column("uri", "#uri"),)),
    "domain_blocks": Format("blocked_domains.csv", (Column("domain", "#domain"),)),
}


def write(kind: Kind, rows: Iterable[Mapping[str, Any]]) -> str:
    """The file with these rows."""
    shape, out = FORMATS[kind], io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    if shape.headed:
        writer.writerow([column.heading for column in shape.columns])
    for row in rows:
        writer.writerow([_cell(row[column.name]) for column in shape.columns])
    return out.getvalue()


def _cell(value: object) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    text = ", ".join(value) if isinstance(value, list | tuple) else str(value)
    text = text.replace("\r", " ").replace("\n", " ")  # a line is a row, also for readers that know no quotes
    return f"'{text}" if text.startswith(_FORMULA) else text


def read(kind: Kind, body: bytes) -> list[dict[str, Any]]:
    """The rows of a file, each once, in order. Raises TooLarge, and Invalid for what is no such file."""
    if len(body) > MAX_BYTES:
        raise TooLarge(f"The file is larger than {MAX_BYTES // 1024 // 1024} MB. Split it.")
    try:
        text = body.decode("utf-8-sig")
        if "\0" in text:
            raise ValueError
        lines = [cells for cells in csv.reader(io.StringIO(text, newline="")) if any(cell.strip() for cell in cells)]
    except (ValueError, csv.Error):
        raise Invalid("This is not a CSV file. Take one that Mastodon or this server has exported.") from None
    shape = FORMATS[kind]
    order = _order(lines[0], shape) if lines else None
    if order is not None:
        lines = lines[1:]
    rows: dict[tuple[str, ...], dict[str, Any]] = {}
    for cells in lines:
        row = _row(cells, shape, order or range(len(shape.columns)))
        rows.setdefault(_identity(row), row)
    if not rows:
        raise Invalid("There is nothing in this file.")
    if len(rows) > MAX_ROWS:
        raise TooLarge(f"The file has more than {MAX_ROWS} lines. Split it.")
    return list(rows.values())


def _order(cells: Sequence[str], shape: Format) -> list[int] | None:
    """Where each column stands, -1 for one that is missing; None when the line names no columns."""
    headings = [cell.strip().lower() for cell in cells]
    found = [
        headings.index(column.heading.lower()) if column.heading.lower() in headings else -1 for column in shape.columns
    ]
    return found if any(place >= 0 for place in found) else None


def _row(cells: Sequence[str], shape: Format, order: Sequence[int]) -> dict[str, Any]:
    row: dict[str, Any] = {}
    for column, place in zip(shape.columns, order, strict=True):
        text = cells[place].strip()[:_MAX_CELL] if 0 <= place < len(cells) else ""
        if text.startswith("'") and text[1:].startswith(_FORMULA):
            text = text[1:]
        if column.read == "flag":
            if text:
                row[column.name] = text.lower() not in _FALSE
        elif column.read == "languages":
            codes = [code.strip().partition("-")[0].lower() for code in text.split(",")]
            row[column.name] = [code for code in dict.fromkeys(codes) if code.isascii() and code.isalpha()][:100]
        else:
            row[column.name] = text
    return row


def _identity(row: Mapping[str, Any]) -> tuple[str, ...]:
    """What makes the row another one than the rest."""
    return tuple(str(row[name]).removeprefix("@").lower() for name in ("list", "acct", "uri", "domain") if name in row)


def account(acct: str, domain: str) -> tuple[str, str]:
    """User name and host of an account, both folded; the host of those here is ``domain``. Raises BadRequest."""
    username, host = split_handle(acct)
    return username.lower(), fold_host(host or domain)


def key(kind: Kind, row: Mapping[str, Any], domain: str) -> tuple[str, ...]:
    """The row's identity in the form in which it is compared with what is there; empty for what is nothing."""
    try:
        if kind == "bookmarks":
            return (str(row["uri"]),)
        if kind == "domain_blocks":
            return (fold_host(row["domain"]),)
        named = account(row["acct"], domain)
    except BadRequest:
        return ()
    return (str(row["list"]), *named) if kind == "lists" else named
