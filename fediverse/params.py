"""Parameters of a request, the same however they were sent: query, form, multipart or JSON.

Forms nest as Rails reads them: ``id[]=1&id[]=2`` is a list, ``source[privacy]=public`` an object. Booleans and
numbers may come as strings. What cannot be read is refused with 400 and a sentence.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Any, Final
from urllib.parse import parse_qsl

import orjson
from aiohttp import web
from aiohttp.http_exceptions import HttpProcessingError

from fediverse.errors import BadRequest, UnsupportedType
from fediverse.ids import MAX_ID

_MAX_FIELDS: Final = 300
_MAX_DEPTH: Final = 4
_KEY: Final = re.compile(r"([^\[\]]+)((?:\[[^\[\]]*\])*)")
_FALSE: Final = frozenset({"0", "f", "false", "off", "no", ""})
_NOT_JSON: Final = "The body is not JSON: check it with a JSON validator, and send it as UTF-8."
_NOT_TEXT: Final = "The request holds a character that is not text. Send UTF-8 without NUL."


class Upload:
    """A file of a multipart form."""

    __slots__ = ("_field",)

    def __init__(self, field: web.FileField) -> None:
        self._field = field

    def read(self) -> bytes:
        """The file's bytes."""
        return self._field.file.read()


class Params:
    """The parameters by name. Each method says what it reads, and raises BadRequest when that is not what was sent."""

    __slots__ = ("_values",)

    def __init__(self, values: Mapping[str, Any]) -> None:
        self._values = values

    def has(self, name: str) -> bool:
        """Whether the parameter was sent with a value other than null."""
        return self._values.get(name) is not None

    def sent(self, name: str) -> bool:
        """Whether the parameter was sent at all, if only as null: that may mean "no longer"."""
        return name in self._values

    def raw(self, name: str) -> object:
        """The value as it was sent."""
        return self._values.get(name)

    def text(self, name: str, default: str = "") -> str:
        """A text; numbers and booleans are taken as written."""
        value = self._values.get(name)
        if value is None:
            return default
        if isinstance(value, str):
            return value
        if isinstance(value, bool):
            return "true" if value else "false"
        if isinstance(value, int | float):
            return str(value)
        raise BadRequest(f"“{name}” must be a text.")

    def optional(self, name: str) -> str | None:
        """A text, or None when it was not sent."""
        return self.text(name) if self.has(name) else None

    def flag(self, name: str, *, default: bool = False) -> bool:
        """True or false, in any of the spellings that forms have."""
        value = self._values.get(name)
        if value is None:
            return default
        return value if isinstance(value, bool) else self.text(name).strip().lower() not in _FALSE

    def integer(self, name: str, default: int, *, low: int, high: int) -> int:
        """A whole number; one outside of the bounds is taken as the nearest bound."""
        text = self.text(name).strip()
        if not text:
            return default
        sign = text[:1] == "-"
        digits = text[1:] if sign else text
        if not (digits.isascii() and digits.isdecimal()) or len(digits) > 18:
            raise BadRequest(f"“{name}” must be a whole number.")
        return max(low, min(-int(digits) if sign else int(digits), high))

    def id(self, name: str) -> int | None:
        """An id, or None when it was not sent (or was sent empty)."""
        text = self.text(name).strip()
        if not text:
            return None
        found = read_id(text)
        if found is None:
            raise BadRequest(f"“{name}” must be an id: a number of at most 19 digits.")
        return found

    def ids(self, name: str, *, most: int) -> list[int]:
        """The ids of a list, each once; words that are no ids name nothing and are passed over."""
        found = (read_id(word) for word in self.words(name, most=most))
        return list(dict.fromkeys(id_ for id_ in found if id_ is not None))

    def words(self, name: str, *, most: int = 100) -> list[str]:
        """The texts of a list; a single text is a list of one, and so may its places be numbered (``id[0]=``)."""
        value = self._values.get(name)
        if value is None:
            return []
        if isinstance(value, dict) and all(place.isdecimal() for place in value):
            value = list(value.values())
        items = value if isinstance(value, list) else [value]
        # Mastodon.py writes some lists as "id[][]".
        items = [one for item in items for one in (item if isinstance(item, list) else [item])]
        if len(items) > most:
            raise BadRequest(f"“{name}” has more than {most} entries.")
        return [Params({name: item}).text(name) for item in items if item is not None]

    def object(self, name: str) -> Params:
        """A nested object; empty when it was not sent."""
        value = self._values.get(name)
        if value is None:
            return Params({})
        if not isinstance(value, dict):
            raise BadRequest(f"“{name}” must be an object.")
        return Params(value)

    def objects(self, name: str, *, most: int) -> list[Params]:
        """A list of objects; also one that was sent as an object of numbered entries."""
        value = self._values.get(name)
        if value is None:
            return []
        items = list(value.values()) if isinstance(value, dict) else value
        if not isinstance(items, list) or not all(isinstance(item, dict) for item in items):
            raise BadRequest(f"“{name}” must be a list of objects.")
        if len(items) > most:
            raise BadRequest(f"“{name}” has more than {most} entries.")
        return [Params(item) for item in items]

    def upload(self, name: str) -> Upload | None:
        """An uploaded file, or None when there is none under that name."""
        value = self._values.get(name)
        return value if isinstance(value, Upload) else None


