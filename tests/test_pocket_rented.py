"""The run on a rented machine, end to end in miniature: its clock, its parts, and what they are put
together to.
"""

import pickle

import pytest
import torch
from pocket_miniature import drawings

from pocket import feed, joining, networks, pack, parts, stages, timing
from pocket.networks import Depth
from pocket.options import Options, Settings
from pocket.rented import Run
from pocket.wording import Mix

TINY = Settings(batch=4, curves=4, workers=1, report_every=1e9)


class FakeClock:
    """A clock that moves on by a fiftieth of a second whenever somebody looks at it."""

    def __init__(self) -> None:
        self.time = 0.0

    def __call__(self) -> float:
        self.time += 0.02
        return self.time


@pytest.fixture(scope="module")
def archive(tmp_path_factory):
    path = tmp_path_factory.mktemp("archive") / "archive.zip"
    pack.write(path, *drawings())
    return path


def tiny_run(archive, out, seconds=7.0, **more) -> Run:
    options = Options(seconds=seconds, scale=0.01, depth=Depth(1, 1), width=64, settings=TINY, **more)
    return Run(archive, out, options, now=FakeClock())


@pytest.fixture(scope="module")
def finished(archive, tmp_path_factory):
    run = tiny_run(archive, tmp_path_factory.mktemp("run") / "out", decoder_seconds=0.6)
    run.train()
    run.finish()
    return run


def test_an_archive_gives_back_its_drawings_and_rows(archive):
    back = pack.read(archive)
    pictures, rows = drawings()
    assert back.rows == rows and back.pictures.shape == pictures.shape
    covered = pictures[..., 3] > 0
    assert abs(back.pictures.numpy()[covered].astype(int) - pictures[covered]).mean() < 6
    assert back.sums == pack.weight_sums()


def test_an_archive_that_is_too_large_is_refused(tmp_path, monkeypatch):
    monkeypatch.setattr(pack, "LIMIT", 1000)
    with pytest.raises(ValueError, match="fewer drawings"):
        pack.write(tmp_path / "archive.zip", *drawings())
    assert not (tmp_path / "archive.zip").exists()


def test_every_stage_runs_and_the_run_ends_in_time(finished):
    assert finished.done == ["text", "flow", "guidance", "four steps", "decoder"]
    assert finished.progress.steps >= 5
    assert finished.clock.passed() <= finished.clock.seconds


def test_a_loss_that_is_no_number_stops_the_run(archive, tmp_path):
    run = tiny_run(archive, tmp_path / "out")
    run.model.flow.proj_out.bias.data.fill_(float("nan"))
    with pytest.raises(FloatingPointError, match="flow step 1: .*nan"):
        run.train()
    run.feed.close()
    assert not list((tmp_path / "out").glob("part-*"))


def test_a_process_of_its_own_draws_the_same_scenes(finished):
    own = finished.feed.composer, finished.feed.tokens
    feed._begin(own[0].without_drawings(), own[1])
    apart = pickle.loads(feed._drawn_apart(6, 3, Mix()))
    here = feed._drawn(*own, 6, 3, Mix())
    assert all(torch.equal(getattr(apart, name), getattr(here, name)) for name in ("rows", "x", "colours"))


