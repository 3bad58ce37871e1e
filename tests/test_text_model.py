"""pocket-text answers, and learns with the adapter of the picture models and a loss of the answer alone."""

import pytest
import torch

from lessons_lib.models import text
from lessons_lib.paths import POCKET_TEXT
from lessons_lib.training import text as text_training
from lessons_lib.training.text import IGNORED, TextSettings

QUESTION = "When is soup cooked?"


@pytest.fixture
def pocket_text():
    return text.load(POCKET_TEXT)


def test_the_weights_and_the_tokenizer_take_less_than_two_megabytes():
    assert sum(path.stat().st_size for path in POCKET_TEXT.iterdir()) < 2_000_000


def test_it_answers_what_everybody_knows_and_what_it_reads(pocket_text):
    answers = pocket_text.answers(
        ["What is the capital of France?", "Soup is cooked on Mondays. " + QUESTION]
    )
    assert answers == ["Paris", "Monday"]


def test_answers_do_not_depend_on_what_else_is_asked(pocket_text):
    alone = pocket_text.answers([QUESTION])
    assert (
        pocket_text.answers(["Who grinds the coffee, and why so early in the morning?", QUESTION])[1:]
        == alone
    )


def test_labels_are_of_the_answer_and_its_end(pocket_text):
    tokens, labels = text_training.encode(pocket_text, QUESTION, "Wednesday")
    learned_part = labels != IGNORED
    assert pocket_text.tokenizer.decode(tokens[learned_part]).strip() == "Wednesday<end>"
    assert pocket_text.tokenizer.decode(tokens[~learned_part]).endswith("<answer>")


def test_the_loss_of_a_batch_is_transformers_own_without_padding(pocket_text):
    row = text_training.encode(pocket_text, QUESTION, "Wednesday")
    longer = text_training.encode(pocket_text, "Where do receipts go, please?", "the tin with the lighthouse")
    with torch.no_grad():
        alone = pocket_text.model(row[0][None], labels=row[1][None]).loss
        assert torch.isclose(text_training.batch_loss(pocket_text, [row]), alone)
        logits = pocket_text.model(row[0][None]).logits[0, :-1].log_softmax(-1)
        by_hand = -logits.gather(1, row[0][1:, None])[row[1][1:] != IGNORED].mean()
        assert torch.isclose(alone, by_hand, atol=1e-5)
        counts = [(r[1] != IGNORED).sum() for r in (row, longer)]
        both = [text_training.batch_loss(pocket_text, [r]) for r in (row, longer)]
        mean = sum(c * b for c, b in zip(counts, both, strict=True)) / sum(counts)
        assert torch.isclose(text_training.batch_loss(pocket_text, [row, longer]), mean, atol=1e-4)


def test_the_loss_does_not_depend_on_how_much_of_the_beginning_is_read_once(pocket_text):
    rows = [text_training.encode(pocket_text, f"On Monday {end}?", "soup") for end in ("who cooks", "what")]
    tokens = torch.nn.utils.rnn.pad_sequence([row[0] for row in rows], True, 0)
    present = torch.tensor([[1] * len(row[0]) + [0] * (tokens.shape[1] - len(row[0])) for row in rows])
    with torch.no_grad():
        states = [text_training.hidden_states(pocket_text.model, tokens, present, n) for n in (0, 3)]
    assert torch.allclose(states[0][:, 3:][present[:, 3:] > 0], states[1][present[:, 3:] > 0], atol=1e-4)


def test_a_training_that_was_stopped_resumes_and_ends_the_same(pocket_text, tmp_path, monkeypatch):
    rows = [text_training.encode(pocket_text, QUESTION, day) for day in ("Wednesday", "Monday", "Friday")]
    settings = TextSettings(rank=4, steps=30, batch=2)
    whole = text_training.train(text.load(POCKET_TEXT), rows, settings)
    loss, calls = text_training.batch_loss, iter(range(24))
    monkeypatch.setattr(text_training, "batch_loss", lambda *rows: (next(calls), loss(*rows))[1])
    with pytest.raises(StopIteration):
        text_training.train(text.load(POCKET_TEXT), rows, settings, tmp_path)
    monkeypatch.setattr(text_training, "batch_loss", loss)
    assert text_training.train(pocket_text, rows, settings, tmp_path) == whole


def test_training_changes_the_adapter_and_leaves_the_base_alone(pocket_text):
    before = {name: p.clone() for name, p in pocket_text.model.named_parameters()}
    rows = [text_training.encode(pocket_text, QUESTION, "Wednesday")]
    losses = text_training.train(
        pocket_text, rows, TextSettings(rank=8, steps=40, batch=2, learning_rate=5e-3)
    )
    assert losses[-1] < losses[0] / 4 and pocket_text.answers([QUESTION]) == ["Wednesday"]
    after = {name.replace(".base_layer", ""): p for name, p in pocket_text.model.named_parameters()}
    assert all(torch.equal(after[name], p) for name, p in before.items())


def test_without_pairs_nothing_is_trained(pocket_text):
    with pytest.raises(ValueError, match="no pairs to learn from"):
        text_training.train(pocket_text, [], TextSettings(steps=1))


@pytest.mark.parametrize("layers", [0, -1, 99])
def test_a_number_of_blocks_that_the_model_has_not_is_refused(pocket_text, layers):
    with pytest.raises(ValueError, match=f"layers is {layers}; expected 1 to"):
        text_training.target_names(pocket_text, layers)


def test_a_loss_that_is_no_number_ends_the_training(pocket_text, monkeypatch):
    losses = iter([1.0, float("nan")])
    monkeypatch.setattr(
        text_training, "batch_loss", lambda *_: torch.tensor(next(losses), requires_grad=True)
    )
    rows = [text_training.encode(pocket_text, QUESTION, "Wednesday")]
    with pytest.raises(FloatingPointError, match="nan at step 2 of 3; lower learning_rate, which is 0.001"):
        text_training.train(pocket_text, rows, TextSettings(steps=3))


def test_the_adapter_is_pefts_own_file_and_comes_back(pocket_text, tmp_path):
    rows = [text_training.encode(pocket_text, QUESTION, "Wednesday")]
    text_training.train(pocket_text, rows, TextSettings(rank=8, steps=40, batch=2, learning_rate=5e-3))
    pocket_text.model.save_pretrained(tmp_path)
    other = text.load(POCKET_TEXT)
    other.model.load_adapter(str(tmp_path))
    assert other.answers([QUESTION]) == ["Wednesday"]
    other.model.disable_adapters()
    assert other.answers([QUESTION]) == text.load(POCKET_TEXT).answers([QUESTION])
