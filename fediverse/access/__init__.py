"""Who is let in: sessions, OAuth applications, codes and tokens, passwords, one-time links.

The only writer of the tables in ``tables.access``. Every secret is 256 random bits, told once and stored as its
SHA-256 hash: a copy of the database opens nothing. (Of a token with a push subscription the ``push`` room keeps the
text besides, sealed with the instance's secret: its device wants to be told it with every message.)
"""

from fediverse.access import passwords
from fediverse.access.apps import (
    OUT_OF_BAND,
    AuthorizeRequest,
    app_by_client_id,
    app_by_id,
    authenticate_client,
    check_authorize,
    register_app,
)
from fediverse.access.codes import CODE_LIFETIME, create_code, exchange_code
from fediverse.access.errors import OAuthError
from fediverse.access.links import LINK_LIFETIME, LinkPurpose, consume_link, create_link, end_links, peek_link
from fediverse.access.scopes import (
    ALL_SCOPES,
    DEFAULT_SCOPE,
    allows,
    describe_scopes,
    is_subset,
    join_scopes,
    parse_scopes,
)
from fediverse.access.sessions import (
    SESSION_LIFETIME,
    create_session,
    end_all,
    end_session,
    extend_session,
    session,
    sweep,
)
from fediverse.access.tokens import (
    Credentials,
    bearer,
    client_token,
    is_frozen,
    is_stale,
    lasting,
    missing,
    revoke_token,
    token_create,
    touch_token,
)

__all__ = [
    "ALL_SCOPES",
    "CODE_LIFETIME",
    "DEFAULT_SCOPE",
    "LINK_LIFETIME",
    "OUT_OF_BAND",
    "SESSION_LIFETIME",
    "AuthorizeRequest",
    "Credentials",
    "LinkPurpose",
    "OAuthError",
    "allows",
    "app_by_client_id",
    "app_by_id",
    "authenticate_client",
    "bearer",
    "check_authorize",
    "client_token",
    "consume_link",
    "create_code",
    "create_link",
    "create_session",
    "describe_scopes",
    "end_all",
    "end_links",
    "end_session",
    "exchange_code",
    "extend_session",
    "is_frozen",
    "is_stale",
    "is_subset",
    "join_scopes",
    "lasting",
    "missing",
    "parse_scopes",
    "passwords",
    "peek_link",
    "register_app",
    "revoke_token",
    "session",
    "sweep",
    "token_create",
    "touch_token",
]
