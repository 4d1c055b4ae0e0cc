"""Where settings come from, in order: command line, environment, `.env`, config file, defaults."""

import json
import os
import sys
from collections.abc import Collection, Mapping
from difflib import get_close_matches
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from backend.core.errors import BadSetting, CannotStart

#: By field name: the value as it was found, and where.
Found = dict[str, tuple[object, str]]

#: Names of older installations, asked when the field's own name is not there.
_OTHER_NAMES = {"jwt_verify_key": "supabase_jwt_secret"}


def gather(names: Collection[str], overrides: Mapping[str, object]) -> Found:
    """Return what command line, environment and `.env` say. An empty text counts as not said."""
    found: Found = {}
    for name, value in overrides.items():
        field = name.lower()
        if field not in names:
            close = get_close_matches(field, names, n=1)
            hint = f" Did you mean {close[0]}?" if close else ""
            raise BadSetting(f"There is no setting {name}.{hint}")
        if value is not None:
            found[field] = (value, "command line")
    _add(found, names, os.environ, "environment")
    _add(found, names, _dot_env(), ".env")
    return found


def _add(found: Found, names: Collection[str], texts: Mapping[str, str], source: str) -> None:
    said = {name.lower(): text for name, text in texts.items() if text}
    for name in names:
        text = said.get(name) or said.get(_OTHER_NAMES.get(name, ""))
        if text and name not in found:
            found[name] = (text, source)


def _dot_env() -> dict[str, str]:
    path = Path(".env")
    if not path.is_file():
        return {}
    from dotenv import dotenv_values  # noqa: PLC0415 -- most starts have no such file

    try:
        return {name: text for name, text in dotenv_values(path).items() if text}
    except (OSError, UnicodeDecodeError) as exc:
        raise BadSetting(f"{path.resolve()} cannot be read: {exc}.") from exc


def data_dir_from(found: Found) -> tuple[Path, str]:
    """Return the data directory and the source of it. Absolute, not yet made."""
    if "agpt_data_dir" in found:
        value, source = found["agpt_data_dir"]
        return Path(str(value)).expanduser().absolute(), source
    if sys.platform == "darwin":
        return Path.home() / "Library" / "Application Support" / "agpt", "default"
    base = os.environ.get("XDG_DATA_HOME", "")
    # The specification of these directories says that a relative path is to be ignored.
    folder = Path(base) if Path(base).is_absolute() else Path.home() / ".local" / "share"
    return folder / "agpt", "default"


def make_data_dir(data_dir: Path, source: str) -> None:
    """Make the data directory and the folders in it, for this user only. Twice is harmless."""
    try:
        data_dir.mkdir(mode=0o700, parents=True, exist_ok=True)
        for name in ("run", "logs"):
            (data_dir / name).mkdir(mode=0o700, exist_ok=True)
        writable = os.access(data_dir, os.W_OK | os.X_OK)
    except OSError as exc:
        raise CannotStart(
            f"The data directory {data_dir} ({source}) cannot be made: {exc.strerror}."
            " Choose another one with AGPT_DATA_DIR."
        ) from exc
    if not writable:
        raise CannotStart(
            f"The data directory {data_dir} ({source}) cannot be written."
            " Choose another one with AGPT_DATA_DIR."
        )


def gather_config_file(names: Collection[str], data_dir: Path) -> Found:
    """Return what `config.json` says. Names that are not ours are left alone: it may be shared."""
    path = data_dir / "config.json"
    try:
        text = path.read_text(encoding="utf-8")
    except FileNotFoundError:
        return {}
    except (OSError, UnicodeDecodeError) as exc:
        raise BadSetting(f"{path} cannot be read: {exc}.") from exc
    try:
        values = json.loads(text)
    except ValueError as exc:
        raise BadSetting(f"{path} is not JSON: {exc}.") from exc
    if not isinstance(values, dict):
        raise BadSetting(f"{path} must hold one JSON object.")
    said = {name.lower(): value for name, value in values.items()}
    if "agpt_data_dir" in said:
        raise BadSetting(f"{path} cannot say where the data directory is: it lies in it.")
    return {name: (said[name], str(path)) for name in names if said.get(name) not in (None, "")}


def text_to_list(value: object) -> object:
    """Read a JSON array, or texts separated by commas."""
    if not isinstance(value, str):
        return value
    if value.lstrip().startswith("["):
        return text_to_object(value)
    return [part.strip() for part in value.split(",") if part.strip()]


def text_to_object(value: object) -> object:
    """Read JSON if it is a text."""
    if not isinstance(value, str):
        return value
    try:
        return json.loads(value)
    except ValueError as exc:
        message = f"must be JSON ({exc})"
        raise ValueError(message) from exc


def bad_setting(name: str, found: Found, allowed: str, secrets: Collection[str]) -> BadSetting:
    """Return the sentence about one wrong setting. The value of a secret is not shown."""
    value, source = found.get(name, ("", "default"))
    shown = "the value given" if name in secrets else repr(value)
    return BadSetting(f"{name.upper()} cannot be {shown} ({source}): {allowed}.")


def validation_error_as_bad_setting(
    exc: ValueError, found: Found, secrets: Collection[str]
) -> BadSetting:
    """Return the sentence about the first value that pydantic refused."""
    assert isinstance(exc, ValidationError)
    error: Any = exc.errors(include_input=False, include_url=False)[0]
    text = str(error["msg"]).removeprefix("Value error, ")
    if not error["loc"]:
        name, _, text = text.partition("|")
        return bad_setting(name, found, text, secrets)
    return bad_setting(str(error["loc"][0]), found, text[:1].lower() + text[1:], secrets)
