"""Whether a build has nothing to do, found out before anything else is imported.

After a build, a record in the user's cache says, for each spec, the digest of all that
made its outputs: this very compiler, the options, the spec, the files that it uses, and the
outputs themselves. They are fresh when the same digest comes out again. The files that a spec
uses follow from its text, so the recorded list of them is right whenever the digest is.

The compiler is told apart by size and times of its files (a change of content cannot
keep the time of the last status change), and only here, so that generated files do not
change whenever the compiler does. In doubt the answer is "not fresh": that costs a
compile, never a wrong output. Imports os, sys and a hash; argparse alone would cost more
than all of this.
"""

from __future__ import annotations

import os
import sys

try:
    from _blake2 import blake2b  # hashlib's own, without the cost of hashlib
except ImportError:
    from hashlib import blake2b

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

DEFAULTS: Mapping[str, object] = {
    "attention": None,
    "black": True,
    "card": False,
    "interface": None,
    "package": False,
    "remat": False,
    "single_file": False,
    "stack": "loop",
    "target": None,
}
SUFFIX = ".nnx"
# The modules that several specs share; a test holds them to the templates.
SHARED = frozenset(
    f"nnx_{name}.py"
    for name in (
        *("adapters", "attention", "checkpoints", "configs", "decoding", "experts"),
        *("functions", "generation", "layers", "losses", "training"),
    )
)
LIMIT = 64_000_000  # bytes; no spec and no generated file comes near
_REGULAR = 0o100000
_KIND = 0o170000
_BETWEEN = ":"  # outputs of one spec, whose names come from names of modules


def digest(*parts: bytes) -> str:
    """One digest of several byte strings, boundaries included."""
    state = blake2b(digest_size=20)
    for part in parts:
        state.update(b"%d:" % len(part))
        state.update(part)
    return state.hexdigest()


def options_key(options: Mapping[str, object]) -> str:
    """Options as text, the same for the same choices."""
    given = {name: value for name, value in options.items() if value is not None}
    return " ".join(f"{name}={value}" for name, value in sorted(given.items()))


def specs_below(folder: str) -> list[str]:
    """The specs in a folder and the folders below it, hidden ones aside, in order."""
    found = []
    for root, folders, files in os.walk(folder):
        folders[:] = [name for name in folders if not name.startswith(".")]
        found += [os.path.join(root, name) for name in files if name.endswith(SUFFIX)]
    return sorted(found)


def fingerprint() -> str:
    """What tells this compiler from any other one on this machine.

    Raises OSError where the compiler is not in a plain folder (a zip archive).
    """
    package = os.path.dirname(os.path.abspath(__file__))
    checkout = os.path.dirname(os.path.dirname(package))
    texts = [str(sys.hexversion), *_stamps(package)]
    for beside in ("grammar", "templates"):
        if not os.path.isdir(os.path.join(package, beside)):
            texts += _stamps(os.path.join(checkout, beside))
    for library in ("black", "jinja2", "lark"):
        texts.append(_library_stamp(library))
    return digest(*(text.encode("utf-8", "surrogateescape") for text in texts))


def _stamps(folder: str) -> Iterator[str]:
    with os.scandir(folder) as entries:
        for entry in sorted(entries, key=lambda entry: entry.name):
            if entry.name == "__pycache__":
                continue
            if entry.is_dir():
                yield from _stamps(entry.path)
            else:
                yield f"{entry.path}{_stamp(entry.stat())}"


def _stamp(found: os.stat_result) -> str:
    return f"|{found.st_size}|{found.st_mtime_ns}|{found.st_ctime_ns}"


def _library_stamp(name: str) -> str:
    for folder in sys.path:
        try:
            return name + _stamp(os.stat(os.path.join(folder, name, "__init__.py")))
        except OSError:
            continue
    return name


class Memo:
    """What is remembered of the outputs in one folder: spec name -> fields.

    The fields are the outputs' names, their digest, and the files that the spec uses.
    """

    def __init__(self, out: str) -> None:
        cache = os.environ.get("XDG_CACHE_HOME") or os.path.expanduser("~/.cache")
        where = os.fsencode(os.path.abspath(out))
        self.path = os.path.join(cache, "nnxc", digest(where))
        self.entries = dict(self._read())

    def _read(self) -> Iterator[tuple[str, list[str]]]:
        try:
            text = os.fsdecode(_read(self.path))
        except OSError:
            return
        for line in text.split("\0\0"):
            name, *fields = line.split("\0")
            if len(fields) >= 2:
                yield name, fields

    def remember(self, outputs: list[str], digest: str, inputs: list[str]) -> None:
        """Note what a spec was made into; the first of the inputs is its own name."""
        name, *uses = inputs
        self.entries[name] = [_BETWEEN.join(outputs), digest, *uses]

    def write(self) -> None:
        """Keep the record; where that fails, the next build just compiles."""
        text = "\0\0".join("\0".join((k, *v)) for k, v in self.entries.items())
        temporary = f"{self.path}.{os.getpid()}"
        try:
            os.makedirs(os.path.dirname(self.path), exist_ok=True)
            with open(temporary, "wb") as file:
                file.write(os.fsencode(text))
            os.replace(temporary, self.path)
        except OSError:
            return


