"""What a training needs in memory, and the settings with which it fits this machine, before any download.

Where a training of that base was recorded, that is what it needs. Otherwise it is calculated: the weights in
their precision, of which the text encoders and the denoiser are never there together, and what a recorded
training took beside its weights, which grows with the pixels and the batch. Weights go through RAM to a GPU,
and what that takes is calculated, too.
"""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from typing import Any

from lessons_lib.adapters.settings import Settings
from lessons_lib.models import access, bases, quantization
from lessons_lib.models.bases import Base
from lessons_lib.models.sizes import loading_gb, weights_gb
from lessons_lib.session import Session
from lessons_lib.training import distributed
from lessons_lib.training.memory_records import MemoryRecord, records

_PROCESS = {True: 0.6, False: 0.5}  # GB of a program that has loaded the libraries: on a GPU, on a CPU
_USABLE = 0.94  # of a GPU's memory; the driver and the screen have the rest
_PROCESS_RAM = 2.0  # GB of RAM of a program that computes on a GPU, beside weights: an estimate
_USABLE_RAM = 0.86  # of a machine with a GPU; its system and the notebook's server have the rest
_SMALLER = 512  # px: tried where the base's own size does not fit


@dataclass(frozen=True)
class Need:
    """What a training of a base takes at its peak, in GB (1e9 bytes): of the GPU, or of RAM without one.

    `ram_gb`: of RAM beside a GPU, while weights are loaded; 0 without one.
    `source`: "recorded", "calculated from a recorded run" of that base, or "calculated".
    """

    base: Base
    gradient_checkpointing: bool
    gigabytes: float
    source: str
    ram_gb: float = 0.0

    @property
    def subject(self) -> str:
        """The training, as the subject of a sentence."""
        weights = "" if self.base.quantize == "none" else f" in {self.base.quantize}"
        return f"{self.base.name}{weights} at {self.base.side} px"

    def __str__(self) -> str:
        return f"{self.subject} needs {self.gigabytes:.1f} GB ({self.source})"


@dataclass(frozen=True)
class Fit:
    """Settings with which a training fits a machine, what it needs then, and the memory there is (GB): of the
    GPU, or of RAM without one, and the RAM beside a GPU. 0 where the system does not say.
    """

    settings: Settings
    need: Need
    available: float
    ram_available: float = 0.0

    @property
    def is_enough(self) -> bool:
        """Whether there is as much memory as it needs, or the system does not say."""
        return not self.shortage

    @property
    def shortage(self) -> str:
        """Which memory is too small for what it needs, as a sentence without its end; empty where none is."""
        if self.available and self.need.gigabytes > self.available:
            return f"{self.need}, and this machine has {self.available:.1f} GB for it"
        if self.ram_available and self.need.ram_gb > self.ram_available:
            return (
                f"{self.need.subject} needs {self.need.ram_gb:.1f} GB of RAM while it is loaded, and this "
                f"machine has {self.ram_available:.1f} GB of RAM for it"
            )
        return ""

    @property
    def need_line(self) -> str:
        """What it needs, and whether with gradient checkpointing, as a sentence without its end."""
        return f"{self.need}{' with gradient checkpointing' if self.settings.gradient_checkpointing else ''}"

    def __str__(self) -> str:
        line = f"{self.need_line}; this machine has {self.available:.1f} GB for it"
        if not self.ram_available:
            return line
        return f"{line}; loading takes {self.need.ram_gb:.1f} GB of RAM, of {self.ram_available:.1f} GB"


def fit(settings: Settings, base: Base, session: Session) -> Fit:
    """Return what `closest` does. Raises ValueError where nothing fits, with the nearest alternative, and
    where the disk has no room for what is to be fetched.
    """
    result = closest(settings, base, session)
    if not result.is_enough:
        raise ValueError(_refusal(result, settings, base, session))
    access.check_disk(result.need.base)
    return result


