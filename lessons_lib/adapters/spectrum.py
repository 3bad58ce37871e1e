"""What an adapter learned: how strong and how thin the change of each layer is, a map of the model, thinner copies."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from IPython.display import Image as Shown
from matplotlib.figure import Figure
from matplotlib.ticker import PercentFormatter
from peft.utils.integrations import dequantize_module_weight
from torch import Tensor, nn
from torch.nn.utils.rnn import pad_sequence

from lessons_lib.display.notebook import figure_image
from lessons_lib.display.theme import ACCENT, INK, LINE, MUTED, PAPER

SHORT = {"transformer_blocks": "double", "single_transformer_blocks": "single"}  # FLUX's two kinds of block


@dataclass(frozen=True)
class Layer:
    """One layer's change. `values`: its singular values, largest first, (rank,). `frozen`: the norm of the base's weight."""

    name: str
    values: Tensor
    frozen: float

    @property
    def norm(self) -> float:
        """The Frobenius norm of the change, which is the length of its singular values."""
        return float(self.values.norm())

    @property
    def relative(self) -> float:
        """The norm of the change as a share of the frozen weight's."""
        return self.norm / self.frozen

    @property
    def effective_rank(self) -> float:
        """How many directions it uses: 1 = a single one, rank = all alike, 0 = no change. Roy and Vetterli 2007."""
        total = self.values.sum()
        if not total:
            return 0.0
        shares = self.values / total
        return float(torch.special.entr(shares).sum().exp())

    def kept(self, rank: int) -> float:
        """Return the share of the squared change that its first `rank` directions hold, 0 ... 1."""
        squares = self.values.square()
        return float(squares[:rank].sum() / squares.sum()) if squares.sum() else 1.0

    def needed(self, share: float) -> int:
        """Return the fewest directions that hold a share of the squared change."""
        return next(r for r in range(len(self.values) + 1) if self.kept(r) >= share - 1e-9)


def layers(denoiser: nn.Module) -> list[Layer]:
    """Return what each layer learned, in the model's order and at the adapter's present strength.

    For DoRA that is the change of direction alone. Raises ValueError when the denoiser has no adapter.
    """
    found = []
    for name, module, adapter in adapted(denoiser):
        down, up = factors(module, adapter)
        frozen = float(dequantize_module_weight(module.get_base_layer()).float().norm())
        found.append(Layer(name, abs(module.scaling[adapter]) * singular_values(down, up).cpu(), frozen))
    return found


def adapted(denoiser: nn.Module) -> Iterator[tuple[str, nn.Module, str]]:
    """Give each layer with a LoRA: its name, the layer, the adapter's name. Raises ValueError when there is none."""
    found = [(n, m, a) for n, m in denoiser.named_modules() for a in getattr(m, "lora_A", {})]
    if not found:
        raise ValueError("no layer has an adapter; attach one, or load a run, first")
    yield from found


def factors(module: nn.Module, adapter: str) -> tuple[Tensor, Tensor]:
    """Return a layer's down, (rank, in_features), and up, (out_features, rank)."""
    return module.lora_A[adapter].weight.detach(), module.lora_B[adapter].weight.detach()


def singular_values(down: Tensor, up: Tensor) -> Tensor:
    """Return the singular values of up @ down, largest first, (rank,), in float32; the product itself is never formed.

    Both factors are turned into a rotation and a small triangle (QR); only the triangles, rank x rank, stretch.
    """
    left, right = torch.linalg.qr(up.double())[1], torch.linalg.qr(down.double().T)[1]
    return torch.linalg.svdvals(left @ right.T).float()


def thinner(down: Tensor, up: Tensor, rank: int) -> tuple[Tensor, Tensor]:
    """Return factors of the same shapes whose product is the nearest of that rank; what is over is nought.

    No other change of that rank is nearer: Eckart and Young 1936. Raises ValueError for a rank below 1.
    """
    if rank < 1:
        raise ValueError(f"the rank is {rank}; expected 1 or more")
    (turn_up, left), (turn_down, right) = torch.linalg.qr(up.double()), torch.linalg.qr(down.double().T)
    u, values, v = torch.linalg.svd(left @ right.T, full_matrices=False)
    root = values[:rank].sqrt()
    new_down, new_up = torch.zeros_like(down), torch.zeros_like(up)
    new_up[:, : len(root)] = (turn_up @ u[:, :rank] * root).to(up)
    new_down[: len(root)] = (turn_down @ v[:rank].T * root).T.to(down)
    return new_down, new_up


