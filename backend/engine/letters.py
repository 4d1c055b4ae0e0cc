"""The words of letters, as text and as HTML."""

from collections.abc import Sequence
from html import escape
from typing import Any, Final

from backend.core import json
from backend.core.records import NoticeRecord

_LISTED: Final = 50


def subject(kind: str, notices: Sequence[NoticeRecord]) -> str:
    """Return the subject of a letter about *notices*, all of one *kind*."""
    first = notices[0].data
    if len(notices) == 1:
        return f"{first.get('agent_name')}: {_words(first.get('status'))}"
    return f"{len(notices)} agent runs" if kind == "AGENT_RUN" else f"{len(notices)} notices"


def bodies(
    kind: str, notices: Sequence[NoticeRecord], unsubscribe_url: str = ""
) -> tuple[str, str]:
    """
    Return the text and the HTML of a letter about *notices*, the first fifty in full.

    Its last line says where such letters are ended, if *unsubscribe_url* says so.
    """
    del kind  # one kind so far: runs that have ended
    shown = [_run_lines(notice.data) for notice in notices[:_LISTED]]
    more = len(notices) - len(shown)
    text = "\n\n".join("\n".join(lines) for lines in shown)
    html = "".join(
        f"<h3>{escape(lines[0])}</h3><ul>"
        + "".join(f"<li>{escape(line)}</li>" for line in lines[1:])
        + "</ul>"
        for lines in shown
    )
    if more:
        text += f"\n\n… and {more} more."
        html += f"<p>… and {more} more.</p>"
    if unsubscribe_url:
        text += f"\n\nNo more of these: {unsubscribe_url}"
        html += f'<p><a href="{escape(unsubscribe_url)}">No more of these</a></p>'
    return text + "\n", f"<!doctype html><html><body>{html}</body></html>"


def _run_lines(data: Any) -> list[str]:
    lines = [
        f"{data.get('agent_name')}: {_words(data.get('status'))}",
        f"run {data.get('graph_exec_id')}",
        f"{data.get('node_count')} steps in {data.get('execution_time')} s",
        f"{data.get('credits_used')} credits",
    ]
    if data.get("node_error_count"):
        lines.append(f"{data['node_error_count']} steps failed")
    if data.get("error"):
        lines.append(f"error: {data['error']}")
    for output in data.get("outputs") or ():
        for name, values in output.items():
            lines.append(f"{name}: {', '.join(_shown(value) for value in values)}")
    return lines


def _words(status: Any) -> str:
    return {"COMPLETED": "completed", "FAILED": "failed", "TERMINATED": "stopped"}.get(
        str(status), str(status).lower()
    )


def _shown(value: Any) -> str:
    return value if isinstance(value, str) else json.text(value)
