"""Digests of bodies: ``Digest`` (RFC 3230) for draft-cavage, ``Content-Digest`` (RFC 9530) for RFC 9421."""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac

from http_message_signatures import ContentDigest

from fediverse.signatures.request import SignatureError, refuse

_HASHES = {"sha-256": hashlib.sha256, "sha-512": hashlib.sha512}


def digest(body: bytes) -> str:
    """Returns the value of a ``Digest`` header for the body, in the spelling that every peer reads."""
    return "SHA-256=" + base64.b64encode(hashlib.sha256(body).digest()).decode("ascii")


def content_digest(body: bytes) -> str:
    """Returns the value of a ``Content-Digest`` header for the body (RFC 9530 §2)."""
    return ContentDigest.create(body)


def check_digest(value: str | None, body: bytes) -> None:
    """Returns when a ``Digest`` header matches the body; raises ``digest`` otherwise.

    Every strong algorithm that is named must match, at least one must be named, and none twice: one line could make
    us hash a large body a hundred times. Algorithms are named in any case (Threads writes ``SHA-256``, others
    ``sha-256``); weak ones are passed over.
    """
    if value is None:
        refuse("digest", "The request has a body and no Digest header.")
    seen: set[str] = set()
    for member in value.split(","):
        name, _, encoded = member.strip().partition("=")
        algorithm = name.lower()
        if algorithm not in _HASHES:
            continue
        if algorithm in seen:
            refuse("digest", "The Digest header names an algorithm twice.")
        seen.add(algorithm)
        try:
            claimed = base64.b64decode(encoded, validate=True)
        except (binascii.Error, ValueError) as error:
            raise SignatureError("digest", "The Digest header is not valid base64.") from error
        if not hmac.compare_digest(claimed, _HASHES[algorithm](body).digest()):
            refuse("digest", "The Digest header does not match the body.")
    if not seen:
        refuse("digest", "The Digest header names no algorithm that is accepted here. Use SHA-256.")


def check_content_digest(value: str | None, body: bytes) -> None:
    """Returns when a ``Content-Digest`` header matches the body; raises ``digest`` otherwise."""
    if value is None:
        refuse("digest", "The request has a body and no Content-Digest header.")
    try:
        ContentDigest.verify(value, body)
    except Exception as error:  # its own tree, and errors of the structured-field parser
        raise SignatureError("digest", "The Content-Digest header does not match the body.") from error
