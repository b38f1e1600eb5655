"""The command line: what it prints, its exit codes, never a traceback."""

import io
import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from app.cli import main as cli
from app.cli import question_files
from app.cli.main import main
from app.client import Cancelled
from app.core.errors import AppError, NotFoundError, WorkerError
from app.protocol.chat import (
    AnswerDone,
    AnswerPhase,
    AnswerStats,
    AnswerToken,
    Ask,
    AttachImage,
    ChatMessage,
    Citation,
    ImageAttachment,
)
from app.protocol.envelope import Message
from app.protocol.hardware import Cpu, Engine, GetHardware, Hardware, Memory, Requirement
from app.protocol.library import (
    AddPaths,
    AddResult,
    Collection,
    CollectionList,
    CreateCollection,
    DeleteCollection,
    FileEntry,
    FileList,
    FileResult,
    FileState,
    ListCollections,
    ListFiles,
    RemoveFiles,
    RemoveResult,
    RenameCollection,
)
from app.protocol.search import Hit, Scope, Search, SearchResult
from app.protocol.system import Check, DoctorReport, GetHostStatus, HostStatus, Notice, RunDoctor
from tests.unit.cli.conftest import FakeHost

Capture = pytest.CaptureFixture[str]

HIT = Hit(
    rank=1,
    score=0.9,
    document_id=4,
    chunk_id=44,
    path="/docs/pump.pdf",
    page=3,
    char_start=10,
    char_end=19,
    heading="Care",
    text="It is\nred",
)
FOUND = SearchResult(query="red", found=True, relevance=0.8, seconds=0.01, hits=(HIT,))
CITATION = Citation(
    n=1,
    document_id=4,
    path="/docs/pump.pdf",
    name="pump.pdf",
    page=3,
    char_start=10,
    char_end=19,
    quote="It is\nred",
    verified=True,
    answer_start=0,
    answer_end=9,
)


def done(**fields: Any) -> AnswerDone:
    values = {"kind": "documents", "text": "Red [1].", "citations": (CITATION,), "model": "tiny"} | fields
    found = values.pop("found", True)
    stats = AnswerStats(
        prompt_tokens=50, cached_tokens=10, completion_tokens=3, first_token_s=0.5, tokens_per_s=20.0
    )
    answer = ChatMessage(id="a", parent_id="q", role="assistant", created_at=0.0, stats=stats, **values)
    return AnswerDone(conversation_id="c", answer=answer, found=found)


def lines(capsys: Capture) -> list[Any]:
    return [json.loads(line) for line in capsys.readouterr().out.splitlines()]


def use_stdin(monkeypatch: pytest.MonkeyPatch, data: bytes) -> None:
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(data), encoding="utf-8"))


# ------------------------------------------------------------------------------------------- the whole


@pytest.mark.parametrize(
    "arguments", [["--data-dir", "/x", "search", "red"], ["search", "red", "--data-dir", "/x"]]
)
def test_the_data_folder_may_stand_before_and_after_the_command(
    host: FakeHost, arguments: list[str], capsys: Capture
) -> None:
    host.answers[Search] = FOUND
    assert main(arguments) == 0
    assert host.data_dir == "/x"


@pytest.mark.parametrize(
    "arguments",
    [
        ["nonsense"],
        ["ask"],
        ["library"],
        ["ask", "x", "--max-tokens", "0"],
        ["ask", "x", "--max-tokens", "many"],
        ["ask", "x", "--temperature", "nan"],
        ["ask", "x", "--temperature", "hot"],
        ["search", "x", "--mode", "odd"],
        ["library", "collections", "--create", "a", "--delete", "b"],
    ],
)
def test_wrong_usage_is_told_with_code_2(arguments: list[str], capsys: Capture) -> None:
    with pytest.raises(SystemExit) as caught:
        main(arguments)
    assert caught.value.code == 2
    assert "usage: h2ogpt" in capsys.readouterr().err


@pytest.mark.parametrize(("arguments", "expected"), [(["--version"], "h2oGPT"), (["--help"], "ingest")])
def test_help_and_version(arguments: list[str], expected: str, capsys: Capture) -> None:
    with pytest.raises(SystemExit) as caught:
        main(arguments)
    assert caught.value.code == 0
    assert expected in capsys.readouterr().out


def test_an_error_is_a_sentence_and_a_next_step(host: FakeHost, capsys: Capture) -> None:
    host.connect_error = WorkerError("host.start_failed", "It could not be started.", "Try again.")
    assert main(["doctor"]) == 1
    captured = capsys.readouterr()
    assert captured.err == "It could not be started.\nTry again.\n"
    assert captured.out == ""


