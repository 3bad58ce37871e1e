import sys
from pathlib import Path

import pytest
import torch
from PIL import Image
from torch import nn

from benchmarks import blank, floor, growth, packed, real_size, speed, stand_in
from lessons_lib.course import recorded
from lessons_lib.training import memory_records


def test_the_floor_counts_what_a_step_multiplies():
    model = nn.Sequential(nn.Linear(6, 5), nn.Linear(5, 4))
    model[0].weight.requires_grad_(False)
    x = torch.randn(2, 3, 6)
    first, second = floor.products(model, lambda: model(x))
    assert (first.rows, first.inside, first.outside) == (6, 6, 5)
    assert not first.to_input and not first.to_weight
    assert first.operations == 2 * 6 * 6 * 5
    # the bias of the first layer learns, so the second has to pass a gradient on
    assert second.to_input and second.to_weight and second.operations == 3 * 2 * 6 * 5 * 4
    seconds, operations = floor.floor(floor.products(model, lambda: model(x)))
    assert seconds > 0 and operations == first.operations + second.operations


def test_a_step_of_the_script_is_read_from_its_progress_bar():
    line = "Steps:   7%|7         | 14/200 [00:05<01:02,  2.97it/s, loss=0.451, lr=0.0028]"
    assert speed.BAR.search(line).groups() == ("14", "0.451")
    assert speed.BAR.search("Caching latents: 100%|###| 4/4 [00:00<00:00]") is None


def test_a_step_takes_the_median_of_what_came_after_the_first():
    ends = [float(i * i) for i in range(speed.FIRST)] + [200.0, 201.0, 202.0, 210.0]
    assert speed.Trace(ends, [0.0] * len(ends), 1.0, Path()).step == 1.0


def test_a_competitor_that_fails_is_reported_with_its_last_lines():
    with pytest.raises(RuntimeError, match="no memory left"):
        speed.run_watched([sys.executable, "-c", "raise SystemExit('no memory left')"])


def test_the_page_sets_everything_beside_ours():
    traces = {
        "ours": speed.Trace([float(i) for i in range(24)], [0.5] * 24, 1.0, Path()),
        "bare loop": speed.Trace([2.0 * i for i in range(24)], [0.6] * 24, 2.0, Path()),
    }
    text = speed.page(traces, {"ours": 0.4, "bare loop": 0.41, "base": 0.8}, 0.5, 1e9)
    assert "| ours | 1000 | 1.00 | 50% | 1.00 | 0.4000 | +0.0% |" in text
    assert "| bare loop | 2000 | 2.00 | 25% | 2.00 | 0.4100 | +2.5% |" in text
    assert "| 1-6 | 0.500 | 0.600 |" in text


def test_the_stand_in_makes_tensors_as_torchvision_does():
    image = Image.new("RGB", (4, 2), (255, 0, 51))
    tensor = stand_in.chain([stand_in.to_tensor, lambda t: (t - 0.5) / 0.5])(image)
    assert tensor.shape == (3, 2, 4)
    assert torch.allclose(tensor[:, 0, 0], torch.tensor([1.0, -1.0, -0.6]), atol=1e-6)


def test_growth_is_drawn_and_written_with_a_row_a_case(tmp_path):
    costs = {
        kind: [growth.Cost(10.0 * v, 1.0 * v, 0.5) for v in values] for kind, values in growth.CASES.items()
    }
    growth.plot(costs, tmp_path / "growth.jpg")
    with Image.open(tmp_path / "growth.jpg") as picture:
        assert picture.format == "JPEG" and picture.width == 900
    rows = [
        line for line in growth.page(costs).splitlines() if line.startswith(tuple(f"| {k} " for k in costs))
    ]
    assert len(rows) == sum(map(len, costs.values())) and rows[0] == "| pictures | 4 | 40 | 4.0 | 0.50 |"


PUBLISHED = {"sd15": 0.86, "sdxl": 2.57, "flux2-klein": 3.88, "flux1-dev": 11.9, "z-image": 6.15}  # billions


@pytest.mark.parametrize("name", blank.NAMES)
def test_a_blank_denoiser_has_as_many_parameters_as_its_maker_says(name):
    assert blank.denoiser_size(name) / 1e9 == pytest.approx(PUBLISHED[name], rel=0.005)


def test_a_packed_training_is_measured_and_recorded_and_may_be_too_large(tmp_path, monkeypatch, capsys):
    pytest.importorskip("bitsandbytes", reason="the extra `test` has it")
    costs = {"step": 0.5, "memory": 9.5}
    monkeypatch.setattr(packed.Bench, "ours", lambda bench, place, *more: costs if "nf4" in more else {})
    for under, code in (("9", 1), ("10", 0)):
        words = ["packed", "flux1-dev", "--under", under, "--small", "--recorded", str(tmp_path)]
        monkeypatch.setattr("sys.argv", words)
        assert packed.main() == code
    (row,) = recorded.load("packed", tmp_path)["result"]["rows"]
    monkeypatch.setattr(memory_records, "RECORDED", tmp_path)
    monkeypatch.setattr(memory_records, "PROOFS", tmp_path / "proofs")
    (record,) = memory_records.records.__wrapped__()
    assert (record.quantize, record.gigabytes, record.resolution) == ("nf4", 9.5, row["side"])


def test_the_table_of_real_sizes_is_what_was_recorded():
    record = recorded.load("real_size")
    assert (real_size.HERE / "REAL_SIZE.md").read_text() == real_size.page(record)
    assert {row["base"] for row in record["result"]["rows"]} == set(real_size.SCRIPTS) == set(blank.NAMES)


def test_a_competitor_is_stopped_after_its_steps_and_its_first_ones_are_not_timed():
    count = real_size.FIRST + 4
    bar = (
        "import sys, time\n"
        "for n in range(1, 99):\n"
        "    print(f'Steps: {n}/99 [0, loss=1.0]', file=sys.stderr, flush=True)\n"
        "    time.sleep(0.3 if n <= 4 else 0.03)"
    )
    costs = real_size.timed([sys.executable, "-c", bar], None, count)
    assert costs["step"] < 0.2
