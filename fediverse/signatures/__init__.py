"""HTTP signatures: who sent this request, and how ours are signed.

Pure machinery: no I/O and no clock. Two dialects are spoken in both directions: draft-cavage-http-signatures,
which the whole fediverse understands, and its successor RFC 9421. A request that comes in takes three steps, so
that the caller may fetch the key in between:

    parsed = parse(method, raw_path, headers)                       who claims to have signed, and what
    precheck(parsed, body=…, now=…, hosts=…)                        everything that can be refused without a key
    verify(parsed, public_key, body=…, now=…, hosts=…)              the same checks, then the signature itself

Whatever is wrong raises :class:`SignatureError`, and nothing else is raised.
"""

from __future__ import annotations

from fediverse.signatures.digests import content_digest, digest
from fediverse.signatures.incoming import parse, precheck, verify
from fediverse.signatures.keys import (
    PrivateKey,
    PublicKey,
    generate_ed25519,
    generate_rsa,
    load_private,
    load_public,
    multibase_decode,
    multibase_encode,
)
from fediverse.signatures.outgoing import (
    CannotSign,
    SigningJob,
    SigningKey,
    sign_cavage,
    sign_many,
    sign_rfc9421,
)
from fediverse.signatures.request import (
    EXPIRES_LEEWAY,
    MAX_AGE,
    MAX_SKEW,
    Dialect,
    Reason,
    SignatureError,
    SignedRequest,
)
from fediverse.signatures.sealing import KeySealed, decrypt_private, encrypt_private

__all__ = [
    "EXPIRES_LEEWAY",
    "MAX_AGE",
    "MAX_SKEW",
    "CannotSign",
    "Dialect",
    "KeySealed",
    "PrivateKey",
    "PublicKey",
    "Reason",
    "SignatureError",
    "SignedRequest",
    "SigningJob",
    "SigningKey",
    "content_digest",
    "decrypt_private",
    "digest",
    "encrypt_private",
    "generate_ed25519",
    "generate_rsa",
    "load_private",
    "load_public",
    "multibase_decode",
    "multibase_encode",
    "parse",
    "precheck",
    "sign_cavage",
    "sign_many",
    "sign_rfc9421",
    "verify",
]
