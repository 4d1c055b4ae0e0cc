"""GitHub: files and folders of repositories."""

import base64
import binascii
from collections.abc import AsyncIterator
from typing import Any, Final

from backend.blocks.github.service import (
    GITHUB,
    MINE,
    REPOSITORY,
    GithubBase,
    InRepository,
    in_repository,
)
from backend.sdk import BlockContext, Example, Json, WebLimits, pin, pins
from backend.sdk.calling import Makes, Reads
from backend.sdk.services import ServiceCalls
from backend.sdk.shapes import record

_IN: Final = {"repo_url": REPOSITORY, "credentials": MINE}
#: The service gives larger files by other ways.
_FILE: Final = WebLimits(timeout_s=120.0, max_bytes=100 * 1024 * 1024)


@pins
class _Commit:
    """Outputs of what changes a file."""

    url: str = pin(description="Where people look at the file.")
    sha: str = pin(description="The commit.")


def _place(inputs: Any, path: str) -> str:
    """Return the path of a file or folder; the slashes in *path* stay slashes."""
    parts = [part for part in path.strip().split("/") if part]
    return in_repository(inputs.repo_url, "contents", *parts)


class GithubReadFileBlock(Reads, GithubBase):
    """Reads a file of a repository at GitHub."""

    id = "87ce6c27-5752-4bbc-8e26-6da40a3dcfd3"
    examples = (
        Example(
            inputs={**_IN, "file_path": "src/cat.py", "branch": "main"},
            outputs=[("raw_content", "bWVvdwo="), ("text_content", "meow\n"), ("size", 5)],
        ),
        Example(
            inputs={**_IN, "file_path": "cat.png", "branch": "main"},
            outputs=[("raw_content", "iVBORw=="), ("size", 4)],
        ),
        Example(inputs={**_IN, "file_path": "src", "branch": "main"}, error="'src' is no file"),
        Example(
            inputs={**_IN, "file_path": "gone", "branch": "main"}, error="status 404: Not Found"
        ),
    )

    @pins
    class Input(InRepository):
        """Input pins."""

        file_path: str = pin(description="The file, from the root of the repository.")
        branch: str = pin(default="master", description="The branch, tag or commit.")

    @pins
    class Output:
        """Output pins."""

        text_content: str = pin(description="What it says, if it is text.")
        raw_content: str = pin(description="What it holds, in base64.")
        size: int = pin(description="How many bytes.")

    async def work(self, calls: ServiceCalls, inputs: Input) -> dict[str, Any]:
        """Read it."""
        path, query = _place(inputs, inputs.file_path), {"ref": inputs.branch or None}
        answer = await calls.send("GET", path, query=query, limits=_FILE)
        found = calls.json_of(answer)
        if isinstance(found, list) or calls.need(found, str, "type") != "file":
            raise ValueError(f"{inputs.file_path!r} is no file")
        if found.get("encoding") == "base64":
            content = _bytes(calls, calls.need(found, str, "content"))
        else:
            # Over a megabyte the service says only that it is there.
            raw = {"Accept": "application/vnd.github.raw+json"}
            answer = await calls.send("GET", path, query=query, headers=raw, limits=_FILE)
            content = answer.content
        outputs: dict[str, Any] = {"raw_content": base64.b64encode(content).decode()}
        try:
            outputs["text_content"] = content.decode()
        except UnicodeDecodeError:
            outputs.pop("text_content", None)
        return {**outputs, "size": len(content)}


def _bytes(calls: ServiceCalls, text: str) -> bytes:
    try:
        return base64.b64decode(text)
    except (binascii.Error, ValueError) as exc:
        raise calls.nonsense("its content is no base64") from exc


