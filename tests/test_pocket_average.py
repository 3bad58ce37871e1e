"""The mean of two folders of weights: tensor by tensor, and token by token where the tokenizers differ."""

import hashlib

import pytest
import torch
from safetensors.torch import load_file, save_file
from tokenizers import Tokenizer
from tokenizers.models import WordLevel

from lessons_lib.models.bases import CHECKSUMS
from pocket import average, provenance

EMBEDDINGS = {"text_encoder/model.safetensors": "embeddings.token_embedding.weight"}
EMBEDDINGS["text_encoder_2/model.safetensors"] = "shared.weight"


def weights_folder(folder, value, tokens, width=3):
    """Write networks whose numbers are all one value, but that each token's row is its place."""
    for file in average.FILES:
        tensors = {"layer.weight": torch.full((2, width), value).half()}
        if name := EMBEDDINGS.get(file):
            tensors[name] = torch.arange(len(tokens))[:, None].expand(-1, width).half().contiguous()
        (folder / file).parent.mkdir(parents=True)
        save_file(tensors, folder / file)
    for name in ("tokenizer", "tokenizer_2"):
        (folder / name).mkdir()
        vocabulary = {token: row for row, token in enumerate(tokens)}
        Tokenizer(WordLevel(vocabulary, unk_token=tokens[0])).save(str(folder / name / "tokenizer.json"))
    return folder


def test_numbers_are_halved_and_tokens_are_met_by_name(tmp_path):
    first = weights_folder(tmp_path / "first", 1.0, ["cat", "horse", "boat", "</s>"])
    second = weights_folder(tmp_path / "second", 4.0, ["</s>", "boat", "kite", "cat", "tree"])
    average.average(first, second, tmp_path / "mean")
    for file in average.FILES:
        mean = load_file(tmp_path / "mean" / file)
        assert mean["layer.weight"].dtype == torch.float16
        assert mean["layer.weight"].unique().tolist() == [2.5]
        if name := EMBEDDINGS.get(file):
            assert mean[name][:, 0].tolist() == [(0 + 3) / 2, 1, (2 + 1) / 2, (3 + 0) / 2]
    assert (tmp_path / "mean/tokenizer/tokenizer.json").read_text() == (
        first / "tokenizer/tokenizer.json"
    ).read_text()


def test_the_sums_beside_it_are_those_of_its_files(tmp_path):
    first = weights_folder(tmp_path / "first", 1.0, ["cat", "</s>"])
    average.average(first, first, tmp_path / "mean")
    for line in (tmp_path / "mean" / CHECKSUMS).read_text().splitlines():
        digest, name = line.split("  ")
        content = (tmp_path / "mean" / name).read_bytes()
        assert hashlib.sha256(content).hexdigest() == digest
        one, same = load_file(first / name), load_file(tmp_path / "mean" / name)
        assert all(torch.equal(one[key], same[key]) for key in one)


def test_other_networks_are_refused(tmp_path):
    first = weights_folder(tmp_path / "first", 1.0, ["cat", "</s>"])
    second = weights_folder(tmp_path / "second", 1.0, ["cat", "</s>"], width=4)
    with pytest.raises(ValueError, match="two kinds of network"):
        average.average(first, second, tmp_path / "mean")


def test_what_both_learned_from_stands_beside_the_mean(tmp_path, monkeypatch):
    drawing = {"thing": "cat", "package": "one", "version": "1", "maker": "A", "licence": "MIT"}
    tables = {
        "first": [drawing | {"name": "cat"}],
        "second": [drawing | {"name": n} for n in ("cat", "kitty")],
    }
    for name, rows in tables.items():
        weights_folder(tmp_path / name / "model", 1.0, ["cat", "</s>"])
        provenance.write(rows, tmp_path / name)
    folders = [str(tmp_path / name / "model") for name in ("first", "second", "mean")]
    (tmp_path / "mean").mkdir()
    monkeypatch.setattr("sys.argv", ["average", *folders[:2], "--to", folders[2]])
    average.main()
    assert [row["name"] for row in provenance.read(tmp_path / "mean")] == ["cat", "kitty"]
