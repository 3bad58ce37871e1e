"""`lessons fetch museum` passes its options on, and says what was fetched and what was not."""

import pytest

from lessons_lib import cli
from lessons_lib.dataset import museum

pytest_plugins = ["museum_fixtures"]


def test_the_command_passes_its_options_and_says_what_failed(monkeypatch, tmp_path, capsys):
    calls = []

    def fetch(*args):
        calls.append(args[:4])
        return museum.FetchResult(tmp_path, (tmp_path / "a.jpg",), {"met_2": "answers 404"}, False)

    monkeypatch.setattr(museum, "fetch", fetch)
    options = ["--only", "met", "--size", "512", "--out", str(tmp_path)]
    assert cli.main(["fetch", "museum", *options]) == 0 and calls == [(tmp_path, "met", 512, False)]
    printed = capsys.readouterr().out
    assert f"paintings in {tmp_path}: 1;" in printed and "not fetched: met_2: answers 404" in printed


def test_the_command_ends_with_code_1_when_nothing_could_be_fetched(only_this_machine, tmp_path, capsys):
    assert cli.main(["fetch", "museum", "--only", "walters", "--out", str(tmp_path / "m")]) == 1
    assert "The practice paintings take their place" in capsys.readouterr().out


def test_the_command_stopped_with_ctrl_c_says_what_is_kept(monkeypatch, capsys):
    def stop(*_):
        raise KeyboardInterrupt

    monkeypatch.setattr(museum, "fetch", stop)
    assert cli.main(["fetch", "museum"]) == cli.INTERRUPTED
    assert "goes on from there" in capsys.readouterr().out


@pytest.mark.parametrize("words", [["fetch"], ["fetch", "zoo"], ["fetch", "museum", "--size", "0"]])
def test_a_wrong_call_of_the_command_ends_with_code_2(words):
    with pytest.raises(SystemExit) as stop:
        cli.main(words)
    assert stop.value.code == 2
