"""Pictures of scenes: ground, things with their lines, and the look over all, in batches on any device."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional as F

from pocket import brushes, grounds, looks, palettes
from pocket.corpus import SIDE
from pocket.drawings import Bank
from pocket.looks import Looks

SPRITES = 8  # of a scene: its things, and before them clutter, which so lies behind


@dataclass
class Scenes:
    """A batch of scenes in numbers. Sprites are painted in order; positions and sizes are shares of the
    inner picture.
    """

    drawing: Tensor  # (n, SPRITES), -1 where none
    x: Tensor
    y: Tensor
    size: Tensor
    stretch: Tensor
    turn: Tensor  # radians
    mirrored: Tensor
    ground: Tensor  # (n,) index into grounds.KINDS
    colours: Tensor  # (n, 4, 3)
    numbers: Tensor  # (n, 6)
    picks: Tensor  # (n,) noise tiles
    looks: Looks
    rows: Tensor  # (n, slots) phrase numbers
    things: Tensor  # (n, THINGS), -1 where none

    def __len__(self) -> int:
        return len(self.ground)


@torch.no_grad()
def paint(
    scenes: Scenes, bank: Bank, device: torch.device, finish: Callable[..., Tensor] = brushes.finished
) -> Tensor:
    """Return (n, 3, SIDE, SIDE) pictures, 0 to 1, on the bank's device."""
    n = len(scenes)
    look, picks = scenes.looks.to(device), scenes.picks.to(device)
    canvas = torch.empty(n, 3, SIDE, SIDE, device=device)
    colours, numbers = scenes.colours.to(device), scenes.numbers.to(device)
    for k, kind in enumerate(grounds.KINDS):
        rows = (scenes.ground == k).nonzero()[:, 0].to(device)
        if len(rows):
            canvas[rows] = grounds.PAINTERS[kind](colours[rows], numbers[rows], picks[rows]).clamp(0, 1)
    tinted = (scenes.ground >= len(grounds.COLOURED)) | torch.isin(
        scenes.looks.palette, torch.tensor([palettes.PALETTES.index(p) for p in looks.NAMEABLE])
    )
    tinted = (tinted | (scenes.looks.ground_ink == 0)).nonzero()[:, 0].to(device)
    canvas[tinted] = brushes.recoloured(canvas[tinted], look[tinted])
    matte = torch.zeros(n, 1, SIDE, SIDE, device=device)
    layers = torch.zeros(n, 3, SIDE, SIDE, device=device)
    for slot in range(SPRITES):
        _lay(scenes, slot, bank, look, picks, layers, matte)
    canvas = brushes.shadowed(canvas, matte, look)
    canvas = canvas * (1 - matte) + layers
    rare = any(bool((getattr(scenes.looks, name) > 0).any()) for name in looks.ONLY_HELD_OUT)
    return finish(canvas, matte, look, picks, rare)


def _lay(
    scenes: Scenes, slot: int, bank: Bank, look: Looks, picks: Tensor, layers: Tensor, matte: Tensor
) -> None:
    """Put the sprites of one slot over the layers, in place; both are premultiplied."""
    which = scenes.drawing[:, slot]
    inner = 1 - 2 * torch.stack([scenes.looks.margin_left, scenes.looks.margin_top], 1)
    side = scenes.size[:, slot] * inner.amin(1)
    small = (side < 0.5).long() + (side < 0.22).long()
    for level in range(3):
        indices = ((which >= 0) & (small == level)).nonzero()[:, 0]
        if not len(indices):
            continue
        rows = indices.to(layers.device)
        sprite = _placed(scenes, slot, indices, inner[indices], side[indices], bank.levels[level])
        own = look[rows]
        rgb, alpha = brushes.outlined(brushes.recoloured(sprite[:, :3], own), sprite[:, 3:], own, picks[rows])
        layers[rows] = layers[rows] * (1 - alpha) + rgb * alpha
        matte[rows] = matte[rows] * (1 - alpha) + alpha


def _placed(scenes: Scenes, slot: int, indices: Tensor, inner: Tensor, side: Tensor, level: Tensor) -> Tensor:
    """Return drawings where they stand, (m, 4, SIDE, SIDE), colours not premultiplied."""
    x, y = (0.5 + (v[indices, slot] - 0.5) * inner[:, k] for k, v in enumerate((scenes.x, scenes.y)))
    stretch, turn = scenes.stretch[indices, slot], scenes.turn[indices, slot]
    flip = 1 - 2 * scenes.mirrored[indices, slot].float()
    across, down = side * stretch, side / stretch
    cos, sin = turn.cos(), turn.sin()
    cx, cy = 2 * x - 1, 2 * y - 1
    top = torch.stack([flip * cos / across, flip * sin / across, -flip * (cos * cx + sin * cy) / across], 1)
    low = torch.stack([-sin / down, cos / down, (sin * cx - cos * cy) / down], 1)
    places = F.affine_grid(
        torch.stack([top, low], 1).to(level.device), [len(indices), 4, SIDE, SIDE], align_corners=False
    )
    drawn = level[scenes.drawing[indices, slot].to(level.device)].float() / 255
    drawn = torch.cat([drawn[:, :3] * drawn[:, 3:], drawn[:, 3:]], 1)
    out = F.grid_sample(drawn, places, mode="bilinear", padding_mode="zeros", align_corners=False)
    return torch.cat([out[:, :3] / out[:, 3:].clamp(min=1e-3), out[:, 3:]], 1)
