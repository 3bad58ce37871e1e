"""Two made-up characters, an owl with a mustard scarf and a fox with a red hat: draws the sets
`data/sample_character` and `data/sample_second_character`.
"""
