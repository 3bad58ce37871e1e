"""The model card of an adapter folder: its README.md, with the YAML head that the Hub reads and the rights of
every picture.
"""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from dataclasses import replace
from itertools import zip_longest
from pathlib import Path
from typing import Protocol

from lessons_lib.adapters.merged import MergedSettings
from lessons_lib.adapters.run import WEIGHTS_NAME
from lessons_lib.adapters.settings import ResolvedSettings
from lessons_lib.dataset.pictures import RIGHTS, Picture
from lessons_lib.models import families, quantization
from lessons_lib.models.bases import Base
from lessons_lib.paths import ROOT

Rights = dict[str, str]  # a picture's file and its rights, by column
_TAGS = ("text-to-image", "diffusers", "lora", "template:sd-lora")
_HERE = "  # this folder"
_CELL = re.compile(r"(?<!\\)\|")  # the edge of a cell in a table
_DO_NOT_PUBLISH = "**do not publish this adapter** before it is"


class Described(Protocol):
    """What the head and the code of a card say of an adapter."""

    @property
    def name(self) -> str: ...
    @property
    def trigger(self) -> str: ...
    @property
    def sample_prompts(self) -> tuple[str, ...]: ...
    @property
    def quantize(self) -> str: ...


def readme(
    settings: ResolvedSettings, pictures: Sequence[Picture], base: Base, samples: Sequence[Path] = ()
) -> str:
    """Return the README.md of an adapter folder: Hub head, how to draw with it, how it was made,
    whose pictures.

    `samples`: files in the folder's samples/, one for each of the settings' sample prompts; the Hub shows
    them as a gallery. The licence is the base model's, under which a derived adapter
    falls. Nothing in it names this machine's folders.
    """
    keys = ("rank", "alpha", "steps", "learning_rate", "batch")
    values = ", ".join(f"{key.replace('_', ' ')} {getattr(settings, key):g}" for key in keys)
    title = settings.name or settings.trigger
    gallery = "\n<Gallery />\n" if samples else ""
    training = f"taught a {settings.mode} from {len(pictures)} pictures"
    return f"""{_front_matter(settings, base, samples)}
# {title}
{gallery}
A LoRA adapter for {_link(base)}, {training}. Trigger word: `{settings.trigger}`.

{_code(settings, base, base.strength)}

Made with {values}, seed {settings.seed}. The base model's licence ({base.licence}) holds for it.

## The pictures it was taught with

{_rights_table(_rows(pictures))}
"""


def merged_readme(settings: MergedSettings, base: Base, rows: Sequence[Rights]) -> str:
    """Return the README.md of a merged adapter: as `readme`, with the rights of its parts' pictures."""
    parts = [
        f"`{name}` at {weight:g}" for name, weight in zip(settings.adapters, settings.weights, strict=True)
    ]
    rank = f", cut to rank {settings.rank}" if settings.rank else ""
    triggers = f" Trigger words: `{settings.trigger}`." if settings.trigger else ""
    return f"""{_front_matter(settings, base, ())}
# {settings.name}

A LoRA adapter for {_link(base)}, merged from {" and ".join(parts)}{rank}.{triggers}

{_code(settings, base, settings.strength)}

The base model's licence ({base.licence}) holds for it.

## The pictures its parts were taught with

{_rights_table(rows)}
"""


def rights_rows(card: str) -> list[Rights]:
    """Return the rows of a card's table of pictures: each picture's file and its rights, by column.

    Raises ValueError for a card without that table.
    """
    rows = [
        [cell.strip() for cell in _CELL.split(line)[1:-1]] for line in card.splitlines() if line[:1] == "|"
    ]
    head = next((row for row in rows if row[:1] == ["file"] and "licence" in row), None)
    if head is None:
        raise ValueError("the card has no table of the training pictures and their licences")
    pictures = [row for row in rows if row and row != head and not set(row[0]) <= {"-"}]
    return [dict(zip(head, [cell.replace("\\|", "|") for cell in row], strict=False)) for row in pictures]


def unknown_rights(card: str) -> list[str]:
    """Return the files whose licence a card does not name, by its table of pictures.

    Raises ValueError for a card without that table.
    """
    return [row["file"] for row in rights_rows(card) if not _is_known(row.get("licence", ""))]


def for_repository(card: str, repository: str) -> str:
    """Return a card whose rights are complete as it goes to the Hub: its code loads from there."""
    lines = [line.removesuffix(_HERE) for line in card.splitlines() if _DO_NOT_PUBLISH not in line]
    return (
        "\n".join(lines).replace('load_lora_weights(".", ', f"load_lora_weights({json.dumps(repository)}, ")
        + "\n"
    )


def adapter_name(settings: Described) -> str:
    """Return what an adapter is called on a pipeline: its run's name, as far as PEFT takes it."""
    return re.sub(r"\W+", "_", settings.name).strip("_") or "style"


