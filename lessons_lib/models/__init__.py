"""The base models, and the networks that judge pictures.

bases.toml   a table for each base model: repository, licence, sensible settings
bases.py     reads it
access.py    why a base cannot be fetched: disk, token, licence, network
quantization.py frozen weights in 4 or 8 bits
sizes.py     what a base's networks take in memory
families/    a module for each architecture: loading, encoding, loss, sampling
skeletons.py a base's networks without their weights
pixels.py    pictures as tensors
judges.py    what measures the pictures of a base, chosen by its table
features.py  EfficientNet's features, and the concepts that pocket was trained on
text.py      a causal language model: its chat, its answers
clip.py      CLIP, such as pocket-clip: which text belongs to which picture
"""
