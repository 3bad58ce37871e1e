"""What the lessons bring along: their experiments, charts and exercise checkers.

A module's name says which lesson it is for.

bootstrap.py            a hosted notebook made ready for the course
preflight.py            whether a machine is ready for the course, found by doing
bundle.py               the course with its packages in one archive, for a machine without network
offline_setup.py        what an archive's install.py runs: the course set up from the wheels beside it
checks.py               what the exercise checkers of all lessons share
trials.py               samples with and without the trigger, their scores, a sentence that compares them
charts.py               scores of several groups between a floor and a ceiling, as a picture
recorded.py             results of long runs: saved with date, device and versions, and loaded again
long_run.py             what runs for minutes: a table of trials that resumes, the command line
sentences.py            sentences of the lessons that state a result, bound to recorded figures
run_lessons.py          every lesson run: its seconds recorded, its outputs kept
record.py               every recorded run, picture and notebook made anew: `make record`
lesson_00.py            how alike drawings and paintings are, written by the learner
lesson_01.py            one step from noise to picture, written by the learner
lesson_02.py            how many pictures are enough; a folder of bad pictures
lesson_02_pages.py      whole pages or details: what each teaches
lesson_02_exercises.py  a box for a crop, eight pictures that differ, licences
lesson_03_captions.py   what a caption should say
lesson_03_trigger.py    whether a real word makes a good trigger
lesson_03_switch.py     what makes a trigger a switch
lesson_04.py            a painting as a matrix of low rank; the checkers of its exercises
lesson_04_rank.py       how much of the rank a style needs; the diagram of W + BA
lesson_05.py            how many steps are enough
lesson_05_figures.py    charts of a sweep and of a loss, and the drawing of a training step
lesson_05_memory.py     what a training holds in memory, part by part
lesson_05_exercises.py  the loss, the steps of an epoch, where to stop
lesson_06.py            selected samples, frauds, strengths, copies: how far a before and after can be trusted
lesson_06_checkpoints.py  three trainings whose checkpoints two judges measure, and sheets for a reader
lesson_06_exercises.py  a fraud, a coin, claims
lesson_07.py            one small training, healthy or with one fault, its losses and pictures
lesson_07_faults.py     what each fault changes, its signs, its remedy, who met it
lesson_07_measures.py   what is measured on a training, and which fault that points to
lesson_07_record.py     every fault with every seed, recorded
lesson_07_cards.py      a curve beside its pictures
lesson_07_reader.py     cards without names for a reader, and what the reader answered
lesson_07_exercises.py  faults by name, a rule, remedies
lesson_08.py            an owl, trained plainly and with one remedy at a time
lesson_08_measures.py   who is in a picture: the subject, another by the same hand, or a bystander
lesson_08_record.py     every remedy, two characters, words alone: the recorded run
lesson_08_results.py    that run in sentences and as a chart
lesson_08_exercises.py  the loss with class pictures, company in a caption, consent
lesson_09.py            two adapters together, one file of both, files for other programs
lesson_09_exercises.py  two changes as one, a rank, what may be published
lesson_10.py            a brand: palette, mark and style measured, what would be drawn again
lesson_10_handbook.py   a handbook: its questions, marks, looking up
lesson_10_record.py     a real instruction model learns the handbook
lesson_10_exercises.py  labels, a share of a palette, what to look up
gallery.py              what the lessons made and what went wrong, as a page
lesson_11.py            a goal written beforehand, a checklist, a report that fills itself in
lesson_11_card.py       the test for copies before a file is published, what went wrong on its card
lesson_11_set.py        a stand-in for a learner's own set: photographs of crayon drawings
lesson_11_exercises.py  a goal that can be judged, what a card may say
appendix_knobs.py            trainings that differ in one setting; an adapter without some of its blocks
appendix_knobs_record.py     every such training with two seeds, recorded
appendix_knobs_results.py    that run as tables, sentences and charts
appendix_knobs_exercises.py  an alpha that keeps the product, posts that compare fairly
"""
