"""An adapter handed on: other programs read it, and its card says whose pictures it was made from."""

import json
from dataclasses import replace
from pathlib import Path

import pytest
import torch
import yaml
from PIL import Image
from safetensors import safe_open
from safetensors.torch import load_file, save_file

from lessons_lib.adapters import export, info, model_card, run
from lessons_lib.adapters.settings import Settings
from lessons_lib.dataset.pictures import ImageFile, Picture
from lessons_lib.models import bases, families
from lessons_lib.paths import POCKET

LAYER = "transformer.transformer_blocks.0.attn.to_q"
SETTINGS = Settings(trigger="mugh4l", name="album", sample_prompts=('a "tiger", mugh4l',))


def picture(licence):
    rights = {"maker": "A | B", "licence": licence} if licence else {}
    return Picture(Path("/home/ann/secret/a.png"), ImageFile.of(Image.new("RGB", (64, 64))), rights)


@pytest.fixture
def folder(tmp_path):
    """A run of one layer with rank 4 and alpha 8."""
    torch.manual_seed(0)
    tensors = {f"{LAYER}.lora_A.weight": torch.randn(4, 256), f"{LAYER}.lora_B.weight": torch.randn(256, 4)}
    told = json.dumps({"transformer.r": 4, "transformer.lora_alpha": 8})
    save_file(tensors, tmp_path / run.WEIGHTS_NAME, {"format": "pt", "lora_adapter_metadata": told})
    settings = {
        "base": "pocket",
        "trigger": "mugh4l",
        "name": "album",
        "mode": "style",
        "steps": 3,
        "seed": 0,
    }
    (tmp_path / "settings.json").write_text(json.dumps(settings))
    (tmp_path / "log.jsonl").write_text(
        "".join(json.dumps({"step": i, "loss": 1.0 / i}) + "\n" for i in (1, 2))
    )
    return tmp_path


def card(pictures):
    pocket = bases.find("pocket")
    return model_card.readme(SETTINGS.resolve(pocket), pictures, pocket)


def front(settings, base):
    return yaml.safe_load(
        model_card.readme(settings.resolve(base), [picture("CC0-1.0")], base).split("---\n")[1]
    )


def test_the_card_has_the_head_the_hub_reads():
    head = front(SETTINGS, bases.find("flux1-dev"))
    assert head["base_model"] == "black-forest-labs/FLUX.1-dev" and head["instance_prompt"] == "mugh4l"
    assert (
        head["license"] == "other"
        and head["license_name"].startswith("flux-1-dev")
        and "license_link" in head
    )
    assert head["widget"] == [{"text": 'a "tiger", mugh4l'}] and "template:sd-lora" in head["tags"]


def test_the_card_of_pocket_names_no_folder_of_this_machine():
    text = card([picture("CC0-1.0")])
    assert "base_model" not in front(SETTINGS, bases.find("pocket"))
    assert str(POCKET) not in text and "/home/ann" not in text and ",," not in text


def test_every_base_has_a_licence_the_hub_knows():
    assert {front(SETTINGS, base)["license"] for base in bases.BASES.values()} == {
        "apache-2.0", "other", "creativeml-openrail-m", "openrail++",
    }  # fmt: skip


def test_the_card_names_the_rights_of_each_picture():
    text = card([picture("CC0-1.0")])
    assert (
        "| a.png | unknown | A \\| B | unknown | CC0-1.0 | unknown |" in text and "do not publish" not in text
    )


def test_the_card_warns_when_a_licence_is_not_known():
    text = card([picture("CC0-1.0"), picture(None)])
    assert "licence of 1 of these pictures is not known: **do not publish" in text


def test_the_python_on_the_card_compiles():
    for base in bases.BASES.values():
        text = model_card.readme(SETTINGS.resolve(base), [], base)
        compile(text.split("```python")[1].split("```")[0], "card", "exec")


def test_comfyui_gets_every_layer_at_its_true_strength(folder):
    path = export.write_comfyui(folder)
    assert path.name == "album_comfyui.safetensors" and not list(folder.glob("*.part"))
    ours, theirs = load_file(folder / run.WEIGHTS_NAME), load_file(path)
    down, up = f"{LAYER}.lora_A.weight", f"{LAYER}.lora_B.weight"
    assert ours.keys() == theirs.keys() == {down, up}
    assert torch.equal(theirs[down], ours[down]) and torch.equal(theirs[up], 2 * ours[up])  # alpha 8, rank 4
    with safe_open(path, "pt") as file:
        assert (
            file.metadata()["modelspec.trigger_phrase"] == "mugh4l"
            and "lora_adapter_metadata" not in file.metadata()
        )


def test_a_layer_without_a_told_alpha_has_its_rank():
    tensors = {f"{LAYER}.lora_A.weight": torch.zeros(4, 8)}
    assert info.layer_alphas(tensors, {}) == {LAYER: 4}
    own = {"transformer.lora_alpha": 2, "transformer.alpha_pattern": {LAYER.removeprefix("transformer."): 16}}
    assert info.layer_alphas(tensors, {"lora_adapter_metadata": json.dumps(own)}) == {LAYER: 16}


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
    assert (
        labels["pocket"][key]
        == labels["pocket-schnell"][key]
        == labels["flux1-dev"][key]
        == "flux-1-dev/lora"
    )
    assert labels["sd15"][key] == "stable-diffusion-v1/lora"
    unknown = replace(bases.find("pocket"), modelspec_architecture="")
    assert key not in export.modelspec_metadata({}, unknown, "x")


def test_info_says_what_a_run_holds(folder):
    lines = info.summary(folder)
    assert lines[0] == "adapter: 1 layers, rank 4, alpha 8" and "trigger: mugh4l" in lines
    assert lines[-1] == "loss: 1.000 at first, 0.500 at last, over 2 steps"


def test_a_folder_without_an_adapter_is_named(tmp_path):
    with pytest.raises(FileNotFoundError, match="expected pytorch_lora_weights.safetensors"):
        info.summary(tmp_path)


def test_a_file_that_is_no_lora_is_refused(tmp_path):
    save_file({"weight": torch.zeros(2)}, tmp_path / run.WEIGHTS_NAME)
    with pytest.raises(ValueError, match="holds no lora_A tensors"):
        info.summary(tmp_path)
