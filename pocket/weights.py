"""Where the weights lie in the repository, and the list of SHA-256 sums that loading compares with them."""

from __future__ import annotations

import hashlib
from pathlib import Path

from pocket.corpus import HERE

MODEL = HERE / "model"  # written by `python -m pocket.assemble`
CLIP = HERE / "clip"  # by `python -m pocket.clip`
SCHNELL = HERE / "schnell"  # by `python -m pocket.schnell`


def write_checksums(folder: Path) -> None:
    """List the SHA-256 of every weight file in a folder, which loading compares."""
    from lessons_lib.models.bases import CHECKSUMS  # a machine that only trains has no lessons_lib

    files = sorted(folder.rglob("*.safetensors"))
    sums = {path.relative_to(folder).as_posix(): hashlib.sha256(path.read_bytes()) for path in files}
    (folder / CHECKSUMS).write_text(
        "".join(f"{digest.hexdigest()}  {name}\n" for name, digest in sums.items())
    )
