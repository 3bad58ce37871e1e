"""The report before training as one HTML file with thumbnails, that opens from disk and loads nothing from anywhere."""

from __future__ import annotations

import base64
from html import escape

from lessons_lib.dataset.decode import shown
from lessons_lib.evaluation.html import STYLE
from lessons_lib.inspection.report import Report
from lessons_lib.inspection.rules import ADVICE, LEVELS, Finding, InspectedPicture, Level

MOST_FINE = 300  # thumbnails of pictures without a finding: five thousand would make a page of 40 MB
MARKS: dict[Level, str] = {"must fix": "must", "worth a look": "look", "fine": "fine"}
MORE_STYLE = """
.must{--mark:#9c2f22}.look{--mark:#b07d1c}.fine{--mark:#5d7a4f}h2 b,li b{color:var(--mark)}
.all{display:grid;grid-template-columns:repeat(auto-fill,minmax(190px,1fr));gap:18px 14px}.all figure{margin:0;overflow-wrap:anywhere}
.frame{position:relative;width:max-content}.frame img{width:auto;max-width:160px;max-height:160px;border:2px solid var(--mark)}
.frame i{position:absolute;border:1px dashed #fff;outline:1px dashed #2a2520;pointer-events:none}
.all ul{margin:2px 0 0;padding-left:16px}.all b{color:var(--ink);font-weight:normal}
"""


def render(report: Report) -> str:
    """Return the whole report as one HTML text, gravest first; dashes show what the middle square keeps."""
    title = f"Pictures for {report.base.name}: {report.count('must fix')} to fix, {report.count('worth a look')} worth a look"
    parts = [f"<h1>{escape(title)}</h1>", overall(report)]
    for level in LEVELS:
        ones = [one for one in report.seen if one.level == level]
        if ones:
            parts.append(section(level, ones))
    head = f'<meta charset="utf-8"><meta name="viewport" content="width=device-width"><title>{escape(title)}</title>'
    body = "\n".join(parts)
    return f'<!doctype html><html lang="en"><head>{head}<style>{STYLE}{MORE_STYLE}</style></head><body>{body}</body></html>\n'


def overall(report: Report) -> str:
    """Return what is said of the set, gravest first."""
    rows = sorted(report.overall, key=lambda f: LEVELS.index(f.level))
    lines = (f"<li class={MARKS[f.level]}><b>{f.level}</b>: {escape(f.what)}</li>" for f in rows)
    return f"<ul class=lead>{''.join(lines)}</ul>"


def section(level: Level, ones: list[InspectedPicture]) -> str:
    """Return the pictures of one level with their findings, and what to do about each kind."""
    kinds = dict.fromkeys(
        f.what for one in ones for f in one.findings if f.level == level and f.what in ADVICE
    )
    advice = "".join(f"<li>{escape(kind)}: {escape(ADVICE[kind])}</li>" for kind in kinds)
    most = MOST_FINE if level == "fine" else len(ones)
    rest = f"<p class=muted>and {len(ones) - most} more</p>" if len(ones) > most else ""
    cells = "".join(figure(one) for one in ones[:most])
    head = f"<h2><b>{level}</b>: {len(ones)} of the pictures</h2>"
    return f"<div class={MARKS[level]}>{head}<ul class=small>{advice}</ul><div class=all>{cells}</div>{rest}</div>"


def figure(one: InspectedPicture) -> str:
    """Return a picture's thumbnail with its middle square, its name, size and findings."""
    width, height = one.look.size
    across, down = 100 * min(1, height / width), 100 * min(1, width / height)
    square = f'<i style="left:{(100 - across) / 2:.1f}%;top:{(100 - down) / 2:.1f}%;width:{across:.1f}%;height:{down:.1f}%"></i>'
    source = f"data:image/jpeg;base64,{base64.b64encode(one.look.thumb).decode()}"
    name = escape(one.name)
    said = "".join(f"<li>{escape(sentence(f))}</li>" for f in one.findings)
    caption = (
        f"<figcaption><b>{name}</b><br>{width} x {height} px{escape(rights(one))}<ul>{said}</ul></figcaption>"
    )
    return f'<figure><div class=frame><img src="{source}" alt="{name}" loading=lazy>{"" if width == height else square}</div>{caption}</figure>'


def sentence(finding: Finding) -> str:
    """Return a finding on one picture in words."""
    return finding.what + (f": {finding.detail}" if finding.detail else "")


def rights(one: InspectedPicture) -> str:
    """Return the licence that the table names."""
    licence = one.entry.row.get("licence")
    return f", {shown(licence)}" if licence else ""
