"""The design's constants: spacing, radii, font sizes and the colours of each theme; without Qt."""

from dataclasses import dataclass, replace

SPACE_XS = 4
SPACE_S = 8
SPACE_M = 12
SPACE_L = 16
SPACE_XL = 24

RADIUS_S = 4
RADIUS_M = 6
RADIUS_L = 10

ICON_SIZE = 18
CONTROL_HEIGHT = 32

# Factors of the application font's point size.
FONT_SMALL = 0.88
FONT_BODY = 1.0
FONT_HEADING = 1.15
FONT_TITLE = 1.5


@dataclass(frozen=True, kw_only=True)
class Palette:
    """The colours of a theme as `#rrggbb`; text colours keep a contrast of 4.5 on every background here.

    Attributes:
        is_dark: light text on dark surfaces.
        is_high_contrast: the platform asks for more contrast.
        window: behind everything; `surface` of content, `sidebar` of panes beside it, `raised` of cards.
        accent: links, the chosen item, the main button; `accent_soft` is its quiet background.
        ok: a state colour, as `warning`, `error` and `busy`; `*_soft` are their quiet backgrounds.
        highlight: behind words that a citation names; `highlight_active` behind the one looked at.
    """

    is_dark: bool
    is_high_contrast: bool = False
    window: str
    surface: str
    sidebar: str
    raised: str
    hover: str
    pressed: str
    border: str
    border_strong: str
    text: str
    text_muted: str
    text_faint: str
    accent: str
    accent_hover: str
    on_accent: str
    accent_soft: str
    focus: str
    ok: str
    ok_soft: str
    warning: str
    warning_soft: str
    error: str
    error_soft: str
    busy: str
    busy_soft: str
    highlight: str
    highlight_active: str
    on_highlight: str
    code: str
    bubble: str


LIGHT = Palette(
    is_dark=False,
    window="#f3f5f8",
    surface="#ffffff",
    sidebar="#eef1f5",
    raised="#ffffff",
    hover="#e4e9ef",
    pressed="#d8dfe8",
    border="#dbe0e7",
    border_strong="#8d98a6",
    text="#17202b",
    text_muted="#4d5968",
    text_faint="#5b6775",
    accent="#0f5fd0",
    accent_hover="#0b4dab",
    on_accent="#ffffff",
    accent_soft="#e1ecfc",
    focus="#0f5fd0",
    ok="#146c3f",
    ok_soft="#dff3e8",
    warning="#835200",
    warning_soft="#fdf0d5",
    error="#b0241c",
    error_soft="#fce7e5",
    busy="#5446c2",
    busy_soft="#ebe8fb",
    highlight="#fff0b0",
    highlight_active="#ffd54a",
    on_highlight="#17202b",
    code="#f3f5f8",
    bubble="#e8f0fd",
)

DARK = Palette(
    is_dark=True,
    window="#13171c",
    surface="#1a1f26",
    sidebar="#161a20",
    raised="#222932",
    hover="#28303a",
    pressed="#323c48",
    border="#2d3540",
    border_strong="#6b7786",
    text="#e8ecf1",
    text_muted="#b0bac6",
    text_faint="#97a3b0",
    accent="#6aa9ff",
    accent_hover="#8cbdff",
    on_accent="#07172b",
    accent_soft="#1d3250",
    focus="#6aa9ff",
    ok="#63d39a",
    ok_soft="#17352a",
    warning="#ecba58",
    warning_soft="#3a2e14",
    error="#ff9a92",
    error_soft="#452220",
    busy="#b3aaff",
    busy_soft="#2b2852",
    highlight="#574a17",
    highlight_active="#d9a92b",
    on_highlight="#17202b",
    code="#12161b",
    bubble="#21324a",
)

HIGH_CONTRAST_LIGHT = replace(
    LIGHT,
    is_high_contrast=True,
    window="#ffffff",
    sidebar="#ffffff",
    border="#000000",
    border_strong="#000000",
    text="#000000",
    text_muted="#000000",
    text_faint="#1c1c1c",
    accent="#003a9b",
    accent_hover="#002768",
    focus="#000000",
)

HIGH_CONTRAST_DARK = replace(
    DARK,
    is_high_contrast=True,
    window="#000000",
    surface="#000000",
    sidebar="#000000",
    raised="#000000",
    border="#ffffff",
    border_strong="#ffffff",
    text="#ffffff",
    text_muted="#ffffff",
    text_faint="#e6e6e6",
    accent="#8ec2ff",
    accent_hover="#b8d9ff",
    on_accent="#000000",
    focus="#ffff00",
)


def palette_for(*, dark: bool, high_contrast: bool) -> Palette:
    """Give the palette for a colour scheme and a contrast."""
    if high_contrast:
        return HIGH_CONTRAST_DARK if dark else HIGH_CONTRAST_LIGHT
    return DARK if dark else LIGHT


def contrast_ratio(first: str, second: str) -> float:
    """Give the contrast of two `#rrggbb` colours, 1 to 21.

    Source: WCAG 2.2, definitions of contrast ratio and relative luminance.
    """
    lighter, darker = sorted((_luminance(first), _luminance(second)), reverse=True)
    return (lighter + 0.05) / (darker + 0.05)


def _luminance(colour: str) -> float:
    channels = [int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5)]
    linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in channels]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]
