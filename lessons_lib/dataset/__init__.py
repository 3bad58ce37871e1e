"""A folder, zip, upload or museum list becomes a Dataset: upright pictures with captions, rights and crops,
read once.

dataset.py         Dataset(train, held_out, prior); `read` decodes every picture, `scan` decodes none yet
pictures.py        Picture and its ImageFile: decoded when asked for, kept while memory lasts
sources.py         where pictures come from: a folder, some files, a zip, an upload
archives.py        a zip without unpacking it to disk, with its limits
tables.py          metadata.csv and .jsonl, and tables that other programs wrote
csv_records.py     a CSV file with any delimiter, and quotation marks that are never closed
metadata.py        rows of tables by picture, and which caption files belong to it
caption_files.py   the caption of each picture, and what was decided there
repeats.py         how often a picture is drawn: a column, or kohya's folders
layouts.py         masks, class pictures and the course's own files, which are no pictures to learn from
decode.py          one file to an upright 8-bit sRGB picture
privacy.py         the place, the camera and all else that is never written
messages.py        PictureError, and names that are safe to print
parallel.py        work on many files at once, results in order
captions.py        captions with the trigger word, and warnings
prompts.py         prompts with the trigger word, no longer than a model reads
captioners.py      first captions by a model
crops.py           three crops to a square, and aspect-ratio buckets
export.py          a folder that kohya, ai-toolkit and imagefolder read
records.py         a dataset as settings.json lists it
museum.py          the list of real paintings, fetched with their rights
museum_records.py  what the museums say of a painting today
http.py            polite requests to a few hosts
"""
