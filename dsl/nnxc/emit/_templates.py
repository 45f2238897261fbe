"""The templates as functions. Made from templates/*.j2 by `python -m nnxc.emit.templates`."""

from __future__ import annotations

from typing import Any


def accumulate() -> str:
    """accumulate.py.j2."""
    out: list[str] = []
    out.append(accumulated())
    out.append(
        '\n\ndef accumulate(\n    tx: optax.GradientTransformation, every: int\n) -> optax.GradientTransformationExtraArgs:\n    """A step of `tx` each so many batches, by the gradient of all of them together: a batch in\n    which more counts, its `weight`, has a greater share."""\n\n    def init(params: optax.Params) -> Accumulated:\n        zeros = optax.tree.zeros_like(params, dtype=jnp.float32)\n        return Accumulated(jnp.int32(0), jnp.float32(0), zeros, tx.init(params))\n\n    def update(\n        grads: optax.Updates,\n        state: Accumulated,\n        params: optax.Params | None = None,\n        *,\n        weight: jax.Array,\n    ) -> tuple[optax.Updates, Accumulated]:\n        def add(total: jax.Array, grad: jax.Array) -> jax.Array:\n            # Where nothing counts there is no mean, and no gradient.\n            return total + jnp.where(weight > 0, weight * grad.astype(jnp.float32), 0)\n\n        gathered = jax.tree.map(add, state.gradients, grads)\n        total = state.weight + weight.astype(jnp.float32)\n\n        def step() -> tuple[optax.Updates, Accumulated]:\n            share = 1 / jnp.maximum(total, jnp.finfo(jnp.float32).tiny)\n            mean = jax.tree.map(lambda a, g: (a * share).astype(g.dtype), gathered, grads)\n            updates, inner = tx.update(mean, state.inner, params)\n            zeros = optax.tree.zeros_like(gathered)\n            return updates, Accumulated(jnp.int32(0), jnp.float32(0), zeros, inner)\n\n        def wait() -> tuple[optax.Updates, Accumulated]:\n            later = Accumulated(state.mini_step + 1, total, gathered, state.inner)\n            return optax.tree.zeros_like(grads), later\n\n        return jax.lax.cond(state.mini_step == every - 1, step, wait)\n\n    return optax.GradientTransformationExtraArgs(init, update)\n'
    )
    return "".join(out)


def accumulated() -> str:
    """accumulated.py.j2."""
    out: list[str] = []
    out.append(
        'class Accumulated(NamedTuple):\n    """What batches gave since the last step: gradients times weights, and the sum of weights."""\n\n    mini_step: jax.Array\n    weight: jax.Array\n    gradients: optax.Updates\n    inner: optax.OptState\n'
    )
    return "".join(out)


def adapters(adapters: Any) -> str:
    """adapters.py.j2."""
    out: list[str] = []
    out.append(adapters.table)
    out.append(" = ")
    out.append(adapters.paths)
    out.append("\n")
    out.append(adapters.settings)
    out.append(" = ")
    out.append(adapters.config)
    out.append("\n\n\ndef ")
    out.append(adapters.add)
    out.append("(model: ")
    out.append(adapters.model)
    out.append(", *, seed: int = 0, int8: bool = False) -> ")
    out.append(adapters.model)
    out.append(
        ':\n    """Give layers their adapters, in place: as new they change nothing.\n\n    With `int8`, their own kernels are rounded to 255 steps for each output.\n    """\n    return adapt(model, '
    )
    out.append(adapters.table)
    out.append(", ")
    out.append(adapters.rank)
    out.append(", ")
    out.append(adapters.alpha)
    out.append(", seed, int8)\n\n\ndef ")
    out.append(adapters.save)
    out.append("(model: ")
    out.append(adapters.model)
    out.append(
        ', path: str | Path) -> None:\n    """Save the adapters in a folder, as PEFT does."""\n    write_adapters(model, path, '
    )
    out.append(adapters.names)
    out.append(", ")
    out.append(adapters.settings)
    out.append(")\n\n\ndef ")
    out.append(adapters.load)
    out.append("(model: ")
    out.append(adapters.model)
    out.append(", path: str | Path) -> ")
    out.append(adapters.model)
    out.append(':\n    """Load the adapters that PEFT or `')
    out.append(adapters.save)
    out.append(
        '` has saved, in place.\n\n    What does not fit is one error, and the model stays as it was.\n    """\n    wanted = nnx.eval_shape(lambda: '
    )
    out.append(adapters.add)
    out.append("(nnx.clone(model)))\n    values = read_adapters(wanted, path, ")
    out.append(adapters.names)
    out.append(", ")
    out.append(adapters.settings)
    out.append(")\n    layers = [layer for _, layer in adapters_of(")
    out.append(adapters.add)
    out.append(
        "(model))]\n    weights = [weight for layer in layers for weight in (layer.lora_a, layer.lora_b)]\n    for weight, value in zip(weights, values, strict=True):\n        weight[...] = value\n    return model\n"
    )
    return "".join(out)


def average(train: Any) -> str:
    """average.py.j2."""
    out: list[str] = []
    if train.decay and train.stepped:
        out.append("    stepped = ")
        out.append(train.stepped)
        out.append(
            "\n    nnx.cond(stepped, nnx.EMA.update, lambda ema, model: None, ema, model)\n"
        )
    elif train.decay:
        out.append("    ema.update(model)\n")
    return "".join(out)


def checkpoint() -> str:
    """checkpoint.py.j2."""
    out: list[str] = []
    out.append(checkpoint_stored())
    out.append("\n\n")
    out.append(held())
    out.append("\n\n")
    out.append(held_weights())
    out.append("\n\n")
    out.append(checkpoint_kinds())
    out.append("\n\n")
    out.append(json_file())
    out.append("\n\n")
    out.append(checkpoint_files())
    out.append("\n\n")
    out.append(checkpoint_open())
    out.append("\n\n")
    out.append(checkpoint_check())
    out.append("\n\n")
    out.append(checkpoint_read())
    out.append("\n\n")
    out.append(checkpoint_load())
    out.append("\n\n")
    out.append(checkpoint_rest())
    out.append("\n\n")
    out.append(checkpoint_save())
    out.append("\n\n")
    out.append(whole_file())
    out.append("\n\n")
    out.append(checkpoint_write())
    return "".join(out)


def checkpoint_bounded() -> str:
    """checkpoint_bounded.py.j2."""
    out: list[str] = []
    out.append(
        'class BoundedRngs(nnx.Rngs):\n    """Streams from which a model of more layers than a file can hold draws too often."""\n\n    def __init__(self, left: int):\n        super().__init__(0)\n        self.left = left\n\n    def __getattr__(self, name: str) -> Any:\n        if not name.startswith("_"):\n            self.left -= 1\n            if self.left < 0:\n                raise ValueError("there are too few tensors for so many layers")\n        return super().__getattr__(name)\n'
    )
    return "".join(out)


def checkpoint_check() -> str:
    """checkpoint_check.py.j2."""
    out: list[str] = []
    out.append(
        'def misfits(\n    held: list[Held],\n    state: dict[tuple[Any, ...], Any],\n    tensors: dict[str, Any],\n    ignored: tuple[str, ...],\n) -> Iterator[str]:\n    """What keeps tensors from being these weights."""\n    left = set(tensors)\n    for row in held:\n        floating = jnp.issubdtype(state[row.keys[0]].dtype, jnp.floating)\n        for name, shape in row.tensors():\n            left.discard(name)\n            if name not in tensors:\n                yield f"{name} is missing"\n                continue\n            file, own = tensors[name]\n            found = file.get_slice(own)\n            if found.get_shape() != shape:\n                yield f"{name} is {found.get_shape()}, the model needs {shape}"\n            dtype = found.get_dtype()\n            known = next((n for n, d in DTYPES.items() if d == dtype), None)\n            if known is None:\n                yield f"{name} is of dtype {dtype}, which is not supported"\n            elif floating != ("float" in known):\n                yield f"{name} is of dtype {dtype}, the model needs another kind"\n    for name in sorted(left):\n        if not is_ignored(name, ignored):\n            yield f"{name} is used by nothing"\n\n\ndef is_ignored(name: str, globs: tuple[str, ...]) -> bool:\n    """Whether a tensor is one that no weight takes."""\n    return any(fnmatchcase(name, glob) for glob in globs)\n'
    )
    return "".join(out)


def checkpoint_files() -> str:
    """checkpoint_files.py.j2."""
    out: list[str] = []
    out.append(
        'def checkpoint_files(path: Path) -> list[Path]:\n    """The files of a checkpoint: one, those of an index, or what a folder has of these."""\n    if not path.exists():\n        raise FileNotFoundError(f"there is no checkpoint {path}")\n    if path.is_dir():\n        globs = (\n            "*.safetensors.index.json",\n            "model.safetensors",\n            "*model.safetensors",\n            "*.safetensors",\n        )\n        found = next((f for g in globs if (f := sorted(path.glob(g)))), [])\n        if len(found) != 1:\n            raise FileNotFoundError(f"{path} has {len(found)} checkpoints, not one")\n        path = found[0]\n    if path.suffix != ".json":\n        return [path]\n    index = read_json(path).get("weight_map")\n    names = list(index.values()) if isinstance(index, dict) else [""]\n    if not all(isinstance(n, str) and n and n == Path(n).name for n in names):\n        raise ValueError(f"{path} is no index of files beside it")\n    return [path.parent / name for name in sorted(set(names))]\n'
    )
    return "".join(out)


def checkpoint_kinds() -> str:
    """checkpoint_kinds.py.j2."""
    out: list[str] = []
    out.append(
        'DTYPES = {\n    "bool": "BOOL",\n    "int8": "I8",\n    "uint8": "U8",\n    "int16": "I16",\n    "uint16": "U16",\n    "int32": "I32",\n    "uint32": "U32",\n    "int64": "I64",\n    "uint64": "U64",\n    "float16": "F16",\n    "bfloat16": "BF16",\n    "float32": "F32",\n    "float64": "F64",\n}\nPlacement = jax.sharding.Sharding | Callable[[str], jax.sharding.Sharding | None] | None\n'
    )
    return "".join(out)


