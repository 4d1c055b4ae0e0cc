"""Who keeps files in a folder never loads the client of a bucket."""

import os
import subprocess
import sys
from pathlib import Path

from tests.house.source import ROOT

_CODE = """
import sys
from backend.settings import load_settings
from backend.wiring import database_place, open_database
from backend.wiring_files import open_files

settings, _ = load_settings()
open_files(settings)
open_database(settings)
print(database_place(settings).values, *sorted({"obstore", "boto3"} & set(sys.modules)))
"""


def test_without_the_setting_the_client_is_not_loaded(tmp_path: Path) -> None:
    environment = {"PATH": os.environ["PATH"], "AGPT_DATA_DIR": str(tmp_path / "data")}

    said = subprocess.run(
        [sys.executable, "-c", _CODE],
        cwd=tmp_path,
        env={**environment, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        check=True,
    )

    assert said.stdout.split() == ["None"]
