"""Entry of the voice worker: wires its parts in one place."""

from pathlib import Path

from app.protocol.speech import (
    CloseTranscription,
    FeedTranscription,
    FindAudioDevices,
    FinishRecording,
    OpenTranscription,
    PauseSound,
    Play,
    Record,
    Say,
    SetVolume,
    SoundInterrupted,
    StopSound,
    Synthesize,
)
from app.worker.runtime import Worker
from app.worker.voice.devices import SoundSystem
from app.worker.voice.recording import Recorder
from app.worker.voice.speaking import Speaker
from app.worker.voice.speech_model import TRY_GPU, try_gpu
from app.worker.voice.understanding import Understanding


def main(argv: list[str]) -> int:
    """Serve until the host ends; return the exit code.

    Args:
        argv: nothing; or TRY_GPU and the folder of a speech model: try it on the GPU and end.
    """
    if argv[:1] == [TRY_GPU]:
        return try_gpu(Path(argv[1]))
    system = SoundSystem()
    understanding = Understanding()
    speaker = Speaker(system, on_interrupted=lambda: worker.event(SoundInterrupted()))
    recorder = Recorder(system, understanding, speaker)
    worker = Worker(
        "voice",
        {
            "transcription": {
                OpenTranscription: understanding.open,
                FeedTranscription: understanding.feed,
                CloseTranscription: understanding.close,
            },
            "microphone": {Record: recorder.record},
            "synthesis": {Synthesize: speaker.synthesize, Say: speaker.say, Play: speaker.play},
            "control": {
                FinishRecording: recorder.finish,
                StopSound: speaker.stop,
                PauseSound: speaker.pause,
                SetVolume: speaker.set_volume,
            },
            # A sound system that answers slowly must not keep StopSound waiting.
            "devices": {FindAudioDevices: system.find},
        },
    )
    worker.at_exit(understanding.end)
    worker.at_exit(speaker.end)
    worker.at_exit(recorder.end)
    return worker.run()
