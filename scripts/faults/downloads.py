"""Download models from a hub that misbehaves, and kill the host while it downloads.

Faults (`--faults`): each runs the real download service against `hub_stand_in` until it ends, and prints the
cause as the user reads it. Kills (`--kills N`): the real host process is killed with SIGKILL at a random
moment of each download, started again, and must end with the right checksum. Exit 1 where a bad file could be
used, something was written outside the models folder, or a download did not end right.
"""

import argparse
import asyncio
import hashlib
import json
import random
import shutil
import signal
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import psutil

from app.client import HostClient
from app.core.errors import AppError
from app.core.paths import DataPaths, data_paths
from app.core.settings import Settings
from app.host.services.downloads import DownloadsService
from app.host.services.hub import Hub, Patience
from app.host.services.network import Ledger, Network, Timeouts
from app.host.services.network.access_token import AccessToken
from app.host.services.transfer import Limits
from app.protocol.body import Body
from app.protocol.downloads import Download, ListDownloads, StartDownload
from scripts.faults.hub_stand_in import Fault, HubStandIn, gguf_bytes
from scripts.faults.program import report

ENDED = frozenset({"done", "failed", "paused"})
PATIENT = 40.0
QUICK = Limits(
    stall_s=0.5,
    slow_window_s=1.0,
    slow_bytes=4096,
    backoff_s=(0.05,),
    n_failures=4,
    progress_bytes=100_000,
    room_poll_s=0.2,
)
SIZE = 400_000


@dataclass(frozen=True)
class Case:
    """A fault and how a download meets it.

    Attributes:
        expected: `done`, or the code of the error that it ends with.
        left: requests that the fault strikes; -1: all.
        after: bytes of the body that come before it.
        file: path in the repository.
    """

    kind: str
    expected: str
    left: int = -1
    after: int = SIZE // 2
    file: str = "tiny-Q4_K_M.gguf"
    token: str = ""
    gated: bool = False
    model_bytes: bytes | None = None


