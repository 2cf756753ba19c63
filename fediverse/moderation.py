"""What this instance refuses: whole servers blocked or limited, accounts suspended; and the log of who did what."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any, Literal

from sqlalchemy import ColumnElement, Connection, Row, and_, bindparam, case, delete, func, or_, select, update

from fediverse import events, ids
from fediverse.clock import Instant
from fediverse.db import insert
from fediverse.drafts import Visibility
from fediverse.tables.actors import actors, people
from fediverse.tables.instance import audit_log, host_blocks
from fediverse.tables.statuses import statuses
from fediverse.text import fold_host
from fediverse.visibility import has_media, to_somebody_else

Severity = Literal["block", "limit", "none"]


def _with_parents(host: str) -> list[str]:
    """The host and the domains above it: a block of example.com is meant for a.example.com:8443 too."""
    name = host.rsplit(":", 1)[0] if not host.endswith("]") and host.count(":") == 1 else host
    labels = name.split(".")
    names = [".".join(labels[i:]) for i in range(len(labels))]
    return [host, *names] if host != name else names


_SEVERITIES = select(host_blocks.c.severity).where(host_blocks.c.host.in_(bindparam("names", expanding=True)))


def host_severity(tx: Connection, host: str) -> Severity | None:
    """How the host, or a domain above it, is treated; None when nothing is held against it."""
    if not host:
        return None
    found = set(tx.scalars(_SEVERITIES, {"names": _with_parents(host)}))
    if "block" in found:
        return "block"
    return "limit" if "limit" in found else None


_REJECTING = select(host_blocks.c.host).where(
    or_(host_blocks.c.severity == "block", host_blocks.c.reject_media),
    host_blocks.c.host.in_(bindparam("names", expanding=True)),
)


def rejects_media(tx: Connection, host: str) -> bool:
    """Whether no pictures, videos and sounds of the host are shown, by its own block or by one above it."""
    return bool(host) and tx.execute(_REJECTING, {"names": _with_parents(host)}).first() is not None


_BLOCKED_AMONG = select(host_blocks.c.host).where(
    host_blocks.c.severity == "block", host_blocks.c.host.in_(bindparam("names", expanding=True))
)


def blocked_among(tx: Connection, hosts: Iterable[str]) -> frozenset[str]:
    """Those of the hosts that are blocked, by themselves or with a domain above them; one query for all."""
    parents = {host: _with_parents(host) for host in hosts if host}
    if not parents:
        return frozenset()
    names = {name for above in parents.values() for name in above}
    found = set(tx.scalars(_BLOCKED_AMONG, {"names": list(names)}))
    return frozenset(host for host, above in parents.items() if not found.isdisjoint(above)) if found else frozenset()


def list_hosts(tx: Connection) -> Sequence[Row[Any]]:
    """All host blocks, by name."""
    return tx.execute(select(host_blocks).order_by(host_blocks.c.host)).all()


def block_host(
    tx: Connection,
    /,
    host: str,
    *,
    severity: Severity,
    comment: str = "",
    now: Instant,
    by: int | None = None,
    **more: Any,
) -> str:
    """The host and its subdomains are refused (``block``), kept out of public view (``limit``) or neither (``none``).

    What is stored of a blocked host is hidden, not deleted, so that lifting the block brings it back; but pictures of
    a host whose media are rejected (``reject_media``) are forgotten where they would still show. ``more``: further
    columns. Returns the host as it was folded. Raises BadRequest when it is not a host name.
    """
    folded = fold_host(host)
    values = {"severity": severity, "reject_media": severity == "block", "comment": comment, **more}
    tx.execute(
        insert(tx, host_blocks)
        .values(id=ids.new_id(), host=folded, created_at=now, **values)
        .on_conflict_do_update(index_elements=["host"], set_=values)
    )
    _apply(tx, folded, now=now)
    if values["reject_media"] and severity != "block":
        _forget_media(tx, folded)
    audit(tx, by, action=f"host.{severity}", target=folded, detail=comment, now=now)
    return folded


def unblock_host(tx: Connection, host: str, *, now: Instant, by: int | None = None) -> bool:
    """Nothing is held against the host any more; False when nothing was."""
    folded = fold_host(host)
    removed = tx.execute(delete(host_blocks).where(host_blocks.c.host == folded)).rowcount > 0
    if removed:
        _apply(tx, folded, now=now)
        audit(tx, by, action="host.unblock", target=folded, now=now)
    return removed


def rejects_reports(tx: Connection, host: str) -> bool:
    """Whether reports of the host, or of a domain above it, count for nothing."""
    found = select(host_blocks.c.host).where(host_blocks.c.host.in_(_with_parents(host)), host_blocks.c.reject_reports)
    return bool(host) and tx.scalar(found.limit(1)) is not None


def _forget_media(tx: Connection, host: str) -> None:
    theirs = statuses.c.author_id.in_(select(actors.c.id).where(under(host)))
    tx.execute(
        update(statuses).where(theirs, has_media(statuses)).values(attachments=[], version=statuses.c.version + 1)
    )
    tx.execute(
        update(actors)
        .where(under(host), or_(actors.c.avatar.is_not(None), actors.c.header.is_not(None)))
        .values(avatar=None, header=None, version=actors.c.version + 1)
    )


def under(host: str) -> ColumnElement[bool]:
    """Whether an actor is of the host or one of its subdomains, on whatever port."""
    name = func.lower(actors.c.host)
    return or_(
        name == host,
        name.like(f"{_escape(host)}:%", escape="\\"),
        name.like(f"%.{_escape(host)}", escape="\\"),
        name.like(f"%.{_escape(host)}:%", escape="\\"),
    )


def standing_of(tx: Connection, host: str, *, now: Instant) -> dict[str, Instant | None]:
    """The columns of a new actor from ``host`` that say how it is treated."""
    severity = host_severity(tx, host)
    return {
        "suspended_at": now if severity == "block" else None,
        "limited_at": now if severity == "limit" else None,
    }


def _apply(tx: Connection, host: str, *, now: Instant) -> None:
    """Brings the stored actors of a host and its subdomains to what now holds for each of their hosts."""
    for found in tx.scalars(select(actors.c.host).where(under(host)).distinct()).all():
        standing = standing_of(tx, found, now=now)
        # What holds for an account by itself goes on, whatever becomes of its host.
        suspended = case((actors.c.suspended_alone, actors.c.suspended_at), else_=standing["suspended_at"])
        limited = case((actors.c.limited_alone, actors.c.limited_at), else_=standing["limited_at"])
        tx.execute(
            update(actors)
            .where(actors.c.host == found)
            .values(suspended_at=suspended, limited_at=limited, version=actors.c.version + 1)
        )
        _relist(tx, actors.c.host == found)


def _relist(tx: Connection, author: ColumnElement[bool]) -> None:
    """The posts of these authors show in public timelines again, or no longer, as their standing says."""
    allowed = select(actors.c.id).where(
        actors.c.id == statuses.c.author_id, actors.c.limited_at.is_(None), actors.c.suspended_at.is_(None)
    )
    listable = and_(
        statuses.c.visibility == Visibility.PUBLIC,
        statuses.c.boost_of_id.is_(None),
        statuses.c.deleted_at.is_(None),
        ~to_somebody_else(statuses),
        allowed.exists(),
    )
    # By a subquery: a large server has more actors than a statement takes parameters.
    theirs = statuses.c.author_id.in_(select(actors.c.id).where(author))
    tx.execute(update(statuses).where(theirs, statuses.c.listed != listable).values(listed=listable))


def set_suspended(tx: Connection, actor_id: int, suspended: bool, *, now: Instant, by: int | None = None) -> None:
    """The account is shut off, or open again unless its host is blocked. Its posts are hidden meanwhile."""
    standing = None if suspended else _standing(tx, actor_id, now=now)["suspended_at"]
    values = {"suspended_alone": suspended, "suspended_at": now if suspended else standing}
    action = "account.suspend" if suspended else "account.unsuspend"
    if _judge(tx, actor_id, values, action=action, by=by, now=now):
        _relist(tx, actors.c.id == actor_id)
        events.after_commit(tx, events.AccessChanged(actor_id=actor_id))


def set_limited(tx: Connection, actor_id: int, limited: bool, *, now: Instant, by: int | None = None) -> None:
    """The account's posts are kept out of public view, or no longer unless its host is limited."""
    standing = None if limited else _standing(tx, actor_id, now=now)["limited_at"]
    values = {"limited_alone": limited, "limited_at": now if limited else standing}
    if _judge(tx, actor_id, values, action="account.limit" if limited else "account.unlimit", by=by, now=now):
        _relist(tx, actors.c.id == actor_id)


