"""RSA-2048 signatures: the physical limit of fan-out on this machine, and the measure of all other figures."""

from __future__ import annotations

import time
from collections.abc import Callable

from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
from cryptography.hazmat.primitives.asymmetric.rsa import generate_private_key
from cryptography.hazmat.primitives.hashes import SHA256

from benchmarks.report import Figure
from benchmarks.stage import Setting

_TEXT = b"(request-target): post /inbox\nhost: example.org\ndate: Mon, 05 Jan 2026 10:00:00 GMT\ndigest: SHA-256=" * 2
_ROUNDS = 5


def cpu_ms(call: Callable[[], object], *, seconds: float) -> float:
    """CPU milliseconds of one call: the least of five rounds, since others can only make it look dearer."""
    call()
    best = float("inf")
    for _ in range(_ROUNDS):
        count, began = 0, time.process_time()
        until = began + seconds / _ROUNDS
        while (now := time.process_time()) < until:
            for _ in range(10):
                call()
            count += 10
        best = min(best, (now - began) / count)
    return best * 1000


def signature_ms(seconds: float = 0.5) -> float:
    """CPU milliseconds of one signature."""
    key = generate_private_key(public_exponent=65537, key_size=2048)
    return cpu_ms(lambda: key.sign(_TEXT, PKCS1v15(), SHA256()), seconds=seconds)


async def run(setting: Setting) -> dict[str, list[Figure]]:
    """Signing and verifying with ``cryptography`` alone."""
    key = generate_private_key(public_exponent=65537, key_size=2048)
    public, signature = key.public_key(), key.sign(_TEXT, PKCS1v15(), SHA256())
    seconds = setting.sizes.seconds / 2
    sign = cpu_ms(lambda: key.sign(_TEXT, PKCS1v15(), SHA256()), seconds=seconds)
    verify = cpu_ms(lambda: public.verify(signature, _TEXT, PKCS1v15(), SHA256()), seconds=seconds)
    return {
        "signatures": [
            Figure("RSA-2048 signatures", sign, detail={"per_cpu_second": round(1000 / sign)}),
            Figure("RSA-2048 verifications", verify, detail={"per_cpu_second": round(1000 / verify)}),
        ]
    }
