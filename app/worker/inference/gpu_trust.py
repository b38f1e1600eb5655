"""Whether a graphics processor may be used: found out by a test, and remembered over crashes and restarts.

A driver that crashes takes this process with it. So a mark is written before the driver is first used and
taken away afterwards: a mark that is still there when the next process looks tells that the last one died.
"""

import contextlib
import json
import logging
from collections.abc import Iterator
from dataclasses import asdict, dataclass, replace
from pathlib import Path

log = logging.getLogger(__name__)

_MAX_DEATHS = 2  # while models were loaded; one may have been the user's, who ended the program


@dataclass(frozen=True)
class Record:
    """What is known of one device with one driver and one build of the engine.

    Attributes:
        tested: it gave the processor's text.
        against: why it must not be used, in words; empty where it may.
        trying: `test` or `load` while that goes on.
        n_deaths: how often the process died while a model was loaded.
    """

    tested: bool = False
    against: str = ""
    trying: str = ""
    n_deaths: int = 0


class GpuTrust:
    """Records by key, kept in a file where one is named (`LoadModel.devices_path`); the engine's thread."""

    def __init__(self) -> None:
        """Know nothing yet."""
        self._records: dict[str, Record] = {}
        self._path: Path | None = None

    def use_file(self, path: Path | None) -> None:
        """Read what earlier processes left, once."""
        if path is None or path == self._path:
            return
        self._path = path
        try:
            entries = json.loads(path.read_text("utf-8"))
            found = {str(key): Record(**entry) for key, entry in entries.items()}
        except FileNotFoundError:
            return
        except (OSError, ValueError, TypeError, AttributeError) as error:
            log.info("what is known of graphics processors cannot be read: %s", error)
            return
        self._records = found | self._records

    def reason_against(self, key: str) -> str:
        """Say why a device must not be used now; empty where it may be tried.

        A death during its test counts at once, one while a model was loaded keeps the device off once, a
        second one for good.
        """
        record = self._record(key)
        if record.trying == "test":
            self._set(key, replace(record, trying="", against="its driver crashed when it was tested"))
        elif record.trying == "load":
            n_deaths = record.n_deaths + 1
            against = "the program ended twice while a model was loaded onto it"
            self._set(
                key,
                replace(record, trying="", n_deaths=n_deaths, against=against * (n_deaths >= _MAX_DEATHS)),
            )
            if n_deaths < _MAX_DEATHS:
                return "the program ended while a model was loaded onto it"
        return self._record(key).against

    def is_tested(self, key: str) -> bool:
        """Whether a device gave the processor's text."""
        return self._record(key).tested

    def note(self, key: str, against: str) -> None:
        """Keep the outcome of a test: what speaks against a device; empty for nothing."""
        self._set(key, replace(self._record(key), tested=not against, against=against))

    @contextlib.contextmanager
    def trying(self, key: str, what: str) -> Iterator[None]:
        """Mark a device while it is tried."""
        self._set(key, replace(self._record(key), trying=what))
        try:
            yield
        finally:
            self._set(key, replace(self._record(key), trying=""))

    def _record(self, key: str) -> Record:
        return self._records.get(key, Record())

    def _set(self, key: str, record: Record) -> None:
        self._records[key] = record
        if self._path is None:
            return
        text = json.dumps({each: asdict(one) for each, one in self._records.items()}, indent=1)
        temporary = self._path.with_suffix(".new")
        try:
            self._path.parent.mkdir(parents=True, exist_ok=True)
            temporary.write_text(text, "utf-8")
            temporary.replace(self._path)
        except OSError as error:
            log.info("what is known of graphics processors cannot be kept: %s", error)
