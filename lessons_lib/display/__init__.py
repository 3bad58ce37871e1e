"""What is shown: figures in a notebook, sheets of pictures, HTML pages.

theme.py           colours, fonts, line breaks, frames
notebook.py        one JPEG a cell, a strength slider, a live sampler, a caption table, the loss curve, code
before_after.py    the sheet of a comparison
contact_sheets.py  many pictures on one page, by crop or by group
charts.py          the empty chart that all charts start from, a level, a running mean
frontier.py        the chart of a choice between checkpoints
html.py            pages from the Jinja2 templates in ``templates/``, pictures as data URIs
progress.py        progress bars of the command
templates/         the pages of the two reports
"""
