"""Where a studio is: in the course's runs, or on Google Drive where the learner says so."""

from __future__ import annotations

from pathlib import Path

from lessons_lib.paths import ROOT, safe_name

_DRIVE = Path("/content/drive")


def studio_folder(name: str, on_drive: bool = False) -> Path:
    """Return the folder of a studio, whether or not it exists.

    `on_drive`: on the learner's Google Drive, which Colab asks leave for, so that a disconnect loses nothing.
    Raises ValueError for that outside Colab.
    """
    if not on_drive:
        return ROOT / "runs" / "studio" / safe_name(name)
    try:
        from google.colab import drive
    except ImportError as problem:
        raise ValueError(
            "Google Drive is there in Colab only; here leave KEEP_ON_DRIVE at False"
        ) from problem
    drive.mount(str(_DRIVE))
    return _DRIVE / "MyDrive" / "lora-studio" / safe_name(name)
