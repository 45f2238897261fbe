"""Names of streams of random numbers."""

from __future__ import annotations

from typing import Final

from ...source import Span
from ..context import Context

# What `nnx.Rngs` itself means by a name: `rngs.normal(...)` draws, and is no stream.
METHODS: Final = frozenset(
    [
        "ball",
        "bernoulli",
        "beta",
        "binomial",
        "bits",
        "broadcast",
        "categorical",
        "cauchy",
        "chisquare",
        "choice",
        "delta_orthogonal",
        "dirichlet",
        "double_sided_maxwell",
        "exponential",
        "f",
        "fork",
        "gamma",
        "generalized_normal",
        "geometric",
        "glorot_normal",
        "glorot_uniform",
        "gumbel",
        "he_normal",
        "he_uniform",
        "items",
        "kaiming_normal",
        "kaiming_uniform",
        "laplace",
        "lecun_normal",
        "lecun_uniform",
        "loggamma",
        "logistic",
        "lognormal",
        "maxwell",
        "multinomial",
        "multivariate_normal",
        "normal",
        "orthogonal",
        "pareto",
        "permutation",
        "poisson",
        "rademacher",
        "randint",
        "rayleigh",
        "split",
        "t",
        "triangular",
        "truncated_normal",
        "uniform",
        "variance_scaling",
        "wald",
        "weibull_min",
        "xavier_normal",
        "xavier_uniform",
    ]
)


def expect_stream(ctx: Context, name: str, span: Span) -> None:
    """A stream is no method of `nnx.Rngs` and not private. Raises `Fault` after reporting."""
    if name in METHODS or name.startswith("_"):
        ctx.fail(
            "N219",
            f"`{name}` cannot be the name of a stream",
            span,
            help=f"`nnx.Rngs` has that name; write `{name.strip('_') or 'my'}_noise`",
        )
