"""A run on the Hugging Face Hub: which of its files go there, what keeps it back, and the addresses by which
other programs load it.
"""

from __future__ import annotations

import dataclasses
import hashlib
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import huggingface_hub
from huggingface_hub import CommitOperationAdd, HfApi, constants
from huggingface_hub.errors import HFValidationError
from huggingface_hub.utils import validate_repo_id

from lessons_lib import storage
from lessons_lib.adapters import files, model_card
from lessons_lib.adapters.merged import Merged
from lessons_lib.adapters.run import CARD, MERGED, OTHER_FORMATS, SETTINGS, WEIGHTS_NAME, Run
from lessons_lib.dataset.messages import name_list, one_line, printable
from lessons_lib.dataset.records import recorded_path
from lessons_lib.models import bases


@dataclass(frozen=True)
class Publication:
    """What of a run goes to a repository of the Hub.

    `files`: content by name there. `left_out`: what else lies in the run's folder and stays there.
    `problems`: why it may not be published, a line each. `url`: where it is, empty after a dry run.
    """

    repository: str
    files: dict[str, bytes]
    left_out: list[str]
    problems: list[str]
    strength: float
    url: str = ""

    @property
    def addresses(self) -> list[str]:
        """The lines by which other programs load it; they can do that when the repository is public."""
        page = f"{constants.ENDPOINT}/{self.repository}"
        comfyui = [name for name in self.files if name.endswith("_comfyui.safetensors")]
        weights = json.dumps({"path": f"{page}/resolve/main/{WEIGHTS_NAME}", "scale": self.strength})
        return [
            f"diffusers  pipe.load_lora_weights({json.dumps(self.repository)}, weight_name="
            f"{json.dumps(WEIGHTS_NAME)})",
            *(f"ComfyUI    {page}/resolve/main/{name} into models/loras" for name in comfyui),
            f"fal        loras: [{weights}]",
            f"Replicate  lora_weights: {page.removeprefix('https://')}, lora_scale: {self.strength:g}",
        ]

    def lines(self) -> list[str]:
        """Return the whole of it, a line a file with its size: what goes, what stays, what keeps it back."""
        sent = "sent to" if self.url else "would go to"
        return [
            f"{len(self.files)} files {sent} {self.repository}:",
            *(f"  + {name}, {len(data):,} bytes" for name, data in self.files.items()),
            *(f"  - {name} stays here" for name in self.left_out),
            *(f"! {problem}" for problem in self.problems),
        ]


def publish(run_dir: Path, repository: str, dry_run: bool | None = None, private: bool = True) -> Publication:
    """Send the adapter of a run, or a merged one, to "OWNER/NAME" on the Hub; return what went or would go.

    Only what a list allows is sent: the weights, the card, samples, other programs' files, and the settings
    without the pictures' paths; no training picture and no report. `dry_run` None: nothing is sent where
    there is no token, which `hf auth login` stores and HF_TOKEN names. A dry run needs no network and
    returns `problems` instead of raising. Otherwise raises ValueError for them, such as a picture whose
    licence the card does not name, and for a repository that holds other weights; OSError where the Hub
    cannot be reached or refuses. `private`: a new repository is seen by its owner alone.
    """
    publication = prepare(run_dir, repository)
    token = huggingface_hub.get_token()
    if dry_run or (dry_run is None and not token):
        return publication
    if publication.problems:
        raise ValueError(f"{repository} is not published: " + "; ".join(publication.problems))
    if not token:
        raise OSError("publishing needs a token of the Hub that may write: `hf auth login`, or HF_TOKEN")
    try:
        url = _send(HfApi(endpoint=constants.ENDPOINT, token=token), publication, private)
    except ValueError:
        raise
    except Exception as problem:  # the Hub's errors are OSError, httpx's are not, and have two names
        raise OSError(
            f"{repository} cannot be published at {constants.ENDPOINT}: {one_line(problem)}. The run is "
            "whole; the same call tries again"
        ) from problem
    return dataclasses.replace(publication, url=url)


