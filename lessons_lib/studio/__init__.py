"""Pictures of one's own become an adapter on one page, in ten steps, with nothing to program.

project.py   the folder of a studio: pictures, choices, runs; it is all the state there is
pictures.py  clean copies of pictures with one table, and every change to them
places.py    where a studio is: in the course's runs, or on Google Drive
advice.py    what is said of a base model before it is chosen
activity.py  one long piece of work at a time, in a thread, that can be stopped
work.py      captions, forecast, training, comparison as such work
results.py   before and after on disk
takeaway.py  the files to take along, their zip and their addresses
widgets.py   buttons, fields, pieces of HTML, a view of what is going on
page.py      the page itself
steps/       its ten steps
"""