@torch.no_grad()
def cut(denoiser: nn.Module, rank: int) -> None:
    """Cut every layer's change down to its `rank` strongest directions; load the run again to have the rest back."""
    for _, module, adapter in adapted(denoiser):
        down, up = factors(module, adapter)
        for old, new in zip((down, up), thinner(down, up, rank), strict=True):
            old.copy_(new)


def placed(name: str) -> tuple[str, str]:
    """Return the block and the kind of a layer: ("transformer_blocks.0", "attn.to_q")."""
    match = re.match(r"(.*?\.\d+)\.(.+)", name)
    return (match[1], match[2]) if match else ("", name)


def grid(found: Sequence[Layer]) -> tuple[list[str], list[str], np.ndarray]:
    """Return kinds of layer, blocks, and the relative change of each, (kinds, blocks), NaN where there is no layer."""
    places = [placed(layer.name) for layer in found]
    blocks, kinds = (list(dict.fromkeys(place[i] for place in places)) for i in (0, 1))
    table = np.full((len(kinds), len(blocks)), np.nan)
    for (block, kind), layer in zip(places, found, strict=True):
        table[kinds.index(kind), blocks.index(block)] = layer.relative
    return kinds, blocks, table


def short(block: str) -> str:
    """Return a block's name as a column's label: "double 0", "single 3", or "no block"."""
    kind, _, number = block.rpartition(".")
    return f"{SHORT.get(kind, kind)} {number}" if block else "no block"


def model_map(found: Sequence[Layer]) -> Shown:
    """Return a JPEG: a square a layer, the darker the more it changed, relative to its frozen weight."""
    kinds, blocks, table = grid(found)
    figure = Figure(figsize=(7.2, 0.3 * len(kinds) + 1.3), dpi=110, facecolor=PAPER, layout="constrained")
    axes = figure.add_subplot(facecolor=PAPER)
    shown = axes.imshow(table, cmap="OrRd", aspect="auto", vmin=0)
    axes.set_xticks(range(len(blocks)), [short(block) for block in blocks], rotation=45, fontsize=8)
    axes.set_yticks(range(len(kinds)), kinds, fontsize=8)
    axes.spines[:].set_visible(False)
    figure.colorbar(shown, ax=axes, label="change / frozen weight", format=PercentFormatter(1.0))
    return jpeg_of(figure)


def spectrum(found: Sequence[Layer]) -> Shown:
    """Return a JPEG: each layer's singular values as shares of its largest, faint, and the median layer on top."""
    curves = pad_sequence([layer.values / layer.values[0].clamp_min(1e-12) for layer in found], True).numpy()
    places = np.arange(1, curves.shape[1] + 1)
    figure = Figure(figsize=(7.2, 3.4), dpi=110, facecolor=PAPER, layout="constrained")
    axes = figure.add_subplot(facecolor=PAPER)
    axes.plot(places, curves.T, color=LINE, linewidth=0.8)
    axes.plot(places, np.median(curves, 0), "o-", color=ACCENT, linewidth=2, markersize=4, label="the median layer")  # fmt: skip
    axes.plot([], [], color=LINE, label=f"each of {len(found)} layers")
    axes.axhline(1, color=MUTED, linewidth=1, linestyle="--", label="if all directions were used alike")
    axes.set(xlabel="direction, strongest first", ylabel="size, strongest = 1", ylim=(0, 1.08))
    axes.tick_params(colors=INK)
    axes.spines[["top", "right"]].set_visible(False)
    axes.legend(frameon=False, fontsize=9)
    return jpeg_of(figure)


def jpeg_of(figure: Figure) -> Shown:
    """Return a figure as one JPEG; no pyplot, as in show.loss."""
    return figure_image(figure)
