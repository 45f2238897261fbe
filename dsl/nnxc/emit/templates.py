"""Compiles the Jinja templates to plain functions, so that running the compiler needs no Jinja.

`python -m nnxc.emit.templates` writes `_templates.py`; a test holds it to the templates. The
variables of a template are the parameters of its function, and their attributes must exist: absence
is an error, as with StrictUndefined. What a template may use is what `_expression` and `_statement` know.
"""

from __future__ import annotations

import keyword
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

import black
import jinja2.meta
from jinja2 import nodes

_HEADER = '''"""The templates as functions. Made from templates/*.j2 by `python -m nnxc.emit.templates`."""

from __future__ import annotations

from typing import Any
'''
_OUTPUT = Path(__file__).with_name("_templates.py")


def directory() -> Path:
    """Where the templates are: in the package, else in the checkout."""
    package = Path(__file__).parent.parent
    shipped = package / "templates"
    return shipped if shipped.is_dir() else package.parent.parent / "templates"


def function_name(path: Path) -> str:
    """`class.py.j2` as `class_`."""
    name = path.name.split(".")[0].replace("-", "_")
    return f"{name}_" if keyword.iskeyword(name) else name


def compiled() -> str:
    """The text of `_templates.py`."""
    environment = jinja2.Environment(
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
        undefined=jinja2.StrictUndefined,
        autoescape=False,
    )
    trees = {
        path: environment.parse(path.read_text(encoding="utf-8"))
        for path in sorted(directory().glob("*.j2"))
    }
    named = {path.name: tree for path, tree in trees.items()}
    variables = {name: _variables(tree, named) for name, tree in named.items()}
    functions = [_function(path, tree, variables) for path, tree in trees.items()]
    return black.format_str(_HEADER + "".join(functions), mode=black.Mode())


def _function(
    path: Path, tree: nodes.Template, variables: Mapping[str, Sequence[str]]
) -> str:
    parameters = ", ".join(f"{name}: Any" for name in variables[path.name])
    body = "\n".join(_statements(tree.body, 1, variables))
    return (
        f"\n\ndef {function_name(path)}({parameters}) -> str:\n"
        f'    """{path.name}."""\n'
        f"    out: list[str] = []\n{body}\n"
        f'    return "".join(out)\n'
    )


def _variables(tree: nodes.Template, named: Mapping[str, nodes.Template]) -> list[str]:
    """The variables that a template takes, for those that it includes too."""
    found = jinja2.meta.find_undeclared_variables(tree)
    targets = (loop.target for loop in tree.find_all(nodes.For))
    given = {target.name for target in targets if isinstance(target, nodes.Name)}
    for name in jinja2.meta.find_referenced_templates(tree):
        assert name is not None
        found |= {*_variables(named[name], named)} - given
    return sorted(found)


def _statements(
    body: Sequence[nodes.Node], depth: int, variables: Mapping[str, Sequence[str]]
) -> Iterator[str]:
    for node in body:
        yield from _statement(node, depth, variables)


def _statement(
    node: nodes.Node, depth: int, variables: Mapping[str, Sequence[str]]
) -> Iterator[str]:
    pad = "    " * depth
    match node:
        case nodes.Output():
            for part in node.nodes:
                yield f"{pad}out.append({_output(part)})"
        case nodes.For(test=None, recursive=False) if not node.else_:
            yield f"{pad}for {_expression(node.target)} in {_expression(node.iter)}:"
            yield from _statements(node.body, depth + 1, variables)
        case nodes.If():
            yield f"{pad}if {_expression(node.test)}:"
            yield from _statements(node.body, depth + 1, variables)
            for other in node.elif_:
                yield f"{pad}elif {_expression(other.test)}:"
                yield from _statements(other.body, depth + 1, variables)
            if node.else_:
                yield f"{pad}else:"
                yield from _statements(node.else_, depth + 1, variables)
        case nodes.Include(template=nodes.Const(value=str(name))):
            arguments = ", ".join(variables[name])
            yield f"{pad}out.append({function_name(Path(name))}({arguments}))"
        case _:
            raise NotImplementedError(f"line {node.lineno}: {type(node).__name__}")


def _output(node: nodes.Expr) -> str:
    return (
        repr(node.data) if isinstance(node, nodes.TemplateData) else _expression(node)
    )


def _expression(node: nodes.Node) -> str:
    match node:
        case nodes.Name(name=name):
            return name
        case nodes.Const(value=value):
            return repr(value)
        case nodes.Getattr(node=inner, attr=attribute):
            return f"{_expression(inner)}.{attribute}"
        case nodes.Tuple(items=items):
            return ", ".join(_expression(i) for i in items)
        case nodes.Not(node=inner):
            return f"not {_expression(inner)}"
        case nodes.And(left=left, right=right):
            return f"({_expression(left)} and {_expression(right)})"
        case nodes.Or(left=left, right=right):
            return f"({_expression(left)} or {_expression(right)})"
        case nodes.CondExpr(test=test, expr1=then, expr2=nodes.Expr() as orelse):
            parts = (_expression(n) for n in (then, test, orelse))
            return "({} if {} else {})".format(*parts)
        case nodes.Filter(name="join", node=nodes.Expr() as inner, args=[separator]):
            return f"{_expression(separator)}.join({_expression(inner)})"
    raise NotImplementedError(f"line {node.lineno}: {type(node).__name__}")


if __name__ == "__main__":
    _OUTPUT.write_text(compiled(), encoding="utf-8")
