"""Speech becomes text with true times, and every failure has its words."""

import itertools
import shutil
import threading
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any, cast

import numpy as np
import pytest

from app.core.errors import AppError, ModelError
from app.protocol.audio import SPEECH_RATE
from app.protocol.speech import (
    CloseTranscription,
    FeedTranscription,
    OpenTranscription,
    SpeechOptions,
    SpeechSegment,
    TranscriptPart,
)
from app.worker.runtime import Cancelled
from app.worker.voice import speech_model
from app.worker.voice.speech_model import SpeechModel, Utterance, works_on_gpu
from app.worker.voice.transcriber import Transcriber
from app.worker.voice.understanding import Understanding
from scripts.bench.word_errors import word_errors
from tests.worker.voice.hearing import (
    OPTIONS,
    STARTER,
    Sent,
    Waveform,
    in_room,
    quiet,
    spoken,
    to_samples,
    understanding,
)

SENTENCES = (
    "He turned to the left and closed the door behind him.",
    "Please wait a moment, I have another question.",
    "The train to the city leaves in twenty minutes.",
    "My sister has worked in a hospital for ten years.",
    "Nobody expected that the bridge would need so many repairs.",
    "We bought apples, bread and a bottle of milk at the market.",
    "The library is open every day until eight in the evening.",
    "It was raining when the children came home from school.",
    "The committee agreed on the budget for the next year.",
    "Could you read the second paragraph again, more slowly?",
)


def wanted() -> bool:
    """Nobody cancels."""
    return True


def fed(handler: Understanding, handle: str, sound: Waveform, last: bool) -> TranscriptPart:
    """Feed samples as the host does."""
    request = FeedTranscription(handle=handle, last=last)
    return handler.feed(request, Sent(request, to_samples(sound).tobytes()).job)


def opened(handler: Understanding) -> str:
    """Open a transcription; give its handle."""
    request = OpenTranscription(options=OPTIONS)
    return handler.open(request, Sent(request).job).handle


def text_of(segments: list[SpeechSegment]) -> str:
    """Give the text."""
    return " ".join(segment.text for segment in segments)


@pytest.mark.slow
def test_long_sound_keeps_every_word_once_and_its_times() -> None:
    """A minute with silences, fed in pieces that cut words: every word once, each where it was said."""
    said: list[str] = []
    starts: list[float] = []
    parts: list[Waveform] = [quiet(2.0)]
    for index, sentence in enumerate(SENTENCES):
        starts.append(sum(map(len, parts)) / SPEECH_RATE)
        said.append(sentence)
        parts += [spoken(sentence), quiet(20.0 if index == 5 else 0.9)]
    sound = in_room(np.concatenate(parts))
    handler = understanding()
    handle = opened(handler)
    segments: list[SpeechSegment] = []
    for start in range(0, len(sound), 7 * SPEECH_RATE):
        last = start + 7 * SPEECH_RATE >= len(sound)
        part = fed(handler, handle, sound[start : start + 7 * SPEECH_RATE], last)
        segments.extend(part.segments)
        assert part.done_s <= (start + 7 * SPEECH_RATE) / SPEECH_RATE + 0.04
    assert part.done_s == pytest.approx(len(sound) / SPEECH_RATE, abs=0.04)
    assert (part.language, part.doubtful) == ("en", False)
    assert part.language_probability > 0.8
    assert word_errors(" ".join(said), text_of(segments)).rate < 0.04
    for before, after in itertools.pairwise(segments):
        assert before.start_s <= before.end_s <= after.start_s + 0.05
    for start_s in starts:  # each sentence has a segment that begins or goes on where it was said
        assert any(one.start_s - 0.6 <= start_s + 0.2 <= one.end_s for one in segments), start_s
    silence_s = starts[6] - 19.5
    assert not any(one.start_s < silence_s + 10 < one.end_s for one in segments)
    assert all(0.3 < one.probability <= 1.0 for one in segments)