def prepare(run_dir: Path, repository: str) -> Publication:
    """Return what of a run, or of a merged adapter, would go to a repository, and what keeps it back; nothing
    is sent.

    Raises FileNotFoundError where the folder holds neither, ValueError for one that is damaged.
    """
    run = Merged.load(run_dir) if (run_dir / MERGED).is_file() else Run.load(run_dir)
    files.read(run.folder)
    path = run.folder / CARD
    card = path.read_text(encoding="utf-8") if path.is_file() else ""
    contents = _allowed(run, model_card.for_repository(card, repository))
    problems = _rights_problems(path, card) + _name_problems(repository) + _leaks(run, contents)
    left_out = sorted(
        f"{path.name}/" if path.is_dir() else path.name
        for path in run.folder.iterdir()
        if not any(name == path.name or name.startswith(f"{path.name}/") for name in contents)
    )
    strength = bases.find(run.settings.base).strength
    if isinstance(run, Merged):
        strength = run.settings.strength
    return Publication(repository, contents, left_out, problems, strength)


def _allowed(run: Run | Merged, card: str) -> dict[str, bytes]:
    """Return the content of each file that may go, by its name in the repository."""
    others = sorted((run.folder / OTHER_FORMATS).glob("*.safetensors"))
    paths = [run.adapter, *others, *run.samples]
    contents = {
        CARD: card.encode(),
        # without the pictures' paths and captions
        MERGED if isinstance(run, Merged) else SETTINGS: storage.to_json(dataclasses.asdict(run.settings)),
    }
    return contents | {path.relative_to(run.folder).as_posix(): path.read_bytes() for path in paths}


def _rights_problems(path: Path, card: str) -> list[str]:
    """Return what the table of rights in a card lacks."""
    try:
        unknown = model_card.unknown_rights(card)
    except ValueError as problem:
        return [f"{path}: {problem}"]
    if not unknown:
        return []
    return [
        f"the licence of {len(unknown)} training pictures is not known: {name_list(unknown)}. Write "
        f"it into the table in {path}, or train without them"
    ]


def _name_problems(repository: str) -> list[str]:
    try:
        validate_repo_id(repository)
        owner, _, name = repository.partition("/")
        return [] if owner and name else [f"the repository is {repository!r}; expected OWNER/NAME"]
    except HFValidationError as problem:
        return [f"the repository is {printable(repository)!r}; expected OWNER/NAME ({one_line(problem)})"]


def _leaks(run: Run | Merged, contents: dict[str, bytes]) -> list[str]:
    """Return which files hold a folder's name of this machine or are a training picture."""
    records = [record for part in run.dataset.values() for record in part]
    pictures = {record.get("sha256") for record in records}
    folders = {recorded_path(record, run.folder).parent for record in records}
    folders |= {run.folder.resolve().parent, Path.home()}
    names = [str(folder).encode() for folder in folders if folder.is_absolute() and len(folder.parts) > 2]
    problems = [
        f"{name} is a training picture"
        for name, data in contents.items()
        if hashlib.sha256(data).hexdigest() in pictures
    ]
    for name, data in contents.items():
        if any(folder in data for folder in names):
            problems.append(f"{name} names a folder of this machine; take it out and try again")
    return problems


def _send(api: HfApi, publication: Publication, private: bool) -> str:
    """Create the repository where there is none, add the files in one commit and return its address.

    ValueError where other weights lie beside ours: services refuse a repository with two.
    """
    repository = publication.repository
    api.create_repo(repository, private=private, exist_ok=True)
    present = [name for name in api.list_repo_files(repository) if "/" not in name]
    weights = [name for name in present if name.endswith(".safetensors") and name not in publication.files]
    if weights:
        raise ValueError(
            f"{repository} holds {name_list(weights)} already; services that load by address refuse a "
            "repository with two files of weights. Name another repository"
        )
    operations: list[Any] = [CommitOperationAdd(name, data) for name, data in publication.files.items()]
    api.create_commit(repository, operations, commit_message="Upload a LoRA adapter and its card")
    return f"{constants.ENDPOINT}/{repository}"
