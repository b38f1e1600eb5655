"""`h2ogpt voices`: the speech models and voices that are here, and the devices for sound."""

import argparse
from dataclasses import asdict

from app.cli import arguments
from app.cli.output import print_json, print_words
from app.cli.tables import size, table
from app.client import HostClient
from app.protocol.speech import AudioDevice, AudioDevices
from app.protocol.voice import GetVoiceChoices, ListAudioDevices, SpeechModelEntry, VoiceChoices


def add_parser(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments."""
    parser.add_argument("--devices", action="store_true", help="also list microphones and loudspeakers")
    arguments.add_json(parser)


async def run(options: argparse.Namespace, client: HostClient) -> int:
    """List what is here; a star stands before what is used."""
    choices = await client.call(GetVoiceChoices())
    devices = await client.call(ListAudioDevices()) if options.devices else None
    if options.json:
        print_json(asdict(choices) | ({"devices": asdict(devices)} if devices is not None else {}))
    else:
        _print_choices(choices)
        if devices is not None:
            _print_devices(devices)
    return arguments.DONE


def _print_choices(choices: VoiceChoices) -> None:
    head = (" ", "KIND", "NAME", "SIZE", "TITLE")
    rows = [
        ("*" if entry.name == used else " ", kind, entry.name, size(entry.size_bytes), _title(entry))
        for kind, entries, used in (
            ("speech", choices.speech_models, choices.speech_model),
            ("voice", choices.voices, choices.voice),
        )
        for entry in entries
    ]
    print_words(table(head, rows) if rows else "No speech model and no voice is here.")


def _title(entry: SpeechModelEntry) -> str:
    return f"{entry.title} (many languages)" if entry.multilingual else entry.title


def _print_devices(devices: AudioDevices) -> None:
    if devices.problem:
        print_words(f"\n{devices.problem}\n{devices.hint}".rstrip())
        return
    for title, found in (("Microphones", devices.inputs), ("Loudspeakers", devices.outputs)):
        print_words(f"\n{title}")
        print_words("\n".join(map(_device, found)) or "  none")


def _device(device: AudioDevice) -> str:
    return f"{'*' if device.is_default else ' '} {device.name}"
