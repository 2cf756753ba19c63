"""Peers that sign, written with cryptography alone: nothing here uses the code or the libraries under test."""

from __future__ import annotations

import base64
import hashlib
from email.utils import formatdate

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey, generate_private_key
from cryptography.hazmat.primitives.hashes import SHA256, HashAlgorithm

NOW = 1_790_000_000.0
HOST = "social.example"
KEY_ID = "https://peer.example/users/mallory#main-key"
BODY = b'{"type":"Create","actor":"https://peer.example/users/mallory"}'

RSA = generate_private_key(public_exponent=65537, key_size=2048)
OTHER_RSA = generate_private_key(public_exponent=65537, key_size=2048)
ED25519 = Ed25519PrivateKey.generate()

Lines = list[tuple[str, str]]


def b64(raw: bytes) -> str:
    return base64.b64encode(raw).decode()


def sha256(body: bytes) -> str:
    return b64(hashlib.sha256(body).digest())


def http_date(offset: float = 0) -> str:
    return formatdate(NOW + offset, usegmt=True)


def raw_signature(key, data: bytes, algorithm: HashAlgorithm | None = None) -> bytes:
    if isinstance(key, RSAPrivateKey):
        return key.sign(data, PKCS1v15(), algorithm or SHA256())
    return key.sign(data)


def inbox_headers(body: bytes | None = BODY, *, host: str = HOST, date: str | None = None) -> Lines:
    lines = [("Host", host), ("Date", http_date() if date is None else date)]
    if body is not None:
        lines += [("Digest", f"SHA-256={sha256(body)}"), ("Content-Type", "application/activity+json")]
    return lines


def cavage(
    headers: Lines,
    *,
    key=RSA,
    method: str = "POST",
    target: str = "/inbox",
    covered: str = "(request-target) host date digest",
    algorithm: str | None = "rsa-sha256",
    created: int | None = None,
    expires: int | None = None,
    quote_times: bool = False,
    key_id: str = KEY_ID,
    sign=raw_signature,
    name_covered: bool = True,
) -> Lines:
    """The headers and a Signature, after draft-cavage-http-signatures-12 §2."""
    values = {name.lower(): value for name, value in headers}
    values["(request-target)"] = f"{method.lower()} {target}"
    values["(created)"], values["(expires)"] = str(created), str(expires)
    text = "\n".join(f"{name}: {values[name]}" for name in covered.split())
    parts = [f'keyId="{key_id}"']
    if algorithm is not None:
        parts.append(f'algorithm="{algorithm}"')
    for name, seconds in (("created", created), ("expires", expires)):
        if seconds is not None:
            parts.append(f'{name}="{seconds}"' if quote_times else f"{name}={seconds}")
    if name_covered:
        parts.append(f'headers="{covered}"')
    parts.append(f'signature="{b64(sign(key, text.encode()))}"')
    return [*headers, ("Signature", ",".join(parts))]


def content_digest(body: bytes = BODY) -> tuple[str, str]:
    return ("Content-Digest", f"sha-256=:{sha256(body)}:")


def rfc9421(
    headers: Lines,
    *,
    key=RSA,
    method: str = "POST",
    url: str = f"https://{HOST}/inbox",
    covered: tuple[str, ...] = ("@method", "@target-uri", "content-digest"),
    params: str | None = None,
    label: str = "sig1",
    sign=raw_signature,
) -> Lines:
    """The headers, Signature-Input and Signature, after RFC 9421 §2.5 and §4."""
    authority, _, rest = url.partition("://")[2].partition("/")
    path, mark, query = f"/{rest}".partition("?")
    values = {name.lower(): value for name, value in headers} | {
        "@method": method,
        "@target-uri": url,
        "@authority": authority,
        "@path": path,
        "@query": mark + query if mark else "?",
    }
    if params is None:
        params = f';created={int(NOW)};keyid="{KEY_ID}"'
    signature_params = "(" + " ".join(f'"{name}"' for name in covered) + ")" + params
    lines = [f'"{name}": {values[name]}' for name in covered]
    base = "\n".join([*lines, f'"@signature-params": {signature_params}'])
    return [
        *headers,
        ("Signature-Input", f"{label}={signature_params}"),
        ("Signature", f"{label}=:{b64(sign(key, base.encode()))}:"),
    ]
