"""What a look does to pixels, as tensor operations: the same code on a CPU and on a GPU.

Pictures are (n, 3, SIDE, SIDE), 0 to 1; masks and noise are (n, 1, SIDE, SIDE). Numbers of a look
come as (n,) tensors.
"""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional as F

from pocket.corpus import SIDE
from pocket.looks import Looks
from pocket.palettes import GREY

TILES = 128  # of each kind of noise
NOISES = ("fine", "mid", "coarse", "streak")


def column(values: Tensor) -> Tensor:
    """Return (n,) or (n, 3) numbers as (n, 1 or 3, 1, 1)."""
    return values.view(len(values), -1, 1, 1).float()


# Kept in a dictionary, which torch.compile can look into; functools.cache it would trace through.
_TILES: dict[tuple[str, str], Tensor] = {}
_GRIDS: dict[str, tuple[Tensor, Tensor]] = {}


def _made_tiles(kind: str) -> Tensor:
    """Return (TILES, 1, SIDE, SIDE) noise of mean 0 and spread 1: "fine", "mid", "coarse" or "streak"."""
    generator = torch.Generator().manual_seed(NOISES.index(kind))
    cells = {"fine": SIDE, "mid": 20, "coarse": 7, "streak": SIDE}[kind]
    noise = torch.randn(TILES, 1, cells, cells, generator=generator)
    if kind in ("mid", "coarse"):
        noise = F.interpolate(noise, (SIDE, SIDE), mode="bicubic", align_corners=False)
    if kind == "streak":
        noise = F.avg_pool2d(F.pad(noise, (8, 8, 1, 1), mode="circular"), (3, 17), 1)
        noise = torch.where((torch.arange(TILES) % 2 == 0)[:, None, None, None], noise, noise.mT)
    return (noise - noise.mean()) / noise.std()


def prepare(device: torch.device | str) -> None:
    """Make noise and coordinates for a device, once."""
    device = torch.device(device)
    at = ((torch.arange(SIDE) + 0.5) / SIDE).to(device)
    x, y = at.view(1, 1, 1, -1).expand(1, 1, SIDE, SIDE), at.view(1, 1, -1, 1).expand(1, 1, SIDE, SIDE)
    if device.type not in _GRIDS:
        _GRIDS[device.type] = x, y
        for kind in NOISES:
            _TILES[kind, device.type] = _made_tiles(kind).to(device)


def noise(kind: str, picks: Tensor, shift: int = 0) -> Tensor:
    """Return the tiles with these numbers; another `shift` gives other tiles for the same numbers."""
    return _TILES[kind, picks.device.type][(picks + shift) % TILES]


def grid(device: torch.device) -> tuple[Tensor, Tensor]:
    """Return x and y of pixel centres, 0 to 1, (1, 1, SIDE, SIDE) each."""
    return _GRIDS[device.type]


def lightness(picture: Tensor) -> Tensor:
    return (picture * GREY.to(picture)[:, None, None]).sum(1, keepdim=True)


