"""Lets Python collect its reference cycles in the window's thread alone.

Python collects in whichever thread happens to allocate. A widget or a timer that ends in another thread than
its own is more than Qt survives: it stops the program. So the automatic collection is off while the window
lives, and this collector does its work between two events of the loop.
"""

import gc

from PySide6.QtCore import QObject, QTimer, Slot

LOOK_MS = 500


class GarbageCollector(QObject):
    """Collects when as much is waiting as Python itself would collect at.

    It is created and lives in the window's thread.
    """

    def __init__(self, parent: QObject | None = None) -> None:
        """Prepare; Python collects as usual before `start`."""
        super().__init__(parent)
        self._timer = QTimer(self)
        self._timer.setInterval(LOOK_MS)
        self._timer.timeout.connect(self.look)

    def start(self) -> None:
        """Take over from Python.

        What was made so far (modules, classes, the window) lasts as long as the program: it is set apart, so
        that no later collection walks through it and holds the window.
        """
        gc.disable()
        gc.freeze()
        self._timer.start()

    def stop(self) -> None:
        """End, with the program: Python's own collection stays off, because threads may still run."""
        self._timer.stop()
        gc.unfreeze()

    @Slot()
    def look(self) -> None:
        """Collect the oldest generation that is due, with the younger ones; nothing where none is."""
        due = [count > limit for count, limit in zip(gc.get_count(), gc.get_threshold(), strict=True)]
        if any(due):
            gc.collect(max(generation for generation, is_due in enumerate(due) if is_due))
