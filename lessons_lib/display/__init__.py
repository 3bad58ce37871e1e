"""What is shown: figures in a notebook, sheets of pictures, HTML pages.

* ``theme``: colours, fonts, line breaks, frames.
* ``notebook``: one JPEG a cell, a strength slider, a live sampler, a caption table, the loss curve, source code.
* ``before_after``: the sheet of a comparison.
* ``contact_sheets``: many pictures on one page, by crop or by group.
* ``html``: pages from the Jinja2 templates in ``templates/``, pictures as data URIs.
"""
