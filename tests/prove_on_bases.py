"""The lane that proves every family on a miniature, whole: `python tests/prove_on_bases.py [NAME ...]`.

Prints what each stage came to; ends with code 1 when one failed.
"""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path

import miniatures

from lessons_lib import cli
from lessons_lib.models import bases


def main(names: list[str]) -> int:
    failed = []
    with tempfile.TemporaryDirectory() as folder:
        for name in names or miniatures.NAMES:
            bases.BASES[name] = miniatures.write(name, Path(folder, "models", name))
            print(f"== {name}, in miniature", flush=True)
            if cli.main(["prove", name, "--steps", "4", "--out", str(Path(folder, "proofs"))]):
                failed.append(name)
    print(f"{len(names or miniatures.NAMES)} proved, {len(failed)} failed: {', '.join(failed) or 'none'}")
    return int(bool(failed))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
