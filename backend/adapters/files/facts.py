"""What stands beside each file, and how files are named: the same in a folder and in a bucket."""

import hashlib
import re
import secrets
from typing import Any, Final

from backend.core import json
from backend.core.errors import BadRequest, NotFound
from backend.core.ids import UserId, derived_id
from backend.ports.files import FileId, NewFile, StoredFile, shown_name

#: Begins the folder of what belongs to a user and no run; a run's id is never like that.
OWN: Final = "own_"
_RUN: Final = re.compile(r"[A-Za-z0-9_-]{1,80}")
_FILE: Final = re.compile(r"[0-9a-f]{32}")
_TYPE_CHARACTERS: Final = 200


def checked_run(run: str) -> str:
    """Return *run*. Raises BadRequest if that can be no name of a folder."""
    if not _RUN.fullmatch(run):
        raise BadRequest(f"{run[:60]!r} can be no run with files")
    return run


def missing(file_id: str) -> NotFound:
    """Return the error about a file that is not there."""
    return NotFound(f"There is no file {file_id[:150]}.")


def parts_of(file_id: FileId) -> tuple[str, str]:
    """Return the folder and the name of a file. Raises NotFound if that is no id."""
    run, _, name = file_id.rpartition("_")
    if not _RUN.fullmatch(run) or not _FILE.fullmatch(name):
        raise missing(file_id)
    return run, name


def folder_of(user_id: UserId, new: NewFile) -> str:
    """Return in which folder *new* lies. Raises BadRequest if its run can be none."""
    if new.run_id is not None:
        return checked_run(new.run_id)
    return own_folder(user_id)


def own_folder(user_id: UserId) -> str:
    """Return in which folder what belongs to a user and no run lies."""
    return OWN + hashlib.blake2b(user_id.encode(), digest_size=16).hexdigest()


def name_of(user_id: UserId, folder: str, new: NewFile) -> str:
    """Return the name of *new* in *folder*: the same for the same key, without one a fresh one."""
    if not new.key:
        return secrets.token_hex(16)
    return derived_id(user_id, folder, new.key).replace("-", "")


def stored_as(folder: str, name: str, new: NewFile, size_bytes: int) -> StoredFile:
    """Return what *new* is when it lies at *name* in *folder*."""
    return StoredFile(
        id=FileId(f"{folder}_{name}"),
        name=shown_name(new.name),
        media_type=new.media_type[:_TYPE_CHARACTERS],
        size_bytes=size_bytes,
        expires=new.expires_us is not None,
    )


def written(user_id: UserId, stored: StoredFile, expires_us: int | None) -> bytes:
    """Return the text of a file's facts."""
    return json.dumps(
        {
            "user_id": user_id,
            "name": stored.name,
            "media_type": stored.media_type,
            "size_bytes": stored.size_bytes,
            "expires_us": expires_us,
        }
    )


def read(text: bytes) -> dict[str, Any]:
    """Return the facts in *text*. Raises NotFound if there are none."""
    try:
        facts = json.loads(text)
    except json.NotJson as exc:
        raise NotFound from exc
    if not isinstance(facts, dict) or {"name", "media_type", "size_bytes"} - facts.keys():
        raise NotFound
    return facts


def found(facts: dict[str, Any], file_id: FileId, user_id: UserId, now_s: float) -> StoredFile:
    """
    Return the file of these *facts*. Raises NotFound if it is not this user's, or its time is over.

    The owner is looked at each time, whoever wrote the reference into whichever graph.
    """
    expires_us = facts.get("expires_us")
    if facts.get("user_id") != user_id or is_past(expires_us, now_s):
        raise missing(file_id)
    return StoredFile(
        id=file_id,
        name=str(facts["name"]),
        media_type=str(facts["media_type"]),
        size_bytes=int(facts["size_bytes"]),
        expires=expires_us is not None,
    )


def is_past(time_us: Any, now_s: float) -> bool:
    """Say whether *time_us*, which may be no time at all, is over."""
    return isinstance(time_us, int) and time_us <= now_s * 1e6
