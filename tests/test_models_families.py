"""Every architecture in miniature, with random weights: the loading,
training and drawing are the real ones.
"""

from copy import deepcopy
from dataclasses import replace

import miniatures
import numpy as np
import pytest
import torch
from diffusers import DDPMScheduler, DiffusionPipeline, Flux2KleinPipeline
from diffusers.models.autoencoders.vae import DiagonalGaussianDistribution
from diffusers.models.modeling_outputs import AutoencoderKLOutput

from benchmarks import blank
from lessons_lib import compat
from lessons_lib.adapters import files, lora
from lessons_lib.adapters.settings import Settings
from lessons_lib.evaluation.sampler import Sampler
from lessons_lib.models import bases, families
from lessons_lib.models.families import flux2, shared, unet
from lessons_lib.session import current
from lessons_lib.training import train

PROMPT = "a cat, mugh4l"
NOISED = [name for name in blank.NAMES if bases.find(name).family == "unet"]


@pytest.fixture(scope="module", params=blank.NAMES)
def base(request, tmp_path_factory):
    """Put a miniature in the place of a large base, under its name."""
    name = request.param
    small = miniatures.write(name, tmp_path_factory.mktemp("blank") / name)
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(bases.BASES, name, small)
        yield small


@pytest.fixture(scope="module")
def sampler(base):
    return Sampler(base)


@pytest.fixture(scope="module")
def run(practice, base, tmp_path_factory):
    settings = Settings(base=base.name, trigger="mugh4l", steps=4, sample_prompts=(PROMPT,))
    return train.train(practice, settings, tmp_path_factory.mktemp("runs") / base.name)


def bits(sampler, **options):
    return sampler.sample([PROMPT], [3], **options)[0][0].tobytes()


def embeddings_and_latents(sampler, count=2):
    """Return the embeddings of some captions, and latents and noise of the base's own shape."""
    embeddings = sampler.family.encode_captions(
        sampler.pipe, ["a cat", "a dog by the sea"][:count], sampler.base
    )
    shape = (count, *sampler.family.latent_shape(sampler.pipe, sampler.base)[1:])
    generator = torch.Generator().manual_seed(5)
    return embeddings, torch.randn(shape, generator=generator), torch.randn(shape, generator=generator)


def test_a_base_names_all_its_text_encoders(sampler):
    components = {name for name in sampler.pipe.components if name.startswith("text_encoder")}
    assert components == set(sampler.base.text_encoders)


def test_embeddings_give_the_picture_that_the_pipeline_gives_for_their_prompt(sampler):
    embeddings = sampler.family.encode_captions(sampler.pipe, [PROMPT, ""], sampler.base)
    prompt, negative = ({name: value[i : i + 1] for name, value in embeddings.items()} for i in range(2))
    image = sampler.family.sample_image(sampler.pipe, prompt, negative, sampler.base, 3)
    expected = np.frombuffer(bits(sampler), np.uint8).astype(int)
    differences = abs(np.frombuffer(image.tobytes(), np.uint8) - expected)
    assert differences.max() <= 1  # two captions encoded at once are rounded differently
    assert image.size == (sampler.base.side,) * 2


def test_latents_are_the_shape_of_the_noise_and_come_back_as_pictures(sampler):
    side = sampler.base.side
    pixels = torch.rand(2, 3, side, side) * 2 - 1
    latents = sampler.family.encode_images(sampler.pipe, pixels)
    assert latents.shape[1:] == sampler.family.latent_shape(sampler.pipe, sampler.base)[1:]
    images = sampler.family.decode_latents(sampler.pipe, latents)
    assert [image.size for image in images] == [(side, side)] * 2


def test_the_last_step_of_sampling_is_the_sample(sampler):
    frames = sampler.sample_steps(PROMPT, 3)
    assert len(frames) > sampler.base.num_inference_steps  # SD 1.5's scheduler takes one step twice
    assert frames[-1].tobytes() == bits(sampler)


def test_the_prediction_without_noise_is_the_picture_itself(sampler):
    z = torch.randn(sampler.family.latent_shape(sampler.pipe, sampler.base))
    assert torch.allclose(sampler.predict_original(z, 0.0, PROMPT), z, atol=1e-5)
    assert sampler.predict_original(z, 1.0, PROMPT).isfinite().all()