def cases() -> list[Case]:
    """Give the faults: those that pass, those that stay, and hostile names."""
    passing = [
        *(
            "flipped_byte",
            "flipped_first_byte",
            "zeros",
            "short_body",
            "reset",
            "stall",
            "stall_at_once",
            "drip",
        ),
        *("wrong_range", "wrong_total", "no_range", "nonsense_range", "whole_for_part", "changed_etag"),
        *(
            "changed_quietly",
            "if_range_ignored",
            "larger",
            "smaller",
            "longer_than_said",
            "shorter_than_said",
        ),
        *("length_too_large", "length_too_small", "empty", "nothing", "garbage", "many_headers"),
        *("length_nonsense", "html_of_right_size", "endless", "range_refused", "status_204"),
        *("status_206_unasked", "status_403", "status_404", "status_429", "status_500", "status_503"),
        *("hub_500", "hub_429", "redirect_to_nobody"),
        *("drip_head", "early_hints", "odd_etag", "long_etag", "status_503_odd"),
    ]
    lasting = {
        "flipped_byte": "download.bad_checksum",
        "zeros": "download.bad_checksum",
        "wrong_sha256": "download.bad_checksum",
        "html_of_right_size": "download.bad_checksum",
        "short_body": "network.failed",
        "shorter_than_said": "download.ended_early",
        "reset": "network.failed",
        "stall": "download.stalled",
        "stall_at_once": "network.failed",
        "drip": "download.stalled",
        "wrong_range": "download.bad_range",
        "wrong_total": "download.other_size",
        "larger": "download.other_size",
        "smaller": "download.other_size",
        "endless": "download.other_size",
        "empty": "download.other_size",
        "garbage": "network.failed",
        "gzip": "download.packed",
        "html": "download.web_page",
        "status_403": "download.refused",
        "status_429": "download.refused",
        "status_500": "download.refused",
        "redirects_on": "network.bad_redirect",
        "redirect_loop": "network.bad_redirect",
        "redirect_to_http": "network.bad_redirect",
        "redirect_to_file": "network.bad_redirect",
        "redirect_to_ftp": "network.bad_redirect",
        "redirect_to_nonsense": "network.bad_redirect",
        "redirect_with_password": "network.bad_redirect",
        "redirect_to_share": "network.bad_redirect",
        "redirect_to_nobody": "network.failed",
        "redirect_to_nowhere": "download.bad_range",
        "file_404": "hub.not_found",
        "file_401": "hub.needs_token",
        "file_403": "hub.needs_token",
        "missing_sha256": "download.no_checksum",
        "odd_sha256": "download.no_checksum",
        "huge_size": "download.no_space",
        "api_404": "hub.not_found",
        "api_401": "hub.needs_token",
        "api_403": "hub.needs_token",
        "api_429": "hub.limited",
        "api_500": "hub.refused",
        "api_503": "hub.refused",
        "api_html": "hub.bad_answer",
        "api_list": "hub.bad_answer",
        "api_deep": "hub.bad_answer",
        "api_binary": "hub.bad_answer",
        "api_no_commit": "hub.bad_answer",
        "api_reset": "network.failed",
        "api_drip": "network.failed",
        "drip_head": "network.failed",
        "early_hints": "network.failed",
    }
    names = [
        *(
            "../evil.gguf",
            "/etc/evil.gguf",
            "a/../../evil.gguf",
            "..\\evil.gguf",
            "C:\\evil.gguf",
            "C:evil.gguf",
        ),
        *("CON.gguf", "nul", "aux.txt.gguf", "COM1.gguf", "lpt9.gguf", "a.gguf ", "a.gguf.", ".hidden.gguf"),
        *(
            "\\\\server\\share\\a.gguf",
            "a\u202efugg.gguf",
            "a\n.gguf",
            "a\0.gguf",
            "a:stream.gguf",
            "x" * 300,
        ),
        *(
            "-rf.gguf",
            "~root.gguf",
            "a//b.gguf",
            "./a.gguf",
            "a?.gguf",
            "a*.gguf",
            'a".gguf',
            "a|b.gguf",
            "COM¹.gguf",
        ),
    ]
    once = [Case(kind, "done", left=1) for kind in passing]
    early = ("short_body", "reset", "stall", "drip")
    always = [Case(kind, code, after=0 if kind in early else SIZE // 2) for kind, code in lasting.items()]
    slowly = [Case(kind, "done") for kind in early]  # each try brings some
    named = [Case("none", "download.bad_name", file=name) for name in names]
    others = [
        Case("none", "hub.needs_token", gated=True),
        Case("none", "hub.needs_token", gated=True, token="hf_wrong"),  # noqa: S106
        Case("none", "done", gated=True, token="hf_canary_0123456789"),  # noqa: S106
        Case("none", "download.not_a_model", model_bytes=b"this is no model" * 1000),
        Case("none", "download.not_a_model", model_bytes=gguf_bytes(100_000)[:50_000]),
        Case("none", "done"),
    ]
    return [*once, *always, *slowly, *named, *others]


class _Settings:
    """Settings in memory."""

    def __init__(self, settings: Settings) -> None:
        self.value = settings

    def current(self) -> Settings:
        return self.value


class _Silence:
    """Takes events."""

    def publish(self, body: Body) -> None:
        pass

    def forward(self, message: object) -> None:
        pass


@dataclass
class Outcome:
    """What came of one case."""

    code: str
    words: str
    n_bad: int
    n_outside: int


async def run_case(hub: HubStandIn, case: Case, work_dir: Path) -> Outcome:
    """Run one download to its end."""
    data = case.model_bytes or gguf_bytes(SIZE, seed=5)
    name = f"stand-in/{case.kind.replace('_', '-')}"
    hub.add(name, {case.file: data}, Fault(case.kind, case.left, case.after), gated=case.gated)
    root = work_dir / "data"
    models_dir = root / "models"
    models_dir.mkdir(parents=True)
    settings = _Settings(Settings(hub_endpoint=hub.endpoint))
    token = AccessToken(lambda: None)
    if case.token:
        await token.set(case.token)
    network = Network(Ledger(root / "network.jsonl"), settings.current, _Silence(), Timeouts(1.0, 1.0, 1.0))
    asked = Hub(network, token, settings, Patience(1.0, 1.0))
    service = DownloadsService(models_dir, asked, lambda _: None, settings, _Silence(), QUICK)
    await service.open()
    try:
        code, words = await _to_its_end(service, StartDownload(model=name, file=case.file))
    finally:
        await service.close()
    n_bad, n_outside = _look_around(work_dir, data, case.expected == "done")
    return Outcome(code, words, n_bad, n_outside)


def _look_around(work_dir: Path, data: bytes, may_be_there: bool) -> tuple[int, int]:
    """Count the files that a search for models finds and should not, and those outside the models folder."""
    root = work_dir / "data"
    models_dir = root / "models"
    right = hashlib.sha256(data).hexdigest()
    found = [path for path in models_dir.rglob("*") if path.is_file() and ".downloads" not in path.parts]
    found = [path for path in found if path.name != ".verified.json"]
    bad = [path for path in found if not may_be_there or _digest(path) != right]
    known = {root, root / "network.jsonl", models_dir}
    outside = [path for path in work_dir.rglob("*") if models_dir not in path.parents and path not in known]
    return len(bad), len(outside)


def _digest(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


class _Context:
    payload = b""

    def progress(self, body: Body, payload: bytes = b"") -> None:
        pass

    def forward(self, message: object) -> None:
        pass


async def _to_its_end(service: DownloadsService, request: StartDownload) -> tuple[str, str]:
    """Start a download and wait; give its state or error code, and the words that go with it."""
    handlers = service.handlers()
    try:
        await handlers[StartDownload](request, _Context())
    except AppError as error:
        return error.code, error.user_message
    deadline = time.monotonic() + PATIENT
    said = ""
    while time.monotonic() < deadline:
        listed = await handlers[ListDownloads](ListDownloads(), _Context())
        downloads: tuple[Download, ...] = listed.downloads  # type: ignore[union-attr]
        said = next((item.error_message for item in downloads if item.error_message), said)
        if all(item.state in ENDED for item in downloads):
            (last,) = downloads[-1:]
            return (last.state if last.state == "done" else last.error_code), last.error_message or said
        await asyncio.sleep(0.01)
    return "still running", said


def run_faults(only: str) -> bool:
    """Run every case; print its cause and the sums."""
    n_bad = n_outside = n_unexpected = n_silent = 0
    chosen = [case for case in cases() if not only or case.kind == only]
    with HubStandIn() as hub:
        for case in chosen:
            work_dir = Path(tempfile.mkdtemp(prefix="h2ogpt-download-"))
            outcome = asyncio.run(run_case(hub, case, work_dir))
            shutil.rmtree(work_dir, ignore_errors=True)
            expected = outcome.code == case.expected
            title = f"{case.kind} {'always' if case.left < 0 else 'once'}"
            title += f" {case.file[:24]!r}" if case.kind == "none" else ""
            report(title, expected, f"{outcome.code}: {outcome.words}")
            n_bad += outcome.n_bad
            n_outside += outcome.n_outside
            n_unexpected += not expected
            n_silent += outcome.code != "done" and not outcome.words
        leaked = [
            seen for seen in hub.requests if seen.server == "storage" and "authorization" in seen.headers
        ]
        cookies = [seen for seen in hub.requests if "cookie" in seen.headers]
        sent = sorted({name for seen in hub.requests for name in seen.headers})
        agents = {seen.headers.get("user-agent") for seen in hub.requests}
    ok = report("faults", n_unexpected == 0, f"{len(chosen)} run, {n_unexpected} ended unexpectedly")
    ok &= report("bad files usable", n_bad == 0, str(n_bad))
    ok &= report("writes outside the models folder", n_outside == 0, str(n_outside))
    ok &= report("failures without a cause", n_silent == 0, str(n_silent))
    ok &= report("tokens that reached the storage", not leaked, str(len(leaked)))
    ok &= report("cookies sent", not cookies, str(len(cookies)))
    print(f"      headers sent: {', '.join(sent)}; user agents: {agents}")
    return ok


async def _kill_once(paths: DataPaths, name: str, wait_s: float) -> bool:
    """Start a download and kill the host at some moment; tell whether it was still running then."""
    client = await HostClient.connect(paths, kind="cli")
    try:
        await client.call(StartDownload(model=name, file="tiny-Q4_K_M.gguf"))
        await asyncio.sleep(wait_s)
        listed = (await client.call(ListDownloads())).downloads
        running = any(item.repository == name and item.state != "done" for item in listed)
        psutil.Process(client.hello.pid).send_signal(signal.SIGKILL)
        await client.wait_closed()
    finally:
        await client.close()
    return running


async def _wait_done(paths: DataPaths, name: str) -> str:
    """Start the host again and wait until the download has ended; give its state."""
    client = await HostClient.connect(paths, kind="cli")
    try:
        deadline = time.monotonic() + 60
        while time.monotonic() < deadline:
            listed = (await client.call(ListDownloads())).downloads
            mine = [item for item in listed if item.repository == name]
            if mine and mine[-1].state in ENDED:
                return f"{mine[-1].state} {mine[-1].error_message}".strip()
            if not mine:
                return "forgotten"
            await asyncio.sleep(0.05)
        return "still running"
    finally:
        await client.close()


def run_kills(n_kills: int, seed: int) -> bool:
    """Kill the host during n downloads; each must end with the right checksum after the next start."""
    rng = random.Random(seed)
    work_dir = Path(tempfile.mkdtemp(prefix="h2ogpt-kills-"))
    paths = data_paths(work_dir / "data")
    paths.models_dir.mkdir(parents=True)
    n_right = n_running = n_bad = 0
    with HubStandIn() as hub:
        paths.settings_path.write_text(json.dumps({"hub_endpoint": hub.endpoint}), encoding="utf-8")
        for number in range(n_kills):
            name = f"stand-in/kill-{number}"
            data = gguf_bytes(6_000_000, seed=number)
            hub.add(name, {"tiny-Q4_K_M.gguf": data}, seconds=1.5)
            before = set(paths.models_dir.glob("*.gguf"))
            n_running += asyncio.run(_kill_once(paths, name, rng.uniform(0.0, 2.2)))
            half_done = set(paths.models_dir.glob("*.gguf")) - before
            right = hashlib.sha256(data).hexdigest()
            n_bad += sum(_digest(path) != right for path in half_done)
            state = asyncio.run(_wait_done(paths, name))
            mine = set(paths.models_dir.glob("*.gguf")) - before
            good = len(mine) == 1 and all(_digest(path) == right for path in mine)
            n_right += good
            if not good or state != "done":
                report(f"kill {number}", False, f"{state}; {[path.name for path in mine]}")
    outside = [path for path in work_dir.rglob("*") if paths.root not in path.parents and path != paths.root]
    left = [path for path in (paths.models_dir / ".downloads").rglob("part")]
    ok = report("kills", n_right == n_kills, f"{n_right}/{n_kills} with the right sha256")
    ok &= report("  met while it ran", n_running > 0, f"{n_running} of {n_kills}")
    ok &= report("  bad files usable", n_bad == 0, str(n_bad))
    ok &= report("  writes outside the data folder", not outside, str(len(outside)))
    ok &= report("  parts left over", not left, str(len(left)))
    _end_host(paths)
    shutil.rmtree(work_dir, ignore_errors=True)
    return ok


def _end_host(paths: DataPaths) -> None:
    async def end() -> None:
        client = await HostClient.connect(paths, kind="cli", start_host=False)
        psutil.Process(client.hello.pid).terminate()
        await client.wait_closed()
        await client.close()

    try:
        asyncio.run(end())
    except AppError:
        return


def main() -> int:
    """Run the drill; return its exit code."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--faults", action="store_true", help="run the faults")
    parser.add_argument("--only", default="", help="one fault alone")
    parser.add_argument("--kills", type=int, default=0, metavar="N")
    parser.add_argument("--seed", type=int, default=11)
    options = parser.parse_args()
    steps: list[Callable[[], bool]] = []
    if options.faults or options.only:
        steps.append(lambda: run_faults(options.only))
    if options.kills:
        steps.append(lambda: run_kills(options.kills, options.seed))
    results = [step() for step in steps]
    return 0 if all(results) else 1


if __name__ == "__main__":
    sys.exit(main())
