"""What OAuth clients are told: applications, tokens, the server's metadata (RFC 8414)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from sqlalchemy import Row

from fediverse.site import Site
from fediverse.urls import Urls


def application(row: Row[Any], site: Site) -> dict[str, Any]:
    """A registered application, without its credentials."""
    return {
        "id": str(row.id),
        "name": row.name,
        "website": row.website,
        "scopes": row.scopes.split(),
        "redirect_uri": "\n".join(row.redirect_uris),
        "redirect_uris": row.redirect_uris,
        "vapid_key": site.vapid_key,
    }


def credential_application(row: Row[Any], site: Site, *, client_secret: str) -> dict[str, Any]:
    """A newly registered application. The secret is shown this once."""
    return {
        **application(row, site),
        "client_id": row.client_id,
        "client_secret": client_secret,
        "client_secret_expires_at": 0,
    }


def token(access_token: str, *, scopes: str, created_at: int) -> dict[str, Any]:
    """A newly made bearer token (RFC 6749 §5.1), with Mastodon's created_at in seconds."""
    return {
        "access_token": access_token,
        "token_type": "Bearer",
        "scope": scopes,
        "created_at": created_at // 1000,
    }


def userinfo(actor: Row[Any], site: Site) -> dict[str, Any]:
    """Who signed in, in the claims of OpenID Connect that Mastodon gives."""
    urls = site.urls
    return {
        "iss": f"{urls.base_url}/",
        "sub": urls.actor(actor.username),
        "name": actor.name,
        "preferred_username": actor.username,
        "profile": urls.profile(actor.username),
        "picture": site.avatar_url(actor),
    }


def server_metadata(urls: Urls, scopes: Sequence[str]) -> dict[str, Any]:
    """The authorization server's metadata (RFC 8414 §2)."""
    base = urls.base_url
    return {
        "issuer": f"{base}/",
        "authorization_endpoint": f"{base}/oauth/authorize",
        "token_endpoint": f"{base}/oauth/token",
        "revocation_endpoint": f"{base}/oauth/revoke",
        "userinfo_endpoint": f"{base}/oauth/userinfo",
        "service_documentation": "https://docs.joinmastodon.org/",
        "app_registration_endpoint": f"{base}/api/v1/apps",
        "scopes_supported": list(scopes),
        "response_types_supported": ["code"],
        "response_modes_supported": ["query"],
        "grant_types_supported": ["authorization_code", "client_credentials"],
        "token_endpoint_auth_methods_supported": ["client_secret_basic", "client_secret_post"],
        "code_challenge_methods_supported": ["S256"],
    }