def test_noise_levels_lie_between_0_and_1_and_repeat(sampler):
    first, again = (sampler.family.sample_sigma(500, torch.Generator().manual_seed(1)) for _ in range(2))
    assert torch.equal(first, again) and 0 < first.min() < 0.2 and 0.8 < first.max() < 1


def test_every_layer_a_family_names_gets_a_lora_and_learns(base, run, sampler):
    size = lora.adapter_size(
        families.denoiser(sampler.family, sampler.pipe), base.rank, sampler.family.TARGET_MODULES
    )
    layers = files.read(run.folder).layers
    assert len(layers) == size.layers and all(factors.up.abs().max() > 0 for factors in layers.values())


def test_an_adapter_is_loaded_and_unloaded(base, run):
    sampler = Sampler(base)
    plain = bits(sampler)
    sampler.load(run.folder)
    learned = bits(sampler)
    assert learned != plain and bits(sampler, strength=0) == plain
    sampler.unload()
    assert bits(sampler) == plain
    assert sorted(p.name for p in (run.folder / "samples").iterdir()) == ["00000_1.jpg", "00004_1.jpg"]


def test_diffusers_alone_reads_both_files_and_draws_the_same(base, run):
    """The adapter, whose alpha is not its rank, and the file for ComfyUI, which names no alpha."""
    sampler = Sampler(base)
    sampler.load(run.folder)
    expected = bits(sampler)
    arguments = sampler.family.pipeline_arguments(base, None, None)
    for file in (run.adapter, run.folder / "other_formats/run_comfyui.safetensors"):
        pipe = DiffusionPipeline.from_pretrained(base.repository)
        pipe.load_lora_weights(str(file.parent), weight_name=file.name)
        image = pipe(prompt=PROMPT, generator=torch.Generator().manual_seed(3), **arguments).images[0]
        assert image.tobytes() == expected, file.name


def test_the_code_on_the_card_draws_with_the_adapter_in_half_precision(base, run, monkeypatch):
    """As it stands there, in the run's folder, on a base whose files are half-precision as the Hub's are."""
    pipe = DiffusionPipeline.from_pretrained(base.repository, torch_dtype=torch.float16)
    pipe.save_pretrained(run.folder / base.name)
    card = (run.folder / "README.md").read_text()
    assert base.licence in card
    monkeypatch.chdir(run.folder)
    names: dict = {}
    exec(card.split("```python")[1].split("```")[0], names)
    assert names["image"].size == (base.side,) * 2 and names["pipe"].dtype == torch.bfloat16
    assert names["pipe"].get_active_adapters() == ["run"]


def test_the_loss_is_that_of_the_diffusers_script(sampler):
    """The lines of each script that make the model's input, its prediction and the target."""
    embeddings, latents, noise = embeddings_and_latents(sampler)
    model, name = families.denoiser(sampler.family, sampler.pipe), sampler.base.family
    sigma = sampler.family.sample_sigma(2, torch.Generator().manual_seed(2))
    with torch.no_grad():
        theirs = globals()[f"script_{name}"](sampler.pipe, model, embeddings, latents, noise, sigma)
        ours = sampler.family.loss(model, latents, embeddings, noise, sigma)
    assert torch.allclose(ours, theirs, rtol=1e-4)


@pytest.mark.parametrize("normalised", [False, True])
def test_a_masked_loss_is_that_of_onetrainer(sampler, normalised):
    """``masked_losses`` on the squared errors, from the prediction without noise that they stand for."""
    embeddings, latents, noise = embeddings_and_latents(sampler)
    family, sigma = sampler.family, torch.tensor([0.3, 0.6])
    if sampler.base.family == "unet":
        sigma = unet.noise_levels()[[300, 600]]
    mask = torch.rand(2, 1, *latents.shape[-2:], generator=torch.Generator().manual_seed(1)).round()
    weights = mask.clamp(0.1, 1)
    weights = weights / weights.mean((1, 2, 3), keepdim=True) if normalised else weights
    with torch.no_grad():
        model, masked = families.denoiser(family, sampler.pipe), embeddings | {"loss_weights": weights}
        ours = family.loss(model, latents, masked, noise, sigma)
    share = sigma.view(-1, 1, 1, 1)
    noisy = (1 - share) * latents + share * noise
    errors = (latents - family.predict_original(sampler.pipe, noisy, sigma, embeddings)) / share
    errors = (1 - share) * errors if sampler.base.family == "unet" else errors
    losses = errors.square() * mask.clamp(0.1, 1)  # OneTrainer, modules/util/loss/masked_loss.py
    if normalised:
        losses = losses / mask.clamp(0.1, 1).mean(dim=(1, 2, 3), keepdim=True)
    assert torch.allclose(ours, losses.mean((1, 2, 3)), rtol=1e-3)


