"""docs/protocol.md lists every message type; UPDATE_DOCS=1 writes its table anew."""

import importlib
import os
import pkgutil
from dataclasses import fields
from pathlib import Path

import app.protocol
from app.protocol import body as module
from app.protocol.body import Body, Request
from app.protocol.channel import Channel
from app.protocol.envelope import MAX_LINE_BYTES, MAX_PAYLOAD_BYTES

DOCUMENT = Path(__file__).parents[3] / "docs" / "protocol.md"
START, END = "<!-- types: written by tests/unit/protocol/test_document.py -->\n", "<!-- end of types -->\n"


def types() -> list[type[Body]]:
    for info in pkgutil.iter_modules(app.protocol.__path__):
        importlib.import_module(f"app.protocol.{info.name}")
    return [cls for cls in module._TYPES.values() if cls.__module__.startswith("app.protocol.")]


def role(cls: type[Body]) -> str:
    if issubclass(cls, Request):
        return f"request → `{cls.RESULT.__name__}`"
    first = (cls.__doc__ or "").split()[0]
    return {"Event": "event", "Event:": "event", "Progress": "progress"}.get(first, "")


def row(cls: type[Body]) -> str:
    names = ", ".join(f"`{field.name}`" for field in fields(cls))  # type: ignore[arg-type]
    return f"| `{cls.TYPE}` | {role(cls)} | {names} |\n"


def table() -> str:
    parts = []
    found = types()
    for name in sorted({cls.__module__ for cls in found}):
        rows = sorted(row(cls) for cls in found if cls.__module__ == name)
        title = name.rpartition(".")[2]
        parts.append(
            f"\n### `app/protocol/{title}.py`\n\n| Type | Role | Fields |\n|---|---|---|\n{''.join(rows)}"
        )
    return "".join(parts) + "\n"


def test_the_document_lists_every_type() -> None:
    text = DOCUMENT.read_text(encoding="utf-8")
    before, _, rest = text.partition(START)
    _, _, after = rest.partition(END)
    expected = f"{before}{START}{table()}{END}{after}"
    if os.environ.get("UPDATE_DOCS"):
        DOCUMENT.write_text(expected, encoding="utf-8")
    assert DOCUMENT.read_text(encoding="utf-8") == expected, "run this test with UPDATE_DOCS=1"


def test_the_document_states_the_limits() -> None:
    text = DOCUMENT.read_text(encoding="utf-8")
    assert (
        f"{MAX_LINE_BYTES // 1024 // 1024} MiB" in text and f"{MAX_PAYLOAD_BYTES // 1024 // 1024} MiB" in text
    )
    assert MAX_LINE_BYTES == Channel.STREAM_LIMIT
    assert f"version {app.protocol.PROTOCOL_VERSION}" in text
