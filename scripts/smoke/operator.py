"""The person at the virtual screen, who drags files and takes pictures; knows nothing of the program.

    python -m scripts.smoke.operator X Y      reads one JSON object a line on stdin, answers with one

Requests: {"do": "hold", "path": …}, {"do": "shoot", "file": …, "in": [x, y, w, h]}, {"do": "find",
"colour": "#rrggbb", "in": […]}, {"do": "quit"}. A small window at X, Y is what files are dragged from.
"""

from __future__ import annotations

import json
import sys
import threading
from typing import Any

from PySide6.QtCore import QMimeData, QObject, QPoint, Qt, QUrl, Signal, Slot
from PySide6.QtGui import QColor, QDrag, QGuiApplication, QImage, QMouseEvent
from PySide6.QtWidgets import QApplication, QLabel

_TOLERANCE = 14


class Source(QLabel):
    """A field from which the file of the moment can be dragged."""

    def __init__(self, x: int, y: int) -> None:
        """Show it at a place of the screen."""
        super().__init__(
            "file", None, Qt.WindowType.FramelessWindowHint | Qt.WindowType.BypassWindowManagerHint
        )
        self.setGeometry(x, y, 60, 40)
        self.path = ""
        self.show()

    def mousePressEvent(self, _event: QMouseEvent, /) -> None:  # noqa: N802  # Qt's name
        """Begin to drag."""
        drag = QDrag(self)
        data = QMimeData()
        data.setUrls([QUrl.fromLocalFile(self.path)])
        drag.setMimeData(data)
        drag.exec(Qt.DropAction.CopyAction)


class Requests(QObject):
    """Passes requests from the reading thread to the loop."""

    came = Signal(dict)

    def read(self) -> None:
        """Read until the end of stdin."""
        for line in sys.stdin:
            self.came.emit(json.loads(line))
        self.came.emit({"do": "quit"})


class Operator(QObject):
    """Carries out requests."""

    def __init__(self, source: Source) -> None:
        """Use the field."""
        super().__init__()
        self._source = source

    @Slot(dict)
    def on_came(self, request: dict[str, Any]) -> None:
        """Answer one request."""
        answer: dict[str, Any] = {"ok": True}
        if request["do"] == "quit":
            QApplication.quit()
        elif request["do"] == "hold":
            self._source.path = request["path"]
            centre = self._source.mapToGlobal(QPoint(30, 20))
            answer["at"] = [centre.x(), centre.y()]
        elif request["do"] == "shoot":
            image = _screen(request.get("in"))
            answer["ok"] = image.save(request["file"])
        elif request["do"] == "find":
            answer["at"] = _find(_screen(request["in"]), request)
        print(json.dumps(answer), flush=True)


def _screen(area: list[int] | None) -> QImage:
    screen = QGuiApplication.primaryScreen()
    x, y, width, height = area or [0, 0, -1, -1]
    return screen.grabWindow(0, x, y, width, height).toImage()


def _find(image: QImage, request: dict[str, Any]) -> list[int] | None:
    """Return the middle of the first row of points of a colour, on the screen; None without one."""
    wanted = QColor(request["colour"])
    x0, y0 = request["in"][:2]
    for y in range(image.height()):
        hits = [x for x in range(image.width()) if _is_near(image.pixelColor(x, y), wanted)]
        if len(hits) >= request.get("at_least", 3):
            return [x0 + hits[len(hits) // 2], y0 + y]
    return None


def _is_near(colour: QColor, wanted: QColor) -> bool:
    pairs = zip(colour.getRgb()[:3], wanted.getRgb()[:3], strict=True)  # type: ignore[index]
    return all(abs(one - other) <= _TOLERANCE for one, other in pairs)


def main() -> int:
    """Run until told to quit."""
    application = QApplication(sys.argv[:1])
    source = Source(int(sys.argv[1]), int(sys.argv[2]))
    operator, requests = Operator(source), Requests()
    requests.came.connect(operator.on_came)
    threading.Thread(target=requests.read, daemon=True).start()
    return application.exec()


if __name__ == "__main__":
    raise SystemExit(main())