def _code(settings: Described, base: Base, strength: float) -> str:
    """Return the lines that draw with an adapter, run in its folder."""
    trained_on = replace(base, quantize=settings.quantize)
    repository = json.dumps(_source(base) if base.is_local else trained_on.source)
    prompt = settings.sample_prompts[0] if settings.sample_prompts else settings.trigger
    name = json.dumps(adapter_name(settings))
    dtype = base.half_precisions[0] if base.half_precisions else "float32"
    if trained_on.packed_source:
        load = f"""import torch
from diffusers import DiffusionPipeline

# in {settings.quantize}, as it was trained: needs bitsandbytes and a GPU
pipe = DiffusionPipeline.from_pretrained({repository}, torch_dtype=torch.{dtype})
pipe.enable_model_cpu_offload()"""
    elif settings.quantize != "none" and not base.is_local:
        code = quantization.as_code(settings.quantize, families.find(base.family).DENOISER, f"torch.{dtype}")
        load = f"""import diffusers
import torch
from diffusers import DiffusionPipeline

config = {code}  # as it was trained: needs bitsandbytes and a GPU
pipe = DiffusionPipeline.from_pretrained({repository}, torch_dtype=torch.{dtype}, quantization_config=config)
pipe.enable_model_cpu_offload()"""
    else:
        load = f"""import torch
from diffusers import DiffusionPipeline

device = "cuda" if torch.cuda.is_available() else "cpu"
pipe = DiffusionPipeline.from_pretrained({repository}, torch_dtype=torch.{dtype}).to(device)"""
    return f"""```python
{load}
pipe.load_lora_weights(".", weight_name="{WEIGHTS_NAME}", adapter_name={name}){_HERE}
pipe.set_adapters({name}, {strength:g})
image = pipe(prompt={json.dumps(prompt, ensure_ascii=False)}, {_pipeline_arguments(base)}).images[0]
```"""


def _front_matter(settings: Described, base: Base, samples: Sequence[Path]) -> str:
    """Return the card's YAML head as the Hub reads it.

    A base in a folder of its own has no name on the Hub.
    """
    rows = [f"license: {base.hub_licence}"]
    rows += [f"license_name: {json.dumps(base.hub_licence_name)}"] if base.hub_licence_name else []
    rows += [f"license_link: {base.hub_licence_link}"] if base.hub_licence_link else []
    rows += [] if base.is_local else [f"base_model: {base.repository}"]
    trigger = json.dumps(settings.trigger, ensure_ascii=False)
    rows += ["library_name: diffusers", "pipeline_tag: text-to-image", f"instance_prompt: {trigger}"]
    rows += ["tags:", *[f"- {tag}" for tag in _TAGS]]
    rows += ["widget:"] if settings.sample_prompts else []
    for prompt, sample in zip_longest(settings.sample_prompts, samples[: len(settings.sample_prompts)]):
        rows.append(f"- text: {json.dumps(prompt, ensure_ascii=False)}")
        rows += ["  output:", f"    url: samples/{sample.name}"] if sample else []
    return "---\n" + "\n".join(rows) + "\n---\n"


def _source(base: Base) -> str:
    """Return what a base is known by: its name on the Hub, or a folder without those above it."""
    folder = Path(base.repository)
    if not base.is_local:
        return base.repository
    return folder.relative_to(ROOT).as_posix() if folder.is_relative_to(ROOT) else folder.name


def _link(base: Base) -> str:
    source = f"`{_source(base)}`"
    return f"`{base.name}`, the model in {source} of the course" if base.is_local else source


def _pipeline_arguments(base: Base) -> str:
    """Return the pipeline's arguments for a base as they stand in a call."""
    arguments = families.find(base.family).pipeline_arguments(base, None, None)
    return ", ".join(f"{name}={value:g}" for name, value in arguments.items())


def _rows(pictures: Sequence[Picture]) -> list[Rights]:
    return [{"file": picture.path.name, **picture.rights} for picture in pictures]


def _is_known(licence: str) -> bool:
    return licence.lower() not in ("", "unknown", "?")


def _rights_table(rows: Sequence[Rights]) -> str:
    """Return whose pictures they are as a Markdown table, and a plain warning where a licence is not
    known.
    """
    columns = ("file", *RIGHTS)
    lines = [f"| {' | '.join(columns)} |", f"|{'---|' * len(columns)}"]
    for row in rows:
        cells = [row.get(column) or "unknown" for column in columns]
        lines.append("| " + " | ".join(c.replace("|", "\\|").replace("\n", " ") for c in cells) + " |")
    unknown = sum(not _is_known(row.get("licence", "")) for row in rows)
    warning = (
        f"\n\nThe licence of {unknown} of these pictures is not known: {_DO_NOT_PUBLISH}." if unknown else ""
    )
    return "\n".join(lines) + warning
