"""Hashtags that actors here follow or show on their profiles, and how much hashtags are used.

Owner of the tables tag_follows and featured_tags. What is under a followed hashtag comes into the home timeline when it
is posted or arrives: ``timelines.tagged``.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any, Final

from sqlalchemy import BigInteger, Connection, Row, bindparam, delete, func, literal_column, select, union_all

from fediverse import ids, statuses, text, timelines
from fediverse.clock import DAY, MINUTE, Instant
from fediverse.db import Dialect, Prepared, id_list, insert, is_writing
from fediverse.drafts import Visibility
from fediverse.entities.hashtags import HISTORY_DAYS, FeaturedTagView, TagView
from fediverse.errors import Invalid, NotFound
from fediverse.paging import Page
from fediverse.site import Recent
from fediverse.tables.hashtags import featured_tags, tag_follows
from fediverse.tables.statuses import status_tags, tags
from fediverse.tables.statuses import statuses as posts

MOST_FEATURED: Final = 10
_MOST_FOLLOWED: Final = 1000
_SUGGESTED: Final = 10
_OWN_POSTS: Final = 1000  # of which suggestions are made

# Histories of popular hashtags by (tag id, minute): counting their uses is dear, and a minute old they are as good.
_known_histories = Recent(1024)
_POPULAR: Final = 1000


def read_name(name: str) -> str | None:
    """The hashtag that a text names, with its sign or without, as it is written; None when it can be none."""
    name = name.strip().removeprefix("#")
    found = text.entities(f"#{name}") if name and len(name) <= _LONGEST else []
    return name if len(found) == 1 and isinstance(found[0], text.Hashtag) and found[0].name == name else None


_LONGEST: Final = 140


def view(tx: Connection, name: str, viewer_id: int | None, *, now: Instant) -> TagView:
    """The hashtag, whether anybody ever used it or not. Raises NotFound for what can be none."""
    named = _checked(name)
    row = statuses.find_tag(tx, named)
    if row is not None:
        return views(tx, [row], viewer_id, now=now)[0]
    # One that is used by few for few looks just like one that is not used at all.
    hidden = statuses.find_tag(tx, named, hidden=True)
    marks = _marks(tx, [hidden.id], viewer_id) if hidden is not None else {}
    mine = marks.get(hidden.id, set()) if hidden is not None else set()
    return TagView(named, {}, "following" in mine, "featuring" in mine)


def views(tx: Connection, rows: Sequence[Row[Any]], viewer_id: int | None, *, now: Instant) -> list[TagView]:
    """The hashtags (rows of ``tags``) with their histories and the viewer's marks, in the same order."""
    if not rows:
        return []
    tag_ids = [row.id for row in rows]
    histories, marks = history(tx, tag_ids, now=now), _marks(tx, tag_ids, viewer_id)
    return [
        TagView(
            row.display,
            histories.get(row.id, {}),
            "following" in marks.get(row.id, ()),
            "featuring" in marks.get(row.id, ()),
        )
        for row in rows
    ]


