"""The base models of `bases.toml`: where each is, what it needs, and settings that are sensible for it.

A new model is a table in that file, and where its architecture is new a module in `families`.
Tables of your own, such as a model in a folder of yours, stand in a file that LESSONS_BASES names.
"""

from __future__ import annotations

import hashlib
import os
import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from lessons_lib.paths import ROOT

if TYPE_CHECKING:
    import torch

    from lessons_lib.session import Session

TABLE = Path(__file__).with_suffix(".toml")
GIVE_A_TOKEN = (
    "in Colab as the secret HF_TOKEN (the key at the left, with notebook access), elsewhere as the "
    "environment variable HF_TOKEN or by `hf auth login`"
)
CHECKSUMS = "SHA256SUMS"  # beside a model in the repository; `sha256sum -c` reads it too


@dataclass(frozen=True)
class Packed:
    """A repository on the Hub that holds a base with its large networks in nf4 or int8 already.

    In GB: `size_gb` of all its files, `networks_gb` of each packed network's.
    """

    repository: str
    size_gb: float
    networks_gb: Mapping[str, float]


@dataclass(frozen=True, kw_only=True)
class Base:
    """A text-to-image model to start from, and the defaults of a training on it.

    Sizes in GB (1e9 bytes), `side` in px.
    `repository`: a name on the Hub, or the absolute path of a folder.
    `licence`: its usual name. `hub_licence`: the Hub's id, with `hub_licence_name` and `hub_licence_link`
    where that is "other".
    `modelspec_architecture`: as other programs call it, https://github.com/Stability-AI/ModelSpec;
    empty where it has no name.
    `caption_tokens`: what the longest text encoder reads. `text_encoders`:
    the pipeline's components that are not needed once captions are encoded.
    `half_precisions`: those it can be trained and run in; in any other it is loaded in float32.
    `float16_vae`: the Hub's name of a VAE for float16, where the model's own overflows in it.
    `fused_adapter`: the folder of an adapter that belongs to the model and is merged into its weights on
    loading.
    `distilled`: a base of fewer steps that the adapters of this one fit, for previews.
    `judges`: the CLIP and the DINOv2 that measure its pictures (judges.py), by the Hub's names or folders;
    without them the course's own networks do.
    `sigma_sampling`, `sigma_shift`: how noise levels are drawn and shifted while training; as its official
    script does, or the reason stands beside it. `latents`, `aspect_ratio_buckets`: as the settings of that
    name. `earlier_sigma_sampling`: what versions before 0.3 did.
    `strength`: the strength an adapter is drawn at by default. Distilled guidance amplifies the adapter as it
    does the prompt.
    `parameters`: billions in each network of a base on the Hub, of those in linear layers that are packed,
    and, where there are any, of those that stay in float32 beside float16.
    `packed`: by kind, "nf4" or "int8", where on the Hub it is packed already.
    How it is loaded, which is not in the table: `quantize`, "none", "nf4" or "int8", of the frozen weights;
    `offload`, whether each network is on the GPU only while it is needed, for drawing.
    """

    name: str
    repository: str
    family: str
    licence: str
    hub_licence: str
    hub_licence_name: str = ""
    hub_licence_link: str = ""
    modelspec_architecture: str = ""
    gated: bool = False
    trainable: bool = True
    memory_gb: float
    size_gb: float
    side: int
    rank: int
    alpha: int
    learning_rate: float
    steps: int
    batch: int
    guidance_scale: float
    num_inference_steps: int
    caption_tokens: int
    strength: float = 1.0
    sigma_sampling: Literal["uniform", "logit_normal"] = "uniform"
    latents: Literal["mode", "sample"] = "mode"
    aspect_ratio_buckets: Literal["on", "off"] = "on"
    earlier_sigma_sampling: str = "logit_normal"
    sigma_shift: float = 1.0
    text_encoders: tuple[str, ...]
    half_precisions: tuple[str, ...] = ("bfloat16", "float16")
    float16_vae: str = ""
    fused_adapter: str = ""
    distilled: str = ""
    judges: tuple[str, ...] = ("openai/clip-vit-base-patch32", "facebook/dinov2-small")
    note: str
    parameters: Mapping[str, Sequence[float]] = field(default_factory=dict, hash=False)
    packed: Mapping[str, Packed] = field(default_factory=dict, hash=False)
    quantize: str = "none"
    offload: bool = False

    @property
    def is_local(self) -> bool:
        """Whether it is in a folder and has no page on the Hub."""
        return Path(self.repository).is_absolute()

    @property
    def packed_source(self) -> Packed | None:
        """The repository that holds it packed as `quantize` says; None where there is none, and where the
        Hub's cache has the original alone, so that this is packed and nothing is fetched.
        """
        packed = None if self.is_local else self.packed.get(self.quantize)
        if packed and is_cached(self.repository, self) and not is_cached(packed.repository, self):
            return None
        return packed

    @property
    def source(self) -> str:
        """Where its files are loaded from: a repository that holds them packed already, or its own."""
        return self.packed_source.repository if self.packed_source else self.repository

    @property
    def download_gb(self) -> float:
        """The GB that are fetched for it."""
        return self.packed_source.size_gb if self.packed_source else self.size_gb

    def precision(self, session: Session) -> torch.dtype:
        """Return the session's precision, or float32 where the model cannot or need not be used in that."""
        import torch

        name = str(session.dtype).removeprefix("torch.")
        return session.dtype if name in self.half_precisions else torch.float32

    def share_of_steps(self, share: float) -> int:
        """Return a share of the base's own number of training steps, 1 or more."""
        return max(1, round(share * self.steps))

    def capability_card(self, session: Session) -> str:
        """Return the capability card that opens every lesson and every command."""
        dtype = str(self.precision(session)).removeprefix("torch.")
        return "\n".join((
            f"tier {session.tier}: {session.device.type}, {dtype}, GPU {session.gpu}",
            f"memory: {session.memory_gb:.1f} GB",
            f"base model {self.name}: {self.side} px, {self.licence}",
            *([self._gate_line()] if self.gated else []),
        ))  # fmt: skip

    def _gate_line(self) -> str:
        """Return what a gated base asks for, and whether a token is there."""
        from huggingface_hub import get_token

        page = f"https://huggingface.co/{self.repository}"
        state = "a token is there" if get_token() else f"no token is there: give one {GIVE_A_TOKEN}"
        return f"{self.name} asks for a login: its licence accepted at {page}, and {state}"


