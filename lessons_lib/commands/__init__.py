"""The parts of the `lessons` command, from its options to what it prints; cli.py brings them together.

arguments.py     all options and their help; those of a training come from the fields of Settings
train_inputs.py  train and demo: settings, dataset and the run's folder, and what is said before
picture_sets.py  check and forget: what is in a folder of pictures, what is removed from the cache with it
pick.py          pick: which checkpoint of a run to keep, and at which strength
prove.py         prove: a base the whole way on this machine, as a file to send in
sharing.py       merge and publish: adapters in one file, a run on the Hub
workshop.py      preflight and bundle: a machine ready for the course, also without a network
json_output.py   what a command says, as JSON for programs
"""
