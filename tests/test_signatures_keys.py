"""Keys: made, published, read from strangers with care, and sealed at rest."""

from __future__ import annotations

import base64
import random
import time

import pytest
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric import dsa, ec
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey, RSAPublicKey
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
)
from hypothesis import given, settings
from hypothesis import strategies as st

from fediverse.signatures import (
    KeySealed,
    SignatureError,
    decrypt_private,
    encrypt_private,
    generate_ed25519,
    generate_rsa,
    load_private,
    load_public,
    multibase_decode,
    multibase_encode,
)
from tests.support.signers import ED25519, RSA

SECRET = b"0123456789abcdef0123456789abcdef"


def der(tag: int, content: bytes) -> bytes:
    size = len(content)
    if size < 128:
        return bytes([tag, size]) + content
    length = size.to_bytes((size.bit_length() + 7) // 8)
    return bytes([tag, 0x80 | len(length)]) + length + content


def der_integer(value: int) -> bytes:
    return der(2, value.to_bytes(value.bit_length() // 8 + 1))


def pem(label: str, raw: bytes) -> str:
    text = base64.b64encode(raw).decode()
    lines = [text[start : start + 64] for start in range(0, len(text), 64)]
    return "\n".join([f"-----BEGIN {label}-----", *lines, f"-----END {label}-----", ""])


def rsa_pem(modulus: int, exponent: int = 65537) -> str:
    """SPKI of any numbers: cryptography would refuse to make the bad ones for us."""
    key = der(0x30, der_integer(modulus) + der_integer(exponent))
    algorithm = der(0x30, bytes.fromhex("06092a864886f70d0101010500"))
    return pem("PUBLIC KEY", der(0x30, algorithm + der(3, b"\0" + key)))


def odd(bits: int) -> int:
    return random.Random(bits).getrandbits(bits) | 1 | 1 << (bits - 1)


def public_pem(private) -> str:
    public = private.public_key()
    return public.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo).decode()


def test_a_new_rsa_key_is_2048_bits_and_its_halves_belong_together():
    private_text, public_text = generate_rsa()
    assert public_text.startswith("-----BEGIN PUBLIC KEY-----\n")
    private, public = load_private(private_text), load_public(public_text)
    assert isinstance(private, RSAPrivateKey)
    assert isinstance(public, RSAPublicKey)
    assert public.key_size == 2048
    assert public.public_numbers().e == 65537
    public.verify(private.sign(b"x", PKCS1v15(), SHA256()), b"x", PKCS1v15(), SHA256())
    assert generate_rsa()[0] != private_text


def test_a_new_ed25519_key_is_published_as_a_multikey():
    private_text, multibase = generate_ed25519()
    assert multibase.startswith("z6Mk")
    private, public = load_private(private_text), load_public(multibase)
    assert isinstance(private, Ed25519PrivateKey)
    assert isinstance(public, Ed25519PublicKey)
    public.verify(private.sign(b"x"), b"x")
    with pytest.raises(InvalidSignature):
        public.verify(private.sign(b"x"), b"y")


def test_our_own_private_keys_are_rsa_or_ed25519():
    other = ec.generate_private_key(ec.SECP256R1())
    text = other.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode()
    with pytest.raises(ValueError, match="neither"):
        load_private(text)
    with pytest.raises(ValueError, match="PEM"):
        load_private("garbage")


# The published example of the did:key method: an Ed25519 key and its multibase form.
DID_KEY = "z6MkhaXgBZDvotDkL5257faiztiGiC2QtKLGpbnnEGta2doK"
DID_KEY_RAW = "2e6fcce36701dc791488e0d0b1745cc1e33a4c1c9fcc41c63bd343dbbe0970e6"


def test_multibase_is_that_of_others():
    key = multibase_decode(DID_KEY)
    assert key.public_bytes(Encoding.Raw, PublicFormat.Raw).hex() == DID_KEY_RAW
    assert multibase_encode(key) == DID_KEY


@settings(deadline=None)
@given(st.binary(min_size=32, max_size=32))
def test_multibase_round_trips(raw):
    text = multibase_encode(Ed25519PublicKey.from_public_bytes(raw))
    assert text.startswith("z6Mk")
    assert load_public(text).public_bytes(Encoding.Raw, PublicFormat.Raw) == raw


@pytest.mark.parametrize(
    "text",
    ["z", "z6Mk", DID_KEY[:-1], DID_KEY + "1", "z1" + DID_KEY[1:], DID_KEY.replace("z6Mk", "z6LS"),
     DID_KEY[:-1] + "0", DID_KEY[:-1] + "\u00e4", "z" + "z" * 47, "m" + DID_KEY[1:], "z" * 4000],
)  # fmt: skip
def test_multibase_that_is_not_ed25519_is_refused(text):
    with pytest.raises(SignatureError) as caught:
        multibase_decode(text)
    assert caught.value.reason == "key"
    with pytest.raises(SignatureError):
        load_public(text)


def test_public_keys_are_read_in_the_forms_that_peers_publish():
    spki = public_pem(RSA)
    pkcs1 = RSA.public_key().public_bytes(Encoding.PEM, PublicFormat.PKCS1).decode()
    for text in (spki, pkcs1, spki.strip(), spki.replace("\n", "\r\n"), public_pem(ED25519)):
        load_public(text)
    assert load_public(pkcs1).public_numbers() == RSA.public_key().public_numbers()
    for bits in (2048, 3072, 4096, 8192):
        load_public(rsa_pem(odd(bits)))
    load_public(rsa_pem(odd(2048), 3))


BAD_KEYS = {
    "RSA-512": rsa_pem(odd(512)),
    "RSA-1024": rsa_pem(odd(1024)),
    "RSA-2047": rsa_pem(odd(2047)),
    "RSA-8193": rsa_pem(odd(8193)),
    "RSA-16384": rsa_pem(odd(16384)),
    "RSA-32768": rsa_pem(odd(32768)),
    "e=0": rsa_pem(odd(2048), 0),
    "e=1": rsa_pem(odd(2048), 1),
    "e=2": rsa_pem(odd(2048), 2),
    "e even": rsa_pem(odd(2048), 65536),
    "e of 65 bits": rsa_pem(odd(2048), 1 << 64 | 1),
    "e as long as n": rsa_pem(odd(2048), odd(2047)),
    "EC": public_pem(ec.generate_private_key(ec.SECP256R1())),
    "DSA": public_pem(dsa.generate_private_key(2048)),
    "private": RSA.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode(),
    "private PKCS1": RSA.private_bytes(Encoding.PEM, PrivateFormat.TraditionalOpenSSL, NoEncryption()).decode(),
    "public and private": public_pem(RSA)
    + ED25519.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode(),
    "empty": "",
    "garbage": "garbage",
    "garbage inside": pem("PUBLIC KEY", b"garbage"),
    "truncated": public_pem(RSA)[:200],
    "certificate": pem("CERTIFICATE", b"garbage"),
    "not ASCII": public_pem(RSA).replace("M", "\u00e4"),
    "oversize": public_pem(RSA) + " " * 5000,
    "surrogate": "-----BEGIN PUBLIC KEY-----\udc80",
}


@pytest.mark.attack("SIG-16")
@pytest.mark.parametrize("name", BAD_KEYS)
def test_sig16_keys_that_are_not_accepted(name):
    started = time.monotonic()
    with pytest.raises(SignatureError) as caught:
        load_public(BAD_KEYS[name])
    assert caught.value.reason == "key"
    assert time.monotonic() - started < 1


@settings(deadline=None)
@given(st.text(max_size=300) | st.text(max_size=200).map(lambda text: f"-----BEGIN PUBLIC KEY-----\n{text}"))
def test_no_text_raises_anything_else(text):
    with pytest.raises(SignatureError):
        load_public(text)


def test_a_sealed_key_opens_with_its_secret_only():
    private, _ = generate_ed25519()
    token = encrypt_private(SECRET, private)
    assert token.startswith("v1.")
    assert "PRIVATE" not in token
    assert decrypt_private(SECRET, token) == private
    assert encrypt_private(SECRET, private) != token
    with pytest.raises(KeySealed, match="secret"):
        decrypt_private(SECRET[::-1], token)


def test_a_sealed_key_that_was_touched_does_not_open():
    token = encrypt_private(SECRET, generate_ed25519()[0])
    flipped = "A" if token[20] != "A" else "B"
    for bad in (token[:20] + flipped + token[21:], token[:-4], "v1.", "v1.AAAA", "v1.***", "", "v2" + token[2:], "x"):
        with pytest.raises(KeySealed):
            decrypt_private(SECRET, bad)


def test_a_secret_that_is_none_is_refused():
    with pytest.raises(ValueError, match="16 bytes"):
        encrypt_private(b"short", "x")
    with pytest.raises(KeySealed):
        decrypt_private(b"short", encrypt_private(SECRET, "x"))
