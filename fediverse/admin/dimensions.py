"""What there is most of: languages, apps, servers, space, versions. Only read here."""

from __future__ import annotations

import platform
import sqlite3
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from sqlalchemy import ColumnElement, Connection, Select, func, select, text

from fediverse import ids
from fediverse.admin.figures import Period
from fediverse.tables.actors import actors, follows, people, person_days
from fediverse.tables.instance import pictures
from fediverse.tables.media import attachments
from fediverse.tables.statuses import status_tags, statuses


@dataclass(frozen=True, slots=True)
class Line:
    """One value of a dimension; ``bytes`` says that it is a size, ``version`` that it is no number at all."""

    key: str
    name: str
    value: int
    is_size: bool = False
    version: str = ""


@dataclass(frozen=True, slots=True)
class Question:
    """What is asked: for which time, how many lines at most, about which hashtag or host."""

    period: Period
    limit: int
    argument: Any
    domain: str  # this instance's
    program: str  # this program's version


def dimension(tx: Connection, key: str, question: Question) -> Sequence[Line]:
    """The lines of the dimension, the greatest first."""
    return DIMENSIONS[key](tx, question)


def _most(
    tx: Connection, question: Question, statement: Select[Any], what: ColumnElement[Any]
) -> list[tuple[str, int]]:
    """The most frequent values, with how often they are there; ``statement`` gives them in any order."""
    counted = func.count().label("number")
    found = statement.add_columns(what.label("what"), counted).group_by(what).order_by(counted.desc(), what)
    return [(str(row.what), row.number) for row in tx.execute(found.limit(question.limit))]


def _posts(question: Question) -> list[ColumnElement[bool]]:
    period = question.period
    return [
        statuses.c.id >= ids.floor_id(period.start),
        statuses.c.id < ids.floor_id(period.end),
        statuses.c.deleted_at.is_(None),
    ]


_AUTHORED: Final = statuses.join(actors, actors.c.id == statuses.c.author_id)
_TAGGED: Final = _AUTHORED.join(status_tags, status_tags.c.status_id == statuses.c.id)


def _plain(found: list[tuple[str, int]]) -> list[Line]:
    return [Line(key, key, number) for key, number in found]


def _languages(tx: Connection, question: Question) -> list[Line]:
    """Of the people who were here."""
    period = question.period
    here = select(person_days.c.person_id).where(person_days.c.day >= period.start, person_days.c.day < period.end)
    return _plain(_most(tx, question, select().where(people.c.id.in_(here), people.c.locale != ""), people.c.locale))


def _sources(tx: Connection, question: Question) -> list[Line]:
    """The apps that people here post with; posts of the pages have none."""
    statement = select().where(statuses.c.local, statuses.c.boost_of_id.is_(None), *_posts(question))
    found = _most(tx, question, statement, statuses.c.app_name)
    return [Line(name or "web", name or "Web", number) for name, number in found]


def _servers(tx: Connection, question: Question) -> list[Line]:
    found = _most(tx, question, select().select_from(_AUTHORED).where(*_posts(question)), actors.c.host)
    return [Line(host or question.domain, host or question.domain, number) for host, number in found]


def _tag_servers(tx: Connection, question: Question) -> list[Line]:
    tagged = status_tags.c.tag_id == question.argument
    found = _most(tx, question, select().select_from(_TAGGED).where(tagged, *_posts(question)), actors.c.host)
    return [Line(host or question.domain, host or question.domain, number) for host, number in found]


def _tag_languages(tx: Connection, question: Question) -> list[Line]:
    conditions = (status_tags.c.tag_id == question.argument, statuses.c.language.is_not(None), *_posts(question))
    return _plain(_most(tx, question, select().select_from(_TAGGED).where(*conditions), statuses.c.language))


def _instance_languages(tx: Connection, question: Question) -> list[Line]:
    conditions = (actors.c.host == question.argument, statuses.c.language.is_not(None), *_posts(question))
    return _plain(_most(tx, question, select().select_from(_AUTHORED).where(*conditions), statuses.c.language))


def _instance_accounts(tx: Connection, question: Question) -> list[Line]:
    """Those of the server whom most people here follow."""
    statement = (
        select()
        .select_from(follows.join(actors, actors.c.id == follows.c.followee_id))
        .where(actors.c.host == question.argument, follows.c.follower_is_local, follows.c.accepted)
    )
    return _plain(_most(tx, question, statement, actors.c.username))


def _space_usage(tx: Connection, _question: Question) -> list[Line]:
    if tx.dialect.name == "sqlite":
        pages = tx.scalar(text("SELECT page_count * page_size FROM pragma_page_count(), pragma_page_size()"))
        database = Line("sqlite", "SQLite", int(pages or 0), is_size=True)
    else:
        size = tx.scalar(text("SELECT pg_database_size(current_database())"))
        database = Line("postgresql", "PostgreSQL", int(size or 0), is_size=True)
    profiles = tx.scalar(select(func.sum(pictures.c.size))) or 0
    posted = tx.scalar(select(func.sum(attachments.c.meta["size"].as_integer()))) or 0
    return [database, Line("media", "Media storage", int(profiles) + int(posted), is_size=True)]


def _software_versions(tx: Connection, question: Question) -> list[Line]:
    if tx.dialect.name == "sqlite":
        database = Line("sqlite", "SQLite", 0, version=sqlite3.sqlite_version)
    else:
        found = str(tx.scalar(text("SHOW server_version")))
        database = Line("postgresql", "PostgreSQL", 0, version=found)
    return [
        Line("fediverse", "fediverse", 0, version=question.program),
        Line("python", "Python", 0, version=platform.python_version()),
        database,
    ]


DIMENSIONS: Final[Mapping[str, Callable[[Connection, Question], Sequence[Line]]]] = {
    "languages": _languages,
    "sources": _sources,
    "servers": _servers,
    "space_usage": _space_usage,
    "software_versions": _software_versions,
    "tag_servers": _tag_servers,
    "tag_languages": _tag_languages,
    "instance_accounts": _instance_accounts,
    "instance_languages": _instance_languages,
}
