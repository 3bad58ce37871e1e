"""The simulated device refuses what CUDA refuses and allows what CUDA allows."""

import pytest
import simulated_device
import torch
from torch import nn

from lessons_lib import session
from lessons_lib.session import current

pytestmark = pytest.mark.skipif(torch.cuda.is_available(), reason="a real device is tried instead")


@pytest.fixture(autouse=True)
def here():
    with simulated_device.active() as device:
        yield device


def test_a_tensor_of_the_cpu_beside_one_of_the_device_raises(here):
    layer = nn.Linear(4, 3).to(here)
    for broken in (lambda: layer(torch.ones(2, 4)), lambda: torch.cat([torch.ones(1), layer.bias])):
        with pytest.raises(RuntimeError, match="same device"):
            broken()
    with pytest.raises(RuntimeError, match="same device"):
        torch.ones(2, 4).add_(torch.ones(2, 4, device=here))


def test_no_array_and_no_float64_is_made_of_it_and_no_noise_with_a_generator_of_the_cpu(here):
    with pytest.raises(TypeError, match="to numpy"):
        torch.ones(2, device=here).numpy()
    with pytest.raises(TypeError, match="float64"):
        torch.ones(2, device=here).double()
    with pytest.raises(RuntimeError, match="generator"):
        torch.randn(2, device=here, generator=torch.Generator())


def test_single_numbers_indices_and_copies_of_the_cpu_are_allowed(here):
    rows = torch.arange(6.0, device=here).view(2, 3)
    assert (rows * torch.tensor(2.0))[torch.tensor([1])].tolist() == [[6, 8, 10]]
    rows[torch.tensor([0])] = 7.0
    rows[1].copy_(torch.zeros(3))
    assert torch.arange(3, device=here).shape == (3,)
    assert rows.cpu().tolist() == [[7, 7, 7], [0, 0, 0]] and rows.sum().item() == 21


def test_a_layer_learns_there_what_it_learns_on_the_cpu(here):
    weights = []
    for device in ("cpu", here):
        torch.manual_seed(0)
        model = nn.Sequential(
            nn.Conv2d(3, 8, 3), nn.GroupNorm(2, 8), nn.SiLU(), nn.Flatten(), nn.Linear(128, 2)
        )
        model.to(device)
        optimizer = torch.optim.AdamW(model.parameters(), 1e-2, fused=True)
        for _ in range(3):
            model(torch.randn(4, 3, 6, 6).to(device)).square().mean().backward()
            optimizer.step()
        weights.append(model[0].weight.detach().cpu())
    assert torch.allclose(*weights, atol=1e-6)


def test_the_session_has_the_device_only_while_it_is_active(here):
    assert current().device == here and torch.accelerator.is_available()
    with simulated_device.active(torch.bfloat16):
        assert current().dtype == torch.bfloat16
    assert session.current().dtype == torch.float32
