"""Make Qt impossible to import, in this process and in every Python process that it starts.

``scripts/test.py`` puts this folder on ``PYTHONPATH`` for the tests that must pass without PySide6:
import-linter cannot see what is imported through ``importlib``.
"""

import sys
from collections.abc import Sequence
from importlib.abc import MetaPathFinder
from importlib.machinery import ModuleSpec
from types import ModuleType

BLOCKED = frozenset({"PySide6", "shiboken6", "qasync"})


class QtBlocker(MetaPathFinder):
    """Refuse Qt's packages, as on a machine where they are not installed."""

    def find_spec(
        self, fullname: str, path: Sequence[str] | None = None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        """Raise for a blocked package; leave every other to the next finder.

        Raises:
            ModuleNotFoundError: The package is one of Qt's.
        """
        if fullname.partition(".")[0] in BLOCKED:
            raise ModuleNotFoundError(
                f"No module named {fullname!r} (blocked by this test run)", name=fullname
            )
        return None


sys.meta_path.insert(0, QtBlocker())
