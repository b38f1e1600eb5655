"""The list of parts of a bundle (software bill of materials), as CycloneDX 1.6 JSON.

What is in the list follows from the files that PyInstaller took, not from what was asked for.

Source: the CycloneDX 1.6 JSON reference.
"""

from __future__ import annotations

import ast
import datetime
import json
import os
import platform
import re
import subprocess
import sys
import time
import uuid
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path
from urllib.parse import quote

from scripts.package.inside import inside
from scripts.package.staging import INTERNAL
from scripts.setup.layout import Layout
from scripts.setup.model_pins import CHAT_MODEL, STARTER_MODELS, ModelPackage

FILE = Path(INTERNAL) / "resources" / "sbom.cdx.json"
LICENCE_PROPERTY = "h2ogpt:licence-file"

# What a package's own words do not say as an SPDX expression, by normal name.
EXPRESSIONS = {
    "apsw-sqlite3mc": "Zlib AND MIT",  # APSW's text, and that of SQLite3MultipleCiphers inside
    "pathvalidate": "MIT",
    "pyyaml": "MIT",
    "overrides": "Apache-2.0",
    "pyinstaller": "GPL-2.0-or-later WITH Bootloader-exception",
    "pymupdf": "AGPL-3.0-only",
    "pyside6-essentials": "LGPL-3.0-only",
    "shiboken6": "LGPL-3.0-only",
}
_SYSTEM_EXPRESSIONS = {
    "libbz2": "bzip2-1.0.6",
    "libdb": "Sleepycat",
    "libexpat": "MIT",
    "libffi": "MIT",
    "libgomp": "GPL-3.0-or-later WITH GCC-exception-3.1",
    "libjack": "LGPL-2.1-or-later",
    "liblzma": "0BSD",
    "libportaudio": "MIT",
    "libsqlite3": "blessing",
    "libssl": "Apache-2.0",
    "libuuid": "BSD-3-Clause",
    "libxcb": "X11",
    "libzstd": "BSD-3-Clause",
    "zlib": "Zlib",
}
_MODEL_TEXTS = {"MIT": "whisper.txt"}  # the other licences are standard texts
_CLASSIFIERS = {
    "Apache Software License": "Apache-2.0",
    "BSD License": "BSD-3-Clause",
    "ISC License (ISCL)": "ISC",
    "MIT License": "MIT",
    "Mozilla Public License 2.0 (MPL 2.0)": "MPL-2.0",
    "Python Software Foundation License": "PSF-2.0",
}


@dataclass(frozen=True)
class Part:
    """One part of the bundle.

    Attributes:
        name: Of the package, library or model.
        version: Its own.
        licence: SPDX expression or the words of its author; empty where unknown.
        kind: ``library`` or ``machine-learning-model``.
        purl: Package address; empty where it has none.
        licence_file: Its text in ``resources/licences``; empty where there is none.
        source: ``python``, ``system`` or ``own``: where the text of its licence is looked for.
    """

    name: str
    version: str
    licence: str
    kind: str = "library"
    purl: str = ""
    licence_file: str = ""
    source: str = "python"


def parts_of(toc_dir: Path, carried: Iterable[str], layout: Layout) -> list[Part]:
    """Return every part of a frozen program.

    Args:
        toc_dir: PyInstaller's work folder, whose tables name each file that it took.
        carried: Names of system libraries that travel along.
        layout: Where the environment and the models' pins are.
    """
    used = set(paths_in(toc_dir))
    parts = [Part("Python", platform.python_version(), "PSF-2.0", source="own", licence_file="python.txt")]
    for item in metadata.distributions():
        taken = _taken(item, used)
        if taken:
            parts += [python_part(item), *_parts_inside(item, taken)]
    parts += [_engine_part(), _legacy_part(layout)]
    parts += system_parts(carried)
    parts += [
        Part(
            _model_name(model),
            model.version,
            model.licence,
            "machine-learning-model",
            licence_file=_MODEL_TEXTS.get(model.licence, ""),
            source="own",
        )
        for model in STARTER_MODELS
    ]
    return sorted(_named_once(parts), key=lambda part: part.name.lower())


