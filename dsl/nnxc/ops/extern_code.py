"""What the generated module needs for the Python code that a spec brings along."""

from __future__ import annotations

from .base import Helper

DECLARED = Helper(
    "declared",
    '''def declared(value: Any, name: str, *types: tuple[Any, ...]) -> Any:
    """What `name` gave, where it is what the spec declares; else a TypeError.

    A type is a dtype and sizes, "..." for any leading ones; several are those of a tuple.
    """

    def fits(found: tuple[Any, ...], wanted: tuple[Any, ...]) -> bool:
        (kind, *shape), (dtype, *sizes) = found, wanted
        if "..." in sizes:
            sizes = [*shape[: len(shape) - len(sizes) + 1], *sizes[1:]]
        floating = dtype == "float" and "float" in kind
        return shape == sizes and (kind == dtype or floating)

    def text(shown: Sequence[tuple[Any, ...]]) -> str:
        return ", ".join(f"{dtype}[{', '.join(map(str, s))}]" for dtype, *s in shown)

    given = value if len(types) > 1 and isinstance(value, tuple) else (value,)
    kinds = [str(getattr(v, "dtype", type(v).__name__)) for v in given]
    got = [(k, *getattr(v, "shape", ())) for k, v in zip(kinds, given, strict=True)]
    if len(got) != len(types) or not all(map(fits, got, types)):
        raise TypeError(f"`{name}` is declared as {text(types)}, it gave {text(got)}")
    return value
''',
)
TABLE = Helper(
    "table",
    '''@cache
def table(function: Callable[..., Any], *args: Any, **options: Any) -> Any:
    """What a function gives that takes no tensors: computed once, outside of any trace."""
    with jax.ensure_compile_time_eval():
        return jax.tree.map(jnp.asarray, function(*args, **options))
''',
)
FROM_FILE = Helper(
    "from_file",
    '''@cache
def from_file(name: str) -> Any:
    """The Python file of that name, relative to this one, as a module."""
    path = Path(__file__).parent / name
    spec = spec_from_file_location(f"{__name__}:{name}", path)
    if spec is None or spec.loader is None or not path.is_file():
        raise ImportError(f"the spec of {__name__} needs {path}, which is no file")
    module = sys.modules[spec.name] = module_from_spec(spec)
    spec.loader.exec_module(module)
    return module
''',
)
