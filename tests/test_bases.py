import dataclasses
import shutil

import pytest

from lessons_lib.evaluation.sampler import Sampler
from lessons_lib.models import bases, families
from lessons_lib.paths import POCKET
from lessons_lib.session import current


def test_an_unknown_base_is_answered_with_the_known_ones():
    with pytest.raises(ValueError, match="pocket, sd15"):
        bases.find("dall-e")


def test_alpha_equals_rank_so_that_every_program_reads_the_same_strength():
    assert all(base.rank == base.alpha for base in bases.BASES.values())


def test_the_gated_model_says_so_and_is_not_the_default():
    assert bases.find("flux1-dev").gated and not bases.find("pocket").gated


def test_a_family_that_is_not_written_is_named():
    with pytest.raises(ValueError, match="'cascade'"):
        families.find("cascade")


@pytest.mark.parametrize("name", [line.split()[1] for line in (POCKET / bases.SUMS).read_text().splitlines()])
def test_a_weight_file_with_one_wrong_byte_is_refused_by_name(name, tmp_path):
    shutil.copytree(POCKET, tmp_path / "model")
    file = tmp_path / "model" / name
    data = bytearray(file.read_bytes())
    data[len(data) // 2] ^= 1
    file.write_bytes(data)
    broken = dataclasses.replace(bases.find("pocket"), repository=str(tmp_path / "model"))
    with pytest.raises(ValueError, match=f"{name} is damaged"):
        Sampler(broken)


def test_a_missing_pocket_model_says_where_it_was_expected(tmp_path):
    base = dataclasses.replace(bases.find("pocket"), repository=str(tmp_path))
    with pytest.raises(FileNotFoundError, match=str(tmp_path)):
        Sampler(base, current())
