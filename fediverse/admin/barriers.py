"""Who cannot sign up, or come in at all: by network address, by the domain of the mailbox, by the mailbox.

Owner of the tables ``ip_blocks``, ``email_domain_blocks``, ``refused_sign_ups`` and ``canonical_email_blocks``.
"""

from __future__ import annotations

import hashlib
import ipaddress
import re
from collections.abc import Iterable, Sequence
from typing import Any, Final, Literal

from sqlalchemy import Connection, Row, Table, delete, func, or_, select, update

from fediverse import ids, moderation
from fediverse.actors import people
from fediverse.actors.signing_up import Refused
from fediverse.admin.accounts import Staff
from fediverse.clock import DAY, Instant
from fediverse.db import insert
from fediverse.errors import BadRequest, Forbidden, Invalid, NotFound
from fediverse.paging import Page
from fediverse.tables.moderation import canonical_email_blocks, email_domain_blocks, ip_blocks, refused_sign_ups
from fediverse.text import fold_host

Network = ipaddress.IPv4Network | ipaddress.IPv6Network
Verdict = Literal["welcome", "approval", "address", "email"]

IP_SEVERITIES: Final = ("sign_up_requires_approval", "sign_up_block", "no_access")
HISTORY: Final = 7 * DAY
_HASH: Final = re.compile(r"[0-9a-f]{64}")


def sign_up(tx: Connection, *, email: str, address: str, now: Instant) -> Verdict:
    """Whether somebody from that address may sign up with that mailbox, perhaps not without ``approval``.

    ``address`` and ``email`` say what is held against them. What a block of a domain kept out is counted.
    """
    severities = {row.severity for row in _covering(tx, address, now=now)}
    if severities & {"sign_up_block", "no_access"}:
        return "address"
    domain = people.fold_email(email).rpartition("@")[2]
    blocked = tx.execute(
        select(email_domain_blocks).where(email_domain_blocks.c.domain.in_(_with_parents(domain)))
    ).first()
    if blocked is not None:
        tx.execute(
            insert(tx, refused_sign_ups).values(id=ids.new_id(), block_id=blocked.id, address=address, created_at=now)
        )
        tx.execute(delete(refused_sign_ups).where(refused_sign_ups.c.created_at < now - HISTORY - DAY))
        return "email"
    if matching(tx, email):
        return "email"
    return "approval" if severities else "welcome"


def must_wait(verdict: Verdict) -> bool:
    """Whether who was judged like that has to be approved. Raises Forbidden or Refused for whom is kept out."""
    if verdict == "address":
        raise Forbidden("This action is not allowed: nobody can sign up from your network.")
    if verdict == "email":
        raise Refused({"email": [("ERR_BLOCKED", "This e-mail address cannot be used here. Use another one.")]})
    return verdict == "approval"


def _with_parents(domain: str) -> list[str]:
    labels = domain.split(".")
    return [".".join(labels[i:]) for i in range(len(labels))]


def _covering(tx: Connection, address: str, *, now: Instant) -> list[Row[Any]]:
    try:
        asked = ipaddress.ip_network(address)
    except ValueError:
        return []
    found = tx.execute(select(ip_blocks).where(_in_force(now))).all()
    return [row for row in found if covers(ipaddress.ip_network(row.network), asked)]


def covers(network: Network, asked: Network) -> bool:
    """Whether the one lies within the other."""
    if isinstance(network, ipaddress.IPv4Network):
        return isinstance(asked, ipaddress.IPv4Network) and asked.subnet_of(network)
    return isinstance(asked, ipaddress.IPv6Network) and asked.subnet_of(network)


def shut_out(tx: Connection, *, now: Instant) -> list[Network]:
    """The networks from which nothing is answered."""
    found = tx.scalars(select(ip_blocks.c.network).where(ip_blocks.c.severity == "no_access", _in_force(now)))
    return [ipaddress.ip_network(network) for network in found]


def _in_force(now: Instant) -> Any:
    return or_(ip_blocks.c.expires_at.is_(None), ip_blocks.c.expires_at > now)


def read_network(text: str, *, mine: str) -> str:
    """The network in its usual spelling. Raises Invalid for what is none, and for one that holds the caller itself."""
    try:
        network = ipaddress.ip_network(text.strip(), strict=False)
    except ValueError:
        raise Invalid("“ip” is an address, or a network such as 192.0.2.0/24 or 2001:db8::/32.") from None
    if mine and covers(network, ipaddress.ip_network(mine)):
        raise Invalid("You would shut yourself out: your own address is in that network.")
    return str(network)


