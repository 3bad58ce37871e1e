"""A whole training in one run on a rented GPU, against the clock; a CPU does for a trial.

`python -m pocket.rented run ARCHIVE --out FOLDER --seconds 540 --device cuda`, then at home
`python -m pocket.rented join FOLDER ARCHIVE --to PLACE`. See RENTED.md.
"""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Callable
from dataclasses import asdict, replace
from pathlib import Path

import torch
from diffusers import AutoencoderKL
from torch import Tensor, nn

from pocket import held_out, pack, parts, placing, stages
from pocket.captions import token_ids, tokenized
from pocket.composer import Composer
from pocket.drawings import Bank
from pocket.feed import HELD_OUT_SEED, Codes, Encoder, Feed
from pocket.joining import join
from pocket.networks import Depth, Joint, load_earlier
from pocket.options import STEADY_SETTINGS, Options, Settings, parsed
from pocket.painting import Scenes
from pocket.pool import PoolFeed
from pocket.samples import PROMPTS, sheet
from pocket.timing import RESERVE, SHARES, WRITE_EVERY, Clock, Progress, Timer, seconds_of
from pocket.training import Average
from pocket.weights import MODEL
from pocket.wording import Mix


class Run:
    """A run's parts on their device, and what it writes."""

    def __init__(
        self, archive: Path, out: Path, options: Options, now: Callable[[], float] = time.monotonic
    ) -> None:
        self.clock = Clock(options.seconds, now)
        self.out, self.options, self.archive = out, options, archive
        out.mkdir(parents=True, exist_ok=True)
        self.log_file = (out / "log.txt").open("a", encoding="utf-8")
        self.progress, self.done, self.extra = Progress(self.log), list[str](), dict[str, Tensor]()
        self._begun: tuple[str, float] = ("", 0.0)  # the stage that an earlier run was in, and its part done
        self.device = torch.device(options.device)
        self.settings = replace(options.settings, batch=max(4, int(options.settings.batch * options.scale)))
        torch.manual_seed(options.seed)
        if self.device.type == "cuda":
            torch.set_float32_matmul_precision("high")
            # cuDNN's attention gives NaN gradients on an H100 or H200 (pytorch/pytorch issue 196678).
            torch.backends.cuda.enable_cudnn_sdp(False)
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
        sums = {} if self.options.after else pack.weight_sums()
        if sums and self.options.width == 256:
            if sums != self.pack.sums:
                raise ValueError(
                    f"{MODEL} holds other weights than those that {self.archive} was made for: pack again."
                )
            left = load_earlier(self.model, MODEL, clip, t5)
            rows = [name for name in left if "rows" in name]
            self.log(f"begins with {MODEL.name}; new: {rows} and {len(left) - len(rows)} tensors")
        if self.options.after:
            self._begin_after(self.options.after)
        self.model.to(self.device)
        self.encoder = Encoder(
            AutoencoderKL.from_pretrained(MODEL, subfolder="vae", torch_dtype=torch.float32), self.device
        )
        self.average = Average(self.model, 0.999 if self.options.scale == 1 else 0.99)

    def _begin_after(self, out: Path) -> None:
        """Begin with what an earlier run had learned before its guidance, encoders included."""
        earlier = parts.join(out, "part")[0] | parts.join(out, "teacher")[0]
        left, _ = self.model.load_state_dict({n: v.float() for n, v in earlier.items()}, strict=False)
        self.log(f"goes on from {out.name}; as they were: {left}")

    def _feed(self) -> None:
        share = 1.0 if self.options.scale == 1 else max(self.options.scale, 0.01)
        phrases = pack.phrases_of(self.pack.names, share)
        composer = Composer(
            Bank(self.pack.pictures, self.pack.rows, self.device),
            phrases,
            pack.named_looks(share),
            self.device,
            [placing.COMPOSITIONS[name] for name in self.options.compositions],
        )
        self.phrases, tokens = phrases, tokenized(phrases, self.pack.clip, self.pack.t5)
        own = (composer, self.encoder, tokens, self.settings.batch, 1 + self.options.seed * 10**9)
        pools, settings = self.options.pools, self.settings
        self.feed = (
            PoolFeed(*own, pools, settings.soft) if pools else Feed(*own, settings.workers, settings.replays)
        )
        if self.settings.compiled:
            torch._dynamo.config.suppress_errors = True  # what does not compile there runs as it is
            composer.finish = torch.compile(composer.finish, dynamic=False)
            composer.dress = torch.compile(composer.dress, dynamic=False)
            # Each kind of block once. T5 took 17 seconds to compile, more than a run gains by it.
            self.model.flow.compile_repeated_blocks(dynamic=False)
        self.sets = self._held_out_sets(composer)
        few = max(2, int(8192 * self.options.scale) // self.settings.batch)
        self.codes = Codes.of(torch.cat([self.feed.example(k).packed for k in range(few)]))
        self.log(
            f"{len(phrases.texts)} phrases; codes from {few * self.settings.batch} scenes; "
            f"transformer {_millions(self.model.flow):.2f} M, "
            f"encoders {_millions(self.model.clip) + _millions(self.model.t5):.2f} M"
        )

    def _held_out_sets(self, composer: Composer) -> dict[str, Scenes]:
        """Return scenes that are never trained on, and some in each held-out look."""
        count = max(16, int(384 * self.options.scale))
        sets = {"scenes": self.feed.short(composer.scenes(count, HELD_OUT_SEED, Mix(empty=0, strange=0)))}
        for k, name in enumerate(held_out.FAMILIES):
            only = held_out.family(name)
            seed = HELD_OUT_SEED + 1 + k
            scenes = composer.scenes(max(8, count // 6), seed, Mix(empty=0, strange=0), only)
            sets[name] = self.feed.short(scenes)
        return sets

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
        """Write the averaged weights in parts, and the state that a later run goes on from.

        Raises FloatingPointError, and writes nothing, where one of them is no longer a number.
        """
        self._last_written = self.clock.passed()
        self._refuse_not_finite()
        names = ("flow.", "clip.", "t5.")
        weights = {n: v for n, v in self.average.weights.items() if n.startswith(names)} | self.extra
        paths = parts.write(parts.half(weights), self.out, "part", self.facts())
        (self.out / "facts.json").write_text(stages.as_json(self.facts()), encoding="utf-8")
        state = {
            "model": self.model.state_dict(),
            "average": self.average.weights,
            "extra": self.extra,
            "done": self.done,
            "codes": (self.codes.mean, self.codes.directions, self.codes.spread),
            "seed": self.feed.seed,
            "steps": self.progress.steps,
            "pictures": self.progress.pictures,
            "stage": self.progress.stage,
            "share": self.progress.share,
        }
        torch.save(state, self.state.with_suffix(".tmp"))
        os.replace(self.state.with_suffix(".tmp"), self.state)
        self.log(f"wrote {len(paths)} parts, {sum(p.stat().st_size for p in paths) / 1e6:.1f} MB")

    def _refuse_not_finite(self) -> None:
        values = [*self.model.state_dict().values(), *self.average.weights.values(), *self.extra.values()]
        if not all(torch.isfinite(value).all() for value in values):
            raise FloatingPointError(f"{self.progress.stage}: weights are not finite")

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
        self._begun = (state.get("stage", ""), state.get("share", 0.0))
        if "flow" in self.done and "guidance" not in self.done and list(self.out.glob("teacher-*")):
            teacher = parts.join(self.out, "teacher")[0]
            for name, value in teacher.items():  # a student that was cut short is no teacher
                self.average.weights[name].copy_(value)
            self.start_again()
        self.log(f"goes on after step {state['steps']}, done: {state['done']}")

    def start_again(self, decay: float | None = None) -> None:
        """Go on from the averaged weights, with a new average."""
        self.model.load_state_dict(self.average.weights)
        self.average = Average(self.model, decay or self.average.decay)

    def train(self) -> None:
        before = stages.held_out_losses(self.model, self.feed, {"scenes": self.sets["scenes"]})
        self.log(f"held-out scenes before: {before['scenes']}")
        without = {"text"} if self.options.steady else set()
        wanted = [s for s in (*SHARES, "decoder") if s not in (*self.done, *without)]
        reserve = max(RESERVE * self.options.seconds, min(12.0, 0.1 * self.options.seconds))
        while wanted:  # what an earlier stage took too long is shared among the later ones
            left = max(0.0, self.clock.left() - reserve)
            begun = self._begun[1] if wanted[0] == self._begun[0] else 0.0
            seconds = seconds_of(wanted, left, self.options.decoder_seconds, begun).get(wanted[0], 0.0)
            name = wanted.pop(0)
            if seconds <= 0:
                continue
            report = self.settings.report_every
            timer = Timer(name, seconds, self.clock.now, self.tick, self.progress, report, begun)
            waited = self.feed.waited
            self._stage(name, timer)
            self.done.append(name)
            seconds, waited = self.clock.now() - timer.start, self.feed.waited - waited
            self.log(f"{name}: {timer.step} steps in {seconds:.0f} s, {waited:.0f} s waiting for scenes")

    def _stage(self, name: str, timer: Timer) -> None:
        model, average, feed, settings = self.model, self.average, self.feed, self.settings
        if name == "text":
            stages.train_text(model, average, feed, self.codes, timer, settings)
        elif name == "flow":
            self.start_again()
            stages.train_flow(model, self.average, feed, self.codes, timer, settings)
        elif name == "guidance":
            self._refuse_not_finite()
            self.start_again(0.99)
            whole = {f"flow.{n}": v for n, v in model.flow.state_dict().items()}
            parts.write(parts.half(whole), self.out, "teacher", self.facts())
            rows = torch.zeros(1, len(self.sets["scenes"].rows[0]), dtype=torch.long)
            stages.train_guidance(model, self.average, feed, timer, settings, token_ids(rows, feed.tokens))
            self.start_again()
        elif name == "four steps":
            adapter = stages.train_four_steps(model, feed, timer, settings)
            self.extra |= {f"schnell.{n}": v for n, v in adapter.items()}
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
            text = stages.as_json(self.facts() | {"held-out": losses})
            (self.out / "facts.json").write_text(text, encoding="utf-8")
            looks = {name: row["sigma 0.95"] for name, row in losses.items() if name != "scenes"}
            self.log(f"held-out scenes: {losses['scenes']}; held-out looks at sigma 0.95: {looks}")
        if self.clock.left() > 0.01 * self.options.seconds:
            count = (
                len(PROMPTS) if self.options.scale == 1 else max(4, int(len(PROMPTS) * self.options.scale))
            )
            steps = 20 if self.options.scale == 1 else 4
            page = sheet(
                self.model, self.feed, (self.pack.clip, self.pack.t5), self.sets["scenes"], count, steps
            )
            page.save(self.out / "sheet.jpg", quality=88)
        self.log(f"done, {self.clock.left():.1f} s left")
        self.feed.close()
        self.log_file.close()


def _millions(network: nn.Module) -> float:
    return sum(p.numel() for p in network.parameters()) / 1e6


def main(arguments: list[str] | None = None) -> None:
    o = parsed(sys.argv[1:] if arguments is None else arguments, __doc__)
    if o.command == "join":
        join(o.parts, o.archive, o.to, "teacher" if o.teacher else "part")
        return
    compiled = o.device.startswith("cuda") and not o.no_compile
    own = STEADY_SETTINGS if o.steady else {}
    settings = Settings(
        batch=o.batch,
        contrast=o.contrast,
        workers=o.workers,
        replays=o.replays,
        mix=Mix(bare=o.bare),
        compiled=compiled,
        curves=max(8, int(Settings().curves * o.scale)),
        **(own if o.peak is None else own | {"peak": o.peak}),
    )
    options = Options(
        seconds=o.seconds,
        device=o.device,
        scale=o.scale,
        depth=Depth(o.double, o.single),
        seed=o.seed,
        resume=o.resume,
        decoder_seconds=o.decoder_seconds,
        settings=settings,
        pools=dict(o.pool),
        steady=o.steady,
        after=o.after,
        compositions=o.composition or ("steady" if o.steady else "free",),
    )
    run = Run(o.archive, o.out, options)
    try:
        _train(run)
    except FloatingPointError as error:  # what was written before is worth more than what is left now
        run.feed.close()
        sys.exit(f"Stopped, nothing more was written: {error}")


def _train(run: Run) -> None:
    """Train, and write what there is also where that is interrupted, but no weights that are no numbers."""
    try:
        run.train()
    except FloatingPointError:
        raise
    except BaseException:
        run.finish()
        raise
    run.finish()


if __name__ == "__main__":
    main()
