"""Media blocks on media that are made here, in several formats, as small as they can be."""

from collections import Counter
from collections.abc import AsyncIterator
from dataclasses import replace
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import pytest

from backend.adapters.processes import WorkerPool
from backend.blocks.media.add_audio_to_video import AddAudioToVideoBlock
from backend.blocks.media.editing import duration_of
from backend.blocks.media.loop_video import LoopVideoBlock
from backend.blocks.media.media_duration import MediaDurationBlock
from backend.core.errors import BlockError
from backend.ports.files import FileLimits, NewFile
from backend.ports.processes import ProcessLimits
from backend.sdk import Block
from backend.sdk.files import FileDesk, pieces_from
from backend.testing.blocks import CONTEXT, outputs_of
from backend.testing.files import TransientFiles

RATE = 10
#: 1.2 kHz: twenty samples up, twenty down.
WAVE = b"\0\0\0\x3e" * 20 + b"\0\0\0\xbe" * 20
#: Format, codec of the pictures, codec of the sound; h264 has pictures that come out of order.
KINDS = [
    ("mp4", "libx264", "aac"),
    ("matroska", "libx264", "aac"),
    ("webm", "libvpx-vp9", "libopus"),
    ("avi", "mpeg4", "libmp3lame"),
]


class Media:
    """Files of one run, and blocks that work on them in real worker processes."""

    def __init__(self, folder: Path, pool: WorkerPool) -> None:
        self._folder = folder
        self._files = TransientFiles()
        self._pool = pool
        self.context = self.limited()

    def limited(self, *, file_bytes: int = 2**20, media_s: float = 60) -> Any:
        self._files.limits = FileLimits(file_bytes=file_bytes)
        desk = FileDesk(self._files, None, media_s=media_s)
        return replace(CONTEXT, files=desk, processes=self._pool)

    async def add(self, place: Path) -> str:
        owned = self._files.of(CONTEXT.user_id)  # type: ignore[arg-type]
        new = NewFile(run_id=CONTEXT.graph_exec_id, name=place.name)  # type: ignore[arg-type]
        return (await owned.save(new, pieces_from(place))).reference

    async def video(self, kind: str, pictures: str, sound: str | None, *, seconds: int = 2) -> str:
        place = self._folder / f"{kind}-{sound}"
        make(place, kind, pictures, sound, seconds)
        return await self.add(place)

    async def run(self, block: Block, **inputs: Any) -> Any:
        ((_, value),) = await outputs_of(block, inputs, self.context)
        return value

    async def frames(self, reference: str) -> tuple[str, Counter[str], float]:
        """Decode all of a file; return its format, frames by kind, and the last picture's time."""
        counted: Counter[str] = Counter()
        last = 0.0
        async with self.context.run_files().open(reference) as file:
            with av.open(file.content) as container:
                streams = [s for s in container.streams if s.type in ("video", "audio")]
                for frame in container.decode(*streams):
                    counted[type(frame).__name__.removesuffix("Frame").lower()] += 1
                    if isinstance(frame, av.VideoFrame):
                        last = max(last, frame.time or 0.0)
                return container.format.name, counted, last


def make(place: Path, kind: str, pictures: str, sound: str | None, seconds: int) -> None:
    with av.open(str(place), "w", format=kind) as container:
        shown: Any = container.add_stream(pictures, rate=RATE)
        shown.width = shown.height = 16
        shown.pix_fmt = "yuv420p"
        heard: Any = (
            None if sound is None else container.add_stream(sound, rate=48_000, layout="stereo")
        )
        for number in range(seconds * RATE):
            frame = av.VideoFrame(16, 16, "yuv420p")
            frame.pts, frame.time_base = number, Fraction(1, RATE)
            for plane in frame.planes:
                plane.update(bytes([number]) * plane.buffer_size)
            container.mux(shown.encode(frame))
        container.mux(shown.encode(None))
        if heard is not None:
            for number in range(seconds * 48):
                noise = av.AudioFrame("fltp", "stereo", 1000)
                noise.sample_rate, noise.pts, noise.time_base = (
                    48_000,
                    number * 1000,
                    Fraction(1, 48_000),
                )
                for part in noise.planes:
                    part.update((WAVE * part.buffer_size)[: part.buffer_size])
                container.mux(heard.encode(noise))
            container.mux(heard.encode(None))


@pytest.fixture(scope="module")
def pool_limits() -> ProcessLimits:
    return ProcessLimits()


@pytest.fixture
async def media(tmp_path: Path, pool_limits: ProcessLimits) -> AsyncIterator[Media]:
    pool = WorkerPool(pool_limits)
    yield Media(tmp_path, pool)
    await pool.close()


