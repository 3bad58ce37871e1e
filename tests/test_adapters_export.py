"""Other programs read the adapter: every layer at its true strength, under the names that they know."""

from dataclasses import replace

import foreign_files
import pytest
import torch
from safetensors import safe_open
from safetensors.torch import load_file

from benchmarks import blank
from benchmarks.architectures import BLANKS
from lessons_lib.adapters import combine, export, files, fit
from lessons_lib.adapters.files import Adapter, Factors
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
    unet, flux = bases.find("sdxl"), bases.find("flux1-dev")
    keys = [export.comfyui_key(f"unet.{layer}.{end}", unet) for end in ends]
    assert keys == [f"{flat}.{end}" for end in ends.values()]
    assert export.comfyui_key(f"{LAYER}.lora_A.weight", flux) == f"{LAYER}.lora_A.weight"


@pytest.mark.parametrize("form", ["kohya SD 1.5", "kohya SDXL", "kohya FLUX.1"])
def test_layers_of_text_encoders_come_back_from_both_files(miniature, tmp_path, form):
    sampler = miniature(foreign_files.FORMS[form].base)
    own = files.read(foreign_files.write(form, sampler, tmp_path))
    shapes = fit.layer_shapes({part: getattr(sampler.pipe, part) for part in foreign_files.FORMS[form].parts})
    adapter = fit.fitted(own, sampler.base, shapes)
    kohya = Adapter(export.kohya_layers(adapter, sampler.base, shapes))
    of_text = {name for name in own.layers if name.startswith("lora_te")}
    assert of_text and of_text == {name for name in kohya.layers if name.startswith("lora_te")}
    tensors = files.named_tensors(files.with_scale_in_factors(adapter).layers)
    comfyui = files.of_tensors({export.comfyui_key(key, sampler.base): t for key, t in tensors.items()})
    assert form == "kohya FLUX.1" or of_text == {name for name in comfyui.layers if "lora_te" in name}
    for file in (kohya, comfyui):
        assert combine.largest_difference(fit.fitted(file, sampler.base, shapes), adapter) < 1e-5


def test_a_layer_of_a_part_that_comfyui_has_no_name_for_is_refused():
    with pytest.raises(ValueError, match="expected a layer of unet, text_encoder, text_encoder_2"):
        export.comfyui_key("vae.conv.lora_A.weight", bases.find("sdxl"))


def test_pocket_is_labelled_as_flux_and_a_base_without_a_name_is_not_labelled_at_all():
    labels = {base.name: export.modelspec_metadata({}, base, "x") for base in bases.BASES.values()}
    key = "modelspec.architecture"
    assert {labels[name][key] for name in ("pocket", "pocket-schnell", "flux1-dev")} == {"flux-1-dev/lora"}
    assert labels["sd15"][key] == "stable-diffusion-v1/lora"
    unknown = replace(bases.find("pocket"), modelspec_architecture="")
    assert key not in export.modelspec_metadata({}, unknown, "x")


SD_SCRIPTS = {  # as networks/lora_flux.py names the linear layers of library/flux_models.py
    *(f"lora_unet_double_blocks_{n}_{part}_{layer}" for n in range(19) for part in ("img", "txt")
      for layer in ("attn_qkv", "attn_proj", "mlp_0", "mlp_2")),
    *(f"lora_unet_single_blocks_{n}_linear{i}" for n in range(38) for i in (1, 2)),
}  # fmt: skip


def test_kohyas_file_has_the_228_modules_of_sd_scripts_at_the_real_size():
    with torch.device("meta"):
        shapes = fit.layer_shapes({"transformer": blank.network(BLANKS["flux1-dev"].parts["transformer"])})
    ends = tuple(f".{target}" for target in families.find("flux").TARGET_MODULES)
    layers = {
        name: Factors(torch.ones(1, shape[1]), torch.ones(shape[0], 1), 1.0)
        for name, shape in shapes.items()
        if name.endswith(ends) and "blocks" in name
    }
    kohya = export.kohya_layers(Adapter(layers), bases.find("flux1-dev"), shapes)
    assert kohya.keys() == SD_SCRIPTS and len(kohya) == 228
    assert kohya["lora_unet_single_blocks_0_linear1"].up.shape == (3 * 3072 + 4 * 3072, 4)
    assert kohya["lora_unet_double_blocks_0_img_attn_qkv"].up.shape == (3 * 3072, 3)


def test_kohyas_file_comes_back_as_the_same_change(run_folder, sampler):
    path = export.write_kohya(run_folder)
    assert path.name == "album_kohya.safetensors"
    assert {key.split(".")[0] for key in load_file(path)} == {"lora_unet_double_blocks_0_img_attn_qkv"}
    shapes = fit.layer_shapes({"transformer": sampler.pipe.transformer})
    back = fit.fitted(files.read(path), sampler.base, shapes)
    assert list(back.layers) == [LAYER] and back.ranks == [4]
    assert combine.largest_difference(back, files.read(run_folder)) < 1e-5


def test_a_layer_that_the_makers_have_otherwise_is_named(sampler):
    shapes = fit.layer_shapes({"transformer": sampler.pipe.transformer})
    name = "transformer.norm_out.linear"
    one = Adapter({name: Factors(torch.ones(1, shapes[name][1]), torch.ones(shapes[name][0], 1), 1.0)})
    with pytest.raises(ValueError, match="1 layers have no name in kohya's files, such as transformer.norm"):
        export.kohya_layers(one, sampler.base, shapes)
