"""Every file of the shared test data ends in a state with a reason; none crashes or passes a limit."""

import threading
import time
from pathlib import Path

import pytest

from app.core.errors import FileError
from app.worker.parser.client import WORD_RECORD, Parsed, ParserClient
from tests.worker.parser.conftest import SHARED_FILES

FILES = sorted(
    path for folder in ("formats", "protected_or_broken") for path in (SHARED_FILES / folder).glob("*")
)
pytestmark = pytest.mark.skipif(not FILES, reason="the shared test data is not here")

PROTECTED = {
    "testEXCEL_protected_passtika.xlsx": "office.password",
    "testPPT_protected_passtika.pptx": "office.password",
    "testPDF_no_extract_no_accessibility_owner_user.pdf": "pdf.password",
    "testUnicodePassword.pdf": "pdf.password",
    "testZipEncrypted.zip": "archive.password",
}
PHRASES = {
    "testPDF.pdf": "Apache Tika is a toolkit for detecting and extracting metadata",
    "testPDF_rotated.pdf": "Apache Tika is a toolkit for detecting and extracting metadata",
    "GeoTopo-komprimiert.pdf": "Topologische Räume",
    "habibi.pdf": "حَبيبي habibi",
    "testWORD_numbered_list.docx": "A. A\ni. A i\nii. A ii",
    "testPPT_various.pptx": "Row 1 Col 1 | Row 1 Col 2 | Row 1 Col 3",
    "testEXCEL.xlsx": "Number: 15 | Square: 225",
    "testRTFJapanese.rtf": "ゾルゲと尾崎、淡々と最期",
    "testRTFVarious.rtf": "𐌲𐌿𐍄𐌹𐍃𐌺",
    "test-columnar.csv": "Record Number: 3 | Square of the Record Number: 9",
    "testHTML_utf8.html": "åäö",
    "multicolumn.pdf": "consectetuer adipiscing elit.",
}


@pytest.mark.slow
@pytest.mark.parametrize("path", FILES, ids=lambda path: path.name)
def test_each_file_ends_in_a_state_with_a_reason(client: ParserClient, path: Path) -> None:
    started = time.monotonic()
    with path.open("rb") as file:
        try:
            parsed = client.parse(file, path.name, cancelled=threading.Event())
        except FileError as error:
            assert error.context["state"] in ("failed", "unsupported", "empty")
            assert error.user_message.endswith(".")
            assert error.code not in ("parser.crashed", "parser.time", "parser.memory"), error
            assert PROTECTED.get(path.name, error.code) == error.code
            assert path.name not in PHRASES
        else:
            assert path.name not in PROTECTED
            check_parsed(parsed)
            assert PHRASES.get(path.name, "") in parsed.text
    assert time.monotonic() - started < 60


def check_parsed(parsed: Parsed) -> None:
    """Check what every result promises."""
    assert parsed.text.strip()
    assert parsed.title
    assert bool(parsed.partial_reason) == bool(parsed.partial_code)
    for heading in parsed.headings:
        assert heading.level >= 1
        assert heading.title
    for page, words in zip(parsed.pages, parsed.words, strict=False):
        for start, end, x0, y0, x1, y1 in WORD_RECORD.iter_unpack(words):
            assert page.char_start <= start < end <= page.char_end
            assert parsed.text[start:end].split() == [parsed.text[start:end]]
            assert x0 <= x1
            assert y0 <= y1
            assert page.width is not None
            assert page.height is not None
            assert -200 < x0 < page.width + 200
            assert -200 < y0 < page.height + 200