def checkpoint_load() -> str:
    """checkpoint_load.py.j2."""
    out: list[str] = []
    out.append(checkpoint_bounded())
    out.append(
        '\n\ndef load_checkpoint(\n    make: Callable[[nnx.Rngs], Any],\n    path: str | Path,\n    table: tuple[Stored, ...],\n    ignored: tuple[str, ...],\n    renamed: tuple[tuple[str, str], ...],\n    sharding: Placement,\n) -> Any:\n    """A model with the weights of a checkpoint, read tensor by tensor."""\n    path = Path(path)\n    names = (file.keys() for file in open_files(path).values())\n    count = sum(map(len, names))\n    try:\n        model = nnx.eval_shape(lambda: make(BoundedRngs(4 * count + 100)))\n    except Exception as error:  # whatever a constructor makes of odd settings\n        raise ValueError(f"{path} does not fit: {error or repr(error)}") from error\n    state = dict(nnx.to_flat_state(nnx.state(model)))\n    held = held_weights(model, state, table, count)\n    wanted = {name for row in held for names in row.names for name in names}\n    tensors = open_checkpoint(path, wanted, renamed)\n    problems = list(misfits(held, state, tensors, ignored))\n    if problems:\n        head = f"{path} does not fit {type(model).__name__}:"\n        raise ValueError("\\n  ".join([head, *problems]))\n\n    def placed(key: tuple[Any, ...], value: Any) -> jax.Array:\n        place = sharding(".".join(map(str, key))) if callable(sharding) else sharding\n        return jax.device_put(value.reshape(state[key].shape), place)\n\n    values: dict[tuple[Any, ...], jax.Array] = {}\n    for row in held:\n        weights = read_weights(row, tensors, [state[k].dtype for k in row.keys])\n        values |= zip(row.keys, map(placed, row.keys, weights), strict=True)\n        del weights  # before the next are read\n    return completed(model, lambda: make(nnx.Rngs(0)), values, placed)\n'
    )
    return "".join(out)


def checkpoint_names() -> str:
    """checkpoint_names.py.j2."""
    out: list[str] = []
    out.append(
        'def spellings(name: str, renamed: tuple[tuple[str, str], ...]) -> list[str]:\n    """What a model may call a tensor of this name: old names become new ones, `*` stays."""\n    found = [name]\n    for old, new in renamed:\n        pattern = re.compile(re.escape(old).replace(r"\\*", "(.*)"))\n        for match in [m for n in found if (m := pattern.fullmatch(n))]:\n            parts = zip(new.split("*"), (*match.groups(), ""))\n            found.append("".join(text + kept for text, kept in parts))\n    return found\n'
    )
    return "".join(out)


def checkpoint_open() -> str:
    """checkpoint_open.py.j2."""
    out: list[str] = []
    out.append(checkpoint_names())
    out.append(
        '\n\ndef open_files(path: Path) -> dict[Path, Any]:\n    """The files of a checkpoint, opened; what cannot be read is one error."""\n    from safetensors import SafetensorError, safe_open\n\n    opened, problems = {}, []\n    for file in checkpoint_files(path):\n        try:\n            if not file.is_file():\n                raise FileNotFoundError("no such file")\n            opened[file] = safe_open(file, "np")\n        except (OSError, SafetensorError) as error:\n            problems.append(f"{file}: {error}")\n    if problems:\n        raise ValueError("\\n  ".join([f"{path} cannot be read:", *problems]))\n    return opened\n\n\ndef open_checkpoint(\n    path: Path, wanted: set[str], renamed: tuple[tuple[str, str], ...]\n) -> dict[str, Any]:\n    """The file and the name in it of each tensor, by the name that the model has for it."""\n    tensors: dict[str, Any] = {}\n    problems = []\n    for file, opened in open_files(path).items():\n        names = opened.keys()\n        for name in names:\n            known = (s for s in spellings(name, renamed) if s in wanted)\n            meant = next(known, name)\n            if meant in tensors:\n                problems.append(f"{file}: {meant} is there twice")\n            tensors[meant] = opened, name\n    if problems:\n        raise ValueError("\\n  ".join([f"{path} cannot be read:", *problems]))\n    return tensors\n'
    )
    return "".join(out)


def checkpoint_read() -> str:
    """checkpoint_read.py.j2."""
    out: list[str] = []
    out.append(
        'def read_weights(\n    row: Held, tensors: dict[str, Any], dtypes: list[Any]\n) -> list[np.ndarray]:\n    """The weights of a row, converted as they are read, tensor by tensor."""\n    weights = [\n        np.empty((len(row.names), *shape), dtype)\n        for shape, dtype in zip(row.shapes, dtypes, strict=True)\n    ]\n\n    def fill(at: int, names: list[str]) -> None:\n        read = [file.get_tensor(own) for file, own in (tensors[n] for n in names)]\n        parts = row.stored.unpack(read, row.shapes)\n        for weight, part in zip(weights, parts, strict=True):\n            weight[at] = part\n\n    for at, names in enumerate(row.names):\n        fill(at, names)\n    return weights\n'
    )
    return "".join(out)


def checkpoint_rest() -> str:
    """checkpoint_rest.py.j2."""
    out: list[str] = []
    out.append(
        'def completed(\n    model: Any,\n    make: Callable[[], Any],\n    values: dict[tuple[Any, ...], jax.Array],\n    placed: Callable[[tuple[Any, ...], Any], jax.Array],\n) -> Any:\n    """The model with these values; what no checkpoint holds starts as in a new model."""\n    state = dict(nnx.to_flat_state(nnx.state(model)))\n    rest = [key for key in state if key not in values]\n\n    def fresh() -> list[jax.Array]:\n        made = dict(nnx.to_flat_state(nnx.state(make())))\n        return [made[key].get_value() for key in rest]\n\n    if rest:\n        values |= zip(rest, map(placed, rest, jax.jit(fresh)()), strict=True)\n    nnx.update(model, nnx.from_flat_state(values.items()))\n    return model\n'
    )
    return "".join(out)


def checkpoint_save() -> str:
    """checkpoint_save.py.j2."""
    out: list[str] = []
    out.append(
        'def save_checkpoint(\n    model: nnx.Module,\n    path: str | Path,\n    table: tuple[Stored, ...],\n    ignored: tuple[str, ...],\n    like: str | Path | None,\n) -> None:\n    """Write a model\'s weights, named and laid out as they were published."""\n    path = Path(path)\n    if path.suffix != ".safetensors":\n        path.mkdir(parents=True, exist_ok=True)\n        path /= "model.safetensors"\n    state = dict(nnx.to_flat_state(nnx.state(model)))\n    groups = []\n    for row in held_weights(model, state, table):\n        dtype = DTYPES[state[row.keys[0]].dtype.name]\n        entries = [(name, dtype, shape) for name, shape in row.tensors()]\n        groups.append(Written(entries, partial(row_tensors, row, state)))\n    written = {name for group in groups for name, _, _ in group.entries}\n    found = {} if like is None else open_checkpoint(Path(like), set(), ())\n    for name, (file, _) in found.items():\n        if name not in written and is_ignored(name, ignored):\n            part = file.get_slice(name)\n            entries = [(name, part.get_dtype(), part.get_shape())]\n            groups.append(Written(entries, partial(file_tensors, file, name)))\n    write_checkpoint(path, groups)\n\n\ndef row_tensors(row: Held, state: dict[tuple[Any, ...], Any]) -> Iterator[np.ndarray]:\n    """The tensors of a row; the model keeps no copy of what goes to the host."""\n    held = [state[key].get_value() for key in row.keys]\n    weights = [np.asarray(jax.device_put(w, w.sharding, may_alias=False)) for w in held]\n    stacks = [w.reshape(-1, *s) for w, s in zip(weights, row.shapes, strict=True)]\n    for at, names in enumerate(row.names):\n        yield from row.stored.pack([w[at] for w in stacks], len(names))\n\n\ndef file_tensors(file: Any, name: str) -> Iterator[np.ndarray]:\n    """One tensor of another file."""\n    yield file.get_tensor(name)\n'
    )
    return "".join(out)


def checkpoint_stored() -> str:
    """checkpoint_stored.py.j2."""
    out: list[str] = []
    out.append(stored())
    out.append("\n")
    out.append(stored_shapes())
    out.append("\n")
    out.append(stored_pack())
    out.append("\n")
    out.append(stored_unpack())
    return "".join(out)


def checkpoint_write() -> str:
    """checkpoint_write.py.j2."""
    out: list[str] = []
    out.append(
        'class Written(NamedTuple):\n    """Tensors of one dtype that follow each other in a file."""\n\n    entries: list[tuple[str, str, list[int]]]  # name, dtype, shape\n    tensors: Callable[[], Iterator[np.ndarray]]\n\n    @property\n    def itemsize(self) -> int:\n        """The bytes of an element."""\n        return int(re.sub(r"\\D", "", self.entries[0][1]) or 8) // 8\n\n\ndef write_checkpoint(path: Path, groups: list[Written]) -> None:\n    """Write a file of safetensors, tensor by tensor; it is whole, or not there."""\n    groups = sorted(groups, key=lambda g: -g.itemsize)  # each is aligned\n    header: dict[str, Any] = {"__metadata__": {"format": "pt"}}\n    end = 0\n    for group in groups:\n        for name, dtype, shape in group.entries:\n            place = [end, end := end + math.prod(shape) * group.itemsize]\n            header[name] = {"dtype": dtype, "shape": shape, "data_offsets": place}\n    head = json.dumps(header).encode()\n    head += b" " * (-len(head) % 8)\n    with whole_file(path) as file:\n        file.write(len(head).to_bytes(8, "little") + head)\n        for group in groups:\n            for tensor in group.tensors():\n                write_tensor(file, np.atleast_1d(tensor))\n                del tensor  # before the next is made\n\n\ndef write_tensor(file: Any, tensor: np.ndarray) -> None:\n    """Write a tensor in parts, without a copy of the whole."""\n    step = max(1, 2**22 * len(tensor) // max(tensor.nbytes, 1))\n    for start in range(0, len(tensor), step):\n        part = np.ascontiguousarray(tensor[start : start + step])\n        file.write(part.reshape(-1).view(np.uint8))\n'
    )
    return "".join(out)


def class_(view: Any) -> str:
    """class.py.j2."""
    out: list[str] = []
    out.append("class ")
    out.append(view.name)
    out.append('(nnx.Module):\n    """')
    out.append(view.doc)
    out.append('"""\n')
    for method in view.methods:
        out.append("\n    ")
        out.append(method.head)
        out.append("\n")
        for line in method.body:
            out.append(line)
            out.append("\n")
    return "".join(out)


def config(view: Any) -> str:
    """config.py.j2."""
    out: list[str] = []
    out.append("@dataclass(frozen=True, kw_only=True)\nclass ")
    out.append(view.name)
    out.append(':\n    """')
    out.append(view.doc)
    out.append('"""\n\n')
    for field in view.fields:
        out.append("    ")
        out.append(field.text)
        out.append("\n")
    return "".join(out)


