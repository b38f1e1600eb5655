"""System libraries: installed where that is possible, else named with the exact command."""

from __future__ import annotations

import io
import re
from collections.abc import Sequence
from pathlib import Path

import pytest

from scripts.setup import steps, system_libraries
from scripts.setup.layout import REPOSITORY_DIR, Layout
from scripts.setup.progress import Progress, SetupError
from scripts.setup.system_libraries import Need

XVFB = Need("command", "Xvfb", "xvfb", "tests of the real window")


@pytest.fixture
def linux(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("platform.system", lambda: "Linux")


def ensure(needs: list[Need], present: object) -> tuple[list[Need], str]:
    stream = io.StringIO()
    return system_libraries.ensure(needs, Progress(stream), present), stream.getvalue()  # type: ignore[arg-type]


@pytest.mark.usefixtures("linux")
def test_nothing_is_said_when_nothing_is_missing() -> None:
    assert ensure([XVFB], lambda need: True) == ([], "")


@pytest.mark.usefixtures("linux")
def test_without_rights_the_command_is_shown(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(system_libraries, "is_debian", lambda: True)
    monkeypatch.setattr(system_libraries, "apt_prefix", lambda: None)
    missing, text = ensure([XVFB], lambda need: False)
    assert missing == [XVFB]
    assert "sudo apt-get install xvfb" in text


@pytest.mark.usefixtures("linux")
def test_other_systems_are_told_what_is_missing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(system_libraries, "is_debian", lambda: False)
    missing, text = ensure([XVFB], lambda need: False)
    assert missing == [XVFB]
    assert "Xvfb" in text
    assert "package manager" in text


@pytest.mark.usefixtures("linux")
def test_with_rights_it_is_installed(monkeypatch: pytest.MonkeyPatch) -> None:
    installed: list[str] = []
    monkeypatch.setattr(system_libraries, "is_debian", lambda: True)
    monkeypatch.setattr(system_libraries, "apt_prefix", lambda: ["sudo", "-n"])

    def install(prefix: list[str], packages: list[str]) -> str:
        installed.extend(packages)
        return ""

    monkeypatch.setattr(system_libraries, "apt_install", install)
    missing, text = ensure([XVFB], lambda need: need.package in installed)
    assert missing == []
    assert "Installing system libraries for tests of the real window: xvfb: done" in text


@pytest.mark.usefixtures("linux")
def test_a_failed_installation_is_told_and_set_up_goes_on(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(system_libraries, "is_debian", lambda: True)
    monkeypatch.setattr(system_libraries, "apt_prefix", lambda: [])
    monkeypatch.setattr(system_libraries, "apt_install", lambda prefix, packages: "E: no network")
    missing, text = ensure([XVFB], lambda need: False)
    assert missing == [XVFB]
    assert "E: no network" in text


def test_presence_is_looked_up_for_real() -> None:
    assert system_libraries.is_present(Need("command", "python3", "", ""))
    assert not system_libraries.is_present(Need("command", "no-such-command-here", "", ""))
    assert not system_libraries.is_present(Need("library", "libnosuchthing.so.99", "", ""))
    assert not system_libraries.is_present(Need("file", "/no/such/file", "", ""))
    assert system_libraries.is_present(Need("module", "venv", "", ""))
    assert not system_libraries.is_present(Need("module", "no_such_module_here", "", ""))


# Large, or there on every machine that runs the checks.
OPTIONAL_TOOLS = {"gcc", "git", "lintian", "man", "openssl", "setpriv", "shellcheck", "strip"}


def test_what_tests_would_be_skipped_without_is_installed_for_them() -> None:
    wanted: set[str] = set()
    for path in sorted((REPOSITORY_DIR / "tests").rglob("*.py")):
        wanted |= set(re.findall(r'which\("([^"]+)"\) is None', path.read_text(encoding="utf-8")))
    needed = {need.name for need in system_libraries.TEST_NEEDS}
    assert "desktop-file-validate" in wanted, "the pattern still finds what is asked for"
    assert wanted - OPTIONAL_TOOLS <= needed


def test_no_compiler_stops_with_the_way_to_get_one(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(system_libraries, "is_present", lambda need: False)
    monkeypatch.setattr(system_libraries, "ensure", lambda needs, progress: list(needs))
    for system, words in (("Linux", "apt-get install g"), ("Darwin", "xcode-select")):
        monkeypatch.setattr("platform.system", lambda name=system: name)
        with pytest.raises(SetupError, match="no C\\+\\+ compiler") as caught:
            system_libraries.require_compiler(Progress(quiet=True))
        assert words in caught.value.hint


def test_voice_needs_are_set_up_and_a_new_need_is_looked_at_again(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """A folder that was set up before voice came gets PortAudio at its next start."""
    layout = Layout(REPOSITORY_DIR, tmp_path / "venv", tmp_path / "cache")
    step = next(step for step in steps.RUN_STEPS if step.name == "system-libraries")
    key = step.key(layout)
    needs = {need.name: need.package for need in system_libraries.RUN_NEEDS}
    assert needs["libportaudio.so.2"] == "libportaudio2" and needs["libgomp.so.1"] == "libgomp1"
    monkeypatch.setattr(system_libraries, "RUN_NEEDS", system_libraries.WINDOW_NEEDS)
    assert step.key(layout) != key
    asked: list[Need] = []

    def look(needs: Sequence[Need], progress: Progress) -> list[Need]:
        asked.extend(needs)
        return []

    monkeypatch.setattr(system_libraries, "ensure", look)
    assert step.run(layout, Progress(quiet=True))
    assert asked == list(system_libraries.WINDOW_NEEDS)


def test_a_virtual_sound_card_is_reached_through_alsa() -> None:
    need = next(need for need in system_libraries.TEST_NEEDS if need.package == "libasound2-plugins")
    assert need.kind == "file" and need.name.endswith("/alsa-lib/libasound_module_pcm_pulse.so")
    packages = {need.package for need in system_libraries.TEST_NEEDS}
    assert {"pulseaudio", "pulseaudio-utils"} <= packages
