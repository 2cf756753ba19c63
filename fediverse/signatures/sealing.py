"""Private keys at rest: sealed under the instance's secret, so that a copy of the database speaks for nobody."""

from __future__ import annotations

import base64
import os

from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from fediverse.errors import FediverseError

# The version stands in front of the token, is authenticated with it, and separates the derived keys.
_VERSION = "v1"
_PURPOSE = b"fediverse: actor private keys, AES-256-GCM, v1"
_NONCE_BYTES = 12
_MIN_SECRET_BYTES = 16


class KeySealed(FediverseError):
    """A stored private key does not open with the secret that this instance was started with."""


def _cipher(secret: bytes, purpose: bytes) -> AESGCM:
    """Returns the cipher for one purpose; other uses of the instance's secret derive other keys."""
    if len(secret) < _MIN_SECRET_BYTES:
        raise ValueError(f"the instance secret has fewer than {_MIN_SECRET_BYTES} bytes")
    return AESGCM(HKDF(algorithm=SHA256(), length=32, salt=None, info=purpose).derive(secret))


def encrypt_private(secret: bytes, pem: str, *, purpose: bytes = _PURPOSE) -> str:
    """Returns the private key as a token that only the same secret opens: ``v1.`` and base64url, never twice the same.

    ``purpose`` keeps apart what else is sealed than actors' keys, and has to be named again to open it. Raises
    ValueError when the secret has fewer than 16 bytes.
    """
    nonce = os.urandom(_NONCE_BYTES)
    sealed = _cipher(secret, purpose).encrypt(nonce, pem.encode("ascii"), _VERSION.encode("ascii"))
    return f"{_VERSION}.{base64.urlsafe_b64encode(nonce + sealed).decode('ascii')}"


def decrypt_private(secret: bytes, token: str, *, purpose: bytes = _PURPOSE) -> str:
    """Returns the private key that :func:`encrypt_private` sealed. Raises :class:`KeySealed` when it does not open."""
    version, _, encoded = token.partition(".")
    if version != _VERSION:
        raise KeySealed("A stored private key has a form that this version does not know. Upgrade fediverse.")
    try:
        raw = base64.b64decode(encoded, altchars=b"-_", validate=True)
        opened = _cipher(secret, purpose).decrypt(raw[:_NONCE_BYTES], raw[_NONCE_BYTES:], _VERSION.encode("ascii"))
        return opened.decode("ascii")
    except Exception as error:  # InvalidTag, ValueError (short nonce or secret), binascii.Error
        raise KeySealed(
            "A stored private key does not open with this instance's secret. "
            "Start with the secret that the database was made with."
        ) from error
