"""Names from the hub: what may become a file, and what a name tells."""

import pytest

from app.core.errors import UsageError
from app.core.hub_names import (
    MAX_NAME_BYTES,
    Part,
    checked_file_name,
    checked_repository,
    checked_revision,
    is_projector,
    part_of,
    parts_of,
    printable,
    quantization_of,
)


@pytest.mark.parametrize("name", ["Qwen/Qwen2.5-7B-Instruct-GGUF", "a/b", "TheBloke/x_y.z"])
def test_repositories(name: str) -> None:
    assert checked_repository(name) == name


@pytest.mark.parametrize(
    "name",
    ["", "a", "a/b/c", "../b", "a/..", "a/.b", "a b/c", "a/b?x", "a/b#", "a--b/c", "a\\b", "a/b\n", "é/b"],
)
def test_what_is_no_repository(name: str) -> None:
    with pytest.raises(UsageError, match=r"hub\.bad_name"):
        checked_repository(name)


def test_revisions() -> None:
    for name in ("", "main", "refs/pr/1", "0123456789abcdef0123456789abcdef01234567", "v1.0"):
        assert checked_revision(name) == name
    for name in ("../x", "a//b", "/x", "a b", "x?y"):
        with pytest.raises(UsageError, match=r"hub\.bad_name"):
            checked_revision(name)


def test_a_file_gets_the_last_part_of_its_path() -> None:
    assert checked_file_name("Q4_K_M/model-00001-of-00002.gguf") == "model-00001-of-00002.gguf"
    assert checked_file_name("Modèle 7B.gguf") == "Modèle 7B.gguf"
    assert checked_file_name("console.gguf") == "console.gguf"


@pytest.mark.parametrize(
    "path",
    [
        *(
            "",
            "/",
            "a/",
            "/a",
            "../a",
            "a/../b",
            "./a",
            "a//b",
            "..",
            ".",
            ".a",
            "~a",
            "-a",
            " a",
            "a ",
            "a.",
        ),
        *("a\\b", "C:a", "a:b", "a*", "a?", "a|b", "a<", "a>", 'a"', "a\0", "a\n", "a\u202eb", "a\u200bb"),
        *("con", "CON.gguf", "con .gguf", "Aux", "nul.tar.gz", "COM1", "lpt9.x", "com¹", "CONIN$", "x/prn/y"),
        *("x" * (MAX_NAME_BYTES + 1), "é" * MAX_NAME_BYTES, "/".join("abcdefghijk"), "a\udc80"),
    ],
)
def test_names_that_are_refused(path: str) -> None:
    with pytest.raises(UsageError, match=r"download\.bad_name"):
        checked_file_name(path)


def test_untrusted_text_becomes_one_short_line() -> None:
    assert printable("a\n\tb\u202ec") == "a b c"
    assert printable("x" * 50, 10) == "xxxxxxxxx…"


def test_parts() -> None:
    assert part_of("a/m-00002-of-00003.gguf") == Part("a/m", 2, 3)
    for path in (
        "m.gguf",
        "m-00004-of-00003.gguf",
        "m-00000-of-00003.gguf",
        "m-00001-of-00001.gguf",
        "m-1-of-3.gguf",
    ):
        assert part_of(path) is None
    paths = ["m-00002-of-00002.gguf", "other.gguf", "m-00001-of-00002.gguf", "n-00001-of-00002.gguf"]
    assert parts_of("m-00001-of-00002.gguf", paths) == ("m-00001-of-00002.gguf", "m-00002-of-00002.gguf")
    assert parts_of("other.gguf", paths) == ("other.gguf",)
    with pytest.raises(UsageError, match=r"only 1 of the 2 parts"):
        parts_of("n-00001-of-00002.gguf", paths)


def test_projectors() -> None:
    assert is_projector("mmproj-model-f16.gguf") and is_projector("x/Model.mmproj-Q8_0.GGUF")
    assert not is_projector("model.gguf") and not is_projector("mmproj.bin")


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        ("Qwen2.5-7B-Instruct-Q4_K_M.gguf", "Q4_K_M"),
        ("dir/model.q8_0.gguf", "Q8_0"),
        ("model-IQ3_XXS.gguf", "IQ3_XXS"),
        ("model-UD-Q4_K_XL.gguf", "UD-Q4_K_XL"),
        ("model-f16.gguf", "F16"),
        ("model-BF16-00001-of-00002.gguf", "BF16"),
        ("gpt-oss-20b-mxfp4.gguf", "MXFP4"),
        ("model-TQ1_0.gguf", "TQ1_0"),
        ("Q4_0.gguf", "Q4_0"),
        ("model-Q8_0-v2.gguf", "Q8_0"),
        ("model.gguf", ""),
        ("Q4you.gguf", ""),
    ],
)
def test_quantization(path: str, expected: str) -> None:
    assert quantization_of(path) == expected
