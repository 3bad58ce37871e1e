import torch
from diffusers import FluxPipeline

from lessons_lib.models import bases
from lessons_lib.models.families import flux


def test_packing_and_positions_are_those_of_the_pipeline():
    z = torch.randn(2, 16, 8, 12)
    assert torch.equal(flux.pack_latents(z), FluxPipeline._pack_latents(z, 2, 16, 8, 12))
    theirs = FluxPipeline._prepare_latent_image_ids(2, 4, 6, "cpu", torch.float32)
    assert torch.equal(flux.latent_image_ids(z), theirs)


def test_unpacking_is_the_inverse_and_the_pipelines_own():
    z = torch.randn(2, 16, 8, 8)
    assert torch.equal(flux.unpack_latents(flux.pack_latents(z)), z)
    assert torch.equal(
        flux.unpack_latents(flux.pack_latents(z)),
        FluxPipeline._unpack_latents(flux.pack_latents(z), 64, 64, 8),
    )


def test_the_loss_is_that_of_the_diffusers_script(sampler):
    """train_dreambooth_lora_flux.py, lines that make the model's input, prediction and target; guidance 1."""
    model = sampler.pipe.transformer
    latents, noise = torch.randn(2, 16, 16, 16), torch.randn(2, 16, 16, 16)
    sigma = torch.tensor([0.2, 0.7])
    embeddings = sampler.family.encode_captions(sampler.pipe, ["a cat", "a dog"], sampler.base)
    sigmas = sigma.view(2, 1, 1, 1)
    noisy = (1.0 - sigmas) * latents + sigmas * noise
    pred = model(
        hidden_states=FluxPipeline._pack_latents(noisy, 2, 16, 16, 16),
        timestep=sigma * 1000 / 1000,
        guidance=torch.tensor([1.0]).expand(2),
        pooled_projections=embeddings["pooled_prompt_embeds"],
        encoder_hidden_states=embeddings["prompt_embeds"],
        txt_ids=torch.zeros(embeddings["prompt_embeds"].shape[1], 3),
        img_ids=FluxPipeline._prepare_latent_image_ids(2, 8, 8, "cpu", torch.float32),
        return_dict=False,
    )[0]
    pred = FluxPipeline._unpack_latents(pred, height=128, width=128, vae_scale_factor=8)
    theirs = ((pred.float() - (noise - latents)) ** 2).reshape(2, -1).mean(1)
    with torch.no_grad():
        ours = sampler.family.loss(model, latents, embeddings, noise, sigma)
    assert torch.allclose(ours, theirs, rtol=1e-5)


def test_the_difference_is_taken_in_float32_also_where_the_base_is_in_half_precision(monkeypatch):
    half = {"dtype": torch.bfloat16}
    velocity = torch.full((1, 4, 64), 256.0, **half)
    monkeypatch.setattr(flux, "predict_velocity", lambda *_: velocity)
    latents, noise = torch.zeros(1, 16, 4, 4, **half), torch.full((1, 16, 4, 4), 0.5, **half)
    loss = flux.loss(None, latents, {}, noise, torch.tensor([0.5]))
    assert loss.dtype == torch.float32 and loss.item() == 255.5**2  # in bfloat16 the difference is 256


def test_latents_are_shifted_and_scaled_as_the_vae_says(sampler):
    pixels = torch.rand(1, 3, 128, 128) * 2 - 1
    vae = sampler.pipe.vae
    with torch.no_grad():
        raw = vae.encode(pixels).latent_dist.mode()
    latents = flux.encode_images(sampler.pipe, pixels)
    assert torch.allclose(latents / vae.config.scaling_factor + vae.config.shift_factor, raw, atol=1e-5)


def test_noise_levels_lie_around_the_middle_and_repeat():
    first = flux.sample_sigma(2000, torch.Generator().manual_seed(1))
    assert torch.equal(first, flux.sample_sigma(2000, torch.Generator().manual_seed(1)))
    assert 0 < first.min() and first.max() < 1 and abs(first.median() - 0.5) < 0.02


def test_captions_longer_than_the_limit_are_cut_not_refused(sampler):
    embeddings = sampler.family.encode_captions(sampler.pipe, ["a cat " * 100], sampler.base)
    assert embeddings["prompt_embeds"].shape[1] == bases.find("pocket").caption_tokens
