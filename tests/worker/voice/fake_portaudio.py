"""A stand-in for the module `sounddevice`: systems with other devices, and devices that refuse."""

import copy
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any


class PortAudioError(Exception):
    """As the module raises it: text, code, and what the system said."""


@dataclass
class Device:
    name: str
    inputs: int = 0
    outputs: int = 0
    rate: float = 48_000.0


@dataclass
class HostApi:
    name: str
    devices: list[Device]
    default_input: int = -1
    default_output: int = -1


class Stream:
    """An open stream that does nothing by itself."""

    def __init__(self, owner: "FakeModule", **arguments: Any) -> None:
        refusal = owner.refuse(arguments)
        if refusal is not None:
            raise refusal
        self.arguments = arguments
        self.active = False
        self._owner = owner
        owner.streams.append(self)

    def start(self) -> None:
        if self._owner.start_error is not None:
            raise self._owner.start_error
        self.active = True

    def abort(self, ignore_errors: bool) -> None:
        self.active = False

    def close(self, ignore_errors: bool) -> None:
        self._owner.n_closed += 1


@dataclass
class FakeModule:
    """The module.

    Attributes:
        apis: host APIs; changed, they show only after the list was made again.
        refuse: gives the error of opening with these arguments, or None.
    """

    apis: list[HostApi]
    refuse: Callable[[dict[str, Any]], Exception | None] = lambda arguments: None
    start_error: Exception | None = None
    initialize_error: Exception | None = None
    streams: list[Stream] = field(default_factory=list)
    n_closed: int = 0
    n_lists: int = 0
    PortAudioError = PortAudioError

    def __post_init__(self) -> None:
        self._listed = copy.deepcopy(self.apis)

    def _terminate(self) -> None:
        self._listed = []

    def _initialize(self) -> None:
        if self.initialize_error is not None:
            raise self.initialize_error
        self.n_lists += 1
        self._listed = copy.deepcopy(self.apis)

    def _all(self) -> Sequence[Device]:
        return [device for api in self._listed for device in api.devices]

    def query_hostapis(self) -> list[dict[str, Any]]:
        listed, first = [], 0
        for api in self._listed:
            listed.append(
                {
                    "name": api.name,
                    "devices": list(range(first, first + len(api.devices))),
                    "default_input_device": first + api.default_input if api.default_input >= 0 else -1,
                    "default_output_device": first + api.default_output if api.default_output >= 0 else -1,
                }
            )
            first += len(api.devices)
        return listed

    def query_devices(self, index: int) -> dict[str, Any]:
        device = self._all()[index]
        return {
            "name": device.name,
            "max_input_channels": device.inputs,
            "max_output_channels": device.outputs,
            "default_samplerate": device.rate,
        }

    def RawInputStream(self, **arguments: Any) -> Stream:
        return Stream(self, kind="input", **arguments)

    def RawOutputStream(self, **arguments: Any) -> Stream:
        return Stream(self, kind="output", **arguments)
