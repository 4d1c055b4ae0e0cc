"""The floors that import-linter holds are all floors there are."""

import tomllib

from tests.house.source import ROOT, sources

#: Packages whose parts stand on different floors: each part must be listed, not the package.
SPLIT = ("backend.", "backend.api.", "backend.util.")


def test_every_part_of_the_package_stands_on_a_floor() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    floors = next(
        contract
        for contract in project["tool"]["importlinter"]["contracts"]
        if contract["id"] == "floors"
    )
    listed = {
        name.strip(" ()")
        for floor in floors["layers"]
        for name in floor.replace("|", ":").split(":")
    }

    homeless = {
        part
        for source in sources("backend")
        if (part := _part_of(_module_of(source.name))) and part not in listed
    }

    assert homeless == set()


def _module_of(name: str) -> str:
    return name.removesuffix(".py").replace("/", ".").removesuffix(".__init__")


def _part_of(module: str) -> str:
    """Give the listed name that *module* belongs to: ``backend.api.wire`` for anything in it."""
    package = max((one for one in SPLIT if module.startswith(one)), key=len, default="")
    name = module.removeprefix(package).split(".")[0]
    part = f"{package}{name}" if package else ""
    return "" if f"{part}." in SPLIT else part
