"""The decoder as the host sees it: a real process, real files of every kind, made here."""

import contextlib
import itertools
import os
import struct
from array import array
from collections.abc import Iterator
from pathlib import Path

import pytest

from app.protocol.audio import AudioInfo, AudioPiece, CloseAudio, ReadAudio
from app.worker.decoder.main import MAX_OPEN
from scripts.bench.decoder_client import DecoderWorker
from scripts.bench.worker_client import RequestCancelled, RequestFailed
from scripts.faults.bad_audio import impostors
from scripts.faults.make_audio import KINDS, RATE, Kind, tone, write_recording

ONSET_S = 0.8
STRETCHES = ((ONSET_S, 1.0), (2.5, 2.8))
# Raw AAC and AMR, and AAC in a transport stream, do not say by how much their encoder was late.
DELAYED_S = {"aac": 0.05, "amr": 0.03, "ts": 0.05, "wma": 0.06}
LOUD = 3_000


@pytest.fixture(scope="module")
def decoder() -> Iterator[DecoderWorker]:
    with DecoderWorker() as running:
        yield running
    assert running.process.returncode == 0


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("recordings")


def whole(
    decoder: DecoderWorker, path: Path, seconds: float = 0.7
) -> tuple[AudioInfo, list[AudioPiece], bytes]:
    info = decoder.open(str(path))
    pieces: list[AudioPiece] = []
    data = b""
    while not pieces or not pieces[-1].ended:
        piece, samples = decoder.read(info.handle, seconds)
        assert len(samples) == 2 * piece.n_samples
        pieces.append(piece)
        data += samples
    decoder.close_file(info.handle)
    return info, pieces, data


def onset_s(data: bytes, start_s: float) -> float:
    samples = array("h", data)
    return start_s + next(n for n, value in enumerate(samples) if abs(value) > LOUD) / RATE


def refusal(decoder: DecoderWorker, path: Path | str) -> str:
    with pytest.raises(RequestFailed) as failed:
        decoder.open(str(path))
    assert failed.value.body.message.endswith(".") and failed.value.body.hint.endswith(".")
    return failed.value.body.code


@pytest.mark.parametrize("kind", KINDS)
def test_every_kind_gives_its_sound_at_its_times(decoder: DecoderWorker, files: Path, kind: str) -> None:
    path = write_recording(files / f"speech.{kind}", tone(*STRETCHES, seconds=3.0), title="A talk")
    info, pieces, data = whole(decoder, path)
    assert info.has_video == bool(KINDS[kind].video)
    assert info.seconds == pytest.approx(3.0, abs=0.6 if kind == "aac" else 0.1)  # raw AAC: a guess
    assert info.title in ("A talk", "")
    assert not any(piece.damaged for piece in pieces)
    for before, after in itertools.pairwise(pieces):
        assert after.start_s == pytest.approx(before.start_s + before.n_samples / RATE, abs=1e-4)
    late_s = DELAYED_S.get(kind, 0.005)
    assert onset_s(data, pieces[0].start_s) == pytest.approx(ONSET_S, abs=late_s)
    assert len(data) / 2 / RATE == pytest.approx(3.0, abs=0.1)
    # from within the silence before the second tone on
    there = decoder.open(str(path), start_s=1.8)
    piece, samples = decoder.read(there.handle, 5.0)
    assert piece.start_s == pytest.approx(1.8, abs=1e-4)
    assert piece.ended
    assert onset_s(samples, piece.start_s) == pytest.approx(2.5, abs=late_s)
    decoder.close_file(there.handle)


def test_the_names_of_formats_and_codecs(decoder: DecoderWorker, files: Path) -> None:
    found = {}
    for kind in ("wav", "m4a", "webm"):
        path = write_recording(files / f"name.{kind}", tone(seconds=0.3))
        info, _, _ = whole(decoder, path)
        found[kind] = (info.format, info.codec)
    assert found == {"wav": ("wav", "pcm_s16le"), "m4a": ("mp4", "aac"), "webm": ("matroska", "opus")}


