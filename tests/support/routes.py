"""The application's own table of routes, for tests that must not forget any."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping

from aiohttp import web

# Of what no test says more than that there is something.
_USUAL = {"date": "2026-01-31", "group_key": "ungrouped-1", "file": "lists.csv"}
_PARAMETER = re.compile(r"\{(\w+)\}")


def templates(app: web.Application, *methods: str) -> list[tuple[str, str]]:
    """(method, path with its parameters in braces) of every route with one of these methods, each once."""
    found = {
        (route.method, route.resource.canonical)
        for route in app.router.routes()
        if route.resource is not None and route.method in methods
    }
    return sorted(found)


def parameters(template: str) -> list[str]:
    """The names in braces."""
    return _PARAMETER.findall(template)


def filled(app: web.Application, *methods: str, values: Mapping[str, str]) -> Iterator[tuple[str, str, str]]:
    """(method, template, path) of every route; every parameter must have its value, other ids that of ``id``."""
    given = {**_USUAL, **values}

    def value(found: re.Match[str]) -> str:
        name = found[1]
        return given["id"] if name.endswith("_id") and name not in given else given[name]

    for method, template in templates(app, *methods):
        yield method, template, _PARAMETER.sub(value, template)
