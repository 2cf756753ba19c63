"""Reports: filed by people here or by other servers, looked at by moderators. Owner of the table ``reports``."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from sqlalchemy import ColumnElement, Connection, Row, func, select, update

from fediverse import ids, instance, moderation, notifications, statuses
from fediverse.actors import directory, people
from fediverse.admin.accounts import Staff
from fediverse.clock import DAY, Instant
from fediverse.db import insert
from fediverse.errors import Invalid, NotFound, TooManyRequests
from fediverse.outbox import activities
from fediverse.outbox.publish import Audience, publish
from fediverse.paging import Page
from fediverse.tables.actors import INSTANCE_ACTOR_ID, actors
from fediverse.tables.moderation import reports
from fediverse.tables.statuses import statuses as posts
from fediverse.urls import Urls
from fediverse.visibility import visible_where

CATEGORIES: Final = ("spam", "legal", "violation", "other")
MAX_COMMENT: Final = 1000
MAX_STATUSES: Final = 100
#: Accounts that one Flag may report, and reports that one account here, or one server, may file in a day.
MAX_TARGETS: Final = 5
MAX_A_DAY: Final = 100
_HOSTS: Final = 20
_URL: Final = re.compile(r"https?://[^\s<>\"]{1,300}")


@dataclass(frozen=True, slots=True)
class Complaint:
    """What somebody here says about an account; ``forward_to`` names the servers that are told, too."""

    status_ids: Sequence[int] = ()
    comment: str = ""
    category: str = "other"
    rule_ids: Sequence[int] = ()
    forward: bool = False
    forward_to: Sequence[str] = ()


def file(
    tx: Connection, urls: Urls, reporter: Row[Any], target: Row[Any], complaint: Complaint, *, now: Instant
) -> Row[Any]:
    """The report is open, and moderators are told; on request also the servers that it concerns, anonymously.

    Raises NotFound for a post that is not the target's or not visible, Invalid for what else cannot be reported,
    TooManyRequests for more than ``MAX_A_DAY``.
    """
    if reporter.id == target.id:
        raise Invalid("You cannot report yourself.")
    if len(complaint.comment) > MAX_COMMENT:
        raise Invalid(f"The comment is longer than {MAX_COMMENT} characters. Shorten it.")
    if complaint.category not in CATEGORIES:
        raise Invalid("The category is one of spam, legal, violation and other.")
    check_rules(tx, complaint.rule_ids)
    if _filed_today(tx, reports.c.actor_id == reporter.id, now=now) >= MAX_A_DAY:
        raise TooManyRequests("You have reported a lot today. Moderators will look at it; try again tomorrow.")
    found = _own_visible(tx, complaint.status_ids, target_id=target.id, viewer_id=reporter.id)
    inboxes = _forwarded_to(tx, target, found, complaint) if complaint.forward else ()
    row = _add(
        tx,
        actor_id=reporter.id,
        target_id=target.id,
        uri=None,
        category="violation" if complaint.rule_ids else complaint.category,
        comment=complaint.comment,
        status_ids=[post.id for post in found],
        rule_ids=list(complaint.rule_ids),
        forwarded=bool(inboxes),
        now=now,
    )
    assert row is not None
    if inboxes:
        _forward(tx, urls, row, target, found, inboxes, now=now)
    return row


def check_rules(tx: Connection, rule_ids: Iterable[int]) -> None:
    """Returns for rules that there are. Raises Invalid."""
    known = len(instance.get(tx).rules)
    if any(not 1 <= rule_id <= known for rule_id in rule_ids):
        raise Invalid("One of the rules does not exist. See /api/v1/instance/rules.")


def _own_visible(tx: Connection, status_ids: Sequence[int], *, target_id: int, viewer_id: int) -> Sequence[Row[Any]]:
    if not status_ids:
        return ()
    found = tx.execute(
        select(posts).where(
            posts.c.id.in_(status_ids),
            posts.c.author_id == target_id,
            posts.c.boost_of_id.is_(None),
            visible_where(viewer_id),
        )
    ).all()
    if len(found) != len(set(status_ids)):
        raise NotFound("One of the posts does not exist, or is not by the account that is reported.")
    return found


def _forwarded_to(tx: Connection, target: Row[Any], found: Sequence[Row[Any]], complaint: Complaint) -> tuple[str, ...]:
    """Inboxes of the target, and of those it answered, on the servers that are to be told; the target's by default."""
    wanted = set(complaint.forward_to[:_HOSTS])
    inboxes = [target.inbox] if target.host and (not wanted or target.host in wanted) else []
    answered = {post.in_reply_to_author_id for post in found if post.in_reply_to_author_id is not None}
    if wanted and answered:
        inboxes += tx.scalars(
            select(func.coalesce(actors.c.shared_inbox, actors.c.inbox)).where(
                actors.c.id.in_(answered), actors.c.host.in_(wanted), actors.c.host != target.host
            )
        ).all()
    return tuple(dict.fromkeys(inbox for inbox in inboxes if inbox))