def set_sensitized(tx: Connection, actor_id: int, sensitized: bool, *, now: Instant, by: int | None = None) -> None:
    """All the account's posts are shown as sensitive, or as it marks them itself."""
    action = "account.sensitize" if sensitized else "account.unsensitize"
    _judge(tx, actor_id, {"sensitized_at": now if sensitized else None}, action=action, by=by, now=now)


def _standing(tx: Connection, actor_id: int, *, now: Instant) -> dict[str, Instant | None]:
    return standing_of(tx, tx.scalar(select(actors.c.host).where(actors.c.id == actor_id)) or "", now=now)


def _judge(tx: Connection, actor_id: int, values: dict[str, Any], *, action: str, by: int | None, now: Instant) -> bool:
    """The columns are written, and who did that; False without such an account."""
    row = tx.execute(
        update(actors)
        .where(actors.c.id == actor_id)
        .values(**values, version=actors.c.version + 1)
        .returning(actors.c.username, actors.c.host)
    ).first()
    if row is not None:
        audit(tx, by, action=action, target=f"{row.username}@{row.host}".rstrip("@"), now=now)
    return row is not None


def audit(tx: Connection, person_id: int | None, *, action: str, target: str, detail: str = "", now: Instant) -> None:
    """The log says who did what to whom; no person means the command line."""
    tx.execute(
        audit_log.insert().values(
            id=ids.new_id(), person_id=person_id, action=action, target=target, detail=detail, created_at=now
        )
    )


def audited(tx: Connection, *, limit: int) -> Sequence[Row[Any]]:
    """The latest entries of the log, with ``email`` of who did it as far as that is known."""
    return tx.execute(
        select(audit_log, people.c.email)
        .outerjoin(people, people.c.id == audit_log.c.person_id)
        .order_by(audit_log.c.id.desc())
        .limit(limit)
    ).all()


def _escape(name: str) -> str:
    return name.replace("\\", "\\\\").replace("%", "\\%").replace("_", "\\_")
