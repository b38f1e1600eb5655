"""Microphones and loudspeakers of a PulseAudio or PipeWire sound server, asked through its own library.

PortAudio sees such a server as one device, and lists devices only once. The server's library names every
device and its default at any moment.
"""

import ctypes
import logging
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

log = logging.getLogger(__name__)

PATIENCE_S = 1.0
_NO_INDEX = 0xFFFFFFFF
# Source: pulse/def.h.
_NO_AUTOSPAWN = 1
_READY, _FAILED = 4, 5
_PLACEHOLDER = "auto_null"
"""The sink that a server makes up where nothing is plugged in."""


@dataclass(frozen=True)
class ServerDevice:
    """A source or sink of the server.

    Attributes:
        name: by which the server knows it.
        title: for people.
        is_monitor: of a source: it hears what a loudspeaker plays.
    """

    name: str
    title: str
    is_monitor: bool = False


@dataclass
class ServerDevices:
    """What the server has now; the defaults are names, empty where it has none."""

    sources: list[ServerDevice] = field(default_factory=list)
    sinks: list[ServerDevice] = field(default_factory=list)
    default_source: str = ""
    default_sink: str = ""

    def microphones(self) -> list[ServerDevice]:
        """Give the sources that a person would call a microphone.

        A monitor is none, not even as the default: a server without any microphone falls back to that.
        """
        return [source for source in self.sources if not source.is_monitor]

    def loudspeakers(self) -> list[ServerDevice]:
        """Give the sinks without the placeholder."""
        return [sink for sink in self.sinks if sink.name != _PLACEHOLDER]


# Source: pulse/sample.h, pulse/channelmap.h, pulse/volume.h, pulse/introspect.h (their beginnings, which have
# not changed since version 1.0).
class _SampleSpec(ctypes.Structure):
    _fields_ = (("format", ctypes.c_int), ("rate", ctypes.c_uint32), ("channels", ctypes.c_uint8))


class _ChannelMap(ctypes.Structure):
    _fields_ = (("channels", ctypes.c_uint8), ("map", ctypes.c_int * 32))


class _Volume(ctypes.Structure):
    _fields_ = (("channels", ctypes.c_uint8), ("values", ctypes.c_uint32 * 32))


class _ServerInfo(ctypes.Structure):
    _fields_ = (
        ("user_name", ctypes.c_char_p),
        ("host_name", ctypes.c_char_p),
        ("server_version", ctypes.c_char_p),
        ("server_name", ctypes.c_char_p),
        ("sample_spec", _SampleSpec),
        ("default_sink_name", ctypes.c_char_p),
        ("default_source_name", ctypes.c_char_p),
    )


class _DeviceInfo(ctypes.Structure):
    """The common beginning of `pa_sink_info` and `pa_source_info`."""

    _fields_ = (
        ("name", ctypes.c_char_p),
        ("index", ctypes.c_uint32),
        ("description", ctypes.c_char_p),
        ("sample_spec", _SampleSpec),
        ("channel_map", _ChannelMap),
        ("owner_module", ctypes.c_uint32),
        ("volume", _Volume),
        ("mute", ctypes.c_int),
        ("monitor", ctypes.c_uint32),
    )


_ServerCallback = ctypes.CFUNCTYPE(
    None, ctypes.c_void_p, ctypes.POINTER(_ServerInfo), ctypes.c_void_p, use_errno=False
)
_ListCallback = ctypes.CFUNCTYPE(
    None, ctypes.c_void_p, ctypes.POINTER(_DeviceInfo), ctypes.c_int, ctypes.c_void_p
)


