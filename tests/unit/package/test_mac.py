"""The macOS application: what its Info.plist says, how it is put together, signed, notarized and packed."""

from __future__ import annotations

import plistlib
import sys
from collections.abc import Sequence
from pathlib import Path

import pytest

from scripts.package import mac
from scripts.package.file_types import FILE_TYPES
from scripts.setup.progress import Progress, SetupError
from tests.unit.package.conftest import StageMaker

CODE = b"\xcf\xfa\xed\xfe program"
QUIET = Progress(quiet=True)
SIGNED = {mac.IDENTITY: "Developer ID Application: Test"}
NOTARY = dict(zip(mac.NOTARY_KEY, ("key.p8", "ID", "ISSUER"), strict=True))


def test_info_plist_says_what_macos_wants_to_know() -> None:
    plist = plistlib.loads(plistlib.dumps(mac.info_plist("1.2.3rc4")))
    assert plist["CFBundleIdentifier"] == "ai.h2o.h2ogpt.desktop"
    assert plist["CFBundleExecutable"] == mac.EXECUTABLES[0] == "h2ogpt-desktop"
    assert plist["CFBundleShortVersionString"] == plist["CFBundleVersion"] == "1.2.3"
    assert plist["CFBundleGetInfoString"] == "h2oGPT Desktop 1.2.3rc4"
    assert plist["LSMinimumSystemVersion"] == "14.0"
    assert plist["NSHighResolutionCapable"] is True
    assert plist["NSRequiresAquaSystemAppearance"] is False, "else there is no dark mode"
    assert plist["LSBackgroundOnly"] is False
    assert "dictate" in plist["NSMicrophoneUsageDescription"]


def test_documents_are_offered_and_no_default_is_taken() -> None:
    types = mac.document_types()
    assert [item["LSItemContentTypes"] for item in types] == [[item.uti] for item in FILE_TYPES]
    assert {(item["CFBundleTypeRole"], item["LSHandlerRank"]) for item in types} == {("Viewer", "Alternate")}
    declared = {item["UTTypeIdentifier"] for item in mac.imported_types()}
    for item in FILE_TYPES:
        known = item.uti.startswith(("public.", "com.adobe.", "org.openxmlformats."))
        assert known != (item.uti in declared), item.uti


def test_entitlements_are_few() -> None:
    content = plistlib.loads((mac.MAC_DIR / "entitlements.plist").read_bytes())
    assert content == {
        "com.apple.security.cs.allow-unsigned-executable-memory": True,
        "com.apple.security.device.audio-input": True,
    }


@pytest.fixture
def stage_dir(make_stage: StageMaker) -> Path:
    folder = make_stage("")
    library_path = folder / "_internal" / "libllama.dylib"
    library_path.write_bytes(CODE)
    (folder / "_internal" / "libllama.0.dylib").symlink_to("libllama.dylib")
    return folder


def test_entries_tell_programs_libraries_links_and_data_apart(stage_dir: Path) -> None:
    kinds = {target: (source, kind) for target, source, kind in mac.bundle_entries(stage_dir)}
    assert mac.bundle_entries(stage_dir)[0][0] == "h2ogpt-desktop", "the one that a double-click starts"
    assert {target for target, (_, kind) in kinds.items() if kind == "EXECUTABLE"} == set(mac.EXECUTABLES)
    assert kinds["libllama.dylib"][1] == "BINARY"
    assert kinds["libllama.0.dylib"] == ("libllama.dylib", "SYMLINK")
    assert kinds["resources/models/chat/model.gguf"][1] == "DATA"
    assert kinds["licences/A b.txt"][1] == "DATA"
    n_files = len([path for path in stage_dir.rglob("*") if path.is_file()])
    assert len(kinds) == n_files


def test_an_incomplete_tree_is_refused(stage_dir: Path) -> None:
    (stage_dir / "h2ogpt-worker").unlink()
    with pytest.raises(SetupError, match="h2ogpt-worker"):
        mac.bundle_entries(stage_dir)


def test_pyinstaller_gets_the_specification_and_its_arguments(tmp_path: Path) -> None:
    command = mac.assemble_command(tmp_path / "stage", tmp_path / "a.icns", "1.0.0", tmp_path)
    at = command.index("--")
    assert Path(command[at - 1]) == mac.MAC_DIR / "bundle.spec"
    assert command[at + 1 :] == [str(tmp_path / "stage"), str(tmp_path / "a.icns"), "1.0.0"]
    text = (mac.MAC_DIR / "bundle.spec").read_text(encoding="utf-8")
    compile(text, "bundle.spec", "exec")
    assert "sys.argv[1:4]" in text


@pytest.fixture
def app_dir(tmp_path: Path) -> Path:
    folder = tmp_path / mac.APP_FOLDER
    for name in (
        *(f"MacOS/{name}" for name in mac.EXECUTABLES),
        "Frameworks/libllama.dylib",
        "Frameworks/deep/er/module.so",
        "Frameworks/Qt/QtCore.framework/Versions/A/QtCore",
        "Frameworks/Qt/QtCore.framework/Versions/A/Helpers/tool",
    ):
        path = folder / "Contents" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(CODE)
    (folder / "Contents" / "Frameworks" / "data.txt").write_text("text")
    return folder


