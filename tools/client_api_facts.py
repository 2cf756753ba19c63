"""Reduces an OpenAPI description of Mastodon's client API to the facts that the tests need.

    python -m tools.client_api_facts SCHEMA.json

writes into ``tests/data`` what is answered: ``client_api_entities.tsv`` (entity, field, presence, type) and
``client_api_operations.tsv`` (method, path, status, type of the answer); and what may be asked:
``client_api_requests.json``, an OpenAPI description of nothing but parameters and bodies. Only names, types and
presence are taken: the prose of such a description has a licence of its own, and none of it gets here.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any, Final

_DATA: Final = Path(__file__).parent.parent / "tests" / "data"
_FORMATS: Final = {"uri": "uri", "date-time": "date-time", "date": "date"}
_PREFIX: Final = "#/components/schemas/"
#: What says what a value may be; the rest is prose, examples and links to it.
_TYPING: Final = frozenset(
    {"$ref", "type", "format", "enum", "items", "properties", "required", "oneOf", "anyOf", "allOf"}
    | {"additionalProperties", "minItems", "maxItems", "minimum", "maximum"}
)

Schema = dict[str, Any]
Row = tuple[str, ...]

# Where the description says something else than what is served and read everywhere.
_MISTAKEN: Final[dict[Row, str]] = {("GET", "/api/v1/filters", "200"): "[V1Filter]"}


class Facts:
    """What a description says, as rows."""

    def __init__(self, description: Schema) -> None:
        self._schemas: dict[str, Schema] = description["components"]["schemas"]
        self._paths: dict[str, Schema] = description["paths"]

    def entities(self) -> Iterator[Row]:
        """(entity, field, presence, type) of every object; fields of objects within are written with dots."""
        for name in sorted(self._schemas):
            schema = self._whole(self._schemas[name])
            if "properties" in schema:
                yield from self._fields(name, schema, "")

    def operations(self) -> Iterator[Row]:
        """(method, path, status, type) of every successful answer that is JSON of a known shape."""
        for path, operations in self._paths.items():
            for method, operation in operations.items():
                for status, answer in operation.get("responses", {}).items():
                    schema = answer.get("content", {}).get("application/json", {}).get("schema")
                    if status.startswith("2") and schema:
                        row = method.upper(), path, status
                        yield *row, _MISTAKEN.get(row, self._type(schema))

    def requests(self) -> Schema:
        """An OpenAPI description of what may be asked."""
        paths = {path: {m: _request(o) for m, o in operations.items()} for path, operations in self._paths.items()}
        needed: Schema = {}
        waiting = _references(paths)
        while waiting:
            name = waiting.pop()
            if name not in needed:
                needed[name] = _typing(self._schemas[name])
                waiting |= _references(needed[name])
        return {
            "openapi": "3.1.0",
            "info": {"title": "What may be asked", "version": "1"},
            "paths": paths,
            "components": {"schemas": dict(sorted(needed.items()))},
        }

    def _whole(self, schema: Schema) -> Schema:
        """The schema with what it says by ``allOf`` taken in."""
        properties: Schema = {}
        required: set[str] = set()
        for part in [*schema.get("allOf", ()), schema]:
            named = self._whole(self._schemas[_name(part)]) if "$ref" in part else part
            properties |= named.get("properties", {})
            required |= set(named.get("required", ()))
        return {"properties": properties, "required": sorted(required)} if properties else schema

    def _fields(self, entity: str, schema: Schema, before: str) -> Iterator[Row]:
        required = set(schema.get("required", ()))
        names = sorted(schema["properties"], key=lambda name: (name not in required, name))
        for name in names:
            field = schema["properties"][name]
            presence = "required" if name in required else "optional"
            yield entity, before + name, presence, self._type(field)
            within = self._whole(field)
            if "properties" in within and "$ref" not in field:
                yield from self._fields(entity, within, f"{before}{name}.")

    def _type(self, schema: Schema) -> str:
        if "$ref" in schema:
            nullable = "null" in _as_list(schema.get("type", ()))
            return _either([self._named(_name(schema)), *(["null"] if nullable else [])])
        if "oneOf" in schema or "anyOf" in schema:
            return _either(self._type(one) for one in schema.get("oneOf") or schema["anyOf"])
        if "enum" in schema:
            return _enumeration(schema["enum"])
        return _either(self._plain(kind, schema) for kind in _as_list(schema.get("type", "any")))

    def _named(self, name: str) -> str:
        schema = self._schemas[name]
        return name if "properties" in self._whole(schema) else self._type(schema)

    def _plain(self, kind: str, schema: Schema) -> str:
        if kind == "array":
            return f"[{self._type(schema.get('items', {}))}]"
        if kind == "object" and "properties" not in schema and isinstance(schema.get("additionalProperties"), dict):
            return f"{{{self._type(schema['additionalProperties'])}}}"
        return _FORMATS.get(schema.get("format", ""), kind) if kind == "string" else kind


def _request(operation: Schema) -> Schema:
    """Parameters and body of an operation."""
    found: Schema = {"responses": {"default": {"description": ""}}}
    if parameters := operation.get("parameters"):
        found["parameters"] = [
            {
                "name": parameter["name"],
                "in": parameter["in"],
                "required": parameter["in"] == "path" or parameter.get("required", False),
                "schema": _typing(parameter["schema"]),
            }
            for parameter in parameters
            if parameter["in"] != "header"
        ]
    if content := operation.get("requestBody", {}).get("content"):
        found["requestBody"] = {"content": {kind: {"schema": _typing(one["schema"])} for kind, one in content.items()}}
    return found


def _typing(schema: Any) -> Any:
    """A schema with nothing but types."""
    if isinstance(schema, list):
        return [_typing(one) for one in schema]
    if not isinstance(schema, dict):
        return schema
    return {
        name: {field: _typing(one) for field, one in value.items()} if name == "properties" else _typing(value)
        for name, value in schema.items()
        if name in _TYPING
    }


def _references(value: Any) -> set[str]:
    """The names of the schemas that are mentioned anywhere within."""
    if isinstance(value, list):
        return set().union(*map(_references, value))
    if not isinstance(value, dict):
        return set()
    within = set().union(*map(_references, value.values()))
    return within | {_name(value)} if isinstance(value.get("$ref"), str) else within


def _name(schema: Schema) -> str:
    return str(schema["$ref"]).removeprefix(_PREFIX)


def _as_list(value: Any) -> list[str]:
    return [value] if isinstance(value, str) else list(value)


def _either(kinds: Iterable[str]) -> str:
    return "|".join(dict.fromkeys(kinds))


def _enumeration(values: Iterable[Any]) -> str:
    return '"' + ",".join(sorted(str(value) for value in values)) + '"'


def _write(name: str, header: Row, rows: Iterable[Row]) -> None:
    lines = ["\t".join(row) for row in (header, *rows)]
    (_DATA / name).write_text("\n".join(lines) + "\n", encoding="utf-8")


def _lines(value: Any, depth: int = 3) -> str:
    """JSON with a line for each path and each schema."""
    if not isinstance(value, dict) or not depth or not value:
        return json.dumps(value, sort_keys=True)
    return "{\n" + ",\n".join(f"{json.dumps(name)}: {_lines(one, depth - 1)}" for name, one in value.items()) + "\n}"


def main() -> None:
    """Writes the facts of the description that is named."""
    facts = Facts(json.loads(Path(sys.argv[1]).read_text(encoding="utf-8")))
    _write("client_api_entities.tsv", ("entity", "field", "presence", "type"), facts.entities())
    _write("client_api_operations.tsv", ("method", "path", "status", "type"), facts.operations())
    (_DATA / "client_api_requests.json").write_text(_lines(facts.requests()) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
