#!/usr/bin/env python3
"""Sign Windows programs where a certificate is given; without one, do nothing.

    python3 scripts/package/sign_windows.py FILE...

H2OGPT_SIGN_CERTIFICATE names a PKCS#12 file, H2OGPT_SIGN_CERTIFICATE_PASSWORD its password. On Windows
H2OGPT_SIGN_THUMBPRINT may name a certificate of the user's store instead (one on a token or in a cloud).
H2OGPT_SIGN_TIMESTAMP is the address of a time stamp server; empty means none. The password reaches the tools
through the environment or a file that only this user can read, never through a command line.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from scripts.setup.progress import SetupError, explain

CERTIFICATE = "H2OGPT_SIGN_CERTIFICATE"
PASSWORD = "H2OGPT_SIGN_CERTIFICATE_PASSWORD"  # noqa: S105 - the name of a variable
THUMBPRINT = "H2OGPT_SIGN_THUMBPRINT"
TIMESTAMP = "H2OGPT_SIGN_TIMESTAMP"
DEFAULT_TIMESTAMP = "http://timestamp.digicert.com"

# Puts the certificate into the user's store and prints its thumbprint; the password comes from a variable.
_IMPORT = (
    "$p = ConvertTo-SecureString $env:H2OGPT_SIGN_CERTIFICATE_PASSWORD -AsPlainText -Force; "
    "(Import-PfxCertificate -FilePath $env:H2OGPT_SIGN_CERTIFICATE -Password $p "
    "-CertStoreLocation Cert:\\CurrentUser\\My).Thumbprint"
)
_FORGET = "Remove-Item -DeleteKey Cert:\\CurrentUser\\My\\{thumbprint}"

Run = Callable[[Sequence[str]], str]


def is_wanted(environment: Mapping[str, str] = os.environ) -> bool:
    """Return whether there is a certificate to sign with."""
    return bool(environment.get(CERTIFICATE) or environment.get(THUMBPRINT))


def run_tool(command: Sequence[str]) -> str:
    """Run one tool and return what it printed.

    Raises:
        SetupError: It failed, with its last line.
    """
    result = subprocess.run(command, capture_output=True, text=True, errors="replace", check=False)
    if result.returncode != 0:
        lines = [line for line in (result.stdout + result.stderr).splitlines() if line.strip()]
        raise SetupError(
            f"{Path(command[0]).name} could not sign: {lines[-1].strip() if lines else 'no reason given'}",
            f"Check the certificate that {CERTIFICATE} names, its password, and the time stamp server.",
        )
    return result.stdout


def _timestamp(environment: Mapping[str, str]) -> str:
    return environment.get(TIMESTAMP, DEFAULT_TIMESTAMP)


def _tool(name: str, hint: str) -> str:
    found = shutil.which(name)
    if found is None:
        raise SetupError(f"{name} is not here, so nothing can be signed.", hint)
    return found


@contextmanager
def _password_file(environment: Mapping[str, str]) -> Iterator[Path]:
    with tempfile.TemporaryDirectory(prefix="h2ogpt-sign-") as folder:  # mode 0700
        path = Path(folder) / "password"
        path.write_text(environment.get(PASSWORD, ""), encoding="utf-8")
        yield path


def sign_with_osslsigncode(
    path: Path, environment: Mapping[str, str] = os.environ, run: Run = run_tool
) -> None:
    """Sign one file on Linux or macOS."""
    tool = _tool("osslsigncode", "Install the package osslsigncode.")
    signed_path = path.with_name(path.name + ".signed")
    with _password_file(environment) as password_path:
        command = [tool, "sign", "-pkcs12", environment[CERTIFICATE], "-readpass", str(password_path)]
        command += ["-h", "sha256", "-n", "h2oGPT Desktop"]
        if server := _timestamp(environment):
            command += ["-ts", server]
        run([*command, "-in", str(path), "-out", str(signed_path)])
    shutil.copymode(path, signed_path)
    signed_path.replace(path)


def _signtool() -> str:
    """Find signtool: on the PATH, else in the newest Windows SDK."""
    found = shutil.which("signtool")
    if found is None:
        kits_dir = Path(os.environ.get("PROGRAMFILES(X86)", "")) / "Windows Kits" / "10" / "bin"
        tools = sorted(kits_dir.glob("10.*/x64/signtool.exe"))
        found = str(tools[-1]) if tools else None
    return found or _tool("signtool", "Install the Windows SDK.")


def sign_with_signtool(
    paths: Sequence[Path], environment: Mapping[str, str] = os.environ, run: Run = run_tool
) -> None:
    """Sign files on Windows with a certificate of the user's store, where it stands only meanwhile."""
    tool = _signtool()
    system_dir = Path(os.environ.get("SYSTEMROOT", "C:\\Windows")) / "System32"
    shell = [str(system_dir / "WindowsPowerShell" / "v1.0" / "powershell.exe")]
    shell += ["-NoProfile", "-NonInteractive", "-Command"]
    given = environment.get(THUMBPRINT)
    thumbprint = given or run([*shell, _IMPORT]).strip()
    command = [tool, "sign", "/sha1", thumbprint, "/fd", "SHA256", "/d", "h2oGPT Desktop"]
    if server := _timestamp(environment):
        command += ["/tr", server, "/td", "SHA256"]
    try:
        run([*command, *(str(path) for path in paths)])
    finally:
        if not given:
            run([*shell, _FORGET.format(thumbprint=thumbprint)])


def sign(paths: Sequence[Path]) -> bool:
    """Sign files in place where there is a certificate; return whether there is.

    Raises:
        SetupError: The tool is missing or refused.
    """
    if not is_wanted():
        return False
    if os.name == "nt":
        sign_with_signtool(paths)
    else:
        for path in paths:
            sign_with_osslsigncode(path)
    return True


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command and return its exit code."""
    paths = [Path(item) for item in (sys.argv[1:] if arguments is None else arguments)]
    try:
        sign(paths)
    except SetupError as error:
        explain(error)
        return 1
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
