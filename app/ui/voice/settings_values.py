"""The voice settings by name, with what they are at first."""

from collections.abc import Mapping
from typing import Any

DEFAULTS: Mapping[str, Any] = {
    "speech_model": "",
    "speech_language": "",
    "speech_translate": False,
    "microphone": "",
    "speaker": "",
    "speech_send_at_once": False,
    "speech_silence_s": 0.8,
    "speech_barge_in": True,
    "keep_recordings": False,
    "voice": "",
    "voice_speed": 1.0,
    "voice_volume": 1.0,
    "read_answers": False,
    "push_to_talk_key": "Ctrl+Space",
}
"""As in `app.core.settings`, whose library would lengthen the window's start; a test compares them."""
