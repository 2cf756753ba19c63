"""What moderators do to accounts. Owner of the table ``account_warnings``.

Each function is told who acts, checks that they may against this account, and writes it down in the audit log.
"""

from __future__ import annotations

from typing import Any, Final

from sqlalchemy import Connection, Row

from fediverse import access, ids, letters, moderation, notifications
from fediverse.actors import closing, directory, people, relations
from fediverse.admin import reports
from fediverse.admin.accounts import AccountView, Staff, get_below
from fediverse.clock import Instant
from fediverse.db import insert
from fediverse.errors import Forbidden, Invalid
from fediverse.tables.moderation import account_warnings
from fediverse.urls import Urls

ACTIONS: Final = ("none", "disable", "sensitive", "silence", "suspend")
MAX_TEXT: Final = 5000


def suspend(tx: Connection, actor: Row[Any], person: Row[Any] | None, *, by: int | None, now: Instant) -> None:
    """The account is shut off and its posts are hidden; its person is signed out and kept out."""
    moderation.set_suspended(tx, actor.id, True, now=now, by=by)
    if person is not None:
        people.set_suspended(tx, person.id, True, now=now)
        access.end_all(tx, person.id, now=now)


def unsuspend(tx: Connection, actor: Row[Any], person: Row[Any] | None, *, by: int | None, now: Instant) -> None:
    """The account is open again, and its person may sign in."""
    moderation.set_suspended(tx, actor.id, False, now=now, by=by)
    if person is not None:
        people.set_suspended(tx, person.id, False, now=now)


def act(
    tx: Connection,
    actor_id: int,
    action: str,
    *,
    staff: Staff,
    text: str = "",
    report_id: int | None = None,
    tell: bool = True,
) -> None:
    """The action is taken and kept as a warning; its person is told with ``text``, and reports are settled by it.

    With a report that one is settled, and by more than a warning all others about the account, too. Raises Invalid
    for an unknown action, for one that does not fit the account, and for too long a text.
    """
    view = get_below(tx, actor_id, staff)
    if action not in ACTIONS:
        raise Invalid("The type is one of none, sensitive, disable, silence and suspend.")
    if action == "disable" and view.person is None:
        raise Invalid("Nobody signs in here as this account: it cannot be disabled.")
    if len(text) > MAX_TEXT:
        raise Invalid(f"The text is longer than {MAX_TEXT} characters. Shorten it.")
    report = reports.get(tx, report_id) if report_id is not None else None
    if report is not None and report.target_id != actor_id:
        raise Invalid("The report is about another account.")
    _apply(tx, view, action, staff=staff)
    warning_id = _warn(tx, view, action, text=text, report=report, staff=staff)
    if tell and view.person is not None:
        notifications.tell(tx, [actor_id], kind="moderation_warning", by_id=None, about_id=warning_id, now=staff.now)
        letters.warned(tx, view.person, view.actor.username, action=action, text=text)
    if report is not None:
        _settle(tx, report, all_of_them=action != "none", staff=staff)


def _apply(tx: Connection, view: AccountView, action: str, *, staff: Staff) -> None:
    actor_id, by, now = view.actor.id, staff.person_id, staff.now
    match action:
        case "suspend":
            suspend(tx, view.actor, view.person, by=by, now=now)
        case "silence":
            moderation.set_limited(tx, actor_id, True, by=by, now=now)
        case "sensitive":
            moderation.set_sensitized(tx, actor_id, True, by=by, now=now)
        case "disable":
            assert view.person is not None
            people.set_suspended(tx, view.person.id, True, now=now)
            _log(tx, "account.disable", view, staff)
        case _:
            _log(tx, "account.warn", view, staff)


