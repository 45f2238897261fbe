"""How our output reads beside what people write by hand in Flax NNX, in figures.

python -m benchmarks.reading [OWNER/NAME=FOLDER ...]

Each FOLDER is a checkout of a repository of `BY_HAND`; its files are read as committed, and
only figures of them are kept. Those of repositories that are not given stay as they were.
"""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import nnxc
from nnxc.specs import read_used

from .findings import own, pyright, ruff, rules_broken, versions
from .reading_page import PAGE, page
from .reading_size import Size, formatted, size_of
from .timing import RESULTS, ZOO, save

# Our specs, by the names of models.
OURS = {
    "GPT-2": "pretrained/gpt2",
    "Llama 3.1": "pretrained/llama31",
    "Qwen 3": "pretrained/qwen3",
    "Gemma 3": "pretrained/gemma3",
    "ViT": "pretrained/vit",
    "ResNet-50": "pretrained/resnet",
    "ConvNeXt": "pretrained/convnext",
    "EfficientNet": "pretrained/efficientnet",
    "DenseNet": "pretrained/densenet",
    "U-Net": "unet",
    "VAE": "pretrained/autoencoder_kl",
    "Whisper": "pretrained/whisper",
    "Mamba 2": "pretrained/mamba2",
}
BONSAI, FLAX = "jax-ml/bonsai", "google/flax"
# The folders that modules import each other from.
ROOTS = {BONSAI: "", FLAX: "examples/gemma"}
SHARED = "shared"  # what several models use


def _of_bonsai(folder: str) -> tuple[str, tuple[str, ...]]:
    start = f"bonsai/models/{folder}"
    return BONSAI, (f"{start}/modeling.py", f"{start}/params.py")


_GEMMA = "layers modules positional_embeddings helpers sow_lib transformer transformer_cfg params"
# What is written by hand in NNX: repositories and files of each model.
BY_HAND: Mapping[str, tuple[tuple[str, tuple[str, ...]], ...]] = {
    "Qwen 3": (_of_bonsai("qwen3"),),
    "Gemma 3": (
        _of_bonsai("gemma3"),
        (FLAX, tuple(f"examples/gemma/{name}.py" for name in _GEMMA.split())),
    ),
    "ViT": (_of_bonsai("vit"),),
    "ResNet-50": (_of_bonsai("resnet"),),
    "ConvNeXt": (_of_bonsai("convnext"),),
    "EfficientNet": (_of_bonsai("efficientnet"),),
    "DenseNet": (_of_bonsai("densenet121"),),
    "U-Net": (_of_bonsai("unet"),),
    "VAE": (_of_bonsai("vae"),),
    "Whisper": (_of_bonsai("whisper"),),
    "Mamba 2": (_of_bonsai("mamba2"),),
    SHARED: ((BONSAI, tuple(f"bonsai/utils/{n}.py" for n in ("params", "samplers"))),),
}


def main(repositories: Mapping[str, Path]) -> None:
    """Measure, and write the results and the page."""
    path = RESULTS / "reading.json"
    before = json.loads(path.read_text()) if path.exists() else {}
    results = {
        "tools": versions(),
        "ours": read_ours(),
        "by_hand": before.get("by_hand", {}),
    }
    for name, folder in repositories.items():
        results["by_hand"][name] = read_repository(name, folder)
    save("reading", results)
    PAGE.write_text(page(json.loads(path.read_text()), [*OURS], BY_HAND))


def read_ours() -> dict[str, Any]:
    """The figures of our output: of each spec's own module, and of those that they share."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name).resolve()
        own_files: dict[str, Path] = {}
        shared: dict[str, list[str]] = {}
        for title, spec in OURS.items():
            first, *others = compiled(ZOO / f"{spec}.nnx").items()
            for file, text in (first, *others):
                (folder / file).write_text(text)
            own_files[title] = folder / first[0]
            shared[title] = [file for file, _ in others]
        common = {folder / file for files in shared.values() for file in files}
        figures = measured(folder, [*own_files.values(), *sorted(common)])
    models = {
        title: figures[path] | {"spec": OURS[title], "shared": shared[title]}
        for title, path in own_files.items()
    }
    return {"models": models, SHARED: {p.name: figures[p] for p in sorted(common)}}


def compiled(spec: Path) -> Mapping[str, str]:
    """What a spec is compiled to, its own module first."""
    output = nnxc.compile(
        spec.read_text(),
        path=str(spec),
        read=lambda name: read_used(str(spec), name),
    )
    assert output.ok, output.diagnostics
    return output.files


def read_repository(name: str, repository: Path) -> dict[str, Any]:
    """The figures of a repository's files, and the commit that they are of."""
    wanted = {
        title: files
        for title, entries in BY_HAND.items()
        for owner, files in entries
        if owner == name
    }
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place).resolve()
        start = f"{ROOTS[name]}/" if ROOTS[name] else ""
        tops = [start] if start else sorted({f.split("/")[0] for f in _all(wanted)})
        for path in git(repository, "ls-tree", "-r", "--name-only", "HEAD", *tops):
            if path.endswith(".py"):
                target = folder / path.removeprefix(start)
                target.parent.mkdir(parents=True, exist_ok=True)
                target.write_text(
                    "\n".join(git(repository, "show", f"HEAD:{path}")) + "\n"
                )
        paths = {file: folder / file.removeprefix(start) for file in _all(wanted)}
        there = {file: path for file, path in paths.items() if path.exists()}
        figures = measured(folder, there.values())
    models = {
        title: {file: figures[there[file]] for file in files if file in there}
        for title, files in wanted.items()
    }
    return {"commit": git(repository, "rev-parse", "HEAD")[0], "models": models}


def _all(wanted: Mapping[str, Iterable[str]]) -> list[str]:
    return [file for files in wanted.values() for file in files]


def git(repository: Path, *arguments: str) -> list[str]:
    """The lines that git prints, of a checkout or of a folder that has git's own files alone."""
    command = ["git", "-C", str(repository), *arguments]
    run = subprocess.run(command, capture_output=True, text=True, check=True)
    return run.stdout.split("\n")[:-1] if run.stdout.endswith("\n") else [run.stdout]


def measured(folder: Path, files: Iterable[Path]) -> dict[Path, dict[str, Any]]:
    """All figures of each file. Code is formatted alike before it is counted."""
    files = list(files)
    basic = pyright(folder, files, "basic")
    strict = pyright(folder, files)
    style = ruff(files)
    found: dict[Path, dict[str, Any]] = {}
    for file in files:
        size: Size = size_of(formatted(file.read_text()))
        broken = rules_broken(strict[file])
        found[file] = {
            **size,
            "basic": len(own(basic[file])),
            "strict_own": len(own(strict[file])),
            "strict": sum(broken.values()),
            "strict_rules": dict(broken.most_common()),
            "ruff": _groups(str(finding["code"]) for finding in style[file]),
        }
    return found


def _groups(codes: Iterable[str]) -> dict[str, int]:
    """How many findings each group of ruff's rules has."""
    found: dict[str, int] = {}
    for code in codes:
        group = code.rstrip("0123456789")
        found[group] = found.get(group, 0) + 1
    return dict(sorted(found.items()))


if __name__ == "__main__":
    pairs = [argument.partition("=") for argument in sys.argv[1:]]
    unknown = [name for name, _, _ in pairs if name not in ROOTS]
    if unknown:
        sys.exit(f"not read: {', '.join(unknown)}; give {' or '.join(ROOTS)}=FOLDER")
    main({name: Path(folder) for name, _, folder in pairs})
