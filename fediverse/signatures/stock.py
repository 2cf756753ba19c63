"""httpsig 1.3.0 without setuptools, with cryptography underneath and its unsafe defaults closed.

httpsig writes and reads the signing strings of draft-cavage-http-signatures. Everything that is a decision is
taken away from it: which algorithms exist, and which key fits. Its own verifier takes the algorithm from the
attacker's header, so that ``hmac-sha256`` keyed with the public PEM would pass.
"""

from __future__ import annotations

import base64
import importlib.metadata
import sys
import types
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey, RSAPublicKey
from cryptography.hazmat.primitives.hashes import SHA256, SHA512

from fediverse.signatures.keys import PrivateKey, PublicKey


@contextmanager
def _pkg_resources() -> Iterator[None]:
    """Lends httpsig the two names of pkg_resources that it imports; setuptools 82 no longer has that module.

    Where the real one is present it is not loaded either: it would take 0.3 seconds of every start.
    """
    if "pkg_resources" in sys.modules:
        yield
        return
    stub = types.ModuleType("pkg_resources")
    stub.__dict__["get_distribution"] = importlib.metadata.distribution
    stub.__dict__["DistributionNotFound"] = importlib.metadata.PackageNotFoundError
    sys.modules["pkg_resources"] = stub
    try:
        yield
    finally:
        del sys.modules["pkg_resources"]


with _pkg_resources():
    from httpsig.sign import HeaderSigner, Signer
    from httpsig.verify import HeaderVerifier, Verifier

ALGORITHMS = frozenset({"rsa-sha256", "hs2019"})
"""What a draft-cavage signature may name. ``hs2019`` leaves the choice to the type of the key."""


class _KeyInit(Signer):  # type: ignore[misc]  # httpsig has no types
    """Holds a key object of cryptography where stock httpsig would parse a text or make an HMAC of it."""

    def __init__(self, secret: PublicKey | PrivateKey, algorithm: str) -> None:
        if algorithm not in ALGORITHMS:
            raise ValueError("the algorithm is not one of ours")
        if algorithm == "rsa-sha256" and not isinstance(secret, RSAPublicKey | RSAPrivateKey):
            raise ValueError("rsa-sha256 needs an RSA key")
        self.claimed = algorithm
        self.sign_algorithm, self.hash_algorithm = "rsa", "sha256"
        self._rsa: Any = secret
        self._hash = None


class _Signing(_KeyInit):
    def _sign_rsa(self, data: bytes) -> bytes:
        key: PrivateKey = self._rsa
        if isinstance(key, Ed25519PrivateKey):
            return key.sign(data)
        return key.sign(data, PKCS1v15(), SHA256())


class _Verifying(_KeyInit, Verifier):  # type: ignore[misc]  # httpsig has no types
    def _verify(self, data: bytes, signature: str) -> bool:
        key: PublicKey = self._rsa
        raw = base64.b64decode(signature, validate=True)
        if isinstance(key, Ed25519PublicKey):
            return _holds_ed25519(key, raw, data)
        if _holds_rsa(key, raw, data, SHA256()):
            return True
        # Under hs2019 the draft means SHA-512, while nearly everyone who writes hs2019 uses SHA-256.
        return self.claimed == "hs2019" and _holds_rsa(key, raw, data, SHA512())


def _holds_rsa(key: RSAPublicKey, signature: bytes, data: bytes, algorithm: SHA256 | SHA512) -> bool:
    try:
        key.verify(signature, data, PKCS1v15(), algorithm)
    except InvalidSignature:
        return False
    return True


def _holds_ed25519(key: Ed25519PublicKey, signature: bytes, data: bytes) -> bool:
    try:
        key.verify(signature, data)
    except InvalidSignature:
        return False
    return True


class RequestSigner(HeaderSigner, _Signing):  # type: ignore[misc]  # httpsig has no types
    """httpsig's HeaderSigner over a key object; the strings are its own, byte for byte."""

    def __init__(self, key_id: str, key: PrivateKey, *, algorithm: str, covered: Sequence[str]) -> None:
        # httpsig makes a % template of the key id.
        template_id = key_id.replace("%", "%%")
        # Named, since to a type checker super() is _KeyInit: httpsig's own class is unknown to it.
        HeaderSigner.__init__(
            self, template_id, key, algorithm=algorithm, headers=list(covered), sign_header="signature"
        )


class RequestVerifier(HeaderVerifier, _Verifying):  # type: ignore[misc]  # httpsig has no types
    """httpsig's HeaderVerifier over a key object; ``verify`` says only whether the signature is the key's."""

    def __init__(self, headers: Mapping[str, str], key: PublicKey, *, method: str, path: str) -> None:
        HeaderVerifier.__init__(
            self,
            headers,
            key,
            required_headers=["(request-target)", "host"],
            method=method,
            path=path,
            sign_header="signature",
        )
