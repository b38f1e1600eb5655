"""A worker that misbehaves on demand, for tests of the host: `python fake_worker.py KIND [MODE] [STATE_DIR]`.

It imports nothing of the program, so it starts fast and shares none of its mistakes. MODE is what it does at
its start; what a request does is told by its first text (`engine.count_tokens` with texts), or by its type.
"""

import json
import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import Any

KIND = sys.argv[1]
MODE = sys.argv[2] if len(sys.argv) > 2 else "normal"
STATE_DIR = Path(sys.argv[3]) if len(sys.argv) > 3 else None
OUT = sys.stdout.buffer
LOCK = threading.Lock()
CANCELLED: dict[str, threading.Event] = {}
LIBRARY: dict[str, Any] = {"waiting": 0, "throttled": []}


def send(
    type_: str, body: dict[str, Any], parent: str | None = None, id_: str = "", payload: bytes = b""
) -> None:
    head: dict[str, Any] = {"id": id_, "parent_id": parent, "type": type_, "body": body}
    if payload:
        head["payload_bytes"] = len(payload)
    with LOCK:
        OUT.write(json.dumps(head).encode() + b"\n" + payload)
        OUT.flush()


def raw(data: bytes) -> None:
    with LOCK:
        OUT.write(data)
        OUT.flush()


def status() -> dict[str, Any]:
    return {
        "paused": False,
        "waiting": LIBRARY["waiting"],
        "eta_s": None,
        "counts": {},
        "n_documents": 0,
        "n_chunks": 0,
        "n_embedded": 0,
    }


def misbehave(what: str, id_: str) -> None:
    if what == "garbage":
        raw(b"Loading shared library...\n")
    elif what == "huge":
        chunk = b"x" * 1_000_000
        try:
            for _ in range(40):
                raw(chunk)
        except BrokenPipeError:
            os._exit(0)
    elif what == "exit":
        os._exit(int(id_ or 0))
    elif what == "hang":
        LOCK.acquire()
        time.sleep(600)
    elif what == "flood":
        line = b"warning: " + b"y" * 990 + b"\n"
        for _ in range(3000):
            sys.stderr.buffer.write(line)
        sys.stderr.flush()
    elif what.startswith("SIG"):
        os.kill(os.getpid(), getattr(signal, what))
        time.sleep(600)


PROGRESS: dict[str, list[tuple[str, dict[str, Any]]]] = {
    "progress": [("token.generated", {"text": f"{n} "}) for n in range(3)],
    "many": [("token.generated", {"text": f"{n} "}) for n in range(2000)],
    "unknown progress": [("token.painted", {"colour": "red"})],
    "bad progress": [("token.generated", {"text": 5})],
}


def count(request: dict[str, Any]) -> None:
    id_, texts = request["id"], request["body"].get("texts", [])
    what = texts[0] if texts else ""
    if what == "wait":
        CANCELLED[id_].wait(60)
        send("cancelled", {"counts": [7]}, id_)
        return
    for type_, body in PROGRESS.get(what, []):
        send(type_, body, id_)
    if what == "bad result":
        send("done", {"counts": "many"}, id_)
        return
    if what == "error":
        send("error", {"code": "engine.failed", "message": "No.", "hint": "Try.", "context": {"a": 1}}, id_)
        return
    if what == "child":
        child = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"])
        send("done", {"counts": [child.pid]}, id_)
        return
    if what == "exit":
        os._exit(int(texts[1]))
    misbehave(what, "")
    if what not in ("garbage", "huge"):
        send("done", {"counts": [os.getpid()]}, id_, payload=b"raw" if what == "payload" else b"")


def load(request: dict[str, Any]) -> None:
    id_, path = request["id"], request["body"]["path"]
    name = Path(path).stem
    if "crash" in name or ("driver" in name and request["body"]["gpu_layers"]):
        os.kill(os.getpid(), signal.SIGSEGV)
        time.sleep(600)
    if "large" in name:
        send(
            "error",
            {"code": "model.too_large", "message": "Too large.", "hint": "Smaller.", "context": {}},
            id_,
        )
        return
    if any("bad" in adapter["path"] for adapter in request["body"].get("loras", ())):
        send("error", {"code": "model.not_gguf", "message": "“bad” is none.", "hint": "", "context": {}}, id_)
        return
    if "odd" in name:
        send("error", {"code": "model.unsupported", "message": "Odd.", "hint": "", "context": {}}, id_)
        return
    if "slow" in name:
        CANCELLED[id_].wait(60)
        send("cancelled", {}, id_)
        return
    send("engine.loading", {"fraction": 0.5, "note": "fewer layers" if "noted" in name else ""}, id_)
    info = {
        "path": path,
        "name": name,
        "architecture": "llama",
        "description": "",
        "n_params": 1,
        "context_length": request["body"]["context_length"] or 2048,
        "context_trained": 2048,
        "has_template": True,
        "load_seconds": 0.0,
        "n_threads": 1,
        "n_layers": 2,
        "n_gpu_layers": 1 if "driver" in name and request["body"]["gpu_layers"] else 0,
        "kv_type": request["body"]["kv_type"] or "f16",
        "notes": ["fewer layers"] if "noted" in name else [],
        "measured_bytes": 1000,
    }
    send("done", info, id_)


