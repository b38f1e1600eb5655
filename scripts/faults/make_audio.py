"""Write recordings of every common container with PyAV, for tests and fault scripts."""

from __future__ import annotations

import math
from array import array
from fractions import Fraction
from pathlib import Path
from typing import Any, NamedTuple

import av
from av.audio.fifo import AudioFifo
from av.audio.frame import AudioFrame
from av.audio.resampler import AudioResampler
from av.video.frame import VideoFrame

RATE = 16_000


class Kind(NamedTuple):
    """How a kind of file is written.

    Attributes:
        codec: of the sound; empty for none.
        rate: samples a second.
        layout: of its channels.
        video: codec of a picture track; empty for none.
        muxer: name of FFmpeg's writer, where the extension does not tell.
    """

    codec: str
    rate: int = RATE
    layout: str = "mono"
    video: str = ""
    muxer: str | None = None


KINDS = {
    "wav": Kind("pcm_s16le"),
    "flac": Kind("flac"),
    "aiff": Kind("pcm_s16be"),
    "mp3": Kind("libmp3lame", 44_100, "stereo"),
    "m4a": Kind("aac", 48_000, "stereo", muxer="ipod"),
    "aac": Kind("aac", 44_100, muxer="adts"),
    "ogg": Kind("vorbis", 44_100, "stereo"),
    "opus": Kind("libopus", 48_000),
    "mp4": Kind("aac", 48_000, video="mpeg4"),
    "mkv": Kind("flac", 44_100, video="mpeg4", muxer="matroska"),
    "webm": Kind("libopus", 48_000, "stereo"),
    "wma": Kind("wmav2", 44_100, muxer="asf"),
    "amr": Kind("libopencore_amrnb", 8_000),
    "avi": Kind("pcm_s16le", video="mpeg4"),
    "ts": Kind("aac", 48_000, video="mpeg2video", muxer="mpegts"),
    "caf": Kind("alac", 44_100),
}


def write_recording(path: Path, samples: array[int], kind: Kind | None = None, title: str = "") -> Path:
    """Write samples (RATE a second, one channel, 16 bits) as the kind that the extension names.

    Args:
        path: of the file.
        samples: what is heard.
        kind: another than that of the extension.
        title: for the metadata.
    """
    chosen = KINDS[path.suffix[1:]] if kind is None else kind
    with av.open(str(path), "w", format=chosen.muxer) as container:
        if title:
            container.metadata["title"] = title
        video = _add_video(container, chosen) if chosen.video else None
        audio: Any = None
        if chosen.codec:
            audio = container.add_stream(chosen.codec, rate=chosen.rate, options={"strict": "experimental"})
            audio.layout = chosen.layout
            if chosen.codec == "wmav2":
                audio.bit_rate = 64_000  # its own default is refused
        if video is not None:
            _write_video(container, video, max(1, len(samples) * 5 // RATE))
        if audio is not None:
            _write_audio(container, audio, samples)
    return path


def tone(*stretches: tuple[float, float], seconds: float) -> array[int]:
    """Give silence with a tone of 440 Hz in each stretch (start and end in seconds)."""
    samples = array("h", bytes(2 * round(seconds * RATE)))
    for start_s, end_s in stretches:
        for i in range(round(start_s * RATE), round(end_s * RATE)):
            samples[i] = round(12_000 * math.sin(2 * math.pi * 440 * i / RATE))
    return samples


def _add_video(container: Any, kind: Kind) -> Any:
    video = container.add_stream(kind.video, rate=5 if kind.video != "mpeg2video" else 25)
    video.width, video.height, video.pix_fmt = 64, 48, "yuv420p"
    return video


def _write_video(container: Any, stream: Any, n_frames: int) -> None:
    for number in range(n_frames * (5 if stream.codec_context.name == "mpeg2video" else 1)):
        frame = VideoFrame(64, 48, "rgb24")
        frame.planes[0].update(bytes([number * 7 % 256]) * frame.planes[0].buffer_size)
        frame.pts = number
        container.mux(stream.encode(frame.reformat(format="yuv420p")))
    container.mux(stream.encode(None))


def _write_audio(container: Any, stream: Any, samples: array[int]) -> None:
    context = stream.codec_context
    resampler = AudioResampler(format=context.format, layout=context.layout, rate=context.sample_rate)
    fifo = AudioFifo()
    for first in range(0, len(samples), RATE):
        part = samples[first : first + RATE]
        frame = AudioFrame(format="s16", layout="mono", samples=len(part))
        frame.planes[0].update(part.tobytes().ljust(frame.planes[0].buffer_size, b"\0"))
        frame.rate, frame.pts, frame.time_base = RATE, first, Fraction(1, RATE)
        for out in resampler.resample(frame):
            fifo.write(out)
    for out in resampler.resample(None):
        fifo.write(out)
    size = context.frame_size or 1024
    while (ready := fifo.read(size)) is not None or (ready := fifo.read(0, partial=True)) is not None:
        container.mux(stream.encode(ready))
    container.mux(stream.encode(None))
