"""The report: one HTML file with everything in it, that opens from disk and can be sent to somebody."""

from __future__ import annotations

import base64
import io
from collections.abc import Sequence
from html import escape
from typing import TYPE_CHECKING

from PIL import Image

from lessons_lib.dataset.pictures import Picture
from lessons_lib.models import bases

if TYPE_CHECKING:  # compare imports this module
    from lessons_lib.evaluation.comparison import Comparison, Measure

STYLE = """
:root{--paper:#faf6ee;--ink:#2a2520;--muted:#82776a;--line:#dcd2c1;--accent:#9c2f22}
*{box-sizing:border-box}body{margin:0 auto;max-width:1180px;padding:40px 28px 80px;background:var(--paper);color:var(--ink);
font:17px/1.55 Georgia,'DejaVu Serif',serif}h1{font-size:44px;line-height:1.1;margin:0 0 6px}h2{font-size:25px;margin:56px 0 12px}
p,.small{max-width:44em}.muted,.small{color:var(--muted)}.small{font-size:14.5px}img{display:block;width:100%;border:1px solid var(--line)}
[hidden]{display:none!important}
ul.lead{padding:0;margin:24px 0;list-style:none}ul.lead li{padding:7px 0;border-top:1px solid var(--line)}
.pair{display:grid;grid-template-columns:70px repeat(var(--n),minmax(0,190px));gap:8px;align-items:center;margin:6px 0}
.after{color:var(--accent);font-weight:bold}.thumbs{display:flex;flex-wrap:wrap;gap:10px}.thumbs figure{margin:0;width:132px}
figcaption{font-size:13px;line-height:1.35;color:var(--muted);margin-top:4px}table{border-collapse:collapse;width:100%;font-size:15px}
th,td{text-align:left;padding:7px 12px 7px 0;border-top:1px solid var(--line);vertical-align:top}
.track{position:relative;height:8px;margin:9px 8px;min-width:190px;background:var(--line);border-radius:4px}
.track i{position:absolute;top:-4px;width:16px;height:16px;margin-left:-8px;border-radius:50%;border:2px solid var(--paper)}
.was{background:var(--muted)}.is{background:var(--accent)}.span{position:absolute;height:8px;background:#d9a79f;border-radius:4px}
.turn{max-width:420px}.turn input{width:100%;accent-color:var(--accent)}.two{display:flex;gap:26px;flex-wrap:wrap}
.two>div{display:grid;grid-template-columns:120px 120px;gap:6px}.two figcaption{grid-column:1/3}
"""
SCRIPT = """
const frames=[...document.querySelectorAll('.turn img')],dial=document.getElementById('dial'),say=document.getElementById('say');
function turn(){frames.forEach((f,i)=>f.hidden=i!=dial.value);say.textContent=frames[dial.value].alt}
dial.addEventListener('input',turn);turn();
"""


def uri(image: Image.Image, side: int = 0) -> str:
    """Return a picture as a JPEG data URI, its long side shrunk to `side` px where that is given."""
    copy = image.convert("RGB")
    if side:
        copy.thumbnail((side, side), Image.Resampling.LANCZOS)
    out = io.BytesIO()
    copy.save(out, "JPEG", quality=90, subsampling=0)
    return "data:image/jpeg;base64," + base64.b64encode(out.getvalue()).decode()


def img(image: Image.Image, alt: str, side: int = 0, more: str = "") -> str:
    return f'<img src="{uri(image, side)}" alt="{escape(alt)}" {more}>'


def render(c: Comparison, sheet: Image.Image, lines: Sequence[str]) -> str:
    """Return the whole report as one HTML text that loads nothing from anywhere."""
    lead = "".join(
        f"<li><b>{escape(head)}</b>: {escape(rest)}</li>"
        for head, _, rest in (li.partition(": ") for li in lines)
    )
    parts = [
        f"<h1>{escape(c.title())}</h1><p class=muted>{escape(c.subtitle())}</p><ul class=lead>{lead}</ul>",
        img(sheet, "before and after"),
        "<h2>Turn it up</h2>" + dial(c),
        "<h2>Measures</h2>" + measures(list(c.measures.values())),
        "<h2>Every picture</h2>" + rows(c),
        "<h2>Was anything copied?</h2>" + closest(c),
        "<h2>Taught with</h2>" + thumbs(c.dataset.train) + rights(c.dataset.train),
    ]
    if c.dataset.held_out:
        parts.append(
            "<h2>Held out, for judging only</h2>" + thumbs(c.dataset.held_out) + rights(c.dataset.held_out)
        )
    title = f"{escape(c.title())}: before and after"
    head = f'<meta charset="utf-8"><meta name="viewport" content="width=device-width"><title>{title}</title>'
    body = "\n".join(parts)
    return f'<!doctype html><html lang="en"><head>{head}<style>{STYLE}</style></head><body>{body}<script>{SCRIPT}</script></body></html>\n'