def measure(request: dict[str, Any]) -> None:
    body = {
        "n_prompt": request["body"]["n_prompt"],
        "n_generated": request["body"]["n_generate"],
        "prompt_tokens_per_s": 100.0,
        "tokens_per_s": 10.0,
        "measured_bytes": 2000,
    }
    send("done", body, request["id"])


def calibrate(request: dict[str, Any]) -> None:
    if MODE == "sulky":
        send("error", {"code": "engine.failed", "message": "No.", "hint": "", "context": {}}, request["id"])
        return
    if MODE == "patient":
        CANCELLED[request["id"]].wait(60)
        send("cancelled", {}, request["id"])
        return
    speed = {"cpu_bytes_per_s": 1e10, "cpu_flops": 1e11, "gpu_bytes_per_s": 0.0, "overhead_s": 0.001}
    send("done", {"key": "k", **speed}, request["id"])


def generate(request: dict[str, Any]) -> None:
    text = "" if MODE == "mute" else "yes"
    body = {
        "text": text,
        "prompt_tokens": 3,
        "cached_tokens": 0,
        "completion_tokens": len(text) and 1,
        "first_token_s": 0.0,
        "tokens_per_s": None,
        "finish": "stop",
    }
    send("token.generated", {"text": text}, request["id"])
    send("done", body, request["id"])


def library(request: dict[str, Any]) -> None:
    id_, kind, body = request["id"], request["type"], request["body"]
    if kind == "library.status":
        if MODE == "sulky":
            send("error", {"code": "library.failed", "message": "No.", "hint": "", "context": {}}, id_)
        else:
            send("done", status(), id_)
    elif kind == "library.add":
        LIBRARY["waiting"] = len(body["paths"])
        send("library.status_changed", status())
        for path in body["paths"]:
            result = {
                "path": path,
                "state": "ready",
                "reason": "",
                "pages": None,
                "chunks": 1,
                "seconds": 0.1,
            }
            send("file.finished", result, id_)
        if body["wait"]:
            CANCELLED[id_].wait(60)
            send("cancelled", {"n_files": 1}, id_)
            return
        threading.Timer(float(os.environ.get("FAKE_WORK_S", "0.5")), finish_work).start()
        send("done", {"n_files": len(body["paths"])}, id_)
    elif kind == "library.add_content":
        send("done", {"n_files": request["n_payload"]}, id_)
    elif kind == "library.throttle":
        LIBRARY["throttled"].append(body["active"])
        send("library.throttled_for_test", {"history": LIBRARY["throttled"]})
        send("done", {}, id_)
    elif kind == "document.source":
        number = body["document_id"]
        state = {1: "unchanged", 2: "changed", 3: "missing"}[number]
        send("done", {"path": "/a/file.pdf", "source": state, "sha256": "0"}, id_)
    elif kind == "library.check":
        check = {"name": "library.orphan_chunks", "status": "ok", "detail": "none", "hint": ""}
        send("done", {"checks": [check]}, id_)
    else:
        send("done", {"removed": 3}, id_)


def finish_work() -> None:
    LIBRARY["waiting"] = 0
    send("library.status_changed", status())


def draw(request: dict[str, Any]) -> None:
    body = request["body"]
    image = {"page": body["page"], "width": 2, "height": 1, "stride": 6}
    send("done", image, request["id"], payload=b"\x01\x02\x03\x04\x05\x06")


HANDLERS = {
    "engine.count_tokens": count,
    "engine.load": load,
    "engine.measure": measure,
    "engine.calibrate": calibrate,
    "engine.generate": generate,
    "renderer.draw": draw,
}


def start() -> None:
    if STATE_DIR is not None:
        with (STATE_DIR / f"{KIND}.pids").open("a") as file:
            file.write(f"{os.getpid()}\n")
    if MODE == "once" and STATE_DIR is not None and not (STATE_DIR / "seen").exists():
        (STATE_DIR / "seen").touch()
        os.kill(os.getpid(), signal.SIGSEGV)
    if MODE in ("garbage", "huge", "hang"):
        misbehave(MODE, "")
    if MODE.startswith("exit"):
        os._exit(int(MODE[4:]))
    if MODE.startswith("SIG"):
        misbehave(MODE, "")
    if MODE != "no hello":
        protocol = 99 if MODE == "newer" else 1
        hello = {"protocol": protocol, "kind": KIND, "version": "0", "pid": os.getpid()}
        send("hello", hello, id_="hello")
    if MODE == "close":
        os.close(1)


def main() -> None:
    start()
    for line in sys.stdin.buffer:
        request = json.loads(line)
        request["n_payload"] = len(sys.stdin.buffer.read(request.get("payload_bytes", 0)))
        kind, id_ = request["type"], request["id"]
        if kind == "process.ping":
            send("done", {}, id_)
        elif kind == "process.shutdown":
            if MODE == "stubborn":
                continue
            send("done", {}, id_)
            return
        elif kind == "request.cancel":
            CANCELLED.setdefault(request["body"]["request_id"], threading.Event()).set()
        elif kind != "hello":
            CANCELLED.setdefault(id_, threading.Event())
            handler = HANDLERS.get(kind, library)
            threading.Thread(target=handler, args=(request,), daemon=True).start()
    if MODE == "stubborn":
        time.sleep(600)


main()
os._exit(0)
