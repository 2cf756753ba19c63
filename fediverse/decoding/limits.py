"""How large, long and demanding a file may be."""

from __future__ import annotations

from typing import Final

HEAD_BYTES: Final = 64
"""How many of its first bytes tell what a file is."""

PICTURE_BYTES: Final = 16 * 1024 * 1024
CLIP_BYTES: Final = 40 * 1024 * 1024
"""Bytes of a video or a sound."""

PICTURE_PIXELS: Final = 33_177_600
"""Pixels of a picture that is taken (8K)."""

WEBP_PIXELS: Final = PICTURE_PIXELS // 2
"""The same for WebP, whose decoder keeps it in memory several times."""

SHOWN_PIXELS: Final = 3840 * 2160
"""Pixels of a picture as it is kept: larger ones are made smaller."""

SMALL_PIXELS: Final = 640 * 360
"""Pixels of a preview."""

CLIP_PIXELS: Final = 3840 * 2160
"""Pixels of a frame of a video that is taken."""

ENCODED_PIXELS: Final = 1920 * 1080
"""Pixels of a frame of a video that is encoded anew."""

FRAME_RATE: Final = 120
ENCODED_FRAME_RATE: Final = 60
VIDEO_SECONDS: Final = 10 * 60
AUDIO_SECONDS: Final = 60 * 60

GIF_FRAMES: Final = 3_000
GIF_WORK: Final = 2_000_000_000
"""Pixels of all frames of an animated GIF together."""
