"""Canaries: each private or fragile name of the libraries that compat.py uses is there and does what is said
of it.
"""

import ast
import copy
import json
from pathlib import Path

import pytest
import torch
from diffusers import FluxPipeline, FluxTransformer2DModel, UNet2DConditionModel
from peft import LoraConfig, inject_adapter_in_model
from safetensors import safe_open
from torch import nn

import lessons_lib
from lessons_lib import compat

LIBRARY = Path(lessons_lib.__file__).parent


@pytest.fixture
def layer():
    """A linear layer with an adapter by PEFT."""
    config = LoraConfig(r=2, lora_alpha=6, target_modules=["0"])
    return inject_adapter_in_model(config, nn.Sequential(nn.Linear(6, 5)))[0]


def test_the_header_of_a_file_holds_rank_and_alpha(tmp_path, sampler):
    model = copy.deepcopy(sampler.pipe.transformer)
    model.add_adapter(LoraConfig(r=2, lora_alpha=6, target_modules=["attn.to_q"]))
    layers = {f"transformer_blocks.0.attn.to_q.lora_{f}.weight": torch.zeros(2, 2) for f in "AB"}
    metadata = compat.lora_metadata({"transformer": model})
    FluxPipeline.save_lora_weights(tmp_path, transformer_lora_layers=layers, **metadata)
    with safe_open(next(tmp_path.iterdir()), "pt") as file:
        config = json.loads(file.metadata()["lora_adapter_metadata"])
    assert config["transformer.r"] == 2 and config["transformer.lora_alpha"] == 6


@pytest.mark.parametrize("kind", [FluxTransformer2DModel, UNet2DConditionModel])
def test_models_name_the_blocks_that_are_sharded(kind):
    assert kind._no_split_modules, (
        f"{kind.__name__} has no _no_split_modules: it would be sharded as one piece"
    )


def test_the_blocks_of_a_model_are_found(sampler):
    blocks = compat.repeated_blocks(sampler.pipe.transformer)
    assert {type(block).__name__ for block in blocks} == {
        "FluxTransformerBlock",
        "FluxSingleTransformerBlock",
    }


def test_a_lora_layer_converts_its_input_unless_it_is_told_not_to(layer):
    x = torch.zeros(1, dtype=torch.float16)
    assert layer._cast_input_dtype(x, torch.float32).dtype == torch.float32
    compat.use_input_precision(layer)
    assert layer._cast_input_dtype(x, torch.float32).dtype == torch.float16


def test_a_weight_that_is_not_quantised_comes_as_it_is(layer):
    base = layer.get_base_layer()
    assert torch.equal(compat.dequantized_weight(base), base.weight)


def test_views_share_a_storage_and_copies_do_not():
    x = torch.zeros(4)
    assert compat.storage_id(x) == compat.storage_id(x[1:]) != compat.storage_id(x.clone())


def test_flux2_latents_are_patchified_packed_and_come_back():
    latents = torch.randn(2, 32, 4, 6)
    patches = compat.flux2_patchify(latents)
    assert patches.shape == (2, 128, 2, 3) and torch.equal(compat.flux2_unpatchify(patches), latents)
    assert torch.equal(compat.flux2_pack(patches), patches.flatten(2).transpose(1, 2))


def test_flux2_positions_are_one_a_token():
    assert compat.flux2_text_ids(torch.zeros(2, 7, 8)).shape == (2, 7, 4)
    assert compat.flux2_latent_ids(torch.zeros(2, 128, 2, 3)).shape == (2, 6, 4)


def private_names(path):
    """Return the names with one underscore that a module uses and does not define itself."""
    used, own = set(), set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.ImportFrom):
            used |= {alias.name for alias in node.names}
        elif isinstance(node, ast.Attribute):
            (own if ast.unparse(node.value) in ("self", "cls") else used).add(node.attr)
        elif isinstance(node, (ast.FunctionDef, ast.ClassDef)):
            own.add(node.name)
        elif isinstance(node, ast.AnnAssign):
            own.add(ast.unparse(node.target))
    return {name for name in used - own if name[0] == "_" and name[:2] != "__"}


def test_no_other_module_uses_a_private_name():
    found = {path.name: private_names(path) for path in LIBRARY.rglob("*.py") if path.name != "compat.py"}
    assert {name: names for name, names in found.items() if names} == {}


def test_a_pipeline_tells_the_device_it_computes_on(sampler):
    assert compat.execution_device(sampler.pipe) == sampler.pipe.device


def test_diffusers_quantises_on_a_cpu_and_weights_stay_as_they_were_packed():
    pytest.importorskip("bitsandbytes", reason="the extra `test` has it")
    from bitsandbytes.nn import Linear4bit
    from diffusers.quantizers.auto import AUTO_QUANTIZER_MAPPING as quantizers

    compat.quantize_on_cpu()
    for name in ("bitsandbytes_4bit", "bitsandbytes_8bit"):
        quantizer = quantizers[name].__new__(quantizers[name])
        assert quantizer.validate_environment() is None and quantizer.update_device_map(None) == {"": "cpu"}
    layer = Linear4bit(64, 8, bias=False, quant_type="nf4").to("cpu").eval()
    before = layer.weight.data.clone()
    assert layer(torch.ones(1, 64)).shape == (1, 8) and torch.equal(layer.weight.data, before)