def read_id(text: str) -> int | None:
    """The number that an id is the text of; None when it is none."""
    if not (text.isascii() and text.isdecimal()) or len(text) > 19:
        return None
    number = int(text)
    return number if number <= MAX_ID else None


def query(request: web.BaseRequest) -> Params:
    """The parameters of the address alone. Raises BadRequest."""
    raw = request.rel_url.raw_query_string
    return Params(_form(raw)) if raw else Params({})


async def read(request: web.Request) -> Params:
    """The parameters of address and body; the body's count where both have one.

    Raises BadRequest for what cannot be read, UnsupportedType for a body of an unknown type.
    """
    values = _form(request.rel_url.raw_query_string)
    if request.body_exists:
        values.update(await _body(request))
    return Params(values)


def from_parts(request: web.BaseRequest, pairs: Iterable[tuple[str, Any]]) -> Params:
    """The parameters of the address and of a form that was read elsewhere. Raises BadRequest."""
    return Params({**_form(request.rel_url.raw_query_string), **_nested(pairs)})


async def _body(request: web.Request) -> dict[str, Any]:
    kind = request.content_type
    if kind.startswith("multipart/"):
        return await _multipart(request)
    body = await request.read()
    if not body:
        return {}
    if kind == "application/x-www-form-urlencoded":
        try:
            return _form(body.decode())
        except UnicodeDecodeError:
            raise BadRequest(_NOT_TEXT) from None
    if kind == "application/json" or kind.endswith("+json"):
        return _json(body)
    raise UnsupportedType("Send the parameters as JSON, as a form, or as a multipart form, with its Content-Type.")


def _json(body: bytes) -> dict[str, Any]:
    try:
        value = orjson.loads(body)
    except orjson.JSONDecodeError:
        raise BadRequest(_NOT_JSON) from None
    if not isinstance(value, dict):
        raise BadRequest("The body must be a JSON object.")
    if b"\\u0000" in body and _has_nul(value):
        raise BadRequest(_NOT_TEXT)
    return value


def _has_nul(value: object) -> bool:
    if isinstance(value, str):
        return "\x00" in value
    if isinstance(value, dict):
        return any(_has_nul(key) or _has_nul(item) for key, item in value.items())
    return isinstance(value, list) and any(_has_nul(item) for item in value)


def _form(raw: str) -> dict[str, Any]:
    if not raw:
        return {}
    try:
        pairs = parse_qsl(raw, keep_blank_values=True, errors="strict", max_num_fields=_MAX_FIELDS)
    except ValueError:
        raise BadRequest(_NOT_TEXT) from None
    return _nested(pairs)


async def _multipart(request: web.Request) -> dict[str, Any]:
    try:
        form = await request.post()
    except (ValueError, AssertionError, RuntimeError, LookupError, HttpProcessingError):
        raise BadRequest("The multipart form cannot be read.") from None
    if len(form) > _MAX_FIELDS:
        raise BadRequest("The form has too many fields.")
    pairs: list[tuple[str, Any]] = []
    for name, value in form.items():
        if isinstance(value, web.FileField):
            pairs.append((name, Upload(value)))
        elif isinstance(value, str):
            pairs.append((name, value))
        else:
            pairs.append((name, bytes(value).decode("utf-8", "replace")))
    return _nested(pairs)


def _nested(pairs: Iterable[tuple[str, Any]]) -> dict[str, Any]:
    tree: dict[str, Any] = {}
    for name, value in pairs:
        if "\x00" in name or (isinstance(value, str) and "\x00" in value):
            raise BadRequest(_NOT_TEXT)
        match = _KEY.fullmatch(name)
        if match is None or not match[2]:
            tree[name] = value
            continue
        steps = match[2][1:-1].split("][")
        if len(steps) > _MAX_DEPTH:
            raise BadRequest(f"“{name[:100]}” is nested too deeply.")
        _put(tree, [match[1], *steps], value, name)
    return tree


def _put(tree: dict[str, Any], path: list[str], value: Any, name: str) -> None:
    """``value`` stands in the tree at ``path``, whose empty steps append to a list."""
    place: Any = tree
    for step, following in zip(path, [*path[1:], None], strict=True):
        fresh: Any = value if following is None else [] if following == "" else {}
        if isinstance(place, list) and step == "":
            # ``a[][x]=1&a[][y]=2&a[][x]=3``: a name that was given already begins the next object.
            if following and place and isinstance(place[-1], dict) and following not in place[-1]:
                fresh = place[-1]
            else:
                place.append(fresh)
        elif isinstance(place, dict):
            if following is None:
                place[step] = value
            else:
                fresh = place.setdefault(step, fresh)
        else:
            raise BadRequest(f"“{name[:100]}” contradicts another parameter.")
        place = fresh
