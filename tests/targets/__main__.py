"""`python -m tests.targets [RELEASE ...]`: install releases of Flax side by side, build the zoo for
each, and compare what the modules compute with what they do under the Flax of this environment.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping
from pathlib import Path

import numpy as np

import nnxc
from nnxc.targets.flax import RELEASES
from tests.test_zoo import ZOO

ROOT = Path(__file__).parents[2]
INSTALLED = ROOT / "build" / "flax"
JAX = {"0.12.1": "0.8.1"}  # for what does not work with the newest
WAYS = {
    "loop": {},
    "scan, remat": {"stack": "scan", "remat": True},
}
TOLERANCE = {"rtol": 2e-4, "atol": 2e-5}


def install(release: str) -> Path | None:
    """A folder with a release of Flax, or None where this Python can have none."""
    folder = INSTALLED / release
    if not (folder / ".ready").exists():
        wanted = [f"flax=={release}"]
        if (jax := JAX.get(release)) is not None:
            wanted += [f"jax=={jax}", f"jaxlib=={jax}"]
        pip = [sys.executable, "-m", "pip", "install", "--quiet", "--no-deps"]
        options = ["--upgrade", "--target", str(folder)]
        if subprocess.run([*pip, *options, *wanted], check=False).returncode:
            return None
        (folder / ".ready").touch()
    return folder


def build(folder: Path, target: str | None, options: Mapping[str, object]) -> list[str]:
    """Write the modules of the zoo that a release can have; returns their names."""
    folder.mkdir()
    made = []
    for name, path in ZOO.items():
        chosen = nnxc.Options(black=False, target=target, **options)  # type: ignore[arg-type]
        output = nnxc.compile(path.read_text(), path=path.name, options=chosen)
        for file, text in output.files.items():
            (folder / file).write_text(text)
        made += [name] if output.ok else []
        assert output.ok or {d.code for d in output.diagnostics} == {"N521"}, name
    return made


def run(flax: Path | None, *arguments: Path) -> Mapping[str, np.ndarray]:
    """What modules compute under a release, or under the Flax of this environment."""
    path = [*([str(flax)] if flax else []), str(ROOT / "dsl"), str(ROOT)]
    words = [sys.executable, "-m", "tests.targets.numbers", *map(str, arguments)]
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(path)}
    subprocess.run(words, check=True, env={**environment, "JAX_PLATFORMS": "cpu"})
    with np.load(arguments[1]) as found:
        return dict(found)


def differing(
    found: Mapping[str, np.ndarray], want: Mapping[str, np.ndarray], names: list[str]
) -> Iterator[str]:
    """The numbers that are not the same, or not there."""
    here = {k: v for k, v in want.items() if k.split(":")[0] in names}
    yield from sorted(here.keys() ^ found.keys())
    for name in here.keys() & found.keys():
        if not np.allclose(found[name], here[name], **TOLERANCE):
            yield f"{name}: {found[name].ravel()[:3]}, not {here[name].ravel()[:3]}"


def compare(releases: list[str], temporary: Path) -> bool:
    """Print what each release comes to; whether there was one, and all agree."""
    good, compared = True, 0
    first = {}
    for way, options in WAYS.items():
        build(temporary / way, None, options)
        first[way] = temporary / f"{way}.npz"
        run(None, temporary / way, first[way])
    for release in releases:
        flax = install(release)
        if flax is None:
            print(f"{release:<9} is not there for this Python", flush=True)
            continue
        compared += 1
        for way, options in WAYS.items():
            folder = temporary / f"{release} {way}"
            names = build(folder, release, options)
            found = run(flax, folder, temporary / f"{release} {way}.npz", first[way])
            with np.load(first[way]) as want:
                short = [*differing(found, dict(want), names)]
            good = good and not short
            print(
                f"{release:<9} {way:<12} {len(names)} models, {len(short)} numbers differ"
            )
            print(*(f"    {line}" for line in short), sep="\n", end="\n" * bool(short))
    print(f"targets: {compared} of {len(releases)} releases")
    return good and compared > 0


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as made:
        raise SystemExit(not compare(sys.argv[1:] or list(RELEASES), Path(made)))
