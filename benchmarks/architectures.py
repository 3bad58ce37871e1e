"""The settings of every base model as its own page gives them, and those of a miniature of each.

FLUX.2 [klein]'s are from diffusers' scripts/convert_flux2_to_diffusers.py. Only the vocabularies are not
theirs: the pocket model's words replace them, so that a caption has about as many tokens.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import diffusers
import transformers
from diffusers import AutoencoderKL, AutoencoderKLFlux2
from transformers import CLIPTextModel, CLIPTokenizer, Qwen2Tokenizer, T5Tokenizer

from lessons_lib.paths import POCKET

CHAT = (  # Qwen3's template, as far as one question needs it
    "{% for message in messages %}"
    "{{ '<|im_start|>' + message.role + '\n' + message.content + '<|im_end|>\n' }}"
    "{% endfor %}"
    "{% if add_generation_prompt %}{{ '<|im_start|>assistant\n' }}"
    "{% if enable_thinking is defined and not enable_thinking %}"
    "{{ '<think>\n\n</think>\n\n' }}{% endif %}{% endif %}"
)


def pieces() -> list[tuple[str, float]]:
    """Return the words of the pocket model's T5, each with the logarithm of its share."""
    tokenizer = json.loads((POCKET / "tokenizer_2" / "tokenizer.json").read_text())
    return [(piece, score) for piece, score in tokenizer["model"]["vocab"]]


def clip_tokenizer() -> CLIPTokenizer:
    return CLIPTokenizer.from_pretrained(POCKET / "tokenizer")


def t5_tokenizer() -> T5Tokenizer:
    return T5Tokenizer(vocab=pieces(), extra_ids=0, model_max_length=512)


def qwen_tokenizer() -> Qwen2Tokenizer:
    marks = ["<|im_start|>", "<|im_end|>", "<think>", "</think>"]
    empty = Qwen2Tokenizer(
        eos_token="<|im_end|>", extra_special_tokens=marks, model_max_length=131072, chat_template=CHAT
    )
    words = [piece.replace("\u2581", " ") for piece, _ in pieces()]
    return empty.train_new_from_iterator(words, 4096, show_progress=False)


@dataclass(frozen=True)
class Part:
    """A network: its class, its published settings, those the miniature changes, an encoder's tokenizer."""

    model: Any
    settings: dict[str, Any]
    small: dict[str, Any]
    tokenizer: Callable[[], Any] | None = None


@dataclass(frozen=True)
class Blank:
    """A pipeline's class, its scheduler's class and settings, its networks by subfolder, its own settings."""

    pipeline: str
    scheduler: str
    schedule: dict[str, Any]
    parts: dict[str, Part]  # the denoiser comes first
    options: dict[str, Any] = field(default_factory=dict)


def unet(blocks: str, settings: dict[str, Any], small: dict[str, Any]) -> Part:
    """Return a UNet.

    `blocks` has a letter a resolution, the finest first: x where it attends to the text, else -.
    """
    downs = ["CrossAttnDownBlock2D" if b == "x" else "DownBlock2D" for b in blocks]
    ups = ["CrossAttnUpBlock2D" if b == "x" else "UpBlock2D" for b in reversed(blocks)]
    return Part(
        diffusers.UNet2DConditionModel,
        {"down_block_types": downs, "up_block_types": ups} | settings,
        {"layers_per_block": 1, "norm_num_groups": 4, "sample_size": 8} | small,
    )


def vae(model: type = AutoencoderKL, **settings: Any) -> Part:
    return Part(
        model,
        {
            "down_block_types": ["DownEncoderBlock2D"] * 4, "up_block_types": ["UpDecoderBlock2D"] * 4,
            "block_out_channels": [128, 256, 512, 512], "layers_per_block": 2,
        }
        | settings,
        {"block_out_channels": [8, 8, 16, 16], "layers_per_block": 1, "norm_num_groups": 4},
    )  # fmt: skip


def clip(width: int, layers: int, heads: int, act: str, model: type = CLIPTextModel) -> Part:
    return Part(
        model,
        {
            "hidden_size": width, "intermediate_size": 4 * width, "num_hidden_layers": layers,
            "num_attention_heads": heads, "hidden_act": act, "projection_dim": width,
        },
        {
            "hidden_size": 32, "intermediate_size": 64, "num_hidden_layers": 2, "num_attention_heads": 2,
            "projection_dim": 32,
        },
        clip_tokenizer,
    )  # fmt: skip


def qwen(model: type) -> Part:
    """Return Qwen3-4B.

    The miniature has 31 layers: klein reads the states of layers 9, 18 and 27, and diffusers' script for it
    up to 30.
    """
    return Part(
        model,
        {
            "hidden_size": 2560, "intermediate_size": 9728, "num_hidden_layers": 36,
            "num_attention_heads": 32, "num_key_value_heads": 8, "head_dim": 128, "vocab_size": 151936,
            "max_position_embeddings": 40960, "rope_parameters": {"rope_type": "default", "rope_theta": 1e6},
            "tie_word_embeddings": True,
        },
        {
            "hidden_size": 32, "intermediate_size": 32, "num_hidden_layers": 31, "num_attention_heads": 2,
            "num_key_value_heads": 1, "head_dim": 8,
        },
        qwen_tokenizer,
    )  # fmt: skip


