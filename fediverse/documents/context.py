"""What a JSON-LD reader needs to know to read our documents, and the names that documents share.

Most servers read ActivityPub as plain JSON. For those that do not, everything beyond ActivityStreams and security/v1
is spelt out inline: a context that lives elsewhere breaks every reader on the day its host is down.
"""

from __future__ import annotations

from typing import Any, Final, TypeAlias

Document: TypeAlias = dict[str, Any]
"""A JSON object, as it is sent or as it was received."""

PUBLIC: Final = "https://www.w3.org/ns/activitystreams#Public"
"""Everybody. Written in full always: Lemmy compares it literally."""

PUBLIC_ALIASES: Final = frozenset({PUBLIC, "as:Public", "Public"})
"""The spellings of everybody that JSON-LD allows (ActivityPub §5.6)."""

AS: Final = "https://www.w3.org/ns/activitystreams"
SECURITY: Final = "https://w3id.org/security/v1"

_TOOT: Final = {
    "toot": "http://joinmastodon.org/ns#",
    "sensitive": "as:sensitive",
    "Hashtag": "as:Hashtag",
    "Emoji": "toot:Emoji",
    "blurhash": "toot:blurhash",
    "focalPoint": {"@id": "toot:focalPoint", "@container": "@list"},
}

QUOTE_TERMS: Final[dict[str, Any]] = {
    "quote": {"@id": "https://w3id.org/fep/044f#quote", "@type": "@id"},
    "quoteUri": "http://fedibird.com/ns#quoteUri",
    "quoteUrl": "as:quoteUrl",
    "_misskey_quote": "https://misskey-hub.net/ns#_misskey_quote",
    "quoteAuthorization": {"@id": "https://w3id.org/fep/044f#quoteAuthorization", "@type": "@id"},
    "QuoteAuthorization": "https://w3id.org/fep/044f#QuoteAuthorization",
    "QuoteRequest": "https://w3id.org/fep/044f#QuoteRequest",
    "gts": "https://gotosocial.org/ns#",
    "interactionPolicy": {"@id": "gts:interactionPolicy", "@type": "@id"},
    "canQuote": {"@id": "gts:canQuote", "@type": "@id"},
    "automaticApproval": {"@id": "gts:automaticApproval", "@type": "@id"},
    "manualApproval": {"@id": "gts:manualApproval", "@type": "@id"},
    "interactingObject": {"@id": "gts:interactingObject", "@type": "@id"},
    "interactionTarget": {"@id": "gts:interactionTarget", "@type": "@id"},
}
"""What quotes are written in (FEP-044f), and who may quote (GoToSocial's interaction policies)."""

SIMPLE_CONTEXT: Final[list[Any]] = [AS]
"""For activities that carry nothing but ids, and for collections of them."""

NOTE_CONTEXT: Final[list[Any]] = [AS, SECURITY, _TOOT]
"""For Notes and what embeds them."""

QUESTION_CONTEXT: Final[list[Any]] = [AS, SECURITY, {**_TOOT, "votersCount": "toot:votersCount"}]
"""For Questions and what embeds them."""

ACTOR_CONTEXT: Final[list[Any]] = [
    AS,
    SECURITY,
    {
        **_TOOT,
        "schema": "http://schema.org#",
        "PropertyValue": "schema:PropertyValue",
        "value": "schema:value",
        "manuallyApprovesFollowers": "as:manuallyApprovesFollowers",
        "alsoKnownAs": {"@id": "as:alsoKnownAs", "@type": "@id"},
        "movedTo": {"@id": "as:movedTo", "@type": "@id"},
        "featured": {"@id": "toot:featured", "@type": "@id"},
        "discoverable": "toot:discoverable",
        "indexable": "toot:indexable",
        "attributionDomains": {"@id": "toot:attributionDomains", "@type": "@id"},
        "webfinger": "https://purl.archive.org/socialweb/webfinger#webfinger",
        "sec": "https://w3id.org/security#",
        "assertionMethod": {"@id": "sec:assertionMethod", "@type": "@id", "@container": "@set"},
        "controller": {"@id": "sec:controller", "@type": "@id"},
        "Multikey": "sec:Multikey",
        "publicKeyMultibase": "sec:publicKeyMultibase",
    },
]
"""For actors, and the Update that tells of their change."""
