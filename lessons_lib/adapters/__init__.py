"""LoRA adapters: layers by hand and by PEFT, what they learned, their folder,
and the files and pages made of them.

lora.py        a LoRA layer by hand, adapters attached by PEFT: size, strength, merged, taken off
spectrum.py    what an adapter learned: norms, singular values, a map of the model, a smaller rank
settings.py    the settings of a training, as asked for and resolved for a base model
run.py         the folder of a run
kinds.py       what a file of weights is: ours, another program's, damaged
fit.py         whether an adapter is whole and fits a base model
info.py        what an adapter's file holds, and a run in a few lines
weights.py     the adapter's file as diffusers writes it
export.py      a file for ComfyUI, with kohya's keys and modelspec's metadata
model_card.py  the README.md with the Hub's head and the rights of every picture
"""
