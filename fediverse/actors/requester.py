"""Who asks for a document, as far as the answer hangs on it.

What is public goes to everybody. A signature on such a request is not verified: all it could bring is a refusal, since
those who are blocked are refused, and who pretends to be blocked harms nobody else. What is not public goes to those
who prove with a verified signature that they may see it, and does not exist for everybody else.
"""

from __future__ import annotations

import re
from functools import partial
from typing import Final

from aiohttp import web
from sqlalchemy import Connection, exists, or_, select

from fediverse import clock, keys, moderation, throttle
from fediverse.actors.signers import KnownSigner
from fediverse.errors import FediverseError, Forbidden
from fediverse.remote import RemoteError, target
from fediverse.signatures import parse
from fediverse.tables.actors import actor_keys, actors, blocks

_KEY_ID: Final = re.compile(r'key_?id\s*=\s*"([^"\s]{1,2048})"', re.IGNORECASE)
REFUSED: Final = "This server does not serve yours, or this account has blocked you."


def claimed_key(request: web.Request) -> str:
    """The key that the request says it is signed with; empty when it does not. Nothing of it is proven."""
    for name in ("Signature-Input", "Signature"):
        found = _KEY_ID.search(request.headers.get(name, ""))
        if found is not None:
            return found[1]
    return ""


def is_refused(tx: Connection, key_id: str, local_id: int) -> bool:
    """Whether the key's server is blocked here, or its owner suspended here or blocked by the local actor."""
    host = _authority(key_id)
    if host and moderation.blocked_among(tx, [host]):
        return True
    blocked = exists().where(blocks.c.actor_id == local_id, blocks.c.target_id == actors.c.id)
    # A key that is not known yet, of an actor that is.
    owner = key_id.partition("#")[0].removesuffix("/main-key")
    known = select(actor_keys.c.actor_id).where(actor_keys.c.key_uri == key_id)
    found = select(actors.c.id).where(
        or_(actors.c.id.in_(known), actors.c.uri == owner), or_(actors.c.suspended_at.is_not(None), blocked)
    )
    return tx.scalar(found.limit(1)) is not None


async def verified(request: web.Request) -> KnownSigner | None:
    """The remote actor that provably signed this GET; None for everybody else.

    A wrong signature counts as none: whoever may not see a thing must not learn from the answer that it is there.
    Raises TooManyLookUps when nobody is asked any more for this caller, whatever it wants to see.
    """
    key_id = claimed_key(request)
    if not key_id:
        return None
    signers = request.app[keys.SIGNERS]
    now = clock.now() / 1000
    try:
        parsed = parse("GET", request.raw_path, list(request.headers.items()))
        signers.check(parsed, body=None, now=now)
        owner = parsed.key_id.partition("#")[0].removesuffix("/main-key")
        known = signers.remembered(parsed.key_id)
        if known is None:
            standing = await signers.standing(parsed.key_id, owner)
            if standing.blocked:
                raise Forbidden(REFUSED)
            known = standing.signer
        actor_uri = known.uri if known is not None else owner
        look_up = partial(throttle.look_up, request)
        return await signers.verify(parsed, known, actor_uri=actor_uri, body=None, now=now, look_up=look_up)
    except throttle.TooManyLookUps:
        raise
    except FediverseError:
        return None


def _authority(url: str) -> str:
    try:
        return target(url).authority
    except RemoteError:
        return ""