def evaluated(train: Any) -> str:
    """evaluated.py.j2."""
    out: list[str] = []
    if train.kept:
        out.append("    model = nnx.clone(model)  # its own state stays\n")
    if train.redrawn:
        out.append("    rngs = nnx.clone(rngs)  # another call draws the same\n")
    if train.modes:
        out.append("    model = nnx.view(model, ")
        out.append(train.modes)
        out.append(")\n")
    return "".join(out)


def generate_cache(generate: Any) -> str:
    """generate_cache.py.j2."""
    out: list[str] = []
    out.append("def init_cache(\n    model: ")
    out.append(generate.model)
    out.append(", starts: jax.Array, size: int\n) -> ")
    out.append(generate.model)
    out.append(
        ':\n    """The model at the start of sequences of up to `size` tokens; it shares its weights.\n\n    Sequences begin at `starts` (b,): what stands before is padding, on the left. Raises\n    ValueError where the model has not so many positions.\n    """\n    most = limits(model).positions\n    if size < 1 or (most is not None and size > most):\n        raise ValueError(f"size is 1 to {most or \'any number\'}, not {size}")\n    if np.ndim(starts) != 1 or not np.issubdtype(starts.dtype, np.integer):\n        raise ValueError(f"starts are whole numbers (b,), not {starts.dtype}{list(starts.shape)}")\n    decoder = '
    )
    out.append(generate.evaluated)
    out.append(
        '\n    for _, layer in nnx.iter_modules(decoder):\n        if isinstance(layer, Stepwise):\n            layer.init_cache(starts, size, model.dtype)\n    return decoder\n\n\n@partial(jax.jit, static_argnames="size")\ndef prefill(\n    model: '
    )
    out.append(generate.model)
    out.append(
        ', starts: jax.Array, tokens: jax.Array, *, size: int\n) -> nnx.State:\n    """The cache of `init_cache` with the tokens (b, t) in it; no scores are computed."""\n    decoder = init_cache(model, starts, size)\n    decoder(tokens)\n    return nnx.state(decoder, Cache)\n'
    )
    return "".join(out)


def generate_decode(generate: Any) -> str:
    """generate_decode.py.j2."""
    out: list[str] = []
    out.append(
        'class Decoding(NamedTuple):\n    """Where decoding stands: `made` of the `tokens` (b, n) are there, `last` is next to read."""\n\n    cache: nnx.State\n    last: jax.Array\n    key: jax.Array\n    tokens: jax.Array\n    done: jax.Array\n    made: jax.Array\n\n\n@partial(jax.jit, static_argnames="top_k", donate_argnums=1)\ndef decode(\n    model: '
    )
    out.append(generate.model)
    out.append(
        ',\n    state: Decoding,\n    until: int,\n    stop: jax.Array,\n    temperature: jax.Array,\n    top_p: jax.Array | None,\n    *,\n    top_k: int | None,\n) -> Decoding:\n    """Sample until there are so many tokens, or all sequences have stopped."""\n    # The state\'s cache takes the place of this one.\n    graphdef, _, *weights = nnx.split(init_cache(model, jnp.zeros(1, jnp.int32), 1), Cache, ...)\n\n    def going(state: Decoding) -> jax.Array:\n        return (state.made < until) & ~state.done.all()\n\n    def step(state: Decoding) -> Decoding:\n        decoder = nnx.merge(graphdef, state.cache, *weights)\n        logits = decoder(state.last[:, None])'
    )
    out.append(generate.logits)
    out.append(
        "[:, -1]\n        key, now = jax.random.split(state.key)\n        token = sample(logits.astype(jnp.float32), now, temperature, top_p, top_k)\n        tokens = state.tokens.at[:, state.made].set(token)\n        done = state.done | jnp.isin(token, stop)\n        cache = nnx.state(decoder, Cache)\n        return Decoding(cache, token, key, tokens, done, state.made + 1)\n\n    return jax.lax.while_loop(going, step, state)\n"
    )
    return "".join(out)


def generate_limits(generate: Any) -> str:
    """generate_limits.py.j2."""
    out: list[str] = []
    out.append("def limits(model: ")
    out.append(generate.model)
    out.append(
        ') -> Limits:\n    """What all tables of the model know."""\n    parts = [m for _, m in nnx.iter_modules(model) if isinstance(m, Limits)]\n\n    def least(name: str) -> int | None:\n        sizes = [getattr(part, name) for part in parts]\n        return min((size for size in sizes if size is not None), default=None)\n\n    return Limits(ids=least("ids"), positions=least("positions"), scores=least("scores"))\n\n\ndef check_prompts(prompts: Sequence[Sequence[int]], new: int, known: Limits) -> None:\n    """A ValueError where there is no token, one that is not known, or no place for `new` ones."""\n    ids, most = known.ids, known.positions\n    for prompt in prompts:\n        tokens = np.asarray(prompt)\n        if tokens.shape == (0,):\n            raise ValueError("a prompt has no tokens")\n        if tokens.ndim != 1 or tokens.dtype.kind not in "iu":\n            raise ValueError(f"a prompt is a list of token ids, not {prompt!r:.40}")\n        if tokens.min() < 0 or (ids is not None and tokens.max() >= ids):\n            last = "" if ids is None else f" to {ids - 1}"\n            wrong = tokens.min() if tokens.min() < 0 else tokens.max()\n            raise ValueError(f"token ids are 0{last}, a prompt has {wrong}")\n        if most is not None and len(tokens) + new > most:\n            raise ValueError(\n                f"a prompt and what follows have up to {most} tokens,"\n                f" not {len(tokens)} and {new} new ones"\n            )\n'
    )
    return "".join(out)


def generate_options() -> str:
    """generate_options.py.j2."""
    out: list[str] = []
    out.append(
        'def check_options(\n    known: Limits,\n    max_new_tokens: int,\n    temperature: float,\n    top_k: int | None,\n    top_p: float | None,\n    stop: Sequence[int],\n) -> None:\n    """A ValueError that says what is allowed, where an option is not."""\n    end = known.scores or 1 << 31\n\n    def whole(value: Any, end: int) -> bool:\n        return isinstance(value, int | np.integer) and 0 <= int(value) < end\n\n    if not whole(max_new_tokens, 1 << 31):\n        raise ValueError(f"max_new_tokens is a whole number, 0 or more, not {max_new_tokens}")\n    if not 0 <= temperature < float("inf"):\n        raise ValueError(f"temperature is 0 or more, not {temperature}")\n    if top_k is not None and not whole(top_k - 1, end):\n        raise ValueError(f"top_k is 1 to {end}, or None, not {top_k}")\n    if top_p is not None and not 0 < top_p <= 1:\n        raise ValueError(f"top_p is above 0 and at most 1, or None, not {top_p}")\n    for token in stop:\n        if not whole(token, end):\n            raise ValueError(f"tokens of stop are 0 to {end - 1}, not {token}")\n'
    )
    return "".join(out)


def generate_prompts() -> str:
    """generate_prompts.py.j2."""
    out: list[str] = []
    out.append(
        'def padded(\n    prompts: Sequence[Sequence[int]], most: int | None\n) -> tuple[np.ndarray, np.ndarray]:\n    """Where the prompts start (b,) and their tokens (b, t), up to `most`, padded on the left."""\n    lengths = np.array([len(prompt) for prompt in prompts])\n    width = 1 + (1 << int(max(lengths.max() - 2, 0)).bit_length())\n    width = width if most is None else min(width, most)\n    tokens = np.zeros((len(prompts), width), np.int32)\n    for row, prompt in zip(tokens, prompts, strict=True):\n        row[width - len(prompt) :] = prompt\n    return (width - lengths).astype(np.int32), tokens\n\n\ndef upto(row: list[int], stop: Sequence[int]) -> list[int]:\n    """The tokens up to the first of `stop`."""\n    ends = [at for at, token in enumerate(row) if token in stop]\n    return row[: ends[0] + 1] if ends else row\n'
    )
    return "".join(out)


def generate_sample() -> str:
    """generate_sample.py.j2."""
    out: list[str] = []
    out.append(
        'def sample(\n    logits: jax.Array,\n    key: jax.Array,\n    temperature: jax.Array,\n    top_p: jax.Array | None,\n    top_k: int | None,\n) -> jax.Array:\n    """A token for each row of scores; the likeliest where the temperature is 0."""\n\n    def likeliest() -> jax.Array:\n        return jnp.argmax(logits, axis=-1).astype(jnp.int32)\n\n    def drawn() -> jax.Array:\n        left = narrowed(logits / jnp.maximum(temperature, 1e-6), top_p, top_k)\n        return jax.random.categorical(key, left).astype(jnp.int32)\n\n    return jax.lax.cond(temperature > 0, drawn, likeliest)\n\n\ndef narrowed(scores: jax.Array, top_p: jax.Array | None, top_k: int | None) -> jax.Array:\n    """Scores of which only those of the likeliest tokens are left."""\n    if top_k is not None:\n        least = jax.lax.top_k(scores, top_k)[0][:, -1:]\n        scores = jnp.where(scores < least, -jnp.inf, scores)\n    if top_p is not None:\n        ordered = jnp.sort(scores, axis=-1, descending=True)\n        chances = jax.nn.softmax(ordered)\n        before = jnp.cumsum(chances, axis=-1) - chances\n        kept = jnp.where(before < top_p, ordered, jnp.inf)\n        scores = jnp.where(scores < kept.min(axis=-1, keepdims=True), -jnp.inf, scores)\n    return scores\n'
    )
    return "".join(out)


def generate_text(generate: Any) -> str:
    """generate_text.py.j2."""
    out: list[str] = []
    out.append("def generate(\n    model: ")
    out.append(generate.model)
    out.append(
        ',\n    prompts: Sequence[Sequence[int]],\n    *,\n    max_new_tokens: int = 64,\n    temperature: float = 0.0,\n    top_k: int | None = None,\n    top_p: float | None = None,\n    stop: Sequence[int] = (),\n    seed: int = 0,\n    on_tokens: Callable[[np.ndarray], None] | None = None,\n) -> list[list[int]]:\n    """What follows each prompt, a token of `stop` included.\n\n    Temperature 0 takes the likeliest token; `top_k` and `top_p` leave the likeliest to draw from.\n    `on_tokens` gets the tokens (b,) of each step. Prompts are padded, for few compilations.\n    Raises ValueError for tokens that the model does not know, more of them than it has\n    positions for, and options out of range.\n    """\n    known = limits(model)\n    check_options(known, max_new_tokens, temperature, top_k, top_p, stop)\n    check_prompts(prompts, max_new_tokens, known)\n    if not len(prompts) or max_new_tokens == 0:\n        return [[] for _ in prompts]\n    most = None if known.positions is None else known.positions - max_new_tokens\n    starts, tokens = padded(prompts, most)\n    size = tokens.shape[1] - 1 + max_new_tokens\n    cache = prefill(model, starts, tokens[:, :-1], size=size)\n    last = jnp.array(tokens[:, -1])\n    empty = jnp.zeros((len(prompts), max_new_tokens), jnp.int32)\n    done = jnp.zeros(len(prompts), bool)\n    state = Decoding(cache, last, jax.random.key(seed), empty, done, jnp.int32(0))\n    ends = jnp.array(stop, jnp.int32)\n    chances = None if top_p is None else jnp.float32(top_p)\n    heat = jnp.float32(temperature)\n    for until in range(1, max_new_tokens + 1) if on_tokens else (max_new_tokens,):\n        state = decode(model, state, until, ends, heat, chances, top_k=top_k)\n        if on_tokens and state.made == until:\n            on_tokens(np.asarray(state.tokens[:, until - 1]))\n    rows = np.asarray(state.tokens[:, : int(state.made)]).tolist()\n    return [upto(row, stop) for row in rows]\n'
    )
    return "".join(out)


