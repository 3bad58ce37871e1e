"""Consent of the people in the pictures: three columns of metadata.csv, and what they lack.

`consent_by`: who agreed, the person shown or a parent. `consent_to`: to what, in their words, such as
"training a LoRA and showing its pictures in our club". `consent_date`: when, as 2026-11-26. The check reads
whether the columns are filled in; whether somebody agreed, only a reader of `consent_to` can say.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from datetime import date

from lessons_lib.dataset.messages import count_of, name_list
from lessons_lib.dataset.pictures import Picture
from lessons_lib.inspection.findings import Finding

COLUMNS = {"consent_by": "who agreed", "consent_to": "to what", "consent_date": "when"}
_TRAINING = re.compile(r"\b(train(s|ed|ing)?|loras?|models?|adapters?|learn(s|ed|ing)?)\b", re.IGNORECASE)
_REFUSAL = re.compile(r"\b(no|not|nothing|never|without|refuse[sd]?|cannot)\b|n['’]t\b", re.IGNORECASE)


def check(pictures: Sequence[Picture], today: date | None = None) -> list[Finding]:
    """Return what is missing of the consent of the people shown, a finding each; where the columns are full,
    what is written in `consent_to`. None without pictures.
    """
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
            p for p in pictures if _consent(p) and not _TRAINING.search(_consent(p))
        ],
        "whose consent_to reads like a refusal or a condition; read it": [
            p for p in pictures if _REFUSAL.search(_consent(p))
        ],
    }
    for what, those in faults.items():
        if those:
            names = [p.path.name for p in those]
            text = f"{count_of(names, 'picture')} {what}: {name_list(names)}"
            findings.append(Finding("worth a look", text))
    return findings or ([Finding("fine", _texts_line(pictures))] if pictures else [])


def _texts_line(pictures: Sequence[Picture]) -> str:
    """Return what is written in `consent_to`, and in how many pictures."""
    texts = Counter(map(_consent, pictures))
    quoted = (f"{text!r} ({count})" for text, count in texts.most_common())
    return f"every picture has {', '.join(COLUMNS)}; read consent_to yourself: {name_list(quoted, 8)}"


def _consent(picture: Picture) -> str:
    return picture.more.get("consent_to", "").strip()


def _day(picture: Picture) -> date | None:
    """Return the day of a picture's consent, the first of all days where none is written, None where it is
    unreadable.
    """
    text = picture.more.get("consent_date", "").strip()
    try:
        return date.fromisoformat(text) if text else date.min
    except ValueError:
        return None