@pytest.mark.slow
@pytest.mark.parametrize(("kind", "pictures", "sound"), KINDS)
async def test_a_video_is_measured_looped_and_cut_at_a_frame(
    media: Media, kind: str, pictures: str, sound: str
) -> None:
    video = await media.video(kind, pictures, sound)

    length = await media.run(MediaDurationBlock(), media_in=video)
    heard = await media.run(MediaDurationBlock(), media_in=video, is_video=False)
    thrice = await media.run(LoopVideoBlock(), video_in=video, n_loops=3)
    _, counted, last = await media.frames(thrice)
    cut = await media.run(LoopVideoBlock(), video_in=video, duration=3.0)
    _, counted_cut, last_cut = await media.frames(cut)

    assert length == pytest.approx(2, abs=0.11)  # AVI counts one frame more
    assert heard == pytest.approx(2, abs=0.11)
    assert counted["video"] == 3 * 2 * RATE
    assert counted["audio"] > 0
    assert last == pytest.approx(5.9, abs=0.3)
    assert 3 * RATE - 2 <= counted_cut["video"] <= 3 * RATE + 2  # those that later ones need
    assert last_cut == pytest.approx(2.9, abs=0.3)


@pytest.mark.slow
@pytest.mark.parametrize("volume", [1.0, 0.5])
@pytest.mark.parametrize(("kind", "pictures", "sound"), KINDS[:3])
async def test_a_video_gets_another_sound_which_ends_with_its_pictures(
    media: Media, kind: str, pictures: str, sound: str, volume: float
) -> None:
    video = await media.video(kind, pictures, None, seconds=1)
    audio = await media.video("mp4", "libx264", "aac", seconds=2)
    loud = await loudness(media, audio)

    made = await media.run(AddAudioToVideoBlock(), video_in=video, audio_in=audio, volume=volume)

    name, counted, _ = await media.frames(made)
    assert kind in name.split(",")
    assert counted["video"] == RATE
    assert await loudness(media, made) == pytest.approx(volume * loud, rel=0.15)
    heard = await media.run(MediaDurationBlock(), media_in=made, is_video=False)
    assert heard == pytest.approx(1, abs=0.1)


async def loudness(media: Media, reference: str) -> float:
    """Return how far the sound swings in its middle, on average."""
    async with media.context.run_files().open(reference) as file:
        with av.open(file.content) as container:
            resampler = av.AudioResampler(format="s16", layout="mono", rate=8000)
            frames = [
                bytes(made.planes[0])[: made.samples * 2]
                for frame in container.decode(audio=0)
                for made in resampler.resample(frame)
            ]
    samples = memoryview(b"".join(frames)).cast("h")
    return sum(abs(one) for one in samples[2000:6000]) / 4000


async def test_a_limit_that_bites_names_its_setting(media: Media) -> None:
    video = await media.video("mp4", "libx264", None)

    media.context = media.limited(media_s=5)
    with pytest.raises(BlockError, match=r"6 s long, and 5 s are allowed .*MAX_MEDIA_DURATION_S"):
        await media.run(LoopVideoBlock(), video_in=video, n_loops=3)

    media.context = media.limited(file_bytes=4000)
    with pytest.raises(BlockError, match=r"becomes larger than .* MB .setting MAX_FILE_SIZE_MB"):
        await media.run(LoopVideoBlock(), video_in=video, n_loops=20)


@pytest.mark.parametrize(
    "text",
    [
        "#EXTM3U\n#EXT-X-TARGETDURATION:2\n#EXTINF:2,\nfile://{other}\n#EXT-X-ENDLIST\n",
        "no media at all",
        "",
    ],
)
async def test_a_file_that_names_another_one_is_no_media(
    media: Media, tmp_path: Path, text: str
) -> None:
    other = tmp_path / "other.ts"
    make(other, "mpegts", "libx264", None, 1)
    place = tmp_path / "list"
    place.write_text(text.format(other=other))
    source = await media.add(place)

    with pytest.raises(BlockError, match="no media file that can be read"):
        await media.run(MediaDurationBlock(), media_in=source)


def test_a_list_of_files_beside_it_is_no_media(tmp_path: Path) -> None:
    make(tmp_path / "other.ts", "mpegts", "libx264", None, 1)
    place = tmp_path / "list"
    place.write_text("ffconcat version 1.0\nfile other.ts\n")

    with pytest.raises(ValueError, match="no media file that can be read"):
        duration_of(str(place), "video")
