"""What those who write a message's document and those who paint it agree on."""

from enum import IntEnum

from PySide6.QtGui import QTextFormat

CODE_HEADER_HEIGHT = 30
LIST_INDENT = 24
QUOTE_INDENT = 16


class Property(IntEnum):
    """What the view that paints a document needs to know of a block or piece of text."""

    CODE = QTextFormat.Property.UserProperty + 1  # block: language (may be empty)
    QUOTE_DEPTH = QTextFormat.Property.UserProperty + 2  # block: 1 and more
    CITATION = QTextFormat.Property.UserProperty + 3  # text: index of the citation
    UNSUPPORTED = QTextFormat.Property.UserProperty + 4  # text: True
    RULE = QTextFormat.Property.UserProperty + 5  # block: True, a horizontal line
