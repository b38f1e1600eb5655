"""`h2ogpt models`: what is here, what could be, whether it fits, and how it is set."""

import argparse
import importlib
import importlib.util
import json
import os
from collections.abc import Awaitable, Callable
from dataclasses import asdict
from pathlib import Path
from types import ModuleType
from typing import Any

from app.cli import arguments
from app.cli.output import print_json, print_words
from app.cli.tables import count, memory, size, table
from app.client import HostClient
from app.core.errors import UsageError
from app.protocol.catalogue import CatalogueFile, CatalogueModel, ListCatalogue
from app.protocol.models import (
    BenchModel,
    BenchProgress,
    BenchResult,
    FindFolders,
    Fit,
    FitModel,
    FoundFolders,
    GetModelSettings,
    ImportModel,
    ListModels,
    ModelEntry,
    ModelSettingsBody,
    RemoveModel,
    UnloadModelNamed,
    UpdateModelSettings,
    UseFolder,
)

_DOWNLOADS = "app.cli.commands.model_downloads"
_KINDS = ("chat", "embedding", "reranking", "speech", "voice")
_PROGRAMS = ("folder", "lm_studio", "ollama", "gpt4all", "hugging_face")


def add_parser(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments."""
    actions = parser.add_subparsers(dest="action", required=True, metavar="ACTION")
    declared = [
        actions.add_parser("list", help="the models on this computer, and whether they fit"),
        _catalogue_parser(
            actions.add_parser("catalogue", help="models to get, with advice for this computer")
        ),
        _import_parser(actions.add_parser("import", help="use a model file where it is")),
        _remove_parser(actions.add_parser("remove", help="remove a model")),
        _fit_parser(actions.add_parser("fit", help="whether a model fits, and how fast it should be")),
        _bench_parser(actions.add_parser("bench", help="measure a model on this computer")),
        _folders_parser(actions.add_parser("folders", help="other programs' models, used in place")),
        _settings_parser(
            actions.add_parser("settings", help="show or change how a model is loaded and writes")
        ),
        _unload_parser(actions.add_parser("unload", help="free the memory of a loaded model")),
    ]
    for action in declared:
        arguments.add_data_dir(action)
        arguments.add_json(action)
    downloads = _downloads()
    if downloads is not None:
        downloads.add_parsers(actions)


def _downloads() -> ModuleType | None:
    """Give the part that talks about downloads, which a build without network code may lack."""
    if importlib.util.find_spec(_DOWNLOADS) is None:
        return None
    return importlib.import_module(_DOWNLOADS)


def _catalogue_parser(parser: argparse.ArgumentParser) -> argparse.ArgumentParser:
    parser.add_argument("--kind", choices=_KINDS, default="", help="only models of this kind")
    return parser


def _import_parser(parser: argparse.ArgumentParser) -> argparse.ArgumentParser:
    parser.add_argument("path", metavar="PATH", help="a model file (GGUF, or GGML from before it)")
    return parser


def _remove_parser(parser: argparse.ArgumentParser) -> argparse.ArgumentParser:
    parser.add_argument("name", metavar="NAME", help="a model of the list")
    parser.add_argument(
        "--delete-file", action="store_true", help="delete the file too, where it was not downloaded by us"
    )
    return parser


def _fit_parser(parser: argparse.ArgumentParser) -> argparse.ArgumentParser:
    parser.add_argument(
        "name", metavar="PATH-or-NAME", help="a file, a model here, or an id of the catalogue"
    )
    parser.add_argument(
        "--context", type=arguments.whole_number(1), default=0, metavar="N", help="context in tokens"
    )
    parser.add_argument("--kv", choices=("f16", "q8_0", "q4_0"), default="", help="type of the KV cache")
    parser.add_argument(
        "--gpu-layers", type=arguments.whole_number(0), default=-1, metavar="N", help="layers on the GPU"
    )
    return parser


def _bench_parser(parser: argparse.ArgumentParser) -> argparse.ArgumentParser:
    parser.add_argument("name", nargs="?", default="", metavar="NAME", help="default: the setting's")
    parser.add_argument(
        "--prompt", type=arguments.whole_number(1), default=512, metavar="N", help="tokens of the prompt"
    )
    parser.add_argument(
        "--answer", type=arguments.whole_number(1), default=64, metavar="N", help="tokens of the answer"
    )
    return parser


def _folders_parser(parser: argparse.ArgumentParser) -> argparse.ArgumentParser:
    change = parser.add_mutually_exclusive_group()
    change.add_argument("--use", metavar="PATH", help="show the models of this folder in the list")
    change.add_argument("--drop", metavar="PATH", help="show them no longer; nothing is deleted")
    parser.add_argument(
        "--program", choices=_PROGRAMS, default="", help="whose folder it is (default: as found)"
    )
    return parser


def _settings_parser(parser: argparse.ArgumentParser) -> argparse.ArgumentParser:
    parser.add_argument("name", metavar="NAME", help="a model of the list")
    parser.add_argument(
        "--set", action="append", default=[], metavar="KEY=VALUE", help="change one; empty: its default"
    )
    parser.add_argument("--lora", action="append", metavar="PATH[=SCALE]", help="use this LoRA adapter")
    parser.add_argument("--reset", action="store_true", help="take all back to the defaults first")
    return parser


def _unload_parser(parser: argparse.ArgumentParser) -> argparse.ArgumentParser:
    parser.add_argument("name", nargs="?", default="", metavar="NAME", help="default: all")
    return parser


async def run(options: argparse.Namespace, client: HostClient) -> int:
    """Do the action; return the exit code."""
    actions: dict[str, Callable[[argparse.Namespace, HostClient], Awaitable[None]]] = {
        "list": _list,
        "catalogue": _catalogue,
        "import": _import,
        "remove": _remove,
        "fit": _fit,
        "bench": _bench,
        "folders": _folders,
        "settings": _settings,
        "unload": _unload,
    }
    if options.action in actions:
        await actions[options.action](options, client)
        return arguments.DONE
    downloads = _downloads()
    assert downloads is not None  # its parsers gave the action
    code: int = await downloads.run(options, client)
    return code


# -------------------------------------------------------------------------------- list


async def _list(options: argparse.Namespace, client: HostClient) -> None:
    models = await client.call(ListModels(with_fit=True))
    if options.json:
        for entry in models.models:
            print_json(asdict(entry) | {"default": entry.name == models.default})
        return
    if not models.models:
        print_words(f"There is no model here. Put GGUF files into {models.folder}, or import one.")
        return
    rows = [
        (
            entry.name + (" *" if entry.name == models.default else ""),
            entry.kind,
            entry.quantization or "-",
            size(entry.size_bytes),
            entry.source,
            _state_in_words(entry),
        )
        for entry in models.models
    ]
    print_words(table(("NAME", "KIND", "FORMAT", "SIZE", "FROM", "STATE"), rows))
    if models.default:
        print_words("* answers where no model is chosen")


def _state_in_words(entry: ModelEntry) -> str:
    if entry.problem:
        return f"{entry.state}: {entry.problem}"
    if entry.loaded is not None:
        speed = entry.loaded.measured_tokens_per_s
        pace = f", {speed:.1f} tokens a second" if speed else ""
        return f"loaded on {entry.loaded.device}, context {entry.loaded.context_length:,}{pace}"
    return entry.fit.words if entry.fit is not None else entry.state


async def _catalogue(options: argparse.Namespace, client: HostClient) -> None:
    catalogue = await client.call(ListCatalogue(kind=options.kind))
    if options.json:
        for model in catalogue.models:
            print_json(asdict(model))
        return
    rows = []
    for model in catalogue.models:
        file = _shown_file(model)
        mark = " (installed)" if any(item.installed for item in model.files) else ""
        advice = file.fit.words if file.fit is not None else model.good_for
        licence = model.licence or "-"
        rows.append((model.id + mark, count(model.n_params), _file_size(file), licence, advice))
    print_words(table(("ID", "WEIGHTS", "SIZE", "LICENCE", "ON THIS COMPUTER"), rows))


def _shown_file(model: CatalogueModel) -> CatalogueFile:
    """Give the recommended file, else the smallest of the model's."""
    files = [file for file in model.files if file.role in ("model", "voice")] or list(model.files)
    chosen = [file for file in files if file.name == model.recommended]
    return chosen[0] if chosen else min(files, key=lambda file: file.size_bytes or file.size_about_bytes or 0)


def _file_size(file: CatalogueFile) -> str:
    if file.size_bytes is None and file.size_about_bytes is not None:
        return f"about {size(file.size_about_bytes)}"
    return size(file.size_bytes)


# -------------------------------------------------------------------------------- import, remove


async def _import(options: argparse.Namespace, client: HostClient) -> None:
    path = arguments.absolute_path(options.path) if options.path else ""
    entry = await client.call(ImportModel(path=path))
    if options.json:
        print_json(asdict(entry))
    else:
        print_words(
            f"{entry.name} is used where it is: {entry.path} ({entry.kind}, {size(entry.size_bytes)})."
        )


async def _remove(options: argparse.Namespace, client: HostClient) -> None:
    removed = await client.call(RemoveModel(name=options.name, delete_file=options.delete_file))
    if options.json:
        print_json(asdict(removed))
    elif removed.kept_path:
        print_words(f"{options.name} is no longer in the list; its file stays: {removed.kept_path}")
    elif removed.freed_bytes:
        print_words(f"Removed {options.name}; {size(removed.freed_bytes)} are free again.")
    else:
        print_words(f"{options.name} is no longer in the list.")


async def _unload(options: argparse.Namespace, client: HostClient) -> None:
    await client.call(UnloadModelNamed(name=options.name))
    if options.json:
        print_json({"unloaded": options.name})
    else:
        print_words(f"{options.name or 'Every model'} is out of memory.")


# -------------------------------------------------------------------------------- fit, bench


async def _fit(options: argparse.Namespace, client: HostClient) -> None:
    fit = await client.call(
        FitModel(
            name=_path_or_name(options.name),
            context_length=options.context,
            kv_type=options.kv,
            gpu_layers=options.gpu_layers,
        )
    )
    if options.json:
        print_json(asdict(fit))
    else:
        print_words(_fit_in_words(fit))
        if options.context > fit.context_length > 0:
            print_words("It was made for no longer context than that.")


def _path_or_name(text: str) -> str:
    """Make what is a file's path absolute; a name stays as it is."""
    return arguments.absolute_path(text) if os.sep in text or Path(text).is_file() else text


def _fit_in_words(fit: Fit) -> str:
    lines = [fit.words[:1].upper() + fit.words[1:] + "."]
    if fit.needed_bytes:
        lines.append(
            f"Needs {memory(fit.needed_bytes)}: weights {memory(fit.weight_bytes)}, "
            f"context {memory(fit.kv_bytes)}, computing {memory(fit.compute_bytes)}."
        )
        free = f"Free: {memory(fit.available_bytes)} of main memory"
        if fit.gpu_available_bytes:
            free += f", {memory(fit.gpu_available_bytes)} on the GPU"
        lines.append(f"{free}.")
    if fit.context_length:
        where = f"{fit.n_gpu_layers} of {fit.n_layers} layers on the GPU" if fit.n_gpu_layers else "no GPU"
        unit = "token" if fit.context_length == 1 else "tokens"
        lines.append(f"With a context of {fit.context_length:,} {unit}, KV cache {fit.kv_type}, {where}.")
    return "\n".join(lines)


async def _bench(options: argparse.Namespace, client: HostClient) -> None:
    request = BenchModel(name=options.name, n_prompt=options.prompt, n_generate=options.answer)
    async for body in client.stream(request):
        if isinstance(body, BenchResult):
            if options.json:
                print_json(asdict(body))
            else:
                print_words(_bench_in_words(body))
        elif isinstance(body, BenchProgress) and not options.json and body.note not in ("loading", ""):
            print_words(f"{body.note[:1].upper()}{body.note[1:]}…")


def _bench_in_words(result: BenchResult) -> str:
    predicted = result.predicted_tokens_per_s
    expected = "no estimate" if predicted is None else f"{predicted:.1f} predicted"
    where = f"{result.n_gpu_layers} of {result.n_layers} layers on {result.device}"
    if not result.n_gpu_layers:
        where = f"{result.device}, {result.n_threads} threads"
    lines = [
        f"{result.name}: {result.tokens_per_s:.1f} tokens a second ({expected})",
        f"reading {result.n_prompt} tokens: {result.prompt_tokens_per_s:.1f} tokens a second",
        f"memory: {memory(result.measured_bytes)} measured, {memory(result.predicted_bytes)} predicted",
        f"context {result.context_length:,} tokens, KV cache {result.kv_type}, {where}",
    ]
    return "\n".join([*lines, *result.notes])


# -------------------------------------------------------------------------------- folders


async def _folders(options: argparse.Namespace, client: HostClient) -> None:
    found = await client.call(FindFolders())
    chosen = options.use or options.drop
    if chosen:
        path = arguments.absolute_path(chosen)
        known = next((folder.program for folder in found.folders if folder.path == path), "folder")
        program = options.program or known
        found = await client.call(UseFolder(path=path, program=program, use=bool(options.use)))
    _show_folders(found, as_json=options.json)


def _show_folders(found: FoundFolders, *, as_json: bool) -> None:
    if as_json:
        for folder in found.folders:
            print_json(asdict(folder))
        return
    if not found.folders:
        print_words("No folder with models of another program was found.")
        return
    rows = [
        (
            folder.title,
            str(folder.n_models),
            size(folder.size_bytes),
            "in use" if folder.in_use else "not used",
            folder.path,
        )
        for folder in found.folders
    ]
    print_words(table(("PROGRAM", "MODELS", "SIZE", "STATE", "FOLDER"), rows))


# -------------------------------------------------------------------------------- settings


async def _settings(options: argparse.Namespace, client: HostClient) -> None:
    values = dict(_pair(text) for text in options.set)
    if options.lora is not None:
        values["loras"] = [_lora(text) for text in options.lora]
    if values or options.reset:
        body = await client.call(UpdateModelSettings(name=options.name, values=values, reset=options.reset))
    else:
        body = await client.call(GetModelSettings(name=options.name))
    if options.json:
        print_json({"name": options.name, "values": body.values, "changed": list(body.changed)})
    else:
        print_words(_settings_in_words(body))


def _pair(text: str) -> tuple[str, Any]:
    """Read `KEY=VALUE`: the value is JSON where it reads as such, else text; nothing is the default.

    Raises:
        UsageError: `settings.invalid`.
    """
    key, equals, value = text.partition("=")
    if not equals:
        raise UsageError("settings.invalid", f"{text!r} is not KEY=VALUE.", "For example: temperature=0.7")
    try:
        return key, json.loads(value) if value else None
    except ValueError:
        return key, value


def _lora(text: str) -> dict[str, Any]:
    path, _, scale = text.partition("=")
    try:
        return {"path": arguments.absolute_path(path), "scale": float(scale) if scale else 1.0}
    except ValueError as error:
        raise UsageError("settings.invalid", f"{scale!r} is not a strength.", "For example: 0.8") from error


def _settings_in_words(body: ModelSettingsBody) -> str:
    rows = [
        (key, json.dumps(value, ensure_ascii=False), "set" if key in body.changed else "")
        for key, value in body.values.items()
    ]
    return table(("SETTING", "VALUE", ""), rows)
