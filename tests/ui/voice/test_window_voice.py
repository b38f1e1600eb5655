"""Talking in the whole window: keys, signs, settings, conversations, closing."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from PySide6.QtCore import QEvent, Qt
from PySide6.QtGui import QKeyEvent
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QApplication

from app.core.errors import AppError
from app.protocol.chat import (
    Ask,
    Conversation,
    ConversationEntry,
    ConversationList,
    GetConversation,
    ListConversations,
    SaveDraft,
)
from app.protocol.library import (
    CollectionList,
    FileList,
    GetLibraryStatus,
    LibraryStatus,
    ListCollections,
    ListFiles,
)
from app.protocol.models import ListModels, ModelEntry, ModelList
from app.protocol.network import GetNetwork, NetworkStatus
from app.protocol.speech import AudioDevices
from app.protocol.system import Empty, GetSettings, SettingsBody, SettingsChanged
from app.protocol.voice import (
    FinishListening,
    GetVoiceChoices,
    ListAudioDevices,
    StopReading,
    VoiceActivity,
    VoiceChoices,
)
from app.ui.main_window import MainWindow, WindowParts
from app.ui.notifier import Notifier
from app.ui.tasks import TaskSpawner
from app.ui.theme import Theme
from tests.ui.chat.test_messages import answer, question
from tests.ui.conftest import until
from tests.ui.fakes import FakeSession
from tests.ui.voice.listening import ListeningHost

ENTRY = ConversationEntry(id="c1", title="Warranty", created_at=1, updated_at=1)
NETWORK = NetworkStatus(
    offline=False,
    entries=(),
    n_entries=0,
    n_sent_bytes=0,
    n_received_bytes=0,
    has_token=False,
    token_place="",
    proxy="",
    endpoint="",
)
CTRL = Qt.KeyboardModifier.ControlModifier


@dataclass
class Shown:
    """The window that is shown, and the host that listens."""

    window: MainWindow
    session: FakeSession
    host: ListeningHost

    def send_key(self, kind: QEvent.Type, key: Qt.Key, modifiers: Qt.KeyboardModifier) -> None:
        QApplication.sendEvent(self.window.windowHandle(), QKeyEvent(kind, key, modifiers))

    @property
    def text(self) -> str:
        return self.window.chat_pane.composer.text()

    @property
    def notice(self) -> str:
        return self.window.voice.notice.text

    async def heard(self, phase: str = "hearing") -> None:
        self.host.hear(phase)
        voice = self.window.voice
        await until(lambda: phase in (voice.talk.listener.phase, voice.hands_free.listener.phase))


def answer_everything(session: FakeSession) -> None:
    idle = LibraryStatus(
        paused=False, waiting=0, eta_s=None, counts={}, n_documents=0, n_chunks=0, n_embedded=0
    )
    model = ModelEntry(name="smol", path="/m/smol.gguf", size_bytes=1, state="available")
    for request_type, reply in {
        ListConversations: ConversationList(conversations=(ENTRY,)),
        GetConversation: Conversation(entry=ENTRY, messages=(question(1), answer(1, "Two years."))),
        SaveDraft: Empty(),
        ListModels: ModelList(models=(model,), default="smol"),
        ListCollections: CollectionList(collections=()),
        ListFiles: FileList(files=(), total=0),
        GetLibraryStatus: idle,
        GetNetwork: NETWORK,
        GetSettings: SettingsBody(values={"theme": "light", "guide_seen": True}),
        GetVoiceChoices: VoiceChoices(speech_models=(), voices=()),
        ListAudioDevices: AudioDevices(inputs=(), outputs=()),
    }.items():
        session.reply(request_type, reply)


@pytest.fixture
async def shown(tmp_path: Path, tasks: TaskSpawner, notifier: Notifier, theme: Theme) -> AsyncIterator[Shown]:
    session = FakeSession(tmp_path)
    answer_everything(session)
    host = ListeningHost(session)
    window = MainWindow(WindowParts(session, tasks, notifier, theme))
    window.show()
    session.connect_now()
    await until(lambda: session.sent(GetSettings) and session.sent(ListConversations))
    window.chats.open("c1")
    await until(lambda: window.chats.current.id == "c1")
    yield Shown(window, session, host)
    window.voice.put_away()
    await tasks.close()
    window.chats._draft_timer.stop()
    window._save_timer.stop()
    window._may_close = True
    window.close()
    window.deleteLater()
    session.deleteLater()
    await asyncio.sleep(0)


async def test_the_key_talks_with_the_focus_in_the_composer(shown: Shown) -> None:
    shown.window.chat_pane.focus_composer()
    shown.send_key(QEvent.Type.KeyPress, Qt.Key.Key_Space, CTRL)
    await shown.heard()
    shown.send_key(QEvent.Type.KeyRelease, Qt.Key.Key_Space, CTRL)
    await until(lambda: shown.session.sent(FinishListening))
    shown.host.record("How long?")
    await until(lambda: shown.text == "How long?")
    shown.session.deliver(SettingsChanged(values={"push_to_talk_key": "F9"}))
    shown.send_key(QEvent.Type.KeyPress, Qt.Key.Key_Space, CTRL)
    assert len(shown.host.listens) == 1
    assert "F9" in shown.window.chat_pane.composer.voice.talk.toolTip()
    shown.send_key(QEvent.Type.KeyPress, Qt.Key.Key_F9, Qt.KeyboardModifier.NoModifier)
    assert len(shown.host.listens) == 2


async def test_escape_cancels_the_talk_and_not_the_answer(shown: Shown) -> None:
    shown.session.script(Ask, [asyncio.Event()])
    shown.window.chats.ask("Typed")
    await until(lambda: shown.window.chats.current.live is not None)
    shown.window.voice.toggle_talk()
    await shown.heard()
    QTest.keyClick(shown.window.chat_pane.composer.edit, Qt.Key.Key_Escape)
    await until(lambda: not shown.window.voice.is_active)
    assert shown.host.wanted[0] in shown.session.cancelled
    assert not any(isinstance(each, Ask) for each in shown.session.cancelled)
    QTest.keyClick(shown.window.chat_pane.composer.edit, Qt.Key.Key_Escape)
    await until(lambda: any(isinstance(each, Ask) for each in shown.session.cancelled))


async def test_a_hint_goes_with_the_next_question_and_a_problem_stays(shown: Shown) -> None:
    composer = shown.window.chat_pane.composer
    shown.session.script(Ask, [asyncio.Event()])
    shown.window.voice.notice.tell_nothing_heard()
    composer.set_text("Typed instead")
    composer.send()
    assert shown.notice == ""
    await until(lambda: shown.window.chats.current.live is not None)
    shown.window.voice.notice.tell_lost(has_text=False)
    shown.window.voice.notice.on_sent()
    assert "went away" in shown.notice
    shown.window.chats.stop()
    await until(lambda: shown.window.chats.current.live is None)


async def test_talking_silences_what_is_read(shown: Shown) -> None:
    shown.window.reading.toggle()
    await until(lambda: shown.host.told)
    shown.window.voice.toggle_talk()
    await until(lambda: shown.session.sent(StopReading))
    assert not shown.window.reading.controller.is_reading
    await shown.heard()
    shown.window.voice.toggle_talk()
    await until(lambda: shown.session.sent(FinishListening))


async def test_hands_free_by_button_and_by_key(shown: Shown) -> None:
    buttons = shown.window.chat_pane.composer.voice
    buttons.hands_free.click()
    assert shown.host.wanted[0].hands_free
    assert buttons.hands_free.isChecked() and not buttons.talk.isEnabled()
    await shown.heard("listening")
    shown.window.voice.toggle_talk()
    shown.send_key(QEvent.Type.KeyPress, Qt.Key.Key_Space, CTRL)
    assert len(shown.host.listens) == 1  # one use of the microphone at a time
    shown.window.voice.toggle_hands_free()
    await until(lambda: not shown.window.voice.is_active)
    assert not buttons.hands_free.isChecked() and buttons.talk.isEnabled()
    shown.window.voice.toggle_talk()
    assert not buttons.hands_free.isEnabled()
    shown.window.voice.toggle_hands_free()
    assert len(shown.host.listens) == 2
    assert not shown.window.voice.hands_free.is_active


async def test_trying_again_tries_the_same_again(shown: Shown) -> None:
    banner = shown.window.chat_pane.composer.voice_notice
    for toggle, is_hands_free in (
        (shown.window.voice.toggle_hands_free, True),
        (shown.window.voice.toggle_talk, False),
    ):
        toggle()
        shown.host.break_off(AppError("microphone.busy", "Another program uses it.", "Close that."))
        await until(banner.isVisible)
        banner.buttons[0].click()
        assert shown.host.wanted[-1].hands_free is is_hands_free
        shown.host.break_off(AppError("microphone.busy", "Another program uses it.", "Close that."))
        await until(banner.isVisible)


async def test_hands_free_ends_with_the_conversation_and_a_talk_does_not(shown: Shown) -> None:
    shown.window.voice.toggle_hands_free()
    await shown.heard("listening")
    shown.window.new_conversation()
    await until(lambda: not shown.window.voice.is_active)
    shown.window.voice.toggle_talk()
    await shown.heard()
    shown.window.chats.open("c1")
    await until(lambda: shown.window.chats.current.id == "c1")
    shown.session.deliver(SettingsChanged(values={"speech_send_at_once": True}))
    shown.host.record("What was said")
    await until(lambda: shown.text == "What was said")
    assert not shown.session.sent(Ask)


async def test_signs_tell_of_every_front_ends_microphone_and_sound(shown: Shown) -> None:
    signs = shown.window.voice.signs
    assert not signs.microphone.isVisible() and not signs.sound.isVisible()
    shown.session.deliver(VoiceActivity(microphone=True, sounding=True))
    assert signs.microphone.isVisible() and signs.microphone.words == "The microphone is open"
    assert signs.sound.isVisible()
    signs.microphone.click()
    await until(lambda: shown.session.sent(FinishListening))
    signs.sound.click()
    await until(lambda: shown.session.sent(StopReading))
    shown.session.deliver(VoiceActivity(microphone=False, sounding=True))
    assert not signs.microphone.isVisible() and signs.sound.isVisible()
    shown.session.reply(StopReading, AppError("worker.died", "It died."))
    signs.sound.click()
    await until(lambda: shown.notice == "It died.")
    shown.session.lose()
    assert not signs.sound.isVisible()


async def test_settings_and_models_are_a_step_away(shown: Shown) -> None:
    voice, buttons = shown.window.voice, shown.window.chat_pane.composer.voice
    words = [action.text() for action in shown.window.actions_.menu.actions()]
    assert "Voice settings…" in words
    buttons.more.click()
    assert buttons.menu.isVisible()
    entry = next(each for each in buttons.menu.actions() if each.text() == "Voice settings…")
    buttons.menu.close()
    entry.trigger()
    await until(lambda: voice.settings.dialog is not None)
    dialog = voice.settings.dialog
    voice.settings.open()
    assert voice.settings.dialog is dialog
    taken = dict(shown.window._taken_keys())
    assert taken["Ctrl+N"] == "New conversation"
    assert taken["Ctrl+Shift+H"] == "Hands-free conversation"
    voice.settings.close()
    await until(lambda: voice.settings.dialog is None)


async def test_closing_the_window_closes_the_microphone(shown: Shown) -> None:
    shown.window.voice.settings.open()
    shown.window.voice.toggle_hands_free()
    await shown.heard("listening")
    shown.window.closed.emit()
    await until(lambda: not shown.window.voice.is_active)
    assert shown.host.wanted[0] in shown.session.cancelled
    await until(lambda: shown.window.voice.settings.dialog is None)
