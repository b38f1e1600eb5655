"""The Debian package: made from a small tree with one real program, and opened with Debian's own tools."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from scripts.package import deb
from scripts.package.bundle import Bundle
from scripts.package.staging import ENGINE_DIR, INTERNAL
from scripts.setup.progress import Progress, SetupError
from scripts.setup.system_libraries import Need
from tests.unit.package.linux_bundle import PROGRAMS, draw_no_icons, make_bundle

pytestmark = [
    pytest.mark.slow,  # real tools and processes
    pytest.mark.linux,
    pytest.mark.skipif(not sys.platform.startswith("linux"), reason="Debian packages are made on Linux"),
    pytest.mark.skipif(
        shutil.which("dpkg-shlibdeps") is None, reason="dpkg-shlibdeps is not here (dpkg-dev)"
    ),
]

QUIET = Progress(quiet=True)
HOME = "./usr/lib/h2ogpt-desktop"


def bundle_with_a_program(folder: Path, variant: str) -> Bundle:
    """Give a tree with a real program, so that there is something to depend on."""
    bundle = make_bundle(folder, "1.2.3", variant)
    shutil.copyfile("/bin/true", bundle.tree / "h2ogpt-worker")
    (bundle.tree / "h2ogpt-worker").chmod(0o755)
    return bundle


@pytest.fixture(scope="module", params=["standard", "slim"])
def package(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("deb é")
    with pytest.MonkeyPatch.context() as patch:
        draw_no_icons(patch)
        patch.setenv("SOURCE_DATE_EPOCH", "1790000000")
        patch.setattr(deb, "ensure", lambda needs, progress: [])
        bundle = bundle_with_a_program(folder, request.param)
        [path] = deb.build(bundle, folder / "dist", QUIET, 0)
    assert {item.name for item in folder.iterdir()} == {"tree", "dist"}, "nothing is left behind"
    return path


def output(*command: object) -> str:
    return subprocess.run([str(item) for item in command], capture_output=True, text=True, check=True).stdout


def fields(package: Path) -> dict[str, str]:
    """Give the fields of the package's description; lines that go on are joined."""
    text = re.sub(r"\n ", " ", output("dpkg-deb", "-f", package))
    return dict(line.split(": ", 1) for line in text.splitlines())


def variant_of(package: Path) -> str:
    return "slim" if "slim" in package.name else "standard"


def test_its_name_says_what_it_is(package: Path) -> None:
    found = fields(package)
    assert package.name == f"{found['Package']}_{found['Version']}_{found['Architecture']}.deb"
    assert found["Version"] == "1.2.3"
    assert found["Architecture"] == output("dpkg", "--print-architecture").strip()


def test_only_one_variant_can_be_installed(package: Path) -> None:
    found = fields(package)
    names = {"standard": "h2ogpt-desktop", "slim": "h2ogpt-desktop-slim"}
    own = names.pop(variant_of(package))
    assert found["Package"] == own
    assert [found["Conflicts"], found["Replaces"]] == [*names.values(), *names.values()]
    assert ("without chat model" in found["Description"]) == (own == "h2ogpt-desktop-slim")


def test_what_its_programs_need_is_named(package: Path) -> None:
    found = fields(package)
    depends = re.split(r", ", found["Depends"])
    assert any(re.match(r"libc6 \(>= 2\.\d+\)$", item) for item in depends), depends
    assert {"xkb-data", "fontconfig"} <= set(depends)
    for key in ("Depends", "Recommends", "Suggests"):
        for item in re.split(r", | \| ", found[key]):
            assert re.fullmatch(r"[a-z0-9][a-z0-9.+-]+( \([<>=]+ [^)]+\))?", item), f"{key}: {found[key]}"


def test_a_library_that_travels_along_is_no_dependency(tmp_path: Path) -> None:
    internal_dir = tmp_path / "root" / deb.HOME / INTERNAL
    internal_dir.mkdir(parents=True)
    shutil.copy("/usr/bin/xz", internal_dir.parent / "h2ogpt")
    before = deb.dependencies(tmp_path / "root")
    assert "liblzma5" in before["Depends"]
    library = next(Path("/").glob("lib/*-linux-gnu/liblzma.so.5"))
    shutil.copyfile(library, internal_dir / library.name)
    after = deb.dependencies(tmp_path / "root")
    assert "libc6" in after["Depends"] and "liblzma5" not in after["Depends"]


def test_a_plugin_that_the_program_does_without_is_recommended(tmp_path: Path) -> None:
    engine_dir = tmp_path / "root" / deb.HOME / ENGINE_DIR
    engine_dir.mkdir(parents=True)
    shutil.copy("/usr/bin/xz", engine_dir / "libggml-vulkan.so")
    shutil.copy("/bin/true", engine_dir.parent / "h2ogpt")
    found = deb.dependencies(tmp_path / "root")
    assert "liblzma5" in found["Recommends"] and "liblzma5" not in found["Depends"]


