"""The site, the slides and the instructors' tables: all made from the lessons as they are."""
