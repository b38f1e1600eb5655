"""Build ctransformers, the engine for model files from before GGUF, and keep the wheel for other clones.

Its project has ended: the last release brings build files for tools of its day, and wheels with libraries
that nobody builds anew. So its C++ is compiled here with the pinned CMake, once for each of its three
instruction sets (x86-64), and packed with its own few Python files. Which one serves is chosen when a model
is loaded (`app/worker/inference/legacy_native.py`), so one wheel serves this machine and the installers.
See docs/decisions/0061-old-model-files.md.
"""

from __future__ import annotations

import os
import platform
import subprocess
import tarfile
import tempfile
import venv
from collections.abc import Sequence
from pathlib import Path

from scripts.setup.engine import CompileProgress
from scripts.setup.environment import last_line, pip
from scripts.setup.layout import Layout
from scripts.setup.progress import Progress, SetupError
from scripts.setup.stamps import key_of
from scripts.setup.system_libraries import require_compiler

# Its names for instruction sets; what each processor of the kind has comes first.
X86_VARIANTS = ("basic", "avx", "avx2")
OTHER_VARIANTS = ("basic",)
_LIBRARIES = {
    "Linux": "libctransformers.so",
    "Darwin": "libctransformers.dylib",
    "Windows": "ctransformers.dll",
}
# It would compile for the very processor that it is built on.
_NATIVE = "add_compile_options(-mcpu=native)"

_SELF_TEST = """
import ctypes, sys
library = ctypes.CDLL(sys.argv[1])
library.ctransformers_llm_create.restype = ctypes.c_void_p
class Config(ctypes.Structure):
    _fields_ = [("n", ctypes.c_int), ("g", ctypes.c_int), ("m", ctypes.c_bool), ("l", ctypes.c_bool)]
library.ctransformers_llm_create.argtypes = [ctypes.c_char_p, ctypes.c_char_p, Config]
sys.exit(0 if library.ctransformers_llm_create(b"", b"no such kind", Config()) is None else 3)
"""


def variants(machine: str | None = None) -> tuple[str, ...]:
    """Return the instruction sets to compile for a kind of processor; this one's if none is given."""
    is_x86 = (machine or platform.machine()).lower() in {"x86_64", "amd64"}
    return X86_VARIANTS if is_x86 else OTHER_VARIANTS


def legacy_key(layout: Layout) -> str:
    """Return the key of the wheel for this source, these tools and this kind of machine."""
    sources = (layout.requirements_dir / "legacy.txt", layout.requirements_dir / "legacy_build.txt")
    return key_of(*sources, [platform.system(), platform.machine()], Path(__file__))[:20]


def built_wheel(layout: Layout, progress: Progress) -> Path:
    """Return the wheel from the user's cache, compiling it first if it is not there.

    Raises:
        SetupError: It could not be compiled.
    """
    wheel_dir = layout.cache_dir / "wheels" / legacy_key(layout)
    for wheel_path in wheel_dir.glob("*.whl"):
        return wheel_path
    require_compiler(progress)
    wheel_dir.parent.mkdir(parents=True, exist_ok=True)
    log_path = wheel_dir.parent / "build-legacy.log"
    with (
        progress.step("Compiling the engine for old model files (once; a minute or two)"),
        tempfile.TemporaryDirectory(prefix="build-", dir=wheel_dir.parent) as temporary,
        log_path.open("w", encoding="utf-8") as log,
    ):
        try:
            wheel_path = _compile(layout, Path(temporary), CompileProgress(progress, log))
        except SetupError as error:
            raise SetupError(error.message, f"The compiler's messages are in {log_path}.") from error
        wheel_dir.mkdir(exist_ok=True)
        # One rename: another clone sees the wheel whole or not at all.
        return wheel_path.replace(wheel_dir / wheel_path.name)


def _compile(layout: Layout, work_dir: Path, progress: CompileProgress) -> Path:
    """Compile in a throw-away environment that holds the pinned tools; return the wheel's path."""
    tools_dir = work_dir / "tools"
    venv.create(tools_dir, with_pip=True, symlinks=os.name != "nt")
    commands_dir = tools_dir / ("Scripts" if os.name == "nt" else "bin")
    python_path = commands_dir / ("python.exe" if os.name == "nt" else "python")
    pins = str(layout.requirements_dir / "legacy_build.txt")
    pip(python_path, ["install", "--quiet", "--require-hashes", "-r", pins], "Fetching the build tools")
    source_dir = _source(layout, python_path, work_dir)
    for variant in variants():
        _compile_variant(source_dir, work_dir / variant, variant, commands_dir, progress)
    arguments = ["wheel", "--no-deps", "--no-build-isolation", "--no-cache-dir"]
    arguments += ["--wheel-dir", str(work_dir / "out"), str(source_dir)]
    # CT_WHEEL: pack the libraries that are there, and compile nothing.
    pip(python_path, arguments, "Packing the engine for old files", {"CT_WHEEL": "1"})
    return next((work_dir / "out").glob("*.whl"))


