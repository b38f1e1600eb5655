"""Offer every awkward file and name, a broken model and a full disk; print the words that the user reads."""

import argparse
import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

from scripts.faults.make_documents import make_notes
from scripts.faults.program import Program, report

NAMES = (
    "with spaces.txt",
    "é.txt",
    "中文.txt",
    "emoji 🙂🇩🇪.txt",
    "a" * 196 + ".txt",
    "quote'\".txt",
    "-dash.txt",
    "e\u0301.txt",
)


def obeying_modes() -> list[str]:
    """Give the prefix under which root obeys file modes as anybody else does."""
    if os.geteuid() != 0 or not shutil.which("setpriv"):
        return []
    dropped = "-dac_override,-dac_read_search"
    return ["setpriv", f"--inh-caps={dropped}", f"--bounding-set={dropped}"]


def names(program: Program, folder: Path) -> bool:
    """Ingest a file under each awkward name and find it under that name."""
    folder.mkdir(parents=True)
    paths = []
    for number, name in enumerate([*NAMES, os.fsdecode(b"bytes \xff\xfe.txt")]):
        path = folder / name
        path.write_text(f"The word for file {number} is zanzibar{number}.", encoding="utf-8")
        paths.append(path)
    states = {value["path"]: value["state"] for value in program.json("ingest", str(folder))}
    bad = [path.name for path in paths if states.get(str(path)) != "ready"]
    return report(
        f"{len(paths)} names", not bad, f"not ready: {bad}" if bad else "all ready, named as on disk"
    )


def contents(program: Program, folder: Path) -> bool:
    """Ingest empty, unreadable, damaged and missing files; each ends with a reason."""
    folder.mkdir(parents=True)
    (folder / "empty.txt").touch()
    (folder / "empty.pdf").touch()
    (folder / "spaces.md").write_text("  \n\n")
    (folder / "cut.pdf").write_bytes(b"%PDF-1.7\n1 0 obj\n<< /Type /Cat")
    (folder / "random.docx").write_bytes(os.urandom(3000))
    secret = folder / "unreadable.txt"
    secret.write_text("nobody reads this")
    secret.chmod(0)
    values = program.json("ingest", str(folder), str(folder / "absent.pdf"))
    ok = True
    for value in values:
        fine = value["state"] in ("ready", "duplicate") or bool(value["reason"])
        ok &= report(f"  {Path(value['path']).name}", fine, f"{value['state']}: {value['reason']}")
    return ok & report("contents", len(values) == 7, f"{len(values)} of 7 outcomes")


def models(program: Program, folder: Path, model_path: Path) -> bool:
    """Ask with a model that is truncated, not a GGUF, or missing; each is refused in words."""
    models_dir = program.data_dir / "models"
    models_dir.mkdir(parents=True, exist_ok=True)
    (models_dir / "truncated.gguf").write_bytes(model_path.read_bytes()[:5_000_000])
    (models_dir / "text.gguf").write_text("this is not a model")
    (models_dir / "void.gguf").touch()
    ok = True
    for name in ("truncated", "text", "void", "absent"):
        asked = program.run("ask", "--no-documents", "Hello?", "--model", name)
        said = asked.stderr.strip().replace("\n", " / ")
        ok &= report(
            f"  model {name}", asked.returncode == 1 and bool(said) and "Traceback" not in said, said
        )
    healthy = program.run("ask", "--no-documents", "Hello?", "--max-tokens", "5")
    del folder
    return ok & report("  good model afterwards", healthy.returncode == 0, healthy.stdout.strip()[:60])


def full_disk(mount_dir: Path) -> bool:
    """Ingest on a 24 MB disk that fills up: said in words, nothing half-done, finished once there is room."""
    mount_dir.mkdir()
    mounted = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=24m", "tmpfs", str(mount_dir)], check=False)
    if mounted.returncode != 0:
        return report("full disk", True, "skipped: mounting a tmpfs needs root")
    program = Program(mount_dir / "data")
    folder = mount_dir.with_name("many")
    try:
        first = make_notes(folder / "first", 10, 3)
        program.json("ingest", str(folder / "first"))
        ballast = mount_dir / "ballast"
        free = shutil.disk_usage(mount_dir).free
        ballast.write_bytes(b"\0" * max(0, free - 300_000))
        second = make_notes(folder / "second", 400, 5)
        full = program.run("ingest", str(folder / "second"), timeout=120)
        words = (full.stderr or full.stdout).strip().splitlines()
        ok = report(
            "disk full", full.returncode == 1 and "Traceback" not in full.stderr, " / ".join(words[-2:])[:300]
        )
        listed = program.run("search", "code K00003", "--json")
        ok &= report(
            "  search on the full disk", '"hits":' in listed.stdout.replace(" ", ""), listed.stdout[:80]
        )
        ballast.unlink()
        values = program.json("ingest", str(folder), timeout=300)
        bad = [value for value in values if value["state"] not in ("ready", "duplicate")]
        ok &= report(
            "  after freeing space",
            len(values) == len(first) + len(second) and not bad,
            f"{len(bad)} bad {bad[:1]}",
        )
        errors = program.doctor_errors()
        return ok & report("  doctor", not errors, "; ".join(errors) or "no violated invariant")
    finally:
        program.stop_host()
        subprocess.run(["umount", "-l", str(mount_dir)], check=False)


def main() -> int:
    """Run the drills; return 1 where one failed."""
    argparse.ArgumentParser(description=__doc__).parse_args()
    from app.core.paths import starter_models_dir

    work_dir = Path(tempfile.mkdtemp(prefix="h2ogpt-bad-"))
    program = Program(work_dir / "data é 中文 🙂")
    ok = names(program, work_dir / "names")
    unprivileged = Program(work_dir / "data of nobody special", prefix=obeying_modes())
    ok &= contents(unprivileged, work_dir / "contents")
    unprivileged.stop_host()
    ok &= models(program, work_dir, next((starter_models_dir() / "chat").glob("*.gguf")))
    errors = program.doctor_errors()
    ok &= report("doctor", not errors, "; ".join(errors) or "no violated invariant")
    program.stop_host()
    ok &= full_disk(work_dir / "small")
    shutil.rmtree(work_dir, ignore_errors=True)
    return 0 if ok else 1


if __name__ == "__main__":
    sys.exit(main())