def closest(settings: Settings, base: Base, session: Session) -> Fit:
    """Return the settings with what they leave open filled in so that the training fits this machine; where
    nothing fits, those that need the least.

    Left open are `quantize` "auto" and `resolution` None. Tried are whole weights at the base's own
    resolution, then nf4, then 512 px; of a base whose files are packed, only weights as they are there.
    int8 is for those who ask for it: its activations are float16.
    """
    settings.check()
    for candidate in _candidates(settings, base):
        need = _need(candidate, base, session)
        checkpointing = candidate.gradient_checkpointing or need.gradient_checkpointing
        fitting = dataclasses.replace(candidate, gradient_checkpointing=checkpointing)
        result = Fit(fitting, need, _available(session), _available_ram(session))
        if result.is_enough:
            break
    return result


def adapted_for_drawing(base: Base, session: Session) -> Base:
    """Return a base as it fits this machine for drawing: as it is; or one network at a time on the GPU and
    large pictures decoded in tiles; or in nf4. One whose files are packed is loaded as they are.
    """
    if base.quantize == "none":
        base = dataclasses.replace(base, quantize=quantization.kind_in_files(base))
    if session.device.type == "cpu" or base.is_local:
        return base
    ram = _available_ram(session)
    ways = [base, dataclasses.replace(base, offload=True)]
    if base.quantize == "none":
        packed = dataclasses.replace(base, quantize="nf4")
        ways += [packed, dataclasses.replace(packed, offload=True)]
    for way in ways:
        weights = weights_gb(way, session).values()
        on_gpu = max(weights) if way.offload else sum(weights)
        in_ram = sum(weights if way.offload else loading_gb(way, session).values())
        has_room = not ram or in_ram + _PROCESS_RAM <= ram
        if on_gpu + _overhead_gb(way, session, 1) <= _available(session) and has_room:
            return way
    return ways[-1]


def is_published(base: Base) -> bool:
    """Return whether its weights are those that the course's table of bases names."""
    row = bases.load_table().get(base.name)
    return row is not None and row.repository == base.repository


def _candidates(settings: Settings, base: Base) -> list[Settings]:
    """Return the settings to try, the best first."""
    kind: Any = quantization.kind_in_files(base)
    if settings.quantize == "auto" and kind != "none":
        settings = dataclasses.replace(settings, quantize=kind)
    candidates = [settings]  # "auto" resolves to whole weights
    if settings.quantize == "auto":
        candidates.append(dataclasses.replace(settings, quantize="nf4"))
    if settings.resolution is None and base.side > _SMALLER:
        candidates.append(dataclasses.replace(candidates[-1], resolution=_SMALLER))
    return candidates


def _available(session: Session) -> float:
    """Return the memory that a training may take, in GB; 0 where several GPUs share the weights."""
    if distributed.wants_shards():
        return 0.0
    return _USABLE * session.gpu_gb if session.gpu_gb else session.memory_gb


def _available_ram(session: Session) -> float:
    """Return the RAM beside a GPU that a training may take, in GB; 0 where there is no GPU, or several share
    the weights.
    """
    return _USABLE_RAM * session.memory_gb if session.gpu_gb and not distributed.wants_shards() else 0.0


def _need(settings: Settings, base: Base, session: Session) -> Need:
    adapted, batch = settings.adapt(base), settings.batch or base.batch
    alike = [
        record
        for record in records()
        if (record.base, record.quantize) == (base.name, adapted.quantize)
        and record.on_gpu == (session.device.type != "cpu")
        and record.encoders_apart
        and is_published(base)
    ]
    on_the_way = _peak_weights_gb(loading_gb(adapted, session), adapted)
    ram = _PROCESS_RAM + on_the_way if session.gpu_gb else 0.0
    as_recorded = batch == base.batch and not adapted.packed_source
    for record in alike:
        if record.resolution == adapted.side and as_recorded:
            return Need(adapted, record.gradient_checkpointing, record.gigabytes, "recorded", ram)
    total = _calculated(adapted, session, batch) + _correction_gb(alike, adapted, session)
    reference = _reference(base)
    source = "calculated from a recorded run" if reference and reference.base == base.name else "calculated"
    checkpointing = reference is not None and reference.gradient_checkpointing and not base.is_local
    return Need(adapted, checkpointing, total, source, ram)


