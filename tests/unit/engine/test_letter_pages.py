"""Letters as a browser shows them: on a phone nothing sticks out."""

import shutil
import subprocess
from pathlib import Path

import pytest

from backend.adapters.mail.letter_templates import load_templates
from backend.core.ids import UserId
from backend.core.notices import NoticeType
from backend.core.records import NoticeRecord
from backend.engine.letter_samples import samples
from backend.engine.letters import LetterWriter

pytestmark = pytest.mark.slow

#: A page that shows each letter in a frame as wide as a phone, and says which is wider.
_PAGE = """<!doctype html><meta charset="utf-8"><title>-</title><body>{frames}<script>
onload = () => {{
  const wide = [...document.querySelectorAll("iframe")].filter(
    frame => frame.contentDocument.documentElement.scrollWidth > 390).map(frame => frame.name);
  document.body.textContent = "wide: [" + wide.join(" ") + "]";
}};</script>"""


def test_on_a_phone_no_letter_is_wider_than_the_screen(tmp_path: Path) -> None:
    browser = next(filter(None, map(shutil.which, ("chromium", "chromium-browser"))), None)
    if browser is None:
        pytest.skip("no Chromium is installed")
    writer, frames = LetterWriter(load_templates()), []
    long = {
        "agent_name": "x" * 300,
        "status": "FAILED",
        "error": "y" * 900,
        "graph_exec_id": "z" * 90,
    }
    shown = {kind.value: samples(kind, now_us=1) for kind in NoticeType}
    shown["long"] = [
        NoticeRecord(id="n", user_id=UserId("a"), type="AGENT_RUN", data=long, created_us=1)
    ]
    for name, notices in shown.items():
        page = writer.write(notices, len(notices)).html
        source = page.replace("&", "&amp;").replace('"', "&quot;")
        frames.append(f'<iframe name="{name}" width="390" height="800" srcdoc="{source}"></iframe>')
    (tmp_path / "all.html").write_text(_PAGE.format(frames="".join(frames)))

    done = subprocess.run(
        [
            str(browser),
            "--headless",
            "--no-sandbox",
            "--disable-gpu",
            f"--user-data-dir={tmp_path / 'profile'}",
            "--dump-dom",
            f"file://{tmp_path / 'all.html'}",
        ],
        capture_output=True,
        text=True,
        timeout=120,
        check=True,
    )

    assert "wide: []" in done.stdout
