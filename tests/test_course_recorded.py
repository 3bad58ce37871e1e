"""The result of a long run is saved with the day, the machine and the versions that made it."""

import pytest

from lessons_lib.course import recorded


def test_what_is_saved_is_loaded_with_its_circumstances(tmp_path):
    recorded.save("counts", {"four": 0.25}, tmp_path)
    record = recorded.load("counts", tmp_path)
    assert record["result"] == {"four": 0.25}
    assert record["date"] in recorded.provenance(record) and "torch 2." in recorded.provenance(record)


def test_a_result_of_earlier_weights_says_so(tmp_path, monkeypatch):
    recorded.save("counts", {}, tmp_path)
    record = recorded.load("counts", tmp_path)
    assert "earlier weights" not in recorded.provenance(record)
    monkeypatch.setattr(recorded, "base_fingerprint", lambda: "other")
    assert recorded.provenance(record).endswith("on earlier weights of pocket")


def test_a_result_without_pocket_has_no_weights_of_it_and_never_earlier_ones(tmp_path, monkeypatch):
    recorded.save("handbook", {}, tmp_path, is_of_pocket=False)
    record = recorded.load("handbook", tmp_path)
    monkeypatch.setattr(recorded, "base_fingerprint", lambda: "other")
    assert record["base"] is None and "earlier weights" not in recorded.provenance(record)


@pytest.mark.parametrize("name", ["real_size", "packed"])
def test_the_records_of_large_bases_are_not_of_pocket(name):
    assert recorded.load(name)["base"] is None


def test_a_name_that_was_never_recorded_says_which_were(tmp_path):
    recorded.save("counts", {}, tmp_path)
    with pytest.raises(ValueError, match="there is: counts"):
        recorded.load("captions", tmp_path)
