"""Files of eight foreign forms: every layer is put on the pipeline at its true strength, as diffusers' or the
writer's own loader does it.
"""

import warnings
from dataclasses import replace

import foreign_files
import pytest
import torch
from diffusers import FluxPipeline
from foreign_files import ALPHA, FORMS, RANK
from peft import PeftModel
from safetensors.torch import load_file

from benchmarks import blank
from benchmarks.architectures import BLANKS
from lessons_lib.adapters import files, fit, info, loading
from lessons_lib.models import bases, families
from lessons_lib.session import quiet

READ_BY_DIFFUSERS = ("kohya SD 1.5", "kohya SDXL", "ai-toolkit", "OneTrainer")


def deltas(pipe):
    """Return the change of each layer that carries an adapter, by its name."""
    changes = {}
    for part in ("unet", "transformer", "text_encoder", "text_encoder_2"):
        model = getattr(pipe, part, None)
        for name, module in model.named_modules() if model is not None else ():
            for adapter, up in getattr(module, "lora_B", {}).items():
                down = module.lora_A[adapter].weight
                product = up.weight.flatten(1) @ down.flatten(1) * module.scaling[adapter]
                changes[f"{part}.{name}"] = product.detach()
    return changes


def largest_difference(ours, theirs):
    assert ours.keys() == theirs.keys() and ours
    return max(float((ours[name] - theirs[name]).abs().max()) for name in ours)


@pytest.mark.parametrize("name", FORMS)
def test_each_layer_of_a_foreign_file_is_attached_at_its_true_strength(miniature, name, tmp_path):
    sampler = miniature(FORMS[name].base)
    path = foreign_files.write(name, sampler, tmp_path)
    adapter = files.read(path)
    count = loading.load(sampler.pipe, sampler.base, adapter, "style")
    changes = deltas(sampler.pipe)
    sampler.pipe.unload_lora_weights()
    scale = 1.0 if name == "ai-toolkit" else ALPHA / RANK
    tensors = [t for key, t in load_file(path).items() if t.ndim > 1]
    products = [
        up.flatten(1) @ down.flatten(1) * scale for up, down in pairs(load_file(path), FORMS[name].ends)
    ]
    assert len(changes) == count >= len(adapter.layers) == len(products) == len(tensors) // 2
    assert sum(c.square().sum() for c in changes.values()) == pytest.approx(
        sum(float(p.square().sum()) for p in products), rel=1e-4
    )


def pairs(tensors, ends):
    return [
        (tensors[key.removesuffix(ends[0]) + ends[1]], tensor)
        for key, tensor in tensors.items()
        if key.endswith(ends[0])
    ]


@pytest.mark.parametrize("name", READ_BY_DIFFUSERS)
def test_what_diffusers_reads_is_read_equally(miniature, name, tmp_path):
    sampler = miniature(FORMS[name].base)
    path = foreign_files.write(name, sampler, tmp_path)
    sampler.load(path)
    ours = deltas(sampler.pipe)
    sampler.unload()
    with quiet(), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        sampler.pipe.load_lora_weights(str(tmp_path), weight_name=path.name)
    theirs = deltas(sampler.pipe)
    sampler.pipe.unload_lora_weights()
    difference = largest_difference(ours, theirs)
    print(f"{name}: {len(ours)} layers, largest difference {difference:.1e}")
    assert difference < 1e-6


def test_kohyas_flux_file_is_cut_as_diffusers_cuts_it():
    """At the true width: diffusers cuts the single blocks' layers at fixed rows."""
    part = replace(BLANKS["flux1-dev"].parts["transformer"], small={"num_layers": 1, "num_single_layers": 1})
    with torch.device("meta"):
        shapes = fit.layer_shapes({"transformer": blank.network(part, small=True)})
    makers = families.find("flux").original_names([name.removeprefix("transformer.") for name in shapes])
    tensors = {}
    for name, layers in makers.items():
        if "blocks" in name and "mod" not in name:
            each = [shapes[f"transformer.{layer}"] for layer in layers]
            stem = f"lora_unet_{name.replace('.', '_')}"
            tensors[f"{stem}.lora_down.weight"] = torch.randn(RANK, each[0][1])
            tensors[f"{stem}.lora_up.weight"] = torch.randn(sum(shape[0] for shape in each), RANK)
            tensors[f"{stem}.alpha"] = torch.tensor(ALPHA)
    ours = fit.fitted(files.of_tensors(tensors), bases.find("flux1-dev"), shapes).layers
    theirs = FluxPipeline.lora_state_dict(dict(tensors))
    assert {f"{name}.lora_A.weight" for name in ours} < theirs.keys() and len(theirs) == 2 * len(ours)
    for name, factors in ours.items():
        down, up = theirs[f"{name}.lora_A.weight"], theirs[f"{name}.lora_B.weight"]
        assert torch.allclose(factors.up[::97] @ factors.down * factors.scaling, up[::97] @ down, atol=1e-6)
        assert factors.up.shape == up.shape


def test_a_peft_folder_is_read_as_peft_reads_it(miniature, tmp_path):
    sampler = miniature("flux1-dev")
    foreign_files.write("PEFT", sampler, tmp_path)
    sampler.load(tmp_path)
    ours = deltas(sampler.pipe)
    sampler.unload()
    model = PeftModel.from_pretrained(sampler.pipe.transformer, tmp_path)
    theirs = {
        f"transformer.{name}": module.get_delta_weight("default").detach()
        for name, module in model.base_model.model.named_modules()
        if hasattr(module, "lora_B")
    }
    model.unload()
    assert largest_difference(ours, theirs) < 1e-6


@pytest.mark.parametrize(
    ("name", "twin"), [("lora_down and alpha", "OneTrainer"), ("ComfyUI", "kohya FLUX.1")]
)
def test_other_keys_for_the_same_factors_are_the_same_change(miniature, name, twin, tmp_path):
    """Those two are read by diffusers with alpha left out, or not at all; the twin's keys are read truly."""
    sampler = miniature("flux1-dev")
    changes = []
    for form in (name, twin):
        sampler.load(foreign_files.write(form, sampler, tmp_path))
        changes.append({key: c for key, c in deltas(sampler.pipe).items() if key.startswith("transformer.")})
        sampler.unload()
    assert largest_difference(*changes) < 1e-6


@pytest.mark.parametrize("name", FORMS)
def test_info_says_what_a_foreign_file_is(miniature, name, tmp_path):
    sampler = miniature(FORMS[name].base)
    path = foreign_files.write(name, sampler, tmp_path)
    lines, problems = info.facts(path, sampler.base)
    count = len(files.read(path).layers)
    assert not problems and lines[0].startswith(f"adapter: {count} layers, rank 4, alpha")
    assert any(line.startswith(f"fits {sampler.base.name}: {count} of {count} layers") for line in lines)
