"""Notices when the window's event loop does not turn, and what held it."""

import logging
import sys
import threading
import time
import traceback

from PySide6.QtCore import QObject, Qt, QTimer, Slot

log = logging.getLogger(__name__)
BEAT_MS = 20
STALL_MS = 100.0
_KEPT_BEATS = 500_000


class StallMonitor(QObject):
    """Beats in the event loop; a thread looks on and keeps the stack of what holds the loop for over 100 ms.

    Attributes:
        stalls: (milliseconds, stack) of each stall, the last 100.
    """

    def __init__(self, parent: QObject | None = None) -> None:
        """Prepare; nothing runs before `start`."""
        super().__init__(parent)
        self.stalls: list[tuple[float, str]] = []
        self._delays_ms: list[float] = []
        self._last = time.perf_counter()
        self._stack = ""
        self._main_thread_id = threading.get_ident()
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._watch, name="stall-monitor", daemon=True)
        self._timer = QTimer(self)
        self._timer.setTimerType(Qt.TimerType.PreciseTimer)
        self._timer.setInterval(BEAT_MS)
        self._timer.timeout.connect(self._on_beat)

    def start(self) -> None:
        """Begin to watch the calling thread's loop."""
        self._last = time.perf_counter()
        self._timer.start()
        self._thread.start()

    def stop(self) -> None:
        """End, with the thread."""
        self._timer.stop()
        self._ended.set()
        if self._thread.is_alive():
            self._thread.join()

    def reset(self) -> None:
        """Forget what was measured so far."""
        self._delays_ms.clear()
        self.stalls.clear()
        self._last = time.perf_counter()

    def figures(self) -> dict[str, float]:
        """Give p50, p99 and max of the delays in milliseconds, and the number of beats.

        A delay is how much later than due a beat came: how long a click at that moment would have waited.
        """
        delays = sorted(self._delays_ms)
        if not delays:
            return {"n_beats": 0, "p50_ms": 0.0, "p99_ms": 0.0, "max_ms": 0.0}
        return {
            "n_beats": len(delays),
            "p50_ms": round(delays[len(delays) // 2], 1),
            "p99_ms": round(delays[min(len(delays) - 1, int(len(delays) * 0.99))], 1),
            "max_ms": round(delays[-1], 1),
        }

    @Slot()
    def _on_beat(self) -> None:
        now = time.perf_counter()
        delay_ms = max(0.0, (now - self._last) * 1000 - BEAT_MS)
        self._last = now
        if len(self._delays_ms) < _KEPT_BEATS:
            self._delays_ms.append(delay_ms)
        if delay_ms > STALL_MS:
            stack, self._stack = self._stack, ""
            self.stalls = [*self.stalls[-99:], (round(delay_ms, 1), stack)]
            log.info("the window was held for %.0f ms\n%s", delay_ms, stack)

    def _watch(self) -> None:
        """Run in a thread: take one stack of each stall while it lasts."""
        seen = 0.0
        while not self._ended.wait(BEAT_MS / 1000):
            last = self._last
            if last != seen and (time.perf_counter() - last) * 1000 > STALL_MS:
                seen = last
                frame = sys._current_frames().get(self._main_thread_id)
                if frame is not None:
                    self._stack = "".join(traceback.format_stack(frame))
                del frame  # it would keep alive what the window's thread holds, a painter for one
