"""Signing Windows programs: which commands run, and that the password is on none of them."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pytest

from scripts.package import sign_windows
from scripts.setup.progress import SetupError

PASSWORD = "a secret"


class FakeRun:
    """Keeps the commands, and what stood in a password file meanwhile."""

    def __init__(self, fails_at: str = "") -> None:
        self.commands: list[list[str]] = []
        self.read = ""
        self._fails_at = fails_at

    def __call__(self, command: Sequence[str]) -> str:
        self.commands.append(list(command))
        if "-readpass" in command:
            self.read = Path(command[command.index("-readpass") + 1]).read_text()
        if "-out" in command:
            Path(command[command.index("-out") + 1]).write_text("signed")
        if self._fails_at and self._fails_at in command:
            raise SetupError("it refused")
        return "ABCDEF\r\n"

    @property
    def words(self) -> str:
        return " ".join(word for command in self.commands for word in command)


@pytest.fixture(autouse=True)
def tools(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("shutil.which", lambda name: f"/tools/{name}")


def settings(**more: str) -> dict[str, str]:
    return {sign_windows.CERTIFICATE: "our.p12", sign_windows.PASSWORD: PASSWORD, **more}


def test_without_a_certificate_nothing_is_signed(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in (sign_windows.CERTIFICATE, sign_windows.THUMBPRINT):
        monkeypatch.delenv(name, raising=False)
    assert not sign_windows.is_wanted()
    assert not sign_windows.sign([Path("a.exe")])


def test_on_linux_the_password_is_in_a_file_that_is_gone_afterwards(tmp_path: Path) -> None:
    path = tmp_path / "a.exe"
    path.write_text("plain")
    run = FakeRun()
    sign_windows.sign_with_osslsigncode(path, settings(), run)
    assert path.read_text() == "signed"
    assert run.read == PASSWORD
    assert PASSWORD not in run.words
    [command] = run.commands
    assert not Path(command[command.index("-readpass") + 1]).exists()
    assert command[command.index("-ts") + 1] == sign_windows.DEFAULT_TIMESTAMP


def test_on_windows_the_certificate_stands_in_the_store_meanwhile() -> None:
    run = FakeRun()
    sign_windows.sign_with_signtool([Path("a.exe"), Path("b.exe")], settings(), run)
    fetch, sign, forget = run.commands
    assert "Import-PfxCertificate" in fetch[-1]
    assert fetch[0].endswith("powershell.exe")
    assert sign[:4] == ["/tools/signtool", "sign", "/sha1", "ABCDEF"]
    assert sign[-2:] == ["a.exe", "b.exe"]
    assert forget[-1].endswith("My\\ABCDEF")
    assert PASSWORD not in run.words


def test_the_store_is_tidied_also_after_a_failure() -> None:
    run = FakeRun(fails_at="/sha1")
    with pytest.raises(SetupError):
        sign_windows.sign_with_signtool([Path("a.exe")], settings(), run)
    assert "Remove-Item" in run.commands[-1][-1]


def test_a_certificate_of_the_store_is_used_and_left_there() -> None:
    run = FakeRun()
    more = {sign_windows.THUMBPRINT: "1234", sign_windows.TIMESTAMP: ""}
    sign_windows.sign_with_signtool([Path("a.exe")], settings(**more), run)
    [command] = run.commands
    assert command[3] == "1234"
    assert "/tr" not in command


def test_a_missing_tool_is_told_with_the_next_step(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("shutil.which", lambda name: None)
    with pytest.raises(SetupError, match="osslsigncode") as caught:
        sign_windows.sign_with_osslsigncode(tmp_path / "a.exe", settings(), FakeRun())
    assert "Install" in caught.value.hint
    monkeypatch.setenv("PROGRAMFILES(X86)", str(tmp_path))
    with pytest.raises(SetupError, match="signtool"):
        sign_windows.sign_with_signtool([tmp_path / "a.exe"], settings(), FakeRun())


def test_the_newest_signtool_of_the_windows_sdk_is_found(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("shutil.which", lambda name: None)
    monkeypatch.setenv("PROGRAMFILES(X86)", str(tmp_path))
    for version in ("10.0.19041.0", "10.0.26100.0"):
        folder = tmp_path / "Windows Kits" / "10" / "bin" / version / "x64"
        folder.mkdir(parents=True)
        (folder / "signtool.exe").touch()
    assert "26100" in sign_windows._signtool()
