"""Which file checks each sort of expression and statement: `Context` asks this for what is inside."""

from __future__ import annotations

from ..ops.base import Param
from ..shapes import TensorType
from ..syntax import tree
from .arguments import by_kind
from .context import Context
from .control import bodies
from .expressions import expressions
from .values import Converted, Value


class Dispatched:
    """The `Dispatch` of a `Context`."""

    def expr(self, ctx: Context, node: tree.Expr) -> Value:
        """The value of an expression. Raises `Fault` where a mistake makes it unknowable."""
        return expressions.expr(ctx, node)

    def statements(self, ctx: Context, body: tuple[tree.Statement, ...]) -> None:
        """Check statements in order; a mistake abandons its own statement only."""
        bodies.statements(ctx, body)

    def argument(
        self,
        ctx: Context,
        param: Param,
        node: tree.Expr,
        value: Value,
        subject: TensorType | None,
    ) -> Converted:
        """The static node, and what a shape rule receives, for one argument."""
        return by_kind.convert(ctx, param, node, value, subject)


DISPATCH = Dispatched()
