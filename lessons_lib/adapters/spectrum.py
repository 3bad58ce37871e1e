"""What an adapter learned: the size and the rank of each layer's change, a map of the model,
adapters of a smaller rank.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from IPython.display import Image as NotebookImage
from matplotlib.ticker import PercentFormatter
from torch import Tensor, nn
from torch.nn import functional
from torch.nn.utils.rnn import pad_sequence

from lessons_lib import compat
from lessons_lib.adapters import low_rank
from lessons_lib.display import charts
from lessons_lib.display.notebook import figure_image
from lessons_lib.display.theme import ACCENT, INK, LINE, MUTED

# diffusers' names for the two kinds of block: with separate weights for text and image,
# and with the same for both.
_BLOCK_LABELS = {"transformer_blocks": "double", "single_transformer_blocks": "single"}


@dataclass(frozen=True)
class LayerChange:
    """The change of one layer's weight: its singular values, largest first, (rank,),
    and the Frobenius norm of the frozen weight.
    """

    name: str
    singular_values: Tensor
    frozen_norm: float

    @property
    def norm(self) -> float:
        """The Frobenius norm of the change, which is the length of its singular values."""
        return float(self.singular_values.norm())

    @property
    def relative_norm(self) -> float:
        """The norm of the change as a share of the frozen weight's."""
        return self.norm / self.frozen_norm

    @property
    def effective_rank(self) -> float:
        """How many directions it uses: 1 = a single one, rank = all alike, 0 = no change.

        Roy and Vetterli 2007.
        """
        total = self.singular_values.sum()
        if not total:
            return 0.0
        shares = self.singular_values / total
        return float(torch.special.entr(shares).sum().exp())

    def energy(self, rank: int) -> float:
        """Return the share of the squared change in its first `rank` directions, 0 ... 1; 1 for no change."""
        squares = self.singular_values.square()
        return float(squares[:rank].sum() / squares.sum()) if squares.sum() else 1.0

    def rank_for(self, energy: float) -> int:
        """Return the smallest rank whose `energy` is at least this share."""
        ranks = range(len(self.singular_values) + 1)
        return next(rank for rank in ranks if self.energy(rank) >= energy - 1e-9)


def layer_changes(denoiser: nn.Module) -> list[LayerChange]:
    """Return the change of each layer, in the model's order and at the adapter's present strength.

    For DoRA that is the change of direction alone. Raises ValueError when the denoiser has no adapter.
    """
    changes = []
    for name, layer, adapter in _adapted_layers(denoiser):
        down, up = _factors(layer, adapter)
        frozen_norm = float(compat.dequantized_weight(layer.get_base_layer()).float().norm())
        values = low_rank.singular_value_decomposition(down, up)[1].float()
        values = abs(layer.scaling[adapter]) * values
        changes.append(LayerChange(name, values, frozen_norm))
    return changes


def _adapted_layers(denoiser: nn.Module) -> Iterator[tuple[str, nn.Module, str]]:
    """Yield each layer with a LoRA: its name, the layer, the adapter's name.

    Raises ValueError when there is none.
    """
    layers = [(n, m, a) for n, m in denoiser.named_modules() for a in getattr(m, "lora_A", {})]
    if not layers:
        raise ValueError("no layer has an adapter; attach one, or load a run, first")
    yield from layers


def _factors(layer: nn.Module, adapter: str) -> tuple[Tensor, Tensor]:
    """Return a layer's down, (rank, in_features), and up, (out_features, rank)."""
    return layer.lora_A[adapter].weight.detach(), layer.lora_B[adapter].weight.detach()


@torch.no_grad()
def truncate(denoiser: nn.Module, rank: int) -> None:
    """Reduce every layer's change to its `rank` largest singular values; its factors keep their shapes and
    have zeros for the others.

    Load the run again to have the others back. Raises ValueError for a rank below 1.
    """
    for _, layer, adapter in _adapted_layers(denoiser):
        down, up = _factors(layer, adapter)
        small_down, small_up = low_rank.truncated_factors(down, up, rank)
        zeros = len(down) - len(small_down)
        down.copy_(functional.pad(small_down, (0, 0, 0, zeros)))
        up.copy_(functional.pad(small_up, (0, zeros)))


def split_name(name: str) -> tuple[str, str]:
    """Return the block and the kind of a layer: ("transformer_blocks.0", "attn.to_q")."""
    match = re.match(r"(.*?\.\d+)\.(.+)", name)
    return (match[1], match[2]) if match else ("", name)


def change_table(changes: Sequence[LayerChange]) -> tuple[list[str], list[str], np.ndarray]:
    """Return kinds of layer, blocks, and the relative norm of each, (kinds, blocks),
    NaN where there is no layer.
    """
    places = [split_name(change.name) for change in changes]
    blocks, kinds = (list(dict.fromkeys(place[i] for place in places)) for i in (0, 1))
    table = np.full((len(kinds), len(blocks)), np.nan)
    for (block, kind), change in zip(places, changes, strict=True):
        table[kinds.index(kind), blocks.index(block)] = change.relative_norm
    return kinds, blocks, table


def block_label(block: str) -> str:
    """Return a block's name as a column's label: "double 0", "single 3", or "no block"."""
    kind, _, number = block.rpartition(".")
    return f"{_BLOCK_LABELS.get(kind, kind)} {number}" if block else "no block"


def change_map(changes: Sequence[LayerChange]) -> NotebookImage:
    """Return a JPEG: a square a layer, the darker the more it changed, relative to its frozen weight."""
    kinds, blocks, table = change_table(changes)
    figure, axes = charts.new_chart(7.2, 0.3 * len(kinds) + 1.3, 110)
    squares = axes.imshow(table, cmap="OrRd", aspect="auto", vmin=0)
    axes.set_xticks(range(len(blocks)), [block_label(block) for block in blocks], rotation=45, fontsize=8)
    axes.set_yticks(range(len(kinds)), kinds, fontsize=8)
    axes.spines[:].set_visible(False)
    figure.colorbar(squares, ax=axes, label="change / frozen weight", format=PercentFormatter(1.0))
    most = max(changes, key=lambda change: change.relative_norm)
    alt = f"the change of {len(changes)} layers; the largest, {most.relative_norm:.1%}, in {most.name}"
    return figure_image(figure, alt)


def spectrum_chart(changes: Sequence[LayerChange]) -> NotebookImage:
    """Return a JPEG: each layer's singular values as shares of its largest, faint,
    and the median layer on top.
    """
    values = [change.singular_values for change in changes]
    curves = pad_sequence([v / v[0].clamp_min(1e-12) for v in values], True).numpy()
    places = np.arange(1, curves.shape[1] + 1)
    figure, axes = charts.new_chart(7.2, 3.4, 110)
    axes.plot(places, curves.T, color=LINE, linewidth=0.8)
    axes.plot(
        places, np.median(curves, 0), "o-", color=ACCENT, linewidth=2, markersize=4, label="the median layer"
    )
    axes.plot([], [], color=LINE, label=f"each of {len(changes)} layers")
    axes.axhline(1, color=MUTED, linewidth=1, linestyle="--", label="if all directions were used alike")
    axes.set(xlabel="direction, strongest first", ylabel="size, strongest = 1", ylim=(0, 1.08))
    axes.tick_params(colors=INK)
    axes.legend(frameon=False, fontsize=9)
    half = int((np.median(curves, 0) >= 0.5).sum())
    return figure_image(
        figure,
        f"singular values of {len(changes)} layers: in the median layer {half} are at least half the largest",
    )