def test_a_picture_that_is_no_square_is_learned_from(sampler):
    """The latents of a picture of 96 x 64 px, with what SDXL is told of its size."""
    pixels = torch.rand(1, 3, 64, 96, generator=torch.Generator().manual_seed(0)) * 2 - 1
    latents = sampler.family.encode_images(sampler.pipe, pixels)
    embeddings, _, _ = embeddings_and_latents(sampler, 1)
    embeddings["time_ids"] = torch.tensor([[640.0, 960, 0, 16, 64, 96]])
    model, sigma = families.denoiser(sampler.family, sampler.pipe), torch.tensor([0.5])
    with torch.no_grad():
        loss = sampler.family.loss(model, latents, embeddings, torch.randn_like(latents), sigma)
    assert latents.shape[-1] * 2 == latents.shape[-2] * 3 and loss.isfinite().all()


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_the_standard_deviation_of_latents_is_that_of_diffusers_posterior(sampler, dtype, monkeypatch):
    """A trained VAE's is small, and of two rounded latents the difference would be off by a tenth."""
    vae, side = deepcopy(sampler.pipe.vae).to(dtype), sampler.base.side // 8
    mean = torch.randn(1, vae.config.latent_channels, side, side, generator=torch.Generator().manual_seed(1))
    posterior = DiagonalGaussianDistribution(torch.cat([mean, torch.full_like(mean, -7.0)], 1).to(dtype))
    monkeypatch.setattr(vae, "encode", lambda pixels: AutoencoderKLOutput(posterior))
    monkeypatch.setattr(sampler.pipe, "vae", vae)
    if sampler.base.family == "flux2":
        expected = compat.flux2_patchify(posterior.std.float()) / flux2.latent_statistics(vae)[1].float()
    else:
        expected = posterior.std.float() * vae.config.scaling_factor
    pixels = torch.zeros(1, 3, sampler.base.side, sampler.base.side)
    mode, std = sampler.family.latent_distribution(sampler.pipe, pixels)
    assert torch.equal(mode, sampler.family.encode_images(sampler.pipe, pixels))
    assert std.dtype == mode.dtype == dtype and std.shape == mode.shape
    assert torch.allclose(std.float(), expected, rtol=1e-2 if dtype == torch.bfloat16 else 1e-6)


def script_unet(pipe, model, embeddings, latents, noise, sigma):
    scheduler = DDPMScheduler.from_config(pipe.scheduler.config)
    timesteps = torch.tensor([(unet.noise_levels() - s).abs().argmin() for s in sigma])
    noisy = scheduler.add_noise(latents, noise, timesteps)
    more = {}
    if "pooled_prompt_embeds" in embeddings:
        time_ids = torch.tensor([[128.0, 128, 0, 0, 128, 128]]).repeat(2, 1)
        more = {
            "added_cond_kwargs": {"time_ids": time_ids, "text_embeds": embeddings["pooled_prompt_embeds"]}
        }
    pred = model(noisy, timesteps, embeddings["prompt_embeds"], return_dict=False, **more)[0]
    return (pred.float() - noise.float()).square().reshape(2, -1).mean(1)


def script_flux(pipe, model, embeddings, latents, noise, sigma):
    from lessons_lib.models.families import flux  # held to the script in test_models_families_flux.py

    return flux.loss(model, latents, embeddings, noise, sigma)


