"""Why a recording cannot be read, in words; plain data, no FFmpeg."""

from app.core.errors import FileError, NotFoundError, UsageError

_AGAIN = "Get it again from its source, or save it anew with the program that made it, for example as MP3."


def not_found() -> NotFoundError:
    """Nothing is at the path."""
    return NotFoundError(
        "file.not_found",
        "There is no file at this path.",
        "Put the file back, or choose it again from its new place.",
    )


def folder() -> FileError:
    """A folder is at the path."""
    return FileError("file.is_folder", "This is a folder, not a recording.", "Name the files in it.")


def unreadable() -> FileError:
    """The disk, the rights or the kind of file keep it from being read."""
    return FileError(
        "file.unreadable",
        "The file cannot be read from the disk.",
        "Check that it is an ordinary file, that you may read it and that its disk is connected.",
    )


def empty() -> FileError:
    """The file has no bytes."""
    return FileError(
        "file.empty", "This file is empty (0 bytes).", "If it should hold something, save it again."
    )


def damaged() -> FileError:
    """Nothing of it can be decoded."""
    return FileError("audio.damaged", "This recording is damaged: no sound can be read from it.", _AGAIN)


def no_sound(*, has_video: bool) -> FileError:
    """The file is sound, and holds none."""
    what = "This video has no sound" if has_video else "This recording is empty: it holds no sound"
    return FileError(
        "audio.no_sound", f"{what}.", "If it should have some, look whether it can be heard in a player."
    )


def unsupported() -> FileError:
    """It is of another kind."""
    return FileError(
        "audio.unsupported",
        "This is no recording that can be read: it is neither sound nor video of a known kind.",
        "Open it in its own program and save the sound as MP3, WAV, FLAC or OGG.",
    )


def unknown_sound() -> FileError:
    """The container is known, what stands in it is not."""
    return FileError(
        "audio.unsupported",
        "The sound of this file is stored in a way that cannot be read here.",
        "Open it in its own program and save the sound as MP3, WAV, FLAC or OGG.",
    )


def protected() -> FileError:
    """The seller's copy protection (DRM) keeps it closed."""
    return FileError(
        "audio.protected",
        "This recording is copy-protected (DRM), so only its seller's player can play it.",
        "Use a copy without protection, if the seller offers one.",
    )


def too_many(n_open: int) -> UsageError:
    """Too many files are open at once."""
    return UsageError(
        "audio.too_many",
        f"{n_open} recordings are open already.",
        "Close one: stop playing or transcribing it.",
    )


def not_open() -> UsageError:
    """The handle names nothing."""
    return UsageError(
        "audio.not_open", "This recording is not open any more.", "Play or transcribe it again."
    )
