"""What is taken along from a studio: the adapter's files, the card and the report, singly and as one zip."""

from __future__ import annotations

import base64
import json
import mimetypes
import os
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote

from lessons_lib import storage
from lessons_lib.adapters import model_card
from lessons_lib.adapters.run import CARD, WEIGHTS_NAME, Run
from lessons_lib.dataset.messages import PictureError
from lessons_lib.dataset.records import recorded_dataset

_MAX_INLINE = 20 * 10**6  # bytes of a file that is put into the page itself, where no server gives it out


@dataclass(frozen=True)
class File:
    """A file to take along and what it is for."""

    path: Path
    what: str

    @property
    def size(self) -> str:
        """Its size in words."""
        count = self.path.stat().st_size
        return f"{count / 1e6:.1f} MB" if count >= 10**5 else f"{count / 1e3:.0f} kB"


def files(run: Run) -> list[File]:
    """Return the files of a run to take along, those that exist.

    Its settings and pictures are not among them.
    """
    comfyui = sorted(run.folder.rglob("*_comfyui.safetensors"))
    every = [
        File(run.folder / WEIGHTS_NAME, "the adapter for diffusers and for services that load by address"),
        *(File(path, "the adapter for ComfyUI: put it into models/loras") for path in comfyui),
        File(run.folder / CARD, "the card: how to draw with it, and whose pictures it learned from"),
        File(
            run.folder / "before_after.jpg",
            "before and after, as one picture; it shows the training pictures",
        ),
        File(run.folder / "report.html", "the report for a browser; it shows the training pictures"),
    ]
    return [file for file in every if file.path.is_file()]


def renew_card(run: Run) -> str:
    """Write the run's card anew with the rights as they are now, which may have been written after the
    training; return an empty text.

    Where the run's pictures were changed since it stays as it is, and what that means is returned.
    """
    try:
        pictures = recorded_dataset(run.dataset, run.folder).train
    except PictureError as problem:
        return f"The card has the rights as they were at the training: pictures were changed since. {problem}"
    card = model_card.readme(run.settings, pictures, run.base, run.samples)
    storage.write_bytes(run.folder / CARD, card.encode())
    return ""


def bundle(run: Run) -> Path:
    """Return one zip of all files to take along, written beside the run.

    Raises OSError when there is no room.
    """
    path = run.folder.with_name(f"{run.folder.name}.zip")
    with storage.atomic(path) as partial, zipfile.ZipFile(partial, "w", zipfile.ZIP_STORED) as archive:
        for file in files(run):
            archive.write(file.path, f"{run.folder.name}/{file.path.name}")
    return path


def address(path: Path) -> str:
    """Return an address under which a browser downloads a file, or an empty text where there is none.

    Jupyter's own server gives out what lies under its root; elsewhere a file of up to 20 MB is put into the
    address itself.
    """
    for root, base_url in _servers():
        if path.is_relative_to(root):
            return f"{base_url}files/{quote(path.relative_to(root).as_posix())}?download=1"
    if path.stat().st_size > _MAX_INLINE:
        return ""
    kind = mimetypes.guess_type(path.name)[0] or "application/octet-stream"
    return f"data:{kind};base64,{base64.b64encode(path.read_bytes()).decode()}"


def _servers() -> Iterator[tuple[Path, str]]:
    """Yield root folder and base address of the Jupyter server that started this kernel."""
    try:
        from jupyter_server.serverapp import list_running_servers
    except ImportError:
        return
    parent = os.environ.get("JPY_PARENT_PID", "")
    try:
        for server in list_running_servers():
            if str(server.get("pid")) == parent:
                yield Path(server["root_dir"]).resolve(), str(server["base_url"])
    except (OSError, json.JSONDecodeError):
        return
