"""Adapters as other programs write them, for miniatures of the base models.

The names of layers and the ends of keys are those of the writers' own source.
kohya: kohya-ss/sd-scripts networks/lora.py (with library/sdxl_original_unet.py) and networks/lora_flux.py.
ai-toolkit: ostris/ai-toolkit toolkit/network_mixins.py, `get_state_dict`: lora_A, lora_B and no alpha.
OneTrainer: Nerogar/OneTrainer modules/util/convert_lora_util.py, `convert_to_mixture` and `kohya_flatten`.
PEFT: `get_peft_model(...).save_pretrained`. ComfyUI: OneTrainer's modelSaver/mixin/LoRASaverMixin.py,
`_save_comfy`.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from pathlib import Path

import torch
from safetensors.torch import save_file

from lessons_lib.adapters import fit
from lessons_lib.evaluation.sampler import Sampler

RANK, ALPHA = 4, 2.0
KOHYA = (".lora_down.weight", ".lora_up.weight", ".alpha")
PEFT = (".lora_A.weight", ".lora_B.weight", "")
COMFY = (".lora_A.weight", ".lora_B.weight", ".alpha")
ATTENTION = r".*attentions\.\d+\.(proj_in|proj_out|transformer_blocks.*)"
CLIP = r".*layers\.\d+\.(self_attn\.(q_proj|k_proj|v_proj|out_proj)|mlp\.(fc1|fc2))"


@dataclass(frozen=True)
class Form:
    """A kind of file: its base, the ends of its keys, and by part of a pipeline prefix and trained layers.

    `by_makers`: layers have the names of the model's makers, not diffusers'. `is_flat`: with _ for each dot.
    """

    base: str
    ends: tuple[str, str, str]
    parts: dict[str, tuple[str, str]]
    by_makers: bool = False
    is_flat: bool = True
    file: str = "style.safetensors"


BLOCKS = r"(double|single)_blocks\.\d+\.((img|txt)_(attn|mlp)|linear).*"
FLUX = r"(single_)?transformer_blocks\.\d+\.(attn|ff|proj).*"
FLUX_ATTENTION = r"(single_)?transformer_blocks\.\d+\.attn\..*"  # what diffusers reads of OneTrainer's files
FORMS = {
    "kohya SD 1.5": Form(
        "sd15", KOHYA, {"unet": ("lora_unet_", ATTENTION), "text_encoder": ("lora_te_text_model_", CLIP)}
    ),
    "kohya SDXL": Form(
        "sdxl",
        KOHYA,
        {
            "unet": (
                "lora_unet_",
                r".*blocks?\.\d+\.1\.(proj_in|proj_out|transformer.*)|middle_block\.1\..*",
            ),
            "text_encoder": ("lora_te1_text_model_", CLIP),
            "text_encoder_2": ("lora_te2_text_model_", CLIP),
        },
        by_makers=True,
    ),
    "kohya FLUX.1": Form(
        "flux1-dev",
        KOHYA,
        {"transformer": ("lora_unet_", BLOCKS), "text_encoder": ("lora_te1_text_model_", CLIP)},
        by_makers=True,
    ),
    "ai-toolkit": Form("flux1-dev", PEFT, {"transformer": ("transformer.", FLUX)}, is_flat=False),
    "OneTrainer": Form(
        "flux1-dev",
        KOHYA,
        {
            "transformer": ("lora_transformer_", FLUX_ATTENTION),
            "text_encoder": ("lora_te1_text_model_", CLIP),
        },
    ),
    "PEFT": Form(
        "flux1-dev",
        PEFT,
        {"transformer": ("base_model.model.", FLUX)},
        is_flat=False,
        file="adapter_model.safetensors",
    ),
    "lora_down and alpha": Form(
        "flux1-dev", KOHYA, {"transformer": ("transformer.", FLUX_ATTENTION)}, is_flat=False
    ),
    "ComfyUI": Form("flux1-dev", COMFY, {"transformer": ("diffusion_model.", BLOCKS)}, True, is_flat=False),
}


def write(name: str, sampler: Sampler, folder: Path) -> Path:
    """Write a file of a form with random factors for a miniature, and return it."""
    form, generator = FORMS[name], torch.Generator().manual_seed(0)
    tensors = {}
    for part, (prefix, pattern) in form.parts.items():
        for layer, (rows, columns, *kernel) in _layers(form, sampler, part, pattern).items():
            stem = prefix + (layer.replace(".", "_") if form.is_flat else layer)
            down, up, alpha = (stem + end for end in form.ends)
            tensors[down] = torch.randn(RANK, columns, *kernel, generator=generator)
            tensors[up] = torch.randn(rows, RANK, *(1 for _ in kernel), generator=generator)
            if alpha != stem:
                tensors[alpha] = torch.tensor(ALPHA)
    save_file(tensors, folder / form.file)
    if name == "PEFT":
        targets = [key.removeprefix("base_model.model.").split(".lora_")[0] for key in tensors]
        config = {"peft_type": "LORA", "r": RANK, "lora_alpha": ALPHA, "target_modules": targets}
        (folder / "adapter_config.json").write_text(json.dumps(config))
    return folder / form.file


def _layers(form: Form, sampler: Sampler, part: str, pattern: str) -> dict[str, tuple[int, ...]]:
    """Return the shapes of the layers that a writer trains in a part, by its own names for them."""
    shapes = fit.layer_shapes({"": getattr(sampler.pipe, part)})
    shapes = {name.removeprefix("."): shape for name, shape in shapes.items()}
    if form.by_makers and part == sampler.family.DENOISER:
        shapes = {
            makers: (sum(shapes[name][0] for name in names), *shapes[names[0]][1:])
            for makers, names in sampler.family.original_names(shapes).items()
        }
    shapes = {name.removeprefix("text_model."): shape for name, shape in shapes.items()}
    return {name: shape for name, shape in shapes.items() if re.fullmatch(pattern, name)}
