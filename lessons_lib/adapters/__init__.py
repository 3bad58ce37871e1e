"""LoRA adapters: layers by hand and by PEFT, what they learned, their folder,
and the files and pages made of them.

lora.py        a LoRA layer by hand, adapters attached by PEFT: size, strength, merged, taken off
low_rank.py    a change taken apart and its nearest of a smaller rank, from its factors alone
spectrum.py    what an adapter learned: norms, singular values, a map of the model, a smaller rank
settings.py    the settings of a training, as asked for and resolved for a base model
run.py         the folder of a run
kinds.py       what a file of weights is: an adapter and whose, damaged, refused
files.py       the layers in a file of this course or of another trainer, with their true alpha
fit.py         whether an adapter's layers are a base model's, by whatever names
loading.py     an adapter on a pipeline: all of its layers, or none
info.py        what an adapter's file holds, and a run in a few lines
weights.py     the adapter's file as diffusers writes it
export.py      files for ComfyUI and kohya's trainer, with modelspec's metadata
combine.py     several adapters as one, exactly or at a rank; how much they meet
merged.py      the folder of a merged adapter
merging.py     adapters merged into a folder, with a card of whose pictures all parts learned from
model_card.py  the README.md with the Hub's head and the rights of every picture
hub.py         a run on the Hub: what goes there, what keeps it back, addresses for other programs
"""
