"""The renderer as the host sees it: a real process spoken to over its pipes."""

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from app.core.processes import worker_command, worker_environment
from app.protocol.body import to_message
from app.protocol.envelope import Message, encode, read_message
from app.protocol.pictures import DrawPage
from app.worker.mupdf import pymupdf
from app.worker.render.documents import OpenDocuments
from app.worker.render.main import MAX_PIXELS, fitting_scale

REPOSITORY = Path(__file__).parents[3]
SHARED_FILES = Path(__file__).parents[4] / "shared/data/files"


class Renderer:
    """A running renderer."""

    def __init__(self) -> None:
        self.process = subprocess.Popen(
            worker_command("render"),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            env=worker_environment() | {"PYTHONPATH": str(REPOSITORY)},
        )
        self.hello = self.read()

    def read(self) -> Message:
        message = read_message(self.process.stdout)  # type: ignore[arg-type]  # a pipe, by the arguments above
        assert message is not None
        return message

    def draw(self, path: Path | str, page: int = 1, scale: float = 1.0) -> Message:
        request = to_message(DrawPage(path=str(path), page=page, scale=scale), id="r1")
        assert self.process.stdin is not None
        self.process.stdin.write(encode(request))
        self.process.stdin.flush()
        return self.read()

    def close(self) -> int:
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        self.process.stdin.close()
        code = self.process.wait(timeout=30)
        self.process.stdout.close()
        return code


@pytest.fixture(scope="module")
def renderer() -> Iterator[Renderer]:
    running = Renderer()
    yield running
    assert running.close() == 0


@pytest.fixture
def document(tmp_path: Path) -> Path:
    made = pymupdf.open()
    made.new_page(width=200, height=100).draw_rect((0, 0, 100, 100), fill=(1, 0, 0), color=None)
    made.new_page(width=200, height=100).set_rotation(90)
    return saved(made, tmp_path / "document.pdf")


def saved(made: Any, path: Path, **options: Any) -> Path:
    made.save(path, **options)
    made.close()
    return path


def pixel(message: Message, x: int, y: int) -> tuple[int, ...]:
    at = y * message.body["stride"] + 3 * x
    return tuple(message.payload[at : at + 3])


def test_it_says_hello(renderer: Renderer) -> None:
    assert renderer.hello.type == "hello"
    assert renderer.hello.body["kind"] == "render"


def test_a_page_comes_as_pixels(renderer: Renderer, document: Path) -> None:
    image = renderer.draw(document, scale=1.5)
    assert image.type == "done"
    assert (image.body["page"], image.body["width"], image.body["height"]) == (1, 300, 150)
    assert len(image.payload) == image.body["stride"] * 150
    assert pixel(image, 10, 75) == (255, 0, 0)
    assert pixel(image, 290, 75) == (255, 255, 255)


def test_a_turned_page_comes_as_it_is_shown(renderer: Renderer, document: Path) -> None:
    image = renderer.draw(document, page=2)
    assert (image.body["width"], image.body["height"]) == (100, 200)


def test_the_picture_stays_under_the_limit_of_pixels(renderer: Renderer, tmp_path: Path) -> None:
    made = pymupdf.open()
    made.new_page(width=5000, height=5000)
    image = renderer.draw(saved(made, tmp_path / "large.pdf"), scale=8)
    assert MAX_PIXELS * 0.9 < image.body["width"] * image.body["height"] <= MAX_PIXELS
    assert fitting_scale(600, 800, float("nan")) == 1.0
    assert fitting_scale(600, 800, 0.0) == 0.1
    assert fitting_scale(100, 100, 99.0) == 8.0


def test_a_changed_file_is_read_anew(renderer: Renderer, document: Path) -> None:
    assert renderer.draw(document).body["width"] == 200
    made = pymupdf.open()
    made.new_page(width=321, height=100)
    saved(made, document)
    assert renderer.draw(document).body["width"] == 321


