"""Keeps Chroma from loading its telemetry: OpenTelemetry, its exporter and gRPC.

Chroma imports them whatever the settings say and uses them only where an address to send spans to is set,
which this program never does. They take 24 MB on disk; and what is not there cannot send anything.

Source: `chromadb/telemetry/opentelemetry/__init__.py` of chromadb 1.5.9.
"""

import sys
from types import ModuleType
from typing import Any, NoReturn

NAMES = {
    "opentelemetry": ("trace",),
    "opentelemetry.trace": ("Tracer", "get_tracer", "set_tracer_provider", "get_current_span"),
    "opentelemetry.sdk.resources": ("SERVICE_NAME", "Resource"),
    "opentelemetry.sdk.trace": ("TracerProvider",),
    "opentelemetry.sdk.trace.export": ("BatchSpanProcessor",),
    "opentelemetry.exporter.otlp.proto.grpc.trace_exporter": ("OTLPSpanExporter",),
}
"""The modules that Chroma imports and the names that it takes from them."""


class LeftOut:
    """Stands for a class or function that is never to be called."""

    def __init__(self, *_arguments: Any, **_named: Any) -> None:
        """Refuse.

        Raises:
            RuntimeError: always; the index is a cache, so search goes on without it.
        """
        raise RuntimeError("Chroma tried to use its telemetry, which this program leaves out")


def leave_out_telemetry() -> None:
    """Put empty modules in the place of OpenTelemetry's; before the first import of chromadb."""
    for name, attributes in NAMES.items():
        parts = name.split(".")
        for end in range(1, len(parts) + 1):
            _empty_module(".".join(parts[:end]))
        for attribute in attributes:
            if not hasattr(sys.modules[name], attribute):
                setattr(sys.modules[name], attribute, LeftOut)


def _empty_module(name: str) -> None:
    if isinstance(sys.modules.get(name), _Empty):
        return
    module = _Empty(name)
    sys.modules[name] = module
    parent, _, child = name.rpartition(".")
    if parent:
        setattr(sys.modules[parent], child, module)


class _Empty(ModuleType):
    """A package without content."""

    def __init__(self, name: str) -> None:
        super().__init__(name)
        self.__path__ = []

    def __getattr__(self, name: str) -> NoReturn:
        raise AttributeError(f"{self.__name__} is left out and has no {name}")
