"""Which models an installation has, by its settings."""

import json
from pathlib import Path

import pytest
from pydantic import SecretStr

from backend.core.errors import BadSetting
from backend.core.model_keys import system_id
from backend.settings import Settings, load_settings
from backend.wiring_credentials import lent_by_operator, model_registry, operator_keys

KEY = "sk-canary-operator"


def settings(folder: Path, **changed: object) -> Settings:
    found, _ = load_settings({"agpt_data_dir": str(folder / "data")})
    return found.model_copy(update=changed)


def test_without_keys_only_what_wants_none_may_be_asked(tmp_path: Path) -> None:
    assert operator_keys(settings(tmp_path)).provided == {"ollama"}


def test_every_provider_has_the_setting_that_it_names(tmp_path: Path) -> None:
    made = settings(tmp_path)

    for provider in model_registry(made).providers.values():
        assert not provider.needs_key or hasattr(made, provider.key_setting.lower())


def test_a_key_is_lent_by_the_id_that_runs_name_and_shown_by_nothing(tmp_path: Path) -> None:
    made = settings(tmp_path, openai_api_key=SecretStr(KEY))

    lent = lent_by_operator(made)

    assert {one.provider for one in lent.values()} == {"openai", "ollama"}
    assert [one.api_key.reveal() for id_, one in lent.items() if id_ == system_id("openai")] == [
        KEY
    ]
    assert operator_keys(made).provided == {"openai", "ollama"}
    assert KEY not in repr(lent)
    assert KEY not in repr(operator_keys(made))


def test_a_file_adds_models_and_their_key_comes_from_the_environment(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    place = tmp_path / "models.json"
    place.write_text(
        json.dumps(
            {
                "providers": [{"name": "attic", "base_url": "http://10.0.0.5:8000/v1"}],
                "models": [{"name": "attic/llama", "provider": "attic"}],
            }
        )
    )
    made = settings(tmp_path, models_file=str(place))
    without = operator_keys(made).provided

    monkeypatch.setenv("ATTIC_API_KEY", KEY)

    assert "attic" not in without
    assert "attic" in operator_keys(made).provided
    assert model_registry(made).find("attic/llama").provider == "attic"
    assert lent_by_operator(made)[system_id("attic")].api_key.reveal() == KEY  # type: ignore[index] # an id is a text


def test_a_file_that_cannot_be_read_is_named(tmp_path: Path) -> None:
    made = settings(tmp_path, models_file=str(tmp_path / "nowhere.json"))

    with pytest.raises(BadSetting, match=r"MODELS_FILE: .*nowhere.json cannot be read"):
        model_registry(made)
