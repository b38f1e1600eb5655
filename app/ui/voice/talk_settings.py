"""The settings that talking needs at hand, taken from all of them."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class TalkSettings:
    """What was set; the defaults are those of `app.core.settings`.

    Attributes:
        send_at_once: what was said is sent without a look at it.
        barge_in: in hands-free mode, speaking stops the reading.
        language: spoken, ISO 639-1; empty: found out.
        push_to_talk_key: in Qt's portable form; empty: none.
    """

    send_at_once: bool = False
    barge_in: bool = True
    language: str = ""
    push_to_talk_key: str = "Ctrl+Space"

    @classmethod
    def from_values(cls, values: Mapping[str, Any]) -> "TalkSettings":
        """Take them from the values that the host told."""
        default = cls()
        return cls(
            send_at_once=bool(values.get("speech_send_at_once", default.send_at_once)),
            barge_in=bool(values.get("speech_barge_in", default.barge_in)),
            language=str(values.get("speech_language", default.language)),
            push_to_talk_key=str(values.get("push_to_talk_key", default.push_to_talk_key)),
        )
