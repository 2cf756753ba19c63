"""The identity and the display of names: hashtags, host names, handles.

Hosts: RFC 5890–5892 (IDNA 2008) with the UTS #46 mapping; what is shown follows the idea of UTS #39, that a label is
shown in Unicode only when it is of one script and could not be taken for a Latin one.
"""

from __future__ import annotations

import ipaddress
import unicodedata
from functools import lru_cache
from typing import Final

import idna
import regex

from fediverse.errors import BadRequest

_MAX_HOST: Final = 253  # RFC 1035 §2.3.4, without the trailing dot
_PORT = regex.compile(r":([0-9]{1,5})\Z")
_LABEL = regex.compile(r"[a-z0-9_](?:[a-z0-9_-]{0,61}[a-z0-9_])?")
# A host whose last label is a number is an IPv4 address to every URL parser (WHATWG URL §3.5), in whatever spelling.
_NUMERIC_END = regex.compile(r"(?:\A|\.)(?:[0-9]+|0x[0-9a-f]*)\Z")
_USERNAME = regex.compile(r"[A-Za-z0-9_](?:[A-Za-z0-9_.-]*[A-Za-z0-9_])?")

_SAFE_LATIN: Final = r"a-z\u00DF-\u0130\u0132-\u0137\u0139-\u017E\u0218-\u021B\u1E00-\u1EFF"
_CJK: Final = r"\p{Han}\p{Hiragana}\p{Katakana}\p{Bopomofo}\u30FC\u3005-\u3007"
# Scripts in common modern use whose letters are not taken for Latin ones (UTS #31, table 5, without the look-alikes).
_OTHER_SCRIPTS: Final = (
    "Arabic", "Bengali", "Devanagari", "Ethiopic", "Georgian", "Gujarati", "Gurmukhi", "Hangul", "Hebrew", "Kannada",
    "Khmer", "Lao", "Malayalam", "Myanmar", "Oriya", "Sinhala", "Tamil", "Telugu", "Thaana", "Thai", "Tibetan",
)  # fmt: skip
# Scripts with look-alikes need one letter that is not one of these.
_LOOK_ALIKES: Final = {
    "Cyrillic": "асԁеһіјӏорԛѕԝхуъьҽпгѵѡ",
    "Greek": "αγηικνορτυχωϲϳ",
    "Armenian": "ոսցօհք",
}
_SHOWABLE = regex.compile(
    "|".join(
        [
            rf"[{_SAFE_LATIN}0-9-]+",
            rf"[{_CJK}0-9-]+",
            *(rf"[\p{{{script}}}0-9-]+" for script in _OTHER_SCRIPTS),
            *(rf"(?=[^.]*[^{alike}0-9-])[\p{{{script}}}0-9-]+" for script, alike in _LOOK_ALIKES.items()),
        ]
    )
)


@lru_cache(maxsize=8192)
def fold_tag(name: str) -> str:
    """The identity of a hashtag, without its sign: two spellings of one tag give the same string.

    This is Unicode's compatibility caseless matching (D146 of chapter 3): NFKC and case folding.
    """
    if name.isascii():
        return name.lower()
    once = unicodedata.normalize("NFKC", unicodedata.normalize("NFD", name).casefold())
    return unicodedata.normalize("NFKC", once.casefold())


@lru_cache(maxsize=8192)
def fold_host(host: str) -> str:
    """The identity of a host, with its port if that is not 80 or 443: lower case, A-labels, no trailing dot.

    Full-width letters and dots are mapped (UTS #46). Ports 80 and 443 go because no scheme stands in a handle: there
    they are never more than the default. IPv4 is taken as four decimal numbers only, IPv6 in brackets.

    Raises BadRequest when it is not a host.
    """
    name = host.strip()
    if len(name) > _MAX_HOST * 2:  # before anything that is not linear; U-labels are shorter than their A-labels
        raise _not_a_host(host)
    name, port = _split_port(name.replace("\uff1a", ":"), host)
    if name.startswith("["):
        return _fold_ipv6(name, host) + port
    name = _to_ascii(name, host).removesuffix(".")
    if not name or len(name) > _MAX_HOST:
        raise _not_a_host(host)
    if _NUMERIC_END.search(name):
        try:
            return str(ipaddress.IPv4Address(name)) + port
        except ValueError as error:
            raise _not_a_host(host) from error
    if not all(_LABEL.fullmatch(label) for label in name.split(".")):
        raise _not_a_host(host)
    return name + port


def _split_port(name: str, host: str) -> tuple[str, str]:
    found = _PORT.search(name)
    if found is None:
        return name, ""
    number = int(found[1])
    if not 0 < number < 65536:
        raise _not_a_host(host)
    return name[: found.start()], "" if number in (80, 443) else f":{number}"


def _fold_ipv6(name: str, host: str) -> str:
    try:
        if not name.endswith("]") or "%" in name:
            raise ValueError
        return f"[{ipaddress.IPv6Address(name[1:-1])}]"
    except ValueError as error:
        raise _not_a_host(host) from error


def _to_ascii(name: str, host: str) -> str:
    if name.isascii():
        return name.lower()
    try:
        mapped = idna.uts46_remap(name, std3_rules=False, transitional=False)
        if mapped.isascii():
            return mapped.lower()
        return idna.encode(mapped).decode("ascii")
    except (idna.IDNAError, UnicodeError) as error:
        raise _not_a_host(host) from error


def _not_a_host(host: str) -> BadRequest:
    return BadRequest(f"“{host[:100]!s}” is not the name of a server. A name looks like example.org.")


@lru_cache(maxsize=8192)
def display_host(host: str) -> str:
    """The host as people read it: in Unicode where each label is of one script and unlike Latin, else as A-labels.

    ``host`` is as ``fold_host`` gave it.
    """
    if "xn--" not in host:
        return host
    name, colon, port = host.partition(":")
    return ".".join(_display_label(label) for label in name.split(".")) + colon + port


def _display_label(label: str) -> str:
    if not label.startswith("xn--"):
        return label
    try:
        shown = idna.decode(label)
    except (idna.IDNAError, UnicodeError):
        return label
    return shown if _SHOWABLE.fullmatch(shown) else label


def split_handle(handle: str) -> tuple[str, str | None]:
    """The user name and the folded host of ``@user@host``, ``user@host``, ``acct:user@host``, ``@user`` or ``user``.

    The host is None where there is none. The user name keeps its case.

    Raises BadRequest when it is not a handle.
    """
    rest = handle.strip()
    if rest[:5].lower() == "acct:":
        rest = rest[5:]
    username, at, host = rest.removeprefix("@").partition("@")
    if not _USERNAME.fullmatch(username):
        raise BadRequest(f"“{handle[:100]}” is not a handle. A handle looks like @name@example.org.")
    return username, fold_host(host) if at else None
