"""Passwords: argon2id over the NFC form, so that é is é on every keyboard.

Hashing takes tens of milliseconds by design. It is never done inside a transaction: edges call these functions with
``await asyncio.to_thread(…)``.
"""

from __future__ import annotations

import unicodedata
from typing import Final

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError

from fediverse.errors import Invalid

MIN_LENGTH: Final = 8
MAX_LENGTH: Final = 256

# RFC 9106's second recommended option, with less memory (19 MiB, OWASP's figure): two at once stay affordable on a
# small machine.
_hasher = PasswordHasher(time_cost=2, memory_cost=19_456, parallelism=1)
_DUMMY: Final = _hasher.hash("nobody has this password")


def check(password: str) -> str:
    """The password in the form that is hashed.

    Raises Invalid when it is shorter than 8 or longer than 256 characters, or holds a NUL.
    """
    # Before anything is done with it: normalising a megabyte would be work for nothing.
    if len(password) > MAX_LENGTH:
        raise Invalid(f"The password is too long: use at most {MAX_LENGTH} characters.")
    password = unicodedata.normalize("NFC", password)
    if len(password) < MIN_LENGTH:
        raise Invalid(f"The password is too short: use at least {MIN_LENGTH} characters.")
    if "\x00" in password:
        raise Invalid("The password holds a character that cannot be typed. Choose another one.")
    return password


def hash_password(password: str) -> str:
    """What is stored of a password, with a salt of its own. Raises Invalid as ``check`` does."""
    return _hasher.hash(check(password))


def verify(stored: str, password: str) -> bool:
    """Whether ``password`` is the one that ``stored`` was made of.

    An empty ``stored`` (nobody of that name, or no password yet) takes as long as any other and is never right.
    """
    right = True
    if len(password) > MAX_LENGTH:
        password, right = "", False
    try:
        _hasher.verify(stored or _DUMMY, unicodedata.normalize("NFC", password))
    except (VerificationError, InvalidHashError):
        return False
    return right and bool(stored)


def needs_rehash(stored: str) -> bool:
    """Whether ``stored`` was made with other costs than are used now; rehash at the next sign-in."""
    return _hasher.check_needs_rehash(stored)