def test_with_json_an_error_is_a_value_too(host: FakeHost, capsys: Capture) -> None:
    host.connect_error = WorkerError("host.start_failed", "It could not be started.")
    assert main(["doctor", "--json"]) == 1
    assert lines(capsys) == [
        {"error": {"code": "host.start_failed", "message": "It could not be started.", "hint": ""}}
    ]


@pytest.mark.parametrize(
    ("trouble", "code", "said"),
    [
        (RuntimeError("odd"), 1, "Something went wrong inside (RuntimeError: odd)."),
        (Cancelled(Message("cancelled")), 1, "Cancelled."),
        (KeyboardInterrupt(), 130, ""),
    ],
)
def test_there_is_never_a_traceback(
    host: FakeHost,
    monkeypatch: pytest.MonkeyPatch,
    capsys: Capture,
    trouble: BaseException,
    code: int,
    said: str,
) -> None:
    def fail(coroutine: Any) -> int:
        coroutine.close()
        raise trouble

    monkeypatch.setattr("asyncio.run", fail)
    assert main(["doctor"]) == code
    error = capsys.readouterr().err
    assert said in error
    assert "Traceback" not in error


def test_notices_of_the_host_are_told(host: FakeHost, capsys: Capture) -> None:
    def report(request: RunDoctor) -> DoctorReport:
        assert host.on_event is not None
        host.on_event(Notice(severity="info", code="i", message="Ordinary."))
        host.on_event(Notice(severity="error", code="chats.restored", message="Restored.", hint="Look."))
        host.on_event(report_body)
        return report_body

    report_body = DoctorReport(checks=())
    host.answers |= {RunDoctor: report, GetHostStatus: status(), GetHardware: computer()}
    assert main(["doctor"]) == 0
    assert capsys.readouterr().err == "Restored.\nLook.\n"


def test_a_full_disk_ends_ingestion_with_its_reason(host: FakeHost, capsys: Capture) -> None:
    import asyncio

    def fill(request: AddPaths) -> list[Any]:
        assert host.on_event is not None
        host.on_event(
            Notice(severity="error", code="storage.full", message="The disk is full.", hint="Free some.")
        )
        return [asyncio.Event()]  # it would wait for ever

    host.answers[AddPaths] = fill
    assert main(["ingest", "/a.txt"]) == 1
    assert "The disk is full." in capsys.readouterr().err


# ------------------------------------------------------------------------------------------- the window


def test_without_a_command_the_window_opens(monkeypatch: pytest.MonkeyPatch) -> None:
    started: list[list[str]] = []
    monkeypatch.setenv("DISPLAY", ":7")
    monkeypatch.setattr("os.execv", lambda path, command: started.append(command))
    monkeypatch.setattr("subprocess.call", lambda command: 0)
    assert main(["--data-dir", "/x"]) == 0
    assert main([]) == 0
    assert started[0][-4:] == ["-m", "app.ui", "--data-dir", "/x"]
    assert started[1][-2:] == ["-m", "app.ui"]


def test_where_a_process_cannot_be_replaced_the_window_is_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DISPLAY", ":7")
    monkeypatch.setattr("os.name", "nt")
    monkeypatch.setattr("subprocess.call", lambda command: 5)
    try:
        assert main([]) == 5
    finally:
        monkeypatch.undo()


@pytest.mark.linux
def test_without_a_display_the_terminal_is_offered(monkeypatch: pytest.MonkeyPatch, capsys: Capture) -> None:
    for name in ("DISPLAY", "WAYLAND_DISPLAY", "QT_QPA_PLATFORM"):
        monkeypatch.delenv(name, raising=False)
    assert main([]) == 1
    assert "h2ogpt chat" in capsys.readouterr().err


# ------------------------------------------------------------------------------------------- ingest


def result(**fields: Any) -> FileResult:
    values: dict[str, Any] = {
        "path": "/docs/a.pdf",
        "state": "ready",
        "reason": "",
        "pages": 3,
        "chunks": 9,
        "seconds": 0.5,
    }
    return FileResult(**(values | fields))


