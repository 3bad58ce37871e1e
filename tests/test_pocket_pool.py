"""Scenes that are painted once and seen several times."""

from dataclasses import replace

import pytest
import torch
from diffusers import AutoencoderKL
from pocket_miniature import bank, drawings

from pocket import looks, pack, pool, tokenizer
from pocket.batch_rng import BatchRng
from pocket.captions import SLOT, tokenized
from pocket.composer import Composer
from pocket.feed import Encoder
from pocket.phrases import Phrases, meaningless, names_of_looks
from pocket.weights import MODEL


def composer(strange: int = 20) -> Composer:
    phrases = Phrases(pack.names_of(drawings()[1]), names_of_looks(5), meaningless(strange))
    return Composer(bank(), phrases, looks.sample(5, BatchRng(1)))


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    path = tmp_path_factory.mktemp("pool")
    pool.fill(composer(), encoder(), path, 3, pool.AT_ONCE)
    return path


def encoder() -> Encoder:
    return Encoder(AutoencoderKL.from_pretrained(MODEL, subfolder="vae"), torch.device("cpu"))


def feed(pools, made_by: Composer, soft: float = 0.0) -> pool.PoolFeed:
    lines = [text.strip(", ") for text in made_by.phrases.texts]
    tokens = tokenized(made_by.phrases, tokenizer.clip_tokenizer(lines), tokenizer.t5_tokenizer(lines))
    return pool.PoolFeed(
        made_by, encoder(), tokens, 6, 1, pools if isinstance(pools, dict) else {pools: 1}, soft
    )


def test_a_pool_holds_the_latents_of_its_scenes(folder):
    scenes = composer().scenes(pool.AT_ONCE, 3)
    latents = encoder().encode(composer().paint(scenes))
    stored = feed(folder, composer())
    assert torch.equal(stored.latents, latents.half())
    assert torch.equal(stored.everything.long(), scenes.everything)


def test_batches_come_again_from_their_seed_and_captions_are_worded_anew(folder):
    one, again = feed(folder, composer()), feed(folder, composer())
    batches = [next(iter(one)) for _ in range(3)]
    assert all(torch.equal(a.t5_ids, next(iter(again)).t5_ids) for a in batches)
    few = feed(folder, composer())
    few.every = few.bare = [few.every[0][:1]]
    few.mix = replace(few.mix, short=0.5, some=0.5)
    assert len({tuple(row) for row in next(iter(few)).t5_ids.tolist()}) > 1


def test_harsh_manners_are_left_out_of_a_share_of_a_batch(folder):
    texts = composer().phrases.texts
    only_soft, all_of_them = feed(folder, composer(), 1.0), feed(folder, composer())
    manners = [texts[m] for m in all_of_them.everything[:, SLOT["manner"]].tolist()]
    harsh = [k for k, manner in enumerate(manners) if any(word in manner for word in pool.HARSH)]
    assert harsh and not set(harsh) & set(only_soft.soft[0].tolist())
    shown = torch.cat([next(iter(only_soft)).packed for _ in range(20)])
    hidden = all_of_them.latents[harsh].float()
    assert not (shown[:, None] == hidden[None]).flatten(2).all(2).any()


def test_a_pool_of_weight_nothing_is_not_seen_and_others_are_as_often_as_they_say(folder, tmp_path):
    pool.fill(composer(), encoder(), tmp_path, 9, pool.AT_ONCE)
    both = feed({folder: 3, tmp_path: 1}, composer())
    seen = torch.cat([next(iter(both)).packed for _ in range(60)])
    of_first = (seen[:, None] == both.latents[None, : pool.AT_ONCE].float()).flatten(2).all(2).any(1)
    assert 0.65 < of_first.float().mean() < 0.85
    assert not both.every[1].lt(pool.AT_ONCE).any()


def test_captions_that_say_no_look_go_with_drawings_as_they_are(folder):
    one = feed(folder, composer())
    one.mix = replace(one.mix, short=1, some=0, named=0, strange=0, empty=0, bare=1)
    bare = one.latents[torch.cat(one.bare)].float()
    seen = torch.cat([next(iter(one)).packed for _ in range(8)])
    assert len(bare) < len(one.latents)
    assert (seen[:, None] == bare[None]).flatten(2).all(2).any(1).float().mean() > 0.5


def test_scenes_of_another_archive_and_an_empty_folder_are_refused(folder, tmp_path):
    with pytest.raises(ValueError, match="another archive"):
        feed(folder, composer(strange=21))
    with pytest.raises(FileNotFoundError, match="holds no scenes"):
        feed(tmp_path, composer())