def _calculated(base: Base, session: Session, batch: int) -> float:
    return _peak_weights_gb(weights_gb(base, session), base) + _overhead_gb(base, session, batch)


def _correction_gb(alike: list[MemoryRecord], base: Base, session: Session) -> float:
    """Return the most, in GB, by which a recorded training of a base, with pictures that are not larger, took
    more than is calculated for it. Weights that were recorded in nf4 were packed while they were loaded.
    """
    smaller = {record.resolution: record.gigabytes for record in alike if record.resolution <= base.side}
    sizes = {side: dataclasses.replace(base, side=side, packed={}) for side in smaller}
    return max([0.0, *(smaller[side] - _calculated(sizes[side], session, base.batch) for side in smaller)])


def _peak_weights_gb(weights: dict[str, float], base: Base) -> float:
    """Return the most weights that are in memory at once where the text encoders leave before the denoiser
    comes.
    """
    encoders, vae = sum(weights.get(name, 0.0) for name in base.text_encoders), weights.get("vae", 0.0)
    return vae + max(encoders, sum(weights.values()) - encoders - vae)


def _reference(base: Base) -> MemoryRecord | None:
    """Return the recorded training on a GPU that others of a base are calculated from: its own, or else, of
    those with gradient checkpointing, the one that took most beside its weights. None where there is none.
    """
    recorded = [r for r in records() if r.on_gpu and r.quantize == "none" and r.base in bases.BASES]
    own = [record for record in recorded if record.base == base.name]
    others = [record for record in recorded if record.gradient_checkpointing]
    return own[0] if own else max(others, key=_overhead_of, default=None)


def _overhead_of(record: MemoryRecord) -> float:
    """Return what a recorded training in bfloat16 took beside its weights, in GB."""
    base = bases.find(record.base)
    weights = {name: 2 * total for name, (total, *_) in base.parameters.items()}
    return record.gigabytes - (
        _peak_weights_gb(weights, base) if record.encoders_apart else sum(weights.values())
    )


def _overhead_gb(base: Base, session: Session, batch: int) -> float:
    """Return what a training or a drawing takes beside weights, in GB: what grows with the pixels, the batch
    and the width of a number, and what does not.
    """
    process, reference = _PROCESS[session.device.type != "cpu"], _reference(base)
    if reference is None:
        return process
    growing = max(0.0, _overhead_of(reference) - _PROCESS[True])
    width = base.precision(session).itemsize / 2
    return process + growing * (base.side / reference.resolution) ** 2 * batch * width


def _refusal(fit: Fit, settings: Settings, base: Base, session: Session) -> str:
    """Return why no training of a base fits, and the nearest that does: the same base with what was not left
    open, or the largest other one.
    """
    open_settings = dataclasses.replace(settings, quantize="auto", resolution=None)
    smaller = closest(open_settings, base, session)
    if smaller.is_enough:
        size = "" if smaller.need.base.side == base.side else f" --resolution {smaller.need.base.side}"
        choice = f"--quantize {smaller.settings.quantize}{size}"
        return f"{fit.shortage}. Nearest that fits: {smaller.need}; choose it with {choice}"
    others = [other for other in bases.BASES.values() if other.trainable and other.name != base.name]
    fits = [closest(open_settings, other, session) for other in others]
    fitting = [other.need for other in fits if other.is_enough]
    if not fitting:
        return fit.shortage
    nearest = max(fitting, key=lambda other: sum(total for total, *_ in other.base.parameters.values()))
    return f"{fit.shortage}. Nearest that fits: {nearest}; choose it with --base {nearest.base.name}"
