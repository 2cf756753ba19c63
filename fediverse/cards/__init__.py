"""Cards: what the pages that posts link to say of themselves. Owner of the table ``cards``.

A page is fetched once for all posts that link to it first, some seconds late and not by all servers at the same
moment; what could not be had is left alone for longer and longer.
"""

from __future__ import annotations

import random
from collections.abc import Mapping
from typing import Any, Final

from sqlalchemy import BigInteger, Connection, Row, bindparam, select, update

from fediverse import ids, jobs
from fediverse.cards.links import first_link
from fediverse.cards.pages import CardDraft
from fediverse.clock import DAY, HOUR, SECOND, Instant
from fediverse.db import Prepared, id_list, insert
from fediverse.drafts import Visibility
from fediverse.remote import RemoteError, target
from fediverse.tables.cards import cards
from fediverse.tables.statuses import statuses
from fediverse.urls import Urls

FETCH: Final = "cards.fetch"

LASTS: Final[Instant] = 14 * DAY
"""How long a card is shown before a new post with its link has it fetched again."""

_FIRST_WAIT: Final = HOUR
# (least, most) seconds until a page is fetched: soon for who waits for it here, later for what the whole network sees.
_DELAY_HERE: Final = (1, 4)
_DELAY_ELSEWHERE: Final = (5, 60)
_TOLD: Final = 1000
_MOST: Final = 2000  # characters of an address, which is ASCII

_BY_URL = select(cards).where(cards.c.url == bindparam("url"))
_BY_ID = select(cards).where(cards.c.id == bindparam("id", type_=BigInteger))
_BY_IDS = Prepared(lambda sql: select(cards).where(sql.within(cards.c.id, "ids"), cards.c.fetched_at.is_not(None)))


def card_of(tx: Connection, urls: Urls, status: Mapping[str, Any], *, now: Instant) -> int | None:
    """The id of the card of a status with these columns, which is fetched unless it is there; None for no card.

    Cards are for what everybody may see, without pictures, poll or quote. Links to this instance have none.
    """
    if status["visibility"] > Visibility.UNLISTED or status["attachments"] or status["poll"] is not None:
        return None
    if status.get("quote_uri") is not None:  # the post that it links to is shown itself
        return None
    named = {address for mention in status["mentions"] for address in (mention["uri"], mention["url"])}
    link = first_link(status["content"], passed_over=named)
    url = _address(link) if link is not None and not urls.is_local(link) else None
    if url is None:
        return None
    row = tx.execute(_BY_URL, {"url": url}).first()
    if row is None:
        tx.execute(insert(tx, cards).values(id=ids.new_id(), url=url).on_conflict_do_nothing())
        row = tx.execute(_BY_URL, {"url": url}).one()
    if _is_stale(row, now):
        least, most = _DELAY_HERE if status["local"] else _DELAY_ELSEWHERE
        delay = random.randrange(least * SECOND, most * SECOND)  # noqa: S311 jitter, not a secret
        jobs.enqueue(tx, FETCH, {"id": row.id}, unique_key=str(row.id), due_at=now + delay)
    return int(row.id)


def by_id(tx: Connection, card_id: int) -> Row[Any] | None:
    """The card, whether there is something to show or not."""
    return tx.execute(_BY_ID, {"id": card_id}).first()


def by_ids(tx: Connection, card_ids: set[int]) -> dict[int, Row[Any]]:
    """Those of the cards that were fetched, also those that show nothing, by id."""
    return {row.id: row for row in tx.execute(_BY_IDS(tx), {"ids": id_list(tx, card_ids)})}


def by_link(tx: Connection, link: str) -> Row[Any] | None:
    """The card that shows for a link, or that leads there."""
    url = _address(link)
    if url is None:
        return None
    shown = select(cards).where(cards.c.kind != "")
    return (
        tx.execute(shown.where(cards.c.url == url)).first()
        or tx.execute(shown.where(cards.c.link == url).order_by(cards.c.id).limit(1)).first()
    )


def is_due(row: Row[Any], now: Instant) -> bool:
    """Whether the page is to be fetched: another worker may have done so meanwhile."""
    return _is_stale(row, now)


def settle(tx: Connection, card_id: int, draft: CardDraft | None, *, now: Instant) -> None:
    """The card shows what its page says; without a draft nothing, or what it said before, for longer each time.

    The latest thousand of its posts show it at once; older ones when they change for another reason.
    """
    row = tx.execute(_BY_ID, {"id": card_id}).first()
    if row is None:
        return
    if draft is None:
        values: dict[str, Any] = {"failures": row.failures + 1}
    else:
        shown = {name: getattr(draft, name) for name in CardDraft.__dataclass_fields__ if name != "oembed"}
        link = _address(draft.link) or row.url
        values = {**shown, "link": link, "failures": 0}
    changed = any(getattr(row, name) != value for name, value in values.items() if name != "failures")
    tx.execute(
        update(cards)
        .where(cards.c.id == card_id)
        .values(**values, fetched_at=now, version=cards.c.version + (1 if changed else 0))
    )
    if changed:
        posts = statuses.alias("posts")  # a name of its own, else the subquery would be correlated with the update
        latest = select(posts.c.id).where(posts.c.card_id == card_id).order_by(posts.c.id.desc()).limit(_TOLD)
        tx.execute(update(statuses).where(statuses.c.id.in_(latest)).values(version=statuses.c.version + 1))


def _address(link: str) -> str | None:
    """The form in which addresses are compared; None for what is none, or is too long for an index."""
    try:
        url = target(link).url
    except RemoteError:
        return None
    return url if len(url) <= _MOST else None


def _is_stale(row: Row[Any], now: Instant) -> bool:
    if row.fetched_at is None:
        return True
    wait = min(_FIRST_WAIT << min(row.failures - 1, 16), LASTS) if row.failures else LASTS
    return bool(row.fetched_at < now - wait)
