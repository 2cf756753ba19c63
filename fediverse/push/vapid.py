"""Who we are to push services (RFC 8292): one key pair, made once and kept sealed."""

from __future__ import annotations

import orjson
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
    load_pem_private_key,
)
from sqlalchemy import Connection

from fediverse import instance
from fediverse.errors import FediverseError
from fediverse.push.subscriptions import encode
from fediverse.signatures import sealing

_PURPOSE = b"fediverse: VAPID private key, AES-256-GCM, v1"
_HEADER = encode(b'{"typ":"JWT","alg":"ES256"}')


def ensure(tx: Connection, secret: bytes) -> str:
    """There is a key pair; its public key as clients are told it: base64url of the uncompressed point."""
    kept = instance.vapid_keys(tx)
    if kept is None:
        made = ec.generate_private_key(ec.SECP256R1())
        pem = made.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode("ascii")
        sealed = sealing.encrypt_private(secret, pem, purpose=_PURPOSE)
        kept = instance.keep_vapid_keys(tx, public=public_of(made), private=sealed)
    return kept["public"]


def load(tx: Connection, secret: bytes) -> ec.EllipticCurvePrivateKey:
    """The private key. Raises KeySealed when the secret is not the one it was sealed under."""
    kept = instance.vapid_keys(tx)
    if kept is None:
        raise FediverseError("There are no keys for web push yet. Start the server once.")
    key = load_pem_private_key(sealing.decrypt_private(secret, kept["private"], purpose=_PURPOSE).encode(), None)
    assert isinstance(key, ec.EllipticCurvePrivateKey)
    return key


def public_of(key: ec.EllipticCurvePrivateKey) -> str:
    """The public half as base64url of the uncompressed point."""
    return encode(key.public_key().public_bytes(Encoding.X962, PublicFormat.UncompressedPoint))


def token(key: ec.EllipticCurvePrivateKey, *, audience: str, subject: str, expires: int) -> str:
    """A JWT that says to the push service at ``audience`` (an origin) who is calling, until ``expires`` (seconds)."""
    claims = encode(orjson.dumps({"aud": audience, "exp": expires, "sub": subject}))
    signed = f"{_HEADER}.{claims}"
    r, s = decode_dss_signature(key.sign(signed.encode(), ec.ECDSA(SHA256())))
    return f"{signed}.{encode(r.to_bytes(32) + s.to_bytes(32))}"
