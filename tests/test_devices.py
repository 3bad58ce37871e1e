"""What must run on a GPU: on CUDA where there is one, and else on the simulated device, where a tensor of the
CPU beside one of the device raises. Everything in float32 and in bfloat16.
"""

import miniatures
import pytest
import torch

from lessons_lib.evaluation.sampler import Sampler
from lessons_lib.models import bases

PROMPT = "a cat, mugh4l"


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("miniatures")


@pytest.fixture(params=["pocket", *miniatures.NAMES])
def base(request, folder, monkeypatch):
    if request.param == "pocket":
        return bases.find("pocket")
    small = miniatures.write(request.param, folder / request.param)
    monkeypatch.setitem(bases.BASES, small.name, small)
    return small


def latents_of_the_cpu(sampler):
    shape = sampler.family.latent_shape(sampler.pipe, sampler.base)
    return torch.randn(shape, generator=torch.Generator().manual_seed(0))


def test_a_base_lies_on_the_device_in_its_own_precision(device, base):
    pipe = Sampler(base).pipe
    parts = [value for value in pipe.components.values() if isinstance(value, torch.nn.Module)]
    assert {part.device.type for part in parts} == {device.type}


def test_samples_and_each_step_to_them_are_drawn(device, base):
    sampler = Sampler(base)
    sample = sampler.sample([PROMPT], [3], steps=2)[0][0]
    assert sampler.sample_steps(PROMPT, 3, steps=2)[-1].tobytes() == sample.tobytes()


def test_the_clean_picture_is_predicted_from_latents_of_the_cpu_and_drawn(device, base):
    sampler = Sampler(base)
    latents = latents_of_the_cpu(sampler)
    predictions = [sampler.predict_original(z, 0.5, PROMPT) for z in (latents, latents.to(device))]
    assert torch.equal(*predictions) and predictions[0].device.type == device.type
    images = [sampler.family.decode_latents(sampler.pipe, z)[0] for z in (predictions[0], latents)]
    assert [image.size for image in images] == [(base.side, base.side)] * 2
