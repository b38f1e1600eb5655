"""How to connect: the hub's address and token, the proxy, and how fast."""

from collections.abc import Mapping
from typing import Any

from PySide6.QtCore import QUrl, Signal, Slot
from PySide6.QtWidgets import QHBoxLayout, QLineEdit, QPushButton, QVBoxLayout, QWidget

from app.core.errors import AppError
from app.protocol.network import NetworkStatus
from app.ui.library.filter_bar import ChevronBox
from app.ui.network.fields import Field, TextSetting
from app.ui.network.words import token_words
from app.ui.theme import Theme, set_role
from app.ui.tokens import SPACE_L

_SYSTEM, _NONE, _OWN = range(3)
_MAX_KB_S = 10_000_000
_MAX_DOWNLOADS = 4
_SCHEMES = ("http", "https")
_PROXY_SCHEMES = (*_SCHEMES, "socks5", "socks5h")


class ConnectionForm(QWidget):
    """Shows stored values; each wish goes out as a signal and comes back as a stored value or a refusal.

    Signals:
        setting_wanted: (name, value).
        token_wanted: the token (str); empty forgets it.
    """

    setting_wanted = Signal(str, object)
    token_wanted = Signal(str)

    def __init__(self, theme: Theme, parent: QWidget | None = None) -> None:
        """Show the defaults."""
        super().__init__(parent)
        self.token = QLineEdit()
        self.token.setEchoMode(QLineEdit.EchoMode.Password)
        self.token.setMaxLength(500)
        self.token.setPlaceholderText(self.tr("Paste a token to keep it"))
        self.keep_button = QPushButton(self.tr("Keep"))
        self.forget_button = QPushButton(self.tr("Forget"))
        self.endpoint = TextSetting()
        self.proxy_kind = ChevronBox(theme)
        self.proxy_kind.addItems(
            [self.tr("As the system is set"), self.tr("No proxy"), self.tr("This proxy:")]
        )
        self.proxy = TextSetting()
        self.proxy.setPlaceholderText("http://host:port")
        self.proxy.setAccessibleName(self.tr("Address of the proxy"))
        self.limit = TextSetting()
        self.limit.setPlaceholderText(self.tr("No limit"))
        self.simultaneous = ChevronBox(theme)
        for number in range(1, _MAX_DOWNLOADS + 1):
            self.simultaneous.addItem(self.locale().toString(number), number)
        self._build_fields()
        self._lay_out()
        self._connect()

    def _build_fields(self) -> None:
        tr = self.tr
        buttons = (self.keep_button, self.forget_button)
        for button in buttons:
            button.setAutoDefault(False)
        self.token_field = Field(tr("Token of the model hub"), "", self.token, buttons)
        self.fields = {
            "hub_endpoint": Field(
                tr("Address of the model hub"),
                tr("Another address where your organisation or country has a mirror of the hub."),
                self.endpoint,
            ),
            "proxy": Field(
                tr("Proxy"), tr("Between this computer and the network, where there is one."), self.proxy_kind
            ),
            "bandwidth_limit_kb_s": Field(
                tr("Fastest download, in kB/s"),
                tr("So that others on your line can still work."),
                self.limit,
            ),
            "simultaneous_downloads": Field(
                tr("Downloads at the same time"),
                tr("More are rarely faster; they share the line."),
                self.simultaneous,
            ),
        }

    def _lay_out(self) -> None:
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(SPACE_L)
        layout.addWidget(self.token_field)
        layout.addWidget(self.fields["hub_endpoint"])
        proxy_field = self.fields["proxy"]
        inner = proxy_field.layout()
        assert isinstance(inner, QVBoxLayout)  # a Field's own
        inner.insertWidget(2, self.proxy)
        proxy_field.marked = self.proxy
        layout.addWidget(proxy_field)
        numbers = QHBoxLayout()
        numbers.setSpacing(SPACE_L)
        numbers.addWidget(self.fields["bandwidth_limit_kb_s"], 1)
        numbers.addWidget(self.fields["simultaneous_downloads"], 1)
        layout.addLayout(numbers)
        self.proxy.hide()
        self._on_token_edited("")

    def _connect(self) -> None:
        self.token.textChanged.connect(self._on_token_edited)
        self.token.returnPressed.connect(self._on_keep_clicked)
        self.keep_button.clicked.connect(self._on_keep_clicked)
        self.forget_button.clicked.connect(self._on_forget_clicked)
        self.endpoint.stored_wanted.connect(self._on_endpoint_wanted)
        self.proxy_kind.activated.connect(self._on_proxy_kind_chosen)
        self.proxy.stored_wanted.connect(self._on_proxy_wanted)
        self.limit.stored_wanted.connect(self._on_limit_wanted)
        self.simultaneous.activated.connect(self._on_simultaneous_chosen)

    # --- what is stored

    def show_status(self, status: NetworkStatus) -> None:
        """Say where the token is."""
        self.token_field.words.setText(token_words(status))
        self.token_field.show_problem("")
        self.forget_button.setEnabled(status.has_token)

    def show_token_kept(self, status: NetworkStatus) -> None:
        """Empty the field: what was typed is kept by the host now, and nowhere here."""
        self.token.clear()
        self.show_status(status)

    def show_token_refused(self, error: AppError) -> None:
        """Say why the token is not kept."""
        self.token_field.show_problem(_words_of(error))

    def show_settings(self, values: Mapping[str, Any]) -> None:
        """Show the stored settings."""
        for field in self.fields.values():
            field.show_problem("")
        self.endpoint.show_stored(str(values.get("hub_endpoint", "")))
        proxy = str(values.get("proxy", ""))
        kind = {"": _SYSTEM, "none": _NONE}.get(proxy, _OWN)
        self.proxy_kind.setCurrentIndex(kind)
        self.proxy.setVisible(kind == _OWN)
        self.proxy.show_stored(proxy if kind == _OWN else "")
        limit = int(values.get("bandwidth_limit_kb_s", 0))
        self.limit.show_stored(str(limit) if limit else "")
        self.simultaneous.setCurrentIndex(int(values.get("simultaneous_downloads", 1)) - 1)

    def show_refusal(self, name: str, error: AppError) -> None:
        """Say under its field why a value was not stored."""
        if name in self.fields:
            self.fields[name].show_problem(_words_of(error))

    # --- wishes

    @Slot(str)
    def _on_token_edited(self, text: str) -> None:
        self.keep_button.setEnabled(bool(text.strip()))
        set_role(self.keep_button, "primary" if text.strip() else "")

    @Slot()
    def _on_keep_clicked(self) -> None:
        if token := self.token.text().strip():
            self.token_wanted.emit(token)

    @Slot()
    def _on_forget_clicked(self) -> None:
        self.token_wanted.emit("")

    @Slot(str)
    def _on_endpoint_wanted(self, text: str) -> None:
        if self._is_address("hub_endpoint", text, _SCHEMES, "https://huggingface.co"):
            self.setting_wanted.emit("hub_endpoint", text)

    @Slot(int)
    def _on_proxy_kind_chosen(self, kind: int) -> None:
        self.fields["proxy"].show_problem("")
        self.proxy.setVisible(kind == _OWN)
        if kind == _OWN:
            self.proxy.setFocus()
        else:
            self.setting_wanted.emit("proxy", "none" if kind == _NONE else "")

    @Slot(str)
    def _on_proxy_wanted(self, text: str) -> None:
        if self._is_address("proxy", text, _PROXY_SCHEMES, "http://proxy.example:8080"):
            self.setting_wanted.emit("proxy", text)

    @Slot(str)
    def _on_limit_wanted(self, text: str) -> None:
        number = int(text) if text.isdecimal() else 0
        is_number = number <= _MAX_KB_S and (text.isdecimal() or not text)
        problem = self.tr("A whole number up to {0} is meant; empty: no limit.")
        words = "" if is_number else problem.format(self.locale().toString(_MAX_KB_S))
        self.fields["bandwidth_limit_kb_s"].show_problem(words)
        if is_number:
            self.setting_wanted.emit("bandwidth_limit_kb_s", number)

    @Slot(int)
    def _on_simultaneous_chosen(self, index: int) -> None:
        self.setting_wanted.emit("simultaneous_downloads", self.simultaneous.itemData(index))

    def _is_address(self, name: str, text: str, schemes: tuple[str, ...], example: str) -> bool:
        """Tell whether a text can be an address; if not, say so under its field."""
        url = QUrl(text, QUrl.ParsingMode.StrictMode)
        is_address = url.isValid() and url.scheme() in schemes and bool(url.host())
        problem = self.tr("An address like this is meant: {0}").format(example)
        self.fields[name].show_problem("" if is_address else problem)
        return is_address


def _words_of(error: AppError) -> str:
    return f"{error.user_message} {error.hint}".strip()