def test_ingest_prints_each_file_as_it_ends(host: FakeHost, capsys: Capture) -> None:
    host.answers[AddPaths] = [result(), AddResult(n_files=1)]
    assert main(["ingest", "a.pdf", "~/b", "--collection", "C", "--json"]) == 0
    (value,) = lines(capsys)
    assert value == {
        "path": "/docs/a.pdf",
        "state": "ready",
        "reason": "",
        "pages": 3,
        "chunks": 9,
        "seconds": 0.5,
    }
    (request,) = host.requests
    assert isinstance(request, AddPaths)
    assert request.paths == (str(Path("a.pdf").absolute()), str(Path("~/b").expanduser()))
    assert (request.collection, request.wait) == ("C", True)


@pytest.mark.parametrize("state", ["failed", "missing"])
def test_a_failed_file_fails_the_command(host: FakeHost, capsys: Capture, state: str) -> None:
    failed = result(state=state, reason="It has a password.", pages=None, chunks=0)
    host.answers[AddPaths] = [failed, result(), AddResult(n_files=2, n_failed=1)]
    assert main(["ingest", "/a"]) == 1
    assert "It has a password." in capsys.readouterr().out


@pytest.mark.parametrize("state", ["duplicate", "empty", "partial", "unsupported"])
def test_other_states_do_not_fail_it(host: FakeHost, capsys: Capture, state: str) -> None:
    host.answers[AddPaths] = [result(state=state), AddResult(n_files=1)]
    assert main(["ingest", "/a"]) == 0
    assert state in capsys.readouterr().out


# ------------------------------------------------------------------------------------------- search


def test_search_prints_the_keys_of_its_interface(host: FakeHost, capsys: Capture) -> None:
    host.answers[Search] = FOUND
    assert main(["search", "red", "--collection", "C", "--limit", "3", "--mode", "keyword", "--json"]) == 0
    (value,) = lines(capsys)
    assert list(value) == ["query", "found", "relevance", "seconds", "hits"]
    assert list(value["hits"][0]) == [
        "rank",
        "score",
        "path",
        "page",
        "char_start",
        "char_end",
        "heading",
        "text",
    ]
    (request,) = host.requests
    assert request == Search(query="red", collections=("C",), limit=3, mode="keyword")


def test_search_in_words(host: FakeHost, capsys: Capture) -> None:
    host.answers[Search] = FOUND
    main(["search", "red"])
    assert capsys.readouterr().out == " 1. pump.pdf, page 3  (0.90)\n    It is red\n"
    nothing = SearchResult(
        query="x", found=False, relevance=0.0, seconds=0.0, hits=(), degraded="No vectors yet."
    )
    host.answers[Search] = nothing
    host.n_closed = 0
    main(["search", "x"])
    assert capsys.readouterr().out == "Not in your documents.\nNo vectors yet.\n"


def test_many_queries_are_read_from_standard_input(
    host: FakeHost, capsys: Capture, monkeypatch: pytest.MonkeyPatch
) -> None:
    use_stdin(monkeypatch, b"red\nbad\n\xff\r\nblue")

    def answer(request: Search) -> Any:
        return NotFoundError("x.bad", "Bad.") if request.query == "bad" else FOUND

    host.answers[Search] = answer
    assert main(["search", "-", "--json"]) == 1  # one of them failed
    assert [request.query for request in host.requests if isinstance(request, Search)] == [
        "red",
        "bad",
        "�",
        "blue",
    ]
    assert ["error" in value for value in lines(capsys)] == [False, True, False, False]


def test_a_lost_connection_ends_the_run(
    host: FakeHost, capsys: Capture, monkeypatch: pytest.MonkeyPatch
) -> None:
    use_stdin(monkeypatch, b"red\nblue\n")

    def lose(request: Any) -> AppError:
        host.closed = True
        return WorkerError("host.lost", "The connection was lost.")

    host.answers |= {Search: lose, Ask: lose}
    assert main(["search", "-", "--json"]) == 1
    host.n_closed = 0
    use_stdin(monkeypatch, b"red\nblue\n")
    assert main(["ask", "-", "--json"]) == 1
    assert len(host.requests) == 2


# ------------------------------------------------------------------------------------------- ask


