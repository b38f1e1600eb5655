"""Read the public test collections that the retrieval figures are measured on.

Cranfield: 1,400 abstracts with 225 queries and judgements. XQuAD: 48 articles of 5 paragraphs, 1,190
    questions, in several languages.
"""

import json
import re
from dataclasses import dataclass
from pathlib import Path

_FIELD = re.compile(r"^\.([ITABW])(?:[ ](\d+))?\s*$", re.MULTILINE)
_NOT_RELEVANT = -1
"""Cranfield's codes run from 1 (a complete answer) to 4 (of minimum interest); -1 is no interest."""


@dataclass(frozen=True)
class Text:
    """One document of a collection.

    Attributes:
        key: names it in the judgements.
        group: what is taken out together (the article of a paragraph).
    """

    key: str
    title: str
    text: str
    group: str


@dataclass(frozen=True)
class Query:
    """A question and the documents that answer it, each with its gain (more is better)."""

    key: str
    text: str
    gains: dict[str, float]
    group: str


@dataclass(frozen=True)
class Corpus:
    """A test collection."""

    name: str
    texts: list[Text]
    queries: list[Query]


def load_cranfield(directory: Path) -> Corpus:
    """Read the collection from `cran.all.1400`, `cran.qry` and `cranqrel`.

    A judged document counts as relevant or not; the four grades of relevance are not told apart, as is usual.
    """
    texts = []
    for fields in _records((directory / "cran.all.1400").read_text("latin-1")):
        body = " ".join(fields.get("W", "").split())
        title = " ".join(fields.get("T", "").split())
        texts.append(Text(fields["I"], title, body or title, fields["I"]))
    gains: dict[str, dict[str, float]] = {}
    for line in (directory / "cranqrel").read_text("latin-1").splitlines():
        query, document, code = line.split()[:3]
        if int(code) != _NOT_RELEVANT:
            gains.setdefault(query, {})[document] = 1.0
    queries = []
    # The judgements count queries by their place in the file, not by the number written there.
    for number, fields in enumerate(_records((directory / "cran.qry").read_text("latin-1")), start=1):
        text = " ".join(fields["W"].split())
        queries.append(Query(str(number), text, gains.get(str(number), {}), ""))
    return Corpus("cranfield", texts, queries)


def _records(content: str) -> list[dict[str, str]]:
    records: list[dict[str, str]] = []
    marks = list(_FIELD.finditer(content))
    for number, mark in enumerate(marks):
        end = marks[number + 1].start() if number + 1 < len(marks) else len(content)
        if mark.group(1) == "I":
            records.append({"I": str(int(mark.group(2)))})
        else:
            records[-1][mark.group(1)] = content[mark.end() : end].strip()
    return records


def load_xquad(directory: Path, language: str) -> Corpus:
    """Read one language; a paragraph is a document, entitled with its article's title."""
    content = json.loads((directory / f"xquad.{language}.json").read_text("utf-8"))
    texts, queries = [], []
    for article in content["data"]:
        title = article["title"].replace("_", " ")
        for number, paragraph in enumerate(article["paragraphs"]):
            key = f"{article['title']}/{number}"
            texts.append(Text(key, title, paragraph["context"], article["title"]))
            for question in paragraph["qas"]:
                queries.append(Query(question["id"], question["question"], {key: 1.0}, article["title"]))
    return Corpus(f"xquad-{language}", texts, queries)