def test_names_of_all_kinds(renderer: Renderer, document: Path, tmp_path: Path) -> None:
    for name in ("with space é 中文 😀.pdf", "x" * 200 + ".pdf", os.fsdecode(b"latin-\xe9.pdf")):
        path = tmp_path / name
        path.write_bytes(document.read_bytes())
        assert renderer.draw(path).type == "done", name


@pytest.mark.parametrize(
    ("name", "content", "page", "code"),
    [
        ("absent.pdf", None, 1, "document.source_missing"),
        ("text.txt", b"words", 1, "page.not_renderable"),
        ("empty.pdf", b"", 1, "page.not_renderable"),
        ("broken.pdf", b"%PDF-1.7 nothing", 1, "pdf.damaged"),
    ],
)
def test_failures_have_words(
    renderer: Renderer, tmp_path: Path, name: str, content: bytes | None, page: int, code: str
) -> None:
    if content is not None:
        (tmp_path / name).write_bytes(content)
    error = renderer.draw(tmp_path / name, page)
    assert (error.type, error.body["code"]) == ("error", code)
    assert error.body["message"].endswith(".")


def test_pages_that_do_not_exist(renderer: Renderer, document: Path) -> None:
    for page in (0, -1, 3, 10**9):
        error = renderer.draw(document, page)
        assert error.body["code"] == "page.not_found"
        assert "has 2" in error.body["message"]


def test_a_password(renderer: Renderer, tmp_path: Path) -> None:
    made = pymupdf.open()
    made.new_page()
    path = saved(made, tmp_path / "a.pdf", encryption=pymupdf.PDF_ENCRYPT_AES_256, user_pw="x", owner_pw="y")
    assert renderer.draw(path).body["code"] == "pdf.password"


def test_a_picture_too_large_for_its_memory(renderer: Renderer, tmp_path: Path) -> None:
    """An image that would take 4.3 GB decoded ends in words, or is drawn reduced; the renderer lives on."""
    side = 37_000
    made = pymupdf.open()
    page = made.new_page()
    pixels = pymupdf.Pixmap(pymupdf.csRGB, pymupdf.IRect(0, 0, 2, 2))
    pixels.set_rect(pixels.irect, (1, 2, 3))
    page.insert_image(page.rect, pixmap=pixels)
    xref = page.get_images()[0][0]
    made.xref_set_key(xref, "Width", str(side))
    made.xref_set_key(xref, "Height", str(side))
    outcome = renderer.draw(saved(made, tmp_path / "bomb.pdf"))
    assert outcome.type == "done" or outcome.body["code"] in ("page.too_large", "pdf.damaged")
    good = pymupdf.open()
    good.new_page()
    assert renderer.draw(saved(good, tmp_path / "good.pdf")).type == "done"


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="the sandbox exists on Linux only")
def test_it_runs_confined(renderer: Renderer) -> None:
    status = Path(f"/proc/{renderer.process.pid}/status").read_text()
    fields = dict(line.split(":\t", 1) for line in status.splitlines() if ":\t" in line)
    assert fields["Seccomp"] == "2"
    assert fields["NoNewPrivs"] == "1"
    assert int(fields["CapEff"], 16) == 0


def test_only_the_last_few_documents_stay_open(tmp_path: Path) -> None:
    documents = OpenDocuments(max_open=2)
    opened = []
    for number in range(3):
        made = pymupdf.open()
        made.new_page()
        opened.append(documents.get(str(saved(made, tmp_path / f"{number}.pdf"))))
    assert [document.is_closed for document in opened] == [True, False, False]
    assert documents.get(str(tmp_path / "2.pdf")) is opened[2]
    documents.close()
    assert all(document.is_closed for document in opened)


@pytest.mark.slow
@pytest.mark.skipif(not SHARED_FILES.exists(), reason="the shared test data is not here")
def test_every_shared_file_is_drawn_or_refused_in_words(renderer: Renderer) -> None:
    for path in sorted(SHARED_FILES.glob("*/*")):
        outcome = renderer.draw(path)
        assert outcome.type == "done" or outcome.body["code"] != "render.failed", path.name
