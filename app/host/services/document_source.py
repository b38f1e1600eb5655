"""The file of a document, for those who show or play it."""

from app.core.errors import FileError
from app.host.services.ports import LibraryPort
from app.protocol.documents import GetDocumentSource


async def unchanged_source(library: LibraryPort, document_id: int, use: str, instead: str) -> str:
    """Give the path of a document's file, if it is still the one that was read.

    Args:
        library: knows it.
        document_id: of the document.
        use: what cannot be done else, as the end of a sentence: `its pages cannot be drawn`.
        instead: what can be done still.

    Raises:
        AppError: `document.not_found`, `document.source_missing`, `document.source_changed`.
    """
    source = await library.call(GetDocumentSource(document_id=document_id))
    if source.source == "missing":
        raise FileError(
            "document.source_missing",
            f"The file of this document is not there any more, so {use}.",
            f"{instead} Put the file back first.",
        )
    if source.source != "unchanged":
        raise FileError(
            "document.source_changed",
            f"The file of this document has changed since it was read, so {use}.",
            f"{instead} Retry the file in the library to read it again.",
        )
    return source.path