def script_flux2(pipe, model, embeddings, latents, noise, sigma):
    sigmas = sigma.view(2, 1, 1, 1)
    noisy = (1.0 - sigmas) * latents + sigmas * noise
    ids = Flux2KleinPipeline._prepare_latent_ids(noisy)
    pred = model(
        hidden_states=Flux2KleinPipeline._pack_latents(noisy),
        timestep=sigma * 1000 / 1000,
        guidance=None,
        encoder_hidden_states=embeddings["prompt_embeds"],
        txt_ids=Flux2KleinPipeline._prepare_text_ids(embeddings["prompt_embeds"]),
        img_ids=ids,
        return_dict=False,
    )[0]
    pred = Flux2KleinPipeline._unpack_latents_with_ids(pred, ids)
    return (pred.float() - (noise - latents).float()).square().reshape(2, -1).mean(1)


def script_z_image(pipe, model, embeddings, latents, noise, sigma):
    sigmas = sigma.view(2, 1, 1, 1)
    noisy = (1.0 - sigmas) * latents + sigmas * noise
    prompts, _ = pipe.encode_prompt(["a cat", "a dog by the sea"], max_sequence_length=77)
    pred = model(
        list(noisy.unsqueeze(2).unbind(dim=0)), (1000 - sigma * 1000) / 1000, prompts, return_dict=False
    )[0]
    pred = -torch.stack(pred, dim=0).squeeze(2)
    return (pred.float() - (noise - latents).float()).square().reshape(2, -1).mean(1)


def test_noisy_latents_at_a_level_are_those_of_the_numbered_schedule():
    scheduler = DDPMScheduler(**unet.SCHEDULE)
    picture, noise = torch.randn(3, 4, 8, 8), torch.randn(3, 4, 8, 8)
    number = torch.tensor([0, 400, 999])
    sigma = unet.noise_levels()[number]
    length = ((1 - sigma).square() + sigma.square()).sqrt()
    ours = shared.add_noise(picture, noise, sigma) / length.view(-1, 1, 1, 1)
    assert torch.allclose(ours, scheduler.add_noise(picture, noise, number), atol=1e-5)


@pytest.mark.parametrize("name", NOISED)
def test_a_model_that_predicts_something_else_is_refused(name, tmp_path):
    folder = blank.write(name, tmp_path / name, small=True)
    file = folder / "scheduler" / "scheduler_config.json"
    file.write_text(file.read_text().replace('"epsilon"', '"v_prediction"'))
    with pytest.raises(ValueError, match="prediction_type v_prediction; expected epsilon"):
        Sampler(replace(bases.find(name), repository=str(folder)))


def test_a_distilled_klein_is_refused(tmp_path):
    folder = blank.write("flux2-klein", tmp_path / "klein", small=True)
    file = folder / "model_index.json"
    file.write_text(file.read_text().replace('"is_distilled": false', '"is_distilled": true'))
    with pytest.raises(ValueError, match="is distilled"):
        Sampler(replace(bases.find("flux2-klein"), repository=str(folder)))


def test_float16_takes_the_vae_that_was_made_for_it(tmp_path, monkeypatch):
    folder = blank.write("sdxl", tmp_path / "sdxl", small=True)
    (folder / "vae").rename(tmp_path / "other")
    base = replace(bases.find("sdxl"), repository=str(folder), float16_vae=str(tmp_path / "other"))
    half = replace(current(), dtype=torch.float16)
    assert unet.load(base, half).vae.dtype == torch.float16
    with pytest.raises(OSError):
        unet.load(base, current())  # in float32 the base's own is wanted, and that one is gone


def test_z_image_is_never_in_float16(tmp_path):
    folder = blank.write("z-image", tmp_path / "z", small=True)
    base = replace(bases.find("z-image"), repository=str(folder))
    pipe = families.find("z_image").load(base, replace(current(), dtype=torch.float16))
    assert pipe.transformer.dtype == torch.float32


@pytest.mark.parametrize("name", ["sd15", "flux1-dev"])
def test_a_base_that_cannot_be_fetched_says_what_to_do(name, monkeypatch):
    def unreachable(*given, **options):
        raise OSError("We couldn't connect")

    base = bases.find(name)
    monkeypatch.setattr(shared.AutoTokenizer, "from_pretrained", unreachable)
    monkeypatch.setattr(DiffusionPipeline, "from_pretrained", unreachable)
    family = families.find(base.family)
    for fetch in (lambda: family.load_tokenizer(base), lambda: family.load(base, current())):
        with pytest.raises(OSError, match=f"cannot fetch {name}.*pocket needs no network") as error:
            fetch()
        assert ("hf auth login" in str(error.value)) == base.gated
