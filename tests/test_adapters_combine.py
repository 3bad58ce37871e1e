"""Several adapters in one file: the sum is exact side by side, the best of its rank when it is cut."""

import pytest
import torch

from lessons_lib.adapters import combine
from lessons_lib.adapters.files import Adapter, Factors

NAMES = ("transformer.a", "transformer.b")


def adapter(seed, rank=3, alpha=6.0, names=NAMES):
    rng = torch.Generator().manual_seed(seed)
    return Adapter({
        name: Factors(torch.randn(rank, 8, generator=rng), torch.randn(10, rank, generator=rng), alpha)
        for name in names
    })  # fmt: skip


def test_side_by_side_is_the_weighted_sum():
    first, second = adapter(1), adapter(2, rank=5)
    merged = combine.combine([first, second], [0.5, -2.0])
    for name in NAMES:
        expected = 0.5 * first.layers[name].delta - 2 * second.layers[name].delta
        assert merged.layers[name].rank == 8 and merged.layers[name].scaling == 1
        assert torch.allclose(merged.layers[name].delta, expected, atol=1e-5)


def test_a_layer_that_only_one_adapter_has_is_that_ones():
    merged = combine.combine([adapter(1), adapter(2, names=NAMES[:1])], [1.0, 1.0])
    assert torch.allclose(merged.layers[NAMES[1]].delta, adapter(1).layers[NAMES[1]].delta, atol=1e-5)


def test_cut_to_a_rank_it_is_the_closest_change_of_that_rank():
    first, second = adapter(1), adapter(2)
    whole, small = (combine.combine([first, second], [1.0, 1.0], rank) for rank in (None, 2))
    delta = whole.layers[NAMES[0]].delta
    left, values, right = torch.linalg.svd(delta)
    best = left[:, :2] @ values[:2].diag() @ right[:2]
    assert small.ranks == [2] and torch.allclose(small.layers[NAMES[0]].delta, best, atol=1e-4)
    full = combine.combine([first, second], [1.0, 1.0], 6)
    assert combine.largest_difference(full, whole) < 1e-4


def test_adapters_of_a_higher_rank_than_a_side_of_their_layer_are_combined_and_compared():
    one, other = (Adapter({"t.a": Factors(torch.randn(8, 6), torch.randn(4, 8), 8.0)}) for _ in range(2))
    merged, whole = (combine.combine([one, other], [1.0, 1.0], rank) for rank in (16, None))
    assert merged.ranks == [4] and combine.largest_difference(merged, whole) < 1e-4
    (overlap,) = combine.interference(one, other)
    assert overlap.outputs == pytest.approx(1, abs=1e-4)  # each writes all four outputs


def test_a_convolution_is_combined_too():
    conv = Adapter({"unet.conv": Factors(torch.randn(2, 4, 3, 3), torch.randn(6, 2, 1, 1), 2.0)})
    merged = combine.combine([conv, conv], [1.0, 1.0], 2).layers["unet.conv"]
    assert merged.delta.shape == (6, 4, 3, 3) and merged.up.shape == (6, 2, 1, 1)
    assert torch.allclose(merged.delta, 2 * conv.layers["unet.conv"].delta, atol=1e-5)


def test_an_adapter_meets_itself_wholly_and_its_negative_likewise():
    one = adapter(1)
    for overlap in combine.interference(one, combine.combine([one], [-2.0])):
        assert overlap.cosine == pytest.approx(-1, abs=1e-5)
        assert overlap.inputs == pytest.approx(1, abs=1e-4) == overlap.outputs
    assert combine.total_cosine(one, combine.combine([one], [3.0])) == pytest.approx(1, abs=1e-5)


def test_changes_that_read_and_write_elsewhere_do_not_meet():
    eye = torch.eye(8)
    first, second = (Adapter({"t.a": Factors(eye[i : i + 2], eye[:, i : i + 2], 2.0)}) for i in (0, 4))
    (overlap,) = combine.interference(first, second)
    assert (overlap.cosine, overlap.inputs, overlap.outputs) == (0, 0, 0)


def test_norm_and_cosine_are_those_of_the_dense_changes():
    first, second = adapter(1), adapter(2)
    one, other = (torch.cat([f.delta.flatten() for f in a.layers.values()]) for a in (first, second))
    assert combine.norm(first) == pytest.approx(float(one.norm()), rel=1e-5)
    expected = float(torch.cosine_similarity(one, other, dim=0))
    assert combine.total_cosine(first, second) == pytest.approx(expected, abs=1e-5)


@pytest.mark.parametrize(("weights", "rank"), [([1.0], None), ([1.0, float("nan")], None), ([1.0, 1.0], 0)])
def test_weights_and_ranks_that_are_no_use_are_refused(weights, rank):
    with pytest.raises(ValueError, match="expected"):
        combine.combine([adapter(1), adapter(2)], weights, rank)
