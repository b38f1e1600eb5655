"""The one style sheet of the window, built from the tokens.

Widgets choose a look with the dynamic property `role`:

    QPushButton   primary, danger, link, chip    (none: a plain bordered button)
    QToolButton   (none: flat with hover), bordered, primary, chooser, status
    QLabel        title, heading, strong, muted, faint, small, problem, badge-ok, badge-warning,
                  badge-error, badge-busy, badge-accent
    QLineEdit, QComboBox   (none), wrong
    QFrame        card, sidebar, surface, banner-ok, banner-info, banner-warning, banner-error, toast, line,
                  composer, composer-focused, status, chip, chip-error, field
    QListView, QTreeView, QTableView   (none) rows with hover and selection
"""

from app.ui.tokens import (
    CONTROL_HEIGHT,
    FONT_HEADING,
    FONT_SMALL,
    FONT_TITLE,
    RADIUS_L,
    RADIUS_M,
    RADIUS_S,
    SPACE_L,
    SPACE_M,
    SPACE_S,
    SPACE_XS,
    Palette,
)


def build_stylesheet(palette: Palette, font_points: float) -> str:
    """Give the style sheet for a palette and the application font's size in points."""
    return "\n".join(
        part(palette, font_points) for part in (_base, _labels, _frames, _buttons, _inputs, _views, _bars)
    )


def _base(p: Palette, _points: float) -> str:
    return f"""
    QWidget {{ color: {p.text}; }}
    QMainWindow, QDialog, QMessageBox {{ background: {p.window}; }}
    QToolTip {{ background: {p.raised}; color: {p.text}; border: 1px solid {p.border_strong};
        padding: {SPACE_XS}px {SPACE_S}px; }}
    QMenu {{ background: {p.raised}; border: 1px solid {p.border}; border-radius: {RADIUS_M}px;
        padding: {SPACE_XS}px; }}
    QMenu::item {{ padding: 6px {SPACE_L}px 6px {SPACE_M}px; border-radius: {RADIUS_S}px; }}
    QMenu::item:selected {{ background: {p.accent_soft}; color: {p.text}; }}
    QMenu::item:disabled {{ color: {p.text_faint}; }}
    QMenu::icon {{ padding-left: {SPACE_S}px; }}
    QMenu::separator {{ height: 1px; background: {p.border}; margin: {SPACE_XS}px {SPACE_S}px; }}
    QSplitter::handle {{ background: {p.border}; }}
    QSplitter::handle:hover {{ background: {p.accent}; }}
    """


def _labels(p: Palette, points: float) -> str:
    badges = "".join(
        f"""QLabel[role="badge-{name}"] {{ background: {soft}; color: {colour}; border-radius: {RADIUS_S}px;
            padding: 2px {SPACE_S}px; font-size: {points * FONT_SMALL:.2f}pt; }}"""
        for name, colour, soft in (
            ("ok", p.ok, p.ok_soft),
            ("warning", p.warning, p.warning_soft),
            ("error", p.error, p.error_soft),
            ("busy", p.busy, p.busy_soft),
            ("accent", p.accent, p.accent_soft),
        )
    )
    return f"""
    QLabel {{ background: transparent; }}
    QLabel[role="title"] {{ font-size: {points * FONT_TITLE:.2f}pt; font-weight: 600; }}
    QLabel[role="heading"] {{ font-size: {points * FONT_HEADING:.2f}pt; font-weight: 600; }}
    QLabel[role="strong"] {{ font-weight: 600; }}
    QLabel[role="muted"] {{ color: {p.text_muted}; }}
    QLabel[role="faint"] {{ color: {p.text_faint}; font-size: {points * FONT_SMALL:.2f}pt; }}
    QLabel[role="problem"] {{ color: {p.error}; font-size: {points * FONT_SMALL:.2f}pt; }}
    QLabel[role="small"] {{ font-size: {points * FONT_SMALL:.2f}pt; }}
    {badges}
    """


def _frames(p: Palette, _points: float) -> str:
    banners = "".join(
        f"""QFrame[role="banner-{name}"] {{ background: {soft}; border: 1px solid {colour};
            border-radius: {RADIUS_M}px; }}"""
        for name, colour, soft in (
            ("ok", p.ok, p.ok_soft),
            ("info", p.accent, p.accent_soft),
            ("warning", p.warning, p.warning_soft),
            ("error", p.error, p.error_soft),
        )
    )
    return f"""
    QFrame[role="card"] {{ background: {p.raised}; border: 1px solid {p.border};
        border-radius: {RADIUS_L}px; }}
    QFrame[role="sidebar"] {{ background: {p.sidebar}; border: none; }}
    QFrame[role="surface"] {{ background: {p.surface}; border: none; }}
    QFrame[role="status"] {{ background: {p.window}; border: none; border-top: 1px solid {p.border}; }}
    QFrame[role="chip"], QFrame[role="chip-error"] {{ background: {p.surface}; border: 1px solid {p.border};
        border-radius: {RADIUS_M}px; }}
    QFrame[role="chip-error"] {{ border-color: {p.error}; }}
    QFrame[role="line"] {{ background: {p.border}; border: none; }}
    QFrame[role="toast"] {{ background: {p.raised}; border: 1px solid {p.border_strong};
        border-radius: {RADIUS_L}px; }}
    QFrame[role="composer"], QFrame[role="composer-focused"] {{ background: {p.raised};
        border: 1px solid {p.border_strong}; border-radius: {RADIUS_L}px; }}
    QFrame[role="composer-focused"] {{ border: 2px solid {p.focus}; }}
    {banners}
    """


