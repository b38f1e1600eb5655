"""Kill each background process, and the window, at bad moments; print what was said and lost.

Scenarios: the inference worker while an answer streams; the library worker at random moments of an ingestion
(`--library-kills N`); the host during ingestion and during an answer; the renderer while idle. After each,
the next request must work and the doctor must find no violated invariant.
"""

import argparse
import asyncio
import os
import random
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

from app.client import HostClient
from app.core.paths import data_paths
from app.protocol.chat import ChatMessage, GetConversation, ListConversations
from scripts.faults.make_documents import FACT, QUESTION, make_notes
from scripts.faults.program import TOP_DIR, Program, report


def kill_inference(program: Program) -> bool:
    """Kill the inference worker mid-stream: the question fails in words, the next one works."""
    asking = program.start(
        "ask", "--no-documents", "Write a long story about a river.", "--max-tokens", "900"
    )
    worker = program.wait_for("inference")
    time.sleep(2.0)
    worker.send_signal(signal.SIGKILL)
    out, err = asking.communicate(timeout=60)
    said = (err or out).strip().splitlines()
    ok = report("inference killed", asking.returncode == 1 and "Traceback" not in err, " / ".join(said[-2:]))
    again = program.run("ask", "--no-documents", "Say hello.", "--max-tokens", "8")
    return ok & report("  next question", again.returncode == 0, again.stdout.strip()[:80])


def kill_library(program: Program, folder: Path, n_kills: int, seed: int) -> bool:
    """Kill the library worker n times during one ingestion: every file ends, once, with its text."""
    rng = random.Random(seed)
    paths: list[Path] = []
    words: dict[str, int] = {}
    for number in range(n_kills):
        paths += make_notes(folder / f"{number:02d}", 30, seed, first=30 * number)
        ingesting = program.start("ingest", str(folder / f"{number:02d}"), "--json")
        worker = program.wait_for("library", 60)
        time.sleep(rng.uniform(0.2, 2.0))
        worker.send_signal(signal.SIGKILL)
        _, err = ingesting.communicate(timeout=900)
        said = err.strip().splitlines()[:1] or [f"exit {ingesting.returncode}"]
        words[said[0]] = words.get(said[0], 0) + 1
        if number % 2:  # the supervisor gives a worker up that dies three times within minutes, and says so
            program.stop_host()
    ok = report(f"library killed {n_kills} times", not any("Traceback" in said for said in words), str(words))
    final = program.json("ingest", str(folder), timeout=900)
    states: dict[str, int] = {}
    for value in final:
        states[value["state"]] = states.get(value["state"], 0) + 1
    ok &= report(
        "  every file once",
        len(final) == len(paths),
        f"{len(final)} of {len(paths)}: {states}",
    )
    listed = program.json("library", "list")
    files = listed[0]["files"] if len(listed) == 1 and "files" in listed[0] else listed
    mine = [value for value in files if str(folder) in value["path"]]
    ready = [value for value in mine if value["state"] == "ready"]
    ok &= report("  listed ready", len(ready) == len(paths) == len(mine), f"{len(ready)} of {len(paths)}")
    lost = [number for number in rng.sample(range(len(paths)), 20) if not _found(program, f"K{number:05d}")]
    ok &= report("  20 sampled found", not lost, f"lost {lost}" if lost else "all")
    errors = program.doctor_errors()
    return ok & report("  doctor", not errors, "; ".join(errors) or "no violated invariant")


def _found(program: Program, code: str) -> bool:
    hits = program.json("search", code, "--mode", "keyword", "--limit", "1")[0]["hits"]
    return bool(hits) and code in hits[0]["text"]


def kill_host(program: Program, folder: Path) -> bool:
    """Kill the host during an ingestion: the command says so, the next start resumes and finishes."""
    paths = make_notes(folder, 60, 23)
    ingesting = program.start("ingest", str(folder))
    host = program.wait_for("host")
    time.sleep(1.5)
    host.send_signal(signal.SIGKILL)
    out, err = ingesting.communicate(timeout=60)
    said = (err or out).strip().splitlines()
    ok = report("host killed", ingesting.returncode == 1 and "Traceback" not in err, " / ".join(said[-2:]))
    started = time.monotonic()
    listing = program.run("library", "list", "--json")
    ok &= report("  next start", listing.returncode == 0, f"{time.monotonic() - started:.1f} s")
    final = program.json("ingest", str(folder), timeout=600)
    bad = [value for value in final if value["state"] not in ("ready", "duplicate")]
    ok &= report(
        "  all files", len(final) == len(paths) and not bad, f"{len(final)} of {len(paths)}, {len(bad)} bad"
    )
    errors = program.doctor_errors()
    return ok & report("  doctor", not errors, "; ".join(errors) or "no violated invariant")


def kill_window(program: Program) -> bool:
    """Kill the window while an answer streams: question and what came of the answer are kept."""
    command = [sys.executable, "-m", "scripts.drive_window", "--data-dir", str(program.data_dir)]
    window = subprocess.Popen(
        [*command, "--ask", QUESTION],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        cwd=TOP_DIR,
        env=os.environ | {"QT_QPA_PLATFORM": "offscreen"},
    )
    program.wait_for("inference")
    time.sleep(1.2)
    window.kill()
    window.wait()
    time.sleep(1.0)
    messages = asyncio.run(_latest_messages(program))
    said = [f"{message.role}, {message.state}: {message.text[:60]!r}" for message in messages]
    ok = bool(messages) and messages[0].text == QUESTION and len(messages) == 2
    return report("window killed", ok, "; ".join(said))


async def _latest_messages(program: Program) -> tuple[ChatMessage, ...]:
    client = await HostClient.connect(data_paths(program.data_dir), kind="cli")
    try:
        listed = (await client.call(ListConversations())).conversations
        if not listed:
            return ()
        return (await client.call(GetConversation(conversation_id=listed[0].id))).messages
    finally:
        await client.close()


def main() -> int:
    """Run the drills; return 1 where one failed."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--library-kills", type=int, default=50)
    parser.add_argument("--seed", type=int, default=1)
    arguments = parser.parse_args()
    program = Program()
    folder = program.data_dir.with_name(program.data_dir.name + "-notes")
    folder.mkdir()
    fact_path = folder / "pump.txt"
    fact_path.write_text(FACT, encoding="utf-8")
    program.json("ingest", str(fact_path))
    ok = kill_inference(program)
    ok &= kill_library(program, folder / "many", arguments.library_kills, arguments.seed)
    ok &= kill_window(program)
    ok &= kill_host(program, folder / "host")
    answer = program.json("ask", QUESTION, "--max-tokens", "40")
    ok &= report(
        "main job afterwards", bool(answer) and bool(answer[0]["citations"]), answer[0]["answer"][:100]
    )
    program.stop_host()
    shutil.rmtree(program.data_dir, ignore_errors=True)
    shutil.rmtree(folder, ignore_errors=True)
    return 0 if ok else 1


if __name__ == "__main__":
    sys.exit(main())
