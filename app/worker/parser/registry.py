"""Finds the reader of a file: what its bytes are decides, the name is a hint."""

from app.worker.parser.detect import detect
from app.worker.parser.frames import Extract
from app.worker.parser.source import Source
from app.worker.parser.task import Reader


class Registry:
    """Readers by format."""

    def __init__(self, readers: dict[str, Reader]) -> None:
        """Take the readers."""
        self._readers = readers
        self._by_extension: dict[str, Reader] = {}

    @classmethod
    def standard(cls) -> "Registry":
        """Give the readers of every supported format. Imports every parser library."""
        from app.worker.parser.formats.delimited import read_delimited
        from app.worker.parser.formats.pdf import read_pdf
        from app.worker.parser.formats.plain import read_code, read_markdown, read_text
        from app.worker.parser.formats.rich_text import read_rtf
        from app.worker.parser.formats.sheets import read_workbook
        from app.worker.parser.formats.slides import read_presentation
        from app.worker.parser.formats.web import read_page
        from app.worker.parser.formats.word import read_document

        return cls(
            {
                "code": read_code,
                "csv": read_delimited,
                "docx": read_document,
                "html": read_page,
                "markdown": read_markdown,
                "pdf": read_pdf,
                "pptx": read_presentation,
                "rtf": read_rtf,
                "text": read_text,
                "xlsx": read_workbook,
            }
        )

    def add_extension(self, extension: str, reader: Reader) -> None:
        """Read files of this extension with `reader`, whatever they hold (for tests of the limits)."""
        self._by_extension[extension] = reader

    def read(self, source: Source) -> Extract:
        """Detect and read one file.

        Raises:
            Refusal: it is of a kind that cannot be read, or its reader refuses it.
        """
        reader = self._by_extension.get(source.extension)
        if reader is None:
            reader = self._readers[detect(source)]
        return reader(source)
