"""The settings in `settings.json`: read once, written whole, never lost to a bad file."""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from app.core.errors import StorageError
from app.core.settings import SCHEMA_VERSION, Settings, updated
from app.host.services.json_file import keep_aside, read_object, write_object
from app.host.services.ports import Events, Handler, RequestContext
from app.protocol.body import Body
from app.protocol.system import Check, GetSettings, Notice, SettingsBody, SettingsChanged, UpdateSettings

MAX_FILE_BYTES = 1_000_000


class SettingsService:
    """Keeps the settings (ports.SettingsPort).

    A file that cannot be understood is kept aside as `settings.json.bad-N`, and what could be read of it
    counts. A file of a newer version is used as far as it is understood and never written.
    """

    def __init__(self, path: Path, events: Events) -> None:
        """Name the file; it is read at first use."""
        self._path, self._events = path, events
        self._settings: Settings | None = None
        self._refusal: StorageError | None = None
        self._listeners: list[Callable[[Settings], None]] = []

    def handlers(self) -> Mapping[type[Body], Handler]:
        """Give the handlers by request type."""
        return {GetSettings: self._get, UpdateSettings: self._update}

    def current(self) -> Settings:
        """Give the settings as they are now."""
        if self._settings is None:
            self._settings = self._load()
        return self._settings

    def check(self) -> Check:
        """Report the state of the file for the doctor."""
        self.current()
        if self._refusal is not None:
            return Check(
                name="settings.file",
                status="warning",
                detail=self._refusal.user_message,
                hint=self._refusal.hint,
            )
        aside = sorted(self._path.parent.glob(f"{self._path.name}.bad-*"))
        if aside:
            return Check(
                name="settings.file",
                status="warning",
                detail=f"Damaged settings were kept aside {len(aside)} times, last as {aside[-1].name}.",
                hint="Delete them when you do not need them.",
            )
        return Check(name="settings.file", status="ok", detail="The settings can be read.")

    async def _get(self, request: GetSettings, context: RequestContext) -> SettingsBody:
        return SettingsBody(values=self.current().model_dump())

    def listen(self, on_change: Callable[[Settings], None]) -> None:
        """Set what is called after each change."""
        self._listeners.append(on_change)

    async def _update(self, request: UpdateSettings, context: RequestContext) -> SettingsBody:
        return SettingsBody(values=self.change(request.values).model_dump())

    def change(self, values: dict[str, Any]) -> Settings:
        """Change some of them, keep and announce them.

        Raises:
            UsageError: `settings.invalid`, naming the first bad value.
            StorageError: the file cannot or must not be written.
        """
        settings = updated(self.current(), values)
        if self._refusal is not None:
            raise self._refusal
        self._write(settings.model_dump())
        self._settings = settings
        self._events.publish(SettingsChanged(values=settings.model_dump()))
        for on_change in self._listeners:
            on_change(settings)
        return settings

    def _load(self) -> Settings:
        try:
            values = read_object(self._path, MAX_FILE_BYTES)
        except FileNotFoundError:
            return Settings()
        except OSError as error:
            self._refusal = StorageError(
                "settings.unreadable",
                f"The settings cannot be read ({error.strerror}); the program's own ones are used.",
                f"Make {self._path} readable for you and start the program again.",
            )
            self._tell(self._refusal.code, self._refusal.user_message, self._refusal.hint)
            return Settings()
        except ValueError:
            return self._start_anew({})
        version = values.get("schema_version", SCHEMA_VERSION)
        if isinstance(version, int) and version > SCHEMA_VERSION:
            self._refuse_newer(version)
            return _salvaged(values)
        try:
            return Settings.model_validate(values)
        except ValidationError:
            return self._start_anew(values)

    def _start_anew(self, values: dict[str, Any]) -> Settings:
        """Keep a bad file aside, and what is good in it."""
        settings = _salvaged(values)
        try:
            aside = keep_aside(self._path)
            self._write(settings.model_dump())
        except OSError as error:
            self._tell(
                "settings.damaged",
                "The settings are damaged and could not be replaced; the program's own ones are used.",
                f"{error.strerror}: check the data folder.",
            )
            return settings
        self._tell(
            "settings.damaged",
            f"The settings were damaged. The old file is kept as {aside.name}; what could be read is used.",
            "Look through the settings.",
        )
        return settings

    def _refuse_newer(self, version: int) -> None:
        self._refusal = StorageError(
            "settings.newer",
            "The settings were written by a newer version of the program; they are used, but not changed.",
            "Update the program to change settings.",
            {"schema_version": version},
        )
        self._tell(self._refusal.code, self._refusal.user_message, self._refusal.hint)

    def _tell(self, code: str, message: str, hint: str) -> None:
        self._events.publish(Notice(severity="warning", code=code, message=message, hint=hint))

    def _write(self, values: dict[str, Any]) -> None:
        """Store the file so that a crash leaves the old or the new one.

        Raises:
            StorageError: it cannot be written (`settings.not_saved`).
        """
        try:
            write_object(self._path, values)
        except OSError as error:
            raise StorageError(
                "settings.not_saved",
                f"The settings could not be saved ({error.strerror}).",
                "Check that the disk is not full and that the data folder can be written.",
            ) from error


def _salvaged(values: dict[str, Any]) -> Settings:
    """Give the settings without the values that are not valid."""
    good = dict(values)
    try:
        return Settings.model_validate(good)
    except ValidationError as error:
        for problem in error.errors():
            good.pop(str(problem["loc"][0]), None)
    return Settings.model_validate(good)