class GithubReadFolderBlock(Reads, GithubBase):
    """Lists what is in a folder of a repository at GitHub."""

    id = "1355f863-2db3-4d75-9fba-f91e8a8ca400"
    examples = (
        Example(
            inputs={**_IN, "folder_path": "/", "branch": "main"},
            outputs=[
                ("file", {"name": "cat.png", "path": "cat.png", "size": 4}),
                ("dir", {"name": "src", "path": "src"}),
            ],
        ),
        Example(
            inputs={**_IN, "folder_path": "cat.png", "branch": "main"},
            error="'cat.png' is no folder",
        ),
    )

    @pins
    class Input(InRepository):
        """Input pins."""

        folder_path: str = pin(description="The folder, from the root of the repository.")
        branch: str = pin(default="master", description="The branch, tag or commit.")

    @pins
    class Output:
        """Output pins."""

        error: str = pin(description="What went wrong.")
        file: dict[str, Any] = pin(
            title="FileEntry",
            schema=record({"name": str, "path": str, "size": int}),
            description="A file in it.",
        )
        dir: dict[str, Any] = pin(
            title="DirEntry",
            schema=record({"name": str, "path": str}),
            description="A folder in it.",
        )

    async def run(self, inputs: Input, context: BlockContext) -> AsyncIterator[tuple[str, Any]]:
        """Yield the files, then the folders."""
        calls = GITHUB.calls(context, inputs.credentials)
        query = {"ref": inputs.branch or None}
        found = await calls.json("GET", _place(inputs, inputs.folder_path), query=query)
        if isinstance(found, dict) and "type" in found:
            raise ValueError(f"{inputs.folder_path!r} is no folder")
        entries = calls.entries({"": found}, "")
        for entry in entries:
            if entry.get("type") != "dir":
                yield "file", {**_entry(calls, entry), "size": int(entry.get("size") or 0)}
        for entry in entries:
            if entry.get("type") == "dir":
                yield "dir", _entry(calls, entry)


def _entry(calls: ServiceCalls, entry: dict[str, Any]) -> dict[str, Any]:
    return {"name": calls.need(entry, str, "name"), "path": calls.need(entry, str, "path")}


async def _put(calls: ServiceCalls, inputs: Any, sha: str = "") -> dict[str, Any]:
    """Write a file; *sha* is what it was until now. Return the outputs of `_Commit`."""
    value: Json = {
        "message": inputs.commit_message,
        "content": base64.b64encode(inputs.content.encode()).decode(),
        "branch": inputs.branch,
        **({"sha": sha} if sha else {}),
    }
    made = await calls.object("PUT", _place(inputs, inputs.file_path), value=value)
    return {
        "url": calls.need(made, str, "content", "html_url"),
        "sha": calls.need(made, str, "commit", "sha"),
    }


class GithubCreateFileBlock(Makes, GithubBase):
    """Puts a new file into a repository at GitHub."""

    id = "8fd132ac-b917-428a-8159-d62893e8a3fe"
    examples = (
        Example(
            inputs={**_IN, "file_path": "src/dog.py", "content": "wuff"},
            outputs=[("url", f"{REPOSITORY}/blob/main/src/dog.py"), ("sha", "c1")],
        ),
        Example(
            inputs={**_IN, "file_path": "cat.png", "content": "wuff"},
            error="status 422: Invalid request",
        ),
    )

    @pins
    class Input(InRepository):
        """Input pins."""

        file_path: str = pin(description="Its place, from the root of the repository.")
        content: str = pin(description="What it says.")
        branch: str = pin(default="main", description="The branch that gets it.")
        commit_message: str = pin(default="Create new file", description="What the commit says.")

    @pins
    class Output(_Commit):
        """Output pins."""

        error: str = pin(description="What went wrong.")

    async def work(self, calls: ServiceCalls, inputs: Input) -> dict[str, Any]:
        """Put it there."""
        return await _put(calls, inputs)


class GithubUpdateFileBlock(Makes, GithubBase):
    """Changes a file of a repository at GitHub."""

    id = "30be12a4-57cb-4aa4-baf5-fcc68d136076"
    examples = (
        Example(
            inputs={**_IN, "file_path": "src/cat.py", "content": "purr"},
            outputs=[("url", f"{REPOSITORY}/blob/main/src/cat.py"), ("sha", "c1")],
        ),
        Example(
            inputs={**_IN, "file_path": "gone", "content": "purr"}, error="status 404: Not Found"
        ),
    )

    @pins
    class Input(InRepository):
        """Input pins."""

        file_path: str = pin(description="The file, from the root of the repository.")
        content: str = pin(description="What it says now.")
        branch: str = pin(default="main", description="The branch that gets it.")
        commit_message: str = pin(default="Update file", description="What the commit says.")

    Output = _Commit

    async def work(self, calls: ServiceCalls, inputs: Input) -> dict[str, Any]:
        """Ask what it is until now, and put the new in its place."""
        path = _place(inputs, inputs.file_path)
        query = {"ref": inputs.branch or None}
        answer = await calls.send("GET", path, query=query, limits=_FILE)
        sha = calls.need(calls.json_of(answer), str, "sha")
        return await _put(calls, inputs, sha)
