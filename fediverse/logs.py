"""Structured logs: one JSON object per event on standard error, or lines for people on a terminal."""

from __future__ import annotations

import logging
import sys
from typing import Any

import regex
import structlog
from aiohttp.http_exceptions import HttpProcessingError

# What a terminal obeys instead of showing it, and what reorders a line. Line ends and tabs in tracebacks stay.
_CONTROL = regex.compile(r"[\p{Cc}\p{Cs}\u2028\u2029\u200e\u200f\u202a-\u202e\u2066-\u2069--\n\t]", regex.V1)


def configure(level: str) -> None:
    """Events of ``level`` and above are written; libraries' own logs too, from warning on."""
    readable = sys.stderr.isatty()
    threshold = getattr(logging, level.upper())
    renderer: structlog.typing.Processor = (
        structlog.dev.ConsoleRenderer() if readable else structlog.processors.JSONRenderer()
    )
    shared: list[structlog.typing.Processor] = [
        structlog.contextvars.merge_contextvars,
        structlog.processors.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
    ]
    # Plain tracebacks: the pretty ones show local variables, and so passwords and tokens.
    shared.append(structlog.processors.format_exc_info)
    if readable:
        shared.append(_shown)
    structlog.configure(
        processors=[*shared, renderer],
        wrapper_class=structlog.make_filtering_bound_logger(threshold),
        logger_factory=structlog.PrintLoggerFactory(sys.stderr),
        cache_logger_on_first_use=True,
    )
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=shared,
            processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, renderer],
        )
    )
    logging.getLogger("aiohttp.server").addFilter(_is_ours)
    logging.basicConfig(handlers=[handler], level=max(threshold, logging.WARNING), force=True)


def _shown(_logger: Any, _method: str, event: structlog.typing.EventDict) -> structlog.typing.EventDict:
    """The event with escapes in place of what others could send to command the operator's terminal.

    The JSON form needs none of this: it escapes by itself.
    """
    return {_escaped(name): value if name == "exc_info" else _plain(name, value) for name, value in event.items()}


def _plain(name: str, value: object) -> object:
    if isinstance(value, bool | int | float | None):
        return value
    text = _escaped(value if isinstance(value, str) else repr(value))
    return text if name == "exception" else text.replace("\n", "\\n").replace("\t", "\\t")


def _escaped(text: str) -> str:
    return _CONTROL.sub(lambda found: ascii(found[0])[1:-1], text)


def _is_ours(record: logging.LogRecord) -> bool:
    """Whether the fault may be on this side: a request that is no HTTP is answered 400 and needs no traceback."""
    cause = record.exc_info[1] if record.exc_info else None
    return not isinstance(cause, HttpProcessingError)
