"""What the network page asks the host for, and what it hears from it."""

import asyncio
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from PySide6.QtCore import QObject, Signal, Slot

from app.core.errors import AppError, StorageError
from app.protocol.network import ClearLedger, GetNetwork, LedgerEntry, NetworkStatus, NetworkUsed, SetHubToken
from app.protocol.system import GetSettings, SettingsChanged, UpdateSettings
from app.ui.network.ledger_model import LedgerModel
from app.ui.network.words import ledger_text
from app.ui.session import Session
from app.ui.tasks import TaskSpawner
from app.ui.theme import Theme


class NetworkController(QObject):
    """Fills the ledger and sends the user's wishes.

    Attributes:
        ledger: the entries; follows the host's events once it was loaded.

    Signals:
        loaded: NetworkStatus.
        load_failed: AppError.
        ledger_changed: entries came, changed or went.
        settings_loaded: all settings (a mapping).
        setting_refused: (name, AppError); the stored value is still the old one.
        token_kept: NetworkStatus.
        token_refused: AppError.
        exported: the ledger as text (str), to be copied.
        saved: path (str) of the file that the ledger was written to.
        failed: AppError; another wish could not be fulfilled.
    """

    loaded = Signal(object)
    load_failed = Signal(object)
    ledger_changed = Signal()
    settings_loaded = Signal(object)
    setting_refused = Signal(str, object)
    token_kept = Signal(object)
    token_refused = Signal(object)
    exported = Signal(str)
    saved = Signal(str)
    failed = Signal(object)

    def __init__(
        self, session: Session, tasks: TaskSpawner, theme: Theme, parent: QObject | None = None
    ) -> None:
        """Follow the session's events; nothing is asked before `load`."""
        super().__init__(parent)
        self._session, self._tasks = session, tasks
        self.ledger = LedgerModel(theme, self)
        self._is_loaded = False
        session.network_used.connect(self._on_network_used)
        session.settings_changed.connect(self._on_settings_changed)
        session.connected.connect(self._on_connected)

    @Slot()
    def load(self) -> None:
        """Ask for ledger and settings."""
        self._tasks.spawn(self._load(), "network.load")

    async def _load(self) -> None:
        try:
            status = await self._session.call(GetNetwork())
            settings = await self._session.call(GetSettings())
        except AppError as error:
            self.load_failed.emit(error)
            return
        self._is_loaded = True
        self.ledger.reset(status)
        self.loaded.emit(status)
        self.settings_loaded.emit(settings.values)

    @Slot()
    def _on_connected(self) -> None:
        if self._is_loaded:
            self.load()

    @Slot(object)
    def _on_network_used(self, used: NetworkUsed) -> None:
        if self._is_loaded:
            self.ledger.apply(used.entry)
            self.ledger_changed.emit()

    @Slot(object)
    def _on_settings_changed(self, change: SettingsChanged) -> None:
        if self._is_loaded:
            self.settings_loaded.emit(change.values)

    def change_setting(self, name: str, value: object) -> None:
        """Store a setting."""
        self._tasks.spawn(self._change(name, {name: value}), "network.setting")

    async def _change(self, name: str, values: Mapping[str, Any]) -> None:
        try:
            stored = await self._session.call(UpdateSettings(values=dict(values)))
        except AppError as error:
            self.setting_refused.emit(name, error)
        else:
            self.settings_loaded.emit(stored.values)

    def keep_token(self, token: str) -> None:
        """Keep the hub's token; empty forgets it. It is not held here."""
        self._tasks.spawn(self._keep_token(token), "network.token")

    async def _keep_token(self, token: str) -> None:
        try:
            status: NetworkStatus = await self._session.call(SetHubToken(token=token))
        except AppError as error:
            self.token_refused.emit(error)
        else:
            self.token_kept.emit(status)

    @Slot()
    def clear(self) -> None:
        """Forget the ledger's entries."""
        self._tasks.spawn(self._clear(), "network.clear")

    async def _clear(self) -> None:
        try:
            await self._session.call(ClearLedger())
            status = await self._session.call(GetNetwork())
        except AppError as error:
            self.failed.emit(error)
            return
        self.ledger.reset(status)
        self.ledger_changed.emit()

    @Slot()
    def copy(self) -> None:
        """Give the whole ledger as text with `exported`."""
        self._tasks.spawn(self._copy(), "network.copy")

    async def _copy(self) -> None:
        try:
            self.exported.emit(ledger_text(await self._all_entries()))
        except AppError as error:
            self.failed.emit(error)

    def save(self, path: str) -> None:
        """Write the whole ledger to a file, as comma-separated values."""
        self._tasks.spawn(self._save(path), "network.save")

    async def _save(self, path: str) -> None:
        try:
            text = ledger_text(await self._all_entries(), ",")
            await asyncio.to_thread(Path(path).write_text, text, encoding="utf-8")
        except OSError as error:
            words = self.tr("The file could not be written: {0}.").format(error.strerror)
            hint = self.tr("Choose another folder.")
            self.failed.emit(StorageError("network.not_saved", words, hint))
        except AppError as error:
            self.failed.emit(error)
        else:
            self.saved.emit(path)

    async def _all_entries(self) -> tuple[LedgerEntry, ...]:
        limit = max(1, self.ledger.totals.n_entries)
        return (await self._session.call(GetNetwork(limit=limit))).entries
