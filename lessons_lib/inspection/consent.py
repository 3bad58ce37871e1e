"""Consent of the people in the pictures: three columns of metadata.csv, and what they lack.

`consent_by`: who agreed, the person shown or a parent. `consent_to`: to what, in their words, such as
"training a LoRA and showing its pictures in our club". `consent_date`: when, as 2026-11-26. Whether people
must be asked, and what else they must be told, the law of a place says and not this check.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date

from lessons_lib.dataset.messages import count_of, name_list
from lessons_lib.dataset.pictures import Picture
from lessons_lib.inspection.findings import Finding

COLUMNS = {"consent_by": "who agreed", "consent_to": "to what", "consent_date": "when"}
_TO_TRAIN = ("train", "lora", "model", "adapter", "learn")


def check(pictures: Sequence[Picture], today: date | None = None) -> list[Finding]:
    """Return what is missing of the consent of the people shown, a finding each, or that nothing is."""
    today = today or date.today()
    findings = []
    for column, meaning in COLUMNS.items():
        names = [p.path.name for p in pictures if not p.more.get(column, "").strip()]
        if names:
            text = f"{count_of(names, 'picture')} without {column}, {meaning}: {name_list(names)}"
            findings.append(Finding("worth a look", f"{text}. Ask, write it into metadata.csv, or leave out"))
    faults = {
        "with a consent_date that is no day such as 2026-11-26": [p for p in pictures if _day(p) is None],
        "with a consent_date that is still to come": [p for p in pictures if (_day(p) or today) > today],
        "whose consent_to does not speak of training; consent to a photograph is none to a model": [
            p for p in pictures if p.more.get("consent_to") and not _speaks_of_training(p)
        ],
    }
    for what, those in faults.items():
        if those:
            names = [p.path.name for p in those]
            text = f"{count_of(names, 'picture')} {what}: {name_list(names)}"
            findings.append(Finding("worth a look", text))
    return findings or [Finding("fine", "everybody who is shown agreed, and it is written down")]


def _day(picture: Picture) -> date | None:
    """Return the day of a picture's consent, the first of all days where none is written, None where it is
    unreadable.
    """
    text = picture.more.get("consent_date", "").strip()
    try:
        return date.fromisoformat(text) if text else date.min
    except ValueError:
        return None


def _speaks_of_training(picture: Picture) -> bool:
    text = picture.more["consent_to"].lower()
    return any(word in text for word in _TO_TRAIN)