def made(
    compiler: str,
    options: str,
    inputs: Iterable[tuple[str, str]],
    outputs: Iterable[str],
) -> str:
    """The digest of all that made outputs, and of their digests; `inputs` are names with theirs."""
    texts = [compiler, options]
    for name, content in inputs:
        texts += (name, content)
    return digest(*map(os.fsencode, (*texts, *outputs)))


def in_package(out: str) -> bool:
    """Whether a folder is a package."""
    return os.path.isfile(os.path.join(out, "__init__.py"))


def is_package(name: str, out: str) -> bool:
    """Whether a folder can be the package of that dotted name: its path ends with it."""
    parts = name.split(".")
    path = os.path.abspath(out).split(os.sep)
    fits = path[-len(parts) :] == parts
    return fits and all(p.isidentifier() for p in parts)


def is_fresh(arguments: Sequence[str], compiler: str) -> bool:
    """True where `nnxc` with these arguments would be a build that changes nothing."""
    request = _parse(arguments)
    if request is None:
        return False
    specs, out, options = request
    package = in_package(out)
    named = options["package"]
    if named and not (package and is_package(str(named), out)):
        return False
    options["package"] = package
    return _all_fresh(_expand(specs), out, options_key(options), compiler)


def _parse(
    arguments: Sequence[str],
) -> tuple[list[str], str, dict[str, object]] | None:
    options, specs, out = dict(DEFAULTS), [], None
    if not arguments or arguments[0] != "build":
        return None
    rest = iter(arguments[1:])
    for word in rest:
        match word:
            case "-o" | "--out":
                out = next(rest, None)
            case "--stack":
                options["stack"] = next(rest, None)
            case "--attention":
                options["attention"] = next(rest, None)
            case "--interface":
                options["interface"] = next(rest, None)
            case "--target":
                options["target"] = next(rest, None)
            case "--package":
                options["package"] = next(rest, None)
            case "--single-file":
                options["single_file"] = True
            case "--card":
                options["card"] = True
            case "--remat":
                options["remat"] = options["remat"] or True
            case "--remat-policy":
                options["remat"] = next(rest, None)
            case "--no-black":
                options["black"] = False
            case "--check":
                pass
            case _ if word.startswith("-"):
                return None
            case _:
                specs.append(word)
    return (specs, out, options) if specs and out is not None else None


def _expand(specs: list[str]) -> Iterator[str]:
    for spec in specs:
        if os.path.isdir(spec):
            yield from specs_below(spec)
        else:
            yield spec


def _all_fresh(specs: Iterable[str], out: str, options: str, compiler: str) -> bool:
    entries, outputs = Memo(out).entries, set[str]()
    held: dict[str, tuple[bytes, str]] = {}
    for spec in specs:
        known = recall(entries, spec, out, options, compiler, held)
        if known is None or not outputs.isdisjoint(known[1].keys() - SHARED):
            return False
        outputs.update(known[1])
    return bool(outputs)


def recall(
    entries: Mapping[str, list[str]],
    spec: str,
    out: str,
    options: str,
    compiler: str,
    held: dict[str, tuple[bytes, str]],
) -> tuple[list[tuple[str, str]], dict[str, bytes]] | None:
    """A spec's inputs, and its outputs by their names, where they are fresh, else None. `held`
    are outputs that were read before, with their digests."""
    names, remembered, *uses = entries.get(os.path.basename(spec), ("", ""))
    if not names:
        return None
    try:
        inputs = [(os.path.basename(spec), digest(_read(spec)))]
        for use in uses:
            content = _read(os.path.join(os.path.dirname(spec), use))
            inputs.append((use, digest(content)))
        for name in names.split(_BETWEEN):
            if name not in held:
                content = _read(os.path.join(out, name))
                held[name] = content, digest(content)
    except (OSError, ValueError):
        return None
    outputs = {name: held[name] for name in names.split(_BETWEEN)}
    digests = (known for _, known in outputs.values())
    if made(compiler, options, inputs, digests) != remembered:
        return None
    return inputs, {name: content for name, (content, _) in outputs.items()}


def _read(path: str) -> bytes:
    # A pipe that nobody writes to must not be waited for, nor a huge file be read.
    flags = os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0)
    with open(os.open(path, flags), "rb", buffering=0) as file:
        found = os.fstat(file.fileno())
        if found.st_mode & _KIND != _REGULAR or found.st_size > LIMIT:
            raise OSError
        return file.read()
