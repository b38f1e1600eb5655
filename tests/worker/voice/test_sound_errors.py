"""What PortAudio and the systems under it report, in words."""

import sys

import pytest

from app.worker.voice.sound_errors import (
    Reason,
    is_refused_format,
    microphone_error,
    reason_of,
    speaker_error,
)


def windows(code: int) -> int:
    return code - (1 << 32)


@pytest.mark.parametrize(
    ("arguments", "reason"),
    [
        (("Error opening InputStream: Device unavailable", -9985), Reason.BUSY),
        (("Error opening InputStream: Invalid device", -9996), Reason.NOT_FOUND),
        (("Unanticipated host error", -9999, (0, -13, "Permission denied")), Reason.DENIED),
        (("Unanticipated host error", -9999, (0, -16, "Device or resource busy")), Reason.BUSY),
        (("Unanticipated host error", -9999, (0, -19, "No such device")), Reason.NOT_FOUND),
        (("Unanticipated host error", -9999, (0, -111, "Connection refused")), Reason.NONE),
        (("Unanticipated host error", -9999, (0, windows(0x8889000A), "")), Reason.BUSY),
        (("Unanticipated host error", -9999, (0, windows(0x80070005), "")), Reason.DENIED),
        (("Unanticipated host error", -9999, (0, windows(0x88890004), "")), Reason.NOT_FOUND),
        (("Unanticipated host error", -9999, (0, int.from_bytes(b"nope", "big"), "")), Reason.DENIED),
        (("Unanticipated host error", -9999, (0, int.from_bytes(b"!hog", "big"), "")), Reason.BUSY),
        # The system's words count where its code is unknown.
        (("Unanticipated host error", -9999, (0, 77, "Access is denied.")), Reason.DENIED),
        (("Unanticipated host error", -9999, (0, 77, "No such entity")), Reason.NOT_FOUND),
        # The system's code says more than PortAudio's.
        (("Device unavailable", -9985, (0, -13, "Permission denied")), Reason.DENIED),
        (("Error opening InputStream: Internal PortAudio error", -9986), Reason.FAILED),
        (("a sentence",), Reason.FAILED),
        ((), Reason.FAILED),
    ],
)
def test_reasons(arguments: tuple[object, ...], reason: Reason) -> None:
    assert reason_of(Exception(*arguments)) is reason


def test_a_refused_rate_is_no_failure() -> None:
    assert is_refused_format(Exception("Invalid sample rate", -9997))
    assert is_refused_format(Exception("Invalid number of channels", -9998))
    assert is_refused_format(Exception("Unanticipated", -9999, (0, windows(0x88890008), "")))
    assert is_refused_format(Exception("Unanticipated", -9999, (0, -22, "Invalid argument")))
    assert not is_refused_format(Exception("Device unavailable", -9985))
    assert not is_refused_format(Exception())


@pytest.mark.parametrize("platform", ["linux", "win32", "darwin"])
def test_every_reason_has_words(platform: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "platform", platform)
    for reason in Reason:
        for error, noun in ((microphone_error(reason), "microphone"), (speaker_error(reason), "loudspeaker")):
            assert noun in error.user_message
            assert error.user_message.endswith(".")
            assert error.hint.endswith(".")
    assert microphone_error(Reason.DENIED).code == "microphone.denied"
    assert speaker_error(Reason.DENIED).code == "speaker.failed"
    assert ("Privacy" in microphone_error(Reason.DENIED).hint) == (platform != "linux")


def test_the_cause_is_kept_for_the_log() -> None:
    error = speaker_error(Reason.BUSY, Exception("Device unavailable", -9985))
    assert error.context == {"cause": "('Device unavailable', -9985)"}
