"""Each room imports what its row allows; nothing of the compiler imports what it targets."""

from __future__ import annotations

import ast
import re
import sys
from collections import Counter
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest

PACKAGE = Path(__file__).parents[1] / "dsl" / "nnxc"
FILES = sorted(PACKAGE.rglob("*.py"))

# Room -> rooms and third parties that it may import. The standard library is free to all,
# and so are records, a room to itself. Rooms lower in the table may import higher ones, where it says so.
ROWS: dict[str, set[str]] = {
    "record": set(),
    "dims": set(),
    "source": set(),
    "codes": set(),
    "fresh": set(),
    "files": {"fresh"},
    "shipped": {"fresh"},
    "header": {"fresh"},
    "diagnostics": {"source", "codes"},
    "shapes": {"dims"},
    "ops": {"dims", "shapes"},
    "targets": set(),
    "syntax": {"source", "diagnostics", "codes", "lark"},
    "ir": {"dims", "shapes", "source", "ops"},
    "instance": {"ir", "ops", "dims", "shapes", "source"},
    "stepwise": {"ir", "ops", "dims", "shapes", "source"},
    "check": {
        *("dims", "shapes", "source", "diagnostics", "codes"),
        *("ops", "syntax", "ir", "instance", "stepwise", "targets"),
    },
    "emit": {
        *("ir", "stepwise", "instance", "shapes", "dims", "ops", "source"),
        *("targets", "jinja2", "black"),
    },
    "report": {
        *("ir", "ops", "dims", "shapes", "source", "diagnostics", "codes"),
        *("instance", "version"),
    },
    "driver": {
        *("version", "source", "diagnostics", "fresh", "header", "shipped"),
        *("syntax", "check", "ir", "emit"),
    },
    "specs": {"driver", "files", "fresh", "source", "diagnostics"},
    "neighbours": {"specs", "files", "fresh", "header", "diagnostics"},
    "make": {
        *("specs", "driver", "files", "fresh", "header", "diagnostics", "neighbours")
    },
    "cli": {
        *("make", "specs", "driver", "files", "fresh", "report", "instance", "targets"),
        *("diagnostics", "codes", "version", "neighbours", "shipped"),
    },
    "version": {"make", "driver", "diagnostics"},
    "main": {"fresh", "cli"},
}

# Modules at the top of the package that make up one room.
SHARED = {
    "__init__": "version",
    "__main__": "main",
    "dims_text": "dims",
    "dims_compare": "dims",
    "dims_equation": "dims",
    "mending": "diagnostics",
}

TARGETS = {"jax", "jaxlib", "flax", "optax", "numpy", "orbax"}


@cache
def parsed(path: Path) -> ast.Module:
    return ast.parse(path.read_text("utf-8"))


def room(parts: tuple[str, ...]) -> str:
    name = parts[0] if parts else "__init__"
    return SHARED.get(name, name)


def imports(path: Path) -> Iterator[str]:
    """The rooms and third parties that a file imports, wherever it does."""
    here = path.relative_to(PACKAGE).with_suffix("").parts
    for node in ast.walk(parsed(path)):
        match node:
            case ast.Import(names=names):
                yield from (outside(alias.name) for alias in names)
            case ast.ImportFrom(level=0, module=str(module)):
                yield outside(module)
            case ast.ImportFrom(level=level, module=module, names=names):
                base = here[: len(here) - level]
                inner = (*base, *(module.split(".") if module else ()))
                if inner:
                    yield room(inner)
                else:  # from . import a, b: modules, or names of the package itself
                    for alias in names:
                        known = any(f.stem == alias.name for f in PACKAGE.iterdir())
                        yield room((alias.name,) if known else ())


def outside(module: str) -> str:
    name, *rest = module.split(".")
    return room(tuple(rest)) if name == "nnxc" else name


@pytest.mark.parametrize("path", FILES, ids=lambda p: str(p.relative_to(PACKAGE)))
def test_a_room_imports_what_its_row_allows(path: Path) -> None:
    own = room(path.relative_to(PACKAGE).with_suffix("").parts)
    assert own in ROWS, f"{own} is in no row"
    used = set(imports(path)) - sys.stdlib_module_names - {own, "record"}
    assert used <= ROWS[own], f"{own} may not import {sorted(used - ROWS[own])}"


def test_no_row_names_what_the_compiler_targets() -> None:
    assert not TARGETS & {name for row in ROWS.values() for name in row}


def test_rooms_do_not_import_each_other_in_circles() -> None:
    # The package itself only names its public parts, for type checkers.
    rows = {name: row - {"version"} for name, row in ROWS.items() if name != "version"}
    left = dict(rows)
    while left:
        free = {name for name, row in left.items() if not row & left.keys()}
        assert free, f"in a circle: {sorted(left)}"
        left = {name: row for name, row in left.items() if name not in free}


@pytest.mark.parametrize("path", FILES, ids=lambda p: str(p.relative_to(PACKAGE)))
def test_jinja_and_black_are_used_where_text_is_rendered_only(path: Path) -> None:
    if {"jinja2", "black"} & set(imports(path)):
        assert path.parent.name == "emit" and path.stem in ("render", "templates"), path


def test_lark_is_used_by_its_public_parts_only() -> None:
    """No `_name`, of Lark's modules or of what they give, where Lark is used."""
    users = [path for path in FILES if "lark" in set(imports(path))]
    assert {path.relative_to(PACKAGE).parts[0] for path in users} == {"syntax"}
    for path in users:
        for node in ast.walk(ast.parse(path.read_text("utf-8"))):
            match node:
                case ast.ImportFrom(module=str(module), names=names):
                    used = [*module.split("."), *(alias.name for alias in names)]
                case ast.Attribute(value=ast.Name("self"), attr=_):
                    continue
                case ast.Attribute(attr=attr):
                    used = [attr]
                case _:
                    continue
            private = {n for n in used if n.startswith("_") and not n.endswith("__")}
            assert private <= {"_replace"}, path


