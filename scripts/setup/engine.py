"""Build llama-cpp-python for this machine, keep the wheel for other clones, and try it before it counts.

Why from source: the prebuilt wheel crashed on every generation on some machines, and the project's default
build (``GGML_NATIVE=ON``) crashed on one that announces AMX. See docs/decisions/0001-engine-build.md.
"""

from __future__ import annotations

import os
import platform
import re
import shutil
import subprocess
import tempfile
import time
import venv
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TextIO

from scripts.setup.environment import last_line, pip
from scripts.setup.layout import Layout
from scripts.setup.progress import Progress, SetupError
from scripts.setup.stamps import key_of
from scripts.setup.system_libraries import require_compiler

# ggml's build switch for each instruction set it uses by default on x86-64, and the processor's name for it.
_X86_SWITCHES = {
    "GGML_SSE42": "sse4_2",
    "GGML_AVX": "avx",
    "GGML_AVX2": "avx2",
    "GGML_FMA": "fma",
    "GGML_F16C": "f16c",
    "GGML_BMI2": "bmi2",
}
# Windows' numbers for the same (IsProcessorFeaturePresent); it reports none for FMA, F16C and BMI2, which
# every processor with AVX2 has.
_WINDOWS_FEATURES = {"sse4_2": 38, "avx": 39, "avx2": 40, "fma": 40, "f16c": 40, "bmi2": 40}

# Read by CMake right after llama.cpp's own project() line: its chat tools are not part of the wheel,
# and leaving them out saves two fifths of the time to compile.
_BUILD_OPTIONS = "set(LLAMA_BUILD_COMMON OFF)\n"

SECONDS_BETWEEN_LINES = 15
_NINJA_STEP = re.compile(r"\s*\[(\d+)/(\d+)\]")

_SELF_TEST = """
import sys
from llama_cpp import Llama
model = Llama(sys.argv[1], n_ctx=256, n_threads=2, verbose=False, seed=1)
prompt = "The capital of France is the city of Paris. The capital of Italy is the city of"
result = model.create_completion(prompt, max_tokens=8, temperature=0.0)
text, n_tokens = result["choices"][0]["text"], result["usage"]["completion_tokens"]
print(text.strip())
sys.exit(0 if n_tokens == 8 and "Rome" in text else 3)
"""


def cpu_features() -> frozenset[str]:
    """Return which of ggml's x86-64 instruction sets this processor has (empty on other processors)."""
    if platform.machine().lower() not in {"x86_64", "amd64"}:
        return frozenset()
    known = set(_X86_SWITCHES.values())
    if platform.system() == "Linux":
        return frozenset(known & _linux_flags(Path("/proc/cpuinfo").read_text(encoding="utf-8")))
    if platform.system() == "Darwin":
        command = ["sysctl", "-n", "machdep.cpu.features", "machdep.cpu.leaf7_features"]
        result = subprocess.run(command, capture_output=True, text=True, check=False)
        words = result.stdout.lower().replace("avx1.0", "avx").replace("sse4.2", "sse4_2").split()
        return frozenset(known & set(words))
    return _windows_features()


def _linux_flags(cpuinfo: str) -> set[str]:
    found = re.search(r"^flags\s*:\s*(.*)$", cpuinfo, re.MULTILINE)
    return set(found[1].split()) if found else set()


def _windows_features() -> frozenset[str]:
    import ctypes

    library = getattr(ctypes, "windll", None)  # only Windows has it
    if library is None:
        return frozenset()
    is_present = library.kernel32.IsProcessorFeaturePresent
    return frozenset(name for name, number in _WINDOWS_FEATURES.items() if is_present(number))


def cmake_arguments(features: Iterable[str], machine: str | None = None) -> list[str]:
    """Return the build switches: nothing by guess, exactly the instruction sets that are there.

    Args:
        features: The processor's instruction sets.
        machine: The processor's kind; this one's if none is given.
    """
    arguments = ["-DGGML_NATIVE=OFF", "-DCMAKE_BUILD_TYPE=Release"]
    if (machine or platform.machine()).lower() in {"x86_64", "amd64"}:
        present = set(features)
        arguments += [
            f"-D{switch}={'ON' if name in present else 'OFF'}" for switch, name in _X86_SWITCHES.items()
        ]
    return arguments


@dataclass(frozen=True)
class EngineBuild:
    """How the engine is compiled.

    Attributes:
        purpose: What it is for, as it stands behind "Compiling the engine llama.cpp".
        arguments: CMake's switches.
        environment: Variables for the compiler; not part of the key.
    """

    purpose: str
    arguments: Sequence[str]
    environment: Mapping[str, str] = field(default_factory=dict)


def build_for_this_machine() -> EngineBuild:
    """Return the build with exactly the instruction sets that this processor has."""
    return EngineBuild("for this machine", cmake_arguments(cpu_features()))


def engine_key(layout: Layout, build: EngineBuild | None = None) -> str:
    """Return the key of the wheel for this source, these switches and this kind of machine."""
    sources = (layout.requirements_dir / "engine.txt", layout.requirements_dir / "engine_build.txt")
    system = [platform.system(), platform.machine()]
    switches = list((build or build_for_this_machine()).arguments)
    return key_of(*sources, system, switches, _BUILD_OPTIONS)[:20]


