"""What no file of the package may do: run text as code, swallow errors, print, keep secrets."""

import ast
import re
from collections.abc import Iterator

from tests.house.source import Source, dotted, imports_in, sources

#: The borders of style rule 7, and the few places that must go on whatever happens. A folder ends
#: with a slash. Who adds one says why.
BORDERS = {
    "backend/engine/block_run.py": "the worker's loop: a block, or its loading, may raise anything",
    "backend/engine/threads.py": "a block's own thread: what it raises is told to who waits",
    "backend/adapters/processes/program.py": "a worker: a block may raise anything, and is told",
    "backend/adapters/sandbox/inside.py": "a sandbox: code of users may raise anything, and is told",
    "backend/adapters/mcp/client.py": "a foreign server: the library raises anything, in groups",
    "backend/testing/processes.py": "a block that is tested may raise anything, as in a worker",
    "backend/engine/journal.py": "the worker's loop: rows that nobody can save end one run, not all",
    "backend/engine/run_loop.py": "the worker's loop: a defect of ours fails one run, not all",
    "backend/engine/node_task.py": "a node's task: a defect of ours fails one node, not its run",
    "backend/engine/loading.py": "a run that cannot be read fails alone",
    "backend/engine/worker.py": "the worker's loop: a run that cannot be begun fails alone",
    "backend/services/delivery_runs.py": "the worker's loop: a delivery's error is not the next one's",
    "backend/engine/jobs.py": "a job of the server: one with a defect stops no other",
    "backend/api/middleware.py": "the request: the client gets its 500, the server lives on",
    "backend/testing/blocks.py": "a block that is tested may raise anything, as in the worker",
    "backend/discovery.py": "the loading of a plugin: a broken package is listed, not fatal",
    "backend/adapters/storage/database.py": "a group commit: one caller's error is not another's",
    "backend/app.py": "run_processes: a failing stop() must not keep the others from stopping",
    "backend/engine/watches.py": "the loop of watches: one of them keeps no other waiting",
}

CODE_FROM_DATA = frozenset(
    {"pickle", "cPickle", "marshal", "shelve", "dill", "cloudpickle", "joblib"}
)
FORBIDDEN_CALLS = frozenset(
    {"eval", "exec", "compile", "__import__", "yaml.load", "yaml.unsafe_load", "os.system"}
)
#: Runs inside a sandbox and nowhere else: running code of users is what it is for.
SANDBOXED = "backend/adapters/sandbox/inside.py"
#: Slow to import: only inside a function, and in a thread.
HEAVY = frozenset(
    {
        "anthropic",
        "av",
        "bs4",
        "feedparser",
        "groq",
        "litellm",
        "markdownify",
        "mcp",
        "numpy",
        "ollama",
        "openai",
        "pydantic_ai",
        "selectolax",
        "pydantic_monty",
        "alembic",
    }
)
#: Who talks to a terminal: the command line, the foreground program, the console of the log.
MAY_PRINT = ("backend/cli/", "backend/app.py", "backend/util/entry.py", "backend/telemetry.py")
SECRET_NAME = re.compile(r"(?i)(secret|password|passwd|api_key|_token|encryption_key|verify_key)$")


def test_errors_are_caught_wide_at_the_borders_only() -> None:
    wide = [
        f"{source.name}:{line}"
        for source in sources("backend")
        if not source.name.startswith(tuple(BORDERS))
        for line in _wide_handlers(source)
    ]

    assert wide == []


def test_nothing_turns_data_into_code() -> None:
    found = [
        f"{source.name}:{line} {name}"
        for source in sources("backend", "bench", "tools")
        for line, name in (
            *((line, n) for line, n in source.imports() if n.split(".")[0] in CODE_FROM_DATA),
            *(
                (line, n)
                for line, n in source.calls()
                if n in FORBIDDEN_CALLS and source.name != SANDBOXED
            ),
        )
    ]

    assert found == []


def test_what_runs_code_in_a_sandbox_is_never_imported() -> None:
    found = [
        f"{source.name}:{line} {name}"
        for source in sources("backend")
        for line, name in source.imports()
        if name.startswith("backend.adapters.sandbox.inside")
    ]

    assert found == []


def test_only_who_talks_to_a_terminal_prints() -> None:
    found = [
        f"{source.name}:{line}"
        for source in sources("backend")
        if not source.name.startswith(MAY_PRINT)
        for line, name in source.calls()
        if name == "print"
    ]

    assert found == []


def test_heavy_libraries_are_imported_on_first_use() -> None:
    found = [
        f"{source.name}:{line} {name}"
        for source in sources("backend")
        # Alembic loads its revisions itself, and they import it.
        if "/migrations/" not in source.name
        for line, name in imports_in(iter(source.tree.body))
        if name.split(".")[0] in HEAVY
    ]

    assert found == []


def test_no_secret_has_a_default() -> None:
    found = [
        f"{source.name}:{line} {name}"
        for source in sources("backend")
        for line, name, value in _defaults(source)
        if SECRET_NAME.search(name) and _text_of(value)
    ]

    assert found == []


def _wide_handlers(source: Source) -> Iterator[int]:
    for node in ast.walk(source.tree):
        if not isinstance(node, ast.ExceptHandler):
            continue
        caught = node.type.elts if isinstance(node.type, ast.Tuple) else [node.type]
        names = {"" if one is None else dotted(one) for one in caught}
        # Clean-up that passes the error on catches nothing.
        passes_on = any(isinstance(one, ast.Raise) and one.exc is None for one in node.body)
        if names & {"", "Exception", "BaseException"} and not passes_on:
            yield node.lineno


def _defaults(source: Source) -> Iterator[tuple[int, str, ast.expr]]:
    for node in ast.walk(source.tree):
        if isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name) and node.value:
            yield node.lineno, node.target.id, node.value
        elif isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Name):
            yield node.lineno, node.targets[0].id, node.value
        elif isinstance(node, ast.arguments):
            named = node.args[len(node.args) - len(node.defaults) :] if node.defaults else []
            yield from ((a.lineno, a.arg, d) for a, d in zip(named, node.defaults, strict=True))
            keyword = zip(node.kwonlyargs, node.kw_defaults, strict=True)
            yield from ((a.lineno, a.arg, d) for a, d in keyword if d is not None)


def _text_of(value: ast.expr) -> str:
    """Give the text that is the default: a literal, or the first argument or default of a Field."""
    if isinstance(value, ast.Constant):
        return value.value if isinstance(value.value, str) else ""
    if isinstance(value, ast.Call):
        given = [k.value for k in value.keywords if k.arg == "default"] or value.args[:1]
        return _text_of(given[0]) if given else ""
    return ""