@pytest.mark.parametrize(
    "sound", [quiet(40.0), quiet(40.0, level=0.02), np.zeros(SPEECH_RATE * 5, np.float32)]
)
def test_silence_and_noise_have_no_words(sound: Waveform) -> None:
    """Nothing is made up where nobody speaks."""
    part = understanding().transcriber(OPTIONS).feed(sound, True, wanted)
    assert part.segments == ()
    assert part.doubtful is False
    assert part.done_s == pytest.approx(len(sound) / SPEECH_RATE, abs=0.04)


def not_again(*_: object) -> None:
    """Fail where the model is asked."""
    raise AssertionError("it was computed again")


def test_a_preview_is_the_text_if_nothing_follows(monkeypatch: pytest.MonkeyPatch) -> None:
    """The sentence that was understood in a pause is not computed again at the end."""
    transcriber = understanding().transcriber(OPTIONS)
    sentence = in_room(np.concatenate([spoken(SENTENCES[0]), quiet(0.6)]))
    assert transcriber.preview(wanted) == ()
    transcriber.feed(sentence, False, wanted)
    assert transcriber.n_new_frames > 10
    assert transcriber.quiet_s > 0.4
    preview = transcriber.preview(wanted)
    assert word_errors(SENTENCES[0], text_of(list(preview))).n_errors == 0
    assert transcriber.n_new_frames == 0
    monkeypatch.setattr(SpeechModel, "understand", not_again)
    assert transcriber.feed(quiet(0.5), True, wanted).segments == preview


def test_words_after_a_preview_are_not_lost() -> None:
    """A preview is thrown away where somebody goes on to speak."""
    transcriber = understanding().transcriber(OPTIONS)
    transcriber.feed(in_room(np.concatenate([spoken(SENTENCES[0]), quiet(0.6)])), False, wanted)
    transcriber.preview(wanted)
    part = transcriber.feed(in_room(spoken(SENTENCES[1])), True, wanted)
    assert word_errors(" ".join(SENTENCES[:2]), text_of(list(part.segments))).n_errors <= 1


def test_cancelling_ends_at_once_and_leaves_it_open() -> None:
    """A cancel while the model works ends the request; the transcription can go on, or be closed."""
    handler = understanding()
    handle = opened(handler)
    request = FeedTranscription(handle=handle, last=True)
    sound = in_room(np.concatenate([spoken(sentence) for sentence in SENTENCES[:2]]))
    sent = Sent(request, to_samples(sound).tobytes())
    ended: list[Exception] = []

    def work() -> None:
        try:
            handler.feed(request, sent.job)
        except Cancelled as error:
            ended.append(error)

    thread = threading.Thread(target=work)
    thread.start()
    while not sent.job.ends_at_once:
        time.sleep(0.005)
    assert sent.job.cancel(), "the request ends at this moment, whatever the model does"
    thread.join()
    assert ended
    again = fed(handler, handle, quiet(0.5), True)
    assert again.segments, "what was taken before the cancel is understood now"
    close = CloseTranscription(handle=handle)
    for _ in range(2):
        handler.close(close, Sent(close).job)
    with pytest.raises(AppError) as refused:
        fed(handler, handle, quiet(0.1), True)
    assert refused.value.code == "transcription.not_open"


class Polyglot:
    """Stands in for a multilingual model, which the starter pack does not bring."""

    multilingual = True

    def __init__(self, *languages: tuple[str, float]) -> None:
        """Take what is found out of each piece, and how surely."""
        self.found = list(languages)
        self.asked: list[tuple[str, bool]] = []

    def detect_language(self, sound: Waveform) -> tuple[str, float]:
        """Give the next."""
        return self.found.pop(0)

    def understand(
        self, sound: Waveform, language: str, translate: bool, is_wanted: Callable[[], bool]
    ) -> list[Utterance]:
        """Understand one word, improbably."""
        self.asked.append((language, translate))
        return [
            Utterance(start_s=0.0, end_s=1.0, text="Wort", log_probability=-2, n_tokens=9, was_guessed=True)
        ]