def test_after_each_new_batch_earlier_ones_come_again(finished):
    drawn = finished.feed
    again = feed.Feed(drawn.composer, drawn.encoder, drawn.tokens, 4, 1, 1, replays=2)
    batches = [batch for batch, _ in zip(again, range(9), strict=False)]
    again.close()
    new = [id(batch) for batch in batches[::3]]
    assert len(set(new)) == 3
    for k, batch in enumerate(batches):
        assert id(batch) in new[: k // 3 + 1]


def test_a_run_leaves_its_parts_a_sheet_and_its_losses(finished):
    names = {path.name for path in finished.out.iterdir()}
    assert {"part-1.safetensors", "teacher-1.safetensors", "facts.json", "sheet.jpg", "log.txt"} <= names
    assert len(names) <= 8 and "held-out" in (finished.out / "facts.json").read_text()


def test_joined_parts_are_the_averaged_weights_and_draw(finished, archive, tmp_path):
    pipe, schnell = joining.joined(finished.out, archive)
    name = "transformer_blocks.0.attn.to_q.weight"
    assert torch.equal(pipe.transformer.state_dict()[name], finished.average.weights[f"flow.{name}"].half())
    assert schnell and all("lora" in n for n in schnell)
    joining.join(finished.out, archive, tmp_path)
    assert (tmp_path / "provenance.csv").read_text().startswith("thing,package,names\n")
    assert (tmp_path / "packages.csv").read_text().splitlines()[1] == "package-one,1,one,MIT"
    image = pipe.to(dtype=torch.float32)(
        "an elephant", height=128, width=128, num_inference_steps=1, max_sequence_length=48
    ).images[0]
    assert image.size == (128, 128)


def test_the_teacher_is_the_transformer_before_guidance(finished, archive):
    teacher, student = (
        joining.joined(finished.out, archive, kind)[0].transformer.state_dict()
        for kind in ("teacher", "part")
    )
    assert any(not torch.equal(teacher[n], student[n]) for n in teacher)


def test_a_run_goes_on_from_its_state(archive, tmp_path):
    first = tiny_run(archive, tmp_path / "out", seconds=4.0)
    first._stage("text", timing.Timer("text", 1.0, first.clock.now, first.tick, first.progress, 1e9))
    first.done.append("text")
    first.write()
    second = tiny_run(archive, tmp_path / "out", seconds=4.0, resume=True)
    assert (
        second.done == ["text"]
        and second.progress.steps == first.progress.steps
        and second.feed.seed == first.feed.seed
    )
    assert all(
        torch.equal(value, second.average.weights[name]) for name, value in first.average.weights.items()
    )


def test_a_steady_run_leaves_the_encoders_stage_out(archive, tmp_path):
    run = tiny_run(archive, tmp_path / "out", seconds=4.0, steady=True)
    run.train()
    assert run.done == ["flow", "guidance", "four steps"]


def test_a_run_goes_on_from_what_another_knew_before_its_guidance(archive, finished, tmp_path):
    run = tiny_run(archive, tmp_path / "out", after=finished.out)
    teacher = parts.join(finished.out, "teacher")[0]
    encoders = parts.join(finished.out, "part")[0]
    own = run.model.state_dict()
    assert teacher and all(torch.equal(own[n], v.float()) for n, v in teacher.items())
    assert torch.equal(own["t5.shared.weight"], encoders["t5.shared.weight"].float())
    assert torch.equal(own["t5.encoder.embed_tokens.weight"], own["t5.shared.weight"])


def test_weights_are_written_when_two_minutes_have_passed(archive, tmp_path):
    run = tiny_run(archive, tmp_path / "out")
    run.tick()
    assert not list(run.out.glob("*.safetensors"))
    run.clock.now.time += timing.WRITE_EVERY + 1
    run.tick()
    assert list(run.out.glob("part-*.safetensors"))


def test_weights_that_are_no_numbers_take_the_place_of_none(archive, tmp_path):
    run = tiny_run(archive, tmp_path / "out")
    run.write()
    before = {path.name: path.read_bytes() for path in [*run.out.glob("part-*"), run.state]}
    run.average.weights["flow.proj_out.bias"][0] = float("inf")
    run.clock.now.time += timing.WRITE_EVERY + 1
    with pytest.raises(FloatingPointError, match="weights are not finite"):
        run.tick()
    assert {path.name: path.read_bytes() for path in [*run.out.glob("part-*"), run.state]} == before


def test_stages_share_what_time_there_is():
    shares = timing.seconds_of(["text", "flow", "guidance", "four steps"], 100, 0)
    assert sum(shares.values()) == pytest.approx(100) and max(shares, key=shares.__getitem__) == "flow"
    later = timing.seconds_of(["guidance", "four steps", "decoder"], 100, 20)
    assert later["decoder"] == 20 and sum(later.values()) == pytest.approx(100)


def test_a_stage_that_an_earlier_run_was_in_goes_on_at_its_share_and_gets_less_time():
    whole = timing.seconds_of(["flow", "guidance"], 100, 0)
    rest = timing.seconds_of(["flow", "guidance"], 100, 0, begun=0.5)
    assert rest["flow"] < whole["flow"] and sum(rest.values()) == pytest.approx(100)
    clock = iter([0.0, 5.0, 10.0])
    timer = timing.Timer("flow", 10.0, lambda: next(clock), int, timing.Progress(print), 1e9, begun=0.5)
    assert (timer.share(), timer.share()) == (0.75, 1.0)


def test_parts_put_together_are_the_whole(tmp_path):
    state = {f"w{k}": torch.randn(50, k + 1) for k in range(9)}
    paths = parts.write(state, tmp_path, "part", {"step": 1}, limit=2500)
    assert len(paths) > 2 and all(path.stat().st_size < 4000 for path in paths)
    back, facts = parts.join(tmp_path, "part")
    assert facts == {"step": 1} and all(torch.equal(back[n], state[n]) for n in state)


def test_parts_of_two_writings_are_refused_and_so_is_a_missing_one(tmp_path):
    state = {f"w{k}": torch.randn(50, 4) for k in range(6)}
    first, *_, last = parts.write(state, tmp_path, "part", {"step": 1}, limit=2500)
    old = last.read_bytes()
    parts.write(state, tmp_path, "part", {"step": 2}, limit=2500)
    last.write_bytes(old)
    with pytest.raises(ValueError, match="another time"):
        parts.join(tmp_path, "part")
    last.unlink()
    with pytest.raises(ValueError, match="parts of part"):
        parts.join(tmp_path, "part")


def inputs(width: int) -> dict[str, torch.Tensor]:
    return {
        "noisy": torch.randn(2, 64, 64),
        "sigma": torch.rand(2),
        "guidance": torch.ones(2),
        "embeddings": (torch.randn(2, 48, width), torch.randn(2, width)),
    }


def test_a_deeper_transformer_begins_as_the_shallower_one():
    shallow, deep = (networks.Joint(70, 60, 44, Depth(1, single), 64) for single in (1, 3))
    for p in shallow.parameters():
        torch.nn.init.normal_(p, std=0.05)
    left = networks.start_from(deep, {"flow": shallow.flow.state_dict()}, {})
    arguments = inputs(64)
    assert left and torch.allclose(deep.velocity(**arguments), shallow.velocity(**arguments), atol=1e-5)


def test_known_words_keep_their_rows_in_a_new_vocabulary():
    model = networks.Joint(70, 60, 44, Depth(1, 1), 64)
    rows = torch.randn(3, 64)
    networks.start_from(
        model, {"t5": {"shared.weight": rows}}, {"t5": ({"a": 0, "b": 1, "c": 2}, {"x": 0, "c": 5, "a": 9})}
    )
    shared = model.t5.shared.weight
    assert torch.equal(shared[5], rows[2]) and torch.equal(shared[9], rows[0])


def test_losses_are_measured_with_the_same_noise_every_time(finished):
    one, again = (
        stages.held_out_losses(finished.model, finished.feed, {"scenes": finished.sets["scenes"]})
        for _ in range(2)
    )
    assert one == again and set(one["scenes"]) == {"sigma 0.5", "sigma 0.8", "sigma 0.95"}
