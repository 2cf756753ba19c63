"""Who may quote a post (FEP-044f): what its author says, and what that means for somebody."""

from __future__ import annotations

from typing import Any, Final, Literal

from sqlalchemy import ColumnElement, Connection, Row, exists, select

from fediverse.drafts import NoteDraft, QuotePolicy, Visibility
from fediverse.tables.actors import follows

#: Who may quote a post, as people choose it.
POLICIES: Final[dict[str, QuotePolicy]] = {
    "public": QuotePolicy(automatic=["public"], manual=[]),
    "followers": QuotePolicy(automatic=["followers"], manual=[]),
    "nobody": QuotePolicy(automatic=[], manual=[]),
}

Standing = Literal["automatic", "manual", "denied", "unknown"]


def policy_of(author: Row[Any], draft: NoteDraft) -> QuotePolicy | None:
    """Who may quote what the draft becomes: of posts here the author's choice, nobody for what is not public."""
    if draft.uri is not None:
        return draft.quote_policy
    if not draft.visibility.is_public:
        return POLICIES["nobody"]
    return draft.quote_policy or POLICIES.get(author.default_quote_policy) or POLICIES["public"]


def standing(tx: Connection, status: Row[Any], actor_id: int | None) -> Standing:
    """Whether the actor may quote the status: at once, after asking, or not."""
    if actor_id is None or status.boost_of_id is not None:
        return "denied"
    if actor_id == status.author_id:
        return "automatic" if status.visibility != Visibility.DIRECT else "denied"
    policy: QuotePolicy | None = status.quote_policy
    if policy is None or not Visibility(status.visibility).is_public:
        return "denied"
    groups = _groups(tx, status.author_id, actor_id, policy)
    if groups & set(policy["automatic"]):
        return "automatic"
    if groups & set(policy["manual"]):
        return "manual"
    return "unknown" if "unsupported_policy" in (*policy["automatic"], *policy["manual"]) else "denied"


def _groups(tx: Connection, author_id: int, actor_id: int, policy: QuotePolicy) -> set[str]:
    """The groups of a policy that the actor is in."""
    groups = {"public"}
    named = {*policy["automatic"], *policy["manual"]}
    for group, follower, followee in (("followers", actor_id, author_id), ("following", author_id, actor_id)):
        if group in named and tx.scalar(select(_follows(follower, followee))):
            groups.add(group)
    return groups


def _follows(follower_id: int, followee_id: int) -> ColumnElement[bool]:
    return exists().where(
        follows.c.follower_id == follower_id, follows.c.followee_id == followee_id, follows.c.accepted
    )
