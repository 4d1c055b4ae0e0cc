"""How letters look. Written into each element: many mail programs read no style sheets."""

from collections.abc import Mapping
from typing import Final

_FONT: Final = "font-family:-apple-system,'Segoe UI',Roboto,Helvetica,Arial,sans-serif;"
#: A word of a thousand letters must not make a page wider than the screen.
_WRAP: Final = "overflow-wrap:anywhere;word-break:break-word;"
_MONO: Final = "font-family:ui-monospace,Menlo,Consolas,monospace;"

STYLES: Final[Mapping[str, str]] = {
    "body": f"margin:0;padding:0;background:#f3f4f6;color:#1f2937;{_FONT}",
    "page": f"max-width:600px;margin:0 auto;padding:24px 16px;box-sizing:border-box;{_WRAP}",
    "title": f"margin:0 0 16px;font-size:20px;line-height:28px;font-weight:600;{_WRAP}",
    "heading": "margin:16px 0 4px;font-size:14px;line-height:20px;font-weight:600;",
    "card": (
        "margin:0 0 12px;padding:16px;background:#ffffff;border:1px solid #e5e7eb;"
        f"border-radius:8px;box-sizing:border-box;{_WRAP}"
    ),
    "name": f"margin:0 0 8px;font-size:16px;line-height:24px;font-weight:600;{_WRAP}",
    "text": f"margin:0 0 8px;font-size:15px;line-height:22px;white-space:pre-line;{_WRAP}",
    "note": f"margin:0 0 8px;font-size:14px;line-height:20px;color:#6b7280;{_WRAP}",
    "value": (
        "margin:0 0 8px;padding:8px 12px;background:#f9fafb;border-radius:6px;font-size:14px;"
        f"line-height:20px;white-space:pre-wrap;{_WRAP}"
    ),
    "error": (
        "margin:0 0 8px;padding:8px 12px;background:#fef2f2;color:#991b1b;border-radius:6px;"
        f"font-size:14px;line-height:20px;white-space:pre-wrap;{_WRAP}"
    ),
    "id": f"margin:8px 0 0;font-size:12px;line-height:18px;color:#6b7280;{_MONO}{_WRAP}",
    "good": "color:#166534;",
    "bad": "color:#b91c1c;",
    "table": "width:100%;border-collapse:collapse;table-layout:fixed;",
    "cell": (
        "padding:8px 8px 8px 0;border-bottom:1px solid #f3f4f6;font-size:15px;line-height:22px;"
        f"color:#6b7280;vertical-align:top;text-align:left;{_WRAP}"
    ),
    "figure": (
        "padding:8px 0;border-bottom:1px solid #f3f4f6;font-size:15px;line-height:22px;"
        f"vertical-align:top;text-align:right;{_WRAP}"
    ),
    "button": (
        "display:inline-block;padding:10px 16px;background:#1d4ed8;color:#ffffff;font-size:15px;"
        "line-height:20px;border-radius:6px;text-decoration:none;"
    ),
    "footer": "margin:24px 0 0;font-size:13px;line-height:18px;color:#6b7280;",
    "quiet_link": "color:#6b7280;text-decoration:underline;",
}

#: For programs that show letters on a dark ground and read style sheets; others turn colours
#: around by themselves, or show them as they are. Chosen by the colours above, so that templates of
#: an operator that use them have it, too.
DARK_COLORS: Final = {
    "background:#f3f4f6": "background:#111827!important;color:#e5e7eb!important",
    "background:#ffffff": "background:#1f2937!important;border-color:#374151!important",
    "background:#f9fafb": "background:#111827!important",
    "background:#fef2f2": "background:#450a0a!important;color:#fecaca!important",
    "border-bottom:1px": "border-color:#374151!important",
    "color:#6b7280": "color:#9ca3af!important",
    "color:#166534": "color:#86efac!important",
    "color:#b91c1c": "color:#fca5a5!important",
    "background:#1d4ed8": "background:#2563eb!important;color:#ffffff!important",
}

DARK: Final = "@media (prefers-color-scheme:dark){%s}" % "".join(  # noqa: UP031 - braces
    f"[style*='{light}']{{{dark}}}" for light, dark in DARK_COLORS.items()
)
