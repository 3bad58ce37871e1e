"""Why a base model cannot be fetched from the Hub, in one line: the disk, the token, the licence, the
network.
"""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from huggingface_hub import constants, get_token

from lessons_lib.models.bases import GIVE_A_TOKEN, Base, is_cached

_FREE_GB = 1.0  # that a disk keeps beside what is fetched
_TOKENS = "https://huggingface.co/settings/tokens"


class BaseFetchError(OSError):
    """A base that cannot be fetched; a notebook shows its message without a traceback."""

    def _render_traceback_(self) -> list[str]:
        """Return what IPython shows in place of a traceback."""
        return [f"BaseFetchError: {self}"]


def check_disk(base: Base) -> None:
    """Raise ValueError where a base is not in the Hub's cache and the cache's disk has no room for it, or is
    not there.
    """
    if base.is_local or not base.download_gb or is_cached(base.source, base):
        return
    cache = Path(constants.HF_HUB_CACHE)
    folder = next((path for path in (cache, *cache.parents) if path.is_dir()), None)
    if folder is None:
        raise ValueError(
            f"{cache}, the folder for files of the Hub, is on a drive that is not there. Name another in the "
            "environment variable HF_HOME"
        )
    free, begun = shutil.disk_usage(folder).free / 1e9, _fetched_gb(cache, base)
    if base.download_gb - begun + _FREE_GB > free:
        raise ValueError(
            f"{base.name} has {base.download_gb:g} GB of files to fetch, and the disk of {cache} has "
            f"{free:.1f} GB free. Free some, or name a folder on another disk in the environment variable "
            "HF_HOME"
        )


def _fetched_gb(cache: Path, base: Base) -> float:
    """Return the GB of a base's whole files that are in the Hub's cache.

    A file that was begun has the suffix ".incomplete", and the Hub fetches it anew. Where a system has no
    links a file is in snapshots/ and not in blobs/.
    """
    folder = cache / f"models--{base.source.replace('/', '--')}"
    blobs = [path for path in (folder / "blobs").glob("*") if path.suffix != ".incomplete"]
    moved = [path for path in (folder / "snapshots").rglob("*") if path.is_file() and not path.is_symlink()]
    return sum(path.stat().st_size for path in (*blobs, *moved)) / 1e9


@contextmanager
def explain_fetch_errors(base: Base) -> Iterator[None]:
    """Raise an OSError about a base model on the Hub that is raised inside as a BaseFetchError, which says
    what to do.
    """
    try:
        yield
    except OSError as problem:
        if base.is_local:
            raise
        raise BaseFetchError(
            f"cannot fetch {base.name} ({base.download_gb:g} GB): {_reason(base, problem)}. "
            "The base pocket needs no network"
        ) from problem


def _reason(base: Base, problem: BaseException) -> str:
    """Return what is missing and what to do about it."""
    status = _status(problem)
    if status == 401 and get_token():
        return f"the Hub does not accept the token. Make a new one at {_TOKENS} and give it {GIVE_A_TOKEN}"
    if status == 401:
        return (
            f"the Hub asks for a login. Accept the licence ({base.licence}) at {_page(base)}, make a token "
            f"that may read at {_TOKENS}, and give it {GIVE_A_TOKEN}"
        )
    if status == 403:
        return (
            f"the token is valid, and its account has no access. Accept the licence ({base.licence}) at "
            f"{_page(base)} with that account; a fine-grained token also needs the permission to read gated "
            "repositories"
        )
    gate = " with the licence accepted there and `hf auth login` done once" if base.gated else ""
    cause = " ".join(str(problem).split())[:160]
    return f"expected the network{gate}, or files fetched before; found: {cause}. See {_page(base)}"


def _page(base: Base) -> str:
    return f"https://huggingface.co/{base.source}"


def _status(problem: BaseException | None) -> int | None:
    """Return the HTTP status in an error or in those that caused it."""
    while problem:
        response = getattr(problem, "response", None)
        if response is not None:
            return int(response.status_code)
        problem = problem.__cause__ or problem.__context__
    return None