CLIP_L = clip(768, 12, 12, "quick_gelu")
FLUX_VAE = vae(
    latent_channels=16,
    scaling_factor=0.3611,
    shift_factor=0.1159,
    sample_size=1024,
    use_quant_conv=False,
    use_post_quant_conv=False,
)
BETAS = {
    "beta_start": 0.00085, "beta_end": 0.012, "beta_schedule": "scaled_linear", "num_train_timesteps": 1000,
    "prediction_type": "epsilon", "steps_offset": 1, "clip_sample": False, "set_alpha_to_one": False,
    "skip_prk_steps": True, "trained_betas": None,
}  # fmt: skip
FLOW = "FlowMatchEulerDiscreteScheduler"
SHIFTED = {
    "num_train_timesteps": 1000, "shift": 3.0, "use_dynamic_shifting": True, "base_shift": 0.5,
    "max_shift": 1.15, "base_image_seq_len": 256, "max_image_seq_len": 4096,
}  # fmt: skip

BLANKS = {
    "sd15": Blank(
        "StableDiffusionPipeline",
        "PNDMScheduler",
        BETAS,
        {
            "unet": unet(
                "xxx-",
                {
                    "block_out_channels": [320, 640, 1280, 1280], "cross_attention_dim": 768,
                    "attention_head_dim": 8, "sample_size": 64,
                },
                {"block_out_channels": [8, 16, 16, 16], "cross_attention_dim": 32, "attention_head_dim": 2},
            ),
            "text_encoder": CLIP_L,
            "vae": vae(latent_channels=4, scaling_factor=0.18215, sample_size=512),
        },
        {"safety_checker": [None, None], "feature_extractor": [None, None], "requires_safety_checker": False},
    ),
    "sdxl": Blank(
        "StableDiffusionXLPipeline",
        "EulerDiscreteScheduler",
        BETAS | {"timestep_spacing": "leading"},
        {
            "unet": unet(
                "-xx",
                {
                    "block_out_channels": [320, 640, 1280], "cross_attention_dim": 768 + 1280,
                    "sample_size": 128, "attention_head_dim": [5, 10, 20],
                    "transformer_layers_per_block": [1, 2, 10], "use_linear_projection": True,
                    "addition_embed_type": "text_time", "addition_time_embed_dim": 256,
                    "projection_class_embeddings_input_dim": 6 * 256 + 1280,
                },
                {
                    "block_out_channels": [8, 16, 16], "cross_attention_dim": 32 + 32,
                    "attention_head_dim": [1, 2, 2], "transformer_layers_per_block": [1, 1, 2],
                    "addition_time_embed_dim": 8, "projection_class_embeddings_input_dim": 6 * 8 + 32,
                },
            ),
            "text_encoder": CLIP_L,
            "text_encoder_2": clip(1280, 32, 20, "gelu", transformers.CLIPTextModelWithProjection),
            "vae": vae(latent_channels=4, scaling_factor=0.13025, sample_size=1024),
        },
        {"force_zeros_for_empty_prompt": True},
    ),
    "flux2-klein": Blank(
        "Flux2KleinPipeline",
        FLOW,
        SHIFTED,
        {
            "transformer": Part(
                diffusers.Flux2Transformer2DModel,
                {
                    "in_channels": 128, "num_layers": 5, "num_single_layers": 20, "attention_head_dim": 128,
                    "num_attention_heads": 24, "joint_attention_dim": 3 * 2560, "guidance_embeds": False,
                },
                {
                    "num_layers": 1, "num_single_layers": 2, "attention_head_dim": 16,
                    "num_attention_heads": 2, "joint_attention_dim": 3 * 32, "axes_dims_rope": [4, 4, 4, 4],
                },
            ),
            "text_encoder": qwen(transformers.Qwen3ForCausalLM),
            "vae": vae(AutoencoderKLFlux2, latent_channels=32, sample_size=1024),
        },
        {"is_distilled": False},
    ),
    "flux1-dev": Blank(
        "FluxPipeline",
        FLOW,
        SHIFTED,
        {
            "transformer": Part(
                diffusers.FluxTransformer2DModel,
                {
                    "in_channels": 64, "num_layers": 19, "num_single_layers": 38, "attention_head_dim": 128,
                    "num_attention_heads": 24, "joint_attention_dim": 4096, "pooled_projection_dim": 768,
                    "guidance_embeds": True,
                },
                {
                    "num_layers": 1, "num_single_layers": 2, "attention_head_dim": 16,
                    "num_attention_heads": 2, "joint_attention_dim": 32, "pooled_projection_dim": 32,
                    "axes_dims_rope": [4, 6, 6],
                },
            ),
            "text_encoder": CLIP_L,
            "text_encoder_2": Part(
                transformers.T5EncoderModel,
                {
                    "vocab_size": 32128, "d_model": 4096, "d_kv": 64, "d_ff": 10240, "num_layers": 24,
                    "num_heads": 64, "feed_forward_proj": "gated-gelu",
                },
                {"d_model": 32, "d_kv": 16, "d_ff": 64, "num_layers": 2, "num_heads": 2},
                t5_tokenizer,
            ),
            "vae": FLUX_VAE,
        },
    ),
    "z-image": Blank(
        "ZImagePipeline",
        FLOW,
        {"num_train_timesteps": 1000, "shift": 6.0, "use_dynamic_shifting": False},
        {
            "transformer": Part(
                diffusers.ZImageTransformer2DModel,
                {
                    "in_channels": 16, "dim": 3840, "n_layers": 30, "n_refiner_layers": 2, "n_heads": 30,
                    "n_kv_heads": 30, "cap_feat_dim": 2560, "axes_dims": [32, 48, 48],
                    "axes_lens": [1536, 512, 512],
                },
                {
                    "dim": 32, "n_layers": 2, "n_refiner_layers": 1, "n_heads": 2, "n_kv_heads": 2,
                    "cap_feat_dim": 32, "axes_dims": [4, 6, 6],
                },
            ),
            "text_encoder": qwen(transformers.Qwen3Model),
            "vae": FLUX_VAE,
        },
    ),
}  # fmt: skip