def generation(generate: Any) -> str:
    """generation.py.j2."""
    out: list[str] = []
    out.append(generate_cache(generate))
    out.append("\n\n")
    out.append(generate_sample())
    out.append("\n\n")
    out.append(generate_decode(generate))
    out.append("\n\n")
    out.append(generate_text(generate))
    out.append("\n\n")
    out.append(generate_prompts())
    out.append("\n\n")
    out.append(generate_limits(generate))
    out.append("\n\n")
    out.append(generate_options())
    return "".join(out)


def gradients(goal: Any) -> str:
    """gradients.py.j2."""
    out: list[str] = []
    if goal.split:
        out.append("    graphdef, params, *rest = nnx.split(model, ")
        out.append(goal.wrt)
        out.append(", ...)\n\n    def ")
        out.append(goal.split.name)
        out.append("(")
        out.append(goal.split.parameters)
        out.append(
            ") -> tuple[jax.Array, dict[str, jax.Array]]:\n        model = nnx.merge(graphdef, params, *rest)\n        return "
        )
        out.append(goal.loss_fn.name)
        out.append("(")
        out.append(goal.loss_fn.arguments)
        out.append(")\n\n    grad_fn = nnx.value_and_grad(")
        out.append(goal.split.name)
        out.append(", has_aux=True)\n    (loss, metrics), grads = grad_fn(")
        out.append(goal.split.arguments)
        out.append(")\n")
    else:
        out.append("    grad_fn = nnx.value_and_grad(")
        out.append(goal.loss_fn.name)
        out.append(", has_aux=True)\n    (loss, metrics), grads = grad_fn(")
        out.append(goal.loss_fn.arguments)
        out.append(")\n")
    out.append("    optimizer.update(model, grads")
    if goal.weight:
        out.append(", weight=")
        out.append(goal.weight)
    out.append(")\n")
    return "".join(out)


def held() -> str:
    """held.py.j2."""
    out: list[str] = []
    out.append(
        'def numbered(name: str, positions: tuple[int, ...]) -> str:\n    """A name with `{0}` and `{1+1}` filled in."""\n    return re.sub(\n        r"\\{(\\d+)\\+?(\\d*)\\}", lambda m: str(positions[int(m[1])] + int(m[2] or 0)), name\n    )\n\n\nclass Held(NamedTuple):\n    """What a model has of a row: keys of its state, and names for each position in a stack."""\n\n    stored: Stored\n    keys: list[tuple[Any, ...]]\n    shapes: list[tuple[int, ...]]\n    names: list[list[str]]\n\n    def tensors(self) -> Iterator[tuple[str, list[int]]]:\n        """The names and shapes of all tensors."""\n        shapes = self.stored.tensor_shapes(self.shapes, len(self.names[0]))\n        for names in self.names:\n            yield from zip(names, shapes, strict=True)\n'
    )
    return "".join(out)


def held_weights() -> str:
    """held_weights.py.j2."""
    out: list[str] = []
    out.append(
        'def held_weights(\n    model: Any,\n    state: dict[tuple[Any, ...], Any],\n    table: tuple[Stored, ...],\n    most: float = math.inf,\n) -> list[Held]:\n    """The rows of a table as they apply to the variables of a model; `most` are the tensors."""\n    keys = {".".join(map(str, key)): key for key in state}\n    firsts = [re.escape(stored.paths.split()[0]) for stored in table]\n    patterns = [re.compile(text.replace(r"\\{\\}", r"(\\d+)")) for text in firsts]\n    held = []\n    for path in keys:\n        for pattern, stored in zip(patterns, table, strict=True):\n            if match := pattern.fullmatch(path):\n                positions = match.groups()\n                mine = [keys[p.format(*positions)] for p in stored.paths.split()]\n                shapes = [tuple(state[key].shape) for key in mine]\n                if (stack := math.prod(shapes[0][: stored.stacked])) > most:\n                    raise ValueError(f"{path} needs {stack} tensors of {most}")\n                inside = stored.inside(model, shapes, positions)\n                held.append(Held(stored, mine, *inside))\n                break\n    return held\n'
    )
    return "".join(out)


def json_file() -> str:
    """json_file.py.j2."""
    out: list[str] = []
    out.append(
        'def read_json(file: Path) -> dict[str, Any]:\n    """The object that a file of JSON holds; of 32 MB at most, as files may come from anywhere."""\n    if not file.is_file() or file.stat().st_size > 2**25:\n        raise ValueError(f"{file} is no file, or too large for one of JSON")\n    try:\n        whole = json.loads(file.read_text(encoding="utf-8"), object_hook=plain_number)\n    except (ValueError, RecursionError) as error:\n        raise ValueError(f"{file} is no JSON: {error}") from None\n    if not isinstance(whole, dict):\n        raise ValueError(f"{file} is no JSON object")\n    return whole\n\n\ndef plain_number(entry: dict[str, Any]) -> Any:\n    """An object of JSON; transformers writes Infinity as one."""\n    return float(entry["__float__"]) if entry.keys() == {"__float__"} else entry\n'
    )
    return "".join(out)


def lora() -> str:
    """lora.py.j2."""
    out: list[str] = []
    out.append(
        'class LoRA(nnx.Module):\n    """A linear layer and its adapter: base(x) + scale x A B, where B starts as zeros."""\n\n    def __init__(\n        self,\n        base: nnx.Linear | nnx.LinearGeneral,\n        rank: int,\n        alpha: float,\n        *,\n        rngs: nnx.Rngs,\n    ):\n        self.base: nnx.Linear | nnx.LinearGeneral | Int8 = base\n        self.scale = alpha / rank\n        self.axes = base.axis if isinstance(base, nnx.LinearGeneral) else (-1,)\n        ins = tuple(range(len(self.axes)))\n        shape = base.kernel.shape\n        init = nnx.initializers.variance_scaling(1 / 3, "fan_in", "uniform", ins)\n        a = init(rngs.params(), (*shape[: len(ins)], rank), jnp.float32)\n        self.lora_a = nnx.LoRAParam(a)\n        self.lora_b = nnx.LoRAParam(jnp.zeros((rank, *shape[len(ins) :])))\n\n    def __call__(self, x: jax.Array) -> jax.Array:\n        y = self.base(x)\n        a, b = (w[...].astype(y.dtype) for w in (self.lora_a, self.lora_b))\n        axes = self.axes, tuple(range(len(self.axes)))\n        low = jnp.tensordot(x.astype(y.dtype), a, axes)\n        return y + self.scale * jnp.tensordot(low, b, 1)\n\n    def merged(self) -> nnx.Module:\n        """The layer that was adapted, with the adapter in its kernel."""\n        layer = self.base.plain() if isinstance(self.base, Int8) else self.base\n        kernel = layer.kernel\n        change = jnp.tensordot(self.lora_a[...], self.lora_b[...], 1)\n        kernel[...] = (kernel[...] + self.scale * change).astype(kernel.dtype)\n        return layer\n'
    )
    return "".join(out)


def lora_int8() -> str:
    """lora_int8.py.j2."""
    out: list[str] = []
    out.append(
        'class Int8(nnx.Module):\n    """A linear layer that does not train: its kernel as int8, with a step for each output."""\n\n    def __init__(self, layer: nnx.Linear | nnx.LinearGeneral, axes: tuple[int, ...]):\n        self.layer, self.axes, self.ins = layer, axes, tuple(range(len(axes)))\n        self.plain_dtype = layer.kernel.dtype\n        kernel = layer.kernel[...].astype(jnp.float32)\n        most = jnp.abs(kernel).max(self.ins)\n        steps = jnp.where(most > 0, most / 127, 1)\n        self.steps = nnx.Variable(steps)\n        layer.kernel = nnx.Variable(jnp.round(kernel / steps).astype(jnp.int8))\n\n    @property\n    def kernel(self) -> nnx.Variable[jax.Array]:\n        return self.layer.kernel\n\n    def __call__(self, x: jax.Array) -> jax.Array:\n        dtype = self.layer.dtype or x.dtype\n        kernel, axes = self.kernel[...].astype(dtype), (self.axes, self.ins)\n        y = jnp.tensordot(x.astype(dtype), kernel, axes) * self.steps[...].astype(dtype)\n        bias = self.layer.bias\n        return y if bias is None else y + bias[...].astype(dtype)\n\n    def plain(self) -> nnx.Linear | nnx.LinearGeneral:\n        """The layer with a kernel of its own dtype again."""\n        kernel = self.kernel[...] * self.steps[...]\n        self.layer.kernel = nnx.Param(kernel.astype(self.plain_dtype))\n        return self.layer\n'
    )
    return "".join(out)


def lora_model() -> str:
    """lora_model.py.j2."""
    out: list[str] = []
    out.append(
        'def adapters_of(model: nnx.Module) -> list[tuple[tuple[Any, ...], LoRA]]:\n    """The adapters of a model, and where they are."""\n    modules = nnx.iter_modules(model)\n    return [(path, layer) for path, layer in modules if isinstance(layer, LoRA)]\n\n\ndef put_layer(model: Any, path: tuple[Any, ...], layer: nnx.Module) -> None:\n    """Put a layer in the place of another."""\n    for key in path[:-1]:\n        model = model[key] if isinstance(key, int) else getattr(model, key)\n    if isinstance(path[-1], int):\n        model[path[-1]] = layer\n    else:\n        setattr(model, path[-1], layer)\n\n\ndef adapt(\n    model: Any, names: tuple[str, ...], rank: int, alpha: float, seed: int, int8: bool\n) -> Any:\n    """Give the layers of these names an adapter where they have none."""\n    rngs = nnx.Rngs(seed)\n    old = [path for path, _ in adapters_of(model)]\n    for path, layer in list(nnx.iter_modules(model)):\n        name = ".".join(key for key in path if isinstance(key, str))\n        fits = isinstance(layer, nnx.Linear | nnx.LinearGeneral)\n        if fits and name in names and path not in old:\n            adapter = LoRA(layer, rank, alpha, rngs=rngs)\n            if int8:\n                adapter.base = Int8(layer, adapter.axes)\n            put_layer(model, path, adapter)\n    return model\n\n\ndef merge_adapters(model: Any) -> Any:\n    """A plain model that computes the same; the adapted one stays as it is."""\n    plain = nnx.clone(model)\n    for path, layer in adapters_of(plain):\n        put_layer(plain, path, layer.merged())\n    return plain\n'
    )
    return "".join(out)


