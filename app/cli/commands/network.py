"""`h2ogpt network`: the switch, and the record of every connection that was opened."""

import argparse
import time
from dataclasses import asdict

from app.cli import arguments
from app.cli.output import one_line, print_json, print_words
from app.client import HostClient
from app.protocol.network import GetNetwork, LedgerEntry, NetworkStatus
from app.protocol.system import UpdateSettings


def add_parser(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments."""
    parser.add_argument(
        "switch", nargs="?", choices=("on", "off"), help="allow connections, or refuse every one from now on"
    )
    parser.add_argument(
        "--limit", type=arguments.whole_number(0), default=50, metavar="N", help="at most N connections"
    )
    arguments.add_json(parser)


async def run(options: argparse.Namespace, client: HostClient) -> int:
    """Turn the switch if asked to, and print switch and ledger; opens no connection."""
    if options.switch is not None:
        await client.call(UpdateSettings(values={"offline": options.switch == "off"}))
    status = await client.call(GetNetwork(limit=options.limit))
    if options.json:
        print_json(asdict(status))
    else:
        print_words(in_words(status))
    return arguments.DONE


def in_words(status: NetworkStatus) -> str:
    """Give the state for a person."""
    lines = [
        "Connections are switched off: none is opened, whatever is asked for."
        if status.offline
        else "Connections are allowed; they are opened only for what you start.",
        f"Model hub: {status.endpoint}" + (f", through {status.proxy}" if status.proxy else ""),
    ]
    if status.has_token:
        places = {"keyring": "in the system's keyring", "memory": "in memory, until the program ends"}
        lines.append(f"Access token: {places.get(status.token_place, status.token_place)}")
    if not status.n_entries:
        return "\n".join([*lines, "No connection has been opened."])
    lines.append(
        f"{status.n_entries} connections, {status.n_sent_bytes:,} bytes sent, "
        f"{status.n_received_bytes:,} received:"
    )
    return "\n".join([*lines, *map(_entry_in_words, status.entries)])


def _entry_in_words(entry: LedgerEntry) -> str:
    when = time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(entry.when))
    detail = f"  ({one_line(entry.detail, 100)})" if entry.detail else ""
    return f"  {when}  {entry.outcome:<8}{entry.host}  {entry.n_received_bytes:,} bytes  {entry.why}{detail}"
