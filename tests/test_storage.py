"""How JSON files are written."""

import json

from lessons_lib import storage


def test_a_list_of_numbers_stands_on_one_line_and_nothing_else_changes():
    value = {"curve": [1, -2.5e-05, 3.25], "text": ["[\n 1\n]"], "none": [], "rows": [[1, 2], [{"a": 1}, 2]]}
    text = storage.to_json(value).decode()
    assert ' "curve": [1, -2.5e-05, 3.25],\n' in text and "\n  [1, 2],\n" in text
    assert json.loads(text) == value
