"""What runs inside a sandbox: takes one step after the other from its socket, and says what it came to.

Nothing of ours is there, so it stands alone; it is never imported by the server. The code that it
runs shares its process, and may do to it what it likes: outside, nothing that it says is trusted.
"""

import ast
import asyncio
import base64
import contextlib
import inspect
import json
import linecache
import os
import resource
import socket
import struct
import subprocess
import sys
import traceback
import types
from pathlib import Path
from typing import Any

HEAD = struct.Struct(">I")
NAME = "<code>"
MOST_TEXT = 64 * 1024
#: What IPython calls them, and what the results call them.
FORMATS = {
    "_repr_html_": "html",
    "_repr_markdown_": "markdown",
    "_repr_svg_": "svg",
    "_repr_png_": "png",
    "_repr_jpeg_": "jpeg",
    "_repr_pdf_": "pdf",
    "_repr_latex_": "latex",
    "_repr_json_": "json",
    "_repr_javascript_": "javascript",
}


def main() -> None:
    """Give up what is not needed, then serve until the socket ends."""
    limits = json.loads(sys.argv[1])
    channel = socket.socket(fileno=limits["channel"])
    channel.set_inheritable(False)
    with contextlib.suppress(OSError):
        # If the machine runs out of memory, the kernel takes this and not the server.
        Path("/proc/self/oom_score_adj").write_text("1000")
    give_up(limits)
    module = types.ModuleType("__main__")
    sys.modules["__main__"] = module
    sys.argv = [NAME]
    sys.path.append(str(Path.cwd()))
    # Only now is it certain that this ends with the server: it sends nothing before.
    write(channel, {"ready": True})
    while (step := read(channel)) is not None:
        outcome = run(step, module.__dict__)
        for stream in (sys.stdout, sys.stderr):
            with contextlib.suppress(OSError, ValueError, AttributeError):
                stream.flush()
        write(channel, outcome)


def give_up(limits: dict[str, Any]) -> None:
    """Bound this process and its children, and stop being the one who started it."""
    for name, most in limits["limits"].items():
        resource.setrlimit(getattr(resource, name), (most, most))
    user = limits["user"]
    if user:
        os.setgroups([])
        os.setresgid(user, user, user)
        os.setresuid(user, user, user)


def read(channel: socket.socket) -> Any:
    """Return the next step; None at the end."""
    head = exactly(channel, HEAD.size)
    body = exactly(channel, HEAD.unpack(head)[0]) if head else None
    return json.loads(body) if body else None


def exactly(channel: socket.socket, size: int) -> bytes:
    """Return *size* bytes, or nothing at the end."""
    pieces = bytearray()
    while len(pieces) < size:
        piece = channel.recv(min(size - len(pieces), 65536))
        if not piece:
            return b""
        pieces += piece
    return bytes(pieces)


def write(channel: socket.socket, message: Any) -> None:
    """Tell *message*."""
    # Halves of characters have no place in JSON outside of Python.
    body = json.dumps(message, ensure_ascii=False).encode("utf-8", "replace")
    channel.sendall(HEAD.pack(len(body)) + body)


def run(step: dict[str, str], namespace: dict[str, Any]) -> dict[str, Any]:
    """Return what *step* came to."""
    try:
        if step["language"] == "bash":
            return bash(step["code"])
        return {"results": shown(python(step["code"], namespace))}
    except SystemExit as exc:
        return {} if exc.code in (None, 0) else {"error": f"the code ended with exit({exc.code!r})"}
    except BaseException as exc:  # noqa: BLE001 - border: code of users may raise anything
        return {"error": words(exc)}


def bash(code: str) -> dict[str, Any]:
    """Run *code* by bash; what it sets is gone afterwards, what it writes stays."""
    command = ["/bin/bash", "-c", code]
    done = subprocess.run(command, stdin=subprocess.DEVNULL, check=False)  # noqa: S603 - what it is for
    if done.returncode:
        return {"error": f"bash ended with exit status {done.returncode}", "status": True}
    return {}


def python(code: str, namespace: dict[str, Any]) -> Any:
    """Run *code*; return what its last statement is, if that is an expression."""
    linecache.cache[NAME] = (len(code), None, code.splitlines(keepends=True), NAME)
    tree = ast.parse(code, NAME)
    last = tree.body[-1] if tree.body else None
    if not isinstance(last, ast.Expr):
        return evaluate(tree, "exec", namespace)
    del tree.body[-1]
    evaluate(tree, "exec", namespace)
    return evaluate(ast.Expression(last.value), "eval", namespace)


def evaluate(tree: ast.Module | ast.Expression, mode: str, namespace: dict[str, Any]) -> Any:
    """Run one part; it may await."""
    flags = ast.PyCF_ALLOW_TOP_LEVEL_AWAIT
    program = compile(tree, NAME, mode, flags=flags, dont_inherit=True)
    value = eval(program, namespace)  # noqa: S307 - what a sandbox is for
    return asyncio.run(value) if inspect.iscoroutine(value) else value


def shown(value: Any) -> list[dict[str, Any]]:
    """Return *value* in the formats that it has."""
    if value is None:
        return []
    result = {"text": repr(value)}
    for method, name in FORMATS.items():
        make = getattr(value, method, None)
        if callable(make):
            with contextlib.suppress(Exception):
                made = make()
                result[name] = base64.b64encode(made).decode() if type(made) is bytes else made
    if isinstance(value, dict | list):
        with contextlib.suppress(TypeError, ValueError, RecursionError):
            result["json"] = json.loads(json.dumps(value, allow_nan=False))
    return [result]


def words(error: BaseException) -> str:
    """Return what an error says, with the lines of the code that led to it."""
    trace = error.__traceback__
    while trace is not None and trace.tb_frame.f_code.co_filename != NAME:
        trace = trace.tb_next
    text = "".join(traceback.format_exception(type(error), error, trace, limit=-20))
    return text[-MOST_TEXT:].strip()


if __name__ == "__main__":
    main()
