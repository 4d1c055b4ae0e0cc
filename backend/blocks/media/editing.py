"""What is done to media, by FFmpeg, in a worker process: measured, looped, given another sound.

Files are people's: only formats that hold media themselves are read, none that name other files or
addresses.
"""

import heapq
import os
from collections.abc import Iterable, Iterator
from contextlib import ExitStack, contextmanager
from fractions import Fraction
from importlib import import_module
from pathlib import Path
from typing import Any, Final

from backend.sdk import TooLarge

_FORMATS: Final = (
    "3gp,aac,aiff,asf,avi,caf,flac,flv,gif,ivf,matroska,mov,mp3,mp4,mpeg,mpegts,ogg,wav,webm"
)
#: No address is opened, whatever a file says.
_NOWHERE: Final = {"format_whitelist": _FORMATS, "protocol_whitelist": "none"}
_IN_WEBM: Final = frozenset({"vp8", "vp9", "av1", "opus", "vorbis"})
_IN_MP4: Final = frozenset(
    {"h264", "hevc", "av1", "vp9", "mpeg4", "mpeg2video", "aac", "mp3", "ac3", "alac", "opus"}
)
_MEDIA_TYPES: Final = {
    "mp4": "video/mp4",
    "mov": "video/quicktime",
    "webm": "video/webm",
    "matroska": "video/x-matroska",
}
_MEGABYTE: Final = 1024 * 1024
#: How a sound is encoded that cannot be copied.
_BITS_PER_S: Final = 160_000
_RATE: Final = 48_000


def duration_of(place: str, kind: str) -> float:
    """Return the seconds of the file's first stream of *kind*, ``video`` or ``audio``."""
    with ExitStack() as stack:
        source = _opened(stack, place)
        return float(_length(source, [_first(source, kind)]))


def looped(place: str, made: str, wanted: dict[str, Any]) -> dict[str, str]:
    """
    Write the video at *place* again and again to *made*; return its format and media type.

    Nothing is encoded anew: the end is at a frame, the first one that begins at the wanted time.

    Args:
        place: The file.
        made: The file to be.
        wanted: ``duration`` in seconds or else ``loops``, and the limits ``most_s`` and
            ``most_bytes``.
    """
    with ExitStack() as stack:
        source = _opened(stack, place)
        streams = _video_and_sound(source)
        length = _length(source, streams)
        if length <= 0:
            raise ValueError("the video has no length, so that it cannot be looped")
        total = _total(length, wanted)
        name = _format_for(source.format.name, streams)
        target = _Target(stack, made, name, wanted["most_bytes"])
        outs = {stream.index: target.like(stream) for stream in streams}
        begin = _begin(streams)
        offset = Fraction(0)
        while offset < total:
            source.seek(0)
            for time, packet in _timed(source, streams):
                at = time - begin + offset
                if at < total:
                    target.put(packet, outs[packet.stream.index], offset - begin)
            offset += length
        return target.finish()


def with_sound(video: str, audio: str, made: str, wanted: dict[str, Any]) -> dict[str, str]:
    """
    Write the pictures of *video* with the sound of *audio*; return its format and media type.

    The sound ends with the pictures. It is copied, unless its volume changes or the format of the
    video cannot hold it.

    Args:
        video: The file with the pictures.
        audio: The file with the sound, which may be a video.
        made: The file to be.
        wanted: ``volume``, a factor, and the limits ``most_s`` and ``most_bytes``.
    """
    with ExitStack() as stack:
        seen, heard = _opened(stack, video), _opened(stack, audio)
        pictures, sound = _first(seen, "video"), _first(heard, "audio")
        length = _length(seen, [pictures])
        _require_time(length, wanted)
        name = _format_for(seen.format.name, [pictures])
        target = _Target(stack, made, name, wanted["most_bytes"])
        out_pictures = target.like(pictures)
        if wanted["volume"] == 1 and _holds(name, sound):
            out_sound = target.like(sound)
            packets = _timed(heard, [sound])
        else:
            out_sound = target.sound()
            packets = _encoded(heard, sound, out_sound, wanted["volume"], length)
        begin = _begin([pictures])
        both = heapq.merge(
            ((time - begin, out_pictures, packet) for time, packet in _timed(seen, [pictures])),
            ((time, out_sound, packet) for time, packet in packets if time < length),
            key=lambda one: one[0],
        )
        for _, out, packet in both:
            target.put(packet, out, -begin if out is out_pictures else Fraction(0))
        return target.finish()


class _Target:
    """The file that is made."""

    def __init__(self, stack: ExitStack, place: str, name: str, most_bytes: int) -> None:
        av: Any = import_module("av")
        self._file = stack.enter_context(Path(place).open("w+b"))  # noqa: SIM115 - the stack closes it
        self._container = stack.enter_context(av.open(self._file, "w", format=name))
        self._name = name
        self._most_bytes = most_bytes
        self._last: dict[int, Fraction] = {}

    def like(self, stream: Any) -> Any:
        """Add a stream for packets of *stream* as they are."""
        return self._container.add_stream_from_template(stream)

    def sound(self) -> Any:
        """Add a stream for sound that is encoded here."""
        codec = "libopus" if self._name == "webm" else "aac"
        return self._container.add_stream(codec, rate=_RATE, bit_rate=_BITS_PER_S, layout="stereo")

    def put(self, packet: Any, stream: Any, shift: Fraction) -> None:
        """Write *packet*, *shift* seconds later."""
        ticks = round(shift / packet.time_base)
        if packet.pts is not None:
            packet.pts += ticks
        if packet.dts is not None:
            packet.dts += ticks
            last = self._last.get(stream.index)
            if last is not None and packet.dts * packet.time_base <= last:
                # A sound may begin with some that nobody hears; there it overlaps the round before.
                return
            self._last[stream.index] = packet.dts * packet.time_base
        packet.stream = stream
        self._container.mux(packet)
        self._require_size(self._file.tell())

    def finish(self) -> dict[str, str]:
        """Write what stands at the end; return what the file is."""
        self._container.close()
        self._require_size(self._file.seek(0, os.SEEK_END))
        ending = "mkv" if self._name == "matroska" else self._name
        return {"ending": ending, "media_type": _MEDIA_TYPES[self._name]}

    def _require_size(self, size: int) -> None:
        if size > self._most_bytes:
            most = self._most_bytes / _MEGABYTE
            raise TooLarge(f"the video becomes larger than {most:g} MB (setting MAX_FILE_SIZE_MB)")


