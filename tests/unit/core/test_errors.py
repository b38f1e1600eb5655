"""The family of errors carries what the user is told."""

import pytest

from app.core import errors
from app.core.errors import AppError
from app.protocol.system import ErrorBody


@pytest.mark.parametrize(
    "family", ["UsageError", "NotFoundError", "FileError", "ModelError", "WorkerError", "StorageError"]
)
def test_each_is_an_app_error(family: str) -> None:
    cls = getattr(errors, family)
    error = cls("a.b", "What.", "Then.", {"n": 1})
    assert isinstance(error, AppError) and str(error) == "a.b: What."
    assert error.to_body() == ErrorBody(code="a.b", message="What.", hint="Then.", context={"n": 1})


def test_hint_and_context_are_optional() -> None:
    assert AppError("a.b", "What.").to_body() == ErrorBody(code="a.b", message="What.")
