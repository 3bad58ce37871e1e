"""The networks of the rented run, and nothing that needs the corpus: the transformer, both text encoders
and their heads.

Depth is an option; width stays, so that adapters keep their shape. A deeper transformer starts as the
shallower one:
added blocks begin as nothing.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import torch
from diffusers import FluxTransformer2DModel
from torch import Tensor, nn
from transformers import (
    CLIPTextConfig,
    CLIPTextModel,
    CLIPTokenizer,
    PreTrainedTokenizerFast,
    T5Config,
    T5EncoderModel,
)

from pocket.muon import optimizers
from pocket.tokenizer import REGISTERS

WIDTH, CODE = 256, 384  # of all embeddings; of the code of a picture that CLIP's encoder predicts
TOKENS, CHANNELS = 64, 64  # of a packed 128 px picture's latents
ZERO_AT_START = ("norm1.linear", "norm1_context.linear", "norm.linear", "norm_out.linear")
BY_WORD = (
    "token_embedding.weight",
    "shared.weight",
    "embed_tokens.weight",
)  # a row for every word of a vocabulary
TEXT_MATRICES = (
    "SelfAttention.q",
    "SelfAttention.k",
    "SelfAttention.v",
    "SelfAttention.o",
    "DenseReluDense",
    "self_attn",
    "mlp.fc",
)
FLOW_MATRICES = (
    "attn.to",
    "attn.add",
    ".ff.",
    ".ff_context.",
    "proj_mlp",
    *(f"single_transformer_blocks.{i}.proj_out" for i in range(16)),
)


@dataclass(frozen=True)
class Depth:
    """Blocks of the transformer: double ones, with weights for text and picture apart, and single ones.

    A LoRA step takes 1.26 times as long as with two and three, and 1.43 times with two and five.
    """

    double: int = 3
    single: int = 3


def transformer_config(depth: Depth, width: int = WIDTH) -> dict[str, object]:
    heads = max(1, width // 64)
    return {
        "patch_size": 1,
        "in_channels": CHANNELS,
        "num_layers": depth.double,
        "num_single_layers": depth.single,
        "attention_head_dim": 64,
        "num_attention_heads": heads,
        "joint_attention_dim": width,
        "pooled_projection_dim": width,
        "guidance_embeds": True,
        "axes_dims_rope": (16, 24, 24),
    }


def new_transformer(depth: Depth, width: int = WIDTH) -> FluxTransformer2DModel:
    """Return an untrained transformer whose blocks and output start as zero."""
    model = FluxTransformer2DModel(**transformer_config(depth, width))
    for name, module in model.named_modules():
        if name == "proj_out" or name.endswith(ZERO_AT_START):
            nn.init.zeros_(module.weight)
            nn.init.zeros_(module.bias)
    return model


def image_ids(side: int = 128) -> Tensor:
    """Return (tokens, 3) positions in units of the 128 px grid."""
    cells = side // 16
    ids = torch.zeros(cells, cells, 3)
    step = 8 // cells
    ids[..., 1] = (torch.arange(cells) * step + (step - 1) / 2)[:, None]
    ids[..., 2] = (torch.arange(cells) * step + (step - 1) / 2)[None, :]
    return ids.reshape(-1, 3)


def new_clip_encoder(pieces: int, width: int = WIDTH) -> CLIPTextModel:
    """Return an untrained text encoder for so many tokens."""
    return CLIPTextModel(
        CLIPTextConfig(
            vocab_size=pieces,
            hidden_size=width,
            intermediate_size=width,
            num_hidden_layers=2,
            num_attention_heads=max(1, width // 64),
            max_position_embeddings=77,
            projection_dim=width,
            bos_token_id=pieces - 2,
            eos_token_id=pieces - 1,
        )
    )


def new_t5_encoder(words: int, width: int = WIDTH) -> T5EncoderModel:
    """Return an untrained text encoder for so many tokens."""
    t5 = T5EncoderModel(
        T5Config(
            vocab_size=words,
            d_model=width,
            d_kv=64,
            d_ff=3 * width,
            num_layers=3,
            num_heads=max(1, width // 64),
            feed_forward_proj="gated-gelu",
            dropout_rate=0.0,
        )
    )
    nn.init.normal_(t5.shared.weight, std=0.05)  # T5's own 1.0 would take hundreds of steps to move
    return t5


def squares(packed: Tensor) -> Tensor:
    """Return (n, TOKENS, CHANNELS) latents as (n, REGISTERS, 256): each row is a square of 2 x 2 tokens."""
    grid = packed.unflatten(1, (4, 2, 4, 2))
    return grid.permute(0, 1, 3, 2, 4, 5).reshape(len(packed), REGISTERS, 4 * CHANNELS)


class Joint(nn.Module):
    """The transformer and the text encoders, with the heads by which the encoders predict the picture."""

    def __init__(
        self, pieces: int, words: int, first_register: int, depth: Depth, width: int = WIDTH
    ) -> None:
        """`pieces` and `words`: how many tokens CLIP's and T5's tokenizers know."""
        super().__init__()
        self.first_register = first_register
        self.flow = new_transformer(depth, width)
        self.clip, self.t5 = new_clip_encoder(pieces, width), new_t5_encoder(words, width)
        self.to_square, self.to_code = nn.Linear(width, 4 * CHANNELS), nn.Linear(width, CODE)
        self.register_buffer("image_ids", image_ids(), persistent=False)

    def encode(self, t5_ids: Tensor, clip_ids: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Return prompt_embeds (n, tokens, width), pooled_prompt_embeds (n, width) and registers (n,
        REGISTERS, width).
        """
        states = self.t5(t5_ids)[0]
        first = (t5_ids == self.first_register).int().argmax(1)
        at = first[:, None] + torch.arange(REGISTERS, device=first.device)
        return (
            states,
            self.clip(clip_ids).pooler_output,
            states.gather(1, at[..., None].expand(-1, -1, states.shape[2])),
        )

    def velocity(
        self, noisy: Tensor, sigma: Tensor, guidance: Tensor, embeddings: tuple[Tensor, ...]
    ) -> Tensor:
        """Return the predicted noise - picture, (n, TOKENS, CHANNELS)."""
        states, pooled = embeddings[:2]
        return self.flow(
            hidden_states=noisy,
            timestep=sigma,
            guidance=guidance,
            pooled_projections=pooled,
            encoder_hidden_states=states,
            txt_ids=torch.zeros(states.shape[1], 3, device=states.device),
            img_ids=self.image_ids,
            return_dict=False,
        )[0]

    def forecast_loss(self, embeddings: tuple[Tensor, ...], packed: Tensor, codes: Tensor) -> Tensor:
        """Return the squared errors of the picture that T5's registers and CLIP's vector predict, (2,); 1
        is knowing nothing.
        """
        _, pooled, registers = (e.float() for e in embeddings)
        return torch.stack(
            [
                (self.to_square(registers) - squares(packed)).square().mean(),
                (self.to_code(pooled) - codes).square().mean(),
            ]
        )

    def optimizers(self, peak: float, text_share: float) -> list[torch.optim.Optimizer]:
        """Return Muon for matrices, AdamW for the rest. T5 does not scale its logits, so its queries and
        keys get a slow AdamW.
        """
        flow = optimizers(self.flow, FLOW_MATRICES, peak, 0.1 * peak)
        return flow + self.text_optimizers(text_share * peak)

    def text_optimizers(self, peak: float) -> list[torch.optim.Optimizer]:
        asking = [
            p
            for n, p in self.t5.named_parameters()
            if n.endswith(("Attention.q.weight", "Attention.k.weight"))
        ]
        both = nn.ModuleList([self.clip, self.t5])
        for p in asking:
            p.requires_grad_(False)
        opts = optimizers(both, TEXT_MATRICES, peak, 0.1 * peak)
        for p in asking:
            p.requires_grad_(True)
        heads = [*self.to_square.parameters(), *self.to_code.parameters()]
        return [
            *opts,
            torch.optim.AdamW(asking, lr=0.025 * peak, betas=(0.9, 0.98), weight_decay=0.0),
            torch.optim.AdamW(heads, lr=0.1 * peak, betas=(0.9, 0.98), weight_decay=0.01),
        ]


