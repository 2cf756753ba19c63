"""Videos, animated GIFs and sounds: looked into, and made into files that every browser plays.

What browsers play already is packed anew without touching its frames: H.264 with AAC in MP4, MP3, AAC. Everything
else is encoded. Places, names, covers, subtitles and tracks of sensor data stay behind either way, since only the first
picture track and the first sound track are taken along.

Imported in the process that decodes only: FFmpeg's libraries are large.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from contextlib import contextmanager
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, cast

import av
from av.stream import Disposition

from fediverse.decoding import stills
from fediverse.decoding.limits import (
    AUDIO_SECONDS,
    CLIP_BYTES,
    CLIP_PIXELS,
    ENCODED_FRAME_RATE,
    ENCODED_PIXELS,
    FRAME_RATE,
    GIF_FRAMES,
    GIF_WORK,
    SMALL_PIXELS,
    VIDEO_SECONDS,
)
from fediverse.errors import Invalid

if TYPE_CHECKING:
    from av.audio.stream import AudioStream
    from av.container import InputContainer, OutputContainer
    from av.video.frame import VideoFrame
    from av.video.stream import VideoStream
    from PIL.Image import Image

BROKEN: Final = "This file is damaged and cannot be played. Save it anew in a video or sound editor, then send that."
_NOTHING: Final = "There is neither a picture nor a sound in this file that can be played."
_TOO_LONG: Final = (
    f"A video may last {VIDEO_SECONDS // 60} minutes, a sound {AUDIO_SECONDS // 60}. Cut it shorter and try again."
)
_TOO_LARGE: Final = "The video has more than 3840x2160 points. Save it smaller and try again."
_TOO_FAST: Final = f"The video has more than {FRAME_RATE} pictures a second. Save it with fewer and try again."
_TOO_MANY_FRAMES: Final = "This GIF has too many or too large pictures. Send it as a video instead."

# Of the playlists that FFmpeg knows, none; of files, the one that is opened.
_OPEN: Final = {"protocol_whitelist": "file", "probesize": "20000000", "analyzeduration": "10000000"}
_PLAYED_PROFILES: Final = frozenset({"Constrained Baseline", "Baseline", "Main", "High"})
_PLAYED_PIXELS: Final = frozenset({"yuv420p", "yuvj420p"})
_AUDIO_RATE: Final = 128_000
_VIDEO_RATE: Final = 4_000_000
_LEAST_VIDEO_RATE: Final = 200_000


def inspect(source: Path, reader: str, folder: Path) -> dict[str, Any]:
    """What the clip is and what becomes of it; its preview, where it has one, is in the folder."""
    with _mended(), _opened(source, reader) as container:
        film, sound, cover = _tracks(container)
        if film is None and sound is None:
            raise Invalid(_NOTHING)
        found: dict[str, Any] = {"type": "video" if film is not None else "audio", "video": None, "audio": None}
        if reader == "gif":
            assert film is not None
            found |= {"type": "gifv", "duration": _check_gif(container, film)}
        else:
            found["duration"] = _check_length(_duration(container, film or sound), film is not None)
        if film is not None:
            _check_frames(film)
            found["video"] = "copy" if _plays(film) else "encode"
        if sound is not None:
            found["audio"] = "copy" if _name(sound) in ("aac", "mp3") else "encode"
        found["extension"] = _settle_on(found, sound)
        shown = film or cover
        index = None if shown is None else shown.index
    if index is not None:
        with _mended():
            picture, found["rotation"] = _first_picture(source, reader, index)
            found |= stills.preview(picture, folder)
    return found


def is_animated(source: Path) -> bool:
    """Whether a GIF has more than one picture."""
    with _mended(), _opened(source, "gif") as container:
        packets = (packet for packet in container.demux(video=0) if packet.size)
        return next(packets, None) is not None and next(packets, None) is not None


def convert(source: Path, reader: str, target: Path, found: dict[str, Any]) -> dict[str, Any]:
    """The clip is at ``target``, as ``inspect`` planned; returns what there is to know of it."""
    kind = {"mp4": "mp4", "m4a": "ipod", "mp3": "mp3"}[found["extension"]]
    options = {"movflags": "+faststart"} if kind != "mp3" else {"write_id3v1": "0", "id3v2_version": "0"}
    with _mended(), _opened(source, reader) as container:
        film, sound, _ = _tracks(container)
        with av.open(str(target), "w", format=kind, options=options) as out:
            tracks: list[Any] = []
            if found["video"] and film is not None:
                tracks.append(_copied(out, film) if found["video"] == "copy" else _Film(out, film, found))
            if found["audio"] and sound is not None and found["type"] != "gifv":
                tracks.append(_copied(out, sound) if found["audio"] == "copy" else _Sound(out, sound, found))
            _run(container, out, tracks, VIDEO_SECONDS if film is not None else AUDIO_SECONDS)
    return _described(target, kind)


class _Copied:
    """A track whose packets go over as they are."""

    def __init__(self, source: Any, target: Any) -> None:
        self.source, self._target = source, target
        self._waiting: list[Any] | None = []  # for the first time of decoding that is known

    def packets(self, packet: Any) -> Iterator[Any]:
        if not packet.size:
            return
        packet.stream = self._target
        if self._waiting is not None:
            if packet.dts is None:
                self._waiting.append(packet)
                return
            yield from self._begin(packet.dts)
        if packet.dts is not None:
            yield packet

    def rest(self) -> Iterator[Any]:
        if self._waiting:
            yield from self._begin(self._waiting[0].pts)

    def _begin(self, known: int) -> Iterator[Any]:
        """Those packets whose time of decoding Matroska leaves out, at their distance before the first known one."""
        waiting, self._waiting = self._waiting or [], None
        step = round(1 / ((self.source.average_rate or 25) * self.source.time_base)) if waiting else 0
        for number, packet in enumerate(waiting):
            packet.dts = known - step * (len(waiting) - number)
            yield packet


class _Film:
    """A picture track that is encoded anew: H.264, of a size and rate that phones play."""

    def __init__(self, out: OutputContainer, film: VideoStream, found: dict[str, Any]) -> None:
        self.source = film
        film.thread_type = "AUTO"
        film.codec_context.thread_count = 2
        rate = min(film.average_rate or Fraction(25), Fraction(ENCODED_FRAME_RATE)).limit_denominator(60_000)
        self._rate = rate
        bits = _video_rate(found)
        self._track = out.add_stream(
            "libx264",
            rate=rate,
            options={"preset": "veryfast", "crf": "23", "maxrate": str(bits), "bufsize": str(bits * 2)},
        )
        self._track.codec_context.thread_count = 2
        self._track.pix_fmt = "yuv420p"
        self._turns = {90: ["transpose=cclock"], 180: ["hflip", "vflip"], 270: ["transpose=clock"]}.get(
            found["rotation"], []
        )
        across, down = film.codec_context.width, film.codec_context.height
        across = max(1, round(across * (film.sample_aspect_ratio or 1)))  # points that are not square
        size = (down, across) if len(self._turns) == 1 else (across, down)
        # Set before the first packet of any track is written, which opens all encoders.
        self._track.width, self._track.height = _fitted(*size, ENCODED_PIXELS)
        self._graph: Any = None
        self._shape: object = None
        self._last = -1

    def packets(self, packet: Any) -> Iterator[Any]:
        for frame in packet.decode():
            shape = (frame.width, frame.height, frame.format.name)
            if shape != self._shape:
                yield from self._drained()
                self._graph, self._shape = self._begin(frame), shape
            self._graph.vpush(frame)
            yield from self._filtered()

    def rest(self) -> Iterator[Any]:
        yield from self._drained()
        yield from self._track.encode(None)

    def _drained(self) -> Iterator[Any]:
        if self._graph is not None:
            self._graph.vpush(None)
            yield from self._filtered()

    def _begin(self, frame: VideoFrame) -> Any:
        """The way of a frame: turned upright, made smaller, in the colours and at the rate of the encoder."""
        graph = av.filter.Graph()
        graph.threads = 1
        node = graph.add_buffer(
            width=frame.width, height=frame.height, format=frame.format, time_base=self.source.time_base
        )
        size = f"{self._track.width}:{self._track.height}"
        steps = [*self._turns, f"scale={size}", "setsar=1", f"fps={self._rate}", "format=yuv420p", "buffersink"]
        for step in steps:
            name, _, arguments = step.partition("=")
            following = graph.add(name, arguments or None)
            node.link_to(following)
            node = following
        graph.configure()
        return graph

    def _filtered(self) -> Iterator[Any]:
        while True:
            try:
                frame = self._graph.vpull()
            except (av.error.BlockingIOError, av.error.EOFError):
                return
            frame.pict_type = 0
            if frame.pts is None or frame.pts <= self._last:  # what runs backwards cannot be encoded
                continue
            self._last = frame.pts
            yield from self._track.encode(frame)


class _Sound:
    """A sound track that is encoded anew: AAC beside pictures, MP3 alone."""

    def __init__(self, out: OutputContainer, sound: AudioStream, found: dict[str, Any]) -> None:
        self.source = sound
        codec = "libmp3lame" if found["extension"] == "mp3" else "aac"
        rate = sound.codec_context.sample_rate
        rate = rate if rate in (44_100, 48_000) else 48_000
        self._track = cast("AudioStream", out.add_stream(codec, rate=rate))
        self._track.codec_context.layout = "mono" if sound.codec_context.channels == 1 else "stereo"
        self._track.codec_context.bit_rate = _AUDIO_RATE

    def packets(self, packet: Any) -> Iterator[Any]:
        for frame in packet.decode():
            yield from self._track.encode(frame)

    def rest(self) -> Iterator[Any]:
        yield from self._track.encode(None)


def _run(container: InputContainer, out: OutputContainer, tracks: list[Any], most: int) -> None:
    """All packets of the tracks have gone their way."""
    by_stream = {track.source.index: track for track in tracks}
    for packet in container.demux([track.source for track in tracks]):
        if packet.pts is not None and packet.time_base and packet.pts * packet.time_base > most + 60:
            raise Invalid(_TOO_LONG)
        for made in by_stream[packet.stream_index].packets(packet):
            out.mux(made)
    for track in tracks:
        for made in track.rest():
            out.mux(made)


def _copied(out: OutputContainer, source: Any) -> _Copied:
    target = out.add_stream_from_template(source)
    target.metadata.clear()
    return _Copied(source, target)


def _described(target: Path, kind: str) -> dict[str, Any]:
    """What there is to know of a file that was made here."""
    with _opened(target, "mp3" if kind == "mp3" else "mov") as made:
        film, sound, _ = _tracks(made)
        found: dict[str, Any] = {
            "size": target.stat().st_size,
            "duration": round((made.duration or 0) / av.time_base, 2),
            "bitrate": made.bit_rate or 0,
        }
        if film is not None:
            frame = next(made.decode(film))
            turned = frame.rotation % 180 != 0
            found["width"], found["height"] = (film.height, film.width) if turned else (film.width, film.height)
            rate = film.average_rate or Fraction(0)
            found["frame_rate"] = f"{rate.numerator}/{rate.denominator}"
        if sound is not None:
            found["audio_encode"] = _name(sound)
            found["audio_bitrate"] = f"{sound.codec_context.sample_rate} Hz"
            found["audio_channels"] = sound.codec_context.layout.name
    return found


def _tracks(container: InputContainer) -> tuple[VideoStream | None, AudioStream | None, VideoStream | None]:
    """The first picture track, the first sound track, and the picture of a cover."""
    covers = [s for s in container.streams.video if s.disposition & Disposition.attached_pic]
    films = [s for s in container.streams.video if not s.disposition & Disposition.attached_pic]
    sounds = [s for s in container.streams.audio if s.codec_context is not None]
    return next(iter(films), None), next(iter(sounds), None), next(iter(covers), None)


def _duration(container: InputContainer, track: Any) -> float:
    """Seconds, as the file says; counted where it says nothing, as recordings of browsers do."""
    if container.duration:
        return container.duration / av.time_base
    last = 0.0
    for packet in container.demux(track):
        if packet.pts is not None and packet.time_base:
            last = max(last, float((packet.pts + (packet.duration or 0)) * packet.time_base))
            if last > AUDIO_SECONDS:
                break
    return last


def _check_length(seconds: float, is_video: bool) -> float:
    if not 0 <= seconds <= (VIDEO_SECONDS if is_video else AUDIO_SECONDS):
        raise Invalid(_TOO_LONG)
    return round(seconds, 2)


def _check_frames(film: VideoStream) -> None:
    context = film.codec_context
    if context.width < 1 or context.height < 1:
        raise Invalid(BROKEN)
    if context.width * context.height > CLIP_PIXELS:
        raise Invalid(_TOO_LARGE)
    if (film.average_rate or 0) > FRAME_RATE:
        raise Invalid(_TOO_FAST)


def _check_gif(container: InputContainer, film: VideoStream) -> float:
    """The seconds that a GIF lasts. Raises Invalid for one that takes too long to decode."""
    _check_frames_of_gif(1, film)
    seconds, count = 0.0, 0
    for packet in container.demux(film):
        if packet.size:
            count += 1
            seconds += float((packet.duration or 0) * (packet.time_base or 0))
            _check_frames_of_gif(count, film)
    return _check_length(seconds, True)


def _check_frames_of_gif(count: int, film: VideoStream) -> None:
    if count > GIF_FRAMES or count * film.codec_context.width * film.codec_context.height > GIF_WORK:
        raise Invalid(_TOO_MANY_FRAMES)


def _plays(film: VideoStream) -> bool:
    """Whether every browser plays these frames as they are."""
    context = film.codec_context
    return context.name == "h264" and film.profile in _PLAYED_PROFILES and (context.pix_fmt or "") in _PLAYED_PIXELS


def _settle_on(found: dict[str, Any], sound: AudioStream | None) -> str:
    """The kind of file that the plan ends in; sound that does not belong into one is encoded."""
    if found["type"] != "audio":
        if sound is not None and _name(sound) != "aac":
            found["audio"] = "encode"
        return "mp4"
    if sound is not None and _name(sound) == "aac":
        return "m4a"
    return "mp3"


def _name(sound: AudioStream) -> str:
    """The sound's codec, by whichever decoder it is read."""
    return "mp3" if sound.codec_context.name.startswith("mp3") else sound.codec_context.name


