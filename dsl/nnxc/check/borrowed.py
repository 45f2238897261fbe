"""Blocks with a group that another file uses: there, they are parts of the model that applies them.

Works on trees, ahead of `groups`. Such a block is written once more for that model, and so are the
blocks of its group that it applies. It reads no more of that model than of its own: what else is a
parameter there, may be a name of the block's own.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from ..syntax import tree
from ..syntax.walk import mentioned, names_in
from .groups import reads
from .uses import Files, Lent


def settle(files: Files) -> None:
    """Make what is borrowed a part of the model that borrows it, in files that are used first."""
    for path in _used_first(files):
        names = files.visible[path]
        for key in [k for k in names.values() if k in files.known]:
            if _path(files, key) == path and (model := _whole(files, key)):
                _borrow(files, names, key, model)


def _used_first(files: Files) -> Iterator[str]:
    """The paths of all files, each behind those that it uses."""
    waiting, done = [next(iter(files.visible))], set[str]()
    while waiting:
        uses = [p for p in files.uses.get(waiting[-1], ()) if p in files.visible]
        more = [p for p in uses if p not in done and p not in waiting]
        if more:
            waiting.append(more[0])
        else:
            done.add(waiting[-1])
            yield waiting.pop()


def _path(files: Files, key: str) -> str:
    return files.known[key].node.span.source.path


def _whole(files: Files, key: str) -> str | None:
    """The model that a definition is, or is a part of."""
    known = files.known[key]
    if known.node.kind == "block" and len(known.node.groups) == 1:
        key = known.visible.get(known.node.groups[0].model.id, "")
    found = files.known.get(key)
    return key if found and found.node.kind == "model" else None


def _borrow(files: Files, names: dict[str, str], key: str, model: str) -> None:
    """Write out for a model what one of its definitions applies of another file's model."""
    for name in names_in(files.known[key].node.body):
        lent = names.get(name.id, "")
        if not _foreign(files, lent, key) or _whole(files, lent) in names.values():
            continue
        if _has_all(files, name, lent, model):
            names[name.id] = _copy(files, lent, model)
        else:
            del names[name.id]
            files.missing.add(name.id)
            files.unsure |= {key, model}


def _foreign(files: Files, key: str, home: str) -> bool:
    """Whether that is a block of another file that is part of a model."""
    if key not in files.known or _path(files, key) == _path(files, home):
        return False
    return bool(files.known[key].node.groups) and _whole(files, key) is not None


def _parts(files: Files, key: str) -> list[str]:
    """A block with a group, and all of its group that it applies."""
    found = [key]
    for one in found:
        visible = files.known[one].visible
        inner = (visible.get(n) for n in mentioned(files.known[one].node.body))
        found += dict.fromkeys(k for k in inner if k and _kin(files, k, key, found))
    return found


def _kin(files: Files, key: str, other: str, found: list[str]) -> bool:
    known = files.known.get(key)
    if known is None or not known.node.groups or key in found:
        return False
    return _whole(files, key) == _whole(files, other)


def _parameters(files: Files, model: str) -> dict[str, tree.Parameter]:
    return {p.name: p for p in files.known[model].node.params}


def _lent(files: Files, key: str) -> Lent:
    """What a block is in its own file."""
    names = _parameters(files, _whole(files, key) or key)
    return files.known[key].lent or Lent(key, frozenset(names))


def _has_all(files: Files, name: tree.Name, lent: str, model: str) -> bool:
    """Whether a model has what a block reads of its own; what is missing is reported."""
    read: set[str] = set()
    for key in _parts(files, lent):
        read |= reads(files.known[key].node) & _lent(files, key).names
    theirs = _parameters(files, _whole(files, lent) or model)
    has = _parameters(files, model)
    lacking = [p for n, p in theirs.items() if n in read and n not in has]
    if lacking and model not in files.unsure and not files.known[model].node.broken:
        listed = ", ".join(f"`{p.name}`" for p in lacking)
        home = files.known[model].node.name.id
        added = ", ".join(p.span.text for p in lacking)
        text = f"`{name.id}` reads {listed} of its model"
        help = f"give `{home}` what is read: `{added}`"
        label = f"`{home}` has no such parameter"
        files.sink.error("N276", text, name.span, label, help=help)
    return not lacking


def _copy(files: Files, lent: str, model: str) -> str:
    """The key of a block as a part of another model than its own; so are those that it applies."""
    origins = {key: _lent(files, key) for key in _parts(files, lent)}
    made = {key: f"{origin.key} of {model}" for key, origin in origins.items()}
    for key, new in made.items():
        known = files.known[key]
        visible = {name: made.get(k, k) for name, k in known.visible.items()}
        visible[known.node.groups[0].model.id] = model
        files.known[new] = replace(known, visible=visible, lent=origins[key])
    return made[lent]
