"""Send damaged and lying recordings through the real decoder; each must end with sound or a reason in words.

The decoder may end itself over a file (its watchdog) or be killed by it; then it is started again, as its
supervisor in the host does, and the file is named.
"""

from __future__ import annotations

import argparse
import queue
import random
import shutil
import subprocess
import sys
import tempfile
import time
from array import array
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NamedTuple

import av
from av.audio.resampler import AudioResampler

from scripts.bench.decoder_client import DecoderWorker
from scripts.bench.worker_client import RequestFailed, WorkerGone
from scripts.faults.make_audio import KINDS, RATE, tone, write_recording
from scripts.faults.program import report

_SPEECH = Path(__file__).resolve().parents[3] / "shared/data/speech"
_MADE = ("mp3", "m4a", "ogg", "opus", "mp4", "mkv", "webm", "aac", "amr", "avi", "ts", "wma", "caf")
_PATIENCE_S = 90.0
_PIECE_S = 30.0
_MAX_PIECES = 400


class Ending(NamedTuple):
    """How a file ended.

    Attributes:
        kind: `sound`, `damaged sound`, a reason's code, or one of _BAD.
        seconds: what it took.
        words: the reason.
    """

    kind: str
    seconds: float
    words: str = ""


_BAD = frozenset({"died", "silent", "endless", "wordless", "decoder.failed"})


def originals(folder: Path) -> list[Path]:
    """Give whole recordings of every kind, made from real speech where the shared data is there."""
    folder.mkdir(parents=True)
    found = [path for path in sorted(_SPEECH.rglob("*")) if path.suffix in (".wav", ".flac", ".aiff")]
    copies = [Path(shutil.copy(path, folder / path.name)) for path in found]
    samples = speech(folder / "english.wav") if copies else tone((0.5, 1.0), (2.0, 3.0), seconds=4.0)
    made = _MADE if copies else tuple(KINDS)
    return [*copies, *(write_recording(folder / f"speech.{kind}", samples) for kind in made)]


def speech(path: Path) -> array[int]:
    """Give the samples of a recording, RATE a second."""
    samples = array("h")
    resampler = AudioResampler(format="s16", layout="mono", rate=RATE)
    with av.open(str(path)) as container:
        for frame in container.decode(audio=0):
            for out in resampler.resample(frame):
                samples.frombytes(bytes(out.planes[0])[: out.samples * 2])
    return samples


def _cut(share: float) -> Callable[[bytes, random.Random], bytes]:
    return lambda data, _random: data[: int(len(data) * share)]


def _flipped(share: float) -> Callable[[bytes, random.Random], bytes]:
    def flip(data: bytes, chance: random.Random) -> bytes:
        bad = bytearray(data)
        for _ in range(max(1, int(len(bad) * share))):
            bad[chance.randrange(len(bad))] ^= 1 << chance.randrange(8)
        return bytes(bad)

    return flip


def _zeroed(start: float, share: float) -> Callable[[bytes, random.Random], bytes]:
    def zero(data: bytes, _random: random.Random) -> bytes:
        first, n_bytes = int(len(data) * start), int(len(data) * share)
        return data[:first] + bytes(n_bytes) + data[first + n_bytes :]

    return zero


def _lying(fill: bytes, first: int, last: int) -> Callable[[bytes, random.Random], bytes]:
    """Overwrite some four-byte fields of the header, where sizes and rates stand."""

    def lie(data: bytes, chance: random.Random) -> bytes:
        bad = bytearray(data)
        for _ in range(3):
            at = chance.randrange(first, min(last, len(bad) - 4))
            bad[at : at + 4] = fill
        return bytes(bad)

    return lie