def test_ask_prints_the_keys_of_its_interface(host: FakeHost, capsys: Capture) -> None:
    host.answers[Ask] = [AnswerPhase(phase="reading"), AnswerToken(text="Red"), done()]
    limits = ["--max-tokens", "9", "--temperature", "0.5", "--seed", "7"]
    assert main(["ask", "Which colour?", "--collection", "C", "--model", "tiny", *limits, "--json"]) == 0
    (value,) = lines(capsys)
    assert value == {
        "answer": "Red [1].",
        "found": True,
        "citations": [
            {
                "n": 1,
                "path": "/docs/pump.pdf",
                "page": 3,
                "char_start": 10,
                "char_end": 19,
                "quote": "It is\nred",
                "verified": True,
            }
        ],
        "model": "tiny",
        "prompt_tokens": 50,
        "cached_tokens": 10,
        "completion_tokens": 3,
        "first_token_s": 0.5,
        "tokens_per_s": 20.0,
    }
    (request,) = host.requests
    assert request == Ask(
        question="Which colour?",
        keep=False,
        collections=("C",),
        model="tiny",
        max_tokens=9,
        temperature=0.5,
        seed=7,
    )


def test_images_and_the_form_of_the_answer_go_with_the_question(
    host: FakeHost, capsys: Capture, tmp_path: Path
) -> None:
    (tmp_path / "cat.png").write_bytes(b"pixels")
    (tmp_path / "form.json").write_text('{"type": "object"}', "utf-8")
    (tmp_path / "form.gbnf").write_text('root ::= "yes"', "utf-8")
    image = ImageAttachment(sha256="a" * 64, name="cat.png", width=2, height=2)
    host.answers |= {AttachImage: image, Ask: done(kind="general", citations=(), text='{"a": 1}')}
    files = ["--image", str(tmp_path / "cat.png"), "--image", str(tmp_path / "cat.png")]
    assert main(["ask", "What?", *files, "--schema", str(tmp_path / "form.json")]) == 0
    captured = capsys.readouterr()
    assert captured.out == '{"a": 1}\n'
    assert "General knowledge" in captured.err
    attached, again, asked = host.requests
    assert attached == again == AttachImage(name="cat.png")
    assert host.payloads == [b"pixels", b"pixels"]
    assert isinstance(asked, Ask)
    assert (asked.images, asked.json_schema, asked.grammar) == ((image, image), {"type": "object"}, "")
    host.n_closed = 0
    host.answers[Ask] = done(citations=(), text="yes")
    assert main(["ask", "What?", "--grammar", str(tmp_path / "form.gbnf")]) == 0
    assert capsys.readouterr() == ("yes\n", "")
    asked = host.requests[-1]
    assert isinstance(asked, Ask)
    assert asked.grammar == 'root ::= "yes"'


