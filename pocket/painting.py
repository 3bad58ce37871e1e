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
    rows: Tensor  # (n, slots) phrase numbers of what the captions say
    everything: Tensor  # (n, slots) phrase numbers of all that could be said
    name: Tensor  # (n,) index of the named look, -1 where none
    things: Tensor  # (n, THINGS), -1 where none

    def __len__(self) -> int:
        return len(self.ground)


@torch.no_grad()
def paint(
    scenes: Scenes,
    bank: Bank,
    device: torch.device,
    dress: Callable[..., Tensor] = brushes.dressed,
    finish: Callable[..., Tensor] = brushes.finished,
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
    layers, matte = _things(scenes, bank, look, picks, dress)
    canvas = brushes.shadowed(canvas, matte, look)
    canvas = canvas * (1 - matte) + layers
    rare = any(bool((getattr(scenes.looks, name) > 0).any()) for name in looks.ONLY_HELD_OUT)
    return finish(canvas, matte, look, picks, rare)


def _things(
    scenes: Scenes, bank: Bank, look: Looks, picks: Tensor, dress: Callable[..., Tensor]
) -> tuple[Tensor, Tensor]:
    """Return the scenes' things, one over the other, (n, 3, SIDE, SIDE) premultiplied, and their shape."""
    n, device = len(scenes), picks.device
    layers = torch.zeros(n, 3, SIDE, SIDE, device=device)
    matte = torch.zeros(n, 1, SIDE, SIDE, device=device)
    scene, slot = (scenes.drawing >= 0).nonzero().unbind(1)
    if not len(scene):
        return layers, matte
    inner = 1 - 2 * torch.stack([scenes.looks.margin_left, scenes.looks.margin_top], 1)
    side = scenes.size * inner.amin(1, keepdim=True)
    small = ((side < 0.5).long() + (side < 0.22).long())[scene, slot]
    order = torch.argsort(small, stable=True)  # full drawings, halves, quarters
    scene, slot = scene[order], slot[order]
    sprites = torch.cat(
        [
            _placed(scenes, s, k, inner[s], side[s, k], level)
            for level, s, k in zip(
                bank.levels,
                *(v.split(small.bincount(minlength=3).tolist()) for v in (scene, slot)),
                strict=True,
            )
            if len(s)
        ]
    )
    few = max(1, n // 4)  # a compiled `dress` is given batches of one size
    padded = torch.cat([torch.arange(len(scene)), torch.zeros(-len(scene) % few, dtype=torch.long)]).to(
        device
    )
    scene_there = scene.to(device)
    parts = [
        dress(sprites[which], look[scene_there[which]], picks[scene_there[which]])
        for which in padded.split(few)
    ]
    rgb, alpha = (torch.cat(values) for values in zip(*parts, strict=True))
    for k in range(SPRITES):
        which = (slot == k).nonzero()[:, 0]
        if len(which):
            rows, which = scene[which].to(device), which.to(device)
            layers[rows] = layers[rows] * (1 - alpha[which]) + rgb[which] * alpha[which]
            matte[rows] = matte[rows] * (1 - alpha[which]) + alpha[which]
    return layers, matte


def _placed(
    scenes: Scenes, indices: Tensor, slot: Tensor, inner: Tensor, side: Tensor, level: Tensor
) -> Tensor:
    """Return drawings where they stand, (m, 4, SIDE, SIDE), colours premultiplied."""
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
    return F.grid_sample(drawn, places, mode="bilinear", padding_mode="zeros", align_corners=False)
