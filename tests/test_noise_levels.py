"""Noise levels of every base against diffusers' own training scripts, by the scripts' own lines."""

from types import SimpleNamespace

import pytest
import torch
from diffusers import DDPMScheduler, FlowMatchEulerDiscreteScheduler
from diffusers.training_utils import compute_density_for_timestep_sampling

from lessons_lib.adapters.settings import Settings, earlier_values
from lessons_lib.models import bases, families
from lessons_lib.models.families import unet
from lessons_lib.training import distributed
from lessons_lib.training.data import TrainingData
from lessons_lib.training.loop import Loop

COUNT = 10_000
QUANTILES = torch.linspace(0.02, 0.98, 49)
# scheduler_config.json of each repository: what decides the sigmas
FLOW_SCHEDULERS = {
    "flux1-dev": {"shift": 3.0, "use_dynamic_shifting": True},
    "flux2-klein": {"shift": 3.0, "use_dynamic_shifting": True},
    "z-image": {"shift": 6.0, "use_dynamic_shifting": False},
}


def ours(base, **settings):
    """The sigmas of one batch of 10,000, as the training loop hands them to the loss."""
    family, given = families.find(base.family), []

    def loss(denoiser, latents, embeddings, noise, sigma):
        given.append(sigma)
        return torch.zeros(len(sigma))

    plan = Settings(trigger="zq7x", base=base.name, batch=COUNT, **settings).resolve(base)
    data = TrainingData(torch.zeros(4, 1), {"number": torch.zeros(5)})
    stand_in = SimpleNamespace(sample_sigma=family.sample_sigma, loss=loss)
    machine = distributed.accelerator()
    Loop(stand_in, torch.nn.Identity(), data, plan, machine).batch_loss(data, 0.0, seeded(0))
    return given[0]


def seeded(seed):
    return torch.Generator().manual_seed(seed)


def of_flow_script(config, weighting_scheme="none"):
    """train_dreambooth_lora_flux.py, _flux2_klein.py and _z_image.py, with their default scheme."""
    scheduler = FlowMatchEulerDiscreteScheduler(**config)
    u = compute_density_for_timestep_sampling(
        weighting_scheme=weighting_scheme, batch_size=COUNT, logit_mean=0.0, logit_std=1.0, mode_scale=1.29,
        generator=seeded(1),
    )  # fmt: skip
    indices = (u * scheduler.config.num_train_timesteps).long()
    return scheduler.sigmas[indices]


def of_unet_script():
    """train_dreambooth_lora.py and _sdxl.py: a timestep; the share of noise that its add_noise mixes in."""
    scheduler = DDPMScheduler(**unet.SCHEDULE)
    timesteps = torch.randint(0, scheduler.config.num_train_timesteps, (COUNT,), generator=seeded(1))
    signal = scheduler.alphas_cumprod[timesteps]
    return (1 - signal).sqrt() / (signal.sqrt() + (1 - signal).sqrt())


def distance(one, two):
    return (one.quantile(QUANTILES) - two.quantile(QUANTILES)).abs().max().item()


@pytest.mark.parametrize(
    "name", [n for n, base in bases.BASES.items() if base.trainable and not base.is_local]
)
def test_noise_levels_of_every_real_base_are_its_scripts(name):
    official = of_flow_script(FLOW_SCHEDULERS[name]) if name in FLOW_SCHEDULERS else of_unet_script()
    assert distance(ours(bases.find(name)), official) < 0.02


@pytest.mark.parametrize(("name", "share"), [("z-image", 0.6), ("flux1-dev", 0.2), ("flux2-klein", 0.2)])
def test_how_much_of_the_training_is_at_high_noise(name, share):
    assert (ours(bases.find(name)) > 0.8).float().mean().item() == pytest.approx(share, abs=0.02)


def test_pocket_departs_from_the_scripts_by_two_named_settings():
    pocket = bases.find("pocket")
    assert (pocket.sigma_sampling, pocket.sigma_shift) == ("logit_normal", 2.7)
    script = of_flow_script({"use_dynamic_shifting": True}, "logit_normal")
    assert distance(ours(pocket, sigma_shift=1.0), script) < 0.02
    assert distance(ours(pocket), 2.7 * script / (1 + 1.7 * script)) < 0.02
    assert distance(ours(pocket, sigma_sampling="uniform", sigma_shift=1.0), of_flow_script({})) < 0.02


@pytest.mark.parametrize("name", ["pocket", "flux1-dev", "flux2-klein", "z-image", "sd15", "sdxl"])
def test_what_earlier_versions_drew_can_be_drawn_again(name):
    base = bases.find(name)
    sigma = ours(base, sigma_sampling=earlier_values(name)["sigma_sampling"], sigma_shift=1.0)
    generator = seeded(0)
    data = TrainingData(torch.zeros(4, 1), {"number": torch.zeros(5)})
    data.batch(COUNT, 0.0, generator)
    torch.randn(COUNT, 1, generator=generator)
    expected = (
        unet.noise_levels()[torch.randint(1000, (COUNT,), generator=generator)]
        if base.family == "unet"
        else torch.sigmoid(torch.randn(COUNT, generator=generator))
    )
    assert torch.equal(sigma, expected)


def test_another_word_for_it_is_refused():
    with pytest.raises(ValueError, match="sigma_sampling is 'mode'; expected one of uniform, logit_normal"):
        Settings(trigger="zq7x", sigma_sampling="mode").check()