def without_chat_model(parts: Iterable[Part]) -> list[Part]:
    """Return the parts of the variant that brings no chat model."""
    return [part for part in parts if part.name != _model_name(CHAT_MODEL)]


def _model_name(model: ModelPackage) -> str:
    return model.title.split(" (")[0]


def _named_once(parts: Iterable[Part]) -> Iterator[Part]:
    seen = set()
    for part in parts:
        if part.name.lower() not in seen:
            seen.add(part.name.lower())
            yield part


def paths_in(toc_dir: Path) -> Iterator[str]:
    """Yield the source path of each file in PyInstaller's tables of contents."""
    for toc in sorted(toc_dir.glob("*/*.toc")):
        if toc.name.startswith(("PYZ", "COLLECT")):
            for row in _rows(ast.literal_eval(toc.read_text(encoding="utf-8"))):
                yield os.path.realpath(row)


def _rows(value: object) -> Iterator[str]:
    """Yield the second field of each (name, source, kind) in nested lists."""
    if isinstance(value, tuple) and len(value) == 3 and all(isinstance(item, str) for item in value):
        yield value[1]
    elif isinstance(value, tuple | list):
        for item in value:
            yield from _rows(item)


def _taken(distribution: metadata.Distribution, used: set[str]) -> list[str]:
    """Return those of a package's files that the program takes."""
    files = distribution.files or []
    return [
        str(file)
        for file in files
        if ".dist-info" not in str(file) and os.path.realpath(str(file.locate())) in used
    ]


def _parts_inside(distribution: metadata.Distribution, taken: list[str]) -> Iterator[Part]:
    """Yield what stands inside a package's wheel under licences of its own."""
    name = str(distribution.metadata["Name"])
    for item in inside(normal(name), taken):
        yield Part(
            name=item.name,
            version=f"in {name} {distribution.version}",
            licence=item.licence,
            kind=item.kind,
            licence_file=item.text,
            source="own",
        )


def python_part(distribution: metadata.Distribution) -> Part:
    """Return the part that an installed Python package is."""
    name = distribution.metadata["Name"]
    return Part(
        name=name,
        version=distribution.version,
        licence=licence_of(distribution),
        purl=f"pkg:pypi/{normal(name)}@{quote(distribution.version)}",
    )


def normal(name: str) -> str:
    """Return a Python package's name as indexes write it."""
    return re.sub(r"[-_.]+", "-", name).lower()


def licence_of(distribution: metadata.Distribution) -> str:
    """Return a package's licence as an SPDX expression where it can be known, else in its author's words."""
    fields = distribution.metadata
    known = EXPRESSIONS.get(normal(fields["Name"]))
    if known or "License-Expression" in fields:
        return known or fields["License-Expression"]
    for classifier in fields.get_all("Classifier") or []:
        name = classifier.rpartition(" :: ")[2]
        if classifier.startswith("License ::") and name in _CLASSIFIERS:
            return _CLASSIFIERS[name]
    words = fields["License"].strip().splitlines() if "License" in fields else []
    return words[0][:80].strip() if words else ""


def _engine_part() -> Part:
    return Part(
        "llama.cpp", f"in llama-cpp-python {metadata.version('llama-cpp-python')}", "MIT", source="own"
    )


def _legacy_part(layout: Layout) -> Part:
    pin = (layout.requirements_dir / "legacy.txt").read_text(encoding="utf-8")
    found = re.search(r"^ctransformers==(\S+)", pin, re.MULTILINE)
    version = found[1] if found else ""
    return Part("ctransformers", version, "MIT", purl=f"pkg:pypi/ctransformers@{version}", source="own")


