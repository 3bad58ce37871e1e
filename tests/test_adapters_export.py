"""Other programs read the adapter: every layer at its true strength, under the names that they know."""

from dataclasses import replace

import torch
from safetensors import safe_open
from safetensors.torch import load_file

from lessons_lib.adapters import export
from lessons_lib.adapters.run import WEIGHTS_NAME
from lessons_lib.models import bases, families

LAYER = "transformer.transformer_blocks.0.attn.to_q"


def test_comfyui_gets_every_layer_at_its_true_strength(run_folder):
    path = export.write_comfyui(run_folder)
    assert path.name == "album_comfyui.safetensors" and not list(run_folder.rglob("*.part"))
    ours, theirs = load_file(run_folder / WEIGHTS_NAME), load_file(path)
    down, up = f"{LAYER}.lora_A.weight", f"{LAYER}.lora_B.weight"
    assert ours.keys() == theirs.keys() == {down, up}
    assert torch.equal(theirs[down], ours[down]) and torch.equal(theirs[up], 2 * ours[up])  # alpha 8, rank 4
    with safe_open(path, "pt") as file:
        metadata = file.metadata()
    assert metadata["modelspec.trigger_phrase"] == "mugh4l" and "lora_adapter_metadata" not in metadata


def test_a_unets_keys_are_renamed_as_kohya_has_them_and_others_stay():
    layer = "down_blocks.0.attentions.1.transformer_blocks.0.attn1.to_out.0"
    flat = "lora_unet_down_blocks_0_attentions_1_transformer_blocks_0_attn1_to_out_0"
    ends = {"lora_A.weight": "lora_down.weight", "lora_B.weight": "lora_up.weight"}
    unet, flux = families.find("unet"), families.find("flux")
    keys = [export.comfyui_key(f"unet.{layer}.{end}", unet) for end in ends]
    assert keys == [f"{flat}.{end}" for end in ends.values()]
    assert export.comfyui_key(f"{LAYER}.lora_A.weight", flux) == f"{LAYER}.lora_A.weight"


def test_pocket_is_labelled_as_flux_and_a_base_without_a_name_is_not_labelled_at_all():
    labels = {base.name: export.modelspec_metadata({}, base, "x") for base in bases.BASES.values()}
    key = "modelspec.architecture"
    assert {labels[name][key] for name in ("pocket", "pocket-schnell", "flux1-dev")} == {"flux-1-dev/lora"}
    assert labels["sd15"][key] == "stable-diffusion-v1/lora"
    unknown = replace(bases.find("pocket"), modelspec_architecture="")
    assert key not in export.modelspec_metadata({}, unknown, "x")
