"""The doctor's rule about presets and webhooks is seen broken."""

from pathlib import Path

import pytest

from backend.ports.doctor import Rule
from backend.services.doctor import SENTENCES
from tests.unit.cli.sick_database import SickDatabase
from tests.unit.cli.test_doctor import broken, examined


@pytest.mark.parametrize(
    ("statement", "rows"),
    [
        ("DELETE FROM webhooks", ["preset preset"]),
        ("UPDATE webhooks SET user_id = 'bob'", ["preset preset"]),
        ("UPDATE presets SET webhook_id = NULL", ["webhook hook"]),
        ("UPDATE presets SET is_deleted = 1", ["webhook hook"]),
    ],
)
def test_a_preset_and_its_webhook_need_each_other(
    tmp_path: Path, statement: str, rows: list[str]
) -> None:
    database = SickDatabase(tmp_path / "agpt.db")
    database.do(statement)

    assert broken(examined(database)) == {SENTENCES[Rule.PRESET_WEBHOOK]: rows}
