"""Base and tuned images that differ only in the adapter, and what is measured on them.

sampler.py        a base model that makes images, with or without an adapter
metrics.py        style, prompt, diversity, nearest pictures, bootstrap intervals, each with floor and ceiling
copies.py         memorised training pictures, found by their layout
comparison.py     what a comparison holds, and one measure of it
compare.py        makes a comparison and saves it
verdict.py        a comparison in five lines
html.py           a comparison as one HTML file
blind_test.py     which of two images people prefer, and what their answers prove
picker.py         the earliest good checkpoint of a run, and its strength
picker_chart.py   what the picker chose from, as a chart
drawings.py       pictures drawn on after a training, with their prompt in the file, found again
trigger_probe.py  what a word means to a base before training
"""
