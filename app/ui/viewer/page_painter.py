"""Draws one page: paper, picture, marks; or, where it cannot be drawn, its words at their places."""

from collections.abc import Sequence
from dataclasses import dataclass

from PySide6.QtCore import QPointF, QRectF, Qt
from PySide6.QtGui import QColor, QFont, QImage, QPainter, QPen

from app.ui.theme import Theme
from app.ui.tokens import LIGHT
from app.ui.viewer.marks import PageMarks
from app.ui.viewer.word_boxes import Rect, WordBox

_PAPER = QColor("#ffffff")  # paper stays paper in the dark theme
_SHADOW_STEPS = 4
_MARK_PAD = 1.5  # device-independent pixels around marked words
_SELECTION_OPACITY = 0.30
_FONT_SHARE = 0.72  # of a word box's height


@dataclass(frozen=True)
class PageContent:
    """What is known of a page when it is drawn.

    Attributes:
        number: of the page, from 1.
        image: the picture, at this or another scale; None while it is not here.
        marks: what is marked.
        fallback: the page cannot be drawn; show its text.
        boxes: its words, for the fallback.
        text: its stored text from `text_start` on, for the fallback.
        waiting_text: shown on the paper while nothing else is there.
    """

    number: int
    image: QImage | None
    marks: PageMarks
    fallback: bool = False
    boxes: Sequence[WordBox] = ()
    text: str = ""
    text_start: int = 0
    waiting_text: str = ""


class PagePainter:
    """Draws pages in the colours of the theme."""

    def __init__(self, theme: Theme) -> None:
        """Take colours from `theme` each time."""
        self._theme = theme

    def surround(self) -> QColor:
        """Give the colour around the pages."""
        return self._theme.colour("window" if self._theme.palette.is_dark else "hover")

    def draw(self, painter: QPainter, rect: QRectF, scale: float, content: PageContent) -> None:
        """Draw a page into `rect`; `scale` is device-independent pixels per point."""
        self._draw_paper(painter, rect)
        painter.save()
        painter.setClipRect(rect)
        if content.fallback:
            self._draw_words(painter, rect, scale, content)
        elif content.image is not None:
            self._draw_image(painter, rect, content.image)
        else:
            self._draw_waiting(painter, rect, content.waiting_text)
        self._draw_marks(painter, rect, scale, content.marks)
        painter.restore()

    def _draw_paper(self, painter: QPainter, rect: QRectF) -> None:
        shade = QColor(0, 0, 0, 70 if self._theme.palette.is_dark else 14)
        for step in range(_SHADOW_STEPS):
            painter.fillRect(rect.adjusted(-step, -step + 1, step, step + 1), shade)
        painter.fillRect(rect, _PAPER)
        if self._theme.palette.is_high_contrast:
            painter.setPen(QPen(self._theme.colour("border_strong"), 1))
            painter.drawRect(rect)

    def _draw_image(self, painter: QPainter, rect: QRectF, image: QImage) -> None:
        ratio = painter.device().devicePixelRatio()
        width, height = image.width() / ratio, image.height() / ratio
        left, top = round(rect.left() * ratio) / ratio, round(rect.top() * ratio) / ratio
        if abs(width - rect.width()) * ratio <= 2 and abs(height - rect.height()) * ratio <= 2:
            target = QRectF(left, top, width, height)  # pixel for pixel, sharp
        else:
            painter.setRenderHint(QPainter.RenderHint.SmoothPixmapTransform)
            target = rect
        painter.drawImage(target, image, QRectF(image.rect()))

    def _draw_waiting(self, painter: QPainter, rect: QRectF, words: str) -> None:
        painter.setPen(QColor(LIGHT.text_faint))
        painter.drawText(rect, Qt.AlignmentFlag.AlignCenter, words)

    def _draw_words(self, painter: QPainter, rect: QRectF, scale: float, content: PageContent) -> None:
        painter.setPen(QColor(LIGHT.text))
        if not content.boxes:
            margin = 36 * scale
            self._set_pixel_size(painter, 11 * scale)
            area = rect.adjusted(margin, margin, -margin, -margin)
            painter.drawText(area, Qt.TextFlag.TextWordWrap, content.text)
            return
        for start, end, x0, y0, x1, y1 in content.boxes:
            word = content.text[start - content.text_start : end - content.text_start]
            self._set_pixel_size(painter, (y1 - y0) * scale * _FONT_SHARE)
            place = QPointF(rect.left() + x0 * scale, rect.top() + (y0 + (y1 - y0) * 0.78) * scale)
            natural = painter.fontMetrics().horizontalAdvance(word)
            painter.save()
            painter.translate(place)
            if natural > 0:
                painter.scale(min(1.4, (x1 - x0) * scale / natural), 1)
            painter.drawText(QPointF(0, 0), word)
            painter.restore()

    @staticmethod
    def _set_pixel_size(painter: QPainter, size: float) -> None:
        font = QFont(painter.font())
        font.setPixelSize(max(1, round(size)))
        painter.setFont(font)

    def _draw_marks(self, painter: QPainter, rect: QRectF, scale: float, marks: PageMarks) -> None:
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        painter.setCompositionMode(QPainter.CompositionMode.CompositionMode_Multiply)
        painter.setPen(Qt.PenStyle.NoPen)
        active, quiet = QColor(LIGHT.highlight_active), QColor(LIGHT.highlight)
        for rects, colour in ((marks.matches, quiet), (marks.cited, active), (marks.current_match, active)):
            painter.setBrush(colour)
            for mark in rects:
                painter.drawRoundedRect(_placed(mark, rect, scale), 2, 2)
        chosen = QColor(LIGHT.accent)
        chosen.setAlphaF(_SELECTION_OPACITY)
        for mark in marks.selected:
            painter.fillRect(_placed(mark, rect, scale), chosen)
        painter.setCompositionMode(QPainter.CompositionMode.CompositionMode_SourceOver)
        painter.setBrush(Qt.BrushStyle.NoBrush)
        painter.setPen(QPen(QColor(LIGHT.accent), 1.5))
        outlined = marks.current_match
        if self._theme.palette.is_high_contrast:
            outlined += marks.cited
        for mark in outlined:
            painter.drawRoundedRect(_placed(mark, rect, scale), 2, 2)


def _placed(mark: Rect, page: QRectF, scale: float) -> QRectF:
    x0, y0, x1, y1 = mark
    return QRectF(
        page.left() + x0 * scale - _MARK_PAD,
        page.top() + y0 * scale,
        (x1 - x0) * scale + 2 * _MARK_PAD,
        (y1 - y0) * scale,
    )