def fits(name: str, value: Tensor, into: dict[str, Tensor]) -> bool:
    return name in into and into[name].shape == value.shape


def take_rows(own: Tensor, tokens: dict[str, int], earlier: Tensor, earlier_tokens: dict[str, int]) -> int:
    """Put the rows that an earlier embedding, (tokens, width), has for the same tokens into one's own; return
    how many tokens it does not know, whose rows stay.
    """
    rows = [(tokens[token], earlier_tokens[token]) for token in tokens if token in earlier_tokens]
    own[[row for row, _ in rows]] = earlier[[row for _, row in rows]].to(own)
    return len(tokens) - len(rows)


@torch.no_grad()
def start_from(
    model: Joint,
    parts: dict[str, dict[str, Tensor]],
    vocabularies: dict[str, tuple[dict[str, int], dict[str, int]]],
) -> list[str]:
    """Load earlier weights where names and shapes agree, and the rows of known words; return what stayed
    untrained.

    parts: {"flow": ..., "clip": ..., "t5": ...}; vocabularies: {"clip": (old, new), "t5": ...}.
    """
    left: list[str] = []
    for part, earlier in parts.items():
        own = getattr(model, part).state_dict()
        left += [f"{part}.{n}" for n in own if n not in earlier]
        old, new = vocabularies.get(part, ({}, {}))
        for name, value in earlier.items():
            if name in own and name.endswith(BY_WORD) and old:
                missing = take_rows(own[name], new, value, old)
                left.append(f"{part}.{name}: {missing} of {len(new)} rows")
            elif fits(name, value, own):
                own[name].copy_(value)
            else:
                left.append(f"{part}.{name}")
    return left


def load_earlier(model: Joint, folder: Path, clip: CLIPTokenizer, t5: PreTrainedTokenizerFast) -> list[str]:
    """Load a pipeline's weights, whose tokenizers may be others; return what stayed untrained."""
    kinds = {"flow": FluxTransformer2DModel, "clip": CLIPTextModel, "t5": T5EncoderModel}
    places = {"flow": "transformer", "clip": "text_encoder", "t5": "text_encoder_2"}
    states = {
        part: kind.from_pretrained(folder, subfolder=places[part], torch_dtype=torch.float32).state_dict()
        for part, kind in kinds.items()
    }
    old_clip = CLIPTokenizer.from_pretrained(folder / "tokenizer").get_vocab()
    old_t5 = PreTrainedTokenizerFast.from_pretrained(folder / "tokenizer_2").get_vocab()
    vocabularies = {"clip": (old_clip, clip.get_vocab()), "t5": (old_t5, t5.get_vocab())}
    return start_from(model, states, vocabularies)
