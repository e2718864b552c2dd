"""STYLE as tests: what a tool can hold about the tree, over every file that is tracked or about to be.

Each rule collects its offences, named by file and line, and wants none. `lint-imports` holds the layers; what it cannot
say about imports (the domain's short list of libraries, its purity) is held here.
"""

from __future__ import annotations

import ast
import io
import re
import subprocess
import sys
import tokenize
from collections.abc import Iterator
from functools import cache
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
PRODUCT = ("domain", "projections", "ledger")
MODULE_LINES_MAX = 450
FUNCTION_LINES_MAX = 60

NAMES_THAT_SAY_NOTHING = {"utils", "helpers", "common", "misc", "base", "manager"}
DOMAIN_LIBRARIES = {"domain", "msgspec", "pydantic", "pydantic_core"}
IMPURE_LIBRARIES = {
    "asyncio", "io", "logging", "os", "pathlib", "random", "secrets", "socket", "sqlite3", "subprocess", "tempfile",
    "threading", "time", "uuid",
}  # fmt: skip
IMPURE_CALLS = re.compile(r"\bfloat\(|\bdatetime\.now\b|\bdate\.today\b|\butcnow\b|\btime\.time\b|\brandom\.|\buuid4\(")

# The patterns are written so that they do not match this file.
MACHINE_PATH = re.compile(r"(?<![\w.})>$-])/(?:(?:tmp|work|root)/|home/\w+/)")
UNFINISHED = re.compile(r"\b(?:TO" r"DO|FIX" r"ME|XX" r"X)\b(?!\")")
SUPPRESSION = re.compile(r"#\s*(?:type:\s*ignore(?:\[[\w, -]+\])?|noqa(?::\s*[A-Z]+\d+(?:[,\s]+[A-Z]+\d+)*)?)")
STATUS_NAME = re.compile(r"status_code|HTTPStatus|HTTP_\d{3}\w*")
STATUS_SUBJECT = re.compile(r"status|http", re.IGNORECASE)
ADR_SECTIONS = ("Context", "Decision", "Consequences", "Alternatives")


