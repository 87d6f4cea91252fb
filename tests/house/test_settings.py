from typing import Any, Literal, get_args, get_origin

import pytest

from app.settings import Settings

FIELDS = Settings.model_fields


def an_allowed_value(name: str) -> str:
    """Some value of the setting, as it would stand in the environment."""
    default = FIELDS[name].default
    if default not in (None, ()):
        return str(default)
    return next((str(option) for option in options(FIELDS[name].annotation)), "some-text")


def options(annotation: Any) -> tuple[Any, ...]:
    """The options of a Literal, or of a bool, anywhere in a type."""
    if annotation is bool:
        return ("true", "false")
    if get_origin(annotation) is Literal:
        return get_args(annotation)
    return tuple(option for part in get_args(annotation) for option in options(part))


@pytest.mark.parametrize("name", FIELDS)
def test_a_setting_is_read_from_its_variable(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    for variable in FIELDS:
        monkeypatch.delenv(f"RECOLOR_{variable.upper()}", raising=False)
    assert Settings().model_fields_set == set()
    monkeypatch.setenv(f"RECOLOR_{name.upper()}", an_allowed_value(name))
    assert Settings().model_fields_set == {name}


@pytest.mark.parametrize("name", FIELDS)
def test_a_setting_is_described_in_a_sentence(name: str) -> None:
    assert (FIELDS[name].description or "").endswith(".")


@pytest.mark.parametrize("name", FIELDS)
def test_every_setting_has_a_default_that_is_valid(name: str) -> None:
    default = FIELDS[name].get_default(call_default_factory=True)
    assert getattr(Settings.model_validate({name: default}), name) == default


def test_secrets_are_never_shown() -> None:
    settings = Settings.model_validate({"api_keys": "first-key,second-key", "teacher_api_key": "third-key"})
    assert "-key" not in f"{settings!r} {settings} {settings.model_dump_json()}"