class _Library:
    """`libpulse`, with the functions needed here and their types."""

    def __init__(self) -> None:
        library = ctypes.CDLL("libpulse.so.0")
        pointer, integer = ctypes.c_void_p, ctypes.c_int
        self.mainloop_new = self._function(library, "pa_mainloop_new", pointer)
        self.mainloop_free = self._function(library, "pa_mainloop_free", None, pointer)
        self.mainloop_api = self._function(library, "pa_mainloop_get_api", pointer, pointer)
        self.prepare = self._function(library, "pa_mainloop_prepare", integer, pointer, integer)
        self.poll = self._function(library, "pa_mainloop_poll", integer, pointer)
        self.dispatch = self._function(library, "pa_mainloop_dispatch", integer, pointer)
        self.context_new = self._function(library, "pa_context_new", pointer, pointer, ctypes.c_char_p)
        self.connect = self._function(
            library, "pa_context_connect", integer, pointer, ctypes.c_char_p, integer, pointer
        )
        self.state = self._function(library, "pa_context_get_state", integer, pointer)
        self.disconnect = self._function(library, "pa_context_disconnect", None, pointer)
        self.context_unref = self._function(library, "pa_context_unref", None, pointer)
        self.operation_unref = self._function(library, "pa_operation_unref", None, pointer)
        self.server_info = self._function(
            library, "pa_context_get_server_info", pointer, pointer, _ServerCallback, pointer
        )
        self.sinks = self._function(
            library, "pa_context_get_sink_info_list", pointer, pointer, _ListCallback, pointer
        )
        self.sources = self._function(
            library, "pa_context_get_source_info_list", pointer, pointer, _ListCallback, pointer
        )

    @staticmethod
    def _function(library: ctypes.CDLL, name: str, result: Any, *arguments: Any) -> Any:
        function = getattr(library, name)
        function.restype = result
        function.argtypes = arguments
        return function


class SoundServer:
    """Asks the user's sound server; it never starts one. Any thread, one at a time."""

    def __init__(self) -> None:
        """Load nothing yet."""
        self._library: _Library | None = None

    def devices(self) -> ServerDevices | None:
        """Give what is plugged in now (a few milliseconds); None where there is no server or no library."""
        if self._library is None:
            try:
                self._library = _Library()
            except (OSError, AttributeError):
                return None
        return _Question(self._library).ask()


class _Question:
    """One connection to the server, for one list."""

    def __init__(self, library: _Library) -> None:
        self._library = library
        self._found = ServerDevices()
        self._n_answers = 0
        self._deadline = time.monotonic() + PATIENCE_S

    def ask(self) -> ServerDevices | None:
        library = self._library
        loop = library.mainloop_new()
        context = library.context_new(library.mainloop_api(loop), b"h2oGPT Desktop")
        try:
            if library.connect(context, None, _NO_AUTOSPAWN, None) < 0 or not self._wait(
                loop, context, lambda: library.state(context) == _READY
            ):
                return None
            callbacks = (
                _ServerCallback(self._take_server),
                _ListCallback(self._take_sink),
                _ListCallback(self._take_source),
            )
            asked = (library.server_info, library.sinks, library.sources)
            for function, callback in zip(asked, callbacks, strict=True):
                library.operation_unref(function(context, callback, None))
            whole = self._wait(loop, context, lambda: self._n_answers == len(asked))
            return self._found if whole else None
        finally:
            library.disconnect(context)
            library.context_unref(context)
            library.mainloop_free(loop)

    def _wait(self, loop: int, context: int, is_done: Callable[[], bool]) -> bool:
        library = self._library
        while not is_done():
            left_s = self._deadline - time.monotonic()
            if left_s <= 0 or library.state(context) >= _FAILED:
                return False
            if library.prepare(loop, int(left_s * 1e6)) < 0 or library.poll(loop) < 0:
                return False
            library.dispatch(loop)
        return True

    def _take_server(self, _context: int, info: Any, _data: int) -> None:
        self._n_answers += 1
        if info:
            self._found.default_sink = _text(info.contents.default_sink_name)
            self._found.default_source = _text(info.contents.default_source_name)

    def _take_sink(self, _context: int, info: Any, end: int, _data: int) -> None:
        if end:
            self._n_answers += 1
        else:
            name = _text(info.contents.name)
            self._found.sinks.append(ServerDevice(name, _text(info.contents.description) or name))

    def _take_source(self, _context: int, info: Any, end: int, _data: int) -> None:
        if end:
            self._n_answers += 1
        else:
            name = _text(info.contents.name)
            monitor = info.contents.monitor != _NO_INDEX
            self._found.sources.append(ServerDevice(name, _text(info.contents.description) or name, monitor))


def _text(value: bytes | None) -> str:
    return (value or b"").decode("utf-8", "replace")
