"""Settings have bounds, and tell which value is wrong."""

import pytest

from app.core.errors import UsageError
from app.core.settings import Settings, updated


def test_defaults_are_valid_and_described() -> None:
    assert Settings.model_validate(Settings().model_dump()) == Settings()
    undescribed = [
        name
        for name, field in Settings.model_fields.items()
        if name != "schema_version" and not field.description
    ]
    assert not undescribed


def test_updating_keeps_the_rest() -> None:
    settings = updated(Settings.model_validate({"later": 1}), {"top_k": 5})
    assert settings.top_k == 5 and settings.max_tokens == 1024 and settings.model_dump()["later"] == 1


def test_a_bad_value_is_named() -> None:
    with pytest.raises(UsageError) as failure:
        updated(Settings(), {"top_p": 7})
    assert failure.value.code == "settings.invalid" and "top_p" in failure.value.user_message
