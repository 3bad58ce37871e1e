"""Put the trained parts together as `pocket/model`, a stock FluxPipeline in half precision.

`python -m pocket.assemble` after the stages that train: vae, latents, text, flow, guidance.
"""

from __future__ import annotations

import json
import shutil

import torch
from diffusers import FlowMatchEulerDiscreteScheduler, FluxPipeline
from safetensors.torch import save_file

from pocket import corpus, flow, guidance, latents
from pocket.judges import gallery
from pocket.weights import MODEL, write_checksums

JUDGED_STYLES = ("flat", "cartoon", "glossy 3d", "outline")


def scheduler() -> FlowMatchEulerDiscreteScheduler:
    """Return FLUX.1-dev's scheduler, its settings unchanged."""
    return FlowMatchEulerDiscreteScheduler(
        use_dynamic_shifting=True,
        base_shift=0.5,
        max_shift=1.15,
        shift=3.0,
        base_image_seq_len=256,
        max_image_seq_len=4096,
    )


def pipeline() -> FluxPipeline:
    """Return the pipeline of the last run of every stage, in single precision."""
    model = flow.load()
    if guidance.STATE.exists():
        model.flow.load_state_dict(torch.load(guidance.STATE, weights_only=True))
    vae = latents.load_vae()
    scale, shift = latents.moments()
    vae.register_to_config(scaling_factor=scale, shift_factor=shift)
    return FluxPipeline(
        scheduler=scheduler(),
        vae=vae,
        transformer=model.flow,
        text_encoder=model.texts.clip,
        text_encoder_2=model.texts.t5,
        tokenizer=model.texts.clip_tokenizer,
        tokenizer_2=model.texts.t5_tokenizer,
    )


def write_concept_features() -> None:
    """Store the mean lite0 features of each concept's drawings, with which prompt match is measured."""
    names, features_by_style = gallery()
    mean = features_by_style[:, [corpus.STYLES.index(style) for style in JUDGED_STYLES]].mean(1)
    # The length of a row does not matter, so each has a scale of its own.
    features = (mean * 127 / mean.amax(1, keepdim=True)).round().to(torch.int8)
    metadata = {
        "names": json.dumps(names),
        "features": "EfficientNet-lite0, pooled, each row to its own scale",
    }
    save_file({"features": features.contiguous()}, MODEL / "concept_features.safetensors", metadata=metadata)


def name_for_older_transformers() -> None:
    """Write the tokenizer's class as it was called before transformers 5."""
    for path in (MODEL / "model_index.json", MODEL / "tokenizer_2" / "tokenizer_config.json"):
        path.write_text(path.read_text().replace("TokenizersBackend", "PreTrainedTokenizerFast"))


def main() -> None:
    pipeline().to(torch.float16).save_pretrained(MODEL, safe_serialization=True)
    name_for_older_transformers()
    write_concept_features()
    write_checksums(MODEL)
    for name in ("provenance.csv", "packages.csv"):
        shutil.copy(corpus.CACHE / name, corpus.HERE)
    total = sum(path.stat().st_size for path in MODEL.rglob("*") if path.is_file())
    print(f"{MODEL}: {total / 1e6:.1f} MB")


if __name__ == "__main__":
    main()