def dial(c: Comparison) -> str:
    """Return the strength slider: the frames are in the page, so it answers at once and offline."""
    own = bases.find(c.run.settings.base).strength
    at = c.strengths.index(own) if own in c.strengths else len(c.strengths) - 1
    frames = "".join(
        img(
            f.resize((420, 420), Image.Resampling.LANCZOS),
            f"strength {s:g}",
            more="" if i == at else "hidden",
        )
        for i, (f, s) in enumerate(zip(c.frames, c.strengths, strict=True))
    )
    return (
        f"<p>{escape(c.prompts[0])}, seed {c.seeds[0]}. <span class=muted id=say></span></p><div class=turn>{frames}"
        f'<input id=dial type=range min=0 max={len(c.frames) - 1} value={at} aria-label="strength"></div>'
    )


def measures(found: Sequence[Measure]) -> str:
    """Return the table of measures, each drawn between its floor and its ceiling."""
    body = "".join(
        f"<tr><td>{escape(m.name)}</td><td>{m.base:.2f}</td><td class=after>{m.tuned:.2f}</td><td>{m.low:.2f} to {m.high:.2f}</td>"
        f"<td>{track(m)}</td><td>{m.floor:.2f}, {escape(m.floor_is)}</td><td>{m.ceiling:.2f}, {escape(m.ceiling_is)}</td></tr>"
        for m in found
    )
    return (
        "<table><tr><th>measure<th>before<th>after<th>95 %<th>from floor to ceiling<th>floor<th>ceiling</tr>"
        f"{body}</table><p class=small>Grey: before. Red: after, with its 95 % interval. Features of EfficientNet-lite0 rank "
        "pictures; they are no absolute scale, and people have the last word.</p>"
    )


def track(m: Measure) -> str:
    """Return a line from floor to ceiling with a dot before and a dot after; what lies beyond an end sits on it."""
    width = m.ceiling - m.floor or 1.0
    at = {
        k: 100 * min(1.0, max(0.0, (getattr(m, k) - m.floor) / width))
        for k in ("base", "tuned", "low", "high")
    }
    span = f'<span class=span style="left:{at["low"]:.1f}%;width:{at["high"] - at["low"]:.1f}%"></span>'
    dots = f'<i class=was style="left:{at["base"]:.1f}%"></i><i class=is style="left:{at["tuned"]:.1f}%"></i>'
    return f"<div class=track>{span}{dots}</div>"


def rows(c: Comparison) -> str:
    """Return every prompt with its pictures before and after, one column a seed."""
    out = [f"<p class=muted>Columns are the seeds {', '.join(map(str, c.seeds))}.</p>"]
    for prompt, before, after in zip(c.prompts, c.base_images, c.tuned_images, strict=True):
        out.append(f"<p>{escape(prompt)}</p>")
        for name, row in (("before", before), ("after", after)):
            cells = "".join(img(i, f"{prompt}, {name}, seed {s}") for i, s in zip(row, c.seeds, strict=True))
            out.append(
                f'<div class=pair style="--n:{len(c.seeds)}"><span class={name}>{name}</span>{cells}</div>'
            )
    return "".join(out)


def closest(c: Comparison, most: int = 4) -> str:
    """Return the tuned pictures that repeat the layout of a training picture most, each beside that one."""
    made = [i for row in c.tuned_images for i in row]
    order = sorted(range(len(made)), key=lambda i: -c.nearest[i][1])[:most]
    pairs = []
    for i in order:
        which, likeness = c.nearest[i]
        taught = c.dataset.train[which]
        name = taught.rights.get("title") or taught.path.name
        pairs.append(
            f"<div>{img(made[i], 'drawn')}{img(taught.image, name, 240)}<figcaption>{likeness:.2f}, {escape(name)}</figcaption></div>"
        )
    text = "The drawn pictures (left) whose layout is most like that of a training picture (right). A copy would be at 1.00."
    return f"<p>{text}</p><div class=two>{''.join(pairs)}</div>"


def thumbs(pictures: Sequence[Picture]) -> str:
    cells = (
        f"<figure>{img(p.image, p.caption or p.path.name, 264)}<figcaption>{escape(p.caption or 'no caption')}</figcaption></figure>"
        for p in pictures
    )
    return f"<div class=thumbs>{''.join(cells)}</div>"


def rights(pictures: Sequence[Picture]) -> str:
    """Return whose pictures these are, a row each; what is not known is said to be unknown."""
    body = "".join(
        f"<tr><td>{escape(p.path.name)}</td>"
        + "".join(
            f"<td>{escape(p.rights.get(k) or 'unknown')}</td>"
            for k in ("title", "maker", "date", "licence", "source")
        )
        + "</tr>"
        for p in pictures
    )
    return f"<details><summary class=muted>Rights, picture by picture</summary><table><tr><th>file<th>title<th>maker<th>date<th>licence<th>source</tr>{body}</table></details>"