def _source(layout: Layout, python_path: Path, work_dir: Path) -> Path:
    """Fetch and unpack the pinned source; return its folder."""
    archive_dir = work_dir / "archive"
    arguments = ["download", "--quiet", "--no-deps", "--no-build-isolation", "--require-hashes"]
    arguments += ["--no-binary", "ctransformers", "--dest", str(archive_dir)]
    arguments += ["-r", str(layout.requirements_dir / "legacy.txt")]
    pip(python_path, arguments, "Fetching the engine for old files", {"CT_WHEEL": "1"})
    (archive_path,) = archive_dir.iterdir()
    with tarfile.open(archive_path) as archive:
        archive.extractall(work_dir / "source", filter="data")
    (source_dir,) = (work_dir / "source").iterdir()
    build_file = source_dir / "CMakeLists.txt"
    text = build_file.read_text(encoding="utf-8")
    if _NATIVE not in text:
        raise SetupError("The source of the engine for old files is not what it was.")
    build_file.write_text(text.replace(_NATIVE, ""), encoding="utf-8")
    return source_dir


def _compile_variant(
    source_dir: Path, build_dir: Path, variant: str, commands_dir: Path, progress: CompileProgress
) -> None:
    """Compile one library and put it where the package looks for it."""
    configure = ["cmake", "-S", str(source_dir), "-B", str(build_dir), f"-DCT_INSTRUCTIONS={variant}"]
    configure += ["-DCMAKE_BUILD_TYPE=Release"]
    if os.name != "nt":  # there, CMake finds Microsoft's compiler by itself, but not for Ninja
        configure += ["-G", "Ninja"]
    environment = dict(os.environ, PATH=f"{commands_dir}{os.pathsep}{os.environ.get('PATH', '')}")
    for command in (configure, ["cmake", "--build", str(build_dir), "--config", "Release", "--parallel"]):
        _run([str(commands_dir / command[0]), *command[1:]], environment, progress)
    name = _LIBRARIES[platform.system()]
    built = build_dir / "lib" / name
    target = source_dir / "ctransformers" / "lib" / variant / name
    target.parent.mkdir(parents=True)
    built.replace(target)


def _run(command: Sequence[str], environment: dict[str, str], progress: CompileProgress) -> None:
    with subprocess.Popen(
        command,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        encoding="utf-8",
        errors="replace",
        env=environment,
    ) as process:
        assert process.stdout is not None
        for line in process.stdout:
            progress.read(line)
    if process.returncode != 0:
        raise SetupError("Compiling the engine for old files failed.")


def self_test(python: Path) -> None:
    """Load the simplest library in a process of its own.

    Raises:
        SetupError: It cannot be loaded.
    """
    where = "import importlib.util as u; print(u.find_spec('ctransformers').submodule_search_locations[0])"
    found = subprocess.run([str(python), "-c", where], capture_output=True, text=True, check=False)
    library = Path(found.stdout.strip()) / "lib" / "basic" / _LIBRARIES[platform.system()]
    result = subprocess.run(
        [str(python), "-c", _SELF_TEST, str(library)], capture_output=True, text=True, check=False
    )
    if result.returncode != 0:
        reason = last_line(result.stderr) or f"it ended with code {result.returncode}"
        raise SetupError(f"The engine for old files was built but cannot be loaded: {reason}.")


def install(layout: Layout, progress: Progress) -> None:
    """Install the engine for old files into the environment.

    Its package asks for others (a download client) that this program never lets it import, so it comes alone.

    Raises:
        SetupError: It could not be compiled, installed or loaded.
    """
    wheel_path = built_wheel(layout, progress)
    arguments = ["install", "--quiet", "--no-deps", "--no-index", "--force-reinstall", str(wheel_path)]
    with progress.step("Installing the engine for old model files"):
        pip(layout.python_path, arguments, "Installing the engine for old files")
        self_test(layout.python_path)
