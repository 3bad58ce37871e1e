"""What a long run found is kept with the day, the machine and the versions that made it."""

import pytest

from lessons_lib.course import recorded


def test_what_is_kept_is_found_again_with_its_circumstances(tmp_path):
    recorded.keep("counts", {"four": 0.25}, tmp_path)
    told = recorded.find("counts", tmp_path)
    assert told["result"] == {"four": 0.25}
    assert told["date"] in recorded.source(told) and "torch 2." in recorded.source(told)


def test_a_result_of_earlier_weights_says_so(tmp_path, monkeypatch):
    recorded.keep("counts", {}, tmp_path)
    told = recorded.find("counts", tmp_path)
    assert "earlier weights" not in recorded.source(told)
    monkeypatch.setattr(recorded, "base_now", lambda: "other")
    assert recorded.source(told).endswith("on earlier weights of pocket")


def test_a_name_that_was_never_recorded_says_which_were(tmp_path):
    recorded.keep("counts", {}, tmp_path)
    with pytest.raises(ValueError, match="there is: counts"):
        recorded.find("captions", tmp_path)
