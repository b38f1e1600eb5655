"""The errors of the program.

    AppError                what the user is told, with a next step
    ├── UsageError          a request that makes no sense: bad name, unknown collection, empty question
    ├── NotFoundError       something named does not exist (model, document, conversation, page)
    ├── FileError           a user's file cannot be read or used: damaged, password, too large, vanished
    ├── ModelError          a model cannot be loaded or run
    ├── WorkerError         a background process died, hangs or speaks nonsense
    └── StorageError        the data folder cannot be used: disk full, read-only, damaged, newer schema

Core raises; adapters translate with `raise … from`; only front ends speak.
"""

from collections.abc import Mapping
from typing import Any

from app.protocol.system import ErrorBody


class AppError(Exception):
    """An error that the user can read.

    Attributes:
        code: stable name for programs, `noun.reason`.
        user_message: what happened, in plain words.
        hint: the next step; empty where there is none.
        context: facts for logs and tests; no user text.
    """

    def __init__(
        self, code: str, user_message: str, hint: str = "", context: Mapping[str, Any] | None = None
    ) -> None:
        """Keep the parts; `str()` gives code and message."""
        super().__init__(f"{code}: {user_message}")
        self.code = code
        self.user_message = user_message
        self.hint = hint
        self.context = dict(context or {})

    def to_body(self) -> ErrorBody:
        """Give the protocol's form."""
        return ErrorBody(code=self.code, message=self.user_message, hint=self.hint, context=self.context)


class UsageError(AppError):
    """A request that makes no sense."""


class NotFoundError(AppError):
    """Something named does not exist."""


class FileError(AppError):
    """A user's file cannot be read or used."""


class ModelError(AppError):
    """A model cannot be loaded or run."""


class WorkerError(AppError):
    """A background process died, hangs or speaks nonsense."""


class StorageError(AppError):
    """The data folder cannot be used."""