def _buttons(p: Palette, points: float) -> str:
    return f"""
    QPushButton {{ background: {p.raised}; border: 1px solid {p.border_strong}; border-radius: {RADIUS_M}px;
        padding: 0 {SPACE_M}px; min-height: {CONTROL_HEIGHT - 2}px; }}
    QPushButton:hover {{ background: {p.hover}; }}
    QPushButton:pressed {{ background: {p.pressed}; }}
    QPushButton:disabled {{ color: {p.text_faint}; border-color: {p.border}; background: {p.window}; }}
    QPushButton:focus {{ border: 2px solid {p.focus}; padding: 0 {SPACE_M - 1}px;
        min-height: {CONTROL_HEIGHT - 4}px; }}
    QPushButton[role="primary"], QToolButton[role="primary"] {{ background: {p.accent}; color: {p.on_accent};
        border: 1px solid {p.accent}; font-weight: 600; }}
    QPushButton[role="primary"]:hover, QToolButton[role="primary"]:hover {{ background: {p.accent_hover};
        border-color: {p.accent_hover}; }}
    QPushButton[role="primary"]:focus, QToolButton[role="primary"]:focus {{ border: 2px solid {p.text}; }}
    QPushButton[role="primary"]:disabled, QToolButton[role="primary"]:disabled {{ background: {p.pressed};
        color: {p.text_faint}; border-color: {p.pressed}; }}
    QPushButton[role="danger"] {{ color: {p.error}; border-color: {p.error}; }}
    QPushButton[role="link"] {{ background: transparent; border: 1px solid transparent; color: {p.accent};
        padding: 0 {SPACE_XS}px; min-height: 22px; text-align: left; }}
    QPushButton[role="link"]:hover {{ color: {p.accent_hover}; text-decoration: underline; }}
    QPushButton[role="link"]:focus {{ border: 1px solid {p.focus}; border-radius: {RADIUS_S}px;
        padding: 0 {SPACE_XS}px; min-height: 22px; }}
    QPushButton[role="chip"] {{ background: {p.raised}; border: 1px solid {p.border}; border-radius: 13px;
        padding: 0 {SPACE_M}px; min-height: 24px; color: {p.text_muted}; }}
    QPushButton[role="chip"]:hover {{ background: {p.hover}; color: {p.text}; }}
    QPushButton[role="chip"]:focus {{ border: 1px solid {p.focus}; }}
    QToolButton {{ background: transparent; border: 1px solid transparent; border-radius: {RADIUS_M}px;
        padding: {SPACE_XS}px; }}
    QToolButton:hover {{ background: {p.hover}; }}
    QToolButton:pressed, QToolButton:checked {{ background: {p.pressed}; }}
    QToolButton:focus {{ border: 1px solid {p.focus}; }}
    QToolButton:disabled {{ color: {p.text_faint}; }}
    QToolButton[role="bordered"] {{ background: {p.raised}; border: 1px solid {p.border}; }}
    QToolButton[role="bordered"]:hover {{ background: {p.hover}; }}
    QToolButton[role="bordered"]:focus {{ border: 1px solid {p.focus}; }}
    QToolButton[role="chooser"] {{ color: {p.text_muted}; padding: 0 {SPACE_S}px; }}
    QToolButton[role="chooser"]:hover {{ color: {p.text}; }}
    QToolButton[role="status"] {{ color: {p.text_faint}; padding: 2px {SPACE_XS}px;
        border-radius: {RADIUS_S}px; font-size: {points * FONT_SMALL:.2f}pt; }}
    QToolButton[role="status"]:hover {{ color: {p.text}; }}
    QToolButton::menu-indicator {{ image: none; width: 0; }}
    """


