"""The management library is asked through its C interface; a small library of the same one answers here."""

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from app.core.gpu_reasons import Card
from app.worker.probe.nvidia_memory import with_memory

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="builds a library of Linux")

SOURCE = """
#include <string.h>
typedef struct { unsigned long long total, free, used; } memory_t;
static int card = 7;
int nvmlInit_v2(void) { return INIT; }
int nvmlShutdown(void) { return 0; }
int nvmlDeviceGetHandleByPciBusId_v2(const char *id, void **device) {
    if (strcmp(id, "0000:01:00.0") && strcmp(id, "0000:03:00.0")) return 6;
    *device = strcmp(id, "0000:01:00.0") ? 0 : &card;
    return 0;
}
int nvmlDeviceGetMemoryInfo(void *device, memory_t *memory) {
    if (device != &card) return 3;
    memory->total = 12ULL << 30; memory->free = 1; memory->used = 2;
    return 0;
}
"""


def card(address: str, driver: str = "nvidia", memory: int | None = None) -> Card:
    return Card(name="C", vendor="NVIDIA", driver=driver, address=address, memory_total_bytes=memory)


def build(folder: Path, source: str, *flags: str) -> str:
    compiler = shutil.which("cc")
    if compiler is None:
        pytest.skip("no C compiler")
    library = folder / "libnvidia-ml.so.1"
    code = folder / "nvml.c"
    code.write_text(source)
    subprocess.run([compiler, "-shared", "-fPIC", *flags, "-o", library, code], check=True)
    return str(library)


CARDS = [
    card("0000:01:00.0"),
    card("0000:02:00.0"),
    card("0000:03:00.0"),
    card("0000:04:00.0", driver="nouveau"),
    card("", memory=5),
]


def test_the_memory_of_cards_that_the_library_knows(tmp_path: Path) -> None:
    library = build(tmp_path, SOURCE, "-DINIT=0")
    assert [each.memory_total_bytes for each in with_memory(CARDS, library)] == [
        12 << 30,
        None,
        None,
        None,
        5,
    ]


def test_a_library_without_driver_or_functions_or_none_at_all(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert with_memory(CARDS, build(tmp_path, SOURCE, "-DINIT=9")) == CARDS
    other = tmp_path / "old"
    other.mkdir()
    assert with_memory(CARDS, build(other, "int nothing;")) == CARDS
    assert with_memory(CARDS, str(tmp_path / "none.so")) == CARDS
    assert with_memory(CARDS[3:]) == CARDS[3:]
    monkeypatch.setattr(sys, "platform", "haiku")
    assert with_memory(CARDS) == CARDS
