"""The Windows installer: compiled for real where makensis is, and looked into with 7-Zip."""

from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path

import pytest

from scripts.package import icons, nsis, sign_windows
from scripts.package.nsis_script import read_tree
from scripts.setup.progress import Progress, SetupError
from tests.unit.package.conftest import FILES, StageMaker

pytestmark = pytest.mark.slow  # real tools and processes

QUIET = Progress(quiet=True)
TEMPLATE = "\n".join(
    path.read_text(encoding="utf-8") for path in sorted(nsis.TEMPLATE_PATH.parent.glob("*.ns[ih]"))
)
# A PNG of one pixel and a bitmap of one: the pictures that Qt would draw.
PIXEL = bytes.fromhex(
    "89504e470d0a1a0a0000000d49484452000000010000000108060000001f15c4890000000d49444154789c6360606060000000"
    "050001a5f645400000000049454e44ae426082"
)
BITMAP = bytes.fromhex("424d3a000000000000003600000028000000010000000100000001001800") + bytes(28)

needs_makensis = pytest.mark.skipif(shutil.which("makensis") is None, reason="makensis is not here")
needs_7z = pytest.mark.skipif(shutil.which("7z") is None, reason="7z is not here")


@pytest.fixture(autouse=True)
def unsigned(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(sign_windows.CERTIFICATE, raising=False)
    monkeypatch.delenv(sign_windows.THUMBPRINT, raising=False)


@pytest.fixture
def work_dir(tmp_path: Path) -> Path:
    folder = tmp_path / "work é"
    folder.mkdir()
    (folder / "app.ico").write_bytes(icons.ico({16: PIXEL}))
    (folder / "picture.bmp").write_bytes(BITMAP)
    return folder


def listing(path: Path, *options: str) -> str:
    command = ["7z", "l", "-ba", "-slt", *options, str(path)]
    return subprocess.run(command, capture_output=True, text=True, encoding="utf-8", check=True).stdout


@needs_makensis
@needs_7z
def test_the_installer_holds_every_file_and_nothing_else(make_stage: StageMaker, work_dir: Path) -> None:
    output_path = work_dir / "dist" / "h2ogpt-desktop-test.exe"
    nsis.pack(make_stage(".exe"), output_path, "1.2.3", "slim", work_dir, QUIET)
    names = re.findall(r"^Path = (.*)$", listing(output_path), re.MULTILINE)
    inside = {name.replace("\\", "/") for name in names if not name.startswith("$PLUGINSDIR")}
    assert inside == {*FILES, *nsis.EXECUTABLES, "uninstall.exe"}
    target = work_dir / "unpacked"
    subprocess.run(["7z", "x", "-y", f"-o{target}", str(output_path)], capture_output=True, check=True)
    for name, text in FILES.items():
        assert (target / name).read_text(encoding="utf-8") == text


@needs_makensis
@needs_7z
@pytest.mark.parametrize(("target", "is_64_bit"), [(nsis.WANTED_TARGET, True), (None, False)])
def test_it_compiles_for_both_kinds_of_stub(
    target: str | None,
    is_64_bit: bool,
    make_stage: StageMaker,
    work_dir: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    if target and nsis.supported_target(nsis.find_makensis(), work_dir) is None:
        pytest.skip("this makensis has no 64-bit stubs")
    monkeypatch.setattr(nsis, "supported_target", lambda makensis, folder: target)
    output_path = work_dir / "h2ogpt-desktop-test.exe"
    nsis.pack(make_stage(".exe"), output_path, "1.2.3rc1", "standard", work_dir, QUIET)
    data = output_path.read_bytes()
    at = int.from_bytes(data[60:64], "little")
    assert data[at : at + 4] == b"PE\0\0"
    assert int.from_bytes(data[at + 4 : at + 6], "little") == (0x8664 if is_64_bit else 0x14C)
    for words in ('level="asInvoker"', "<longPathAware", "<dpiAware"):
        assert words.encode() in data
    assert "1.2.3rc1".encode("utf-16-le") in data
    assert b"SetDefaultDllDirectories" in data, "the stub must look for libraries in the system's folder only"


def test_without_makensis_the_next_step_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("shutil.which", lambda name: None)
    for name in ("PROGRAMFILES", "PROGRAMFILES(X86)"):
        monkeypatch.delenv(name, raising=False)
    with pytest.raises(SetupError, match="makensis") as caught:
        nsis.find_makensis()
    assert "apt-get install nsis" in caught.value.hint


def test_makensis_is_found_where_its_installer_puts_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("shutil.which", lambda name: None)
    monkeypatch.setenv("PROGRAMFILES(X86)", str(tmp_path))
    (tmp_path / "NSIS").mkdir()
    (tmp_path / "NSIS" / "makensis.exe").touch()
    assert nsis.find_makensis() == str(tmp_path / "NSIS" / "makensis.exe")


@needs_makensis
@pytest.mark.parametrize("name", ["h2ogpt-worker.exe", "NOTICE"])
def test_an_incomplete_tree_is_refused(name: str, make_stage: StageMaker, work_dir: Path) -> None:
    stage_dir = make_stage(".exe")
    (stage_dir / name).unlink()
    with pytest.raises(SetupError, match=name):
        nsis.pack(stage_dir, work_dir / "h2ogpt-desktop-test.exe", "1.0.0", "slim", work_dir, QUIET)


@needs_makensis
def test_a_script_that_is_wrong_says_so(work_dir: Path) -> None:
    path = work_dir / "wrong.nsi"
    path.write_text("NoSuchCommand\n")
    with pytest.raises(SetupError, match="NoSuchCommand"):
        nsis.run_makensis(nsis.find_makensis(), path)


@pytest.mark.parametrize(
    ("version", "numbers"),
    [("0.1.0", "0.1.0.0"), ("1.2", "1.2.0.0"), ("1.2.3rc4", "1.2.3.0"), ("2.0.0.dev5", "2.0.0.0")],
)
def test_versions_become_four_numbers(version: str, numbers: str) -> None:
    assert nsis.four_numbers(version) == numbers


def test_every_constant_of_the_template_is_defined(
    make_stage: StageMaker, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(sign_windows.CERTIFICATE, "certificate.p12")
    defines = nsis.defines(read_tree(make_stage(".exe")), "1.0.0", "slim", tmp_path, tmp_path / "a.exe")
    own = set(re.findall(r"!define (\w+)", TEMPLATE))
    used = set(re.findall(r"\$\{([A-Z][A-Z_0-9]+)\}", TEMPLATE))
    from_nsis = {"NSIS_PTR_SIZE", "LANG_ENGLISH", "HWND_BROADCAST", "WM_SETTINGCHANGE"}
    parameters = set(re.findall(r"!macro \w+ (.*)", TEMPLATE))
    parameters = {word for words in parameters for word in words.split()}
    assert used - own - from_nsis - parameters <= set(defines) | {"TARGET"}


def test_the_template_keeps_to_its_rules() -> None:
    assert "RequestExecutionLevel user" in TEMPLATE
    assert "RMDir /r" not in TEMPLATE
    assert "HKLM" not in TEMPLATE.replace("ReadRegStr $0 HKLM", "")
    for line in TEMPLATE.splitlines():
        if line.strip().startswith(("Exec ", "ExecWait ", "nsExec::", "ExecShell ")):
            assert '"$' in line, f"started by a bare name: {line}"
    for value in (
        "DisplayName",
        "DisplayVersion",
        "Publisher",
        "DisplayIcon",
        "InstallLocation",
        "EstimatedSize",
    ):
        assert f'"{value}"' in TEMPLATE
    for value in ("UninstallString", "QuietUninstallString", "NoModify", "NoRepair"):
        assert f'"{value}"' in TEMPLATE
    assert "MB_DEFBUTTON2" in TEMPLATE.split("Function un.OfferDataRemoval")[1].split("FunctionEnd")[0]


@pytest.mark.ui
@needs_makensis
def test_build_gives_the_installer_its_name(make_stage: StageMaker, tmp_path: Path) -> None:
    paths = nsis.build(make_stage(".exe"), tmp_path / "dist", "0.1.0", "slim", QUIET)
    assert [path.name for path in paths] == ["h2ogpt-desktop-0.1.0-windows-x86_64-slim.exe"]
    assert paths[0].is_file()


@needs_makensis
@pytest.mark.skipif(
    shutil.which("osslsigncode") is None or shutil.which("openssl") is None, reason="no tool to sign with"
)
def test_everything_is_signed_where_there_is_a_certificate(
    make_stage: StageMaker, work_dir: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    password = "a secret pass word"
    certificate_path = make_certificate(work_dir, password)
    monkeypatch.setenv(sign_windows.CERTIFICATE, str(certificate_path))
    monkeypatch.setenv(sign_windows.PASSWORD, password)
    monkeypatch.setenv(sign_windows.TIMESTAMP, "")
    stage_dir = make_stage(".exe")
    for name in nsis.EXECUTABLES:
        make_program(stage_dir / name, work_dir)
    output_path = work_dir / "h2ogpt-desktop-test.exe"
    nsis.pack(stage_dir, output_path, "1.0.0", "slim", work_dir, QUIET)
    assert is_signed(output_path)
    assert all(is_signed(stage_dir / name) for name in nsis.EXECUTABLES)
    assert password not in (work_dir / "installer.nsi").read_text(encoding="utf-8-sig")
    monkeypatch.setenv(sign_windows.PASSWORD, "wrong")
    with pytest.raises(SetupError, match="could not sign") as caught:
        nsis.pack(stage_dir, output_path, "1.0.0", "slim", work_dir, QUIET)
    assert "wrong" not in f"{caught.value.message} {caught.value.hint}"


def make_certificate(folder: Path, password: str) -> Path:
    key_path, pem_path, p12_path = folder / "key.pem", folder / "cert.pem", folder / "cert.p12"
    request = ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", "/CN=Test"]
    request += ["-addext", "extendedKeyUsage=codeSigning", "-keyout", str(key_path), "-out", str(pem_path)]
    subprocess.run(request, capture_output=True, check=True)
    export = ["openssl", "pkcs12", "-export", "-inkey", str(key_path), "-in", str(pem_path)]
    export += ["-out", str(p12_path), "-passout", f"pass:{password}"]
    subprocess.run(export, capture_output=True, check=True)
    return p12_path


def make_program(path: Path, work_dir: Path) -> None:
    script_path = work_dir / "program.nsi"
    script_path.write_text(f'Unicode true\nOutFile "{path}"\nSection\nSectionEnd\n', encoding="utf-8-sig")
    nsis.run_makensis(nsis.find_makensis(), script_path)


def is_signed(path: Path) -> bool:
    result = subprocess.run(
        ["osslsigncode", "verify", "-in", str(path)], capture_output=True, text=True, check=False
    )
    return "Signer's certificate" in result.stdout and "CN = Test" in result.stdout.replace("CN=", "CN = ")
