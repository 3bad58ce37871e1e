"""Hand an adapter on: a model card with rights, a file ComfyUI reads, and what a run holds in a few lines."""

from __future__ import annotations

import json
from collections.abc import Sequence
from datetime import date
from pathlib import Path
from typing import Any

from safetensors import safe_open
from safetensors.torch import save_file
from torch import Tensor

from lessons_lib.adapters.run import WEIGHTS
from lessons_lib.adapters.settings import ResolvedSettings
from lessons_lib.dataset.pictures import RIGHTS, Picture
from lessons_lib.models import bases, families
from lessons_lib.models.bases import Base
from lessons_lib.models.families import Family

KOHYA = {"lora_A": "lora_down", "lora_B": "lora_up"}  # a factor's name in diffusers' files, and in kohya's


def front_matter(settings: ResolvedSettings, base: Base) -> str:
    """Return the card's YAML head as the Hub reads it. A base that lives in a folder of its own has no Hub name."""
    rows = [f"license: {base.hub_licence}"]
    rows += [f"license_name: {json.dumps(base.hub_licence_name)}"] if base.hub_licence_name else []
    rows += [f"license_link: {base.hub_licence_link}"] if base.hub_licence_link else []
    rows += [] if base.is_local else [f"base_model: {base.repository}"]
    rows += [
        "library_name: diffusers",
        f"instance_prompt: {json.dumps(settings.trigger, ensure_ascii=False)}",
    ]
    rows += ["tags:", *[f"- {tag}" for tag in ("text-to-image", "diffusers", "lora", "template:sd-lora")]]
    if settings.sample_prompts:
        rows += [
            "widget:",
            *[f"- text: {json.dumps(p, ensure_ascii=False)}" for p in settings.sample_prompts],
        ]
    return "---\n" + "\n".join(rows) + "\n---\n"


def card(settings: ResolvedSettings, pictures: Sequence[Picture], base: Base) -> str:
    """Return the README.md of an adapter folder: Hub head, how to draw with it, how it was made, whose pictures.

    The licence is the base model's, under which a derived adapter falls. Nothing in it names this machine's folders.
    """
    keys = ("rank", "alpha", "steps", "learning_rate", "batch")
    made = ", ".join(f"{key.replace('_', ' ')} {getattr(settings, key):g}" for key in keys)
    where = json.dumps("pocket/model" if base.is_local else base.repository)
    return f"""{front_matter(settings, base)}
# {settings.name or settings.trigger}

A LoRA adapter for {described(base)}, taught a {settings.mode} from {len(pictures)} pictures. Trigger word: `{settings.trigger}`.

```python
from diffusers import DiffusionPipeline

pipe = DiffusionPipeline.from_pretrained({where})
pipe.load_lora_weights(".", adapter_name="learned")  # this folder
pipe.set_adapters("learned", {base.strength:g})
picture = pipe(prompt={json.dumps(example(settings), ensure_ascii=False)}, {drawing(base)}).images[0]
```

Made with {made}, seed {settings.seed}. The base model's licence ({base.licence}) holds for it.

## The pictures it was taught with

{rights_table(pictures)}
"""


def drawing(base: Base) -> str:
    """Return the pipeline's arguments for a base as they stand in a call."""
    arguments = families.find(base.family).pipeline_arguments(base, None, None)
    return ", ".join(f"{name}={value:g}" for name, value in arguments.items())


def described(base: Base) -> str:
    return (
        f"`{base.name}`, the model in `pocket/model` of the course"
        if base.is_local
        else f"`{base.repository}`"
    )


def example(settings: ResolvedSettings) -> str:
    return settings.sample_prompts[0] if settings.sample_prompts else settings.trigger


def rights_table(pictures: Sequence[Picture]) -> str:
    """Return whose pictures they are as a Markdown table, and a plain warning where a licence is not known."""
    head = f"| file | {' | '.join(RIGHTS)} |\n|{'---|' * (len(RIGHTS) + 1)}\n"
    rows = []
    for p in pictures:
        cells = [p.path.name, *[p.rights.get(key) or "unknown" for key in RIGHTS]]
        rows.append("| " + " | ".join(c.replace("|", "\\|").replace("\n", " ") for c in cells) + " |")
    unknown = sum(not p.rights.get("licence") for p in pictures)
    warning = (
        f"\n\nThe licence of {unknown} of these pictures is not known: **do not publish this adapter** before it is."
        if unknown
        else ""
    )
    return head + "\n".join(rows) + warning


def read(run_folder: Path) -> tuple[dict[str, Tensor], dict[str, str]]:
    """Return an adapter's tensors and the metadata of its file. Raises FileNotFoundError, ValueError when it is no LoRA."""
    path = Path(run_folder) / WEIGHTS
    if not path.is_file():
        raise FileNotFoundError(
            f"no adapter in {run_folder}: expected {WEIGHTS}; train one, or name another folder"
        )
    with safe_open(path, "pt") as file:
        tensors, metadata = {key: file.get_tensor(key) for key in file.keys()}, file.metadata() or {}
    if not any(key.endswith(".lora_A.weight") for key in tensors):
        raise ValueError(
            f"{path}: holds no lora_A tensors; expected an adapter that diffusers saved. Train it again"
        )
    return tensors, metadata


