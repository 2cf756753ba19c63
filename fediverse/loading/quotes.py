"""What posts quote stands beside them, as far as the viewer may see it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from sqlalchemy import BigInteger, Connection, bindparam, literal_column, or_, select, union_all

from fediverse import clock
from fediverse.db import Prepared, id_list
from fediverse.drafts import QuotePolicy, Visibility
from fediverse.entities import StatusView
from fediverse.loading import rows as loaded
from fediverse.loading.marks import marks_of, view_of
from fediverse.tables.actors import blocks, follows, mutes
from fediverse.tables.statuses import statuses as posts
from fediverse.visibility import visible_where

_me = bindparam("me", type_=BigInteger)
_SEEN = Prepared(lambda sql: select(posts.c.id).where(sql.within(posts.c.id, "ids"), visible_where(_me)))
_SEEN_BY_ANYBODY = Prepared(lambda sql: select(posts.c.id).where(sql.within(posts.c.id, "ids"), visible_where(None)))
# Why the viewer is shown nothing of some authors in quotes.
_HIDDEN = Prepared(
    lambda sql: union_all(
        select(mutes.c.target_id, literal_column("'muted_account'")).where(
            mutes.c.actor_id == _me,
            sql.within(mutes.c.target_id, "ids"),
            or_(mutes.c.expires_at.is_(None), mutes.c.expires_at > bindparam("now", type_=BigInteger)),
        ),
        select(blocks.c.target_id, literal_column("'blocked_account'")).where(
            blocks.c.actor_id == _me, sql.within(blocks.c.target_id, "ids")
        ),
    )
)
_FOLLOWS = Prepared(
    lambda sql: union_all(
        select(literal_column("'followers'"), follows.c.followee_id).where(
            follows.c.follower_id == _me, follows.c.accepted, sql.within(follows.c.followee_id, "ids")
        ),
        select(literal_column("'following'"), follows.c.follower_id).where(
            follows.c.followee_id == _me, follows.c.accepted, sql.within(follows.c.follower_id, "ids")
        ),
    )
)


def add_quotes(tx: Connection, views: Sequence[StatusView], viewer_id: int | None) -> list[StatusView]:
    """What the statuses quote stands beside them, as far as the viewer may see it: few queries, where one quotes."""
    quoting = [view for view in views if view.status.quote_of_id is not None and view.status.quote_state == "accepted"]
    if not quoting:
        return []
    wanted = id_list(tx, {view.status.quote_of_id for view in quoting})
    who = {"me": viewer_id, "ids": wanted}
    seen = set(tx.scalars((_SEEN_BY_ANYBODY if viewer_id is None else _SEEN)(tx), who))
    rows = loaded.by_id(tx, {view.status.quote_of_id for view in quoting})
    authors = loaded.accounts(tx, {row.author_id for row in rows})
    hidden: dict[int, str] = {}
    if viewer_id is not None:
        hidden = dict(tx.execute(_HIDDEN(tx), {**who, "ids": id_list(tx, authors), "now": clock.now()}).all())
    marks = marks_of(tx, rows, viewer_id)
    quoted = {row.id: view_of(row, authors, marks) for row in rows if row.id in seen}
    existing = {row.id for row in rows}
    for view in quoting:
        quoted_id = view.status.quote_of_id
        if quoted_id not in existing:
            view.quote_hidden = "deleted"
        elif quoted_id not in quoted:
            view.quote_hidden = "unauthorized"
        elif reason := hidden.get(quoted[quoted_id].author.id):
            view.quote_hidden = reason
        else:
            view.quote = quoted[quoted_id]
            view.quote.is_quoted = True
    return list(quoted.values())


def add_standings(tx: Connection, views: Sequence[StatusView], viewer_id: int | None) -> None:
    """Statuses know whether the viewer may quote them: one query, where a policy asks who follows whom."""
    if viewer_id is None:
        return
    named = {
        view.author.id
        for view in views
        if view.status.quote_policy is not None
        and view.author.id != viewer_id
        and not _RELATIONS.isdisjoint(_groups(view.status.quote_policy))
    }
    follows_of: dict[str, set[int]] = {"followers": set(), "following": set()}
    if named:
        for group, other in tx.execute(_FOLLOWS(tx), {"me": viewer_id, "ids": id_list(tx, named)}):
            follows_of[group].add(other)
    for view in views:
        if view.status.quote_policy is not None or view.status.author_id == viewer_id:
            view.may_quote = _may_quote(view, viewer_id, follows_of)


_RELATIONS = frozenset({"followers", "following"})


def _groups(policy: QuotePolicy | None) -> list[str]:
    return [*policy["automatic"], *policy["manual"]] if policy is not None else []


def _may_quote(view: StatusView, viewer_id: int, follows_of: Mapping[str, set[int]]) -> str:
    row = view.status
    if row.author_id == viewer_id:
        return "denied" if row.visibility == Visibility.DIRECT else "automatic"
    policy: QuotePolicy | None = row.quote_policy
    if policy is None or row.visibility > Visibility.UNLISTED:
        return "denied"
    groups = {"public", *(group for group, authors in follows_of.items() if row.author_id in authors)}
    if not groups.isdisjoint(policy["automatic"]):
        return "automatic"
    if not groups.isdisjoint(policy["manual"]):
        return "manual"
    return "unknown" if "unsupported_policy" in _groups(policy) else "denied"
