"""Copies of training pictures are recognised by their layout."""

import pytest
from PIL import ImageFilter, ImageOps

from lessons_lib.dataset import dataset
from lessons_lib.evaluation import copies, metrics
from lessons_lib.models import features, pixels
from lessons_lib.paths import ROOT


def test_a_soft_tinted_or_mirrored_copy_is_nearest_to_its_own_painting(paintings):
    whole = [pixels.to_square(p.image, 128) for p in paintings]
    soft = [i.filter(ImageFilter.GaussianBlur(5)).point(lambda v: v * 0.8) for i in whole]
    for images in (whole, soft, [ImageOps.mirror(i) for i in soft]):
        nearest = copies.nearest_layouts(images, whole)
        assert [i for i, _ in nearest] == [0, 1, 2, 3] and all(v > 0.95 for _, v in nearest)
    for number, picture in enumerate(soft):
        ((_, similarity),) = copies.nearest_layouts([picture], whole[:number] + whole[number + 1 :])
        assert similarity < copies.COPY_THRESHOLD
    by_features = metrics.nearest_neighbours(soft, features.image_features(whole))
    assert max(v for _, v in by_features) < 0.7  # which is why features do not serve
    with pytest.raises(ValueError, match="expected some of both"):
        copies.nearest_layouts([], whole)


def test_of_twenty_soft_copies_all_are_found_and_of_twenty_new_pictures_at_most_one():
    details = dataset.read(ROOT / "data" / "sample_details", side=128).train
    squares = [pixels.to_square(picture.image, 128) for picture in details]
    soft = [square.filter(ImageFilter.GaussianBlur(3)) for square in squares]
    found = [similarity for _, similarity in copies.nearest_layouts(soft, squares)]
    others = [squares[:i] + squares[i + 1 :] for i in range(20)]
    new = [copies.nearest_layouts([soft[i]], others[i])[0][1] for i in range(20)]
    assert sum(value >= copies.COPY_THRESHOLD for value in found) == 20
    assert sum(value >= copies.COPY_THRESHOLD for value in new) <= 1