def lora_names() -> str:
    """lora_names.py.j2."""
    out: list[str] = []
    out.append(
        'Names = dict[tuple[Any, ...], tuple[str, list[int] | None]]\n\n\nclass Adapted(NamedTuple):\n    """An adapter as PEFT has it: its name, and how the axes of A and B follow each other."""\n\n    name: str\n    layer: LoRA\n    orders: tuple[tuple[int, ...], tuple[int, ...]]\n\n    def tensors(self) -> Iterator[tuple[str, nnx.LoRAParam[Any], tuple[int, ...]]]:\n        """The names, weights and orders of axes of A and B."""\n        weights = self.layer.lora_a, self.layer.lora_b\n        for part, weight, order in zip("AB", weights, self.orders, strict=True):\n            yield f"base_model.model.{self.name}.lora_{part}.weight", weight, order\n\n\ndef adapted(model: nnx.Module, names: Names) -> Iterator[Adapted]:\n    """The adapters of a model, each named as what it adapts."""\n    for path, layer in adapters_of(model):\n        if (*path, "kernel") not in names:\n            here = ".".join(map(str, path))\n            raise ValueError(f"{here} shares a tensor: merge the adapters instead")\n        name, order = names[*path, "kernel"]\n        order = order or list(range(layer.base.kernel.ndim))\n        count = len(layer.axes)\n        ins = tuple(a for a in order if a < count)\n        outs = tuple(a - count + 1 for a in order if a >= count)\n        yield Adapted(name, layer, ((*ins, count), (*outs, 0)))\n\n\ndef targets(mine: list[str], names: Names) -> list[str]:\n    """What PEFT finds these layers by: the last of their names, where no other has it."""\n    last = {name.split(".")[-1] for name in mine}\n    others = {name.split(".")[-1] for name, _ in names.values() if name not in mine}\n    shared = last & others or any(name.isdigit() for name in last)\n    return sorted(mine if shared else last)\n'
    )
    return "".join(out)


def lora_own() -> str:
    """lora_own.py.j2."""
    out: list[str] = []
    out.append(
        'def own_names(model: nnx.Module) -> Names:\n    """The kernels of layers, named as the model has them."""\n    paths = (path for path, _ in nnx.iter_modules(model))\n    return {(*path, "kernel"): (".".join(map(str, path)), None) for path in paths}\n'
    )
    return "".join(out)


def lora_read() -> str:
    """lora_read.py.j2."""
    out: list[str] = []
    out.append(
        'def read_adapters(\n    model: nnx.Module, path: str | Path, names: Names, settings: dict[str, Any]\n) -> list[jax.Array]:\n    """What PEFT has written, for A and B of each adapter; what does not fit is one error."""\n    from safetensors import SafetensorError\n    from safetensors.numpy import load_file\n\n    path = Path(path)\n    given = read_json(path / "adapter_config.json")\n    wrong = {k: given.get(k, v) for k, v in settings.items() if given.get(k, v) != v}\n    problems = [f"{k} is {v!r}, not {settings[k]!r}" for k, v in wrong.items()]\n    try:\n        tensors = load_file(path / "adapter_model.safetensors")\n    except SafetensorError as error:\n        raise ValueError(f"{path} cannot be read: {error}") from None\n    values = []\n    for one in adapted(model, names):\n        for name, weight, order in one.tensors():\n            if name not in tensors:\n                problems.append(f"{name} is missing")\n                continue\n            tensor = tensors.pop(name)\n            shape = [weight.shape[axis] for axis in order]\n            part = tensor.T if ".lora_A." in name else tensor\n            if part.shape != (math.prod(shape[:-1]), shape[-1]):\n                problems.append(f"{name} is {tensor.shape}, which does not fit")\n            elif not jnp.issubdtype(tensor.dtype, jnp.floating):\n                problems.append(f"{name} is of dtype {tensor.dtype}, a weight is not")\n            else:\n                part = part.reshape(shape).transpose(np.argsort(order))\n                values.append(jnp.asarray(part, weight.dtype))\n    problems += [f"{name} is used by nothing" for name in tensors]\n    if problems:\n        raise ValueError("\\n  ".join([f"{path} does not fit:", *problems]))\n    return values\n'
    )
    return "".join(out)


def lora_stored() -> str:
    """lora_stored.py.j2."""
    out: list[str] = []
    out.append(
        'def kernel_names(model: nnx.Module, table: tuple[Stored, ...]) -> Names:\n    """The tensors that hold one weight each, with the order of its axes there."""\n    plain = nnx.eval_shape(lambda: merge_adapters(model))\n    state = dict(nnx.to_flat_state(nnx.state(plain)))\n    names = {}\n    for row in held_weights(plain, state, table):\n        if len(row.keys) == len(row.names) == len(row.names[0]) == 1:\n            order = [axis for axes in row.stored.axes or () for axis in axes]\n            names[row.keys[0]] = row.names[0][0].removesuffix(".weight"), order\n    return names\n'
    )
    return "".join(out)


def lora_write() -> str:
    """lora_write.py.j2."""
    out: list[str] = []
    out.append(
        'def write_adapters(\n    model: nnx.Module, path: str | Path, names: Names, settings: dict[str, Any]\n) -> None:\n    """Write adapters as PEFT does: A as (rank, in), B as (out, rank)."""\n    from safetensors.numpy import save\n\n    path, tensors = Path(path), {}\n    path.mkdir(parents=True, exist_ok=True)\n    found = list(adapted(model, names))\n    for one in found:\n        for name, weight, order in one.tensors():\n            part = np.asarray(weight[...], np.float32).transpose(order)\n            part = part.reshape(-1, part.shape[-1])\n            part = part.T if ".lora_A." in name else part\n            tensors[name] = np.ascontiguousarray(part)\n    modules = targets([one.name for one in found], names)\n    text = json.dumps({**settings, "target_modules": modules}, indent=2)\n    with whole_file(path / "adapter_model.safetensors") as file:\n        file.write(save(tensors, {"format": "pt"}))\n    with whole_file(path / "adapter_config.json") as file:\n        file.write(text.encode())\n'
    )
    return "".join(out)


def loss_fn(goal: Any) -> str:
    """loss_fn.py.j2."""
    out: list[str] = []
    out.append("def ")
    out.append(goal.loss_fn.name)
    out.append("(")
    out.append(goal.loss_fn.parameters)
    out.append(') -> tuple[jax.Array, dict[str, jax.Array]]:\n    """The loss of ')
    out.append(goal.title)
    out.append(', and its metrics."""\n')
    for line in goal.loss.lines:
        out.append("    ")
        out.append(line)
        out.append("\n")
    out.append("    return ")
    out.append(goal.loss.result)
    out.append(", ")
    out.append(goal.loss.metrics)
    out.append("\n")
    return "".join(out)


def matrix_axes() -> str:
    """matrix_axes.py.j2."""
    out: list[str] = []
    out.append(
        'def matrix_axes(matrices: Mapping[str, tuple[int, int]], params: Any) -> Any:\n    """The kernels among weights, for Muon: the axes that each sums over and those that it makes.\n\n    `matrices` says by name how many these are, the last ones of the kernel. Adam steps the rest.\n    """\n\n    def axes(path: tuple[Any, ...], x: jax.Array) -> Any:\n        keys = (getattr(part, "key", None) for part in path)\n        name = ".".join(key for key in keys if isinstance(key, str))\n        if name not in matrices:\n            return None\n        ins, outs = matrices[name]\n        every = range(x.ndim - ins - outs, x.ndim)\n        return optax.contrib.MuonDimensionNumbers((*every[:ins],), (*every[ins:],))\n\n    return jax.tree.map_with_path(axes, params)\n'
    )
    return "".join(out)


def module(view: Any) -> str:
    """module.py.j2."""
    out: list[str] = []
    out.append('"""')
    out.append(view.doc)
    out.append('"""\n')
    for group in view.imports:
        out.append("\n")
        for line in group:
            out.append(line)
            out.append("\n")
    for part in view.parts:
        out.append("\n\n")
        out.append(part)
        out.append("\n")
    return "".join(out)


def output(view: Any) -> str:
    """output.py.j2."""
    out: list[str] = []
    out.append("class ")
    out.append(view.name)
    out.append('(NamedTuple):\n    """')
    out.append(view.doc)
    out.append('"""\n\n')
    for line in view.fields:
        out.append(line)
        out.append("\n")
    return "".join(out)


def presets(view: Any) -> str:
    """presets.py.j2."""
    out: list[str] = []
    for line in view.lines:
        out.append(line)
        out.append("\n")
    return "".join(out)


def settings() -> str:
    """settings.py.j2."""
    out: list[str] = []
    out.append(
        'UNFIT = (ArithmeticError, AttributeError, LookupError, TypeError, ValueError)\n\n\nclass Settings(dict[str, Any]):\n    """What a `config.json` says, by dotted keys; a position in a list is a key too."""\n\n    def __init__(self, file: Path, whole: Any):\n        self.file = file\n        self.single: dict[str, Any] = {}  # no dict, no list of some\n        self.missing: list[str] = []\n        waiting = [("", whole)]\n        for prefix, values in waiting:\n            several = values.items() if isinstance(values, dict) else enumerate(values)\n            for name, value in several:\n                key = repr(name) if "." in str(name) else name  # no path\n                if isinstance(value, dict | list) and value:\n                    waiting.append((f"{prefix}{key}.", value))\n                elif value != {}:\n                    self.single[f"{prefix}{key}"] = value\n                if value is not None:\n                    self[f"{prefix}{key}"] = frozen(value)\n\n    def __missing__(self, key: str) -> Any:\n        self.missing += [key] if key not in self.missing else []\n        return 1  # so that all that is missing is found\n\n    def either(self, *keys: str, default: Any) -> Any:\n        """The first value; None where all that is there is null, whatever the default."""\n        found = [self[key] for key in keys if key in self]\n        return found[0] if found else None if any(map(self.says, keys)) else default\n\n    def says(self, key: str) -> bool:\n        """Whether a key is there, were it null."""\n        return key in self or key in self.single\n\n'
    )
    out.append(settings_filling())
    return "".join(out)