def test_files_of_a_question_that_cannot_be_used_are_named(
    host: FakeHost, capsys: Capture, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    broken, listed, binary = tmp_path / "broken.json", tmp_path / "list.json", tmp_path / "binary"
    broken.write_text("{", "utf-8")
    listed.write_text("[]", "utf-8")
    binary.write_bytes(b"\xff\xfe\x00")
    monkeypatch.setattr(question_files, "MAX_TEXT_BYTES", 10)
    large = tmp_path / "large"
    large.write_bytes(bytes(11))
    for option, path, words in (
        ("--schema", broken, "is not JSON"),
        ("--schema", listed, "holds no JSON object"),
        ("--grammar", binary, "is not text in UTF-8"),
        ("--grammar", large, "is larger than"),
        ("--image", tmp_path / "none.png", "cannot be read"),
    ):
        host.n_closed = 0
        assert main(["ask", "What?", option, str(path)]) == 1
        error = capsys.readouterr().err
        assert path.name in error
        assert words in error
    assert host.requests == []


@pytest.mark.parametrize("depth", [200, 100_000])
def test_a_schema_that_is_nested_too_deeply_is_named(
    host: FakeHost, capsys: Capture, tmp_path: Path, depth: int
) -> None:
    path = tmp_path / "deep.json"
    path.write_text('{"items":' * depth + "[]" + "}" * depth, "utf-8")
    assert main(["ask", "What?", "--schema", str(path)]) == 1
    assert "deep.json is nested too deeply" in capsys.readouterr().err


def test_without_documents_the_model_is_asked_alone(host: FakeHost, capsys: Capture) -> None:
    host.answers[Ask] = done(kind="general", citations=(), found=False)
    assert main(["ask", "Why?", "--no-documents"]) == 0
    (request,) = host.requests
    assert isinstance(request, Ask)
    assert (request.use_documents, request.scope) == (False, Scope(kind="none"))
    assert "General knowledge" in capsys.readouterr().out


def test_an_answer_in_words_lists_its_sources(host: FakeHost, capsys: Capture) -> None:
    other = Citation(**(CITATION.__dict__ | {"n": 2, "page": None, "verified": False}))
    host.answers[Ask] = done(citations=(CITATION, other), unsupported=((0, 3),))
    main(["ask", "Which colour?"])
    assert capsys.readouterr().out == (
        "Red [1].\n\n"
        "[1] pump.pdf, page 3: “It is red”\n"
        "[2] pump.pdf: “It is red”  (not verified)\n"
        "Not supported by your documents: “Red”\n"
    )


def test_not_found_is_no_failure_and_has_a_next_step(host: FakeHost, capsys: Capture) -> None:
    host.answers[Ask] = done(
        kind="not_found", text="This is not in your documents.", citations=(), error_hint="Ask otherwise."
    )
    assert main(["ask", "Why?"]) == 0
    assert capsys.readouterr().out == "This is not in your documents.\n\n(Ask otherwise.)\n"


def test_an_answer_without_more_is_only_itself(host: FakeHost, capsys: Capture) -> None:
    host.answers[Ask] = done(citations=())
    main(["ask", "Why?"])
    assert capsys.readouterr().out == "Red [1].\n"


def test_a_question_that_fails_does_not_end_the_run(
    host: FakeHost, capsys: Capture, monkeypatch: pytest.MonkeyPatch
) -> None:
    use_stdin(monkeypatch, b"one\ntwo\n")
    answers = [WorkerError("worker.died", "It ended.", "Again."), done()]
    host.answers[Ask] = lambda request: answers.pop(0)
    assert main(["ask", "-"]) == 1
    captured = capsys.readouterr()
    assert captured.err == "It ended.\nAgain.\n"
    assert captured.out.startswith("Red")


def test_an_answer_without_end_is_an_error(host: FakeHost, capsys: Capture) -> None:
    host.answers[Ask] = []
    assert main(["ask", "Why?"]) == 1
    assert "without a result" in capsys.readouterr().err


# ------------------------------------------------------------------------------------------- library

FILE = FileEntry(
    location_id=1,
    document_id=4,
    path="/docs/pump.pdf",
    name="pump.pdf",
    collection_id=2,
    state=FileState.PARTIAL,
    reason="Too many pages.",
)
COLLECTIONS = CollectionList(
    collections=(Collection(id=1, name="Documents", n_files=0), Collection(id=2, name="Pumps", n_files=1))
)


def files(request: ListFiles) -> FileList:
    return FileList(files=(FILE,) if request.offset < 2 else (), total=3)


def test_library_list_shows_every_page(host: FakeHost, capsys: Capture) -> None:
    host.answers |= {ListFiles: files, ListCollections: COLLECTIONS}
    assert main(["library", "list", "--json"]) == 0
    values = lines(capsys)
    assert [(v["path"], v["state"], v["collection"]) for v in values] == [
        ("/docs/pump.pdf", "partial", "Pumps")
    ] * 2
    host.n_closed = 0
    assert main(["library", "list", "--collection", "Pumps"]) == 0
    assert "Too many pages." in capsys.readouterr().out
    assert any(isinstance(r, ListFiles) and r.collection_id == 2 for r in host.requests)


def test_an_unknown_collection_is_said(host: FakeHost, capsys: Capture) -> None:
    host.answers |= {ListCollections: COLLECTIONS}
    assert main(["library", "list", "--collection", "Nope"]) == 1
    assert "Nope" in capsys.readouterr().err


@pytest.mark.parametrize("as_json", [False, True])
def test_library_remove(host: FakeHost, capsys: Capture, as_json: bool) -> None:
    host.answers[RemoveFiles] = RemoveResult(removed=2)
    assert main(["library", "remove", "a.pdf", *(["--json"] if as_json else [])]) == 0
    assert host.requests == [RemoveFiles(paths=(str(Path("a.pdf").absolute()),))]
    out = capsys.readouterr().out
    assert json.loads(out) == {"removed": 2} if as_json else out.startswith("Removed 2")


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        ([], None),
        (["--create", "New"], CreateCollection(name="New")),
        (["--rename", "Pumps", "Taps"], RenameCollection(collection_id=2, name="Taps")),
        (["--delete", "Pumps"], DeleteCollection(collection_id=2)),
    ],
)
def test_library_collections(host: FakeHost, capsys: Capture, arguments: list[str], expected: Any) -> None:
    host.answers |= {
        ListCollections: COLLECTIONS,
        CreateCollection: COLLECTIONS.collections[0],
        RenameCollection: COLLECTIONS.collections[1],
        DeleteCollection: RemoveResult(removed=1),
    }
    assert main(["library", "collections", *arguments]) == 0
    assert "Pumps  (1 files)" in capsys.readouterr().out
    assert [r for r in host.requests if not isinstance(r, ListCollections)] == (
        [expected] if expected else []
    )
    host.n_closed = 0
    assert main(["library", "collections", "--json"]) == 0
    assert lines(capsys)[1] == {"id": 2, "name": "Pumps", "n_files": 1}