def _inputs(p: Palette, _points: float) -> str:
    return f"""
    QLineEdit, QAbstractSpinBox, QComboBox {{ background: {p.raised}; border: 1px solid {p.border_strong};
        border-radius: {RADIUS_M}px; padding: 0 {SPACE_S}px; min-height: {CONTROL_HEIGHT - 2}px;
        selection-background-color: {p.accent}; selection-color: {p.on_accent}; }}
    QLineEdit:focus, QAbstractSpinBox:focus, QComboBox:focus {{ border: 2px solid {p.focus};
        padding: 0 {SPACE_S - 1}px; min-height: {CONTROL_HEIGHT - 4}px; }}
    QLineEdit[role="wrong"], QComboBox[role="wrong"] {{ border-color: {p.error}; }}
    QLineEdit:disabled, QAbstractSpinBox:disabled {{ color: {p.text_faint}; background: {p.window}; }}
    QAbstractSpinBox QLineEdit, QAbstractSpinBox QLineEdit:focus {{ background: transparent; border: none;
        padding: 0 {SPACE_S}px; min-height: 0; }}
    QAbstractSpinBox::up-button, QAbstractSpinBox::down-button {{ width: 0; border: none; }}
    QComboBox::drop-down {{ border: none; width: 20px; }}
    QComboBox QAbstractItemView {{ background: {p.raised}; border: 1px solid {p.border}; }}
    QFrame[role="field"] {{ background: {p.raised}; border: 1px solid {p.border_strong};
        border-radius: {RADIUS_M}px; }}
    QSlider:horizontal {{ min-height: {CONTROL_HEIGHT - 8}px; }}
    QSlider::groove:horizontal {{ background: {p.pressed}; height: 4px; border-radius: 2px; }}
    QSlider::sub-page:horizontal {{ background: {p.accent}; height: 4px; border-radius: 2px; }}
    QSlider::sub-page:horizontal:disabled {{ background: {p.pressed}; }}
    QSlider::handle:horizontal {{ background: {p.raised}; border: 2px solid {p.accent}; width: 12px;
        margin: -6px 0; border-radius: 8px; }}
    QSlider::handle:horizontal:focus {{ background: {p.accent}; border-color: {p.text}; }}
    QSlider::handle:horizontal:disabled {{ border-color: {p.border_strong}; }}
    QTextEdit, QPlainTextEdit {{ background: transparent; border: none;
        selection-background-color: {p.accent}; selection-color: {p.on_accent}; }}
    QCheckBox, QRadioButton {{ spacing: {SPACE_S}px; background: transparent; }}
    QCheckBox:focus, QRadioButton:focus {{ outline: 1px solid {p.focus}; }}
    """


def _views(p: Palette, _points: float) -> str:
    return f"""
    QAbstractItemView {{ background: transparent; border: none; outline: 0;
        selection-background-color: {p.accent_soft}; selection-color: {p.text}; }}
    QListView::item, QTreeView::item, QTableView::item {{ border-radius: {RADIUS_M}px; }}
    QListView::item:hover, QTreeView::item:hover, QTableView::item:hover {{ background: {p.hover}; }}
    QListView::item:selected, QTreeView::item:selected, QTableView::item:selected {{
        background: {p.accent_soft}; color: {p.text}; }}
    QHeaderView::section {{ background: {p.surface}; color: {p.text_muted}; border: none;
        border-bottom: 1px solid {p.border}; padding: {SPACE_XS}px 3px; }}
    QScrollArea {{ background: transparent; border: none; }}
    QTabBar::tab {{ background: transparent; color: {p.text_muted}; padding: {SPACE_S}px {SPACE_M}px;
        border: none; border-bottom: 2px solid transparent; }}
    QTabBar::tab:selected {{ color: {p.text}; border-bottom: 2px solid {p.accent}; }}
    QTabBar::tab:hover {{ color: {p.text}; }}
    QTabBar::tab:focus {{ border: 1px solid {p.focus}; }}
    QTabWidget::pane {{ border: none; }}
    """


def _bars(p: Palette, points: float) -> str:
    return f"""
    QAbstractScrollArea::corner {{ background: transparent; border: none; }}
    QScrollBar:vertical {{ background: transparent; width: 12px; margin: 0; }}
    QScrollBar:horizontal {{ background: transparent; height: 12px; margin: 0; }}
    QScrollBar::handle {{ background: {p.border_strong}; border-radius: 4px; margin: 2px; }}
    QScrollBar::handle:vertical {{ min-height: 32px; }}
    QScrollBar::handle:horizontal {{ min-width: 32px; }}
    QScrollBar::handle:hover {{ background: {p.text_faint}; }}
    QScrollBar::add-line, QScrollBar::sub-line {{ width: 0; height: 0; }}
    QScrollBar::add-page, QScrollBar::sub-page {{ background: transparent; }}
    QProgressBar {{ background: {p.pressed}; border: none; border-radius: 3px; max-height: 6px;
        min-height: 6px; text-align: center; }}
    QProgressBar::chunk {{ background: {p.busy}; border-radius: 3px; }}
    QStatusBar {{ background: {p.window}; color: {p.text_muted}; font-size: {points * FONT_SMALL:.2f}pt; }}
    QStatusBar::item {{ border: none; }}
    """
