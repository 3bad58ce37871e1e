"""Put the trained parts together as `pocket/model`, a stock FluxPipeline in half precision. `python -m pocket.assemble`."""

from __future__ import annotations

import hashlib
import json
import shutil
from pathlib import Path

import torch
from diffusers import FlowMatchEulerDiscreteScheduler, FluxPipeline
from safetensors.torch import save_file

from lessons_lib.models.bases import CHECKSUMS
from pocket import corpus, flow, guidance, latents
from pocket.flow import MODEL


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
    both = flow.load()
    if guidance.STATE.exists():
        both.flow.load_state_dict(torch.load(guidance.STATE, weights_only=True))
    vae = latents.load_vae()
    scale, shift = latents.moments()
    vae.register_to_config(scaling_factor=scale, shift_factor=shift)
    return FluxPipeline(
        scheduler=scheduler(),
        vae=vae,
        transformer=both.flow,
        text_encoder=both.texts.clip,
        text_encoder_2=both.texts.t5,
        tokenizer=both.texts.clip_tokenizer,
        tokenizer_2=both.texts.t5_tokenizer,
    )


def write_concept_features() -> None:
    """Store the mean EfficientNet-lite0 features of each concept's drawings, which prompt match is measured against."""
    from pocket.evaluate import gallery

    names, rows = gallery()
    drawn = rows[
        :, [corpus.STYLES.index(style) for style in ("flat", "cartoon", "glossy 3d", "outline")]
    ].mean(1)
    # their lengths do not matter
    features = (drawn * 127 / drawn.amax(1, keepdim=True)).round().to(torch.int8)
    save_file(
        {"features": features.contiguous()},
        MODEL / "concept_features.safetensors",
        metadata={
            "names": json.dumps(names),
            "features": "EfficientNet-lite0, pooled, each row to its own scale",
        },
    )


def write_sums(folder: Path) -> None:
    """List the SHA-256 of every weight file in a folder, which loading compares."""
    files = sorted(folder.rglob("*.safetensors"))
    lines = [
        f"{hashlib.sha256(path.read_bytes()).hexdigest()}  {path.relative_to(folder).as_posix()}\n"
        for path in files
    ]
    (folder / CHECKSUMS).write_text("".join(lines))


def main() -> None:
    pipeline().to(torch.float16).save_pretrained(MODEL, safe_serialization=True)
    for path in (MODEL / "model_index.json", MODEL / "tokenizer_2" / "tokenizer_config.json"):
        # its name before transformers 5
        path.write_text(path.read_text().replace("TokenizersBackend", "PreTrainedTokenizerFast"))
    write_concept_features()
    write_sums(MODEL)
    shutil.copy(corpus.CACHE / "provenance.csv", corpus.HERE)
    total = sum(path.stat().st_size for path in MODEL.rglob("*") if path.is_file())
    print(f"{MODEL}: {total / 1e6:.1f} MB")


if __name__ == "__main__":
    main()
