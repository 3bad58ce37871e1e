"""A run's returned parts, put together as a stock FluxPipeline."""

from __future__ import annotations

import csv
import io
import zipfile
from pathlib import Path

import torch
from diffusers import AutoencoderKL, FlowMatchEulerDiscreteScheduler, FluxPipeline
from torch import Tensor

from pocket import pack, parts, provenance
from pocket.networks import Depth, Joint
from pocket.weights import MODEL


def joined(folder: Path, archive: Path, kind: str = "part") -> tuple[FluxPipeline, dict[str, Tensor]]:
    """Return the pipeline that a run's parts hold, in half precision, and pocket-schnell's weights in
    PEFT's names.

    kind: "teacher" takes the transformer as it was before guidance was distilled.
    """
    state, facts = parts.join(folder, "part")
    if kind == "teacher":
        state |= parts.join(folder, "teacher")[0]

    model = Joint(**facts["sizes"], depth=Depth(**facts["depth"]), width=facts["width"])
    for part in ("flow", "clip", "t5"):
        own = {n.removeprefix(f"{part}."): v.float() for n, v in state.items() if n.startswith(f"{part}.")}
        if part == "t5":
            own["encoder.embed_tokens.weight"] = own["shared.weight"]
        getattr(model, part).load_state_dict(own)
    vae = AutoencoderKL.from_pretrained(MODEL, subfolder="vae", torch_dtype=torch.float32)
    decoder = {n.removeprefix("decoder."): v.float() for n, v in state.items() if n.startswith("decoder.")}
    if decoder:
        vae.decoder.load_state_dict(decoder)
    read = pack.read(archive, 0.0)
    pipe = FluxPipeline(
        scheduler=FlowMatchEulerDiscreteScheduler.from_pretrained(MODEL, subfolder="scheduler"),
        vae=vae,
        transformer=model.flow,
        text_encoder=model.clip,
        text_encoder_2=model.t5,
        tokenizer=read.clip,
        tokenizer_2=read.t5,
    )
    return pipe.to(dtype=torch.float16), {
        n.removeprefix("schnell."): v for n, v in state.items() if n.startswith("schnell.")
    }


def join(folder: Path, archive: Path, to: Path, kind: str = "part") -> None:
    """Write `to`/model, `to`/schnell, `to`/provenance.csv and `to`/packages.csv as they lie in pocket/."""
    pipe, schnell = joined(folder, archive, kind)
    pipe.save_pretrained(to / "model", safe_serialization=True)
    for path in (to / "model" / "model_index.json", to / "model" / "tokenizer_2" / "tokenizer_config.json"):
        path.write_text(
            path.read_text().replace("TokenizersBackend", "PreTrainedTokenizerFast")
        )  # its name before transformers 5
    if schnell:
        FluxPipeline.save_lora_weights(to / "schnell", transformer_lora_layers=schnell)
    with zipfile.ZipFile(archive) as stored:
        provenance.write(csv.DictReader(io.StringIO(stored.read("things.csv").decode())), to)
    print(f"{to}: {sum(p.stat().st_size for p in to.rglob('*') if p.is_file()) / 1e6:.1f} MB")
