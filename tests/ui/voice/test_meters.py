"""Level, waveform and sign of the microphone."""

import pytest
from PySide6.QtGui import QColor, QImage
from PySide6.QtWidgets import QWidget
from pytestqt.qtbot import QtBot

from app.ui.theme import Theme
from app.ui.voice.meters import LevelMeter, Waveform
from app.ui.voice.microphone_sign import MicrophoneSign


def count(widget: QWidget, colour: QColor) -> int:
    """Count the pixels of a colour."""
    image = widget.grab().toImage().convertToFormat(QImage.Format.Format_RGB32)
    pixels = (image.pixelColor(x, y) for x in range(image.width()) for y in range(image.height()))
    return sum(1 for pixel in pixels if pixel.rgb() == colour.rgb())


@pytest.mark.parametrize(("level_db", "share"), [(-90, 0), (-60, 0), (-30, 0.5), (0, 1), (6, 1)])
def test_the_meter_goes_from_silence_to_full_scale(
    theme: Theme, qtbot: QtBot, level_db: float, share: float
) -> None:
    meter = LevelMeter(theme)
    qtbot.addWidget(meter)
    meter.resize(100, 8)
    meter.show_level(level_db)
    assert meter.share == pytest.approx(share)
    role = "warning" if level_db > -3 else "ok"
    assert (count(meter, theme.colour(role)) > 100 * share) == (share > 0)


def test_bars_keep_their_peaks_while_they_move(theme: Theme, qtbot: QtBot) -> None:
    waveform = Waveform(theme)
    qtbot.addWidget(waveform)
    waveform.resize(40, 28)
    assert waveform.bars(3) == []
    waveform.add((0.1, 0.9, 0.2))
    assert waveform.bars(9) == [0.9, 0.2]
    waveform.add((0.4,))
    assert waveform.bars(9) == [0.9, 0.4]
    waveform.add((0.3, 0.5, 0.6))
    assert waveform.bars(2) == [0.5, 0.6]
    assert waveform.bars(9) == [0.9, 0.4, 0.5, 0.6]
    quiet = count(waveform, theme.colour("error"))
    waveform.add((1.0,) * 20)
    assert count(waveform, theme.colour("error")) > 2 * quiet > 0
    waveform.set_role("ok")
    assert count(waveform, theme.colour("error")) == 0
    waveform.add((0.5,) * 5000)
    assert len(waveform.peaks) == 1000
    waveform.clear()
    assert waveform.bars(9) == []


def test_the_sign_is_unmistakable_and_has_words(theme: Theme, qtbot: QtBot) -> None:
    sign = MicrophoneSign(theme)
    qtbot.addWidget(sign)
    red = theme.colour("error")
    assert sign.accessibleName() == "The microphone is closed"
    assert count(sign, red) == 0
    sign.show_open(True)
    sign.show_level(-6.0)
    assert sign.accessibleName() == "The microphone is open"
    assert count(sign, red) > 250
    theme.set_setting("dark")
    assert count(sign, theme.colour("error")) > 250