def alphas(tensors: dict[str, Tensor], metadata: dict[str, str]) -> dict[str, float]:
    """Return {layer: alpha}, from the file's adapter metadata; a layer it does not mention has alpha = rank."""
    told = json.loads(metadata.get("lora_adapter_metadata", "{}"))
    found = {}
    for key in tensors:
        if key.endswith(".lora_A.weight"):
            layer = key.removesuffix(".lora_A.weight")
            part, _, inner = layer.partition(".")
            own = told.get(f"{part}.alpha_pattern") or {}
            found[layer] = float(own.get(inner, told.get(f"{part}.lora_alpha", tensors[key].shape[0])))
    return found


def comfyui(run_folder: Path, name: str | None = None) -> Path:
    """Return the path of NAME_comfyui.safetensors, written beside the adapter.

    ComfyUI reads diffusers' keys for transformers (`transformer.*.lora_A.weight`), and for UNets only kohya's
    (`lora_unet_*.lora_down.weight`), but no metadata: where a file names no alpha it takes scale 1. So alpha / rank is
    multiplied into `lora_B`, and no program has to know it. (Where alpha is the rank, that changes nothing; `.alpha` keys
    would do for FLUX.1 and UNets, but diffusers refuses them in files for FLUX.2 and Z-Image.) diffusers reads this file too.
    Raises FileNotFoundError, and ValueError for a file that holds no LoRA.
    """
    folder = Path(run_folder)
    tensors, metadata = read(folder)
    settings = json.loads((folder / "settings.json").read_text(encoding="utf-8"))
    base = bases.find(settings["base"])
    family = families.find(base.family)
    for layer, alpha in alphas(tensors, metadata).items():
        tensors[f"{layer}.lora_B.weight"] *= alpha / len(tensors[f"{layer}.lora_A.weight"])
    name = name or settings.get("name") or folder.resolve().name
    path = folder / f"{name}_comfyui.safetensors"
    partial = path.with_suffix(".part")
    save_file(
        {comfyui_key(key, family): value for key, value in tensors.items()},
        partial,
        modelspec(settings, base, name),
    )
    partial.replace(path)
    return path


def comfyui_key(key: str, family: Family) -> str:
    """Return a tensor's name as ComfyUI reads it: kohya's for an architecture that has a `KOHYA_PREFIX`, else diffusers'."""
    if not family.KOHYA_PREFIX:
        return key
    layer, factor = key.removeprefix(f"{family.DENOISER}.").removesuffix(".weight").rsplit(".", 1)
    return f"{family.KOHYA_PREFIX}{layer.replace('.', '_')}.{KOHYA[factor]}.weight"


def modelspec(settings: dict[str, Any], base: Base, name: str) -> dict[str, str]:
    """Return the metadata that other programs show: modelspec 1.0.1, https://github.com/Stability-AI/ModelSpec.

    A base without a name there gets no architecture, so that no program takes the adapter for another model's.
    """
    architecture = {"modelspec.architecture": f"{base.modelspec_architecture}/lora"}
    return (architecture if base.modelspec_architecture else {}) | {
        "modelspec.sai_model_spec": "1.0.1",
        "modelspec.implementation": "diffusers",
        "modelspec.title": name,
        "modelspec.trigger_phrase": settings.get("trigger") or "",
        "modelspec.license": base.licence,
        "modelspec.resolution": f"{base.side}x{base.side}",
        "modelspec.date": date.today().isoformat(),
    }


def info(run_folder: Path) -> list[str]:
    """Return what a run holds, one fact a line. Raises FileNotFoundError where there is no adapter."""
    folder = Path(run_folder)
    tensors, metadata = read(folder)
    scales = alphas(tensors, metadata)
    ranks = sorted({t.shape[0] for key, t in tensors.items() if key.endswith(".lora_A.weight")})
    lines = [
        f"adapter: {len(scales)} layers, rank {', '.join(map(str, ranks))}, alpha {', '.join(f'{a:g}' for a in sorted(set(scales.values())))}",
        f"size: {sum(t.numel() for t in tensors.values()):,} numbers, {(folder / WEIGHTS).stat().st_size / 1e6:.1f} MB",
    ]
    path = folder / "settings.json"
    if path.is_file():
        settings = json.loads(path.read_text(encoding="utf-8"))
        keys = ("base", "trigger", "mode", "steps", "learning_rate", "batch", "seed")
        lines += [
            f"{key.replace('_', ' ')}: {settings[key]}" for key in keys if settings.get(key) is not None
        ]
    log = folder / "log.jsonl"
    rows = [json.loads(row) for row in log.read_text(encoding="utf-8").splitlines()] if log.is_file() else []
    if rows:
        tenth = max(1, len(rows) // 10)
        first, last = (sum(r["loss"] for r in part) / tenth for part in (rows[:tenth], rows[-tenth:]))
        lines.append(f"loss: {first:.3f} at first, {last:.3f} at last, over {len(rows)} steps")
    return lines
