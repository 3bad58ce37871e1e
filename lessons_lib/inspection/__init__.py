"""A Dataset becomes a report: what must be fixed, what is worth a look, what can be held out for judging.

report.py       `inspect`: the report on a dataset, as lines of text or for a page
rules.py        the checks on a picture, on pairs and on the set
findings.py     Finding, its levels and advice, and a picture with its findings
image_stats.py  what is measured on a picture, cached by the hash of its file
duplicates.py   copies, near-duplicates, leaves of one book
consent.py      what is written of the consent of the people shown, and what is missing
coverage.py     what the set never shows and what it shows too often
split.py        which pictures to hold out, whole groups only
before_training.py  what is said before a training starts, and what stops it
html.py         the report as one page with thumbnails
"""
