"""A whole training in one run on a rented GPU, against the clock; a CPU does for a trial.

`python -m pocket.rented run ARCHIVE --out FOLDER --seconds 540 --device cuda`, then at home
`python -m pocket.rented join FOLDER ARCHIVE --to PLACE`. See RENTED.md.
"""

from __future__ import annotations

import argparse
import shutil
import sys
import time
import zipfile
from collections.abc import Callable
from dataclasses import asdict, dataclass, replace
from pathlib import Path

import numpy as np
import torch
from diffusers import AutoencoderKL, FlowMatchEulerDiscreteScheduler, FluxPipeline, FluxTransformer2DModel
from PIL import Image
from torch import Tensor, nn
from transformers import CLIPTextModel, CLIPTokenizer, PreTrainedTokenizerFast, T5EncoderModel

from pocket import held_out, pack, parts, stages
from pocket.captions import token_ids, tokenized
from pocket.composer import Bank, Composer, Mix, Scenes
from pocket.corpus import HERE
from pocket.networks import Depth, Joint, start_from
from pocket.stages import Codes, Encoder, Feed, Progress, Settings, Timer
from pocket.training import Average

MODEL = HERE / "model"
SHARES = {"text": 0.07, "flow": 0.72, "guidance": 0.13, "four steps": 0.08}
WRITE_EVERY = 120.0
RESERVE = 0.05  # of the seconds, for the last writing, sheets and losses; twelve seconds at the least
PROMPTS = (
    "an elephant",
    "a tiger",
    "a house",
    "a sailboat",
    "a palm tree",
    "a king",
    "a rabbit",
    "a horse",
    "a castle",
    "a rose",
    "a camel in the desert",
    "a fish",
    "a flat drawing of an owl on a blue background",
    "a glossy 3d drawing of a guitar on a white background",
    "an outline drawing of a cat on a yellow background",
    "a lion left of a tree",
    "a bird above a house",
    "a dog and a ball in a garden",
    "two cows on green hills",
    "a small boat on the left, by the sea",
    "a fox in a forest, watercolour",
    "a peacock, jewel colours, thick outline",
    "a castle at night, in a patterned border",
    "a tiger, mosaic",
)


@dataclass(frozen=True)
class Options:
    """What a run is told; `scale` makes batches, looks and measures smaller, for trials."""

    seconds: float = 540.0
    device: str = "cpu"
    scale: float = 1.0
    depth: Depth = Depth()
    width: int = 256
    seed: int = 0
    resume: bool = False
    decoder_seconds: float = 0.0
    settings: Settings = Settings()


class Clock:
    """Seconds since a run began; `now` can be another clock, for tests."""

    def __init__(self, seconds: float, now: Callable[[], float] = time.monotonic) -> None:
        self.now, self.seconds = now, seconds
        self.start = now()

    def passed(self) -> float:
        return self.now() - self.start

    def left(self) -> float:
        return self.seconds - self.passed()


def seconds_of(stages_left: list[str], left: float, decoder: float) -> dict[str, float]:
    """Return how long each stage may take, in its order; the decoder's seconds are its own."""
    decoder = min(decoder, 0.5 * left)
    whole = sum(SHARES[s] for s in stages_left if s in SHARES)
    out = {s: SHARES[s] / whole * (left - decoder) for s in stages_left if s in SHARES}
    return out | ({"decoder": decoder} if "decoder" in stages_left and decoder else {})