def load_table(path: Path = TABLE, *more: Path) -> dict[str, Base]:
    """Return the base models of TOML files by name; a table may be `like` one of any file.

    Raises ValueError that names the table with a key that is missing or is none of Base's.
    """
    by_path = {path: tomllib.loads(path.read_text(encoding="utf-8")) for path in (path, *more)}
    tables = {name: table for own in by_path.values() for name, table in own.items()}
    bases = {}
    for path, own in by_path.items():
        for name in own:
            try:
                bases[name] = _base(name, tables)
            except (KeyError, TypeError) as problem:
                raise ValueError(
                    f"{path}: the table [{name}] is wrong ({problem}); see the fields of Base"
                ) from problem
    return bases


def _base(name: str, tables: dict[str, dict[str, Any]]) -> Base:
    entry = dict(tables[name])
    if like := entry.pop("like", None):
        same_weights = not {"repository", "folder"} & entry.keys()
        entry = tables[like] | ({} if same_weights else {"packed": {}}) | entry
    if folder := entry.pop("folder", None):
        entry["repository"] = str(ROOT / folder)
    if "fused_adapter" in entry:
        entry["fused_adapter"] = str(ROOT / entry["fused_adapter"])
    for key in ("text_encoders", "half_precisions", "judges"):
        if key in entry:
            entry[key] = tuple(entry[key])
    entry["packed"] = {kind: Packed(**row) for kind, row in entry.get("packed", {}).items()}
    return Base(name=name, **entry)


BASES = load_table(TABLE, *([Path(own)] if (own := os.environ.get("LESSONS_BASES")) else []))


def find(name: str) -> Base:
    """Return the base model of that name; ValueError lists the names there are."""
    if name not in BASES:
        raise ValueError(f"there is no base model called {name!r}; choose one of {', '.join(BASES)}")
    return BASES[name]


def is_cached(repository: str, base: Base) -> bool:
    """Return whether the Hub's cache has weights of each of a base's networks from a repository."""
    from huggingface_hub import try_to_load_from_cache

    index = try_to_load_from_cache(repository, "model_index.json")
    return isinstance(index, str) and all(
        any(Path(index).parent.glob(f"{name}/*.safetensors")) for name in base.parameters
    )


def weights_id(base: Base) -> str:
    """Return what tells a base's weights from others: its name on the Hub, or its own checksums in a
    folder.
    """
    if not base.is_local:
        return base.repository
    path = Path(base.repository, CHECKSUMS)
    return hashlib.sha256(path.read_bytes()).hexdigest() if path.is_file() else base.name


def verify(folder: Path) -> None:
    """Raise ValueError that names the first weight file whose SHA-256 is not the one in the folder's
    SHA256SUMS.

    A folder without that file is not checked.
    """
    path = folder / CHECKSUMS
    lines = path.read_text(encoding="utf-8").splitlines() if path.is_file() else ()
    for line in lines:
        expected, name = line.split(maxsplit=1)
        if not (folder / name).is_file():
            raise ValueError(
                f"{folder / name} is missing; expected the files that {CHECKSUMS} lists. Check it out again"
            )
        checksum = hashlib.sha256((folder / name).read_bytes()).hexdigest()
        if checksum != expected:
            raise ValueError(
                f"{folder / name} is damaged: its SHA-256 begins with {checksum[:8]}, expected "
                f"{expected[:8]}; "
                "check that file out again"
            )