def soft(x: Tensor, size: int = 3) -> Tensor:
    """Return a box blur of an odd size, edges repeated."""
    return F.avg_pool2d(F.pad(x, (size // 2,) * 4, mode="replicate"), size, 1)


def step(x: Tensor, width: float | Tensor = 0.05) -> Tensor:
    """Return 0 below 0, 1 above, with a soft edge."""
    return (x / width + 0.5).clamp(0, 1)


def recoloured(picture: Tensor, looks: Looks) -> Tensor:
    """Return the picture in a look's palette."""
    bent = picture.clamp(1e-4, 1) ** column(looks.gamma)
    out = (torch.einsum("ncij,ndc->ndij", bent, looks.matrix) + column(looks.bias)).clamp(0, 1)
    far = (out[:, None] - looks.inks[..., None, None]).square().sum(2)  # (n, INKS, SIDE, SIDE)
    near = torch.einsum("nkij,nkc->ncij", torch.softmax(-far / 0.01, 1), looks.inks)
    return out + column(looks.snap) * (near - out)


def outlined(rgb: Tensor, alpha: Tensor, looks: Looks, picks: Tensor) -> tuple[Tensor, Tensor]:
    """Return a thing's colours and shape with its line drawn around and between them.

    `looks.line_width` is a whole number of px; the line takes room outside the shape.
    """
    narrow = F.max_pool2d(alpha, 3, 1, 1)
    wide = F.max_pool2d(narrow, 3, 1, 1)
    widest = F.max_pool2d(wide, 3, 1, 1)
    width = column(looks.line_width)
    around = torch.where(
        width > 2.5, widest, torch.where(width > 1.5, wide, torch.where(width > 0.5, narrow, alpha))
    )
    light = lightness(rgb) * alpha + 0.5 * (1 - alpha)
    steps = F.max_pool2d(light, 3, 1, 1) + F.max_pool2d(-light, 3, 1, 1)
    between = step(steps - 0.2, 0.15) * column(looks.line_inner) * (width > 0.5) * alpha
    gaps = step(noise("mid", picks) + 0.9 - 1.2 * column(looks.broken), 0.4)
    ring = (around - alpha).clamp(0, 1) * torch.where(column(looks.broken) > 0, gaps, 1.0)
    ink = column(looks.line_colour)
    filled = column(looks.silhouette)
    inside = rgb + (ink - rgb) * torch.maximum(between, filled)
    shown = alpha * (1 - column(looks.hollow) * (1 - between))
    shape = shown + ring * (1 - alpha)
    return (inside * shown + ink * (shape - shown)) / shape.clamp(min=1e-3), shape


def dressed(sprite: Tensor, looks: Looks, picks: Tensor) -> tuple[Tensor, Tensor]:
    """Return the colours and shape of placed drawings (n, 4, SIDE, SIDE), premultiplied, in their looks."""
    alpha = sprite[:, 3:]
    return outlined(recoloured(sprite[:, :3] / alpha.clamp(min=1e-3), looks), alpha, looks, picks)


def relief(picture: Tensor, matte: Tensor, looks: Looks) -> Tensor:
    """Return the picture with its things lit from one side, as if they were round."""
    height = soft(soft(matte, 9), 7)
    dx = F.pad(height[..., 2:] - height[..., :-2], (1, 1))
    dy = F.pad(height[..., 2:, :] - height[..., :-2, :], (0, 0, 1, 1))
    slope = dx * column(looks.light_angle.cos()) + dy * column(looks.light_angle.sin())
    return picture * (1 + column(looks.light) * matte * (slope * 7).clamp(-1, 1))


def shadowed(ground: Tensor, matte: Tensor, looks: Looks, reach: int = 4) -> Tensor:
    """Return the ground with the things' shadow on it."""
    fallen = soft(F.pad(matte, (reach, -reach, reach, -reach)), 5)
    return ground * (1 - column(looks.shadow) * fallen)


def textured(picture: Tensor, looks: Looks, picks: Tensor) -> Tensor:
    """Return the picture on its paper: blur, blotches, edges, hatching, dots, strokes, weave, fading and
    grain.
    """
    x, y = grid(picture.device)
    out = picture + column(looks.blur) * (soft(picture, 5) - picture)
    fine = noise("fine", picks)
    out = 1 - (1 - out) * (1 + column(looks.blotch) * noise("coarse", picks))
    out = out * (1 - column(looks.edge) * (soft(out, 5) - out).abs().mean(1, keepdim=True) * 2.5)
    light = lightness(out)
    across = SIDE * (x * column(looks.hatch_angle.cos()) + y * column(looks.hatch_angle.sin()))
    lines = step(torch.sin(across * column(looks.hatch_freq)) - (2.6 * light - 0.9), 0.5) * column(
        looks.hatch
    )
    dots = step(fine - (3 * light - 0.4), 0.3) * column(looks.stipple)
    out = out * (1 - 0.75 * torch.maximum(lines, dots))
    out = out + column(looks.streak) * noise("streak", picks)
    thread = torch.sin(x * SIDE * torch.pi / 2) * torch.sign(torch.sin(y * SIDE * torch.pi / 4 + 0.4))
    out = out * (1 + column(looks.weave) * thread)
    out = out + column(looks.fade) * (column(looks.paper) - out)
    return (out * (1 + column(looks.grain) * fine)).clamp(0, 1)


def warped(picture: Tensor, looks: Looks, picks: Tensor) -> Tensor:
    """Return the picture sampled elsewhere: shaky, in cells as of a mosaic, in squares, or in dabs of a
    brush.
    """
    x, y = grid(picture.device)
    size = column(looks.warp_size) / SIDE
    kind = column(looks.warp)
    shaken = [grid_axis + size * 0.4 * noise("mid", picks, shift) for shift, grid_axis in ((1, x), (2, y))]
    square = [(torch.floor(axis / size) + 0.5) * size for axis in (x, y)]
    near, cell_x, cell_y = _cells(x, y, size, picks)
    dab = 2.2 / SIDE
    dabbed = [
        cell + dab * noise("fine", picks, s) * 0.35 + 0.35 * (a - cell)
        for cell, a, s in ((cell_x, x, 3), (cell_y, y, 4))
    ]
    to = [
        torch.where(
            kind == 1, s, torch.where(kind == 2, c, torch.where(kind == 3, q, torch.where(kind == 4, d, a)))
        )
        for s, c, q, d, a in zip(shaken, (cell_x, cell_y), square, dabbed, (x, y), strict=True)
    ]
    places = torch.cat(to, 1).permute(0, 2, 3, 1) * 2 - 1
    smooth = F.grid_sample(picture, places, mode="bilinear", padding_mode="reflection", align_corners=False)
    seam = (1 - step(near - 0.14, 0.12)) * (kind == 2)
    toward = torch.where(column(looks.grout) > 0, torch.ones_like(size), torch.zeros_like(size))
    lead = torch.where(column(looks.leading) > 0, step(0.13 - near, 0.1), seam * column(looks.grout).abs())
    return torch.where(kind > 0, smooth + (toward - smooth) * lead, picture)


def _cells(x: Tensor, y: Tensor, size: Tensor, picks: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Return how far a pixel is from the next cell's border, 0 on it, and its cell's middle (Worley noise
    on a jittered grid).
    """
    column_at, row_at = torch.floor(x / size), torch.floor(y / size)
    best = second = torch.full_like(x * size, 9.0)
    middle_x, middle_y = torch.zeros_like(best), torch.zeros_like(best)
    for dy in (-1, 0, 1):
        for dx in (-1, 0, 1):
            i, j = column_at + dx, row_at + dy
            turn = torch.sin(i * 12.9898 + j * 78.233 + picks.view(-1, 1, 1, 1)) * 43.758
            px, py = (i + 0.15 + 0.7 * (turn % 1)) * size, (j + 0.15 + 0.7 * (turn * 7.13 % 1)) * size
            far = ((x - px).square() + (y - py).square()).sqrt() / size
            nearer = far < best
            second = torch.where(nearer, best, torch.minimum(second, far))
            middle_x, middle_y = torch.where(nearer, px, middle_x), torch.where(nearer, py, middle_y)
            best = torch.minimum(best, far)
    return second - best, middle_x.clamp(0, 1), middle_y.clamp(0, 1)


def bordered(picture: Tensor, looks: Looks, picks: Tensor) -> Tensor:
    """Return the picture with its border laid over its margins."""
    x, y = grid(picture.device)
    left, top = column(looks.margin_left), column(looks.margin_top)
    inside = torch.minimum(
        torch.minimum(x, 1 - x) - left, torch.minimum(y, 1 - y) - top
    )  # 0 at the inner edge, negative on the border
    band, pattern, line = (column(c) for c in looks.border_colours.unbind(1))
    p = torch.pi * column(looks.border_freq[:, 0]), torch.pi * column(looks.border_freq[:, 1])
    fields = (
        torch.sin(p[0] * x) * torch.sin(p[1] * y),
        torch.sin(p[0] * (x + y)) * torch.sin(p[0] * (x - y)),
        torch.sin(p[0] * x + 1.5 * torch.sin(p[1] * y)),
        torch.sin(p[0] * x).abs() + torch.sin(p[1] * y).abs() - 1,
    )
    kind = column(looks.border_kind)
    field = sum(f * (kind == k) for k, f in enumerate(fields))
    dressed = band + (pattern - band) * step(field - column(looks.border_cut), 0.25) * (
        column(looks.border) == 3
    )
    plain_paper = column(looks.border) == 1
    out = torch.where(plain_paper, column(looks.paper).clamp(0, 1), dressed)
    width = column(looks.border_line) / SIDE
    rule = step(width - (inside + width).abs(), 1 / SIDE)
    second = step(0.7 / SIDE - (inside + 3.2 * width).abs(), 1 / SIDE) * plain_paper
    out = out + (line - out) * torch.maximum(rule, second)
    has = (column(looks.border) > 0) * (inside < 0)
    return torch.where(has, out, picture)


def rare_means(picture: Tensor, matte: Tensor, looks: Looks, picks: Tensor) -> Tensor:
    """Return the picture with the means that only held-out looks have (held_out.py)."""
    x, y = (axis * SIDE for axis in grid(picture.device))
    light = lightness(picture)
    turned = torch.sin((x + y) * 0.85) * torch.sin((x - y) * 0.85)
    paper, ink = column(looks.inks[:, 1]), column(looks.line_colour)
    printed = paper + (picture - paper) * step(turned * 0.5 + 0.62 - light, 0.3)
    out = picture + column(looks.screen) * (printed - picture)
    carved = step(torch.sin(y * 1.5 + 1.6 * noise("coarse", picks)) * 0.4 + 1.02 - 1.55 * light, 0.2)
    paper = column(looks.paper)
    out = out + column(looks.engrave) * (ink + (paper - ink) * (1 - carved) - out)
    cell = 4.0
    u, v = (x % cell) / cell - 0.5, (y % cell) / cell - 0.5
    cross = step(0.3 - torch.minimum((u - v).abs(), (u + v).abs()), 0.15) * step(
        0.48 - torch.maximum(u.abs(), v.abs()), 0.05
    )
    square = F.interpolate(F.avg_pool2d(out, 4), scale_factor=4.0, mode="nearest")
    sewn = (
        paper * (0.94 + 0.06 * torch.sin(x * 2.1) * torch.sin(y * 2.1)) * (1 - cross)
        + square * (0.85 + 0.35 * (u + v)) * cross
    )
    out = out + column(looks.stitch) * (sewn - out)
    halo = soft(soft(matte, 9), 9) * (1 - matte) + 0.6 * soft((soft(matte, 5) - matte).abs(), 7)
    out = out + column(looks.glow) * halo * ink * 0.9
    cracks = step(0.07 - noise("mid", picks, 9).abs(), 0.08) * 0.8
    wax = step(torch.sin(x * 0.78) * torch.sin(y * 0.78) - 0.7, 0.2) * (1 - soft(matte, 5))
    waxed = out + wax * (column(looks.inks[:, 1]) - out)
    out = out + column(looks.crackle) * (waxed + cracks * (column(looks.inks[:, 0]) - waxed) - out)
    rubbed = 0.8 * noise("streak", picks, 3) + 0.7 * noise("fine", picks)
    powder = step(rubbed + 0.5 + 1.2 * (light - 0.5), 0.7) * (0.15 + 0.85 * matte)
    return (out + column(looks.chalk) * (paper + (out - paper) * powder - out)).clamp(0, 1)


def finished(canvas: Tensor, matte: Tensor, looks: Looks, picks: Tensor, rare: bool) -> Tensor:
    """Return a composed picture lit, warped, on its paper and in its border."""
    out = relief(canvas, matte, looks)
    out = warped(out, looks, picks)
    out = rare_means(out, matte, looks, picks) if rare else out
    return bordered(textured(out, looks, picks), looks, picks)
