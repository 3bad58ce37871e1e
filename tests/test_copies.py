"""Copies of training pictures are recognised by their layout."""

import pytest
from PIL import ImageFilter, ImageOps

from lessons_lib.evaluation import copies, metrics
from lessons_lib.models import features, pixels


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
