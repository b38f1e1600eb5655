"""`h2ogpt doctor`: show the computer, and check the data folder and the engines."""

import argparse
import asyncio
from collections.abc import Sequence
from dataclasses import asdict

from app.cli import arguments
from app.cli.output import print_json, print_words
from app.client import HostClient
from app.core.errors import AppError
from app.core.hardware_words import sections
from app.protocol.hardware import GetHardware, Hardware
from app.protocol.system import Check, GetHostStatus, RunDoctor

MARKS = {"ok": "ok     ", "warning": "warning", "error": "ERROR  "}


def add_parser(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments."""
    arguments.add_json(parser)


async def run(options: argparse.Namespace, client: HostClient) -> int:
    """Look and check; return 1 where an invariant is violated."""
    data_dir = (await client.call(GetHostStatus())).data_dir
    (hardware, problem), report = await asyncio.gather(_hardware(client), client.call(RunDoctor()))
    checks = (*report.checks, *problem)
    violated = any(check.status == "error" for check in checks)
    if options.json:
        print_json(
            {
                "ok": not violated,
                "data_dir": data_dir,
                "hardware": asdict(hardware) if hardware is not None else None,
                "checks": [asdict(check) for check in checks],
            }
        )
    else:
        _print(data_dir, hardware, checks)
        print_words("A check failed." if violated else "All invariants hold.")
    return arguments.FAILED if violated else arguments.DONE


async def _hardware(client: HostClient) -> tuple[Hardware | None, tuple[Check, ...]]:
    """Ask for the computer; that it cannot be told is a finding, not the end."""
    try:
        return await client.call(GetHardware()), ()
    except AppError as error:
        return None, (
            Check(name="hardware.probe", status="warning", detail=error.user_message, hint=error.hint),
        )


def _print(data_dir: str, hardware: Hardware | None, checks: Sequence[Check]) -> None:
    print_words(f"Data folder: {data_dir}")
    for section in sections(hardware) if hardware is not None else ():
        print_words(f"\n{section.title}")
        for line in section.lines:
            print_words(f"  {line}")
    print_words("\nChecks")
    for check in checks:
        hint = f"\n           {check.hint}" if check.hint and check.status != "ok" else ""
        print_words(f"{MARKS[check.status]}  {check.name}: {check.detail}{hint}")
