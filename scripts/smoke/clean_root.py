"""A clean Debian system in a folder: no Python, no compiler, and no network for what runs in it."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from scripts.setup.progress import Progress, SetupError

RELEASE = "bookworm"
USER, UID = "user", 1000
_ABSENT = ("python3", "python3.11", "gcc", "cc", "g++", "make")
_MOUNTS = ("proc", "dev", "dev/pts", "sys")


def make_base(cache_dir: Path, progress: Progress) -> Path:
    """Return a clean system, made once and kept in the cache.

    Raises:
        SetupError: debootstrap is missing or failed.
    """
    base_dir = cache_dir / f"clean-root-{RELEASE}"
    if (base_dir / ".complete").exists():
        return base_dir
    if shutil.which("debootstrap") is None:
        raise SetupError("debootstrap is missing.", "On Debian and Ubuntu: sudo apt-get install debootstrap")
    shutil.rmtree(base_dir, ignore_errors=True)
    cache_dir.mkdir(parents=True, exist_ok=True)
    with progress.step("Making a clean Debian system"):
        command = ["debootstrap", "--variant=minbase", RELEASE, str(base_dir)]
        result = subprocess.run(command, capture_output=True, text=True, check=False)
        if result.returncode != 0:
            raise SetupError(f"debootstrap failed: {result.stdout.strip().splitlines()[-1]}")
        for name in ("etc/apt/apt.conf.d", "etc/resolv.conf", "etc/apt/sources.list.d"):
            _copy_from_system(Path("/") / name, base_dir / name)
    (base_dir / ".complete").touch()
    return base_dir


def _copy_from_system(source: Path, target: Path) -> None:
    """Give the clean system what this one needs to reach Debian's packages (a proxy, for example)."""
    if source.is_dir():
        for path in source.iterdir():
            if "proxy" in path.name.lower():
                shutil.copyfile(path, target / path.name)
    elif source.is_file():
        target.unlink(missing_ok=True)
        shutil.copyfile(source, target)


@dataclass
class Root:
    """One clean system in use.

    Attributes:
        path: Its folder.
        display: The X display that programs in it see; empty for none.
        environment: Further variables of every command of the user.
    """

    path: Path
    display: str = ""
    environment: dict[str, str] = field(default_factory=dict)

    @property
    def home(self) -> Path:
        """The user's home, as seen from outside."""
        return self.path / "home" / USER

    def inside(self, path: Path) -> str:
        """Return the name that a path has inside."""
        return "/" + str(path.relative_to(self.path))

    def administer(self, command: Sequence[str], *, network: bool = False) -> str:
        """Run a command as root inside and return its output.

        Raises:
            SetupError: it failed.
        """
        variables = [
            "env",
            "-i",
            "PATH=/usr/sbin:/usr/bin:/sbin:/bin",
            "DEBIAN_FRONTEND=noninteractive",
            "LC_ALL=C",
        ]
        cut = [] if network else ["unshare", "--net"]
        whole = [*cut, "chroot", str(self.path), *variables, *command]
        result = subprocess.run(whole, capture_output=True, text=True, errors="replace", check=False)
        if result.returncode != 0:
            text = (result.stdout + result.stderr).strip()
            raise SetupError(f"{' '.join(command)[:200]} failed in the clean system: {text[-1500:]}")
        return result.stdout

    def command(
        self, arguments: Sequence[str], variables: Mapping[str, str] | None = None, cwd: str = ""
    ) -> list[str]:
        """Return what runs a command inside as the ordinary user, without any network."""
        environment = {
            "HOME": f"/home/{USER}",
            "USER": USER,
            "LOGNAME": USER,
            "PATH": "/usr/local/bin:/usr/bin:/bin",
            "LANG": "C.UTF-8",
            "XDG_RUNTIME_DIR": f"/run/user/{UID}",
            **({"DISPLAY": self.display} if self.display else {}),
            **self.environment,
            **(variables or {}),
        }
        pairs = [f"{name}={value}" for name, value in environment.items()]
        start = cwd or environment["HOME"]
        switch = ["setpriv", f"--reuid={UID}", f"--regid={UID}", "--clear-groups", "--no-new-privs"]
        go = ["sh", "-c", 'cd "$0" && exec "$@"', start]
        return ["unshare", "--net", "chroot", str(self.path), "env", "-i", *pairs, *switch, *go, *arguments]

    def run(
        self,
        arguments: Sequence[str],
        variables: Mapping[str, str] | None = None,
        cwd: str = "",
        timeout_s: float = 180,
    ) -> subprocess.CompletedProcess[str]:
        """Run a command as the user; the result carries its output as text."""
        return subprocess.run(
            self.command(arguments, variables, cwd),
            capture_output=True,
            text=True,
            errors="replace",
            timeout=timeout_s,
            stdin=subprocess.DEVNULL,
            check=False,
        )

    def absent_tools(self) -> list[str]:
        """Return what should not be there and is."""
        return [
            name
            for name in _ABSENT
            if any((self.path / place / name).exists() for place in ("usr/bin", "bin"))
        ]

    def files(self) -> dict[str, tuple[int, int]]:
        """Return size and modification time of every file by its name inside, users' homes and logs aside."""
        found = {}
        for folder, names, files in os.walk(self.path):
            inside = "/" + os.path.relpath(folder, self.path)
            if inside in {"/home", "/proc", "/sys", "/dev", "/run", "/tmp", "/var/lib/dpkg", "/var/lib/apt"}:
                names.clear()
                continue
            for name in files:
                state = os.lstat(os.path.join(folder, name))  # noqa: PTH118  # tens of thousands
                found[os.path.join(inside, name)] = (state.st_size, int(state.st_mtime))  # noqa: PTH118
        return found


@contextmanager
def clean_root(base_dir: Path, work_dir: Path, x_socket_dir: Path | None = None) -> Iterator[Root]:
    """Copy the clean system, mount what programs expect, and take it all away again.

    Args:
        base_dir: From `make_base`.
        work_dir: Receives the copy.
        x_socket_dir: Where the virtual screen's socket lies; it is seen inside too.
    """
    root = Root(work_dir / "root")
    subprocess.run(["cp", "-a", "--reflink=auto", str(base_dir), str(root.path)], check=True)
    mounted = []
    try:
        for name in _MOUNTS:
            subprocess.run(["mount", "--bind", f"/{name}", str(root.path / name)], check=True)
            mounted.append(root.path / name)
        if x_socket_dir is not None:
            target = root.path / "tmp" / ".X11-unix"
            target.mkdir(mode=0o1777, exist_ok=True)
            subprocess.run(["mount", "--bind", str(x_socket_dir), str(target)], check=True)
            mounted.append(target)
        root.administer(["useradd", "--create-home", "--uid", str(UID), "--shell", "/bin/sh", USER])
        runtime_dir = root.path / "run" / "user" / str(UID)
        runtime_dir.mkdir(parents=True)
        os.chown(runtime_dir, UID, UID)
        runtime_dir.chmod(0o700)
        yield root
    finally:
        for path in reversed(mounted):
            subprocess.run(["umount", "--lazy", str(path)], check=False)
        if not any(os.path.ismount(path) for path in mounted):
            shutil.rmtree(root.path, ignore_errors=True)