# ------------------------------------------------------------------------------------------- doctor


def status() -> HostStatus:
    return HostStatus(pid=1, version="0", data_dir="/data", busy=False, n_clients=1, workers=())


def computer() -> Hardware:
    return Hardware(
        cpu=Cpu(name="Chip 9", physical_cores=4, logical_cores=8),
        memory=Memory(total_bytes=2**34, available_bytes=2**33),
        gpus=(),
        gpu_note="The operating system lists no graphics card.",
        engine=Engine(backends=("CPU",)),
        disk_free_bytes=10**9,
        disk_total_bytes=10**10,
        requirements=(Requirement(name="Vulkan loader", found=True),),
    )


def test_the_doctor_describes_the_computer(host: FakeHost, capsys: Capture) -> None:
    host.answers |= {RunDoctor: DoctorReport(checks=()), GetHostStatus: status(), GetHardware: computer()}
    assert main(["doctor"]) == 0
    out = capsys.readouterr().out
    titles = [
        line
        for line in out.splitlines()
        if line in {"Computer", "Graphics", "Engine", "Requirements", "Checks"}
    ]
    assert titles == ["Computer", "Graphics", "Engine", "Requirements", "Checks"]
    assert "  Processor: Chip 9 (4 cores, 8 threads)\n" in out and "lists no graphics card." in out
    host.n_closed = 0
    assert main(["doctor", "--json"]) == 0
    (value,) = lines(capsys)
    assert value["hardware"]["cpu"]["name"] == "Chip 9" and value["hardware"]["requirements"][0]["found"]


def test_a_computer_that_cannot_be_described_is_a_finding(host: FakeHost, capsys: Capture) -> None:
    trouble = WorkerError("hardware.failed", "The computer could not be looked at.", "Try again.")
    host.answers |= {RunDoctor: DoctorReport(checks=()), GetHostStatus: status(), GetHardware: trouble}
    assert main(["doctor"]) == 0
    out = capsys.readouterr().out
    assert "warning  hardware.probe: The computer could not be looked at.\n           Try again." in out
    host.n_closed = 0
    assert main(["doctor", "--json"]) == 0
    assert lines(capsys)[0]["hardware"] is None


@pytest.mark.parametrize(("worst", "code"), [("ok", 0), ("warning", 0), ("error", 1)])
def test_the_doctor_fails_on_a_violated_invariant_only(
    host: FakeHost, capsys: Capture, worst: str, code: int
) -> None:
    checks = (
        Check(name="a.first", status="ok", detail="Fine."),
        Check(name="b.second", status=worst, detail="Look here.", hint="Do that."),
    )
    host.answers |= {
        RunDoctor: DoctorReport(checks=checks),
        GetHostStatus: status(),
        GetHardware: computer(),
    }
    assert main(["doctor"]) == code
    out = capsys.readouterr().out
    assert "b.second: Look here." in out
    assert ("Do that." in out) == (worst != "ok")
    host.n_closed = 0
    assert main(["doctor", "--json"]) == code
    (value,) = lines(capsys)
    assert value["ok"] == (code == 0)
    assert value["checks"][1]["status"] == worst


def test_paths_that_are_no_text_survive(host: FakeHost, capsys: Capture) -> None:
    host.answers[AddPaths] = [result(path="/docs/\udcff.txt"), AddResult(n_files=1)]
    assert main(["ingest", "/docs/\udcff.txt", "--json"]) == 0
    assert lines(capsys)[0]["path"] == "/docs/\udcff.txt"


def test_a_reader_that_leaves_early_is_no_trouble(host: FakeHost, monkeypatch: pytest.MonkeyPatch) -> None:
    class Gone(io.TextIOBase):
        def write(self, text: str) -> int:
            raise BrokenPipeError

        def fileno(self) -> int:
            raise OSError

    closed: list[Callable[..., Any]] = []
    monkeypatch.setattr(cli, "close_quietly", lambda: closed.append(main))
    monkeypatch.setattr(sys, "stdout", Gone())
    host.answers[Search] = FOUND
    assert main(["search", "red"]) == 1
    assert closed
