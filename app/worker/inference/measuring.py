"""What a loaded model really takes of the memory: this process's growth, and the GPU's buffers.

Weights that are mapped from the file count like all others: they must be there for the model to run. What was
copied elsewhere (to a GPU, or into the order that this processor likes best) does not count twice: its pages
of the file are given back.

Source: `proc_pid_status(5)`, `proc_pid_clear_refs(5)`, `madvise(2)` of the Linux manual pages.
"""

import ctypes
import mmap
import re
import sys
from collections.abc import Iterable
from pathlib import Path

import psutil

from app.core.gguf import GgufHead
from app.worker.inference.backend import Buffer

_MADV_DONTNEED = 4
_MAPPING = re.compile(r"^([0-9a-f]+)-([0-9a-f]+) r--\S ([0-9a-f]+) \S+ (\d+)\s")
_PEAK = re.compile(r"^VmHWM:\s+(\d+) kB$", re.MULTILINE)


class MemoryMeter:
    """Measures from its making on. One model at a time may be loaded meanwhile."""

    def __init__(self) -> None:
        """Note what the process takes now."""
        self._before = int(psutil.Process().memory_info().rss)
        self._gpu_bytes = self._compute_bytes = 0
        self._has_peak = False

    def loaded(
        self, heads: Iterable[GgufHead], buffers: Iterable[Buffer], *, gpu_in_main: bool = False
    ) -> None:
        """Note that loading is over: weights that were copied are given back, and the peak starts anew.

        Args:
            heads: of the model's files.
            buffers: that the engine allocated.
            gpu_in_main: the GPU is a program: its buffers are part of this process.
        """
        for head in heads:
            release_copied(head)
        self._gpu_bytes = self._compute_bytes = 0
        for buffer in buffers:
            if on_gpu(buffer.device):
                self._gpu_bytes += 0 if gpu_in_main else buffer.size_bytes
            elif buffer.use == "compute":
                self._compute_bytes += buffer.size_bytes
        self._has_peak = _reset_peak()

    def loaded_bytes(self) -> int:
        """Give what is resident after the first tokens, and what is reserved for whole batches besides."""
        return self._grown_bytes() + self._compute_bytes

    def peak_bytes(self) -> int:
        """Give the most that was resident since loading."""
        return self._grown_bytes()

    def _grown_bytes(self) -> int:
        return max(self._resident_bytes() - self._before, 0) + self._gpu_bytes

    def _resident_bytes(self) -> int:
        resident = int(psutil.Process().memory_info().rss)
        found = (
            _PEAK.search(Path("/proc/self/status").read_text("ascii", "replace")) if self._has_peak else None
        )
        return max(resident, int(found[1]) * 1024) if found else resident


def on_gpu(device: str) -> bool:
    """Whether a buffer's device is a GPU with memory of its own; host buffers and processors are not."""
    return not device.startswith(("CPU", "BLAS")) and not device.endswith("_Host")


def release_copied(head: GgufHead) -> None:
    """Let the system take back the pages of a mapped file; those still needed come back when they are read.

    The embeddings are left alone: they are used where they lie, a row at a time. Does nothing where the
    system is not Linux.
    """
    if sys.platform != "linux":
        return
    libc = ctypes.CDLL(None)
    libc.madvise.argtypes = [ctypes.c_void_p, ctypes.c_size_t, ctypes.c_int]
    inode, name = str(head.path.stat().st_ino), head.path.name
    for line in Path("/proc/self/maps").read_text("utf-8", "replace").splitlines():
        found = _MAPPING.match(line)
        if found and found[4] == inode and line.endswith(name):
            first, end, in_file = (int(found[group], 16) for group in (1, 2, 3))
            for start, stop in _around(head, in_file, end - first):
                libc.madvise(first + start, stop - start, _MADV_DONTNEED)


def _around(head: GgufHead, in_file: int, n_bytes: int) -> list[tuple[int, int]]:
    """Give the ranges of a mapping, from its start, that hold no embeddings: whole pages."""
    kept = [tensor for tensor in head.tensors if tensor.name == "token_embd.weight"]
    if not kept:
        return [(0, n_bytes)]
    first = max(head.data_offset + kept[0].offset - in_file, 0)
    end = min(first + kept[0].size_bytes, n_bytes)
    page = mmap.PAGESIZE
    ranges = ((0, first // page * page), ((end + page - 1) // page * page, n_bytes))
    return [(start, stop) for start, stop in ranges if start < stop]


def _reset_peak() -> bool:
    """Make the system's note of this process's peak start from now; False where it cannot (Linux can)."""
    try:
        Path("/proc/self/clear_refs").write_text("5")
    except OSError:
        return False
    return True