def built_wheel(layout: Layout, progress: Progress, build: EngineBuild | None = None) -> Path:
    """Return the engine's wheel from the user's cache, compiling it first if it is not there.

    Args:
        layout: Where the cache is.
        progress: Where the lines go.
        build: How; for this machine if none is given.

    Raises:
        SetupError: It could not be compiled.
    """
    build = build or build_for_this_machine()
    wheel_dir = layout.cache_dir / "wheels" / engine_key(layout, build)
    for wheel_path in wheel_dir.glob("*.whl"):
        return wheel_path
    require_compiler(progress)
    wheel_dir.parent.mkdir(parents=True, exist_ok=True)
    log_path = wheel_dir.parent / "build.log"
    with (
        progress.step(f"Compiling the engine llama.cpp {build.purpose} (once; some minutes)"),
        tempfile.TemporaryDirectory(prefix="build-", dir=wheel_dir.parent) as temporary,
        log_path.open("w", encoding="utf-8") as log,
    ):
        try:
            wheel_path = _compile(layout, Path(temporary), build, CompileProgress(progress, log))
        except SetupError as error:
            raise SetupError(error.message, f"The compiler's messages are in {log_path}.") from error
        wheel_dir.mkdir(exist_ok=True)
        # One rename: another clone sees the wheel whole or not at all.
        return wheel_path.replace(wheel_dir / wheel_path.name)


class CompileProgress:
    """Turn the compiler's output into a line in words now and then.

    A silent step of some minutes looks like one that hangs.
    """

    def __init__(self, progress: Progress, log: TextIO, clock: Callable[[], float] = time.monotonic) -> None:
        """Print to ``progress``, at most every 15 seconds by ``clock``, and every line to ``log``."""
        self._progress = progress
        self._log = log
        self._clock = clock
        self._last = clock()

    def read(self, line: str) -> None:
        """Take one line of output."""
        self._log.write(line)
        found = _NINJA_STEP.match(line)
        if found and self._clock() - self._last >= SECONDS_BETWEEN_LINES:
            self._last = self._clock()
            self._progress.say(f"    compiled {found[1]} of {found[2]} parts")


def _compile(layout: Layout, work_dir: Path, build: EngineBuild, progress: CompileProgress) -> Path:
    """Compile in a throw-away environment that holds the pinned tools; return the wheel's path."""
    tools_dir = work_dir / "tools"
    venv.create(tools_dir, with_pip=True, symlinks=os.name != "nt")
    commands_dir = tools_dir / ("Scripts" if os.name == "nt" else "bin")
    python_path = commands_dir / ("python.exe" if os.name == "nt" else "python")
    pins = str(layout.requirements_dir / "engine_build.txt")
    pip(python_path, ["install", "--quiet", "--require-hashes", "-r", pins], "Fetching the build tools")
    options_path = work_dir / "options.cmake"
    options_path.write_text(_BUILD_OPTIONS, encoding="utf-8")
    include = f"-DCMAKE_PROJECT_llama.cpp_INCLUDE={options_path.as_posix()}"
    environment = {
        **build.environment,
        "CMAKE_ARGS": " ".join([*build.arguments, f'"{include}"' if " " in include else include]),
        "PATH": f"{commands_dir}{os.pathsep}{os.environ.get('PATH', '')}",
        "FORCE_CMAKE": "1",
    }
    arguments = [
        "wheel",
        "--verbose",
        "--no-deps",
        "--no-build-isolation",
        "--no-cache-dir",
        "--require-hashes",
    ]
    arguments += ["--no-binary", "llama-cpp-python", "--wheel-dir", str(work_dir / "out")]
    arguments += ["-r", str(layout.requirements_dir / "engine.txt")]
    pip(python_path, arguments, "Compiling the engine", environment, progress.read)
    return next((work_dir / "out").glob("*.whl"))


def self_test(python: Path, model_path: Path) -> str:
    """Generate 8 tokens with the starter model in a process of its own and return the text.

    Raises:
        SetupError: The engine crashed, hung or wrote something else than expected.
    """
    command = [str(python), "-c", _SELF_TEST, str(model_path)]
    try:
        result = subprocess.run(command, capture_output=True, text=True, check=False, timeout=120)
    except subprocess.TimeoutExpired as error:
        raise SetupError("The engine did not finish a test sentence within two minutes.") from error
    if result.returncode == 0:
        return result.stdout.strip()
    if result.returncode < 0:
        reason = f"it was ended by signal {-result.returncode}"
    elif result.returncode == 3:
        reason = f"it wrote {result.stdout.strip()!r}"
    else:
        reason = last_line(result.stderr)
    raise SetupError(
        f"The engine was built but failed its test on this machine: {reason}.",
        "Delete the folder 'wheels' in the cache folder that the set-up named, then run this again.",
    )


def install(layout: Layout, model_path: Path, progress: Progress) -> None:
    """Install the engine into the environment and prove it with one real generation.

    A wheel that fails its test is removed from the cache, so that the next run compiles it anew.

    Raises:
        SetupError: It could not be compiled, installed, or failed its test.
    """
    wheel_path = built_wheel(layout, progress)
    arguments = ["install", "--quiet", "--no-deps", "--no-index", "--force-reinstall", str(wheel_path)]
    with progress.step("Installing the engine and testing it with one generation"):
        pip(layout.python_path, arguments, "Installing the engine")
        try:
            self_test(layout.python_path, model_path)
        except SetupError:
            shutil.rmtree(wheel_path.parent, ignore_errors=True)
            raise
