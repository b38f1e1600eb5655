"""Run the real program from a drill: its commands, its processes, its doctor."""

import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import psutil

TOP_DIR = Path(__file__).resolve().parents[2]


class Program:
    """The command line on one temporary (or given) data folder.

    Attributes:
        data_dir: the folder.
        prefix: put before each command (`strace …`, `unshare …`).
    """

    def __init__(self, data_dir: Path | None = None, prefix: Sequence[str] = ()) -> None:
        """Make a temporary data folder where none is given."""
        self.data_dir = data_dir or Path(tempfile.mkdtemp(prefix="h2ogpt-drill-"))
        self.prefix = list(prefix)

    def command(self, *arguments: str) -> list[str]:
        """Give argv of one `h2ogpt` command on this data folder."""
        return [
            *self.prefix,
            sys.executable,
            "-P",
            "-m",
            "app.cli",
            "--data-dir",
            os.fspath(self.data_dir),
            *arguments,
        ]

    def run(self, *arguments: str, timeout: float = 300, stdin: str = "") -> subprocess.CompletedProcess[str]:
        """Run one command to its end; its output is captured."""
        return subprocess.run(
            self.command(*arguments),
            capture_output=True,
            text=True,
            timeout=timeout,
            input=stdin,
            check=False,
            cwd=TOP_DIR,
        )

    def start(self, *arguments: str) -> "subprocess.Popen[str]":
        """Start one command and leave it running."""
        return subprocess.Popen(
            self.command(*arguments),
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            cwd=TOP_DIR,
        )

    def json(self, *arguments: str, timeout: float = 300) -> list[Any]:
        """Run one command with `--json` and give its values, one a line."""
        result = self.run(*arguments, "--json", timeout=timeout)
        return [json.loads(line) for line in result.stdout.splitlines()]

    def processes(self, kind: str) -> list[psutil.Process]:
        """Give the live processes of one kind (`host`, `library`, …) of this data folder."""
        needle = "app.host" if kind == "host" else kind
        hosts = [process for process in psutil.process_iter(["cmdline"]) if self._is_host(process)]
        if kind == "host":
            return hosts
        return [child for host in hosts for child in host.children(recursive=True) if needle in _argv(child)]

    def _is_host(self, process: psutil.Process) -> bool:
        argv = _argv(process)
        return "app.host" in argv and os.fspath(self.data_dir) in argv

    def wait_for(self, kind: str, timeout_s: float = 30) -> psutil.Process:
        """Wait until a background process of this kind runs.

        Raises:
            TimeoutError: none came.
        """
        deadline = time.monotonic() + timeout_s
        while time.monotonic() < deadline:
            if found := self.processes(kind):
                return found[0]
            time.sleep(0.02)
        raise TimeoutError(f"no {kind} process came within {timeout_s} s")

    def doctor_errors(self) -> list[str]:
        """Give the doctor's violated invariants."""
        report = self.json("doctor")
        checks = report[0]["checks"] if len(report) == 1 and "checks" in report[0] else report
        return [f"{check['name']}: {check['detail']}" for check in checks if check["status"] == "error"]

    def stop_host(self) -> None:
        """End the host of this data folder and wait for it."""
        for process in self.processes("host"):
            process.terminate()
            process.wait(10)


def _argv(process: psutil.Process) -> list[str]:
    try:
        return process.cmdline()
    except (psutil.NoSuchProcess, psutil.AccessDenied, psutil.ZombieProcess):
        return []


def report(name: str, passed: bool, detail: str) -> bool:
    """Print one line of a drill's outcome and give it back."""
    print(f"{'ok  ' if passed else 'FAIL'}  {name}: {detail}", flush=True)
    return passed
