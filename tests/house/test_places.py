"""Nothing hand-written knows one machine or one mirror of a package registry."""

import re

from tests.house.source import texts

# Spelled in pieces, or this file would find itself.
MACHINE = re.compile(r"(?<![\w.$}/-])/(?:" + "work|root|Users|home/[a-z]" + r")(?![\w-])")
TEMPORARY = re.compile(r"(?<![\w.$}/-])/" + "tmp" + r"(?![\w-])")
HOSTS = re.compile(
    "|".join(
        ("pypi" + r"\.org", "pythonhosted" + r"\.org", "npmjs" + r"\.(?:org|com)", "opt/" + "pypi")
    )
)


def test_no_file_names_a_folder_of_one_machine() -> None:
    assert _found(MACHINE, texts()) == []


def test_no_document_names_the_folder_for_temporary_files() -> None:
    documents = {name: text for name, text in texts().items() if name.endswith((".md", ".rst"))}

    assert _found(TEMPORARY, documents) == []


def test_no_file_names_a_package_registry() -> None:
    assert _found(HOSTS, texts()) == []


def _found(pattern: re.Pattern[str], within: dict[str, str]) -> list[str]:
    return [
        f"{name}:{number} {match[0]}"
        for name, text in within.items()
        for number, line in enumerate(text.splitlines(), 1)
        if (match := pattern.search(line))
    ]