@cache
def files() -> tuple[Path, ...]:
    """Every file of the project: tracked or new in a checkout, found by walking elsewhere; paths from the root."""
    listing = subprocess.run(
        ["git", "-C", str(ROOT), "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
        capture_output=True,
        text=True,
        check=False,
    )
    if (ROOT / ".git").exists() and listing.returncode == 0:
        found = (Path(name) for name in listing.stdout.split("\0") if name)
    else:
        found = (path.relative_to(ROOT) for path in ROOT.rglob("*") if not _is_made_by_tools(path.relative_to(ROOT)))
    return tuple(sorted(path for path in found if (ROOT / path).is_file()))


def _is_made_by_tools(path: Path) -> bool:
    kept = {".ci", ".gitignore", ".editorconfig", ".dockerignore"}
    return any(part in {"__pycache__", "build", "dist"} or (part[0] == "." and part not in kept) for part in path.parts)


@cache
def text(path: Path) -> str:
    """The text of a file; empty where it is no text."""
    try:
        return (ROOT / path).read_text("utf-8")
    except UnicodeDecodeError:
        return ""


@cache
def tree(path: Path) -> ast.Module:
    return ast.parse(text(path), filename=str(path))


def modules(*folders: str) -> list[Path]:
    """The Python modules below the named folders, all of them where none is named."""
    return [path for path in files() if path.suffix == ".py" and (not folders or path.parts[0] in folders)]


def lines_matching(pattern: re.Pattern[str], paths: list[Path]) -> list[str]:
    return [
        f"{path}:{number}: {line.strip()}"
        for path in paths
        for number, line in enumerate(text(path).splitlines(), start=1)
        if pattern.search(line)
    ]


def test_the_tree_is_seen() -> None:
    assert Path("tests/tidy/test_tidy.py") in files()
    assert not any(".venv" in path.parts for path in files())
    assert modules("domain")


def test_a_module_opens_with_what_it_is_for() -> None:
    assert [str(path) for path in modules() if text(path).strip() and not ast.get_docstring(tree(path))] == []


def test_a_module_stays_short() -> None:
    lengths = {str(path): len(text(path).splitlines()) for path in modules(*PRODUCT)}
    assert {path: length for path, length in lengths.items() if length > MODULE_LINES_MAX} == {}


def test_a_function_stays_short() -> None:
    lengths = {
        f"{path}:{node.lineno}: {node.name}": (node.end_lineno or node.lineno) - node.lineno + 1
        for path in modules(*PRODUCT)
        for node in ast.walk(tree(path))
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
    }
    assert {name: length for name, length in lengths.items() if length > FUNCTION_LINES_MAX} == {}


def test_a_module_is_named_for_what_it_knows() -> None:
    named = [path for path in modules() if NAMES_THAT_SAY_NOTHING & {path.stem, *path.parent.parts}]
    assert [str(path) for path in named] == []


def test_no_path_of_one_machine_is_written_down() -> None:
    assert lines_matching(MACHINE_PATH, list(files())) == []


def test_nothing_is_left_unfinished() -> None:
    written = {".py", ".md", ".toml", ".sh", ".yml", ".yaml", ""}
    assert lines_matching(UNFINISHED, [path for path in files() if path.suffix in written]) == []


def test_the_domain_is_pure() -> None:
    assert lines_matching(IMPURE_CALLS, modules("domain")) == []


def test_the_domain_imports_the_standard_library_msgspec_and_pydantic_alone() -> None:
    allowed = (sys.stdlib_module_names | DOMAIN_LIBRARIES) - IMPURE_LIBRARIES
    offences = [
        f"{path}:{line}: {name}"
        for path in modules("domain")
        for line, name in _imported(tree(path))
        if name.partition(".")[0] not in allowed
    ]
    assert offences == []


def _imported(module: ast.Module) -> Iterator[tuple[int, str]]:
    for node in ast.walk(module):
        if isinstance(node, ast.Import):
            yield from ((node.lineno, alias.name) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            yield node.lineno, "." * node.level + (node.module or "")


def test_a_status_code_is_named_in_the_http_edge_alone() -> None:
    inside = [path for path in modules(*PRODUCT) if path.parts[:2] != ("ledger", "http")]
    assert [f"{path}:{line}" for path in inside for line in _status_codes(tree(path))] == []


def _status_codes(module: ast.Module) -> Iterator[int]:
    """Lines where an HTTP status is named, or a number of its range is given to something called a status."""
    for node in ast.walk(module):
        if isinstance(node, ast.Name | ast.Attribute | ast.alias | ast.keyword):
            name = {ast.Name: "id", ast.Attribute: "attr", ast.alias: "name", ast.keyword: "arg"}[type(node)]
            if STATUS_NAME.fullmatch(str(getattr(node, name))):
                yield node.lineno
                continue
        value = getattr(node, "value", None)
        if isinstance(node, ast.Assign | ast.AnnAssign | ast.keyword) and isinstance(value, ast.Constant):
            targets = [node.arg] if isinstance(node, ast.keyword) else _targets(node)
            is_status = type(value.value) is int and 100 <= value.value <= 599
            if is_status and any(STATUS_SUBJECT.search(target or "") for target in targets):
                yield node.lineno


def _targets(node: ast.Assign | ast.AnnAssign) -> list[str]:
    return [ast.unparse(target) for target in (node.targets if isinstance(node, ast.Assign) else [node.target])]


def test_a_suppression_says_why() -> None:
    offences = [
        f"{path}:{line}: {comment}"
        for path in modules()
        for line, comment in _comments(path)
        if SUPPRESSION.search(comment) and len(re.findall(r"[^\W\d_]{2,}", SUPPRESSION.sub("", comment))) < 2
    ]
    assert offences == []


def _comments(path: Path) -> Iterator[tuple[int, str]]:
    for token in tokenize.generate_tokens(io.StringIO(text(path)).readline):
        if token.type == tokenize.COMMENT:
            yield token.start[0], token.string


def test_a_decision_record_is_whole() -> None:
    records = [path for path in files() if path.parts[:2] == ("docs", "adr") and path.suffix == ".md"]
    headings = {path: re.findall(r"^#+\s+(.+?)\s*$", text(path), re.MULTILINE) for path in records}
    missing = {
        str(path): [section for section in ADR_SECTIONS if section not in found]
        for path, found in headings.items()
        if path.stem.lower() not in {"readme", "index"}
    }
    assert {path: sections for path, sections in missing.items() if sections} == {}