def _forward(
    tx: Connection,
    urls: Urls,
    row: Row[Any],
    target: Row[Any],
    found: Sequence[Row[Any]],
    inboxes: tuple[str, ...],
    *,
    now: Instant,
) -> None:
    """The instance actor speaks: who reported stays here."""
    target_uri = directory.uri_of(urls, target)
    flag = activities.flag(
        urls,
        row.id,
        target_uri=target_uri,
        status_uris=[statuses.uri_of(urls, post, target) for post in found],
        content=row.comment,
        published=now,
    )
    publish(
        tx,
        actor_id=INSTANCE_ACTOR_ID,
        activity=flag,
        object_key=target_uri,
        audience=Audience(inboxes=inboxes),
        now=now,
        private=True,
    )


@dataclass(slots=True)
class _Accused:
    """Somebody here whom a Flag is about."""

    row: Row[Any]
    status_ids: list[int] = field(default_factory=list)


def receive(
    tx: Connection, urls: Urls, signer: Row[Any], *, uri: str, objects: Sequence[str], content: str, now: Instant
) -> int:
    """For each account here that the Flag names, itself or by its posts, a report is open; how many are new.

    Misskey puts the addresses of posts into the text, so those count as well. What is not of this instance counts for
    nothing, nor does more than ``MAX_A_DAY`` of a server, nor anything of one whose reports are rejected.
    """
    if moderation.rejects_reports(tx, signer.host):
        return 0
    left = MAX_A_DAY - _filed_today(tx, actors.c.host == signer.host, now=now)
    added = 0
    for accused in _accused(tx, urls, [*objects, *_URL.findall(content)][: 2 * MAX_STATUSES])[
        : max(0, min(left, MAX_TARGETS))
    ]:
        row = _add(
            tx,
            actor_id=signer.id,
            target_id=accused.row.id,
            uri=uri,
            category="other",
            comment=content[:MAX_COMMENT],
            status_ids=accused.status_ids,
            rule_ids=[],
            forwarded=False,
            now=now,
        )
        added += row is not None
    return added


def _filed_today(tx: Connection, by: ColumnElement[bool], *, now: Instant) -> int:
    """How many reports some reporters have filed in the last day."""
    filed = select(func.count()).select_from(reports).join(actors, actors.c.id == reports.c.actor_id)
    return tx.scalar(filed.where(by, reports.c.created_at > now - DAY)) or 0


def _accused(tx: Connection, urls: Urls, uris: Sequence[str]) -> list[_Accused]:
    """Accounts here in the order in which they or posts of theirs are named, in two queries."""
    names = [local for uri in dict.fromkeys(uris) if (local := urls.parse(uri)) is not None]
    named = {local.id: local.username for local in names if 0 < local.id <= ids.MAX_ID}
    found = statuses.by_ids(tx, named) if named else {}
    people_here = directory.by_uris(tx, urls, {urls.actor(local.username) for local in names if local.username})
    accused: dict[int, _Accused] = {}
    for row in people_here.values():
        if row.host == "" and row.deleted_at is None and row.id != INSTANCE_ACTOR_ID:
            accused[row.id] = _Accused(row)
    for post in found.values():
        author = accused.get(post.author_id)
        if author is not None and author.row.username == named[post.id] and post.boost_of_id is None:
            author.status_ids.append(post.id)
    return list(accused.values())