def _shuffled(data: bytes, chance: random.Random) -> bytes:
    size = max(1, len(data) // 16)
    blocks = [data[i : i + size] for i in range(0, len(data), size)]
    head, rest = blocks[0], blocks[1:]
    chance.shuffle(rest)
    return b"".join([head, *rest])


DAMAGES: dict[str, Callable[[bytes, random.Random], bytes]] = {
    "cut-1%": _cut(0.01),
    "cut-30%": _cut(0.3),
    "cut-90%": _cut(0.9),
    "no-head": lambda data, _random: data[len(data) // 10 :],
    "flips-few": _flipped(0.0005),
    "flips-many": _flipped(0.01),
    "zero-head": _zeroed(0.0, 0.02),
    "zero-middle": _zeroed(0.4, 0.2),
    "zero-end": _zeroed(0.8, 0.2),
    "huge-sizes": _lying(b"\xff\xff\xff\x7f", 4, 120),
    "negative-sizes": _lying(b"\xff\xff\xff\xff", 4, 120),
    "zero-sizes": _lying(bytes(4), 4, 120),
    "rate-of-one": _lying(b"\1\0\0\0", 12, 80),
    "shuffled": _shuffled,
    "doubled": lambda data, _random: data + data,
    "random-tail": lambda data, chance: data[: len(data) // 2] + chance.randbytes(len(data) // 2),
}


def damaged(whole: list[Path], folder: Path, seed: int) -> Iterator[Path]:
    """Write every damage of every whole recording, and files that only pose as recordings."""
    folder.mkdir(parents=True)
    for path in whole:
        data = path.read_bytes()
        for name, damage in DAMAGES.items():
            bad = folder / f"{path.stem}-{name}{path.suffix}"
            bad.write_bytes(damage(data, random.Random(f"{seed} {bad.name}")))
            yield bad
    target = whole[0]
    for name, content in impostors(target).items():
        bad = folder / name
        bad.write_bytes(content)
        yield bad
    for path, extension in zip(whole, [".mp3", ".mp4", ".ogg", ".txt", ".wav"], strict=False):
        yield Path(shutil.copy(path, folder / f"misnamed-{path.stem}{extension}"))


def impostors(target: Path) -> dict[str, bytes]:
    """Give files that are no recordings, some of which name one that could be read instead."""
    place = str(target)
    return {
        "empty.wav": b"",
        "one-byte.mp3": b"\xff",
        "header-only.wav": b"RIFF\x24\0\0\0WAVE"
        b"fmt \x10\0\0\0\1\0\1\0\x80\x3e\0\0\0\x7d\0\0\2\0\x10\0data\0\0\0\0",
        "no-data.wav": b"RIFF\xff\xff\xff\xffWAVE" + b"LIST\xff\xff\xff\x7f" * 50,
        "huge-tag.mp3": b"ID3\4\0\0\x7f\x7f\x7f\x7f" + bytes(2000),
        "noise.mp3": random.Random(1).randbytes(200_000),
        "zeros.m4a": bytes(100_000),
        "text.mp3": b"These are only words. " * 500,
        "playlist.m3u8": f"#EXTM3U\n#EXT-X-TARGETDURATION:9\n#EXTINF:9,\n{place}\n#EXT-X-ENDLIST\n".encode(),
        "playlist.mp3": f"#EXTM3U\n#EXT-X-TARGETDURATION:9\n#EXTINF:9,\n{place}\n#EXT-X-ENDLIST\n".encode(),
        "web.m3u8": b"#EXTM3U\n#EXT-X-TARGETDURATION:9\n#EXTINF:9,\nhttp://127.0.0.1:9/a.ts\n#EXT-X-ENDLIST\n",
        "list.ffconcat": f"ffconcat version 1.0\nfile '{place}'\n".encode(),
        "list.wav": f"ffconcat version 1.0\nfile '{place}'\n".encode(),
        "session.sdp": b"v=0\no=- 0 0 IN IP4 127.0.0.1\ns=x\nc=IN IP4 127.0.0.1\nt=0 0\n"
        b"m=audio 9 RTP/AVP 0\n",
        "list.pls": f"[playlist]\nFile1={place}\nNumberOfEntries=1\n".encode(),
        "show.smil": f"<smil><body><audio src='{place}'/></body></smil>".encode(),
        "manifest.mpd": (
            "<?xml version='1.0'?><MPD xmlns='urn:mpeg:dash:schema:mpd:2011'><Period><AdaptationSet>"
            f"<Representation id='1' bandwidth='1'><BaseURL>{place}</BaseURL></Representation>"
            "</AdaptationSet></Period></MPD>"
        ).encode(),
        "index.avs": f'DirectShowSource("{place}")'.encode(),
    }


class Decoding:
    """The decoder, started again whenever it ends."""

    def __init__(self, stderr: int | None = subprocess.DEVNULL) -> None:
        """Start it; `stderr` as of subprocess, None to see its log."""
        self.n_deaths, self._stderr = 0, stderr
        self._worker = DecoderWorker(self._stderr)

    def close(self) -> None:
        """End it."""
        self._worker.close()

    def try_file(self, path: Path) -> Ending:
        """Decode a whole file; say how it ended."""
        began = time.monotonic()
        try:
            kind, words = self._decoded(path), ""
        except RequestFailed as failure:
            kind, words = failure.body.code, f"{failure.body.message} {failure.body.hint}"
            if not failure.body.message.endswith(".") or not failure.body.hint:
                kind = "wordless"
        except WorkerGone:
            kind, words = "died", "the process ended"
            self._start_again()
        except queue.Empty:
            kind, words = "silent", f"nothing came in {_PATIENCE_S:.0f} s"
            self._worker.kill()
            self._start_again()
        return Ending(kind, time.monotonic() - began, words)

    def _decoded(self, path: Path) -> str:
        info = self._worker.open(str(path), timeout_s=_PATIENCE_S)
        is_damaged, at_s = False, 0.0
        try:
            for _ in range(_MAX_PIECES):
                piece, samples = self._worker.read(info.handle, _PIECE_S, timeout_s=_PATIENCE_S)
                assert len(samples) == 2 * piece.n_samples
                assert piece.start_s >= at_s - 0.001
                at_s = piece.start_s + piece.n_samples / RATE
                is_damaged |= piece.damaged
                if piece.ended:
                    self._sought(path)
                    return "damaged sound" if is_damaged else "sound"
        finally:
            self._worker.close_file(info.handle)
        return "endless"

    def _sought(self, path: Path) -> None:
        """Read from within the file, as the viewer does; damage may leave no sound there."""
        try:
            info = self._worker.open(str(path), start_s=1.0, timeout_s=_PATIENCE_S)
        except RequestFailed as failure:
            if failure.body.code not in ("audio.damaged", "audio.no_sound"):
                raise
            return
        piece, _ = self._worker.read(info.handle, 1.0, timeout_s=_PATIENCE_S)
        assert piece.start_s >= 0.9
        self._worker.close_file(info.handle)

    def _start_again(self) -> None:
        self.n_deaths += 1
        self._worker = DecoderWorker(self._stderr)


def main() -> int:
    """Run all; print the counts."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--verbose", action="store_true", help="print how every file ended")
    parser.add_argument("--into", type=Path, help="only write the damaged files into this new folder")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="bad-audio-") as place:
        folder = Path(place)
        if options.into is not None:
            print(sum(1 for _ in damaged(originals(folder / "whole"), options.into, options.seed)), "files")
            return 0
        whole = originals(folder / "whole")
        decoding = Decoding(None if options.verbose else subprocess.DEVNULL)
        controls = {path.name: decoding.try_file(path) for path in whole}
        endings = {
            path.name: decoding.try_file(path) for path in damaged(whole, folder / "bad", options.seed)
        }
        decoding.close()
    for name, ending in endings.items():
        if options.verbose or ending.kind in _BAD:
            print(f"  {name}: {ending.kind} ({ending.seconds:.1f} s) {ending.words}")
    counts = Counter(ending.kind for ending in endings.values())
    for kind, count in counts.most_common():
        print(f"  {count:4d}  {kind}")
    slowest = max(endings, key=lambda name: endings[name].seconds)
    print(
        f"  slowest: {slowest}, {endings[slowest].seconds:.1f} s; the decoder ended {decoding.n_deaths} times"
    )
    bad = [name for name, ending in endings.items() if ending.kind in _BAD]
    unheard = [name for name, ending in controls.items() if ending.kind != "sound"]
    followed = [
        name
        for name, ending in endings.items()
        if name in impostors(Path("/x")) and ending.kind in ("sound", "damaged sound") and "noise" not in name
    ]
    passed = [
        report(
            f"{len(controls)} whole recordings", not unheard, f"not heard: {unheard}" if unheard else "heard"
        ),
        report(f"{len(endings)} damaged files", not bad, f"without an end: {bad}" if bad else "all ended"),
        report(
            "files that pose as recordings",
            not followed,
            f"gave sound: {followed}" if followed else "refused",
        ),
    ]
    return 0 if all(passed) else 1


if __name__ == "__main__":
    sys.exit(main())
