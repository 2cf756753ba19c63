"""What a file is by its first bytes. Names and declared types are never believed."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, Literal

_AVIF: Final = frozenset({b"avif", b"avis"})
_HEIC: Final = frozenset({b"heic", b"heix", b"heim", b"heis"})
_HEIF: Final = frozenset({b"mif1", b"msf1"})
_SOUND: Final = frozenset({b"M4A ", b"M4B ", b"F4A "})
_MOV: Final = "mov"

_BEGINNINGS: Final = (
    (b"\xff\xd8\xff", "picture", "JPEG", "image/jpeg"),
    (b"\x89PNG\r\n\x1a\n", "picture", "PNG", "image/png"),
    (b"GIF87a", "picture", "GIF", "image/gif"),
    (b"GIF89a", "picture", "GIF", "image/gif"),
    (b"\x1a\x45\xdf\xa3", "clip", "matroska", "video/webm"),
    (b"OggS", "clip", "ogg", "audio/ogg"),
    (b"fLaC", "clip", "flac", "audio/flac"),
    (b"ID3", "clip", "mp3", "audio/mpeg"),
)


@dataclass(frozen=True, slots=True)
class Found:
    """What a file begins as: its family, the name by which Pillow or FFmpeg read it, and the type it is served as."""

    family: Literal["picture", "clip"]
    reader: str
    media_type: str


def sniff(head: bytes) -> Found | None:
    """What a file with these first bytes is; None for what is not taken, such as SVG, HTML and playlists."""
    for beginning, family, reader, media_type in _BEGINNINGS:
        if head.startswith(beginning):
            return Found("picture" if family == "picture" else "clip", reader, media_type)
    if head[:4] == b"RIFF" and head[8:12] == b"WEBP":
        return Found("picture", "WEBP", "image/webp")
    if head[:4] == b"RIFF" and head[8:12] == b"WAVE":
        return Found("clip", "wav", "audio/wav")
    if head[4:8] == b"ftyp":
        return _iso(head)
    if len(head) > 3 and head[0] == 0xFF and head[1] & 0xE0 == 0xE0:
        return _frames(head)
    return None


def shown_as(head: bytes) -> str | None:
    """The media type under which browsers may be given a file as it is; None for what they are not given."""
    found = sniff(head)
    if found is None or found.reader == "HEIF":
        return None
    return found.media_type


def _iso(head: bytes) -> Found:
    """A file in boxes (ISO 14496-12), by its brands: a picture (HEIF) or a film."""
    size = int.from_bytes(head[:4])
    major, others = head[8:12], {head[i : i + 4] for i in range(16, min(size, len(head)) - 3, 4)}
    if major in _AVIF or (major in _HEIF and others & _AVIF):
        return Found("picture", "AVIF", "image/avif")
    if major in _HEIC or major in _HEIF:
        return Found("picture", "HEIF", "image/heic")
    return Found("clip", _MOV, "audio/mp4" if major in _SOUND else "video/mp4")


def _frames(head: bytes) -> Found | None:
    """A bare stream of MPEG sound frames: MP3, or AAC (ADTS)."""
    if head[1] & 0xF6 == 0xF0:
        return Found("clip", "aac", "audio/aac")
    layer, bitrate, rate = head[1] >> 1 & 3, head[2] >> 4, head[2] >> 2 & 3
    return Found("clip", "mp3", "audio/mpeg") if layer == 1 and bitrate not in (0, 15) and rate != 3 else None
