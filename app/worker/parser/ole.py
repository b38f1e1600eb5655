"""Reads the names at the top of an OLE compound file, which tell old and encrypted office formats apart.

Source: [MS-CFB] Compound File Binary File Format, sections 2.2 (header), 2.3 (FAT) and 2.6 (directory).
"""

import struct

from app.worker.parser.source import Source

MAGIC = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1"

_END = 0xFFFFFFFA  # sector numbers from here on are marks
_NONE = 0xFFFFFFFF
_ENTRY_BYTES = 128
_MAX_DIRECTORY_SECTORS = 512
_MAX_ENTRIES = 4096


def top_names(source: Source) -> set[str]:
    """Give the names of the streams and storages directly below the root; empty where the file is damaged."""
    try:
        return _children(_directory(source))
    except (struct.error, ValueError, IndexError):
        return set()


def _directory(source: Source) -> bytes:
    """Read the chain of directory sectors."""
    header = source.head(512)
    (shift,) = struct.unpack_from("<H", header, 30)
    if shift not in (9, 12):
        raise ValueError("sector size")
    size = 1 << shift
    (sector,) = struct.unpack_from("<I", header, 48)
    fat_sectors = struct.unpack_from("<109I", header, 76)
    parts: list[bytes] = []
    while sector < _END and len(parts) < _MAX_DIRECTORY_SECTORS:
        parts.append(source.read_at((sector + 1) * size, size))
        index, offset = divmod(sector * 4, size)
        if index >= len(fat_sectors) or fat_sectors[index] >= _END:
            break  # a directory beyond the first 109 FAT sectors (6 MB): what was read is enough
        entry = source.read_at((fat_sectors[index] + 1) * size + offset, 4)
        (sector,) = struct.unpack("<I", entry)
    return b"".join(parts)


def _children(directory: bytes) -> set[str]:
    """Walk the root's tree of children."""
    (first,) = struct.unpack_from("<I", directory, 76)
    names: set[str] = set()
    seen: set[int] = set()
    waiting = [first]
    while waiting and len(seen) < _MAX_ENTRIES:
        number = waiting.pop()
        if number == _NONE or number in seen or (number + 1) * _ENTRY_BYTES > len(directory):
            continue
        seen.add(number)
        entry = directory[number * _ENTRY_BYTES : (number + 1) * _ENTRY_BYTES]
        (n_bytes,) = struct.unpack_from("<H", entry, 64)
        names.add(entry[: max(0, min(n_bytes, 64) - 2)].decode("utf-16-le", "replace"))
        waiting += struct.unpack_from("<2I", entry, 68)
    return names
