"""Conversations as trees of messages, and the part of them that a prompt holds."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum


class Kind(StrEnum):
    """Where an answer comes from."""

    DOCUMENTS = "documents"
    NOT_FOUND = "not_found"
    GENERAL = "general"


class State(StrEnum):
    """How far an answer came."""

    COMPLETE = "complete"
    STREAMING = "streaming"
    STOPPED = "stopped"
    INTERRUPTED = "interrupted"
    FAILED = "failed"


@dataclass(frozen=True, slots=True)
class PromptTurn:
    """One question and its answer exactly as they stand in prompts.

    Attributes:
        question_id: of the user's message.
        content: what the model got as the user's message; empty where it was not asked.
        reply: what the model wrote, untouched; empty where nothing came.
        passages: numbers of the passages that stand in `content`.
        window_start: question_id of the first turn of the prompt that this turn was asked in.
        images: sha256 of the images attached to the question, in order.
    """

    question_id: str
    content: str
    reply: str
    passages: tuple[int, ...] = ()
    window_start: str = ""
    images: tuple[str, ...] = ()

    @property
    def is_spoken(self) -> bool:
        """Whether prompts hold the turn: the model was asked and has answered."""
        return bool(self.content and self.reply)


def branch(parents: Mapping[str, str | None], leaf_id: str | None) -> list[str]:
    """Give the ids from the root of a tree to one of its messages.

    A parent that is missing, or a cycle (a damaged database), ends the walk: what can be shown is shown.
    """
    ids: list[str] = []
    seen: set[str] = set()
    message_id = leaf_id
    while message_id is not None and message_id in parents and message_id not in seen:
        ids.append(message_id)
        seen.add(message_id)
        message_id = parents[message_id]
    return ids[::-1]


def cyclic(parents: Mapping[str, str | None]) -> set[str]:
    """Give the ids whose line of parents never ends."""
    good: set[str] = set()
    bad: set[str] = set()
    for message_id in parents:
        line: list[str] = []
        seen: set[str] = set()
        current: str | None = message_id
        while current is not None and current in parents and current not in good and current not in bad:
            if current in seen:
                bad.update(line)
                break
            line.append(current)
            seen.add(current)
            current = parents[current]
        (bad if current in bad else good).update(line)
    return bad


def window(turns: Sequence[PromptTurn]) -> list[PromptTurn]:
    """Give the turns that the next prompt begins with: those of the last prompt, and the last turn itself."""
    spoken = [turn for turn in turns if turn.is_spoken]
    if not spoken:
        return []
    first = next((i for i, turn in enumerate(spoken) if turn.question_id == spoken[-1].window_start), 0)
    return spoken[first:]


def first_kept(turn_tokens: Sequence[int], capacity: int, wanted: int) -> int:
    """Choose the first turn that a prompt can still hold; 0 where all of them fit.

    Where they do not, half of the room is left free, so that not every further turn starts a fresh window
    (which evaluates the whole prompt again).

    Args:
        turn_tokens: tokens of each turn, oldest first.
        capacity: tokens for turns and the new question with its passages.
        wanted: tokens of the new question with its passages.
    """
    if sum(turn_tokens) + wanted <= capacity:
        return 0
    room = (capacity - wanted) // 2
    first = len(turn_tokens)
    while first > 0 and turn_tokens[first - 1] <= room:
        first -= 1
        room -= turn_tokens[first]
    return max(first, 1)
