"""What is said of a base model before it is chosen: its licence, its gate,
and whether this machine can train it.
"""

from __future__ import annotations

from lessons_lib.adapters.settings import Settings
from lessons_lib.models.bases import BASES, Base
from lessons_lib.session import Session
from lessons_lib.training import capacity
from lessons_lib.training.capacity import Fit

_ANY_WORD = "v4se"  # what a training needs in memory does not depend on its trigger word


def choices(session: Session) -> list[Base]:
    """Return the bases that can be trained, those that fit this machine first."""
    return sorted((b for b in BASES.values() if b.trainable), key=lambda b: bool(misfit(b, session)))


def misfit(base: Base, session: Session) -> str:
    """Return why this machine cannot train a base, or an empty text."""
    if session.gpu_gb == 0 and not base.is_local:
        return f"{base.name} needs a GPU with about {base.memory_gb:g} GB; this machine has none"
    return _fit(base, session).shortage


def facts(base: Base, session: Session) -> list[tuple[str, str]]:
    """Return what to know of a base, as (name, text)."""
    gate = "asks you to log in and to accept its licence on its page first" if base.gated else "none"
    size = "in this course already" if base.is_local else f"{base.size_gb:g} GB, downloaded once"
    return [
        ("draws", f"{base.side} x {base.side} px"),
        ("licence", f"{base.licence}; it holds for your file, too"),
        ("gate", gate),
        ("files", size),
        ("memory", misfit(base, session) or f"{_fit(base, session)}: fits here"),
        ("note", base.note),
    ]


def _fit(base: Base, session: Session) -> Fit:
    """Return how a training of a base fits this machine, at the settings that the studio leaves open."""
    return capacity.closest(Settings(base=base.name, trigger=_ANY_WORD), base, session)
