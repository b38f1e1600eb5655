"""`h2ogpt models search` and `h2ogpt models download`: find models on the hub and fetch them.

`models` declares these among its actions and hands their run over.
"""

import argparse
import asyncio
import sys
from collections.abc import Sequence
from dataclasses import asdict

from app.cli import arguments
from app.cli.output import one_line, print_json, print_words
from app.cli.progress_line import ProgressLine
from app.client import HostClient
from app.protocol.catalogue import CatalogueFile, CatalogueModel, ListHubFiles, SearchHub
from app.protocol.downloads import Download, ListDownloads, PauseDownload, StartDownload

POLL_S = 0.5
_ENDED = frozenset({"done", "failed", "paused", "cancelled"})
_STATES = {
    "queued": "waits for its turn",
    "starting": "connecting",
    "running": "",
    "stalled": "nothing comes",
    "retrying": "trying again",
    "verifying": "checking",
}


def add_parsers(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Declare the actions `search` and `download`."""
    search = commands.add_parser("search", help="find models on the hub; opens a connection")
    search.add_argument("text", metavar="TEXT", help="what to find; OWNER/NAME lists that repository's files")
    search.add_argument(
        "--limit", type=arguments.whole_number(1), default=20, metavar="N", help="at most N models"
    )
    download = commands.add_parser("download", help="fetch a model; opens connections")
    download.add_argument(
        "model", metavar="NAME-or-REPO", help="id of the catalogue, or OWNER/NAME on the hub"
    )
    download.add_argument("file", nargs="?", default="", metavar="FILE", help="file of the repository")
    download.add_argument("--revision", default="", metavar="REV", help="version of the repository")
    for parser in (search, download):
        arguments.add_data_dir(parser)
        arguments.add_json(parser)


async def run(options: argparse.Namespace, client: HostClient) -> int:
    """Do the action; return 1 where a download did not end well."""
    if options.action == "search":
        await _search(options, client)
        return arguments.DONE
    return await _download(options, client)


async def _search(options: argparse.Namespace, client: HostClient) -> None:
    if "/" in options.text:
        model = await client.call(ListHubFiles(repository=options.text))
        _print_models([model], as_json=options.json)
        return
    found = await client.call(SearchHub(text=options.text, limit=options.limit))
    _print_models(found.models, as_json=options.json)
    if not found.models and not options.json:
        print_words("The hub has no GGUF model of that name.")


def _print_models(models: Sequence[CatalogueModel], *, as_json: bool) -> None:
    for model in models:
        if as_json:
            print_json(asdict(model))
        else:
            print_words(_model_in_words(model))


def _model_in_words(model: CatalogueModel) -> str:
    facts = [model.licence or "licence not named"]
    if model.n_params:
        facts.append(f"{model.n_params / 1e9:.1f} billion weights")
    if model.n_downloads is not None:
        facts.append(f"{model.n_downloads:,} downloads")
    if model.needs_token:
        facts.append("needs an access token")
    lines = [f"{model.repository}  ({one_line(', '.join(facts))})"]
    lines += [f"    {_file_in_words(file)}" for file in model.files]
    return "\n".join(lines)


def _file_in_words(file: CatalogueFile) -> str:
    size = "size not known" if file.size_bytes is None else _size(file.size_bytes)
    parts = f" in {len(file.parts)} parts" if file.parts else ""
    role = "" if file.role == "model" else f", {file.role}"
    fit = f", {file.fit.words}" if file.fit is not None else ""
    return f"{file.name}  {size}{parts}{role}{fit}"


async def _download(options: argparse.Namespace, client: HostClient) -> int:
    request = StartDownload(model=options.model, file=options.file, revision=options.revision)
    ids = {item.id for item in (await client.call(request)).downloads}
    line = ProgressLine(shown=sys.stderr.isatty() and not options.json)
    try:
        downloads = await _until_ended(client, ids, line)
    except asyncio.CancelledError:
        line.end()
        for id in sorted(ids):
            await client.call(PauseDownload(id=id))
        sys.stderr.write("Paused; what has come is kept. The same command goes on with it.\n")
        raise
    line.end()
    for item in downloads:
        if options.json:
            print_json(asdict(item))
        else:
            print_words(_outcome(item))
    done = bool(downloads) and all(item.state == "done" for item in downloads)
    return arguments.DONE if done else arguments.FAILED


async def _until_ended(client: HostClient, ids: set[str], line: ProgressLine) -> list[Download]:
    """Wait until none of the downloads runs any more; one cancelled elsewhere has left the list."""
    while True:
        listed = (await client.call(ListDownloads())).downloads
        mine = [item for item in listed if item.id in ids]
        line.show(progress_in_words(mine))
        if all(item.state in _ENDED for item in mine):
            return mine
        await asyncio.sleep(POLL_S)


def progress_in_words(downloads: Sequence[Download]) -> str:
    """Give one line about downloads that belong together."""
    total = sum(item.total_bytes or 0 for item in downloads)
    done = sum(item.total_bytes or 0 if item.state == "done" else item.done_bytes for item in downloads)
    speed = sum(item.bytes_per_s or 0.0 for item in downloads)
    active = next((item for item in downloads if item.state not in _ENDED), None)
    state = _STATES.get(active.state, active.state) if active is not None else ""
    facts = [f"{100 * done / total:.0f} %" if total else "", f"{_size(done)} of {_size(total)}"]
    if speed and active is not None and active.state == "running":
        facts += [f"{_size(speed)}/s", _time_left((total - done) / speed)]
    return one_line(", ".join(fact for fact in [*facts, state] if fact), 78)


def _outcome(item: Download) -> str:
    if item.state == "done":
        return f"{item.name}  done, {_size(item.total_bytes or 0)}, sha256 {item.sha256}"
    hint = f"\n    {item.error_hint}" if item.error_hint else ""
    return f"{item.name}  {item.state}: {item.error_message or 'by the user'}{hint}"


def _size(n_bytes: float) -> str:
    for unit, size in (("GB", 1e9), ("MB", 1e6), ("kB", 1e3)):
        if n_bytes >= size:
            return f"{n_bytes / size:.1f} {unit}"
    return f"{n_bytes:.0f} bytes"


def _time_left(seconds: float) -> str:
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    clock = f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes}:{rest:02}"
    return f"{clock} left"
