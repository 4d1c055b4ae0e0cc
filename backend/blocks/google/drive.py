"""Files in Google's Drive, as people choose them for a block, and who may see them."""

from collections.abc import Mapping
from typing import Any, Final

from backend.blocks.google.gmail import LIMIT_WORDS
from backend.sdk import pin
from backend.sdk.services import Service

SCOPE: Final = "https://www.googleapis.com/auth/drive.file"
DRIVE: Final = Service(
    provider="google",
    name="Google Drive",
    url="https://www.googleapis.com/drive/v3",
    place="drive/v3",
    limit_words=LIMIT_WORDS,
)


def _maybe(title: str, kind: str = "string") -> dict[str, Any]:
    return {"anyOf": [{"type": kind}, {"type": "null"}], "default": None, "title": title}


#: A file, as pins hold it.
FILE: Final[dict[str, Any]] = {
    "properties": {
        "id": {"title": "Id", "type": "string"},
        "name": _maybe("Name"),
        "mimeType": _maybe("Mimetype"),
        "url": _maybe("Url"),
        "iconUrl": _maybe("Iconurl"),
        "isFolder": _maybe("Isfolder", "boolean"),
        "_credentials_id": _maybe("Credentials Id"),
    },
    "required": ["id"],
    "type": "object",
}


def file_pin(view: str, media_type: str, description: str) -> Any:
    """
    Return the pin by which people choose a file; it brings the account that may open it.

    *media_type*: What may be chosen; empty: all that the *view* shows.
    """
    account = {
        "kwarg_name": "credentials",
        "provider": "google",
        "scopes": [SCOPE],
        "type": "oauth2",
    }
    chooser = {
        "allow_folder_selection": False,
        **({"allowed_mime_types": [media_type]} if media_type else {}),
        "allowed_views": [view],
        "auto_credentials": account,
        "multiselect": False,
        "scopes": [SCOPE],
    }
    return pin(
        default=None,
        advanced=False,
        description=description,
        format="google-drive-picker",
        schema={**FILE, "auto_credentials": account, "google_drive_picker_config": chooser},
    )


def account_of(file: Mapping[str, Any] | None, pin_name: str, media_type: str) -> dict[str, str]:
    """
    Return the reference to the account with which *file* was chosen.

    Raises:
        ValueError: If there is no file, one of another kind, or nobody says whose it is.
    """
    if not file or not file.get("id"):
        raise ValueError(f"no file is chosen in {pin_name!r}")
    name = file.get("name") or file["id"]
    if file.get("mimeType") not in (None, "", media_type):
        raise ValueError(f"{name!r} is of the kind {file['mimeType']}, and {media_type} is needed")
    account = file.get("_credentials_id")
    if not account:
        raise ValueError(
            f"Authentication missing for '{name}' in field '{pin_name}'. "
            "Please re-select the file to authenticate with Google."
        )
    return {"id": str(account), "provider": "google", "type": "oauth2"}


def handed_on(file: Mapping[str, Any], media_type: str, url: str) -> dict[str, Any]:
    """Return *file* for the next node, with what was not known of it."""
    known = {"name": None, "mimeType": media_type, "url": url, "iconUrl": None, "isFolder": False}
    found = {name: file.get(name) for name in ("id", *known, "_credentials_id")}
    return {name: known.get(name) if value is None else value for name, value in found.items()}
