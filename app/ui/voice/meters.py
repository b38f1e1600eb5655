"""What shows that the microphone hears: a level, and a waveform of the last seconds."""

from collections import deque
from collections.abc import Sequence

from PySide6.QtCore import QRectF, QSize, Qt
from PySide6.QtGui import QPainter, QPaintEvent
from PySide6.QtWidgets import QSizePolicy, QWidget

from app.ui.theme import Theme

QUIETEST_DB = -60.0
_LOUD_DB = -3.0
_PEAK_S = 0.02
_KEPT_S = 20.0
_PEAKS_PER_BAR = 2
_BAR, _GAP = 3, 1
_LEAST_BAR = 2.0


class LevelMeter(QWidget):
    """A bar from silence to full scale; its end turns to the warning colour where sound would be cut off."""

    def __init__(self, theme: Theme, parent: QWidget | None = None) -> None:
        """Show silence."""
        super().__init__(parent)
        self._theme = theme
        self._level_db = QUIETEST_DB
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)
        self.setAccessibleName(self.tr("Level of the microphone"))

    @property
    def share(self) -> float:
        """How much of the bar is filled, 0 to 1."""
        return min(1.0, max(0.0, 1.0 - self._level_db / QUIETEST_DB))

    def show_level(self, level_db: float) -> None:
        """Show a level in dB of full scale."""
        if level_db != self._level_db:
            self._level_db = level_db
            self.update()

    # Qt overrides

    def sizeHint(self) -> QSize:
        """Be a thin line."""
        return QSize(120, 8)

    def minimumSizeHint(self) -> QSize:
        """Stay visible."""
        return QSize(36, 8)

    def paintEvent(self, event: QPaintEvent, /) -> None:
        """Draw ground and level."""
        with QPainter(self) as painter:
            painter.setRenderHint(QPainter.RenderHint.Antialiasing)
            painter.setPen(Qt.PenStyle.NoPen)
            ground = QRectF(0, (self.height() - 6) / 2, self.width(), 6)
            painter.setBrush(self._theme.colour("pressed"))
            painter.drawRoundedRect(ground, 3, 3)
            if self.share > 0:
                painter.setBrush(self._theme.colour("warning" if self._level_db > _LOUD_DB else "ok"))
                painter.drawRoundedRect(QRectF(0, ground.y(), max(6.0, ground.width() * self.share), 6), 3, 3)


class Waveform(QWidget):
    """Bars of the loudest moments, the newest at the right; as many seconds as there is room for."""

    def __init__(self, theme: Theme, parent: QWidget | None = None) -> None:
        """Show nothing yet."""
        super().__init__(parent)
        self._theme = theme
        self._peaks: deque[float] = deque(maxlen=round(_KEPT_S / _PEAK_S))
        self._n_peaks = 0
        self._role = "error"
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)
        self.setAccessibleName(self.tr("Sound of the last seconds"))

    @property
    def peaks(self) -> tuple[float, ...]:
        """What is known, oldest first, 0 to 1."""
        return tuple(self._peaks)

    def add(self, peaks: Sequence[float]) -> None:
        """Add peaks, one for each 20 ms, 0 to 1."""
        if peaks:
            self._peaks.extend(peaks)
            self._n_peaks += len(peaks)
            self.update()

    def clear(self) -> None:
        """Begin anew."""
        self._peaks.clear()
        self._n_peaks = 0
        self.update()

    def set_role(self, role: str) -> None:
        """Draw in the colour of a Palette field."""
        self._role = role
        self.update()

    def bars(self, n_bars: int) -> list[float]:
        """Give the heights (0 to 1) of the last bars, oldest first.

        A bar keeps its peaks while it moves to the left: the groups are counted from the beginning.
        """
        peaks = list(self._peaks)
        rest = self._n_peaks % _PEAKS_PER_BAR
        ends = range(len(peaks) - rest, 0, -_PEAKS_PER_BAR)
        groups = [peaks[max(0, end - _PEAKS_PER_BAR) : end] for end in ends][:n_bars]
        if rest and peaks:
            groups = [peaks[-rest:], *groups][:n_bars]
        return [max(group) for group in reversed(groups)]

    # Qt overrides

    def sizeHint(self) -> QSize:
        """Take what is there."""
        return QSize(240, 28)

    def minimumSizeHint(self) -> QSize:
        """Stay visible."""
        return QSize(48, 28)

    def paintEvent(self, event: QPaintEvent, /) -> None:
        """Draw a bar for each 40 ms over a middle line."""
        with QPainter(self) as painter:
            painter.setRenderHint(QPainter.RenderHint.Antialiasing)
            painter.setPen(Qt.PenStyle.NoPen)
            n_bars = self.width() // (_BAR + _GAP)
            bars = self.bars(n_bars)
            middle = self.height() / 2
            painter.setBrush(self._theme.colour("border"))
            painter.drawRect(QRectF(0, middle - 0.5, self.width(), 1))
            painter.setBrush(self._theme.colour(self._role))
            left = self.width() - len(bars) * (_BAR + _GAP)
            for number, bar in enumerate(bars):
                height = max(
                    _LEAST_BAR, min(1.0, bar) ** 0.5 * self.height()
                )  # the ear hears no more linearly
                x = left + number * (_BAR + _GAP)
                painter.drawRoundedRect(QRectF(x, middle - height / 2, _BAR, height), 1.5, 1.5)
