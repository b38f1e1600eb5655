"""`h2ogpt doctor`: check the data folder and the engines."""

import argparse
from dataclasses import asdict

from app.cli import arguments
from app.cli.output import print_json, print_words
from app.client import HostClient
from app.protocol.system import GetHostStatus, RunDoctor

MARKS = {"ok": "ok     ", "warning": "warning", "error": "ERROR  "}


def add_parser(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments."""
    arguments.add_json(parser)


async def run(options: argparse.Namespace, client: HostClient) -> int:
    """Check; return 1 where an invariant is violated."""
    data_dir = (await client.call(GetHostStatus())).data_dir
    checks = (await client.call(RunDoctor())).checks
    violated = any(check.status == "error" for check in checks)
    if options.json:
        print_json({"ok": not violated, "data_dir": data_dir, "checks": [asdict(check) for check in checks]})
    else:
        print_words(f"Data folder: {data_dir}")
        for check in checks:
            hint = f"\n           {check.hint}" if check.hint and check.status != "ok" else ""
            print_words(f"{MARKS[check.status]}  {check.name}: {check.detail}{hint}")
        print_words("A check failed." if violated else "All invariants hold.")
    return arguments.FAILED if violated else arguments.DONE
