"""Smooth scrolling."""

from PySide6.QtCore import QEasingCurve, QPropertyAnimation
from PySide6.QtWidgets import QScrollBar, QStyle


class Glide:
    """Moves a scroll bar smoothly, or at once where the platform asks for no animation."""

    def __init__(self, bar: QScrollBar, min_distance: int) -> None:
        """Move `bar`, which owns the animation; distances below `min_distance` (in its units) at once."""
        self._bar, self._min_distance = bar, min_distance
        self._animation = QPropertyAnimation(bar, b"value", bar)
        self._animation.setEasingCurve(QEasingCurve.Type.OutCubic)

    @property
    def is_running(self) -> bool:
        """Whether the bar is moving."""
        return self._animation.state() == QPropertyAnimation.State.Running

    def to(self, value: int) -> None:
        """Move to a value, from wherever the bar is."""
        self.stop()
        value = min(max(value, self._bar.minimum()), self._bar.maximum())
        duration = self._bar.style().styleHint(QStyle.StyleHint.SH_Widget_Animation_Duration)
        if duration <= 0 or abs(value - self._bar.value()) < self._min_distance:
            self._bar.setValue(value)
            return
        self._animation.setDuration(duration)
        self._animation.setStartValue(self._bar.value())
        self._animation.setEndValue(value)
        self._animation.start()

    def by(self, distance: int) -> None:
        """Move by a distance; while moving, from where the present move ends."""
        start = self._animation.endValue() if self.is_running else self._bar.value()
        self.to(start + distance)

    def stop(self) -> None:
        """Stay where the bar is."""
        self._animation.stop()