def _warn(tx: Connection, view: AccountView, action: str, *, text: str, report: Row[Any] | None, staff: Staff) -> int:
    warning_id = ids.new_id()
    tx.execute(
        insert(tx, account_warnings).values(
            id=warning_id,
            target_id=view.actor.id,
            person_id=staff.person_id,
            report_id=report.id if report is not None else None,
            action=action,
            text=text,
            status_ids=list(report.status_ids) if report is not None else [],
            created_at=staff.now,
        )
    )
    return warning_id


def _settle(tx: Connection, report: Row[Any], *, all_of_them: bool, staff: Staff) -> None:
    reports.resolve(tx, report.id, staff=staff)
    if all_of_them:
        reports.resolve_about(tx, report.target_id, staff=staff)


def approve(tx: Connection, actor_id: int, *, staff: Staff) -> None:
    """Whoever asked for the account has it. Raises Forbidden when they do not wait for that."""
    view = _pending(tx, actor_id, staff)
    assert view.person is not None
    people.approve(tx, view.person.id, now=staff.now)
    letters.approved(tx, view.person.id)
    _log(tx, "account.approve", view, staff)


def reject(tx: Connection, actor_id: int, *, staff: Staff) -> None:
    """Whoever asked for the account does not get it; nothing of it is left. Raises Forbidden when they have it."""
    view = _pending(tx, actor_id, staff)
    assert view.person is not None
    letters.rejected(tx, view.person.email)
    people.delete_person(tx, view.person.id)
    relations.end_all(tx, actor_id)
    directory.forget_local(tx, actor_id)
    _log(tx, "account.reject", view, staff)


def _pending(tx: Connection, actor_id: int, staff: Staff) -> AccountView:
    view = get_below(tx, actor_id, staff)
    if view.person is None or view.person.approved_at is not None:
        raise Forbidden("This action is not allowed: the account does not wait for approval.")
    return view


def enable(tx: Connection, actor_id: int, *, staff: Staff) -> None:
    """The person may sign in again. Raises Forbidden for accounts of other servers."""
    view = get_below(tx, actor_id, staff)
    if view.person is None:
        raise Forbidden("This action is not allowed: nobody signs in here as this account.")
    people.set_suspended(tx, view.person.id, False, now=staff.now)
    _log(tx, "account.enable", view, staff)


def unsilence(tx: Connection, actor_id: int, *, staff: Staff) -> None:
    """The account's posts show in public again."""
    view = get_below(tx, actor_id, staff)
    moderation.set_limited(tx, view.actor.id, False, by=staff.person_id, now=staff.now)


def unsensitive(tx: Connection, actor_id: int, *, staff: Staff) -> None:
    """The account's posts are as sensitive as it says itself."""
    view = get_below(tx, actor_id, staff)
    moderation.set_sensitized(tx, view.actor.id, False, by=staff.person_id, now=staff.now)


def lift_suspension(tx: Connection, actor_id: int, *, staff: Staff) -> None:
    """The account is not suspended."""
    view = get_below(tx, actor_id, staff)
    unsuspend(tx, view.actor, view.person, by=staff.person_id, now=staff.now)


def delete(tx: Connection, actor_id: int, *, urls: Urls, staff: Staff) -> None:
    """Everything that the suspended account posted and was is gone for good; servers that know it are told.

    Raises Forbidden unless it is suspended: nobody loses everything by one slip.
    """
    view = get_below(tx, actor_id, staff)
    if view.actor.suspended_at is None:
        raise Forbidden("This action is not allowed: suspend the account first.")
    if view.actor.host:
        directory.mark_gone(tx, view.actor.id, staff.now)
    else:
        closing.close(tx, urls, view.actor, now=staff.now)
        if view.person is not None and not people.actors_of(tx, view.person.id):
            people.delete_person(tx, view.person.id)
    _log(tx, "account.delete", view, staff)


def _log(tx: Connection, action: str, view: AccountView, staff: Staff) -> None:
    target = f"{view.actor.username}@{view.actor.host}".rstrip("@")
    moderation.audit(tx, staff.person_id, action=action, target=target, now=staff.now)
