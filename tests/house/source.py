"""The repository's own files, read and parsed once for all house tests."""

import ast
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
GENERATED = frozenset({"uv.lock", "LICENSE"})
SKIPPED_FOLDERS = frozenset({"dist", "build", "__pycache__", "results"})


@dataclass(frozen=True, kw_only=True)
class Source:
    """One Python file."""

    name: str  #: relative to the repository, with slashes
    text: str
    tree: ast.Module

    @property
    def functions(self) -> Iterator[ast.FunctionDef | ast.AsyncFunctionDef]:
        """All functions and methods, nested ones too."""
        for node in ast.walk(self.tree):
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
                yield node

    def calls(self) -> Iterator[tuple[int, str]]:
        """Line and dotted name of everything that is called."""
        for node in ast.walk(self.tree):
            if isinstance(node, ast.Call):
                yield node.lineno, dotted(node.func)

    def imports(self) -> Iterator[tuple[int, str]]:
        """Line and full name of every module that is imported, anywhere in the file."""
        yield from imports_in(ast.walk(self.tree))


def imports_in(nodes: Iterator[ast.AST]) -> Iterator[tuple[int, str]]:
    """Line and full name of the modules that *nodes* import."""
    for node in nodes:
        if isinstance(node, ast.Import):
            for alias in node.names:
                yield node.lineno, alias.name
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            yield node.lineno, node.module


def dotted(node: ast.expr) -> str:
    """Give ``yaml.load`` for that expression, the empty text for anything but names and dots."""
    if isinstance(node, ast.Name):
        return node.id
    if isinstance(node, ast.Attribute):
        before = dotted(node.value)
        return f"{before}.{node.attr}" if before else ""
    return ""


@cache
def files() -> tuple[Path, ...]:
    """All files that are, or would be, under version control. Hidden ones only if git knows them."""
    listed = subprocess.run(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
        cwd=ROOT,
        capture_output=True,
        check=False,
    )
    if listed.returncode == 0:
        names = sorted({name for name in listed.stdout.decode().split("\0") if name})
        return tuple(path for path in map(ROOT.joinpath, names) if path.is_file())
    # No git here, or no repository: a source distribution.
    return tuple(path for path in sorted(ROOT.rglob("*")) if path.is_file() and _counts(path))


@cache
def texts() -> dict[str, str]:
    """All hand-written text files by name."""
    found: dict[str, str] = {}
    for path in files():
        name = path.relative_to(ROOT).as_posix()
        if path.name in GENERATED:
            continue
        try:
            found[name] = path.read_text(encoding="utf-8")
        except (UnicodeDecodeError, FileNotFoundError):
            continue
    return found


@cache
def sources(*folders: str) -> tuple[Source, ...]:
    """
    Parse all Python files below *folders*.

    A file that does not parse is left out here: one test of its own names it.
    """
    found: list[Source] = []
    for name, text in texts().items():
        if name.endswith(".py") and name.startswith(tuple(f"{folder}/" for folder in folders)):
            tree = parse(text)
            if tree is not None:
                found.append(Source(name=name, text=text, tree=tree))
    return tuple(found)


@cache
def parse(text: str) -> ast.Module | None:
    """Give the syntax tree, or nothing."""
    try:
        return ast.parse(text)
    except SyntaxError:
        return None


def _counts(path: Path) -> bool:
    parts = path.relative_to(ROOT).parts
    return not any(part.startswith(".") or part in SKIPPED_FOLDERS for part in parts)
