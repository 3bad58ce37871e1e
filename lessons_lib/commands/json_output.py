"""What `lessons --json` prints: a JSON object a line on stdout; what is for people goes to stderr."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager, redirect_stdout
from typing import Any

Emit = Callable[..., None]


@contextmanager
def json_output(is_wanted: bool) -> Iterator[Emit]:
    """Yield a function that prints its keywords as a line of JSON, after the kind of the line, where wanted.

    While inside, what is printed for people goes to stderr. Without JSON the function does nothing.
    """
    if not is_wanted:
        yield lambda kind, **values: None
        return
    out = sys.stdout

    def emit(kind: str, **values: Any) -> None:
        print(json.dumps({"kind": kind} | values, ensure_ascii=True, default=_plain), file=out, flush=True)

    with redirect_stdout(sys.stderr):
        yield emit


def _plain(value: object) -> Any:
    """Return what JSON can hold of a path or of a set."""
    return sorted(value) if isinstance(value, (set, frozenset)) else str(value)
