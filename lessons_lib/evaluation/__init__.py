"""Base and tuned images that differ only in the adapter, and what is measured on them.

* ``sampler``: a base model that makes images, with or without an adapter.
* ``metrics``: style, prompt, diversity, nearest pictures, bootstrap intervals, each with floor and ceiling.
* ``copies``: memorised training pictures, found by their layout.
* ``comparison``: what a comparison holds, and one measure of it.
* ``compare``: makes a comparison and saves it.
* ``verdict``: a comparison in five lines.
* ``html``: a comparison as one HTML file.
* ``blind_test``: which of two images people prefer, and what their answers prove.
* ``trigger_probe``: what a word means to a base before training.
"""
