"""A transposed convolution in groups of channels, which Flax's own layer does not have."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from ...dims import Dim
from ...record import replace
from ..base import Call, Helper, Shaped, ShapeError, Tensor
from ..rules.window import tuple_text

HELPER = Helper(
    "GroupedConvTranspose",
    '''class GroupedConvTranspose(nnx.Module):
    """Transposed convolution in groups of channels that do not mix."""

    def __init__(
        self,
        in_features: int,
        out_features: int,
        kernel_size: tuple[int, ...],
        groups: int,
        *,
        strides: tuple[int, ...] = (),
        padding: str | tuple[tuple[int, int], ...] = "SAME",
        kernel_dilation: tuple[int, ...] = (),
        use_bias: bool = True,
        kernel_init: nnx.Initializer | None = None,
        bias_init: nnx.Initializer = nnx.initializers.zeros,
        dtype: jax.typing.DTypeLike | None = None,
        param_dtype: jax.typing.DTypeLike = jnp.float32,
        rngs: nnx.Rngs,
    ):
        shape = (*kernel_size, in_features // groups, out_features)
        kernel_init = kernel_init or nnx.initializers.lecun_normal()
        kernel = kernel_init(rngs.params(), shape, param_dtype)
        self.kernel = nnx.Param(kernel.reshape(*shape[:-1], groups, -1))
        bias = bias_init(rngs.params(), (out_features,), param_dtype)
        self.bias = nnx.data(nnx.Param(bias) if use_bias else None)
        self.strides = strides or (1,) * len(kernel_size)
        self.dilation = kernel_dilation or (1,) * len(kernel_size)
        self.padding, self.dtype = padding, dtype

    def __call__(self, x: jax.Array) -> jax.Array:
        bias = None if self.bias is None else self.bias[...]
        x, kernel, bias = nnx.nn.dtypes.promote_dtype(
            (x, self.kernel[...], bias), dtype=self.dtype
        )
        lead, space = x.shape[: 2 - kernel.ndim], x.shape[2 - kernel.ndim : -1]
        groups = x.reshape(-1, *space, kernel.shape[-2], kernel.shape[-3])

        def convolve(x: jax.Array, kernel: jax.Array) -> jax.Array:
            return jax.lax.conv_transpose(
                x, kernel, self.strides, self.padding, rhs_dilation=self.dilation
            )

        y = jax.vmap(convolve, in_axes=-2, out_axes=-2)(groups, kernel)
        y = y.reshape(*lead, *y.shape[1:-2], -1)
        return y if bias is None else y + bias
''',
)


def grouped(
    shaped: Shaped,
    args: Mapping[str, Any],
    stride: Sequence[Dim],
    dilation: Sequence[Dim],
) -> Shaped:
    """A transposed convolution, as it is when its channels come in groups.

    Its kernel is [window..., in, groups, out] of one group, as PyTorch's, [groups * in, out, window...],
    is told apart.
    """
    groups = args["groups"]
    if args["weight_norm"] is not None:
        raise ShapeError(
            "`weight_norm` does not go with `groups` here",
            at="weight_norm",
            code="N305",
            help="leave out one of the two",
        )
    kernel, build = shaped.weights["kernel"], shaped.build
    *window, taken, features = kernel.sizes
    rank = len(window)
    form = Tensor(
        ((rank + 1, rank), (rank + 2,), *((i,) for i in range(rank))), flipped=True
    )
    sizes = (*window, taken, groups, features // groups)
    assert isinstance(build, Call)
    kwargs = {
        k: v for k, v in build.kwargs.items() if k not in ("strides", "kernel_dilation")
    }
    found = dict(shaped.sizes)
    for name, values in (("strides", stride), ("kernel_dilation", dilation)):
        if any(value.value != 1 for value in values):
            found |= {f"{name}_{i}": value for i, value in enumerate(values)}
            kwargs[name] = tuple_text([f"{name}_{i}" for i in range(rank)])
    return replace(
        shaped,
        sizes=found,
        weights={**shaped.weights, "kernel": replace(kernel, sizes=sizes, tensor=form)},
        build=replace(
            build,
            target="GroupedConvTranspose",
            args=(*build.args, "groups"),
            kwargs=kwargs,
        ),
    )
