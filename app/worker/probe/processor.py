"""The processor: its name, its cores, and which instruction sets with code in ggml it has."""

import ctypes
import platform
import subprocess
import sys
from pathlib import Path
from typing import Any

import psutil

from app.protocol.hardware import Cpu
from app.worker.inference.cores import generation_threads

# The system's words and ggml's. Source: arch/x86/include/asm/cpufeatures.h and
# arch/arm64/include/uapi/asm/hwcap.h of the Linux kernel; ggml/include/ggml-cpu.h.
_LINUX = {
    "pni": "sse3",
    "ssse3": "ssse3",
    "avx": "avx",
    "f16c": "f16c",
    "fma": "fma",
    "bmi2": "bmi2",
    "avx2": "avx2",
    "avx_vnni": "avx_vnni",
    "avx512f": "avx512",
    "avx512vbmi": "avx512_vbmi",
    "avx512_vnni": "avx512_vnni",
    "avx512_bf16": "avx512_bf16",
    "amx_int8": "amx_int8",
    "asimd": "neon",
    "asimdhp": "fp16_va",
    "asimddp": "dotprod",
    "i8mm": "matmul_int8",
    "sve": "sve",
    "sme": "sme",
}
# Source: sysctl of macOS; Intel's names stand in two lists, Apple's are keys with the value 1.
_MACOS_WORDS = {
    "SSE3": "sse3",
    "SSSE3": "ssse3",
    "AVX1.0": "avx",
    "F16C": "f16c",
    "FMA": "fma",
    "BMI2": "bmi2",
    "AVX2": "avx2",
    "AVX512F": "avx512",
}
_MACOS_KEYS = {
    "hw.optional.neon": "neon",
    "hw.optional.arm.FEAT_FP16": "fp16_va",
    "hw.optional.arm.FEAT_DotProd": "dotprod",
    "hw.optional.arm.FEAT_I8MM": "matmul_int8",
    "hw.optional.arm.FEAT_SME": "sme",
}
# Source: IsProcessorFeaturePresent, winnt.h.
_WINDOWS = {
    13: "sse3",
    36: "ssse3",
    39: "avx",
    40: "avx2",
    41: "avx512",
    19: "neon",
    43: "dotprod",
}


def processor() -> Cpu:
    """Ask the system about its processor."""
    readers = {"linux": linux_cpu, "darwin": macos_cpu, "win32": windows_cpu}
    name, features = readers.get(sys.platform, unknown_cpu)()
    logical = psutil.cpu_count() or 1
    return Cpu(
        name=name or platform.processor() or platform.machine(),
        physical_cores=psutil.cpu_count(logical=False) or 0,
        logical_cores=logical,
        features=features,
        cores_used=generation_threads(),
    )


def unknown_cpu() -> tuple[str, tuple[str, ...]]:
    """Know nothing."""
    return "", ()


def linux_cpu(path: Path = Path("/proc/cpuinfo")) -> tuple[str, tuple[str, ...]]:
    """Give name and features from the kernel's list; its first processor counts."""
    try:
        lines = path.read_text("utf-8", "replace").splitlines()
    except OSError:
        return "", ()
    values: dict[str, str] = {}
    for line in lines:
        key, _, value = line.partition(":")
        values.setdefault(key.strip().lower(), value.strip())
    flags = set((values.get("flags") or values.get("features") or "").split())
    name = values.get("model name") or values.get("hardware") or ""
    return " ".join(name.split()), tuple(ours for theirs, ours in _LINUX.items() if theirs in flags)


def macos_cpu() -> tuple[str, tuple[str, ...]]:
    """Give name and features from sysctl."""
    done = subprocess.run(
        ["/usr/sbin/sysctl", "machdep.cpu", "hw.optional"], capture_output=True, text=True, check=False
    )
    return macos_facts(done.stdout)


def macos_facts(text: str) -> tuple[str, tuple[str, ...]]:
    """Read sysctl's `key: value` lines."""
    values = dict(line.split(": ", 1) for line in text.splitlines() if ": " in line)
    words = {
        word
        for key in ("machdep.cpu.features", "machdep.cpu.leaf7_features")
        for word in values.get(key, "").split()
    }
    features = [ours for theirs, ours in _MACOS_WORDS.items() if theirs in words]
    features += [ours for key, ours in _MACOS_KEYS.items() if values.get(key) == "1"]
    return values.get("machdep.cpu.brand_string", ""), tuple(features)


def windows_cpu() -> tuple[str, tuple[str, ...]]:
    """Give name and features from the registry and the kernel."""
    import winreg  # this system only

    registry: Any = winreg
    try:
        place = r"HARDWARE\DESCRIPTION\System\CentralProcessor\0"
        with registry.OpenKey(registry.HKEY_LOCAL_MACHINE, place) as key:
            name = str(registry.QueryValueEx(key, "ProcessorNameString")[0])
    except OSError:
        name = ""
    system: Any = ctypes
    has = system.windll.kernel32.IsProcessorFeaturePresent
    return name.strip(), tuple(ours for number, ours in _WINDOWS.items() if has(number))
