"""Jinja as the templates need it: where they are, what they may not lack, their bytecode kept.

Parsing templates would cost a process more than the rest of its rendering. Jinja's own bytecode
is kept where Python keeps this module's, so that whoever may write there may change the compiler
anyhow. It serves as long as the template, this file and Jinja are what they were.
"""

from __future__ import annotations

import os
import sys
from contextlib import suppress
from functools import cache
from pathlib import Path

import jinja2
from jinja2.bccache import Bucket


@cache
def environment() -> jinja2.Environment:
    """The templates by name, such as `class.py.j2`; what they name must be there."""
    return jinja2.Environment(
        loader=_loader(),
        bytecode_cache=_bytecode(),
        auto_reload=False,
        undefined=jinja2.StrictUndefined,
        finalize=_text,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )


@cache
def source_of(name: str) -> str:
    """The text of a file among the templates, as it stands."""
    env = environment()
    assert env.loader is not None
    return env.loader.get_source(env, name)[0]


def _loader() -> jinja2.BaseLoader:
    try:
        return jinja2.PackageLoader("nnxc")
    except ValueError:  # a checkout has them beside the package
        return jinja2.FileSystemLoader(Path(__file__).parents[3] / "templates")


def _text(value: object) -> str:
    """What is laid out is text: views have made every choice."""
    if not isinstance(value, str):
        raise TypeError(f"a template is given what is no text: {value}")
    return value


def _bytecode() -> jinja2.BytecodeCache | None:
    cached = __spec__.cached if __spec__ else None
    if cached is None:
        return None
    try:
        made_by = "".join(_stamp(file) for file in (__file__, jinja2.__file__))
    except OSError:  # in an archive
        return None
    return Bytecode(os.path.dirname(cached), made_by)


def _stamp(path: str) -> str:
    found = os.stat(path)
    return f"|{path}|{found.st_size}|{found.st_mtime_ns}"


class Bytecode(jinja2.FileSystemBytecodeCache):
    """The bytecode of templates in a folder, named as Python names its own.

    What cannot be read or written there is compiled again, and so is what was `made_by` others.
    """

    def __init__(self, folder: str, made_by: str) -> None:
        super().__init__(folder, f"%s.{sys.implementation.cache_tag}.jinja")
        self.made_by = made_by

    def get_cache_key(self, name: str, filename: str | None = None) -> str:
        return name

    def get_source_checksum(self, source: str) -> str:
        return super().get_source_checksum(source) + self.made_by

    def load_bytecode(self, bucket: Bucket) -> None:
        try:
            super().load_bytecode(bucket)
        except Exception:  # whatever unpickling makes of a damaged file
            bucket.reset()

    def dump_bytecode(self, bucket: Bucket) -> None:
        if not sys.dont_write_bytecode:
            with suppress(OSError):
                super().dump_bytecode(bucket)