def _opened(stack: ExitStack, place: str) -> Any:
    av: Any = import_module("av")
    stack.enter_context(_in_words(av.FFmpegError))
    return stack.enter_context(
        av.open(stack.enter_context(Path(place).open("rb")), options=_NOWHERE)
    )


@contextmanager
def _in_words(error: type[Exception]) -> Iterator[None]:
    try:
        yield
    except error as exc:
        raise ValueError(f"this is no media file that can be read: {exc.args[1]}") from exc


def _first(source: Any, kind: str) -> Any:
    """Return the first stream of *kind*; a picture of a record's cover is no video."""
    for stream in source.streams:
        if stream.type == kind and not _is_cover(stream):
            return stream
    hint = ": set is_video to false for a sound" if kind == "video" else ""
    raise ValueError(f"the file has no {kind}{hint}")


def _is_cover(stream: Any) -> bool:
    return bool(stream.disposition & stream.disposition.attached_pic)


def _video_and_sound(source: Any) -> list[Any]:
    _first(source, "video")
    return [s for s in source.streams if s.type in ("video", "audio") and not _is_cover(s)]


def _length(source: Any, streams: list[Any]) -> Fraction:
    """Return the seconds of *streams*: what they say, or else what is in them."""
    said = [s.duration * s.time_base for s in streams if s.duration]
    if len(said) == len(streams):
        return Fraction(max(said))
    begin = end = _begin(streams)
    for time, packet in _timed(source, streams):
        shown = time if packet.pts is None else packet.pts * packet.time_base
        end = max(end, shown + (packet.duration or 0) * packet.time_base)
    source.seek(0)
    return Fraction(end - begin)


def _begin(streams: list[Any]) -> Fraction:
    """Return when *streams* begin, which is not always at zero."""
    return min(
        (Fraction(s.start_time * s.time_base) for s in streams if s.start_time is not None),
        default=Fraction(0),
    )


def _timed(source: Any, streams: list[Any]) -> Iterator[tuple[Fraction, Any]]:
    """Yield the packets with the seconds at which each is decoded."""
    waiting: dict[int, list[Any]] = {}
    for packet in source.demux(streams):
        before = waiting.setdefault(packet.stream.index, [])
        if packet.size and packet.dts is None:
            before.append(packet)
            continue
        # Some formats do not say when the first are decoded; the first that says so tells it.
        for steps, earlier in enumerate(reversed(before), 1):
            known = earlier.pts or 0 if packet.dts is None else packet.dts
            earlier.dts = known - (0 if packet.dts is None else steps * (earlier.duration or 1))
        ready = before if packet.size == 0 else [*before, packet]  # an empty one marks the end
        waiting[packet.stream.index] = []
        yield from ((Fraction(one.dts * one.time_base), one) for one in ready)


def _encoded(
    source: Any, stream: Any, out: Any, volume: float, length: Fraction
) -> Iterator[tuple[Fraction, Any]]:
    """Yield *stream*'s sound, louder or softer, as packets for *out*, up to *length*."""
    for frame in _louder(source, stream, volume):
        if frame.time is not None and frame.time >= length:
            break
        yield from _with_times(out.encode(frame))
    yield from _with_times(out.encode(None))


def _with_times(packets: Iterable[Any]) -> Iterator[tuple[Fraction, Any]]:
    for packet in packets:
        yield Fraction((packet.dts or 0) * packet.time_base), packet


def _louder(source: Any, stream: Any, volume: float) -> Iterator[Any]:
    graph: Any = import_module("av.filter").Graph()
    graph.link_nodes(
        graph.add_abuffer(template=stream),
        graph.add("volume", f"{volume:.6f}"),
        graph.add("abuffersink"),
    ).configure()
    resampler: Any = import_module("av").AudioResampler(format="fltp", layout="stereo", rate=_RATE)
    for frame in source.decode(stream):
        graph.push(frame)
        yield from resampler.resample(graph.pull())
    yield from resampler.resample(None)


def _format_for(name: str, streams: list[Any]) -> str:
    """Return the format that is closest to *name* and holds *streams*."""
    codecs = {stream.codec_context.name for stream in streams}
    if "mp4" in name.split(","):
        return "mp4" if codecs <= _IN_MP4 else "mov"
    return "webm" if codecs <= _IN_WEBM else "matroska"


def _holds(name: str, stream: Any) -> bool:
    codec = stream.codec_context.name
    return codec in {"webm": _IN_WEBM, "mp4": _IN_MP4}.get(name, {codec})


def _total(length: Fraction, wanted: dict[str, Any]) -> Fraction:
    duration, loops = wanted["duration"], wanted["loops"]
    total = Fraction(duration) if duration else length * loops
    _require_time(total, wanted)
    return total


def _require_time(total: Fraction, wanted: dict[str, Any]) -> None:
    if total > wanted["most_s"]:
        raise TooLarge(
            f"the video would be {float(total):.0f} s long, and {wanted['most_s']:g} s are allowed "
            "(setting MAX_MEDIA_DURATION_S)"
        )
