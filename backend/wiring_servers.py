"""Tool servers of this machine: the administrator's file, checked at the start, and what runs them."""

import os
import re
import shutil
import stat
from contextlib import AsyncExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Final, Literal

from pydantic import BaseModel, ConfigDict, Field, SecretStr, TypeAdapter, ValidationError

from backend.core.credentials import Secret
from backend.core.errors import BadSetting
from backend.core.ids import UserId
from backend.settings import Settings

if TYPE_CHECKING:
    from backend.adapters.mcp import GuardedToolServers, LocalServer, LocalServers
    from backend.adapters.web import GuardedWebClient

_SETTING: Final = "MCP_SERVERS_FILE"
_MOST_BYTES: Final = 1024 * 1024
_MEGABYTE: Final = 1024 * 1024
_NAME: Final = re.compile(r"[a-z0-9][a-z0-9_-]{0,63}")

Text = Annotated[str, Field(pattern=r"^[^\x00]*$")]


class _Entry(BaseModel):
    """One server, as the administrator writes it."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True, hide_input_in_errors=True)

    command: Text
    args: list[Text] = Field(default_factory=list)
    env: dict[Text, SecretStr] = Field(default_factory=dict)
    folder: Text = "/"
    users: Literal["all"] | list[str]


_FILE: Final = TypeAdapter(dict[str, _Entry])


def open_tool_servers(
    settings: Settings, web: "GuardedWebClient", stack: AsyncExitStack
) -> "GuardedToolServers":
    """
    Return the way to servers that speak MCP; *stack* ends those of this machine.

    The connections are those of *web*.

    Raises:
        BadSetting: If MCP_SERVERS_FILE cannot be read or used.
    """
    from backend.adapters.mcp import GuardedToolServers

    servers = GuardedToolServers(
        web, local_servers(settings), visit_s=settings.mcp_server_time_limit_s
    )
    stack.push_async_callback(servers.aclose)
    return servers


def local_servers(settings: Settings) -> "LocalServers":
    """
    Return the tool servers of this machine; none is started yet.

    Raises:
        BadSetting: If MCP_SERVERS_FILE cannot be read or used; says which entry, and why.
    """
    from backend.adapters.mcp import LocalLimits, LocalServers

    found: dict[str, LocalServer] = {}
    if settings.mcp_servers_file:
        path = Path(settings.mcp_servers_file).expanduser()
        for name, entry in _entries(path).items():
            found[name] = _server(name, entry, f"{_SETTING} ({path}): {name}")
    limits = LocalLimits(
        count=settings.mcp_server_count,
        memory_bytes=settings.mcp_server_memory_mb * _MEGABYTE,
        output_bytes=settings.mcp_server_output_kb * 1024,
    )
    return LocalServers(found, limits)


def _entries(path: Path) -> dict[str, _Entry]:
    try:
        facts = path.stat()
        if facts.st_size > _MOST_BYTES:
            raise BadSetting(f"{_SETTING}: {path} is larger than {_MOST_BYTES} bytes")
        text = path.read_bytes()
    except OSError as exc:
        raise BadSetting(f"{_SETTING}: {path} cannot be read: {exc.strerror}") from exc
    if facts.st_mode & (stat.S_IWGRP | stat.S_IWOTH):
        # Whoever can write it runs commands as this server.
        raise BadSetting(f"{_SETTING}: others than its owner can write {path}: chmod go-w it")
    try:
        return _FILE.validate_json(text)
    except ValidationError as exc:
        # Not with its input: there may be secrets in it.
        wrong = exc.errors(include_input=False, include_url=False)[0]
        place = ".".join(str(one) for one in wrong["loc"] if one != "literal['all']")
        where = f"{_SETTING} ({path}){': ' if place else ''}{place}"
        raise BadSetting(f"{where}: {wrong['msg']}") from None


def _server(name: str, entry: _Entry, where: str) -> "LocalServer":
    from backend.adapters.mcp import LocalServer

    if not _NAME.fullmatch(name):
        raise BadSetting(
            f"{where}: a name has 1 to 64 small letters, digits, _ and -, no sign before the first"
        )
    environment = {key: Secret(value.get_secret_value()) for key, value in entry.env.items()}
    for key, value in environment.items():
        if not key or "=" in key or "\0" in value.reveal():
            raise BadSetting(f"{where}: env has an entry that no program can be told: {key!r}")
    if not Path(entry.folder).is_absolute() or not Path(entry.folder).is_dir():
        raise BadSetting(f"{where}: folder {entry.folder} is no folder, named from /")
    users = None if entry.users == "all" else frozenset(UserId(one) for one in entry.users)
    return LocalServer(
        name=name,
        command=(_program(entry, where), *entry.args),
        environment=environment,
        folder=entry.folder,
        users=users,
    )


def _program(entry: _Entry, where: str) -> str:
    """Return the whole path of a program; one without a path is looked for once, now."""
    if "/" in entry.command:
        found = entry.command if os.access(entry.command, os.X_OK) else None
        if not Path(entry.command).is_absolute():
            raise BadSetting(f"{where}: command {entry.command} must be a name, or begin with /")
    else:
        own = entry.env.get("PATH")
        found = shutil.which(entry.command, path=own.get_secret_value() if own else None)
    if found is None or Path(found).is_dir():
        raise BadSetting(f"{where}: command {entry.command} is no program that can be run here")
    return str(Path(found).absolute())