def settings_filling() -> str:
    """settings_filling.py.j2."""
    out: list[str] = []
    out.append(
        '    def filling(\n        self,\n        make: Callable[[], Any],\n        read: tuple[str, ...],\n        assumed: Callable[[], dict[str, tuple[Any, ...]]] = dict,\n        rates: tuple[str, ...] = (),\n    ) -> Any:\n        """A Config, of which some are rates. All that does not fit is one error."""\n        cfg = None\n        try:\n            cfg = make()\n            problems = list(misfilled(cfg, rates))\n        except UNFIT as error:\n            problems = [f"it cannot be read: {error}"]\n        if self.missing:\n            problems = [f"{key} is missing" for key in self.missing]\n        else:\n            problems += self.unlike(assumed, read)\n        if problems:\n            raise ValueError("\\n  ".join([f"{self.file} does not fit:", *problems]))\n        return cfg\n\n    def unlike(\n        self, assumed: Callable[[], dict[str, tuple[Any, ...]]], read: tuple[str, ...]\n    ) -> Iterator[str]:\n        """What is other than assumed, or is not read."""\n        try:\n            held = assumed()\n        except UNFIT as error:\n            yield f"it cannot be compared: {error}"\n            return\n        for key, allowed in held.items():\n            if self.says(key) and self.get(key) not in allowed:\n                meant = " or ".join(map(repr, allowed))\n                yield f"{key} is {self.get(key)!r}, the model assumes {meant}"\n        yield from unread(self.single, {*held, *read})\n'
    )
    return "".join(out)


def settings_known() -> str:
    """settings_known.py.j2."""
    out: list[str] = []
    out.append(
        '# Keys that change no output, wherever they stand.\nHARMLESS = (\n    # where a file comes from, and the precision of its numbers, which it says itself\n    "_name_or_path _commit_hash _class_name architectures auto_map model_type dtype "\n    "torch_dtype transformers_version _diffusers_version \'transformers.js_config\'* "\n    # how the library computes the same, or what it gives besides\n    "use_cache _attn_implementation* attn_implementation torchscript pretraining_tp "\n    "output_attentions output_hidden_states output_router_logits is_encoder_decoder "\n    "return_dict use_return_dict chunk_size_feed_forward gradient_checkpointing "\n    "output_past output_scores return_dict_in_generate use_bfloat16 "\n    "cache_implementation "\n    # training alone: initial values, which the file replaces, rates, losses\n    "initializer_range initializer_factor initializer_std init_std mask_time_* "\n    "mask_feature_* mask_channel_* freeze_feat_extract_train label_smoothing "\n    "router_aux_loss_coef router_z_loss_coef router_jitter_noise ignore_index "\n    # labels, and what comes before and after the model\n    "id2label label2id _num_labels problem_type finetuning_task task_specific_params "\n    "tokenizer_class bos_token_id sep_token_id cls_token_id unk_token_id prefix "\n    # how sequences are sampled, which older files say as well\n    "decoder_start_token_id forced_*_token_id forced_decoder_ids max_length min_length "\n    "do_sample early_stopping num_beams num_beam_groups num_return_sequences "\n    "diversity_penalty length_penalty repetition_penalty *no_repeat_ngram_size "\n    "bad_words_ids *suppress_tokens remove_invalid_values typical_p "\n    # summaries of sequences, heads apart from the model\'s\n    "summary_*"\n).split()\nRATES = ("*dropout*", "*_pdrop", "*layerdrop", "*drop_path*")  # of training alone\n\n\ndef is_called(key: str, globs: Sequence[str]) -> bool:\n    """Whether a key, or one around it, has one of these names."""\n    parts = (key, *key.split("."))\n    return any(fnmatchcase(part, glob) for part in parts for glob in globs)\n\n\ndef covers(known: set[str], key: str) -> bool:\n    """Whether a key is known, lies in one that is, or is single where a first entry is."""\n    parts = key.split(".")\n    around = {".".join(parts[:n]) for n in range(1, len(parts) + 1)}\n    return not known.isdisjoint({*around, f"{key}.0"})\n'
    )
    return "".join(out)


def settings_read() -> str:
    """settings_read.py.j2."""
    out: list[str] = []
    out.append(
        'def misfilled(cfg: Any, rates: tuple[str, ...]) -> Iterator[str]:\n    """The fields of a Config that have not their type, or are no rate."""\n    for name, kind in get_type_hints(type(cfg)).items():\n        value = getattr(cfg, name)\n        if name not in ("dtype", "param_dtype") and not has_type(value, kind):\n            expected = kind.__name__ if isinstance(kind, type) else kind\n            yield f"{name} would be {value!r}, not {expected}"\n        elif name in rates and not is_rate(value):\n            yield f"{name} would be {value!r}, not from 0 to 1"\n\n\ndef frozen(value: Any) -> Any:\n    """Lists as tuples, inside too."""\n    return tuple(map(frozen, value)) if isinstance(value, list) else value\n\n\ndef has_type(value: Any, kind: Any) -> bool:\n    """Whether a value is of a field\'s type; an int is a float, a bool is no int."""\n    if isinstance(kind, UnionType):\n        return any(has_type(value, choice) for choice in get_args(kind))\n    plain = get_origin(kind) or kind\n    if plain is tuple and isinstance(value, tuple):\n        return all(has_type(item, k) for item in value for k in get_args(kind)[:1])\n    if isinstance(value, bool):\n        return plain is bool\n    if isinstance(value, float) and math.isnan(value):\n        return False\n    if isinstance(value, int) and value.bit_length() > 63:\n        return False\n    return isinstance(value, int | float if plain is float else plain)\n\n\ndef read_settings(path: Path) -> Settings:\n    """The settings beside a checkpoint."""\n    file = (path if path.is_dir() else path.parent) / "config.json"\n    if not file.exists():\n        raise FileNotFoundError(f"{file} is not there: pass a Config")\n    try:\n        return Settings(file, read_json(file))\n    except RecursionError:\n        raise ValueError(f"{file} is nested too deeply") from None\n'
    )
    return "".join(out)


def settings_unread() -> str:
    """settings_unread.py.j2."""
    out: list[str] = []
    out.append(
        'def unread(single: dict[str, Any], known: set[str]) -> Iterator[str]:\n    """The settings that may matter, and are not known; rates that are none."""\n    for key, value in single.items():\n        if value is None:\n            continue\n        if is_called(key, RATES):\n            if not is_rate(value):\n                yield f"{key} is {value!r}, not from 0 to 1"\n        elif not is_called(key, HARMLESS) and not covers(known, key):\n            yield f"{key} is {value!r}, the model does not read it"\n\n\ndef is_rate(value: Any) -> bool:\n    """Whether a value is from 0 to 1."""\n    return isinstance(value, int | float) and 0 <= value <= 1\n'
    )
    return "".join(out)


def stored() -> str:
    """stored.py.j2."""
    out: list[str] = []
    out.append(
        'class Stored(NamedTuple):\n    """Weights, and the tensors of a checkpoint that hold them.\n\n    `{}` in a path is a position in a list of layers; `{0}` in a name is the first of them. Names\n    may also be computed from the model and its positions.\n    """\n\n    paths: str  # several, with spaces between, share a tensor\n    names: str | Callable[..., str]  # several make one weight\n    axes: tuple[tuple[int, ...], ...] | None = None  # of the weight, for each axis\n    join: str = ""  # how several lie in one\n    axis: int = 0  # of the tensors, along which they do\n    flip: bool = False  # axes from the third on run backwards\n    stacked: int = 0  # leading axes of the weight that are positions too\n\n    def inside(\n        self, model: Any, shapes: list[tuple[int, ...]], positions: tuple[str, ...]\n    ) -> tuple[list[tuple[int, ...]], list[list[str]]]:\n        """The shapes below the leading axes, and the names of the tensors at each position."""\n        names = [\n            self.named(model, *map(int, positions), *at)\n            for at in np.ndindex(shapes[0][: self.stacked])\n        ]\n        return [shape[self.stacked :] for shape in shapes], names\n\n    def named(self, model: Any, *positions: int) -> list[str]:\n        """The names at these positions."""\n        if callable(self.names):\n            return self.names(model, *positions).split()\n        return numbered(self.names, positions).split()\n'
    )
    return "".join(out)


def stored_pack() -> str:
    """stored_pack.py.j2."""
    out: list[str] = []
    out.append(
        '    def pack(self, weights: list[np.ndarray], count: int) -> list[np.ndarray]:\n        """The tensors of weights."""\n        shapes = [w.shape for w in weights]\n        order = [a for axes in self.axes or () for a in axes]\n        parts = [\n            (w.transpose(order) if order else w).reshape(layout)\n            for w, layout in zip(weights, self.layouts(shapes), strict=True)\n        ]\n        if self.flip:\n            parts = [np.flip(p, tuple(range(2, p.ndim))) for p in parts]\n        match self.join:\n            case "split":\n                return [np.concatenate(parts, self.axis)]\n            case "interleave":\n                turns = self.groups(shapes)\n                split = [np.split(p, turns, self.axis) for p in parts]\n                return [\n                    np.concatenate(\n                        [t for turn in zip(*split, strict=True) for t in turn],\n                        self.axis,\n                    )\n                ]\n            case "concat":\n                return np.split(parts[0], count, self.axis)\n            case "sum":\n                return [parts[0], *[np.zeros_like(parts[0])] * (count - 1)]\n        return parts\n'
    )
    return "".join(out)


def stored_shapes() -> str:
    """stored_shapes.py.j2."""
    out: list[str] = []
    out.append(
        '    def layouts(self, shapes: list[tuple[int, ...]]) -> list[list[int]]:\n        """The shapes of weights, laid out as in a tensor."""\n        return [\n            [\n                math.prod(s[a] for a in axes)\n                for axes in self.axes or [(i,) for i in range(len(s))]\n            ]\n            for s in shapes\n        ]\n\n    def groups(self, shapes: list[tuple[int, ...]]) -> int:\n        """How often interleaved weights take turns: by the first axis that they have there."""\n        axis = self.axes[self.axis][0] if self.axes else self.axis\n        return min(shape[axis] for shape in shapes)\n\n    def tensor_shapes(\n        self, shapes: list[tuple[int, ...]], count: int\n    ) -> list[list[int]]:\n        """The shapes of the tensors that weights of these shapes make."""\n        first, *others = self.layouts(shapes)\n        if self.join in ("split", "interleave"):\n            first[self.axis] += sum(layout[self.axis] for layout in others)\n        elif self.join == "concat":\n            first[self.axis] //= count\n        return [first] * count\n'
    )
    return "".join(out)