class Run:
    """A run's parts on their device, and what it writes."""

    def __init__(
        self, archive: Path, out: Path, options: Options, now: Callable[[], float] = time.monotonic
    ) -> None:
        self.clock = Clock(options.seconds, now)
        self.out, self.options, self.archive = out, options, archive
        out.mkdir(parents=True, exist_ok=True)
        self.log_file = (out / "log.txt").open("a")
        self.progress, self.done, self.extra = Progress(self.log), list[str](), dict[str, Tensor]()
        self.device = torch.device(options.device)
        self.settings = replace(options.settings, batch=max(4, int(options.settings.batch * options.scale)))
        torch.manual_seed(options.seed)
        if self.device.type == "cuda":
            torch.backends.cuda.matmul.allow_tf32 = True
        self.pack = pack.read(archive, 1.0 if options.scale == 1 else max(0.05, options.scale))
        self.log(f"{len(self.pack.rows)} drawings unpacked")
        self._networks()
        self._feed()
        self.state = out.parent / f"{out.name}.state.pt"
        self._last_written = self.clock.passed()
        if options.resume and self.state.exists():
            self._resume()

    def log(self, text: str) -> None:
        line = f"[{self.clock.passed():6.1f} s] {text}"
        print(line, flush=True)
        self.log_file.write(line + "\n")
        self.log_file.flush()

    def _networks(self) -> None:
        clip, t5 = self.pack.clip, self.pack.t5
        self.sizes = {
            "pieces": len(clip),
            "words": len(t5),
            "first_register": t5.convert_tokens_to_ids("<r0>"),
        }
        self.model = Joint(**self.sizes, depth=self.options.depth, width=self.options.width)
        sums = pack.weight_sums()
        if sums and self.options.width == 256:
            if sums != self.pack.sums:
                raise ValueError(
                    f"{MODEL} holds other weights than those that {self.archive} was made for: pack again."
                )
            known = {
                "flow": FluxTransformer2DModel.from_pretrained(
                    MODEL, subfolder="transformer", torch_dtype=torch.float32
                ),
                "clip": CLIPTextModel.from_pretrained(
                    MODEL, subfolder="text_encoder", torch_dtype=torch.float32
                ),
                "t5": T5EncoderModel.from_pretrained(
                    MODEL, subfolder="text_encoder_2", torch_dtype=torch.float32
                ),
            }
            old = {
                "clip": CLIPTokenizer.from_pretrained(MODEL / "tokenizer").get_vocab(),
                "t5": PreTrainedTokenizerFast.from_pretrained(MODEL / "tokenizer_2").get_vocab(),
            }
            new = {"clip": clip.get_vocab(), "t5": t5.get_vocab()}
            left = start_from(
                self.model, {k: v.state_dict() for k, v in known.items()}, {k: (old[k], new[k]) for k in old}
            )
            rows = [name for name in left if "rows" in name]
            self.log(f"begins with {MODEL.name}; new: {rows} and {len(left) - len(rows)} tensors")
        self.model.to(self.device)
        self.encoder = Encoder(
            AutoencoderKL.from_pretrained(MODEL, subfolder="vae", torch_dtype=torch.float32), self.device
        )
        self.average = Average(self.model, 0.999 if self.options.scale == 1 else 0.99)

    def _feed(self) -> None:
        share = 1.0 if self.options.scale == 1 else max(self.options.scale, 0.01)
        phrases = pack.phrases_of(self.pack.names, share)
        composer = Composer(
            Bank(self.pack.pictures, self.pack.rows, self.device),
            phrases,
            pack.named_looks(share),
            self.device,
        )
        self.phrases, tokens = phrases, tokenized(phrases, self.pack.clip, self.pack.t5)
        self.feed = Feed(
            composer,
            self.encoder,
            tokens,
            self.settings.batch,
            1 + self.options.seed * 10**9,
            self.settings.workers,
        )
        if self.settings.compiled:
            composer.finish = torch.compile(composer.finish, dynamic=False)
            self.model.flow.compile(dynamic=False)
            self.model.t5.compile(dynamic=False)
        count = max(16, int(384 * self.options.scale))
        self.sets: dict[str, Scenes] = {
            "scenes": composer.scenes(count, stages.HELD_OUT_SEED, Mix(empty=0, strange=0))
        }
        for k, name in enumerate(held_out.FAMILIES):
            only = held_out.family(name)
            self.sets[name] = composer.scenes(
                max(8, count // 6), stages.HELD_OUT_SEED + 1 + k, Mix(empty=0, strange=0), only
            )
        few = max(2, int(8 * self.options.scale))
        some = [
            self.feed.made(composer.scenes(self.settings.batch, stages.HELD_OUT_SEED // 8 + k)).packed
            for k in range(few)
        ]
        self.codes = Codes.of(torch.cat(some))
        self.log(
            f"{len(phrases.texts)} phrases; codes from {few * self.settings.batch} scenes; "
            f"transformer {_millions(self.model.flow):.2f} M, "
            f"encoders {_millions(self.model.clip) + _millions(self.model.t5):.2f} M"
        )

    def facts(self) -> dict[str, object]:
        return {
            "written": round(self.clock.passed(), 1),
            "stage": self.progress.stage,
            "done": list(self.done),
            "steps": self.progress.steps,
            "pictures": self.progress.pictures,
            "losses": self.progress.losses,
            "depth": asdict(self.options.depth),
            "width": self.options.width,
            "sizes": self.sizes,
            "torch": torch.__version__,
            "device": self.device.type,
        }

    def write(self) -> None:
        """Write the averaged weights in parts, and the state that a later run goes on from."""
        self._last_written = self.clock.passed()
        names = ("flow.", "clip.", "t5.")
        kept = {n: v for n, v in self.average.weights.items() if n.startswith(names)} | self.extra
        paths = parts.write(parts.half(kept), self.out, "part", self.facts())
        (self.out / "facts.json").write_text(stages.as_json(self.facts()))
        state = {
            "model": self.model.state_dict(),
            "average": self.average.weights,
            "extra": self.extra,
            "done": self.done,
            "codes": (self.codes.mean, self.codes.directions, self.codes.spread),
            "seed": self.feed.seed,
            "steps": self.progress.steps,
            "pictures": self.progress.pictures,
        }
        torch.save(state, self.state.with_suffix(".tmp"))
        self.state.with_suffix(".tmp").rename(self.state)
        self.log(f"wrote {len(paths)} parts, {sum(p.stat().st_size for p in paths) / 1e6:.1f} MB")

    def tick(self) -> None:
        if self.clock.passed() - self._last_written > WRITE_EVERY:
            self.write()

    def _resume(self) -> None:
        state = torch.load(self.state, weights_only=True, map_location=self.device)
        self.model.load_state_dict(state["model"])
        self.average.weights = state["average"]
        self.extra, self.done, self.codes = state["extra"], state["done"], Codes(*state["codes"])
        self.feed.seed = state["seed"]
        self.progress.steps, self.progress.pictures = state["steps"], state["pictures"]
        self.log(f"goes on after step {state['steps']}, done: {state['done']}")

    def start_again(self, decay: float | None = None) -> None:
        """Go on from the averaged weights, with a new average."""
        self.model.load_state_dict(self.average.weights)
        self.average = Average(self.model, decay or self.average.decay)

    def train(self) -> None:
        before = stages.held_out_losses(self.model, self.feed, {"scenes": self.sets["scenes"]})
        self.log(f"held-out scenes before: {before['scenes']}")
        wanted = [s for s in (*SHARES, "decoder") if s not in self.done]
        reserve = max(RESERVE * self.options.seconds, min(12.0, 0.1 * self.options.seconds))
        while wanted:  # what an earlier stage took too long is shared among the later ones
            left = max(0.0, self.clock.left() - reserve)
            seconds = seconds_of(wanted, left, self.options.decoder_seconds).get(wanted[0], 0.0)
            name = wanted.pop(0)
            if seconds <= 0:
                continue
            timer = Timer(name, seconds, self.clock.now, self.tick, self.progress, self.settings.report_every)
            self._stage(name, timer)
            self.done.append(name)
            self.log(f"{name}: {timer.step} steps in {self.clock.now() - timer.start:.0f} s")

    def _stage(self, name: str, timer: Timer) -> None:
        model, average, feed, settings = self.model, self.average, self.feed, self.settings
        if name == "text":
            stages.train_text(model, average, feed, self.codes, timer, settings)
        elif name == "flow":
            self.start_again()
            stages.train_flow(model, self.average, feed, self.codes, timer, settings)
        elif name == "guidance":
            self.start_again(0.99)
            whole = {f"flow.{n}": v for n, v in model.flow.state_dict().items()}
            parts.write(parts.half(whole), self.out, "teacher", self.facts())
            rows = torch.zeros(1, len(self.sets["scenes"].rows[0]), dtype=torch.long)
            stages.train_guidance(model, self.average, feed, timer, settings, token_ids(rows, feed.tokens))
            self.start_again()
        elif name == "four steps":
            found = stages.train_four_steps(model, feed, timer, settings)
            self.extra |= {f"schnell.{n}": v for n, v in found.items()}
        else:
            self.extra |= {
                f"decoder.{n}": v for n, v in stages.train_decoder(self.encoder, feed, timer).items()
            }

    def finish(self) -> None:
        """Write weights, losses on held-out scenes and sheets of samples; what there is no time for is left
        out.
        """
        self.write()
        self.model.load_state_dict(self.average.weights)
        self.model.eval()
        if self.clock.left() > 0.01 * self.options.seconds:
            losses = stages.held_out_losses(self.model, self.feed, self.sets)
            (self.out / "facts.json").write_text(stages.as_json(self.facts() | {"held-out": losses}))
            looks = {name: row["sigma 0.95"] for name, row in losses.items() if name != "scenes"}
            self.log(f"held-out scenes: {losses['scenes']}; held-out looks at sigma 0.95: {looks}")
        if self.clock.left() > 0.01 * self.options.seconds:
            self.sheet().save(self.out / "sheet.jpg", quality=88)
        self.log(f"done, {self.clock.left():.1f} s left")
        self.feed.close()
        self.log_file.close()

    @torch.no_grad()
    def sheet(self) -> Image.Image:
        """Return composed scenes above what is drawn for PROMPTS, then one prompt a column with one seed
        for all.
        """
        count = len(PROMPTS) if self.options.scale == 1 else max(4, int(len(PROMPTS) * self.options.scale))
        prompts = list(PROMPTS[:count])
        with stages.mixed(self.device), torch.compiler.set_stance("force_eager"):
            t5 = self.pack.t5(
                prompts, padding="max_length", max_length=48, truncation=True, return_tensors="pt"
            ).input_ids
            clip = self.pack.clip(
                prompts, padding="max_length", max_length=64, truncation=True, return_tensors="pt"
            ).input_ids
            words = tuple(e.float() for e in self.model.encode(t5.to(self.device), clip.to(self.device)))
            levels = stages.sigmas(20 if self.options.scale == 1 else 4)
            drawn = stages.draw(self.model, words, 1000, levels)[-1]
            one_seed = torch.cat(
                [
                    stages.draw(self.model, tuple(e[k : k + 1] for e in words), 7, levels)[-1]
                    for k in range(min(8, count))
                ]
            )
        shown = self.sets["scenes"]
        pictures = [self.feed.composer.paint(shown)[:count].cpu()] + [
            self.encoder.decode(x).cpu() for x in (drawn, one_seed)
        ]
        return tiled(torch.cat(pictures), min(12, count))


def _millions(network: nn.Module) -> float:
    return sum(p.numel() for p in network.parameters()) / 1e6


def tiled(pictures: Tensor, columns: int) -> Image.Image:
    """Return (n, 3, h, w) pictures, 0 to 1, as one image."""
    side = pictures.shape[-1]
    sheet = Image.new("RGB", (columns * side, -(-len(pictures) // columns) * side), "white")
    for k, picture in enumerate((pictures.permute(0, 2, 3, 1).clamp(0, 1) * 255).byte().numpy()):
        sheet.paste(Image.fromarray(np.ascontiguousarray(picture)), (k % columns * side, k // columns * side))
    return sheet


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
    """Write `to`/model, `to`/schnell and `to`/provenance.csv as they lie in pocket/."""
    pipe, schnell = joined(folder, archive, kind)
    pipe.save_pretrained(to / "model", safe_serialization=True)
    for path in (to / "model" / "model_index.json", to / "model" / "tokenizer_2" / "tokenizer_config.json"):
        path.write_text(
            path.read_text().replace("TokenizersBackend", "PreTrainedTokenizerFast")
        )  # its name before transformers 5
    if schnell:
        FluxPipeline.save_lora_weights(to / "schnell", transformer_lora_layers=schnell)
    with (
        zipfile.ZipFile(archive) as stored,
        stored.open("things.csv") as source,
        open(to / "provenance.csv", "wb") as target,
    ):
        shutil.copyfileobj(source, target)
    print(f"{to}: {sum(p.stat().st_size for p in to.rglob('*') if p.is_file()) / 1e6:.1f} MB")


def parsed(arguments: list[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    commands = parser.add_subparsers(dest="command", required=True)
    run = commands.add_parser("run", help="train; on the rented machine")
    run.add_argument("archive", type=Path)
    run.add_argument("--out", type=Path, required=True)
    run.add_argument("--seconds", type=float, default=540, help="from start to end, all writing included")
    run.add_argument("--device", default="cuda" if torch.cuda.is_available() else "cpu")
    run.add_argument(
        "--scale",
        type=float,
        default=1.0,
        help="0.01 for a trial: batches, looks and measures a hundredth as large",
    )
    run.add_argument("--double", type=int, default=Depth().double)
    run.add_argument("--single", type=int, default=Depth().single)
    run.add_argument("--batch", type=int, default=Settings().batch)
    run.add_argument("--peak", type=float, default=Settings().peak, help="Muon's learning rate")
    run.add_argument("--contrast", type=float, default=0.0, help="weight of contrastive flow matching")
    run.add_argument("--decoder-seconds", type=float, default=0.0)
    run.add_argument("--seed", type=int, default=0)
    run.add_argument("--workers", type=int, default=4, help="threads that draw scenes ahead")
    run.add_argument("--no-compile", action="store_true")
    run.add_argument("--resume", action="store_true", help="go on from the state beside OUT")
    back = commands.add_parser("join", help="put the returned parts together; at home")
    back.add_argument("parts", type=Path)
    back.add_argument("archive", type=Path)
    back.add_argument("--to", type=Path, required=True)
    back.add_argument("--teacher", action="store_true", help="the transformer before guidance was distilled")
    return parser.parse_args(arguments)


def main(arguments: list[str] | None = None) -> None:
    o = parsed(sys.argv[1:] if arguments is None else arguments)
    if o.command == "join":
        join(o.parts, o.archive, o.to, "teacher" if o.teacher else "part")
        return
    compiled = o.device.startswith("cuda") and not o.no_compile
    settings = Settings(
        batch=o.batch,
        peak=o.peak,
        contrast=o.contrast,
        workers=o.workers,
        compiled=compiled,
        curves=max(8, int(Settings().curves * o.scale)),
    )
    options = Options(
        o.seconds,
        o.device,
        o.scale,
        Depth(o.double, o.single),
        256,
        o.seed,
        o.resume,
        o.decoder_seconds,
        settings,
    )
    run = Run(o.archive, o.out, options)
    try:
        run.train()
    finally:
        run.finish()


if __name__ == "__main__":
    main()