def heard_by(model: Polyglot, options: SpeechOptions, n_pieces: int) -> TranscriptPart:
    """Give the last part of sentences far enough apart that each is a piece of its own."""
    transcriber = Transcriber(options, lambda: cast(SpeechModel, model))
    sound = in_room(np.concatenate([spoken(SENTENCES[0]), quiet(100.0)]))
    for index in range(n_pieces):
        part = transcriber.feed(sound, index + 1 == n_pieces, wanted)
    return part


def test_the_first_language_that_is_sure_stays() -> None:
    """An unsure guess is used for its piece alone; after a sure one nothing is found out any more."""
    model = Polyglot(("cy", 0.2), ("de", 0.9))
    part = heard_by(model, replace(OPTIONS, translate=True), 3)
    assert model.asked == [("cy", True), ("de", True), ("de", True)]
    assert (part.language, part.language_probability, part.doubtful) == ("de", 0.9, False)


def test_a_language_that_was_asked_for_is_not_found_out() -> None:
    """The user knows better."""
    model = Polyglot()
    part = heard_by(model, replace(OPTIONS, language="fr"), 1)
    assert model.asked == [("fr", False)]
    assert (part.language, part.language_probability) == ("fr", 1.0)


def test_half_a_sample_is_refused() -> None:
    """Bytes that end within a sample are a fault of who sent them."""
    handler = understanding()
    request = FeedTranscription(handle=opened(handler))
    with pytest.raises(AppError) as refused:
        handler.feed(request, Sent(request, b"\x00\x01\x02").job)
    assert refused.value.code == "transcription.bad_samples"


def refusal(options: SpeechOptions) -> AppError:
    """Give why a model is refused."""
    request = OpenTranscription(options=options)
    with pytest.raises(ModelError) as refused:
        Understanding().open(request, Sent(request).job)
    assert refused.value.hint
    return refused.value


@pytest.mark.parametrize("asked", [{"language": "de"}, {"translate": True}])
def test_an_english_model_says_that_it_knows_nothing_else(asked: dict[str, str]) -> None:
    """Another language, and translation, need another model."""
    request = OpenTranscription(options=replace(OPTIONS, **asked))  # type: ignore[arg-type]
    with pytest.raises(ModelError) as refused:
        understanding().open(request, Sent(request).job)
    assert refused.value.code == "speech.not_multilingual"
    assert "multilingual" in refused.value.hint


def test_a_language_that_there_is_not(monkeypatch: pytest.MonkeyPatch) -> None:
    """A code that a multilingual model does not know is told as that."""
    handler = understanding()
    monkeypatch.setattr(handler.model(OPTIONS), "multilingual", True)
    assert handler.model(replace(OPTIONS, language="en")).languages == ("en",)
    with pytest.raises(ModelError) as refused:
        handler.model(replace(OPTIONS, language="zz"))
    assert refused.value.code == "speech.unknown_language" and "zz" in refused.value.user_message


def test_a_model_that_is_gone(tmp_path: Path) -> None:
    """A folder that is not there any more."""
    assert refusal(replace(OPTIONS, model_path=str(tmp_path / "gone"))).code == "speech.model_missing"


