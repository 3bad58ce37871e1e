"""The private or fragile names of the libraries that this one depends on:
no other module of lessons_lib may use one.

What each does and what breaks without it stands here; tests/test_compat.py fails by name when a new version
drops one. Libraries are imported inside the functions, so that importing this module costs nothing.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import argparse
    from typing import TypeAlias

    import torch
    from diffusers import DiffusionPipeline
    from torch import Tensor, nn

    Commands: TypeAlias = argparse._SubParsersAction[argparse.ArgumentParser]  # has no public name


def lora_metadata(components: Mapping[str, nn.Module]) -> dict[str, Any]:
    """Return what ``save_lora_weights`` takes to write rank and alpha into a file's header,
    of components by name.

    Without it files lose their alpha, and other programs draw them at another strength.
    """
    from diffusers.training_utils import _collate_lora_metadata

    return _collate_lora_metadata(dict(components))


def lora_components(pipeline: type[DiffusionPipeline]) -> tuple[str, ...]:
    """Return the names of the parts that a pipeline puts adapters on, such as "transformer".

    Without it an adapter's text encoder layers are refused although the pipeline can hold them.
    """
    return tuple(pipeline._lora_loadable_modules)


def repeated_blocks(model: nn.Module) -> list[nn.Module]:
    """Return the blocks that a diffusers model names as units that stay on one device.

    Without them sharding stops.
    """
    names = model._no_split_modules or ()
    return [module for module in model.modules() if type(module).__name__ in names]


def use_input_precision(layer: nn.Module) -> None:
    """Let a PEFT LoRA layer pass its input on as it is.

    By default it is first converted to the factors' precision.
    Without it a half-precision base copies all its activations to float32.
    """
    layer.cast_input_dtype_enabled = False


def dequantized_weight(layer: nn.Module) -> Tensor:
    """Return a layer's weight, unpacked where it is quantised; without it norms of nf4 weights are wrong."""
    from peft.utils.integrations import dequantize_module_weight

    return dequantize_module_weight(layer)


def quantize_on_cpu() -> None:
    """Let diffusers quantise on a CPU as well, where bitsandbytes can; transformers does so by itself.

    Without it nf4 and int8 need a GPU, and no test of them runs without one. On processors with AVX512-BF16
    bitsandbytes would repack the weights for a kernel that it fetches from the Hub: it is told there is none.
    """
    from bitsandbytes.nn import modules
    from diffusers.quantizers.auto import AUTO_QUANTIZER_MAPPING as quantizers

    modules.has_avx512bf16 = lambda: False

    for name in ("bitsandbytes_4bit", "bitsandbytes_8bit"):
        own = {
            "validate_environment": lambda self, *args, **options: None,
            "update_device_map": lambda self, device_map: {"": "cpu"},
        }
        if not hasattr(quantizers[name], "on_cpu"):
            quantizers[name] = type(
                f"{quantizers[name].__name__}OnCpu", (quantizers[name],), own | {"on_cpu": 1}
            )


def execution_device(pipe: Any) -> torch.device:
    """Return the device that a pipeline computes on, also where each network is there only while it runs.

    Without it captions of an offloaded Stable Diffusion are put on the CPU and its encoder on the GPU.
    """
    return pipe._execution_device


def storage_id(tensor: Tensor) -> int:
    """Return a number that tensors with the same memory share; without it memory is counted twice."""
    return tensor.untyped_storage()._cdata


# FLUX.2's pipeline prepares what its transformer takes in static methods;
# without them klein is neither trained nor sampled.


def flux2_patchify(latents: Tensor) -> Tensor:
    """Return (n, 32, h, w) latents of the VAE as (n, 128, h / 2, w / 2)."""
    from diffusers import Flux2KleinPipeline

    return Flux2KleinPipeline._patchify_latents(latents)


def flux2_unpatchify(latents: Tensor) -> Tensor:
    """Return the (n, 32, h, w) latents of the VAE of patchified ones."""
    from diffusers import Flux2KleinPipeline

    return Flux2KleinPipeline._unpatchify_latents(latents)


def flux2_pack(latents: Tensor) -> Tensor:
    """Return patchified (n, 128, h, w) latents as (n, h w, 128) tokens."""
    from diffusers import Flux2KleinPipeline

    return Flux2KleinPipeline._pack_latents(latents)


def flux2_text_ids(prompt_embeds: Tensor) -> Tensor:
    """Return the positions of a prompt's tokens, (n, tokens, 4), on its device."""
    from diffusers import Flux2KleinPipeline

    return Flux2KleinPipeline._prepare_text_ids(prompt_embeds).to(prompt_embeds.device)


def flux2_latent_ids(latents: Tensor) -> Tensor:
    """Return the positions of the tokens of patchified latents, (n, h w, 4), on their device."""
    from diffusers import Flux2KleinPipeline

    return Flux2KleinPipeline._prepare_latent_ids(latents).to(latents.device)
