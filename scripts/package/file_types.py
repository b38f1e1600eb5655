"""The file types that the installers offer to open with the program: one list for every platform.

The program is added to "Open with"; no type's default program changes. Each type is one that the library
reads (`app/worker/parser`), and a test reads a file of each.

Source: the IANA media types registry, freedesktop's shared-mime-info, and Apple's uniform type identifiers.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class FileType:
    """One type of document.

    Attributes:
        extensions: Without the dot, lower case; the first stands for the type.
        mime: What Linux knows it as.
        description: What a file manager calls it.
        uti: What macOS knows it as.
        is_known_to_macos: Whether the system declares the identifier; else the application has to.
    """

    extensions: tuple[str, ...]
    mime: str
    description: str
    uti: str
    is_known_to_macos: bool = True

    @property
    def name(self) -> str:
        """The extension that stands for the type."""
        return self.extensions[0]


_OFFICE = "application/vnd.openxmlformats-officedocument."

FILE_TYPES: tuple[FileType, ...] = (
    FileType(("pdf",), "application/pdf", "PDF document", "com.adobe.pdf"),
    FileType(
        ("docx",),
        f"{_OFFICE}wordprocessingml.document",
        "Word document",
        "org.openxmlformats.wordprocessingml.document",
    ),
    FileType(
        ("pptx",),
        f"{_OFFICE}presentationml.presentation",
        "PowerPoint presentation",
        "org.openxmlformats.presentationml.presentation",
    ),
    FileType(
        ("xlsx",),
        f"{_OFFICE}spreadsheetml.sheet",
        "Excel workbook",
        "org.openxmlformats.spreadsheetml.sheet",
    ),
    FileType(("rtf",), "application/rtf", "Rich text document", "public.rtf"),
    FileType(("txt", "text"), "text/plain", "Text document", "public.plain-text"),
    FileType(
        ("md", "markdown"),
        "text/markdown",
        "Markdown document",
        "net.daringfireball.markdown",
        is_known_to_macos=False,
    ),
    FileType(("html", "htm"), "text/html", "Web page", "public.html"),
    FileType(("xhtml",), "application/xhtml+xml", "XHTML page", "public.xhtml"),
    FileType(("csv",), "text/csv", "CSV table", "public.comma-separated-values-text"),
    FileType(("tsv",), "text/tab-separated-values", "TSV table", "public.tab-separated-values-text"),
)
"""In the order in which a person would look for them."""


def mime_types() -> list[str]:
    """Return every MIME type once, for the `MimeType` key of a desktop file."""
    return [item.mime for item in FILE_TYPES]
