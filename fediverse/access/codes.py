"""Authorization codes: ten minutes, one use; a second use ends what the first one gave (RFC 6749 §4.1.2)."""

from __future__ import annotations

import hashlib
import hmac
import re
from base64 import urlsafe_b64encode
from typing import Any, Final

from sqlalchemy import Connection, Row, insert, select, update

from fediverse import events
from fediverse.access.apps import AuthorizeRequest
from fediverse.access.errors import OAuthError
from fediverse.access.scopes import join_scopes
from fediverse.access.secret import fingerprint, new_secret
from fediverse.access.tokens import store_token
from fediverse.clock import MINUTE, Instant
from fediverse.tables.access import oauth_codes, oauth_tokens

CODE_LIFETIME: Final = 10 * MINUTE
_VERIFIER: Final = re.compile(r"[A-Za-z0-9._~-]{43,128}")  # RFC 7636 §4.1
_REFUSED: Final = "The authorization code is wrong, was used already, or is too old. Sign in again."


def create_code(tx: Connection, request: AuthorizeRequest, *, person_id: int, actor_id: int, now: Instant) -> str:
    """A code that the application may exchange once, within ten minutes, for a token to speak as the actor."""
    code = new_secret()
    tx.execute(
        insert(oauth_codes).values(
            code_hash=fingerprint(code),
            app_id=request.app.id,
            person_id=person_id,
            actor_id=actor_id,
            redirect_uri=request.redirect_uri,
            scopes=join_scopes(request.scopes),
            code_challenge=request.code_challenge,
            expires_at=now + CODE_LIFETIME,
        )
    )
    return code


def exchange_code(
    tx: Connection, *, app: Row[Any], code: str, redirect_uri: str, code_verifier: str | None, now: Instant
) -> tuple[str, str] | OAuthError:
    """The new bearer token and its scopes, or why not.

    A refusal is returned, not raised, because the revocation that a second use causes has to be committed.
    """
    code_hash = fingerprint(code)
    # One statement takes the code: of twenty exchanges at once, one gets it.
    taken = tx.execute(
        update(oauth_codes)
        .where(oauth_codes.c.code_hash == code_hash, oauth_codes.c.used_at.is_(None))
        .values(used_at=now)
        .returning(*oauth_codes.c)
    ).one_or_none()
    if taken is None:
        _revoke_tokens_of(tx, code_hash, now=now)
        return OAuthError("invalid_grant", _REFUSED)
    if taken.app_id != app.id or taken.redirect_uri != redirect_uri or taken.expires_at <= now:
        return OAuthError("invalid_grant", _REFUSED)
    if not _proves(taken.code_challenge, code_verifier):
        return OAuthError("invalid_grant", "The code verifier does not belong to the code challenge.")
    token = store_token(
        tx,
        app_id=app.id,
        person_id=taken.person_id,
        actor_id=taken.actor_id,
        scopes=taken.scopes,
        code_hash=code_hash,
        now=now,
    )
    return token, taken.scopes


def _proves(challenge: str, verifier: str | None) -> bool:
    """PKCE (RFC 7636 §4.6): a verifier where a challenge was given, and only there (RFC 9700 §4.8.2)."""
    if not challenge:
        return not verifier
    if verifier is None or not _VERIFIER.fullmatch(verifier):
        return False
    digest = urlsafe_b64encode(hashlib.sha256(verifier.encode()).digest()).rstrip(b"=").decode()
    return hmac.compare_digest(digest, challenge)


def _revoke_tokens_of(tx: Connection, code_hash: str, *, now: Instant) -> None:
    known = tx.execute(select(oauth_codes.c.person_id).where(oauth_codes.c.code_hash == code_hash)).one_or_none()
    if known is not None:
        tx.execute(
            update(oauth_tokens)
            .where(oauth_tokens.c.code_hash == code_hash, oauth_tokens.c.revoked_at.is_(None))
            .values(revoked_at=now)
        )
        events.after_commit(tx, events.AccessChanged(person_id=known.person_id))
