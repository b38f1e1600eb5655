"""While settings change: whether the model would still fit, with a bar of memory."""

from PySide6.QtCore import Qt
from PySide6.QtWidgets import QFrame, QHBoxLayout, QLabel, QProgressBar, QVBoxLayout, QWidget

from app.protocol.models import Fit
from app.ui.models.parts import MarkLabel, restyle
from app.ui.models.words import fit_mark, memory_words, number_words, tokens_words
from app.ui.theme import Theme, set_role
from app.ui.tokens import SPACE_L, SPACE_M, SPACE_S

_ROLES = {"good": "ok", "slow": "warning", "tight": "warning", "too_large": "error"}
_STEPS = 1000


class FitLine(QFrame):
    """Shows a Fit: verdict, memory needed of that free, and what the need is made of."""

    def __init__(self, theme: Theme, parent: QWidget | None = None) -> None:
        """Create it hidden until there is advice."""
        super().__init__(parent)
        self._theme = theme
        self._fit: Fit | None = None
        set_role(self, "card")
        self.mark = MarkLabel(theme)
        self.memory, self.parts = QLabel(), QLabel()
        for label in (self.memory, self.parts):
            label.setTextFormat(Qt.TextFormat.PlainText)
        self.memory.setAlignment(Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter)
        set_role(self.parts, "faint")
        self.parts.setWordWrap(True)
        self.bar = QProgressBar()
        self.bar.setTextVisible(False)
        self.bar.setRange(0, _STEPS)
        self.bar.setAccessibleName(self.tr("Memory needed of what is free"))
        top = QHBoxLayout()
        top.setSpacing(SPACE_M)
        top.addWidget(self.mark, 1)
        top.addWidget(self.memory)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(SPACE_L, SPACE_M, SPACE_L, SPACE_M)
        layout.setSpacing(SPACE_S)
        layout.addLayout(top)
        layout.addWidget(self.bar)
        layout.addWidget(self.parts)
        theme.changed.connect(self._dress)
        self.hide()

    def show_fit(self, fit: Fit) -> None:
        """Show advice."""
        self._fit = fit
        self.show()
        self.mark.show_mark(fit_mark(fit))
        words = self.tr("needs {0}, {1} free")
        self.memory.setText(words.format(memory_words(fit.needed_bytes), memory_words(self._free(fit))))
        self.memory.setVisible(fit.needed_bytes > 0)
        self.bar.setVisible(fit.needed_bytes > 0)
        part = fit.needed_bytes / (self._free(fit) or 1)
        self.bar.setValue(round(_STEPS * min(1.0, part)))
        self.parts.setText(self._parts(fit))
        self._dress()

    def show_problem(self, words: str) -> None:
        """Say why there is no advice."""
        self.show_fit(Fit(verdict="unknown", words=words))

    def _free(self, fit: Fit) -> int:
        return fit.available_bytes + (fit.gpu_available_bytes if fit.n_gpu_layers else 0)

    def _parts(self, fit: Fit) -> str:
        if not fit.needed_bytes:
            return ""
        words = self.tr("Weights {0} · KV cache {1} ({2}, {3}) · computing {4}").format(
            memory_words(fit.weight_bytes),
            memory_words(fit.kv_bytes),
            tokens_words(fit.context_length),
            fit.kv_type,
            memory_words(fit.compute_bytes),
        )
        if fit.n_gpu_layers:
            layers = self.tr("{0} of {1} layers on the GPU, which needs {2} of {3} free there")
            on_gpu = layers.format(
                number_words(fit.n_gpu_layers),
                number_words(fit.n_layers),
                memory_words(fit.gpu_needed_bytes),
                memory_words(fit.gpu_available_bytes),
            )
            words = f"{words} · {on_gpu}"
        return words

    def _dress(self) -> None:
        if self._fit is not None:
            colour = self._theme.colour(_ROLES.get(self._fit.verdict, "text_faint")).name()
            restyle(self.bar, f"QProgressBar::chunk {{ background: {colour}; }}")