@pytest.mark.parametrize("name", ["model.bin", "config.json", "tokenizer.json", "vocabulary.txt"])
def test_a_model_that_lacks_a_file(tmp_path: Path, name: str) -> None:
    """The missing file is named, and nothing is asked of the network."""
    folder = copied(tmp_path)
    (folder / name).unlink()
    error = refusal(replace(OPTIONS, model_path=str(folder)))
    assert error.code == "speech.model_damaged"
    assert name in error.user_message


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("model.bin", b""),
        ("model.bin", b"\x06\x00\x00\x00" + b"garbage" * 1000),
        ("model.bin", None),
        ("config.json", b"{"),
        ("config.json", b"{}"),
        ("tokenizer.json", b"[]"),
        ("tokenizer.json", b"\xff\xfe"),
        ("vocabulary.txt", b""),
    ],
)
def test_a_damaged_model_is_named(tmp_path: Path, name: str, content: bytes | None) -> None:
    """Damaged files, and a download that was cut off (None), end in one reason."""
    folder = copied(tmp_path)
    whole = (STARTER / name).read_bytes()
    (folder / name).unlink()
    (folder / name).write_bytes(whole[: len(whole) // 2] if content is None else content)
    error = refusal(replace(OPTIONS, model_path=str(folder)))
    assert error.code == "speech.model_damaged"
    assert folder.name in error.user_message


def copied(folder: Path) -> Path:
    """Give a copy of the starter model, its large file as a link."""
    copy = folder / "a-model"
    copy.mkdir()
    for file in STARTER.iterdir():
        if file.name == "model.bin":
            (copy / file.name).symlink_to(file)
        else:
            shutil.copy(file, copy)
    return copy


def test_too_little_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    """A model that does not fit is not loaded."""
    monkeypatch.setattr(speech_model, "available_memory", lambda: 100_000_000)
    assert refusal(OPTIONS).code == "speech.no_memory"


def test_another_model_takes_the_place_of_the_first(tmp_path: Path) -> None:
    """One model is in memory; a transcription that is open goes on with its own, loaded again."""
    handler = Understanding()
    copy = copied(tmp_path)
    first = handler.transcriber(OPTIONS)
    model = handler.model(OPTIONS)
    assert handler.model(OPTIONS) is model
    other = handler.model(replace(OPTIONS, model_path=str(copy)))
    assert other.path == copy
    assert text_of(list(first.feed(in_room(spoken(SENTENCES[1])), True, wanted).segments))
    assert handler.model(OPTIONS).path == STARTER
    handler.end()


def test_without_a_gpu_the_processor_computes() -> None:
    """Where there is no GPU, none is tried."""
    import ctranslate2  # type: ignore[import-untyped]

    if ctranslate2.get_cuda_device_count():
        pytest.skip("this machine has a GPU")
    assert not works_on_gpu(STARTER)
    assert understanding().model(OPTIONS).device == "cpu"


def test_a_gpu_that_does_not_work_is_not_used(monkeypatch: pytest.MonkeyPatch) -> None:
    """The trial is a process of its own: here the library has no GPU to compute with, and it ends with 1."""
    import ctranslate2

    if ctranslate2.get_cuda_device_count():
        pytest.skip("this machine has a GPU")
    monkeypatch.setattr(ctranslate2, "get_cuda_device_count", lambda: 1)
    assert not works_on_gpu(STARTER)
    assert speech_model.try_gpu(STARTER) == 1


class Gpu:
    """Stands in for the library on a machine with a GPU: what computes there fails as asked."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, fails_loading: bool) -> None:
        """Take the place of loading; the processor works as ever."""
        self.loaded: list[str] = []
        self._fails_loading = fails_loading
        self._load = speech_model._load
        monkeypatch.setattr(speech_model, "works_on_gpu", lambda _: True)
        monkeypatch.setattr(speech_model, "_load", self.load)

    def load(self, path: Path, device: str, n_threads: int) -> Any:
        """Load on the processor, whatever the device, and fail on the GPU."""
        self.loaded.append(device)
        if device == "cuda" and self._fails_loading:
            raise RuntimeError("CUDA failed with error out of memory")
        whisper = self._load(path, "cpu", n_threads)
        if device == "cuda":
            whisper.transcribe = self._fail
        return whisper

    def _fail(self, *_: object, **__: object) -> None:
        raise RuntimeError("CUDA failed with error out of memory")


@pytest.mark.parametrize("fails_loading", [True, False])
def test_a_gpu_without_room_is_left(monkeypatch: pytest.MonkeyPatch, fails_loading: bool) -> None:
    """Where the GPU has no memory, at loading or later, the processor understands, and that is said."""
    gpu = Gpu(monkeypatch, fails_loading)
    handler = Understanding()
    request = OpenTranscription(options=OPTIONS)
    opened_with = handler.open(request, Sent(request).job)
    assert opened_with.device == ("cpu" if fails_loading else "cuda")
    part = fed(handler, opened_with.handle, in_room(spoken(SENTENCES[1])), True)
    assert word_errors(SENTENCES[1], text_of(list(part.segments))).n_errors == 0
    assert gpu.loaded == ["cuda", "cpu"]
    assert handler.model(OPTIONS).device == "cpu"
