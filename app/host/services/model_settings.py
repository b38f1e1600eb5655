"""Settings of each model in `model_settings.json`; what is not set there follows the program's settings."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from app.core.errors import UsageError
from app.core.model_settings import ModelSettings
from app.host.services.json_file import JsonFile
from app.host.services.ports import GenerationOptions, SettingsPort
from app.protocol.engine import Sampling
from app.protocol.models import ModelSettingsBody

SCHEMA_VERSION = 1
# Names under which the program's own settings hold the value that a model follows.
_FOLLOWED = (
    "context_length",
    "n_threads",
    "max_tokens",
    "temperature",
    "top_p",
    "top_k",
    "min_p",
    "repeat_penalty",
)
_SAMPLING = (
    "typical_p",
    "top_n_sigma",
    "xtc_probability",
    "xtc_threshold",
    "frequency_penalty",
    "presence_penalty",
    "repeat_window",
    "dry_multiplier",
    "dry_base",
    "dry_allowed_length",
    "temperature_range",
    "temperature_exponent",
    "mirostat",
    "mirostat_tau",
    "mirostat_eta",
)


class ModelSettingsStore:
    """Keeps what was set for each model, by its name."""

    def __init__(self, path: Path, settings: SettingsPort) -> None:
        """Name the file; it is read at first use."""
        self._file, self._settings = JsonFile(path, "The settings of the model"), settings
        self._own: dict[str, dict[str, Any]] | None = None

    def own(self, name: str) -> dict[str, Any]:
        """Give what the user set for a model."""
        return dict(self._all().get(name, {}))

    def effective(self, name: str) -> ModelSettings:
        """Give the settings in force: the model's own, else the program's of that name, else the defaults."""
        own, program = self.own(name), self._settings.current()
        followed = {key: getattr(program, key) for key in _FOLLOWED}
        return ModelSettings.model_validate(followed | own)

    def body(self, name: str, *, with_schema: bool = True) -> ModelSettingsBody:
        """Give a model's settings for a front end."""
        return ModelSettingsBody(
            values=self.effective(name).model_dump(mode="json"),
            changed=tuple(sorted(self.own(name))),
            schema=ModelSettings.model_json_schema() if with_schema else None,
        )

    def update(self, name: str, values: Mapping[str, Any], *, reset: bool = False) -> None:
        """Change some; null takes a value back to its default, `reset` all of them first.

        Raises:
            UsageError: `settings.invalid`, naming the first bad value.
            StorageError: they cannot be stored.
        """
        unknown = sorted(set(values) - set(ModelSettings.model_fields))
        if unknown:
            raise UsageError("settings.invalid", f"A model has no setting called {unknown[0]}.")
        own = {} if reset else self.own(name)
        own |= values
        own = {key: value for key, value in own.items() if value is not None}
        checked = _checked(own)
        models = {key: value for key, value in self._all().items() if key != name}
        if checked:
            models[name] = checked
        self._file.write({"schema_version": SCHEMA_VERSION, "models": models})
        self._own = models

    def forget(self, name: str) -> None:
        """Drop what was set for a model that was removed; raises StorageError."""
        if name in self._all():
            self.update(name, {}, reset=True)

    def generation_options(self, name: str) -> GenerationOptions:
        """Say how a model writes."""
        values = self.effective(name).model_dump()
        return GenerationOptions(
            **{key: values[key] for key in _FOLLOWED[2:]},
            sampling=Sampling(**{key: values[key] for key in _SAMPLING}),
            stop=tuple(values["stop"]),
            prompt_lookup=values["prompt_lookup"],
            shift_context=values["shift_context"],
            seed=values["seed"],
            system_prompt=values["system_prompt"],
        )

    def _all(self) -> dict[str, dict[str, Any]]:
        if self._own is None:
            models = self._file.read().get("models")
            self._own = {}
            for name, values in models.items() if isinstance(models, dict) else ():
                if isinstance(values, dict):
                    self._own[name] = _salvaged(values)
        return self._own


def _checked(values: dict[str, Any]) -> dict[str, Any]:
    try:
        settings = ModelSettings.model_validate(values)
    except ValidationError as error:
        first = error.errors()[0]
        name = ".".join(str(part) for part in first["loc"])
        raise UsageError(
            "settings.invalid", f"The setting {name} cannot be that: {first['msg']}.", context={"name": name}
        ) from error
    dumped = settings.model_dump(mode="json")
    return {key: dumped[key] for key in values}


def _salvaged(values: dict[str, Any]) -> dict[str, Any]:
    """Give what is valid of stored values; a newer version's names are left out."""
    good = {key: value for key, value in values.items() if key in ModelSettings.model_fields}
    try:
        ModelSettings.model_validate(good)
    except ValidationError as error:
        for problem in error.errors():
            good.pop(str(problem["loc"][0]), None)
    return good
