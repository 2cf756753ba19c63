"""The instance itself: its name and looks, and the two names that never change once it has federated.

Owner of the table ``instance``: one row per property.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass, fields
from datetime import date
from typing import Any, Final, Literal, TypedDict, Unpack

from sqlalchemy import Connection, select

from fediverse.clock import Instant, rfc3339
from fediverse.db import insert
from fediverse.errors import Invalid
from fediverse.settings import SettingsError
from fediverse.tables.instance import instance
from fediverse.text import is_blank, normalise
from fediverse.text.languages import LANGUAGES
from fediverse.urls import Urls

DEFAULT_NAME: Final = "Fediverse"
DEFAULT_COLOUR: Final = "#2b5fd9"

_FROZEN: Final = "frozen"
_VAPID: Final = "vapid"
_COLOUR = re.compile(r"#[0-9a-f]{6}")
_EMAIL = re.compile(r"[^@\s]{1,64}@[^@\s]{1,255}")
_NAME_LENGTH: Final = 60
_DESCRIPTION_LENGTH: Final = 500
_RULES: Final = 20
_TEXT_LENGTH: Final = 100_000
_RULE_LENGTH: Final = 300


@dataclass(frozen=True, slots=True)
class InstanceInfo:
    """How the instance presents itself."""

    name: str = DEFAULT_NAME
    description: str = ""  # plain text
    contact_email: str = ""
    contact_actor_id: int | None = None
    colour: str = DEFAULT_COLOUR  # #rrggbb, lower case
    logo: str | None = None  # a picture's key in media storage
    rules: tuple[str, ...] = ()
    languages: tuple[str, ...] = ("en",)  # codes of ISO 639, what is spoken here
    domain_blocks: str = "nobody"  # who may see which servers are blocked: nobody, users or everybody


class Changes(TypedDict, total=False):
    """The properties of the instance that a call of :func:`update` sets."""

    name: str
    description: str
    contact_email: str
    contact_actor_id: int | None
    colour: str
    logo: str | None
    rules: tuple[str, ...]
    languages: tuple[str, ...]
    domain_blocks: str


#: The longer texts that the instance may have.
TextName = Literal["extended_description", "privacy_policy", "terms_of_service"]


class InstanceText(TypedDict):
    """A text of the instance: as it was written, since when, and from which day on it holds."""

    source: str
    updated_at: Instant
    effective: str  # 2026-01-31


class VapidKeys(TypedDict):
    """The key pair by which push services know this instance: base64url, and a sealed PEM."""

    public: str
    private: str


_PROPERTIES: Final = frozenset(field.name for field in fields(InstanceInfo))


def get(tx: Connection) -> InstanceInfo:
    """How the instance presents itself now; defaults where nothing was said."""
    found: dict[str, Any] = {row.name: row.value for row in tx.execute(select(instance)) if row.name in _PROPERTIES}
    for name in ("rules", "languages"):
        if name in found:
            found[name] = tuple(found[name])
    return InstanceInfo(**found)


def update(tx: Connection, **changes: Unpack[Changes]) -> InstanceInfo:
    """The instance presents itself as these changes say. Raises Invalid for a value that cannot be shown."""
    cleaned = {name: _clean(name, value) for name, value in changes.items()}
    for name, value in cleaned.items():
        _put(tx, name, value)
    return get(tx)


def texts(tx: Connection, name: TextName) -> list[InstanceText]:
    """The versions of a text, the newest first; empty when there is none."""
    found: list[InstanceText] | None = tx.scalar(select(instance.c.value).where(instance.c.name == f"text.{name}"))
    return found or []


def set_text(tx: Connection, name: TextName, source: str, *, effective: date | None = None, now: Instant) -> bool:
    """The text says this, from a day on if that is given; an empty one is gone. Returns whether there is a text now.

    Of terms of service the older versions stay, by the days from which they held. Raises Invalid for what is too long.
    """
    source = normalise(source).strip()
    if len(source) > _TEXT_LENGTH:
        raise Invalid(f"The text is longer than {_TEXT_LENGTH} characters. Shorten it.")
    day = effective.isoformat() if effective is not None else rfc3339(now)[:10]
    kept = [one for one in texts(tx, name) if one["effective"] != day] if name == "terms_of_service" else []
    version: InstanceText = {"source": source, "updated_at": now, "effective": day}
    versions = sorted([*kept, version], key=lambda one: one["effective"], reverse=True) if source else []
    _put(tx, f"text.{name}", versions)
    return bool(source)


def freeze_names(tx: Connection, urls: Urls) -> bool:
    """Base URL and domain are now for ever those of ``urls``: another server knows them. Returns whether this was new.

    Called with the first signed request that is sent or accepted. Names that are frozen already stay.
    """
    return (
        tx.execute(
            insert(tx, instance)
            .values(name=_FROZEN, value={"base_url": urls.base_url, "domain": urls.domain})
            .on_conflict_do_nothing(index_elements=["name"])
            .returning(instance.c.name)
        ).first()
        is not None
    )


def vapid_keys(tx: Connection) -> VapidKeys | None:
    """The keys for web push, the private one sealed; None before they were made."""
    kept: VapidKeys | None = tx.scalar(select(instance.c.value).where(instance.c.name == _VAPID))
    return kept


def keep_vapid_keys(tx: Connection, *, public: str, private: str) -> VapidKeys:
    """These are the keys for web push, unless another process made some first: then those."""
    made: VapidKeys = {"public": public, "private": private}
    tx.execute(insert(tx, instance).values(name=_VAPID, value=made).on_conflict_do_nothing(index_elements=["name"]))
    return vapid_keys(tx) or made


def check_names(tx: Connection, urls: Urls) -> None:
    """The settings name this instance as other servers know it. Raises SettingsError when they do not."""
    frozen = tx.scalar(select(instance.c.value).where(instance.c.name == _FROZEN))
    if frozen is None:
        return
    for setting, known, wanted in (
        ("FEDIVERSE_BASE_URL", frozen["base_url"], urls.base_url),
        ("FEDIVERSE_DOMAIN", frozen["domain"], urls.domain),
    ):
        if known != wanted:
            raise SettingsError(
                f"{setting} is {wanted}, but other servers know this instance as {known}, and that cannot change: "
                f"followers and posts would be lost. Set {setting} back to {known}, or start with an empty database."
            )


def _put(tx: Connection, name: str, value: object) -> None:
    tx.execute(
        insert(tx, instance)
        .values(name=name, value=value)
        .on_conflict_do_update(index_elements=["name"], set_={"value": value})
    )


def _clean(name: str, value: Any) -> Any:
    return _CHECKS[name](value) if name in _CHECKS else value


def _check_name(value: str) -> str:
    name = " ".join(normalise(value).split())
    if is_blank(name) or len(name) > _NAME_LENGTH:
        raise Invalid(f"The instance needs a name of 1 to {_NAME_LENGTH} characters.")
    return name


def _check_description(value: str) -> str:
    description = normalise(value)
    if len(description) > _DESCRIPTION_LENGTH:
        raise Invalid(f"The description is longer than {_DESCRIPTION_LENGTH} characters. Shorten it.")
    return description


def _check_email(value: str) -> str:
    email = value.strip()
    if email and not _EMAIL.fullmatch(email):
        raise Invalid("The contact e-mail address does not look like name@example.com.")
    return email


def _check_colour(value: str) -> str:
    colour = value.strip().lower()
    if not _COLOUR.fullmatch(colour):
        raise Invalid("The colour must be written as # and six hexadecimal digits, such as #2b5fd9.")
    return colour


def _check_rules(value: tuple[str, ...]) -> list[str]:
    rules = [rule for rule in (normalise(rule) for rule in value) if not is_blank(rule)]
    if len(rules) > _RULES or any(len(rule) > _RULE_LENGTH for rule in rules):
        raise Invalid(f"At most {_RULES} rules of at most {_RULE_LENGTH} characters each can be shown.")
    return rules


def _check_languages(value: tuple[str, ...]) -> list[str]:
    codes = list(dict.fromkeys(code.strip().lower() for code in value if code.strip()))
    unknown = [code for code in codes if code not in LANGUAGES]
    if unknown or not codes:
        raise Invalid("Name languages by their two-letter codes, such as en or de.")
    return codes


def _check_domain_blocks(value: str) -> str:
    if value not in {"nobody", "users", "everybody"}:
        raise Invalid("Those who may see the list of blocked servers are nobody, users or everybody.")
    return value


_CHECKS: Final[dict[str, Callable[[Any], Any]]] = {
    "name": _check_name,
    "description": _check_description,
    "contact_email": _check_email,
    "colour": _check_colour,
    "rules": _check_rules,
    "languages": _check_languages,
    "domain_blocks": _check_domain_blocks,
}
