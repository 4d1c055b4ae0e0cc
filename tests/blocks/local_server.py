"""A small tool server over its standard streams, with nothing but the standard library: it starts fast.

It speaks the protocol of 2025. What its tools do is what a test looks for.
"""

import json
import os
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

TOOLS = {
    "facts": "Tells what the process was given.",
    "die": "Ends the process.",
    "talk": "Says a great deal.",
    "eat": "Takes memory.",
    "hang": "Never answers.",
    "breed": "Starts processes that do not want to end, and never answers.",
}
STUBBORN = "import os, signal, time; signal.signal(15, 1); os.setsid(); time.sleep(600)"


def eat(mb: int, processes: int = 0) -> str:
    code = f"import time; eaten = b'x' * 1024 * 1024 * {mb}; time.sleep(600)"
    for _ in range(processes):
        subprocess.Popen([sys.executable, "-S", "-c", code])
    if processes:
        time.sleep(600)
    return str(len(b"x" * 1024 * 1024 * mb))


def call(name: str, arguments: dict[str, Any]) -> str:
    if name == "die":
        sys.stderr.write(f"the end of {os.environ.get('KEY')}\n")
        sys.stderr.flush()
        os._exit(3)
    if name == "talk":
        for _ in range(int(arguments.get("notes", 0))):
            note = {"level": "info", "data": "x" * 50_000}
            told = {"jsonrpc": "2.0", "method": "notifications/message", "params": note}
            say(json.dumps(told))
        return "x" * int(arguments["bytes"])
    if name == "eat":
        return eat(**arguments)
    if name == "hang":
        time.sleep(600)
    if name == "breed":
        code = (
            f"import subprocess, sys; subprocess.Popen([sys.executable, '-S', '-c', {STUBBORN!r}])"
        )
        for _ in range(3):  # each has no parent any more when it lives
            subprocess.run([sys.executable, "-S", "-c", code], check=True)
        Path(arguments["note"]).write_text(str(os.getpid()), encoding="utf-8")
        time.sleep(600)
    facts = {
        "env": dict(os.environ),
        "args": sys.argv[1:],
        "folder": str(Path.cwd()),
        "files": len(list(Path("/proc/self/fd").iterdir())),
    }
    return json.dumps(facts)


def answer(request: dict[str, Any]) -> dict[str, Any]:
    method, given = request["method"], request.get("params", {})
    if method == "initialize":
        return {
            "protocolVersion": "2025-06-18",
            "capabilities": {"tools": {}},
            "serverInfo": {"name": "local", "version": "1"},
        }
    if method == "tools/list":
        schema = {"type": "object", "properties": {"bytes": {"type": "integer"}}}
        return {
            "tools": [
                {"name": name, "description": text, "inputSchema": schema}
                for name, text in TOOLS.items()
            ]
        }
    text = call(given["name"], given.get("arguments") or {})
    return {"content": [{"type": "text", "text": text}], "isError": False}


def say(line: str) -> None:
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


def main() -> None:
    say("Welcome! This is no message.")
    for line in sys.stdin:
        request = json.loads(line)
        if "id" not in request:
            continue
        told: dict[str, Any] = {"jsonrpc": "2.0", "id": request["id"]}
        if request["method"] in ("initialize", "tools/list", "tools/call"):
            told["result"] = answer(request)
        else:
            told["error"] = {"code": -32601, "message": "Method not found"}
        say(json.dumps(told))


if __name__ == "__main__":
    main()
