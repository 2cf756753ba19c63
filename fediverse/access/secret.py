"""Random secrets and what is stored of them."""

from __future__ import annotations

import hashlib
import secrets

_BYTES = 32  # 256 bits: cannot be guessed, so an unsalted fast hash is enough


def new_secret() -> str:
    """A new random secret, safe in URLs and headers."""
    return secrets.token_urlsafe(_BYTES)


def fingerprint(secret: str) -> str:
    """What is stored of a secret: its SHA-256 in hex."""
    return hashlib.sha256(secret.encode("utf-8", "surrogatepass")).hexdigest()
