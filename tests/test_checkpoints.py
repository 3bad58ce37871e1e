"""A state comes back as it was; a damaged file, another job's and a full disk lose nothing."""

import errno

import pytest
import torch

from lessons_lib.training import checkpoints

JOB = "a" * 64


def state(value=1.0):
    return {
        "adapter": {"layer.weight": torch.full((2, 3), value, dtype=torch.float16)},
        "optimizer": {
            "state": {0: {"step": torch.tensor(7.0)}},
            "groups": [{"lr": 0.1 + 0.2, "betas": (0.9, 0.999)}],
        },
        "generator": torch.Generator().manual_seed(3).get_state(),
        "step": 7,
        "numbers": {"smooth_loss": 1 / 3},
    }


def test_a_state_comes_back_bit_for_bit_with_its_kinds(tmp_path):
    checkpoints.write(tmp_path, 7, JOB, state())
    back = checkpoints.latest(tmp_path, JOB)
    assert torch.equal(back["adapter"]["layer.weight"], state()["adapter"]["layer.weight"])
    assert back["adapter"]["layer.weight"].dtype == torch.float16
    assert list(back["optimizer"]["state"]) == [0] and back["optimizer"]["state"][0]["step"].shape == ()
    assert back["optimizer"]["groups"] == [{"lr": 0.1 + 0.2, "betas": [0.9, 0.999]}]
    assert torch.equal(back["generator"], state()["generator"])
    assert back["numbers"] == {"smooth_loss": 1 / 3}


def test_only_the_newest_is_kept(tmp_path):
    for step in (90, 100, 1000):
        checkpoints.write(tmp_path, step, JOB, state(step))
    checkpoints.keep_newest(tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["001000.safetensors"]
    assert checkpoints.latest(tmp_path, JOB)["adapter"]["layer.weight"][0, 0] == 1000


def test_another_jobs_state_is_not_taken(tmp_path):
    checkpoints.write(tmp_path, 7, JOB, state())
    assert checkpoints.latest(tmp_path, "b" * 64) is None
    assert checkpoints.latest(tmp_path / "nowhere", JOB) is None


@pytest.mark.parametrize("share", [0.0, 0.3, 0.7, 0.99])
def test_a_cut_file_is_passed_over_for_the_older_whole_one(tmp_path, share):
    older = checkpoints.write(tmp_path, 7, JOB, state(1)).read_bytes()
    newer = checkpoints.write(tmp_path, 8, JOB, state(2))
    (tmp_path / "000007.safetensors").write_bytes(older)
    data = newer.read_bytes()
    newer.write_bytes(data[: int(share * len(data))])
    assert checkpoints.latest(tmp_path, JOB)["adapter"]["layer.weight"][0, 0] == 1


def test_a_flipped_bit_is_noticed(tmp_path):
    path = checkpoints.write(tmp_path, 7, JOB, state())
    data = bytearray(path.read_bytes())
    data[-1] ^= 1
    path.write_bytes(data)
    assert checkpoints.latest(tmp_path, JOB) is None


def test_a_full_disk_is_said_and_the_older_state_stays(tmp_path, monkeypatch):
    checkpoints.write(tmp_path, 7, JOB, state(1))

    def full(*_):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr("lessons_lib.storage.os.replace", full)
    with pytest.raises(
        OSError, match=r"checkpoint of step 8 cannot be written .*No space left on device.*free some space"
    ):
        checkpoints.write(tmp_path, 8, JOB, state(2))
    assert checkpoints.latest(tmp_path, JOB)["adapter"]["layer.weight"][0, 0] == 1
    assert [path.name for path in tmp_path.iterdir()] == ["000007.safetensors"]
