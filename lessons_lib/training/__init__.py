"""A base model, a dataset and settings become a run folder: weights, settings, log, samples, checkpoints.

train.py         Trainer: the whole way from a dataset to an adapter folder
capacity.py      what a training needs in memory, and the settings with which it fits
memory_records.py how much memory recorded trainings took
loop.py          Loop: the loss of a batch, one step, all steps; shown in lesson 05
data.py          TrainingData: pictures and captions encoded, and batches of them
order.py         the order in which pictures come into batches
latent_cache.py  latents and text embeddings on disk, by content
state.py         State: all that the next step depends on
checkpoints.py   a State in a file, and back
optimizers.py    the optimizer and the learning rate schedule
distributed.py   several processes that train as one
forecast.py      time, memory and file size from ten steps, or twenty with compiling
compiling.py     whether the denoiser's blocks are compiled, by measurement
samples.py       pictures drawn on the way
log.py           a row a step, and TensorBoard
interrupt.py     Ctrl-C between two steps
fingerprints.py  a hash of all that decides what is learned
divergence.py    whether the loss has diverged
existing.py      what the run folder already contains before a training
text.py          a LoRA of a causal language model, trained on questions and answers
workspace.py     the temporary folder of a training, moved to the run folder at the end
"""
