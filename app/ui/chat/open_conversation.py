"""A conversation as the window holds it."""

import asyncio
from dataclasses import dataclass, field

from app.protocol.chat import ConversationEntry
from app.protocol.search import Scope
from app.ui.chat.draft_images import DraftImages
from app.ui.chat.live_answer import LiveAnswer
from app.ui.chat.message_model import MessageModel


@dataclass
class OpenConversation:
    """A conversation that is shown, or whose answer is being written in the background.

    Attributes:
        entry: None for a new one that nothing was stored of yet.
        draft: the unsent text; `stored_draft` is what the host has.
        live: the answer that is being written.
        images: of the unsent question.
        creating: held while the host creates it, so that it is created once.
    """

    model: MessageModel
    images: DraftImages
    entry: ConversationEntry | None = None
    draft: str = ""
    stored_draft: str = ""
    scope: Scope = field(default_factory=Scope)
    model_name: str = ""
    live: LiveAnswer | None = None
    creating: asyncio.Lock = field(default_factory=asyncio.Lock)

    @property
    def id(self) -> str | None:
        """Its id; None while it is not stored."""
        return self.entry.id if self.entry is not None else None
