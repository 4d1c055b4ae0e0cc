"""Letters as a browser shows them: on a phone nothing sticks out or is cut, whatever names are like."""

import shutil
import subprocess
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from backend.adapters.mail.letter_templates import load_templates
from backend.core.notices import NoticeType
from backend.core.records import NoticeRecord
from backend.engine.letter_samples import samples
from backend.engine.letter_styles import DARK_COLORS, STYLES
from backend.engine.letters import LetterWriter

#: A page that shows each letter in frames as wide as phones and a desk, and names those that are
#: wider than that, or in which something is wider than its place.
_PAGE = """<!doctype html><meta charset="utf-8"><title>-</title><body>{frames}<script>
onload = () => {{
  const wrong = [...document.querySelectorAll("iframe")].filter(frame => {{
    const page = frame.contentDocument;
    const inside = [...page.body.querySelectorAll("*")].filter(
      one => one.clientWidth && one.scrollWidth > one.clientWidth + 1);
    return page.documentElement.scrollWidth > frame.width || inside.length
      || page.body.innerText.trim().length < 40;
  }}).map(frame => frame.name);
  document.body.textContent = "wrong: [" + wrong.join(" ") + "] of " + window.frames.length;
}};</script>"""
_WIDTHS = (320, 390, 800)
_NAMES = {
    "plain": None,
    "long": "Donaudampfschifffahrtsgesellschaftskapitänsmützenabzeichen" * 5,
    "right": "דוח בוקר 3 (بيتا)",
    "wide": "毎朝のニュースをまとめるエージェント" * 8,
}


def in_words(data: Mapping[str, Any], name: str) -> dict[str, Any]:
    """Return *data* with *name* wherever somebody could have written it."""
    made = dict(data)
    for key, value in data.items():
        if key == "cost_breakdown":
            made[key] = {name: 402}
        elif key == "outputs":
            made[key] = [{name: [name]}]
        elif key == "user_email":
            made[key] = f"{'a' * 64}@{'b' * 63}.example"
        elif key.endswith(("name", "agent")) or key in ("error", "reason", "comments", "remedy"):
            made[key] = name if key.endswith(("name", "agent")) else f"{value} {name}"
    return made


def letters() -> Iterator[tuple[str, Sequence[NoticeRecord]]]:
    for kind in NoticeType:
        shown = samples(kind, now_us=1)
        for label, name in _NAMES.items():
            told = shown
            if name is not None:
                told = [replace(one, data=in_words(one.data, name)) for one in shown]
            yield f"{kind.value}-{label}", told


@pytest.mark.slow
def test_in_no_letter_anything_is_wider_than_its_place_on_phones_and_desks(tmp_path: Path) -> None:
    browser = next(filter(None, map(shutil.which, ("chromium", "chromium-browser"))), None)
    if browser is None:
        pytest.skip("no Chromium is installed")
    writer, frames = LetterWriter(load_templates()), []
    for name, notices in letters():
        page = writer.write(notices, len(notices), unsubscribe_url="https://a.example/end").html
        source = page.replace("&", "&amp;").replace('"', "&quot;")
        frames += [
            f'<iframe name="{name}-{width}" width="{width}" height="800" srcdoc="{source}"></iframe>'
            for width in _WIDTHS
        ]
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

    assert f"wrong: [] of {len(NoticeType) * len(_NAMES) * len(_WIDTHS)}" in done.stdout


def test_the_words_of_strangers_stand_apart_from_ours() -> None:
    """One that runs from right to left would take what follows along: `bdi` keeps it in place."""
    strange = ("agent_name", "block_name", "schedule_name", "cost.agent", "most_used_agent")
    for file, text in load_templates().items():
        if file.endswith(".html"):
            for name in strange:
                for part in text.split("{{ ")[1:]:
                    word = part.split(" }}")[0]
                    assert not word.endswith(name) or f"<bdi>{{{{ {word} }}}}</bdi>" in text, word


def test_each_dark_color_is_for_a_light_one_that_letters_have() -> None:
    styles = "".join(STYLES.values())

    assert all(light in styles for light in DARK_COLORS)