def system_parts(carried: Iterable[str]) -> list[Part]:
    """Return the parts that are libraries of the build machine's system (Debian and Ubuntu)."""
    if sys.platform != "linux":
        return []
    packages = list(dict.fromkeys(_packages_of(carried)))
    parts = []
    for package, version in _versions(packages).items():
        licence = next((text for key, text in _SYSTEM_EXPRESSIONS.items() if package.startswith(key)), "")
        purl = f"pkg:deb/{_distribution()}/{package}@{quote(version, safe=':')}"
        parts.append(Part(package, version, licence, purl=purl, source="system"))
    return parts


def _packages_of(names: Iterable[str]) -> Iterator[str]:
    """Yield the package that brings each library. One question for all: each takes a tenth of a second."""
    foreign = ("libpython", "libQt", "libicu", "libpyside", "libshiboken")
    left = dict.fromkeys(name for name in names if not name.startswith(foreign))
    if not left:
        return
    command = ["dpkg-query", "-S", *(f"*/{name}" for name in left)]
    for line in subprocess.run(command, capture_output=True, text=True, check=False).stdout.splitlines():
        owner, _, path = line.partition(": ")
        name = path.rpartition("/")[2]
        if name in left and not owner.startswith("diversion "):
            del left[name]
            yield re.split(r"[:,]", owner)[0]


def _versions(packages: Iterable[str]) -> dict[str, str]:
    """Return the versions of installed packages by name."""
    command = ["dpkg-query", "-W", "-f=${Package}\t${Version}\n", *packages]
    if len(command) == 3:
        return {}
    lines = subprocess.run(command, capture_output=True, text=True, check=False).stdout.splitlines()
    return dict(line.split("\t", 1) for line in lines)


def _distribution() -> str:
    """Return which system's packages these are: `debian` or `ubuntu`."""
    try:
        return platform.freedesktop_os_release()["ID"]
    except OSError:
        return "debian"


def write(parts: Iterable[Part], version: str, path: Path) -> None:
    """Write the list to a file."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(
        json.dumps(document(parts, version), indent=1, ensure_ascii=False) + "\n", encoding="utf-8"
    )


def document(parts: Iterable[Part], version: str) -> dict[str, object]:
    """Return the CycloneDX document."""
    # SOURCE_DATE_EPOCH: the same source gives the same bundle.
    epoch = os.environ.get("SOURCE_DATE_EPOCH")
    moment = datetime.datetime.fromtimestamp(int(epoch or time.time()), datetime.UTC)
    components = [_component(part) for part in parts]
    name = json.dumps([version, components])
    return {
        "bomFormat": "CycloneDX",
        "specVersion": "1.6",
        "serialNumber": f"urn:uuid:{uuid.uuid5(uuid.NAMESPACE_OID, name)}",
        "version": 1,
        "metadata": {
            "timestamp": moment.strftime("%Y-%m-%dT%H:%M:%SZ"),
            "component": {
                "type": "application",
                "name": "h2ogpt-desktop",
                "version": version,
                "licenses": [{"license": {"id": "Apache-2.0"}}],
            },
        },
        "components": components,
    }


def _component(part: Part) -> dict[str, object]:
    component: dict[str, object] = {"type": part.kind, "name": part.name, "version": part.version}
    if part.licence:
        component["licenses"] = [_licence(part.licence)]
    if part.purl:
        component["purl"] = part.purl
    if part.licence_file:
        component["properties"] = [{"name": LICENCE_PROPERTY, "value": part.licence_file}]
    return component


def _licence(words: str) -> dict[str, object]:
    if re.fullmatch(r"\(?[A-Za-z0-9.+-]+\)?( (AND|OR|WITH) \(?[A-Za-z0-9.+-]+\)?)+", words):
        return {"expression": words}
    if re.fullmatch(r"[A-Za-z]+[A-Za-z0-9]*(-[A-Za-z0-9.]+)+|MIT|ISC|Zlib|0BSD|Unlicense", words):
        return {"license": {"id": words}}
    return {"license": {"name": words}}
