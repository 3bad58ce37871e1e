"""FLUX.2 klein: flow matching on patchified latents, conditioned on three layers of Qwen3.

Train the base model, not the distilled one.
Follows diffusers' train_dreambooth_lora_flux2_klein.py.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import Any

import torch
from diffusers import DiffusionPipeline, Flux2KleinPipeline
from PIL.Image import Image
from torch import Tensor, nn

from lessons_lib import compat
from lessons_lib.models.bases import Base
from lessons_lib.models.families import flux, shared
from lessons_lib.session import Session, quiet

DENOISER = "transformer"
COMFYUI_PREFIX = ""
# The layers of diffusers' script. "attn.to_out" alone would also match the ModuleList in double blocks, so
# the output layer of each single block is listed by its full name.
TARGET_MODULES: tuple[str, ...] = (
    *("to_q", "to_k", "to_v", "to_out.0", "to_qkv_mlp_proj"),
    *(f"single_transformer_blocks.{i}.attn.to_out" for i in range(48)),  # 20 in klein 4B, 24 in 9B
)

# Black Forest Labs' names of the layers, as in https://github.com/black-forest-labs/flux2,
# src/flux2/model.py. Its last modulation has scale and shift in the other order, so it is left out.
_ORIGINAL_NAMES = {
    "double_blocks.*.img_attn.qkv": [f"transformer_blocks.*.attn.to_{x}" for x in "qkv"],
    "double_blocks.*.txt_attn.qkv": [f"transformer_blocks.*.attn.add_{x}_proj" for x in "qkv"],
    "double_blocks.*.img_attn.proj": ["transformer_blocks.*.attn.to_out.0"],
    "double_blocks.*.txt_attn.proj": ["transformer_blocks.*.attn.to_add_out"],
    "double_blocks.*.img_mlp.0": ["transformer_blocks.*.ff.linear_in"],
    "double_blocks.*.img_mlp.2": ["transformer_blocks.*.ff.linear_out"],
    "double_blocks.*.txt_mlp.0": ["transformer_blocks.*.ff_context.linear_in"],
    "double_blocks.*.txt_mlp.2": ["transformer_blocks.*.ff_context.linear_out"],
    "single_blocks.*.linear1": ["single_transformer_blocks.*.attn.to_qkv_mlp_proj"],
    "single_blocks.*.linear2": ["single_transformer_blocks.*.attn.to_out"],
    "img_in": ["x_embedder"],
    "txt_in": ["context_embedder"],
    "time_in.in_layer": ["time_guidance_embed.timestep_embedder.linear_1"],
    "time_in.out_layer": ["time_guidance_embed.timestep_embedder.linear_2"],
    "single_stream_modulation.lin": ["single_stream_modulation.linear"],
    "double_stream_modulation_img.lin": ["double_stream_modulation_img.linear"],
    "double_stream_modulation_txt.lin": ["double_stream_modulation_txt.linear"],
    "final_layer.linear": ["proj_out"],
}

original_names = partial(shared.names_by_block, _ORIGINAL_NAMES)
load_tokenizer = shared.load_tokenizer
pipeline_arguments = flux.pipeline_arguments
sample_sigma = shared.sample_flow_sigma


def load(base: Base, session: Session, **components: Any) -> Flux2KleinPipeline:
    """Return the pipeline. Raises ValueError for a distilled one, which draws grey after training."""
    pipe = shared.load_pipeline(Flux2KleinPipeline, DENOISER, base, session, **components)
    if pipe.config.is_distilled:
        raise ValueError(f"{base.repository} is distilled; expected the base model that it was made from")
    return pipe


def latent_statistics(vae: nn.Module) -> tuple[Tensor, Tensor]:
    """Return the mean and the standard deviation of patchified latents, (1, 128, 1, 1) each,
    which the VAE stores in a batch norm.
    """
    std = (vae.bn.running_var + vae.config.batch_norm_eps).sqrt()
    return vae.bn.running_mean.view(1, -1, 1, 1), std.view(1, -1, 1, 1)


def latent_shape(pipe: DiffusionPipeline, base: Base) -> tuple[int, int, int, int]:
    """Return the shape of one picture's latents, (1, 128, rows, columns):
    each is a 2 x 2 square of the VAE's.
    """
    _, channels, rows, columns = shared.latent_shape(pipe, base)
    return 1, 4 * channels, rows // 2, columns // 2


@torch.no_grad()
def latent_distribution(pipe: DiffusionPipeline, pixels: Tensor) -> tuple[Tensor, Tensor]:
    """Return mode and standard deviation of (n, 128, h / 16, w / 16) latents, which over all pictures have
    mean 0 and standard deviation 1, by the VAE's own statistics.
    """
    mean, scale = (shared.to_vae(pipe, value) for value in latent_statistics(pipe.vae))
    mode, std = map(compat.flux2_patchify, shared.vae_distribution(pipe, pixels))
    return (mode - mean) / scale, std / scale


encode_images = shared.modes(latent_distribution)


@torch.no_grad()
def decode_latents(pipe: DiffusionPipeline, latents: Tensor) -> list[Image]:
    """Decode (n, 128, h, w) latents, or (n, h w, 128) tokens of square pictures, to images."""
    vae = pipe.vae
    mean, std = (shared.to_vae(pipe, value) for value in latent_statistics(vae))
    latents = shared.to_vae(pipe, latents)
    if latents.ndim == 3:
        side = round(latents.shape[1] ** 0.5)
        latents = latents.permute(0, 2, 1).unflatten(2, (side, side))
    unpatchified = compat.flux2_unpatchify(latents * std + mean)
    return pipe.image_processor.postprocess(vae.decode(unpatchified).sample)


@torch.no_grad()
def encode_captions(pipe: DiffusionPipeline, captions: Sequence[str], base: Base) -> dict[str, Tensor]:
    """Return `prompt_embeds` (n, caption_tokens, three times the width of Qwen3)."""
    with quiet():
        prompt_embeds, _ = pipe.encode_prompt(list(captions), max_sequence_length=base.caption_tokens)
    return {"prompt_embeds": prompt_embeds}


def predict_velocity(
    denoiser: nn.Module,
    noisy_latents: Tensor,
    sigma: Tensor,
    embeddings: dict[str, Tensor],
    guidance_scale: float = 1.0,
) -> Tensor:
    """Return the predicted velocity noise - latents, (n, 128, h, w)."""
    tokens = compat.flux2_pack(noisy_latents)
    prompt_embeds = embeddings["prompt_embeds"]
    velocity = denoiser(
        hidden_states=tokens,
        timestep=sigma,
        guidance=torch.full_like(sigma, guidance_scale) if denoiser.config.guidance_embeds else None,
        encoder_hidden_states=prompt_embeds,
        txt_ids=compat.flux2_text_ids(prompt_embeds),
        img_ids=compat.flux2_latent_ids(noisy_latents),
        return_dict=False,
    )[0]
    return velocity[:, : tokens.shape[1]].permute(0, 2, 1).reshape(noisy_latents.shape)


loss, predict_original = shared.flow_matching(predict_velocity)


def sample_image(
    pipe: DiffusionPipeline,
    embeddings: dict[str, Tensor],
    negative_embeddings: dict[str, Tensor],
    base: Base,
    seed: int,
) -> Image:
    """Return one picture from text embeddings, guided away from those of the empty prompt."""
    negative = negative_embeddings["prompt_embeds"]
    generator = torch.Generator().manual_seed(seed)
    arguments = pipeline_arguments(base, None, None)
    return pipe(generator=generator, **embeddings, negative_prompt_embeds=negative, **arguments).images[0]
