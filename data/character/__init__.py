"""A made-up character, a plum-coloured owl with a mustard scarf: draws `data/sample_character`."""
