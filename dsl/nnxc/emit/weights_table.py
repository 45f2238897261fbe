"""The rows of a table: which tensors of a checkpoint hold which weights."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence

from .. import ir
from ..ir.fold_statements import declared, placed_items, repeats
from .options import Options
from .python import text as t
from .python.free_names import bound_name
from .python.scope import Scope
from .python.static_text import static
from .python.text import Text
from .signature import Names, Signature, is_scanned
from .tables.shared_rows import parted
from .tables.stored_rows import Block, Row, told_rows
from .tables.weights_layers import Told, by_layer

_NUMBER = re.compile(r"\{(=?)(\d+)\+?(\d*)\}")


def table_parts(
    section: ir.Weights,
    root: Signature,
    names: Names,
    options: Options,
    give: Callable[[str], str],
    table: str,
) -> tuple[tuple[str, tuple[str, ...]], ...]:
    """Tuples of rows as Python, with what they are called: those of blocks, and the table."""
    made = [_row(told, root, names, options) for told in by_layer(section)]
    parts = parted(made, table, give)
    return tuple((part.name, told_rows(part.rows)) for part in parts)


def brought_layers(root: Signature, names: Names, options: Options) -> tuple[str, ...]:
    """Globs of the layers of Python code in a model, whose weights no row names."""
    paths = _brought(root.definition, names, ())
    texts = (_Path(path, root, names, options).text for path in paths)
    return tuple(text.replace("{}", "*") for text in texts)


def _brought(
    definition: ir.Definition, names: Names, prefix: ir.Path
) -> Iterator[ir.Path]:
    for item, around in placed_items(definition.body):
        if not isinstance(item, ir.Layer):
            continue
        several = repeats(around) + (item.count is not None)
        path = (*prefix, item.name, *[None] * several)
        if isinstance(item.callee, str):
            inner = names.signatures[item.callee].definition
            yield from _brought(inner, names, path)
        elif item.callee.origin:
            yield path


def _row(told: Told, root: Signature, names: Names, options: Options) -> Row:
    row = told.row
    found = [_Path(path, root, names, options) for path in row.paths]
    order = found[0].positions
    tensors = " ".join(_renumbered(name, order) for name in row.names)
    count = len(order) + (row.join == "stack")
    computed = _computed(row, tensors, count, root) if row.holes else ""
    head, tail = _parted(tensors) if computed else ("", "")
    args = []
    if row.tensor:
        axes = [t.tuple_of([str(a) for a in group]).text for group in row.tensor.axes]
        args.append(t.tuple_of(axes).text)
        args += ["flip=True"] if row.tensor.flipped else []
    join = row.join.replace("stack", "")  # its tensors are positions
    args += [f'join="{join}"'] if join else []
    args += [f"axis={row.axis}"] if row.axis and join else []
    begun = _computed(row, head, count, root) if head else ""
    begins = {p.begins for p in found}
    return Row(
        tuple(p.text for p in found),
        tuple(tensors.split()),
        tuple(args),
        sum(order) + (row.join == "stack"),
        begins.pop() if len(begins) == 1 else "",
        sum(order),
        computed,
        begun,
        tail,
        told.axes,
        _blocks_around(found),
    )


def _blocks_around(paths: Sequence[_Path]) -> tuple[Block, ...]:
    """The blocks that all of some weights lie in."""
    return tuple(
        block
        for block, *others in zip(*(path.blocks for path in paths), strict=False)
        if all(other == block for other in others)
    )


def _parted(names: str) -> tuple[str, str]:
    """One name after the part in which the last number is computed; nothing of several."""
    last = names.rfind("{=")
    end = names.find(".", names.find("}", last)) + 1
    return ("", "") if " " in names or not end else (names[:end], names[end:])


def _renumbered(name: str, scanned: list[bool]) -> str:
    """The positions of lists come first, then those of stacked weights."""
    if not any(scanned):
        return name
    order = sorted(range(len(scanned)), key=lambda i: scanned[i])
    new = {str(old): str(new) for new, old in enumerate(order)}
    return re.sub(r"(?<=\{)\d+", lambda m: new.get(m[0], m[0]), name)


def _computed(row: ir.Row, names: str, count: int, root: Signature) -> str:
    """A function of the model and of the positions that gives the names."""
    letters = [letter for letter in "ijklmn" if letter not in row.indices]
    positions = [*row.indices, *letters][:count]
    owner = bound_name("model", positions)
    asked: list[str] = []

    def symbol(name: str) -> str:
        if name in row.indices:
            return name
        asked.append(name)
        return f"{owner}.{root.arguments[name]}"

    def number(match: re.Match[str]) -> Text:
        if match[1]:
            return static(row.holes[int(match[2])], Scope(symbol))
        name = positions[int(match[2])]
        return Text(f"{name} + {match[3]}" if match[3] else name)

    parts: list[str | Text] = []
    end = 0
    for match in _NUMBER.finditer(names):
        parts += [names[end : match.start()], number(match)]
        end = match.end()
    text = t.formatted([*parts, names[end:]])
    given = ", ".join([owner if asked else "_", *positions])
    return f"lambda {given}: {text}"


class _Path:
    """A path as Flax has it. `positions`: for each, whether it is an axis of stacked weights;
    `begins` is the path up to the last of them."""

    def __init__(
        self, path: ir.Path, root: Signature, names: Names, options: Options
    ) -> None:
        self.positions: list[bool] = []
        self.owned: list[tuple[int, str]] = []  # where a block ends, and its kind
        parts = list(self._parts(path, root, names, options))
        self.text = ".".join(part for part in parts if part)
        inner = enumerate(parts[:-1])
        last = max((i for i, part in inner if part in ("", "{}")), default=-1)
        self.begins = _dotted(parts[: last + 1])
        self.blocks = [self._block(parts, *owned) for owned in self.owned]

    def _block(self, parts: Sequence[str], end: int, kind: str) -> Block:
        """The block that the first parts lead to."""
        at = [i for i, part in enumerate(parts[:end]) if part in ("", "{}")]
        begins = parts[: at[-1] + 1] if at else []
        layers = sum(part == "" for part in begins)
        return Block(_dotted(parts[:end]), _dotted(begins), layers, kind)

    def _parts(
        self, path: ir.Path, root: Signature, names: Names, options: Options
    ) -> Iterator[str]:
        at: Signature | None = root
        scanned, alone = False, True
        for index, part in enumerate(path):
            if part is None:
                last = index + 1 < len(path) and path[index + 1] is None
                self.positions.append(scanned and not last)
                yield "" if self.positions[-1] else "{}"
            elif isinstance(part, int):
                yield str(part)
            else:
                if at and at is not root and alone:
                    self.owned.append((index, at.name))
                yield at.attributes.get(part, part) if at else part
                layer, *others = _layers(at, part) or [None]
                alone = all(o and layer and o.callee == layer.callee for o in others)
                scanned = bool(layer and is_scanned(layer, names.signatures, options))
                callee = layer.callee if layer else None
                at = names.signatures[callee] if isinstance(callee, str) else None


def _dotted(parts: Sequence[str]) -> str:
    """How paths begin that begin with these parts."""
    return "".join(f"{part}." for part in parts if part)


def _layers(at: Signature | None, name: str) -> list[ir.Layer | None]:
    """The layers of a name; several are on several sides of conditions."""
    found = declared(at.definition.body) if at else []
    return [i for i in found if isinstance(i, ir.Layer) and i.name == name]