def contents(package: Path) -> dict[str, tuple[str, str]]:
    """Give mode and owner of each file by name; a link's name holds its target."""
    lines = output("dpkg-deb", "-c", package).splitlines()
    rows = [re.fullmatch(r"(\S+) (\S+) +\d+ \S+ \S+ (.*)", line) for line in lines]
    return {row[3]: (row[1], row[2]) for row in rows if row}


def test_files_lie_where_debian_wants_them(package: Path) -> None:
    found = contents(package)
    for name in PROGRAMS:
        assert found[f"{HOME}/{name}"][0] == "-rwxr-xr-x"
    for name in ("h2ogpt", "h2ogpt-desktop"):
        assert f"./usr/bin/{name} -> ../lib/h2ogpt-desktop/{name}" in found
    own = fields(package)["Package"]
    for name in (
        "applications/h2ogpt-desktop.desktop",
        "metainfo/ai.h2o.h2ogpt_desktop.metainfo.xml",
        "icons/hicolor/48x48/apps/h2ogpt-desktop.png",
        "man/man1/h2ogpt.1.gz",
        f"doc/{own}/copyright",
        f"doc/{own}/changelog.gz",
        f"lintian/overrides/{own}",
    ):
        assert found[f"./usr/share/{name}"][0] == "-rw-r--r--", name
    assert f"{HOME}/_internal/link.so -> base_library.zip" in found
    tops = {name.split("/")[1] for name in found if name != "./"}
    assert tops == {"usr"}


def test_everything_belongs_to_root_and_only_root_may_write(package: Path) -> None:
    found = contents(package)
    assert len(found) > 20
    for name, (mode, owner) in found.items():
        assert owner == "root/root", name
        assert mode.startswith("l") or mode in ("drwxr-xr-x", "-rwxr-xr-x", "-rw-r--r--"), f"{name}: {mode}"


def test_odd_names_arrive_and_sums_are_right(package: Path, tmp_path: Path) -> None:
    subprocess.run(["dpkg-deb", "-R", str(package), str(tmp_path / "out")], check=True)
    odd = tmp_path / "out" / "usr/lib/h2ogpt-desktop/_internal/é 中文/x $y %z.txt"
    assert odd.read_text() == "letters"
    command = ["md5sum", "--check", "--quiet", "DEBIAN/md5sums"]
    subprocess.run(command, cwd=tmp_path / "out", check=True, capture_output=True)
    sums = (tmp_path / "out" / "DEBIAN" / "md5sums").read_text().splitlines()
    files = [
        path for path in (tmp_path / "out" / "usr").rglob("*") if path.is_file() and not path.is_symlink()
    ]
    assert len(sums) == len(files)
    size_kib = int(fields(package)["Installed-Size"])
    assert size_kib == sum(path.stat().st_size for path in files) // 1024


def test_the_bundle_is_not_changed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    draw_no_icons(monkeypatch)
    bundle = bundle_with_a_program(tmp_path, "standard")
    before = {path: path.lstat().st_mode for path in bundle.tree.rglob("*")}
    deb.lay_out(bundle, tmp_path / "root")
    assert {path: path.lstat().st_mode for path in bundle.tree.rglob("*")} == before


@pytest.mark.skipif(shutil.which("lintian") is None, reason="lintian is not here")
@pytest.mark.slow
def test_debians_checker_finds_no_error(package: Path) -> None:
    done = subprocess.run(
        ["lintian", "--fail-on", "error", "--tag-display-limit", "0", "--allow-root", str(package)],
        capture_output=True,
        text=True,
        check=False,
    )
    errors = [line for line in done.stdout.splitlines() if line.startswith("E:")]
    assert errors == []


def test_a_missing_tool_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    missing = Need("command", "dpkg-shlibdeps", "dpkg-dev", "making a Debian package")
    monkeypatch.setattr(deb, "ensure", lambda needs, progress: [missing])
    with pytest.raises(SetupError, match="dpkg-shlibdeps is missing") as caught:
        deb.build(make_bundle(tmp_path), tmp_path / "dist", QUIET, 0)
    assert "dpkg-dev" in caught.value.hint


def test_a_tools_own_words_are_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(deb, "ensure", lambda needs, progress: [])
    draw_no_icons(monkeypatch)
    bundle = bundle_with_a_program(tmp_path, "standard")
    bundle = Bundle(bundle.tree, bundle.variant, "not a version")
    with pytest.raises(SetupError, match=r"dpkg-deb failed: .*version"):
        deb.build(bundle, tmp_path / "dist", QUIET, 0)