def history(tx: Connection, tag_ids: Sequence[int], *, now: Instant) -> dict[int, dict[Instant, tuple[int, int]]]:
    """How many public posts by how many accounts there were under each hashtag, by day, these seven days."""
    minute = now // MINUTE
    found = {tag_id: known for tag_id in tag_ids if (known := _known_histories.get((tag_id, minute))) is not None}
    missing = [tag_id for tag_id in tag_ids if tag_id not in found]
    if not missing:
        return found
    found |= {tag_id: {} for tag_id in missing}
    since = ids.floor_id(now // DAY * DAY - (HISTORY_DAYS - 1) * DAY)
    for row in tx.execute(_HISTORY(tx), {"ids": id_list(tx, missing), "since": since}):
        found[row.tag_id][row.day * DAY] = (row.uses, row.accounts)
    if not is_writing(tx):
        for tag_id in missing:
            if sum(uses for uses, _ in found[tag_id].values()) >= _POPULAR:
                _known_histories.put((tag_id, minute), found[tag_id])
    return found


def _history(sql: Dialect) -> Any:
    instant = posts.c.id // (1 << ids.LOW_BITS) + ids.EPOCH
    return (
        select(
            status_tags.c.tag_id,
            (instant // DAY).label("day"),
            func.count().label("uses"),
            func.count(posts.c.author_id.distinct()).label("accounts"),
        )
        .join(posts, posts.c.id == status_tags.c.status_id)
        .where(
            sql.within(status_tags.c.tag_id, "ids"),
            status_tags.c.status_id >= bindparam("since", type_=BigInteger),
            posts.c.visibility == Visibility.PUBLIC,
            posts.c.deleted_at.is_(None),
        )
        .group_by(status_tags.c.tag_id, literal_column("day"))
    )


_HISTORY: Final = Prepared(_history)
_MARKS: Final = Prepared(
    lambda sql: union_all(
        *(
            select(literal_column(f"'{mark}'").label("mark"), table.c.tag_id).where(
                table.c.actor_id == bindparam("me", type_=BigInteger), sql.within(table.c.tag_id, "ids")
            )
            for mark, table in (("following", tag_follows), ("featuring", featured_tags))
        )
    )
)


def _marks(tx: Connection, tag_ids: Iterable[int], viewer_id: int | None) -> dict[int, set[str]]:
    marks: dict[int, set[str]] = {}
    if viewer_id is not None:
        for row in tx.execute(_MARKS(tx), {"me": viewer_id, "ids": id_list(tx, tag_ids)}):
            marks.setdefault(row.tag_id, set()).add(row.mark)
    return marks


def follow(tx: Connection, actor_id: int, name: str, *, now: Instant) -> None:
    """What is posted under the hashtag comes into the actor's home timeline. Raises NotFound, Invalid."""
    tag_id = statuses.known_tag(tx, _checked(name), now=now)
    mine = select(func.count()).select_from(tag_follows).where(tag_follows.c.actor_id == actor_id)
    if (tx.scalar(mine) or 0) >= _MOST_FOLLOWED:
        raise Invalid(f"You follow {_MOST_FOLLOWED} hashtags already: unfollow one first.")
    tx.execute(
        insert(tx, tag_follows)
        .values(id=ids.new_id(), actor_id=actor_id, tag_id=tag_id, created_at=now)
        .on_conflict_do_nothing()
    )


def unfollow(tx: Connection, actor_id: int, name: str) -> None:
    """The hashtag brings nothing into the home timeline; what it brought is gone from there. Raises NotFound."""
    row = statuses.find_tag(tx, _checked(name), hidden=True)
    if row is None:
        return
    own = (tag_follows.c.actor_id == actor_id, tag_follows.c.tag_id == row.id)
    if tx.execute(delete(tag_follows).where(*own)).rowcount:
        timelines.withdraw_tagged(tx, actor_id, row.id)


def followed_page(tx: Connection, actor_id: int, page: Page) -> list[tuple[int, Row[Any]]]:
    """(paging id, row of ``tags``) of the hashtags that the actor follows, the latest first."""
    statement = (
        select(tag_follows.c.id.label("follow_id"), *tags.c)
        .join(tags, tags.c.id == tag_follows.c.tag_id)
        .where(tag_follows.c.actor_id == actor_id)
    )
    rows = tx.execute(page.select(statement, tag_follows.c.id)).all()
    return page.newest_first([(row.follow_id, row) for row in rows])


def feature(tx: Connection, actor_id: int, name: str, *, now: Instant) -> FeaturedTagView:
    """The hashtag stands on the actor's profile. Raises NotFound for what can be none, Invalid for one too many."""
    named = _checked(name)
    tag_id = statuses.known_tag(tx, named, now=now)
    tx.execute(
        insert(tx, featured_tags)
        .values(id=ids.new_id(), actor_id=actor_id, tag_id=tag_id, name=named, created_at=now)
        .on_conflict_do_nothing()
    )
    mine = featured(tx, actor_id)
    if len(mine) > MOST_FEATURED:
        raise Invalid(f"You feature {MOST_FEATURED} hashtags already: remove one first.")
    return next(one for one in mine if one.featured.tag_id == tag_id)


def unfeature(tx: Connection, actor_id: int, *, name: str | None = None, featured_id: int | None = None) -> None:
    """The hashtag, by name or by the id of the entry, does not stand on the actor's profile.

    Raises NotFound for a name that can be none, and for an id that is none of the actor's.
    """
    own = featured_tags.c.actor_id == actor_id
    if name is not None:
        row = statuses.find_tag(tx, _checked(name), hidden=True)
        if row is not None:
            tx.execute(delete(featured_tags).where(own, featured_tags.c.tag_id == row.id))
    elif not tx.execute(delete(featured_tags).where(own, featured_tags.c.id == featured_id)).rowcount:
        raise NotFound("Record not found")


def featured(tx: Connection, actor_id: int) -> list[FeaturedTagView]:
    """The hashtags on the actor's profile with what it posted under them for all to see, the most used first."""
    rows = tx.execute(select(featured_tags).where(featured_tags.c.actor_id == actor_id)).all()
    if not rows:
        return []
    counts = {
        row.tag_id: row
        for row in tx.execute(
            select(status_tags.c.tag_id, func.count().label("uses"), func.max(posts.c.created_at).label("last_at"))
            .join(posts, posts.c.id == status_tags.c.status_id)
            .where(
                status_tags.c.tag_id.in_([row.tag_id for row in rows]),
                posts.c.author_id == actor_id,
                posts.c.visibility <= Visibility.UNLISTED,
                posts.c.deleted_at.is_(None),
            )
            .group_by(status_tags.c.tag_id)
        )
    }
    found = [
        FeaturedTagView(row, counts[row.tag_id].uses, counts[row.tag_id].last_at)
        if row.tag_id in counts
        else FeaturedTagView(row, 0, None)
        for row in rows
    ]
    return sorted(found, key=lambda one: (-one.count, one.featured.id))


def suggestions(tx: Connection, actor_id: int) -> Sequence[Row[Any]]:
    """Hashtags (rows of ``tags``) that the actor used most of late and does not feature yet."""
    lately = (
        select(posts.c.id)
        .where(posts.c.author_id == actor_id, posts.c.visibility <= Visibility.UNLISTED, posts.c.deleted_at.is_(None))
        .order_by(posts.c.id.desc())
        .limit(_OWN_POSTS)
        .subquery()
    )
    shown = select(featured_tags.c.tag_id).where(featured_tags.c.actor_id == actor_id)
    return tx.execute(
        select(*tags.c)
        .join(status_tags, status_tags.c.tag_id == tags.c.id)
        .where(status_tags.c.status_id.in_(select(lately.c.id)), tags.c.id.not_in(shown))
        .group_by(*tags.c)
        .order_by(func.count().desc(), tags.c.id)
        .limit(_SUGGESTED)
    ).all()


def end_all(tx: Connection, actor_id: int) -> None:
    """The actor follows and features no hashtag, as when it is deleted."""
    for table in (tag_follows, featured_tags):
        tx.execute(delete(table).where(table.c.actor_id == actor_id))


def _checked(name: str) -> str:
    named = read_name(name)
    if named is None:
        raise NotFound("There is no such hashtag: its name has letters, digits and underscores, not digits alone.")
    return named
