"""Quotes as documents (FEP-044f): what a post quotes, who may quote it, and its author's consent to a quote."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape
from typing import Any, Final

from fediverse.documents.context import PUBLIC, PUBLIC_ALIASES, QUOTE_TERMS, SIMPLE_CONTEXT, Document
from fediverse.documents.shapes import entries, http_uri, id_of, origin, type_of
from fediverse.drafts import QuotePolicy
from fediverse.urls import Urls

# The property of the FEP, and those that came before it: Fedibird's, Misskey's, and what many servers write.
_QUOTE: Final = ("quote", "quoteUri", "quoteUrl", "_misskey_quote")
_ALLOWED: Final = 100
"""Entries of a policy that are read."""

AUTHORIZATION: Final = "QuoteAuthorization"


def read_quote(document: Document, uri: str) -> tuple[str | None, str | None]:
    """The id of the post that a post quotes, and of the authorization that it shows, if any."""
    for name in _QUOTE:
        quoted = http_uri(id_of(document.get(name)))
        if quoted is not None and quoted != uri:
            return quoted, http_uri(id_of(document.get("quoteAuthorization")))
    return None, None


def read_policy(document: Document, *, author_uri: str, followers_uri: str | None) -> QuotePolicy | None:
    """Who may quote the post; None where it does not say."""
    policy = document.get("interactionPolicy")
    quoting = policy.get("canQuote") if isinstance(policy, dict) else None
    if not isinstance(quoting, dict):
        return None

    def group(value: object) -> list[str]:
        names = [_group(id_of(entry), author_uri, followers_uri) for entry in entries(value, _ALLOWED)]
        return list(dict.fromkeys(name for name in names if name))

    return QuotePolicy(
        automatic=group(quoting.get("automaticApproval")),
        manual=group(quoting.get("manualApproval")),
    )


def _group(uri: str | None, author_uri: str, followers_uri: str | None) -> str | None:
    """Whom an entry of a policy means; the author, who may always, is left out."""
    if uri is None or uri == author_uri:
        return None
    if uri in PUBLIC_ALIASES:
        return "public"
    if uri == followers_uri:
        return "followers"
    if origin(uri) == origin(author_uri):
        last = uri.rstrip("/").rpartition("/")[2].lower()
        if last in {"followers", "following"}:
            return last
    return "unsupported_policy"


def read_authorization(document: object) -> tuple[str, str, str, str] | None:
    """(id, author, quoting post, quoted post) of an authorization; None for what is none."""
    if not isinstance(document, dict) or type_of(document, frozenset({AUTHORIZATION})) != AUTHORIZATION:
        return None
    found = [
        http_uri(id_of(document.get(name))) for name in ("id", "attributedTo", "interactingObject", "interactionTarget")
    ]
    own, author, quoting, quoted = found
    if own is None or author is None or quoting is None or quoted is None:
        return None
    return own, author, quoting, quoted


def quote_properties(quote_uri: str, authorization: str | None) -> Document:
    """The properties by which a post says what it quotes, those of older servers among them."""
    found: Document = {"quote": quote_uri, "quoteUri": quote_uri, "quoteUrl": quote_uri, "_misskey_quote": quote_uri}
    if authorization is not None:
        found["quoteAuthorization"] = authorization
    return found


def with_reference(content: str, quote_uri: str) -> str:
    """The content for servers that know no quotes: they show where it is. The others hide what has this class."""
    address = escape(quote_uri)
    return f'<p class="quote-inline">RE: <a href="{address}" rel="nofollow noopener">{address}</a></p>{content}'


def policy_properties(urls: Urls, username: str, policy: QuotePolicy) -> Document:
    """The property by which a post says who may quote it."""
    names = {"public": PUBLIC, "followers": urls.followers(username), "following": urls.following(username)}

    def written(groups: Sequence[str]) -> list[str]:
        return [names[group] for group in groups if group in names]

    # Nobody is written as the author alone: an empty list would say nothing at all to some servers.
    automatic = written(policy["automatic"]) or [urls.actor(username)]
    return {
        "interactionPolicy": {
            "canQuote": {"automaticApproval": automatic, "manualApproval": written(policy["manual"])},
        }
    }


def authorization_document(
    urls: Urls, username: str, authorization_id: int, *, quoting_uri: str, quoted_uri: str
) -> Document:
    """The document by which a local author agrees to be quoted by one post."""
    return {
        "@context": [*SIMPLE_CONTEXT, QUOTE_TERMS],
        "id": urls.quote_authorization(username, authorization_id),
        "type": AUTHORIZATION,
        "attributedTo": urls.actor(username),
        "interactingObject": quoting_uri,
        "interactionTarget": quoted_uri,
    }


def context_of(context: list[Any]) -> list[Any]:
    """A context with the terms of quotes."""
    return [*context, QUOTE_TERMS]
