"""Keys: RSA for the signatures that everyone reads, Ed25519 as a Multikey beside it (FEP-521a)."""

from __future__ import annotations

from typing import TypeAlias

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.asymmetric.rsa import (
    RSAPrivateKey,
    RSAPublicKey,
    generate_private_key,
)
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
    load_pem_private_key,
    load_pem_public_key,
)

from fediverse.signatures.request import SignatureError, refuse

PublicKey: TypeAlias = RSAPublicKey | Ed25519PublicKey
PrivateKey: TypeAlias = RSAPrivateKey | Ed25519PrivateKey

MIN_RSA_BITS = 2048
MAX_RSA_BITS = 8192
# OpenSSL lets a small modulus have a huge exponent, and verifying then takes as long as signing.
_MAX_EXPONENT_BITS = 64

MAX_KEY_TEXT = 4096
"""Characters of a public key: an 8192-bit RSA key in PEM has about 1,450."""

_BASE58 = "123456789ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz"
_BASE58_VALUES = {char: value for value, char in enumerate(_BASE58)}
_ED25519_PREFIX = b"\xed\x01"
# "z", then 34 bytes in base58.
_MULTIBASE_LENGTH = 48


def generate_rsa() -> tuple[str, str]:
    """Returns a new RSA-2048 key as (private PEM in PKCS #8, public PEM in SPKI). Takes about 40 ms of CPU."""
    private = generate_private_key(public_exponent=65537, key_size=2048)
    public = private.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
    return _private_pem(private), public.decode("ascii")


def generate_ed25519() -> tuple[str, str]:
    """Returns a new Ed25519 key as (private PEM in PKCS #8, public key in multibase, ``z6Mk…``)."""
    private = Ed25519PrivateKey.generate()
    return _private_pem(private), multibase_encode(private.public_key())


def _private_pem(key: PrivateKey) -> str:
    return key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode("ascii")


def load_private(pem: str) -> PrivateKey:
    """Returns one of our own private keys. Raises ValueError when the text holds none.

    RSA's primes are not tested again: we made the key, it was sealed since, and the test takes 30 ms.
    """
    key = load_pem_private_key(pem.encode("ascii"), password=None, unsafe_skip_rsa_key_validation=True)
    if not isinstance(key, RSAPrivateKey | Ed25519PrivateKey):
        raise ValueError("the private key is neither RSA nor Ed25519")
    return key


def load_public(text: str) -> PublicKey:
    """Returns the public key that a peer published, as PEM or as multibase.

    Raises :class:`SignatureError` with reason ``key`` for anything else than RSA of 2048 to 8192 bits with an odd
    exponent of at least 3, or Ed25519.
    """
    if len(text) > MAX_KEY_TEXT:
        refuse("key", "The sender's public key is too long.")
    if text.startswith("z"):
        return multibase_decode(text)
    if "PRIVATE" in text:
        refuse("key", "The sender published a private key. It must be replaced.")
    try:
        key = load_pem_public_key(text.encode("ascii"))
    except Exception as error:  # ValueError, UnsupportedAlgorithm, UnicodeEncodeError; it differs by release
        raise SignatureError("key", "The sender's public key cannot be read.") from error
    if isinstance(key, Ed25519PublicKey):
        return key
    if not isinstance(key, RSAPublicKey):
        refuse("key", "The sender's public key is neither RSA nor Ed25519.")
    _check_rsa(key)
    return key


def _check_rsa(key: RSAPublicKey) -> None:
    if not MIN_RSA_BITS <= key.key_size <= MAX_RSA_BITS:
        refuse("key", f"The sender's RSA key must have between {MIN_RSA_BITS} and {MAX_RSA_BITS} bits.")
    # cryptography refuses such exponents while loading, today; forging with e = 1 is too easy to rely on it.
    exponent = key.public_numbers().e
    if exponent < 3 or exponent % 2 == 0 or exponent.bit_length() > _MAX_EXPONENT_BITS:
        refuse("key", "The exponent of the sender's RSA key is not safe.")


def multibase_encode(key: Ed25519PublicKey) -> str:
    """Returns the key as a Multikey's ``publicKeyMultibase``: ``z``, base58btc of 0xed01 and the 32 bytes."""
    number = int.from_bytes(_ED25519_PREFIX + key.public_bytes(Encoding.Raw, PublicFormat.Raw))
    digits: list[str] = []
    while number:
        number, digit = divmod(number, 58)
        digits.append(_BASE58[digit])
    return "z" + "".join(reversed(digits))


def multibase_decode(text: str) -> Ed25519PublicKey:
    """Returns the Ed25519 key of a ``publicKeyMultibase``. Raises :class:`SignatureError`, reason ``key``, for others.

    The only spelling that is accepted is the one that :func:`multibase_encode` gives.
    """
    if len(text) != _MULTIBASE_LENGTH or text[0] != "z" or any(char not in _BASE58_VALUES for char in text):
        refuse("key", "The sender's key is not an Ed25519 key in multibase.")
    number = 0
    for char in text[1:]:
        number = number * 58 + _BASE58_VALUES[char]
    try:
        raw = number.to_bytes(34)
        if not raw.startswith(_ED25519_PREFIX):
            refuse("key", "The sender's key is not an Ed25519 key.")
        return Ed25519PublicKey.from_public_bytes(raw[2:])
    except (OverflowError, ValueError) as error:
        raise SignatureError("key", "The sender's key is not an Ed25519 key in multibase.") from error