def _first_picture(source: Path, reader: str, index: int) -> tuple[Image, int]:
    """The first picture of a track, upright and small; and by how much the track is turned."""
    with _opened(source, reader) as container:
        track = container.streams[index]
        track.codec_context.thread_count = 1
        for frame in container.decode(track):
            assert isinstance(frame, av.VideoFrame)
            width, height = _fitted(frame.width, frame.height, SMALL_PIXELS, even=False)
            image: Image = frame.reformat(width=width, height=height, format="rgb24").to_image()  # type: ignore[no-untyped-call]
            turn = round(frame.rotation / 90) * 90 % 360
            return image.rotate(turn, expand=True), turn
    raise Invalid(BROKEN)


def _fitted(width: int, height: int, pixels: int, *, even: bool = True) -> tuple[int, int]:
    """A size of the same proportions with at most so many points; H.264 wants even numbers."""
    scale = min(1.0, math.sqrt(pixels / (width * height)))
    step = 2 if even else 1
    return tuple(max(step, int(side * scale) // step * step) for side in (width, height))  # type: ignore[return-value]


def _video_rate(found: dict[str, Any]) -> int:
    """Bits a second at which the file stays below the limit of uploads, however long it is."""
    whole = CLIP_BYTES * 8 * 0.9 / max(1.0, found["duration"])
    return int(max(_LEAST_VIDEO_RATE, min(_VIDEO_RATE, whole - _AUDIO_RATE)))


@contextmanager
def _opened(source: Path, reader: str) -> Iterator[InputContainer]:
    with av.open(str(source), format=reader, options=_OPEN) as container:
        yield container


@contextmanager
def _mended() -> Iterator[None]:
    """What FFmpeg raises for a file that it cannot read becomes a sentence."""
    try:
        yield
    except (av.error.FFmpegError, ValueError, MemoryError, OverflowError, StopIteration) as error:
        raise Invalid(BROKEN) from error
