"""Prior preservation is the formula of diffusers' train_dreambooth_lora_flux.py, to 1e-6 on a fixed batch."""

from dataclasses import replace

import pytest
import torch
from diffusers import FluxPipeline
from diffusers.training_utils import compute_loss_weighting_for_sd3

from lessons_lib.adapters import lora
from lessons_lib.adapters.settings import Settings
from lessons_lib.training import distributed
from lessons_lib.training.data import encode
from lessons_lib.training.loop import Loop
from lessons_lib.training.state import State


@pytest.fixture
def loop(miniature, paintings):
    """A loop on two pictures and two class pictures, and its state before the first step."""
    sampler = miniature("flux1-dev")
    family, pipe, base = sampler.family, sampler.pipe, sampler.base
    settings = replace(Settings(trigger="zq7", batch=2, rank=2, caption_dropout=0.0), prior_weight=0.7)
    subject = encode(family, pipe, base, paintings[:2], ["zq7 cat", "zq7 cat, asleep", "zq7"], "cpu")
    prior = encode(family, pipe, base, paintings[2:4], ["a cat", "a cat on a chair"], "cpu")
    lora.attach(pipe.transformer, 2, 2, family.TARGET_MODULES, 0)
    for name, parameter in lora.trainable_parameters(pipe.transformer).items():
        if "lora_B" in name:
            torch.nn.init.normal_(parameter, std=0.02)
    data = replace(subject, prior=prior)
    yield Loop(family, pipe.transformer, data, settings.resolve(base), distributed.accelerator())
    pipe.unload_lora_weights()


def gradients(state):
    return {name: parameter.grad.clone() for name, parameter in state.parameters.items()}


def batch(loop, data, generator):
    """Return what the loop draws for a batch: latents, embeddings, noise and noise levels."""
    latents, embeddings = data.batch(2, 0.0, generator, data.order())
    noise = torch.randn(latents.shape, generator=generator)
    sigma = loop.family.sample_sigma(2, generator, loop.settings.sigma_sampling)
    shift = loop.settings.sigma_shift
    return latents, embeddings, noise, shift * sigma / (1 + (shift - 1) * sigma)


def diffusers_loss(model, both, prior_weight):
    """Return the loss of the script: one pass over pictures and class pictures, cut in two halves again."""
    parts = [torch.cat(values) for values in zip(*((x, n, s) for x, _, n, s in both), strict=True)]
    latents, noise, sigmas = parts[0], parts[1], parts[2].view(-1, 1, 1, 1)
    embeddings = {name: torch.cat([one[1][name] for one in both]) for name in both[0][1]}
    n, c, h, w = latents.shape
    noisy = (1.0 - sigmas) * latents + sigmas * noise
    pred = model(
        hidden_states=FluxPipeline._pack_latents(noisy, n, c, h, w),
        timestep=parts[2],
        guidance=torch.ones(n) if model.config.guidance_embeds else None,
        pooled_projections=embeddings["pooled_prompt_embeds"],
        encoder_hidden_states=embeddings["prompt_embeds"],
        txt_ids=torch.zeros(embeddings["prompt_embeds"].shape[1], 3),
        img_ids=FluxPipeline._prepare_latent_image_ids(n, h // 2, w // 2, "cpu", torch.float32),
        return_dict=False,
    )[0]
    model_pred = FluxPipeline._unpack_latents(pred, 8 * h, 8 * w, 8)
    weighting = compute_loss_weighting_for_sd3("none", sigmas=sigmas)
    model_pred, model_pred_prior = torch.chunk(model_pred, 2, dim=0)
    target, target_prior = torch.chunk(noise - latents, 2, dim=0)
    weighting, weighting_prior = torch.chunk(weighting, 2, dim=0)
    squares = weighting_prior.float() * (model_pred_prior.float() - target_prior.float()) ** 2
    prior_loss = torch.mean(squares.reshape(target_prior.shape[0], -1), 1).mean()
    squares = weighting.float() * (model_pred.float() - target.float()) ** 2
    return torch.mean(squares.reshape(target.shape[0], -1), 1).mean() + prior_weight * prior_loss


def test_a_step_with_class_pictures_has_the_gradient_of_diffusers_formula(loop, monkeypatch):
    state, caught = State.start(loop.denoiser, loop.data, loop.settings), {}
    monkeypatch.setattr(torch.nn.utils, "clip_grad_norm_", lambda *_: caught.update(gradients(state)))
    loop.step(state)
    generator = torch.Generator().manual_seed(loop.settings.seed)
    both = [batch(loop, data, generator) for data in (loop.data, loop.data.prior)]
    loss = diffusers_loss(loop.denoiser, both, loop.settings.prior_weight)
    expected = torch.autograd.grad(loss, list(state.parameters.values()))
    assert max(gradient.abs().max() for gradient in expected) > 1e-4
    for gradient, other in zip(caught.values(), expected, strict=True):
        torch.testing.assert_close(gradient, other, rtol=0, atol=1e-6)


def test_the_loss_of_the_same_batch_is_that_of_the_formula(loop):
    state = State.start(loop.denoiser, loop.data, loop.settings)
    own = loop.batch_loss(loop.data, 0.0, state.generator, state.order)
    prior = loop.batch_loss(loop.data.prior, 0.0, state.generator, state.prior_order)
    generator = torch.Generator().manual_seed(loop.settings.seed)
    both = [batch(loop, data, generator) for data in (loop.data, loop.data.prior)]
    assert (own + 0.7 * prior).item() == pytest.approx(
        diffusers_loss(loop.denoiser, both, 0.7).item(), abs=1e-6
    )