WRITING = ("python", "calls", "constructor", "training")  # each knows those before it


def test_parts_of_the_writer_know_those_below_them_only() -> None:
    for path in (PACKAGE / "emit").rglob("*.py"):
        folder = path.parent.name
        if folder in WRITING:
            above = WRITING[WRITING.index(folder) + 1 :]
            used = {other.parent.name for other in modules_of(path)}
            assert not used.intersection(above), path


def test_freshness_imports_next_to_nothing() -> None:
    for name in ("fresh.py", "__main__.py"):
        tree = ast.parse((PACKAGE / name).read_text("utf-8"))
        at_start = {
            alias.name if isinstance(node, ast.Import) else node.module or alias.name
            for statement in tree.body
            for node in ast.walk(statement)
            if isinstance(node, ast.Import | ast.ImportFrom)
            and isinstance(statement, ast.Import | ast.ImportFrom | ast.Try)
            for alias in node.names
        }
        assert at_start <= {"os", "sys", "_blake2", "hashlib", "__future__", "fresh"}


def test_one_fold_knows_which_statements_hold_others() -> None:
    alike = re.compile(r"For\(body=\w+\)\s*\| (ir\.|tree\.)?Scan\(")
    found = {p.name for p in FILES if alike.search(p.read_text("utf-8"))}
    assert found == {"fold_statements.py"}


# Where a run that finds nothing to do, or prints nothing, saves an import.
AT_NEED = {
    *("__init__.py", "__main__.py", "driver.py", "files.py", "specs.py"),
    *("check/__init__.py", "cli/app.py", "emit/__init__.py", "emit/render.py"),
    "report/formats.py",
}


def test_imports_stand_at_the_top_of_files() -> None:
    inside = {
        str(path.relative_to(PACKAGE))
        for path in FILES
        for function in ast.walk(parsed(path))
        if isinstance(function, ast.FunctionDef)
        and any(isinstance(n, ast.Import | ast.ImportFrom) for n in ast.walk(function))
    }
    assert inside == AT_NEED


def modules_of(path: Path) -> set[Path]:
    """The files of the compiler that a file imports, wherever it does, but for types alone."""
    tree = parsed(path)
    for_types = {
        id(inner)
        for node in ast.walk(tree)
        if isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING"
        for inner in ast.walk(node)
    }
    found: set[Path] = set()
    for node in ast.walk(tree):
        if not isinstance(node, ast.ImportFrom) or not node.level:
            continue
        base = path.parents[node.level - 1].joinpath(*(node.module or "").split("."))
        names = [base / f"{alias.name}.py" for alias in node.names]
        whole = (base.with_suffix(".py"), base / "__init__.py")
        files = {n if n.is_file() else next(filter(Path.is_file, whole)) for n in names}
        found |= files if id(node) not in for_types else set()
    return found - {path}


def test_no_file_imports_itself_through_others() -> None:
    left = {path: modules_of(path) for path in FILES}
    while left:
        free = {path for path, used in left.items() if not used & left.keys()}
        assert free, f"in a circle: {sorted(str(p.name) for p in left)}"
        left = {path: used for path, used in left.items() if path not in free}


def test_a_file_is_found_by_its_name() -> None:
    counts = Counter(path.name for path in FILES if path.name != "__init__.py")
    commands = {path.name for path in (PACKAGE / "cli").glob("*.py")}
    twice = {name for name, count in counts.items() if count > 1}
    assert twice <= commands  # a command has the name of what it does


def test_a_folder_is_seen_at_once() -> None:
    counts = Counter(path.parent for path in FILES)
    assert {str(f): n for f, n in counts.items() if n > 21} == {}


# What is matched there: names of specs, templates of entries, a power's operands, names in checkpoints.
PATTERNS = {"names.py", "library_calls.py", "text.py", "weights_table.py"}


def test_no_pattern_is_looked_for_in_generated_text() -> None:
    """Names come from Python's own symbol tables, and uses are noted where they are written."""
    users = {
        path.name
        for path in (PACKAGE / "emit").rglob("*.py")
        for node in ast.walk(parsed(path))
        if isinstance(node, ast.Import) and "re" in {a.name for a in node.names}
    }
    assert users == PATTERNS


MAX_LINES = 400  # of a file
MAX_BODY = 45  # lines of a function, without its docstring


def test_a_file_is_read_in_one_go() -> None:
    counts = {p: len(p.read_text("utf-8").splitlines()) for p in FILES}
    long = {str(p.relative_to(PACKAGE)): n for p, n in counts.items() if n > MAX_LINES}
    assert long == {}, f"over {MAX_LINES} lines: divide them by what they are about"


def lines_of(function: ast.FunctionDef) -> int:
    """The lines of a function, without its docstring."""
    assert function.end_lineno is not None
    whole = function.end_lineno - function.lineno + 1
    match function.body[0]:
        case ast.Expr(ast.Constant(str()), end_lineno=int(end)) as docstring:
            return whole - (end - docstring.lineno + 1)
    return whole


def test_a_function_says_its_steps() -> None:
    long = {
        f"{path.relative_to(PACKAGE)}:{node.lineno} {node.name}": lines
        for path in FILES
        for node in ast.walk(parsed(path))
        if isinstance(node, ast.FunctionDef) and (lines := lines_of(node)) > MAX_BODY
    }
    assert long == {}, f"over {MAX_BODY} lines: give names to the steps of them"
