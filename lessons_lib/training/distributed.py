"""Several processes that train as one, as `accelerate launch` or `torchrun` starts them: copies of a model,
or parts of one.

Every process draws the same batch and takes its own part of it. The gradients of the parts are averaged
before the adapter changes, so all copies of the adapter stay the same and the result is that of one process.
This takes the place of DistributedDataParallel, which would wrap the model and average after every part of an
accumulated batch.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import torch
from accelerate import Accelerator
from accelerate.utils import parse_flag_from_env
from torch import nn
from torch.nn.utils import parameters_to_vector, vector_to_parameters

from lessons_lib import compat, session


def accelerator(**options: Any) -> Accelerator:
    """Return an Accelerator on the session's kind of device; CPU processes use gloo."""
    return Accelerator(cpu=session.current().device.type == "cpu", **options)


def own_part(accelerator: Accelerator, count: int) -> tuple[slice, float]:
    """Return the slice of a batch of `count` for this process, every num_processes-th example, and the weight
    of their mean in the mean over all processes: 1 where all have equally many.

    A process that gets none has the first, with weight 0: a sharded model is run by all of them together.
    """
    own = slice(accelerator.process_index, None, accelerator.num_processes)
    examples = len(range(count)[own])
    return (own, examples * accelerator.num_processes / count) if examples else (slice(0, 1), 0.0)


def mean_gradients(parameters: Iterable[nn.Parameter], accelerator: Accelerator) -> None:
    """Average the gradients over all processes, in place."""
    if accelerator.num_processes > 1:
        gradients = [p.grad for p in parameters if p.grad is not None]
        mean = accelerator.reduce(parameters_to_vector(gradients), "mean")
        vector_to_parameters(mean, gradients)


def mean(value: float, accelerator: Accelerator) -> float:
    """Return the mean of the processes' values."""
    if accelerator.num_processes == 1:
        return value
    own = torch.tensor(value, device=accelerator.device)
    return float(accelerator.reduce(own, "mean"))


def any_process(flag: bool, accelerator: Accelerator) -> bool:
    """Return whether the flag is set in any process, the same in all of them,
    so that none waits for one that has left.
    """
    return mean(float(flag), accelerator) > 0


def check_shares(accelerator: Accelerator, batch: int, quantize: str) -> None:
    """Raise ValueError for what several processes cannot share."""
    if batch % accelerator.num_processes:
        raise ValueError(f"batch {batch} cannot be shared equally by {accelerator.num_processes} processes")
    if is_sharded(accelerator) and quantize != "none":
        raise ValueError(f"{quantize} weights cannot be sharded; expected quantize none")


def is_sharded(accelerator: Accelerator) -> bool:
    """Return whether each process is to hold a part of the frozen weights,
    as ``accelerate launch --use_fsdp`` asks.
    """
    return accelerator.num_processes > 1 and wants_shards()


def wants_shards() -> bool:
    """Return whether several processes, if there are, share the frozen weights."""
    return bool(parse_flag_from_env("ACCELERATE_USE_FSDP"))


def shard(model: nn.Module, trainable: Iterable[nn.Parameter], accelerator: Accelerator) -> None:
    """Shard a model's frozen weights over the processes and move it to the process's device, in place.

    A block's weights are gathered when it runs and dropped after it
    (FSDP2, ``fully_shard``; Zhao et al. 2023, arXiv 2304.11277). The trainable parameters are few and stay
    whole in every process, so that they are written, resumed and averaged as before. From here on all
    processes have to run the model together. Blocks are what the model's class names in
    ``_no_split_modules``.
    """
    from torch.distributed.device_mesh import init_device_mesh
    from torch.distributed.fsdp import fully_shard

    whole = set(trainable)
    for parameter in whole:
        parameter.data = parameter.data.to(accelerator.device)
    mesh = init_device_mesh(accelerator.device.type, (accelerator.num_processes,))
    for part in (*compat.repeated_blocks(model), model):
        fully_shard(part, mesh=mesh, ignored_params=whole)
