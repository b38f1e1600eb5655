"""Make the documents of the drills: a long text PDF with one known fact deep inside, and many small files."""

import random
from pathlib import Path

FACT_PAGE = 187
FACT = "The reserve pump of the Aldermoor station was replaced on 14 March 1987 at a cost of 41,250 pounds."
QUESTION = "When was the reserve pump of the Aldermoor station replaced?"

SPOKEN_FACT = (
    "The reserve pump of the northern station was replaced in March 1987 and cost forty thousand pounds."
)
SPOKEN_QUESTION = "When was the reserve pump of the northern station replaced?"
"""In plain words: a name that no speech model knows would tell nothing about the way that words take."""

_SUBJECTS = [
    "the valve",
    "the northern pipeline",
    "the inspector",
    "the annual report",
    "the control room",
    "a contractor",
]
_VERBS = ["describes", "requires", "records", "follows", "exceeds", "confirms", "limits", "replaces"]
_OBJECTS = [
    "the agreed schedule",
    "a pressure of {} bar",
    "the test of day {}",
    "form {}",
    "section {} of the manual",
]


def sentence(rng: random.Random) -> str:
    """Give one plain sentence."""
    text = f"{rng.choice(_SUBJECTS)} {rng.choice(_VERBS)} {rng.choice(_OBJECTS).format(rng.randint(2, 900))}"
    return text[0].upper() + text[1:] + "."


def make_pdf(
    path: Path, n_pages: int = 243, words_per_page: int = 350, seed: int = 7, fact_page: int = FACT_PAGE
) -> None:
    """Write a text PDF of n_pages with FACT on one of them."""
    import pymupdf

    rng = random.Random(seed)
    document = pymupdf.open()
    for number in range(1, n_pages + 1):
        sentences: list[str] = []
        while sum(len(text.split()) for text in sentences) < words_per_page:
            sentences.append(sentence(rng))
        if number == fact_page:
            sentences.insert(len(sentences) // 2, FACT)
        page = document.new_page()
        page.insert_text(
            (72, 60), f"Chapter {(number - 1) // 20 + 1}: Operations, page {number}", fontsize=13
        )
        page.insert_textbox((72, 80, 523, 780), " ".join(sentences), fontsize=10)
    document.save(path)
    document.close()


def make_notes(folder: Path, n_files: int, seed: int = 11, first: int = 0) -> list[Path]:
    """Write n_files small text files with distinct content, numbered from `first`; give their paths."""
    rng = random.Random(seed + first)
    folder.mkdir(parents=True, exist_ok=True)
    paths = []
    for number in range(first, first + n_files):
        path = folder / f"note {number:04d} é 中文 🙂.txt"
        body = " ".join(sentence(rng) for _ in range(rng.randint(5, 60)))
        path.write_text(f"Note number {number} has the code K{number:05d}.\n\n{body}\n", encoding="utf-8")
        paths.append(path)
    return paths
