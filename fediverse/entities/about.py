"""What the instance says of itself beside its name."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Protocol

from sqlalchemy import Row

from fediverse.clock import Instant, rfc3339
from fediverse.text.paragraphs import from_paragraphs


class WeekFacts(Protocol):
    """What went on in a week."""

    @property
    def begins(self) -> Instant: ...  # noqa: D102 the names say it
    @property
    def statuses(self) -> int: ...  # noqa: D102 the names say it
    @property
    def logins(self) -> int: ...  # noqa: D102 the names say it
    @property
    def registrations(self) -> int: ...  # noqa: D102 the names say it


def week(facts: WeekFacts) -> dict[str, str]:
    """A week of ``/api/v1/instance/activity``: numbers as texts, the week as seconds since the epoch."""
    return {
        "week": str(facts.begins // 1000),
        "statuses": str(facts.statuses),
        "logins": str(facts.logins),
        "registrations": str(facts.registrations),
    }


def domain_block(row: Row[Any], *, digest: str) -> dict[str, Any]:
    """A DomainBlock, with the comment that is meant for the public; part of the name is hidden where that is wanted."""
    return {
        "domain": _obfuscated(row.host) if row.obfuscate else row.host,
        "digest": digest,
        "severity": "suspend" if row.severity == "block" else "silence",
        "comment": row.public_comment or None,
    }


def _obfuscated(host: str) -> str:
    """The middle of the name starred out; its dots stay."""
    hidden = range(len(host) // 3, len(host) - len(host) // 3)
    return "".join("*" if place in hidden and letter != "." else letter for place, letter in enumerate(host))


def instance_text(text: Any) -> dict[str, str]:
    """An ExtendedDescription or a PrivacyPolicy."""
    return {"updated_at": rfc3339(text["updated_at"]), "content": from_paragraphs(text["source"])}


def terms_of_service(versions: Sequence[Any], *, today: str, day: str | None = None) -> dict[str, Any] | None:
    """The TermsOfService of a day, else those that hold today; None when there are none of that day.

    ``versions`` come newest first.
    """
    if day is not None:
        chosen = next((i for i, version in enumerate(versions) if version["effective"] == day), None)
        if chosen is None:
            return None
    else:
        chosen = next((i for i, v in enumerate(versions) if v["effective"] <= today), len(versions) - 1)
    version = versions[chosen]
    return {
        "effective_date": version["effective"],
        "effective": version["effective"] <= today,
        "content": from_paragraphs(version["source"]),
        "succeeded_by": versions[chosen - 1]["effective"] if chosen else None,
    }


def days(history: Sequence[Sequence[int]]) -> list[dict[str, str]]:
    """TagHistory entries of (midnight, uses, accounts)."""
    return [
        {"day": str(midnight // 1000), "uses": str(uses), "accounts": str(accounts)}
        for midnight, uses, accounts in history
    ]