def _add(tx: Connection, *, now: Instant, **values: Any) -> Row[Any] | None:
    """The new report, of which moderators are told; None when the same Flag was there before."""
    row = tx.execute(
        insert(tx, reports)
        .values(id=ids.new_id(), created_at=now, updated_at=now, **values)
        .on_conflict_do_nothing()
        .returning(*reports.c)
    ).first()
    if row is not None:
        notifications.tell(
            tx, people.staff_actors(tx), kind="admin.report", by_id=row.actor_id, about_id=row.id, now=now
        )
    return row


def get(tx: Connection, report_id: int, *, by: int | None = None) -> Row[Any]:
    """The report; only one that ``by`` filed, if given. Raises NotFound."""
    statement = select(reports).where(reports.c.id == report_id)
    row = tx.execute(statement if by is None else statement.where(reports.c.actor_id == by)).first()
    if row is None:
        raise NotFound("Record not found")
    return row


def page(
    tx: Connection,
    page: Page,
    *,
    resolved: bool | None = None,
    actor_id: int | None = None,
    target_id: int | None = None,
    target_host: str | None = None,
) -> list[Row[Any]]:
    """A page of reports, newest first: by who filed them, whom they are about, and whether they are settled."""
    statement = select(reports)
    if resolved is not None:
        settled = reports.c.action_taken_at.is_not(None)
        statement = statement.where(settled if resolved else ~settled)
    if actor_id is not None:
        statement = statement.where(reports.c.actor_id == actor_id)
    if target_id is not None:
        statement = statement.where(reports.c.target_id == target_id)
    if target_host is not None:
        statement = statement.where(reports.c.target_id.in_(select(actors.c.id).where(actors.c.host == target_host)))
    return page.newest_first(tx.execute(page.select(statement, reports.c.id)).all())


def resolve(tx: Connection, report_id: int, *, staff: Staff) -> Row[Any]:
    """The moderator has dealt with the report."""
    taken = {"action_taken_at": staff.now, "action_taken_by_id": staff.actor_id}
    return _change(tx, report_id, taken, action="report.resolve", staff=staff)


def resolve_about(tx: Connection, target_id: int, *, staff: Staff) -> None:
    """All reports about the account are dealt with, by what the moderator did to it."""
    tx.execute(
        update(reports)
        .where(reports.c.target_id == target_id, reports.c.action_taken_at.is_(None))
        .values(action_taken_at=staff.now, action_taken_by_id=staff.actor_id, updated_at=staff.now)
    )


def reopen(tx: Connection, report_id: int, *, staff: Staff) -> Row[Any]:
    """The report is open again."""
    return _change(
        tx, report_id, {"action_taken_at": None, "action_taken_by_id": None}, action="report.reopen", staff=staff
    )


def assign(tx: Connection, report_id: int, *, staff: Staff) -> Row[Any]:
    """The report is for the moderator to deal with."""
    return _change(tx, report_id, {"assigned_to_id": staff.actor_id}, action="report.assign", staff=staff)


def unassign(tx: Connection, report_id: int, *, staff: Staff) -> Row[Any]:
    """The report is for nobody in particular to deal with."""
    return _change(tx, report_id, {"assigned_to_id": None}, action="report.unassign", staff=staff)


def classify(
    tx: Connection, report_id: int, *, category: str | None, rule_ids: Sequence[int] | None, staff: Staff
) -> Row[Any]:
    """The report is of that category; rules belong to violations only. Raises Invalid."""
    row = get(tx, report_id)
    category = category or ("violation" if rule_ids else row.category)
    if category not in CATEGORIES:
        raise Invalid("The category is one of spam, legal, violation and other.")
    check_rules(tx, rule_ids or ())
    cited = list(row.rule_ids if rule_ids is None else rule_ids) if category == "violation" else []
    values = {"category": category, "rule_ids": cited}
    return _change(tx, report_id, values, action="report.update", staff=staff, detail=category)


def _change(
    tx: Connection, report_id: int, values: Mapping[str, Any], *, action: str, staff: Staff, detail: str = ""
) -> Row[Any]:
    row = tx.execute(
        update(reports).where(reports.c.id == report_id).values(updated_at=staff.now, **values).returning(*reports.c)
    ).first()
    if row is None:
        raise NotFound("Record not found")
    moderation.audit(tx, staff.person_id, action=action, target=str(report_id), detail=detail, now=staff.now)
    return row