def stored_unpack() -> str:
    """stored_unpack.py.j2."""
    out: list[str] = []
    out.append(
        '    def unpack(\n        self, tensors: list[np.ndarray], shapes: list[tuple[int, ...]]\n    ) -> list[np.ndarray]:\n        """The weights of tensors."""\n        parts = self.taken_apart(tensors, shapes)\n        if self.flip:\n            parts = [np.flip(p, tuple(range(2, p.ndim))) for p in parts]\n        return [self.restored(p, s) for p, s in zip(parts, shapes, strict=True)]\n\n    def taken_apart(\n        self, tensors: list[np.ndarray], shapes: list[tuple[int, ...]]\n    ) -> list[np.ndarray]:\n        """The part of each weight."""\n        match self.join:\n            case "split" | "interleave":\n                turns = self.groups(shapes) if self.join == "interleave" else 1\n                sizes = [layout[self.axis] // turns for layout in self.layouts(shapes)]\n                ends = np.cumsum(sizes * turns)[:-1]\n                pieces = np.split(tensors[0], ends, self.axis)\n                if turns == 1:\n                    return pieces\n                each = len(sizes)\n                return [np.concatenate(pieces[i::each], self.axis) for i in range(each)]\n            case "concat":\n                return [np.concatenate(tensors, self.axis)]\n            case "sum":\n                return [sum(tensors[1:], tensors[0])]\n        return tensors\n\n    def restored(self, part: np.ndarray, shape: tuple[int, ...]) -> np.ndarray:\n        """A weight from how it is laid out."""\n        order = [a for axes in self.axes or () for a in axes]\n        if not order:\n            return part.reshape(shape)\n        return part.reshape([shape[a] for a in order]).transpose(np.argsort(order))\n'
    )
    return "".join(out)


def train(train: Any) -> str:
    """train.py.j2."""
    out: list[str] = []
    out.append(train_optimizers(train))
    out.append("\n\n")
    for goal in train.goals:
        if goal.by_model:
            out.append("def ")
            out.append(goal.trainable)
            out.append("(model: ")
            out.append(train.model)
            out.append(
                ') -> nnx.filterlib.Filter:\n    """The weights that train."""\n    return '
            )
            out.append(goal.selection)
            out.append("\n\n\n")
    out.append(train_create(train))
    out.append("\n\n")
    if train.several:
        out.append(train_steps(train))
    else:
        out.append(train_step(train))
    return "".join(out)


def train_create(train: Any) -> str:
    """train_create.py.j2."""
    out: list[str] = []
    out.append("def ")
    out.append(train.create_model.name)
    out.append("(")
    out.append(train.create_model.parameters)
    out.append(") -> ")
    out.append(train.model)
    out.append(":\n")
    if train.adapters:
        out.append("    return ")
        out.append(train.adapters.add)
        out.append("(")
        out.append(train.model)
        out.append("(")
        out.append(train.create_model.arguments)
        out.append("), seed=seed + 1)\n")
    else:
        out.append("    return ")
        out.append(train.model)
        out.append("(")
        out.append(train.create_model.arguments)
        out.append(")\n")
    for goal in train.goals:
        out.append("\n\ndef ")
        out.append(goal.create_optimizer)
        out.append("(model: ")
        out.append(train.model)
        out.append(") -> nnx.Optimizer[")
        out.append(train.model)
        out.append("]:\n    return nnx.Optimizer(model, ")
        out.append(goal.tx)
        out.append(", wrt=")
        out.append(goal.wrt)
        out.append(")\n")
    if train.decay:
        out.append("\n\ndef ")
        out.append(train.create_ema)
        out.append("(model: ")
        out.append(train.model)
        out.append(") -> nnx.EMA:\n    return nnx.EMA(model, ")
        out.append(train.decay)
        out.append(", only=")
        out.append(train.averaged)
        out.append(")\n")
    if train.streams:
        out.append("\n\ndef ")
        out.append(train.create_rngs)
        out.append("(seed: int = 1) -> nnx.Rngs:\n    return nnx.Rngs(")
        out.append(train.streams)
        out.append(")\n")
    return "".join(out)


def train_optimizers(train: Any) -> str:
    """train_optimizers.py.j2."""
    out: list[str] = []
    if train.table:
        out.append(train.table)
        out.append(" = ")
        out.append(train.matrices)
        out.append("\n")
    for goal in train.goals:
        out.append(goal.tx)
        out.append(" = ")
        out.append(goal.transformation)
        out.append("\n")
        if goal.selection and not goal.by_model:
            out.append(goal.trainable)
            out.append(" = ")
            out.append(goal.selection)
            out.append("\n")
    return "".join(out)


def train_step(train: Any) -> str:
    """train_step.py.j2."""
    out: list[str] = []
    for goal in train.goals:
        out.append(loss_fn(goal))
        out.append("\n\n@nnx.jit")
        if train.donated:
            out.append("(donate_argnames=")
            out.append(train.donated)
            out.append(")")
        out.append("\ndef ")
        out.append(train.train_step.name)
        out.append("(")
        out.append(train.train_step.parameters)
        out.append(
            ') -> tuple[jax.Array, dict[str, jax.Array]]:\n    """Take one step; the objects change in place."""\n'
        )
        for view in train.training:
            out.append("    model = nnx.view(model, ")
            out.append(view)
            out.append(")\n")
        out.append(gradients(goal))
        out.append(average(train))
        out.append("    return loss, metrics\n\n\n@nnx.jit\ndef ")
        out.append(train.eval_step.name)
        out.append("(")
        out.append(train.eval_step.parameters)
        out.append(
            ') -> tuple[jax.Array, dict[str, jax.Array]]:\n    """Loss and metrics of the model as it is used, not as it is trained."""\n'
        )
        out.append(evaluated(train))
        out.append("    return ")
        out.append(goal.loss_fn.name)
        out.append("(")
        out.append(goal.evaluated)
        out.append(")\n")
    return "".join(out)


def train_steps(train: Any) -> str:
    """train_steps.py.j2."""
    out: list[str] = []
    for goal in train.goals:
        out.append(loss_fn(goal))
        out.append("\n\ndef ")
        out.append(goal.step.name)
        out.append("(")
        out.append(goal.step.parameters)
        out.append(
            ') -> tuple[jax.Array, dict[str, jax.Array]]:\n    """Take a step for '
        )
        out.append(goal.title)
        out.append('; the objects change in place."""\n')
        out.append(gradients(goal))
        out.append("    return loss, metrics\n\n\n")
    out.append("@nnx.jit")
    if train.donated:
        out.append("(donate_argnames=")
        out.append(train.donated)
        out.append(")")
    out.append("\ndef ")
    out.append(train.train_step.name)
    out.append("(")
    out.append(train.train_step.parameters)
    out.append(
        ') -> tuple[dict[str, jax.Array], dict[str, jax.Array]]:\n    """Take a step for each in turn; the objects change in place."""\n'
    )
    for view in train.training:
        out.append("    model = nnx.view(model, ")
        out.append(view)
        out.append(")\n")
    for goal in train.goals:
        out.append("    ")
        out.append(goal.result)
        out.append(" = ")
        out.append(goal.step.name)
        out.append("(")
        out.append(goal.step.arguments)
        out.append(")\n")
    out.append(average(train))
    out.append("    return ")
    out.append(train.losses)
    out.append(", ")
    out.append(train.metrics)
    out.append("\n\n\n@nnx.jit\ndef ")
    out.append(train.eval_step.name)
    out.append("(")
    out.append(train.eval_step.parameters)
    out.append(
        ') -> tuple[dict[str, jax.Array], dict[str, jax.Array]]:\n    """Losses and metrics of the model as it is used, not as it is trained."""\n'
    )
    out.append(evaluated(train))
    for goal in train.goals:
        out.append("    ")
        out.append(goal.result)
        out.append(" = ")
        out.append(goal.loss_fn.name)
        out.append("(")
        out.append(goal.evaluated)
        out.append(")\n")
    out.append("    return ")
    out.append(train.losses)
    out.append(", ")
    out.append(train.metrics)
    out.append("\n")
    return "".join(out)


def trainer(losses: Any) -> str:
    """trainer.py.j2."""
    out: list[str] = []
    out.append(
        'class Trainer:\n    """Takes steps without Flax\'s cost per call: `Trainer(train_step, model, optimizer, ...)`.\n\n    A step reads the objects as they are and leaves them up to date; it donates their arrays.\n    """\n\n    def __init__(self, train_step: Callable[..., Any], *objects: Any) -> None:\n        graphdef, state = nnx.split(objects)\n        treedef = jax.tree.structure(state)\n        self.variables = [v for _, v in nnx.to_flat_state(state) if jax.tree.leaves(v)]\n\n        @partial(jax.jit, donate_argnums=0)\n        def run(leaves: list[jax.Array], *batch: jax.Array) -> Any:\n            objects = nnx.merge(graphdef, jax.tree.unflatten(treedef, leaves))\n            result = train_step(*objects, *batch)\n            return result, jax.tree.leaves(nnx.state(objects))\n\n        self.run = run\n\n    def step(self, *batch: jax.Array) -> tuple['
    )
    out.append(losses)
    out.append(
        ', dict[str, jax.Array]]:\n        """Take one step, as `train_step` does."""\n        leaves = [v.get_raw_value() for v in self.variables]\n        result, leaves = self.run(leaves, *batch)\n        for variable, leaf in zip(self.variables, leaves, strict=True):\n            variable.set_raw_value(leaf)\n        return result\n'
    )
    return "".join(out)


def trainer_frozen(losses: Any) -> str:
    """trainer_frozen.py.j2."""
    out: list[str] = []
    out.append(
        'class Trainer:\n    """Takes steps without Flax\'s cost per call: `Trainer(train_step, model, optimizer, ...)`.\n\n    A step reads the objects as they are and leaves them up to date; it donates their arrays. Frozen\n    models, in the order of `train_step`, are given by `frozen`, and stay as they are.\n    """\n\n    def __init__(\n        self,\n        train_step: Callable[..., Any],\n        model: Any,\n        *objects: Any,\n        frozen: Sequence[Any] = (),\n    ) -> None:\n        held, self.frozen = nnx.split(tuple(frozen))\n        graphdef, state = nnx.split((model, *objects))\n        treedef = jax.tree.structure(state)\n        self.variables = [v for _, v in nnx.to_flat_state(state) if jax.tree.leaves(v)]\n\n        @partial(jax.jit, donate_argnums=0)\n        def run(leaves: list[jax.Array], frozen: Any, *batch: jax.Array) -> Any:\n            objects = nnx.merge(graphdef, jax.tree.unflatten(treedef, leaves))\n            model, *others = objects\n            result = train_step(model, *nnx.merge(held, frozen), *others, *batch)\n            return result, jax.tree.leaves(nnx.state(objects))\n\n        self.run = run\n\n    def step(self, *batch: jax.Array) -> tuple['
    )
    out.append(losses)
    out.append(
        ', dict[str, jax.Array]]:\n        """Take one step, as `train_step` does."""\n        leaves = [v.get_raw_value() for v in self.variables]\n        result, leaves = self.run(leaves, self.frozen, *batch)\n        for variable, leaf in zip(self.variables, leaves, strict=True):\n            variable.set_raw_value(leaf)\n        return result\n'
    )
    return "".join(out)