def test_the_inside_is_signed_before_the_outside(app_dir: Path) -> None:
    inner, programs = mac.signing_order(app_dir)
    names = [path.name for path in inner]
    assert names.index("tool") < names.index("QtCore.framework")
    assert set(names) == {"tool", "QtCore.framework", "module.so", "libllama.dylib"}
    assert [path.name for path in programs] == ["h2ogpt", "h2ogpt-worker"]


def test_with_an_identity_the_runtime_is_hardened(app_dir: Path) -> None:
    commands = mac.signing_commands(app_dir, SIGNED)
    for command in commands[:-1]:
        assert command[:4] == ["codesign", "--force", "--sign", SIGNED[mac.IDENTITY]]
        assert command[4:7] == ["--options", "runtime", "--timestamp"]
    assert "--entitlements" not in commands[0], "libraries get none"
    assert commands[-2][-1] == str(app_dir)
    assert "--entitlements" in commands[-2]
    assert commands[-1] == ["codesign", "--verify", "--deep", "--strict", str(app_dir)]


def test_without_an_identity_the_signature_is_ad_hoc(app_dir: Path) -> None:
    for command in mac.signing_commands(app_dir, {})[:-1]:
        assert command[:4] == ["codesign", "--force", "--sign", "-"]
        assert "--timestamp" not in command


def test_many_libraries_take_few_commands(app_dir: Path) -> None:
    for number in range(250):
        (app_dir / "Contents" / "Frameworks" / f"{number}.dylib").write_bytes(CODE)
    assert len(mac.signing_commands(app_dir, {})) == 3 + 3 + 1


def test_credentials_for_the_notary() -> None:
    assert mac.notary_options({}) is None
    assert mac.notary_options(SIGNED) is None
    assert mac.notary_options({**SIGNED, mac.NOTARY_PROFILE: "p"}) == ["--keychain-profile", "p"]
    assert mac.notary_options({**SIGNED, **NOTARY}) == [
        "--key",
        "key.p8",
        "--key-id",
        "ID",
        "--issuer",
        "ISSUER",
    ]
    with pytest.raises(SetupError, match="only what is signed"):
        mac.notary_options(NOTARY)
    with pytest.raises(SetupError, match="not complete"):
        mac.notary_options({**SIGNED, mac.NOTARY_KEY[0]: "key.p8"})


class FakeRun:
    def __init__(self, output_path: Path) -> None:
        self.commands: list[list[str]] = []
        self.image: list[str] = []
        self._output_path = output_path

    def __call__(self, command: Sequence[str]) -> None:
        self.commands.append(list(command))
        if command[0] == "hdiutil":
            folder = Path(command[command.index("-srcfolder") + 1])
            self.image = sorted(path.name for path in folder.iterdir())
            assert (folder / "Applications").readlink() == Path("/Applications")
            self._output_path.write_text("image")


@pytest.mark.parametrize("is_signed", [False, True])
def test_pack_signs_notarizes_and_packs_in_order(app_dir: Path, tmp_path: Path, is_signed: bool) -> None:
    output_path = tmp_path / "dist" / mac.output_name("1.0.0", "arm64", "slim")
    environment = {**SIGNED, **NOTARY} if is_signed else {}
    run = FakeRun(output_path)
    assert mac.pack(app_dir, output_path, tmp_path, QUIET, run, environment) == output_path
    assert run.image == ["Applications", mac.APP_FOLDER]
    steps = [command[1] if command[0] == "xcrun" else command[0] for command in run.commands]
    in_order = [step for number, step in enumerate(steps) if number == 0 or steps[number - 1] != step]
    notarized = ["ditto", "notarytool", "stapler"]
    expected = ["codesign", "hdiutil"]
    if is_signed:
        expected = ["codesign", *notarized, "hdiutil", "codesign", *notarized[1:]]
    assert in_order == expected
    assert output_path.name == "h2ogpt-desktop-1.0.0-macos-arm64-slim.dmg"


def test_elsewhere_the_next_step_is_told(stage_dir: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("platform.system", lambda: "Linux")
    with pytest.raises(SetupError, match="on macOS only") as caught:
        mac.build(stage_dir, stage_dir, "1.0.0", "slim", QUIET)
    assert "workflow" in caught.value.hint


@pytest.mark.ui
def test_build_draws_assembles_and_packs(
    stage_dir: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("platform.system", lambda: "Darwin")
    monkeypatch.setattr("platform.machine", lambda: "arm64")
    commands: list[Sequence[str]] = []
    monkeypatch.setattr(mac, "run_tool", commands.append)
    monkeypatch.setattr(mac, "pack", lambda app_dir, output_path, work_dir, progress: output_path)
    paths = mac.build(stage_dir, tmp_path / "dist", "1.0.0", "standard", QUIET)
    assert paths == [tmp_path / "dist" / "h2ogpt-desktop-1.0.0-macos-arm64-standard.dmg"]
    assert "PyInstaller" in commands[0]


def test_a_missing_or_failing_tool_is_told() -> None:
    with pytest.raises(SetupError, match="is not here") as caught:
        mac.run_tool(["no-such-tool-here"])
    assert "xcode-select" in caught.value.hint
    with pytest.raises(SetupError, match="failed"):
        mac.run_tool([sys.executable, "-c", "raise SystemExit('no')"])
    mac.run_tool([sys.executable, "-c", ""])