def put_ip(
    tx: Connection,
    network: str,
    severity: str,
    *,
    comment: str,
    expires_at: Instant | None,
    staff: Staff,
    block_id: int | None = None,
) -> Row[Any]:
    """The network is blocked like that; with ``block_id`` that block is changed. Raises Invalid, NotFound."""
    if severity not in IP_SEVERITIES:
        raise Invalid(f"The severity is one of {', '.join(IP_SEVERITIES)}.")
    tx.execute(delete(ip_blocks).where(ip_blocks.c.expires_at <= staff.now))
    taken = ip_blocks.c.network == network
    if tx.scalar(select(ip_blocks.c.id).where(taken, ip_blocks.c.id != (block_id or 0))) is not None:
        raise Invalid("This network is blocked already: change that block.")
    values = {"network": network, "severity": severity, "comment": comment, "expires_at": expires_at}
    if block_id is None:
        statement: Any = insert(tx, ip_blocks).values(id=ids.new_id(), created_at=staff.now, **values)
    else:
        statement = update(ip_blocks).where(ip_blocks.c.id == block_id).values(**values)
    row = tx.execute(statement.returning(*ip_blocks.c)).first()
    if row is None:
        raise NotFound("Record not found")
    _log(tx, "ip_block.create" if block_id is None else "ip_block.update", network, staff, detail=severity)
    return row


def ip_page(tx: Connection, page: Page, *, now: Instant) -> list[Row[Any]]:
    """A page of blocked networks, the latest first."""
    return page.newest_first(tx.execute(page.select(select(ip_blocks).where(_in_force(now)), ip_blocks.c.id)).all())


def block_email_domain(tx: Connection, domain: str, *, staff: Staff) -> Row[Any]:
    """Mailboxes on the domain and its subdomains sign nobody up. Raises Invalid."""
    try:
        folded = fold_host(domain.strip().removeprefix("@"))
    except BadRequest as error:
        raise Invalid("“domain” is not the name of a domain.") from error
    row = _add(tx, email_domain_blocks, {"domain": folded}, now=staff.now)
    _log(tx, "email_domain_block.create", folded, staff)
    return row


def attempts(tx: Connection, block_ids: Iterable[int], *, now: Instant) -> dict[int, dict[Instant, tuple[int, int]]]:
    """By block and day: how often somebody tried to sign up all the same, and from how many addresses."""
    wanted = list(block_ids)
    day = refused_sign_ups.c.created_at - refused_sign_ups.c.created_at % DAY
    counted = (
        select(
            refused_sign_ups.c.block_id,
            day.label("day"),
            func.count().label("attempts"),
            func.count(refused_sign_ups.c.address.distinct()).label("addresses"),
        )
        .where(refused_sign_ups.c.block_id.in_(wanted), refused_sign_ups.c.created_at > now - HISTORY)
        .group_by(refused_sign_ups.c.block_id, day)
    )
    found: dict[int, dict[Instant, tuple[int, int]]] = {}
    for row in tx.execute(counted) if wanted else ():
        found.setdefault(row.block_id, {})[row.day] = (row.attempts, row.addresses)
    return found


def canonical(email: str) -> str:
    """The mailbox that an address reaches, as large providers see it: no dots and nothing after a plus sign."""
    name, _, domain = people.fold_email(email).partition("@")
    return f"{name.partition('+')[0].replace('.', '')}@{domain}"


def email_hash(email: str) -> str:
    """The hash by which a mailbox is known without being told."""
    return hashlib.sha256(canonical(email).encode()).hexdigest()


def matching(tx: Connection, email: str) -> Sequence[Row[Any]]:
    """The blocks of the mailbox."""
    found = select(canonical_email_blocks).where(canonical_email_blocks.c.email_hash == email_hash(email))
    return tx.execute(found).all()


def block_email(tx: Connection, hashed: str, *, staff: Staff) -> Row[Any]:
    """The mailbox with this hash signs nobody up. Raises Invalid."""
    hashed = hashed.strip().lower()
    if not _HASH.fullmatch(hashed):
        raise Invalid("“canonical_email_hash” has 64 hexadecimal digits.")
    row = _add(tx, canonical_email_blocks, {"email_hash": hashed}, now=staff.now)
    _log(tx, "canonical_email_block.create", hashed, staff)
    return row


def page(tx: Connection, table: Table, page: Page) -> list[Row[Any]]:
    """A page of the table's blocks, the latest first."""
    return page.newest_first(tx.execute(page.select(select(table), table.c.id)).all())


def get(tx: Connection, table: Table, block_id: int) -> Row[Any]:
    """The table's block with this id. Raises NotFound."""
    row = tx.execute(select(table).where(table.c.id == block_id)).first()
    if row is None:
        raise NotFound("Record not found")
    return row


def lift(tx: Connection, table: Table, block_id: int, *, staff: Staff) -> None:
    """The table's block is no more. Raises NotFound."""
    row = get(tx, table, block_id)
    tx.execute(delete(table).where(table.c.id == block_id))
    _log(tx, f"{table.name.removesuffix('s')}.destroy", str(tuple(row)[1]), staff)


def _add(tx: Connection, table: Table, values: dict[str, str], *, now: Instant) -> Row[Any]:
    """The new row. Raises Invalid when there is one already."""
    row = tx.execute(
        insert(tx, table).values(id=ids.new_id(), created_at=now, **values).on_conflict_do_nothing().returning(*table.c)
    ).first()
    if row is None:
        raise Invalid("There is such a block already.")
    return row


def _log(tx: Connection, action: str, target: str, staff: Staff, *, detail: str = "") -> None:
    moderation.audit(tx, staff.person_id, action=action, target=target, detail=detail, now=staff.now)