def tunix(tunix: Any) -> str:
    """tunix.py.j2."""
    out: list[str] = []
    out.append(tunix_config())
    out.append("\n\n")
    out.append(tunix_head())
    out.append("\n\nclass ")
    out.append(tunix.name)
    out.append("(")
    out.append(tunix.model)
    out.append('):\n    """')
    out.append(tunix.model)
    out.append(
        ' as Tunix calls it: with positions, a mask, segments and a cache from outside."""\n\n    def __init__(self, cfg: '
    )
    out.append(tunix.config)
    out.append(
        ', *, rngs: nnx.Rngs):\n        super().__init__(cfg, rngs=rngs)\n        attentions = self.attentions()\n        if not attentions:\n            raise ValueError("Tunix needs a model of at least one attention layer")\n        first = attentions[0]\n        self.config = TunixConfig(\n            len(attentions), first.kv_heads, first.widths[0], '
    )
    out.append(tunix.width)
    out.append(", self.dtype\n        )\n        self.embed_dim, self.num_embed = ")
    out.append(tunix.width)
    out.append(", ")
    out.append(tunix.vocab)
    out.append(
        '\n        self.headless = not hasattr(self, "lm_head")\n        if self.headless:\n            self.lm_head = TunixHead(self.embed_dim)\n'
    )
    if tunix.draws:
        out.append("        self.eval()  # a call brings no random streams\n")
    out.append(
        '\n    def attentions(self) -> list[TunixAttention]:\n        """The layers that have a cache, in order."""\n        layers = (layer for _, layer in nnx.iter_modules(self))\n        return [layer for layer in layers if isinstance(layer, TunixAttention)]\n\n'
    )
    out.append(tunix_call(tunix))
    out.append(
        '\n    def scores(self, x: jax.Array) -> jax.Array:\n        """Scores of hidden states, or the values of a critic\'s head where there was none."""\n        own = not self.headless or isinstance(self.lm_head, TunixHead)\n        return self.compute_final_logits(x) if own else self.lm_head(x)\n\n'
    )
    out.append(tunix_cache(tunix))
    out.append(tunix_methods(tunix))
    return "".join(out)


def tunix_cache(tunix: Any) -> str:
    """tunix_cache.py.j2."""
    out: list[str] = []
    out.append(
        '    def init_cache(\n        self, batch_size: int, cache_size: int, dtype: jax.typing.DTypeLike\n    ) -> dict[str, dict[str, jax.Array]]:\n        """Empty caches for so many sequences of so many tokens, by layer."""\n\n        def empty(layer: TunixAttention) -> dict[str, jax.Array]:\n            shape = (batch_size, cache_size, layer.kv_heads)\n            key_dim, value_dim = layer.widths\n            return {\n                "k": jnp.zeros((*shape, key_dim), dtype),\n                "v": jnp.zeros((*shape, value_dim), dtype),\n                "end_index": jnp.zeros((batch_size,), jnp.int32),\n            }\n\n        return {f"layer_{n}": empty(layer) for n, layer in enumerate(self.attentions())}\n\n    def get_model_input(self) -> dict[str, Any]:\n        """Arguments of a call, for those who need some."""\n        ones = jnp.ones((2, 4), jnp.int32)\n        return {\n            "'
    )
    out.append(tunix.tokens)
    out.append(
        '": ones,\n            "positions": ones,\n            "cache": None,\n            "attention_mask": jnp.ones((2, 4, 4), bool),\n        }\n'
    )
    return "".join(out)


def tunix_call(tunix: Any) -> str:
    """tunix_call.py.j2."""
    out: list[str] = []
    out.append("    def __call__(\n        self,\n        ")
    out.append(tunix.tokens)
    out.append(
        ': jax.Array,\n        positions: jax.Array | None = None,\n        cache: dict[str, dict[str, jax.Array]] | None = None,\n        attention_mask: jax.Array | None = None,\n        segment_ids: jax.Array | None = None,\n        output_hidden_states: bool = False,\n        skip_lm_head: bool = False,\n    ) -> tuple[jax.Array, dict[str, dict[str, jax.Array]] | None]:\n        """Scores (or what they are made of), and the cache with these tokens in it."""\n        if positions is None:\n            positions = jnp.broadcast_to(jnp.arange('
    )
    out.append(tunix.tokens)
    out.append(".shape[1]), ")
    out.append(tunix.tokens)
    out.append(
        '.shape)\n        layers = [layer for _, layer in nnx.iter_modules(self) if isinstance(layer, Stepwise)]\n        for layer in layers:\n            layer.asked = Asked(positions, attention_mask, segment_ids)\n        asked = [layer.asked for layer in self.attentions()]\n        for number, one in enumerate(asked):\n            one.cache = None if cache is None else cache[f"layer_{number}"]\n        try:\n            x = self.features('
    )
    out.append(tunix.tokens)
    out.append(
        ')\n        finally:\n            for layer in layers:\n                del layer.asked\n        if output_hidden_states:\n            self.sow(nnx.Intermediate, "all_hidden_states", x)\n        if cache is not None:\n            cache = {f"layer_{number}": one.cache for number, one in enumerate(asked)}\n        return x if skip_lm_head else self.scores(x), cache\n'
    )
    return "".join(out)


def tunix_config() -> str:
    """tunix_config.py.j2."""
    out: list[str] = []
    out.append(
        'class TunixSharding(NamedTuple):\n    """How the weights of a critic\'s head are split: they are not."""\n\n    score_weight_d1: tuple[str | None, ...] = (None, None)\n\n\n@dataclass\nclass TunixConfig:\n    """What Tunix asks of a model."""\n\n    num_layers: int\n    num_kv_heads: int\n    head_dim: int\n    embed_dim: int\n    dtype: jax.typing.DTypeLike = jnp.float32\n    remat_config: Any = None\n    shd_config: TunixSharding = TunixSharding()\n'
    )
    return "".join(out)


def tunix_head() -> str:
    """tunix_head.py.j2."""
    out: list[str] = []
    out.append(
        'class TunixHead(nnx.Module):\n    """Where a critic puts its head in a model whose embedding makes the scores."""\n\n    def __init__(self, width: int):\n        self.in_features = width\n'
    )
    return "".join(out)


def tunix_methods(tunix: Any) -> str:
    """tunix_methods.py.j2."""
    out: list[str] = []
    for method in tunix.methods:
        out.append("\n    ")
        out.append(method.head)
        out.append("\n")
        for line in method.body:
            out.append(line)
            out.append("\n")
    return "".join(out)


def weights(weights: Any) -> str:
    """weights.py.j2."""
    out: list[str] = []
    out.append(weights.table)
    out.append(" = (\n")
    for row in weights.rows:
        out.append("    ")
        out.append(row)
        out.append(",\n")
    out.append(")\n\n\n")
    if weights.reads:
        out.append(weights_read(weights))
        out.append("\n\n")
    out.append("def ")
    out.append(weights.load)
    out.append("(")
    out.append(weights.parameters)
    out.append(") -> ")
    out.append(weights.model)
    out.append(
        ':\n    """Load a checkpoint: a folder, a file of safetensors or an index of several.\n\n    With `dtype`, the model computes and keeps its weights in that. They lie where `sharding`\n    says: one for all, or a function of a weight\'s path. What does not fit is one error, and\n    nothing is loaded.\n    """\n'
    )
    if weights.reads:
        out.append("    cfg = ")
        out.append(weights.read)
        out.append("(path) if cfg is None else cfg\n")
    if weights.dtypes:
        out.append("    if dtype is not None:\n        cfg = replace(cfg, ")
        out.append(weights.dtypes)
        out.append(")\n")
    out.append("    return load_checkpoint(\n        lambda rngs: ")
    out.append(weights.model)
    out.append("(")
    out.append(weights.arguments)
    out.append("), path, ")
    out.append(weights.table)
    out.append(", ")
    out.append(weights.ignored)
    out.append(", ")
    out.append(weights.renamed)
    out.append(", sharding\n    )\n\n\ndef ")
    out.append(weights.save)
    out.append("(model: ")
    out.append(weights.model)
    out.append(
        ', path: str | Path, *, like: str | Path | None = None) -> None:\n    """Save the weights as `'
    )
    out.append(weights.load)
    out.append(
        '` reads them, in a folder or a file.\n\n    What no weight takes, such as counters, is copied from the checkpoint `like`.\n    """\n    save_checkpoint('
    )
    out.append(weights.saved)
    out.append(", path, ")
    out.append(weights.table)
    out.append(", ")
    out.append(weights.ignored)
    out.append(", like)\n")
    return "".join(out)


def weights_read(weights: Any) -> str:
    """weights_read.py.j2."""
    out: list[str] = []
    out.append("def ")
    out.append(weights.read)
    out.append("(path: str | Path) -> ")
    out.append(weights.config)
    out.append(
        ':\n    """What the `config.json` of a checkpoint says: all that matters of it, or a ValueError."""\n    given = read_settings(Path(path))\n    return given.filling(\n        lambda: '
    )
    out.append(weights.config)
    out.append("(")
    out.append(weights.settings)
    out.append("),\n        read=")
    out.append(weights.keys)
    out.append(",\n")
    if weights.assumed:
        out.append("        assumed=lambda: ")
        out.append(weights.assumed)
        out.append(",\n")
    if weights.rates:
        out.append("        rates=")
        out.append(weights.rates)
        out.append(",\n")
    out.append("    )\n")
    return "".join(out)


def whole_file() -> str:
    """whole_file.py.j2."""
    out: list[str] = []
    out.append(
        '@contextmanager\ndef whole_file(path: Path) -> Iterator[Any]:\n    """A file to write: at its path once it is whole and on the disk, else nowhere."""\n    unfinished = path.with_name(f".{path.name}.{token_hex(8)}")\n    try:\n        with unfinished.open("xb") as file:\n            yield file\n            file.flush()\n            os.fsync(file.fileno())\n        unfinished.replace(path)\n    finally:\n        unfinished.unlink(missing_ok=True)\n'
    )
    return "".join(out)
