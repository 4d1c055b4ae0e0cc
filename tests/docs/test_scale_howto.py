"""docs/howto/scale.md: what it names is there. Its cluster is that of tests/e2e/test_cluster.py."""

import re
import tomllib

from backend.settings import Settings
from tests.e2e.running import ROOT

PAGE = (ROOT / "docs/howto/scale.md").read_text(encoding="utf-8")
BACKEND = "\n".join(path.read_text(encoding="utf-8") for path in (ROOT / "backend").glob("**/*.py"))


def test_its_settings_are_settings() -> None:
    exported = re.findall(r"^export (\w+)=", PAGE, re.MULTILINE)
    named = {name for name in re.findall(r"`([A-Z][A-Z_]+)`", PAGE) if "_" in name}

    assert len(exported) == 6
    assert {name.lower() for name in [*exported, *named]} <= set(Settings.model_fields)


def test_its_programs_are_installed() -> None:
    with (ROOT / "pyproject.toml").open("rb") as file:
        installed = set(tomllib.load(file)["project"]["scripts"])
    rows = re.findall(r"^\| (`.*?) \|", PAGE, re.MULTILINE)

    named = {name for row in rows for name in re.findall(r"`(\w+)`", row)}
    assert named == installed - {"agpt"}


def test_its_figures_are_told() -> None:
    figures = re.findall(r"`autogpt_(\w+)`", PAGE)

    assert len(figures) > 4
    assert [name for name in figures if f'"{name.removesuffix("_total")}"' not in BACKEND] == []
