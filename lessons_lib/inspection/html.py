"""The report before training as one HTML file with thumbnails, that opens from disk and loads nothing from
anywhere.
"""

from __future__ import annotations

from collections.abc import Sequence

from lessons_lib.dataset import crops
from lessons_lib.dataset.messages import printable
from lessons_lib.display.html import render_template
from lessons_lib.inspection.findings import (
    ADVICE,
    CSS_CLASSES,
    LEVELS,
    InspectedPicture,
    Level,
    gravest_first,
)
from lessons_lib.inspection.report import Report

MOST_FINE = 300  # thumbnails of pictures without a finding: five thousand would make a page of 40 MB


def render(report: Report) -> str:
    """Return the whole report as one HTML text, gravest first.

    Dashes show the centre square of each picture.
    """
    counts = f"{report.count('must fix')} to fix, {report.count('worth a look')} worth a look"
    by_level = {level: [one for one in report.pictures if one.level == level] for level in LEVELS}
    return render_template(
        "inspection.html.j2",
        title=f"Pictures for {report.base.name}: {counts}",
        overall=gravest_first(report.findings),
        sections=[_section(level, pictures) for level, pictures in by_level.items() if pictures],
        classes=CSS_CLASSES,
    )


def _section(level: Level, pictures: Sequence[InspectedPicture]) -> dict[str, object]:
    """Return the pictures of one level with what to do about each kind of finding.

    Of fine ones at most MOST_FINE.
    """
    findings = [f for picture in pictures for f in picture.findings]
    advice = {f.what: ADVICE[f.what] for f in findings if f.level == level and f.what in ADVICE}
    most = MOST_FINE if level == "fine" else len(pictures)
    return {
        "level": level,
        "count": len(pictures),
        "advice": advice,
        "pictures": [_figure(picture) for picture in pictures[:most]],
        "hidden": max(0, len(pictures) - most),
    }


def _figure(picture: InspectedPicture) -> dict[str, object]:
    """Return what the page says of one picture."""
    licence, size = picture.picture.rights.get("licence"), picture.stats.size
    return {
        "name": picture.name,
        "size": size,
        "thumbnail": picture.stats.thumbnail,
        "square": crops.in_per_cent(crops.square_box(size, 0.5), size),
        "licence": printable(licence) if licence else "",
        "findings": [str(finding) for finding in picture.findings],
    }
