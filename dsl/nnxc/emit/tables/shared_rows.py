"""Rows of blocks that a table has several times: a tuple of their own, where that is shorter."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from itertools import groupby

from ...record import Record, replace
from ..python.names import snake
from ..python.suites import WIDTH
from .stored_rows import Block, Row, beginning, told_rows

_INDENT = 8
_WORTH = 3  # lines that have to be saved


class Part(Record):
    """The rows of a kind of block, and what they are called."""

    name: str
    rows: tuple[Row, ...]


class _Run(Record):
    """Rows of one block that follow each other: where they begin and end, the row that stands for
    them, and they themselves, in the block."""

    start: int
    end: int
    use: Row
    inner: tuple[Row, ...]


def parted(rows: Sequence[Row], table: str, give: Callable[[str], str]) -> list[Part]:
    """The table of this name and the parts that it uses, each after those that it uses itself."""
    tables = [Part(table, tuple(rows))]
    depths: dict[str, int] = {}
    for row in rows:
        for depth, block in enumerate(row.blocks):
            depths[block.kind] = max(depth, depths.get(block.kind, 0))
    for kind in sorted(depths, key=lambda kind: depths[kind]):
        runs = [list(_runs(table.rows, kind)) for table in tables]
        every = [run for several in runs for run in several]
        saved = {run.inner: _saved(every, run.inner) for run in every}
        inner = max(saved, key=saved.__getitem__, default=())
        if saved.get(inner, 0) < _WORTH:
            continue
        name = give(f"{snake(kind).upper()}_ROWS")
        for at, several in enumerate(runs):
            chosen = [run for run in several if run.inner == inner]
            tables[at] = replace(tables[at], rows=_used(tables[at].rows, chosen, name))
        tables.append(Part(name, inner))
    return tables[::-1]


def _used(rows: Sequence[Row], runs: Sequence[_Run], name: str) -> tuple[Row, ...]:
    """Rows with one in place of those of each run."""
    left = list(rows)
    for run in reversed(runs):
        left[run.start : run.end] = [replace(run.use, uses=name)]
    return tuple(left)


def _runs(rows: Sequence[Row], kind: str) -> Iterator[_Run]:
    """The rows of each block of a kind."""

    def around(row: Row) -> Block | None:
        return next((block for block in row.blocks if block.kind == kind), None)

    start = 0
    for block, group in groupby(rows, key=around):
        several = list(group)
        end = start + len(several)
        if block and (run := _run(start, end, several, block)):
            yield run
        start = end


def _run(start: int, end: int, rows: Sequence[Row], block: Block) -> _Run | None:
    """The rows of a block; None where their names do not begin in one way."""
    first = rows[0]
    if any(row.head != first.head or (row.computed and not row.head) for row in rows):
        return None
    head = first.head
    rows = [row.headless for row in rows] if head else rows
    name = _name_of(block, [name for row in rows for name in row.names])
    begun = f"{head[:-1]}{name}{head[-1:]}"  # of an f-string, with a quote at its end
    if head and ("{" in name or len(begun) > WIDTH - _INDENT - 1):
        return None
    use = Row((block.path,), (name,), (), block.layers, block.begins, block.layers)
    if head:
        use = replace(use, names=("",), computed=begun, head=begun)
    use = replace(use, blocks=first.blocks[: first.blocks.index(block)])
    return _Run(start, end, use, tuple(_inside(row, block, name) for row in rows))


def _name_of(block: Block, names: Sequence[str]) -> str:
    """How the names of a block's tensors begin, before positions in lists of its own."""
    *outer, last = beginning(names).split("{")[
        : block.path.count("{}") + block.layers + 1
    ]
    name = "{".join((*outer, last))
    deeper = name != beginning(names)
    return beginning([name[:-1], name]) if deeper else name


def _inside(row: Row, block: Block, name: str) -> Row:
    """A row as it is in a block."""
    deeper = len(row.begins) > len(block.path)
    return replace(
        row.within(block.path, block.layers, name),
        begins=row.begins.removeprefix(block.path) if deeper else "",
        layers=row.layers - block.layers if deeper else 0,
        blocks=tuple(b.below(block) for b in row.blocks[row.blocks.index(block) + 1 :]),
    )


def _saved(runs: Sequence[_Run], inner: Sequence[Row]) -> int:
    """The lines that are saved where rows of blocks stand in a tuple."""
    same = [run for run in runs if run.inner == inner]
    if len(same) == 1:
        return 0
    return sum(map(_lines_saved, same)) - _lines(inner) - 2


def _lines_saved(run: _Run) -> int:
    """What one row in place of those of a block saves."""
    use = replace(run.use.headless if run.use.head else run.use, uses="BLOCK_ROWS")
    (path,), (name,) = use.paths, use.names
    common = name if use.begins == path else name[: name.rfind("}.") + 2]
    use = use.within(use.begins, use.stacked, common)
    (path,), (name,) = use.paths, use.names
    written = [
        replace(
            row,
            paths=tuple(path + p for p in row.paths),
            names=tuple(name + n for n in row.names),
        )
        for row in run.inner
    ]
    return _lines(written) - _lines([replace(use, begins="")])


def _lines(rows: Sequence[Row]) -> int:
    """About how many lines rows take."""
    return sum(
        1 if len(text) < WIDTH - _INDENT else 2 + text.count('", ') + text.count(" (")
        for text in told_rows(rows)
    )