def test_samples_come_at_the_rate_that_is_asked_for(decoder: DecoderWorker, files: Path) -> None:
    path = write_recording(files / "rate.wav", tone((0.0, 1.0), seconds=1.0))
    for rate in (8_000, 48_000):
        info = decoder.open(str(path), sample_rate=rate)
        piece, samples = decoder.read(info.handle, 5.0)
        assert piece.n_samples == pytest.approx(rate, abs=2)
        values = array("h", samples)[rate // 10 : -rate // 10]
        crossings = sum(1 for a, b in itertools.pairwise(values) if a < 0 <= b)
        assert crossings == pytest.approx(440 * 0.8, abs=2)
        decoder.close_file(info.handle)


def test_samples_are_those_of_the_file(decoder: DecoderWorker, files: Path) -> None:
    samples = tone((0.1, 0.4), seconds=0.5)
    _, _, data = whole(decoder, write_recording(files / "exact.wav", samples))
    assert data == samples.tobytes()
    _, _, data = whole(decoder, write_recording(files / "exact.flac", samples))
    assert data == samples.tobytes()


def test_the_end_is_known_and_reading_past_it_is_harmless(decoder: DecoderWorker, files: Path) -> None:
    path = write_recording(files / "end.wav", tone(seconds=1.0))
    info = decoder.open(str(path))
    assert decoder.read(info.handle, 1.0)[0].ended  # exactly all of it
    again, samples = decoder.read(info.handle, 1.0)
    assert (again.ended, again.n_samples, samples, again.start_s) == (True, 0, b"", 1.0)
    decoder.close_file(info.handle)
    past = decoder.open(str(path), start_s=7.0)
    assert decoder.read(past.handle, 1.0)[0] == AudioPiece(start_s=7.0, n_samples=0, ended=True)
    decoder.close_file(past.handle)
    odd = decoder.open(str(path), start_s=-3.0)
    assert decoder.read(odd.handle, -1.0)[0].start_s == 0.0
    decoder.close_file(odd.handle)


def test_what_holds_no_sound_says_so(decoder: DecoderWorker, files: Path) -> None:
    silent = Kind("", video="mpeg4")
    video = write_recording(files / "silent.mp4", tone(seconds=1.0), silent)
    assert refusal(decoder, video) == "audio.no_sound"
    header_only = files / "header-only.wav"
    header_only.write_bytes(impostors(video)["header-only.wav"])
    assert refusal(decoder, header_only) == "audio.no_sound"


def test_a_cover_picture_is_no_video(decoder: DecoderWorker, files: Path) -> None:
    plain = write_recording(files / "cover.mp3", tone((0.1, 0.4), seconds=1.0)).read_bytes()
    tag_bytes = 10 + sum((plain[6 + i] & 0x7F) << (7 * (3 - i)) for i in range(4))
    picture = b"\x89PNG\r\n\x1a\n" + bytes(40)
    content = b"\0image/png\0\3\0" + picture
    frame = b"APIC" + struct.pack(">I", len(content)) + b"\0\0" + content
    size = len(frame)
    head = b"ID3\3\0\0" + bytes((size >> shift) & 0x7F for shift in (21, 14, 7, 0))
    path = files / "with-cover.mp3"
    path.write_bytes(head + frame + plain[tag_bytes:])
    info, _, data = whole(decoder, path)
    assert not info.has_video
    assert onset_s(data, 0.0) == pytest.approx(0.1, abs=0.03)


def test_a_damaged_part_is_silence_and_what_follows_keeps_its_time(
    decoder: DecoderWorker, files: Path
) -> None:
    path = write_recording(files / "hole.flac", tone((0.2, 0.6), (3.5, 3.8), seconds=4.0))
    data = bytearray(path.read_bytes())
    # the tones take most of the bytes; what is between them is cut out of the frames in the middle
    frames = [at for at in range(len(data) - 2) if data[at] == 0xFF and data[at + 1] in (0xF8, 0xF9)]
    for at in frames[len(frames) // 3 : len(frames) // 2]:
        data[at : at + 2] = b"\0\0"
    path.write_bytes(data)
    _, pieces, samples = whole(decoder, path)
    assert any(piece.damaged for piece in pieces)
    after = samples[2 * 2 * RATE :]
    assert onset_s(after, pieces[0].start_s + 2.0) == pytest.approx(3.5, abs=0.02)


def test_a_file_cut_short_is_said_to_be_damaged(decoder: DecoderWorker, files: Path) -> None:
    path = write_recording(files / "cut.wav", tone((0.2, 0.6), seconds=4.0))
    path.write_bytes(path.read_bytes()[: 2 * 2 * RATE])
    _, pieces, data = whole(decoder, path)
    assert pieces[-1].damaged
    assert len(data) / 2 / RATE == pytest.approx(2.0, abs=0.05)
    assert onset_s(data, 0.0) == pytest.approx(0.2, abs=0.005)


def test_impostors_are_refused_and_open_nothing_else(decoder: DecoderWorker, files: Path) -> None:
    target = write_recording(files / "target.mp3", tone((0.0, 1.0), seconds=1.0))
    codes = {}
    for name, content in impostors(target).items():
        path = files / name
        path.write_bytes(content)
        if name != "noise.mp3":  # random bytes may hold a frame of something
            codes[name] = refusal(decoder, path)
    assert codes.pop("empty.wav") == "file.empty"
    assert codes.pop("header-only.wav") == "audio.no_sound"
    damaged = {name for name, code in codes.items() if code == "audio.damaged"}
    assert damaged == {name for name in codes if name.endswith((".mp3", ".wav", ".m4a"))}
    assert {codes[name] for name in codes.keys() - damaged} == {"audio.unsupported"}


def test_copy_protection_is_named(decoder: DecoderWorker, files: Path) -> None:
    path = write_recording(files / "bought.m4a", tone((0.1, 0.4), seconds=1.0))
    data = path.read_bytes()
    at = data.rindex(b"mp4a", 0, data.index(b"esds"))
    path.write_bytes(data[:at] + b"drms" + data[at + 4 :])
    assert refusal(decoder, path) == "audio.protected"
    book = files / "book.aax"
    book.write_bytes(b"\0\0\0\x18ftypaax " + bytes(500))
    assert refusal(decoder, book) == "audio.protected"


@pytest.mark.linux
def test_what_cannot_be_opened_has_its_reason(decoder: DecoderWorker, files: Path) -> None:
    os.mkfifo(files / "pipe.wav")
    assert refusal(decoder, files / "absent.wav") == "file.not_found"
    assert refusal(decoder, "bad\0name") == "file.not_found"
    assert refusal(decoder, files) == "file.is_folder"
    assert refusal(decoder, files / "pipe.wav") == "file.unreadable"


@pytest.mark.linux
def test_names_that_are_no_text_serve(decoder: DecoderWorker, files: Path) -> None:
    path = write_recording(files / "name.wav", tone((0.1, 0.3), seconds=0.5))
    odd = path.rename(files / os.fsdecode(b"caf\xe9.wav"))
    assert whole(decoder, odd)[0].seconds == pytest.approx(0.5)


def test_only_so_many_are_open_and_a_closed_one_makes_room(decoder: DecoderWorker, files: Path) -> None:
    path = write_recording(files / "many.wav", tone(seconds=0.3))
    handles = [decoder.open(str(path)).handle for _ in range(MAX_OPEN)]
    assert len(set(handles)) == MAX_OPEN
    assert refusal(decoder, path) == "audio.too_many"
    decoder.close_file(handles[0])
    decoder.exchange(CloseAudio(handle=handles[0]))  # silent
    with pytest.raises(RequestFailed, match=r"audio\.not_open"):
        decoder.exchange(ReadAudio(handle=handles[0]))
    handles[0] = decoder.open(str(path)).handle
    for handle in handles:
        decoder.close_file(handle)


def test_pieces_of_several_files_come_independently(decoder: DecoderWorker, files: Path) -> None:
    paths = [write_recording(files / f"mix{n}.mp3", tone((n / 2, n / 2 + 0.2), seconds=2.0)) for n in (1, 2)]
    handles = [decoder.open(str(path)).handle for path in paths]
    data = [b"", b""]
    for _ in range(5):
        for number, handle in enumerate(handles):
            data[number] += decoder.read(handle, 0.4)[1]
    assert onset_s(data[0], 0.0) == pytest.approx(0.5, abs=0.01)
    assert onset_s(data[1], 0.0) == pytest.approx(1.0, abs=0.01)
    for handle in handles:
        decoder.close_file(handle)


def test_a_cancelled_reading_loses_nothing(decoder: DecoderWorker, files: Path) -> None:
    path = write_recording(files / "cancelled.mp3", tone((15.0, 15.2), seconds=20.0))
    info = decoder.open(str(path))
    request_id = decoder.start(ReadAudio(handle=info.handle, seconds=60.0))
    decoder.cancel(request_id)
    at_s = 0.0
    with contextlib.suppress(RequestCancelled):  # unless it was faster
        at_s = decoder.wait(request_id, AudioPiece).n_samples / RATE
    piece, samples = decoder.read(info.handle, 60.0)
    assert piece.start_s == pytest.approx(at_s, abs=1e-3)
    if not at_s:
        assert onset_s(samples, piece.start_s) == pytest.approx(15.0, abs=0.01)
    decoder.close_file(info.handle)


@pytest.mark.linux
def test_it_runs_confined(decoder: DecoderWorker) -> None:
    status = Path(f"/proc/{decoder.process.pid}/status").read_text()
    fields = dict(line.split(":\t", 1) for line in status.splitlines() if ":\t" in line)
    assert (fields["Seccomp"], fields["NoNewPrivs"], int(fields["CapEff"], 16)) == ("2", "1", 0)
    limits = Path(f"/proc/{decoder.process.pid}/limits").read_text()
    assert "Max core file size        0 " in limits
    assert "Max address space         1500000000 " in limits


def test_it_writes_nothing_on_its_log(files: Path, capfd: pytest.CaptureFixture[str]) -> None:
    broken = files / "log.mp3"
    broken.write_bytes(
        write_recording(files / "log-whole.mp3", tone((0.1, 0.9), seconds=1.0)).read_bytes()[:3000]
    )
    with DecoderWorker(stderr=None) as worker:
        try:
            info = worker.open(str(broken))
            worker.read(info.handle, 5.0)
        except RequestFailed:
            pass
    assert "mp3" not in capfd.readouterr().err  # FFmpeg names its demuxer, and what it reads
