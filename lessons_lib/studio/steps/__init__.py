"""A step of the page each: what it says of a studio, and its widgets when it is opened.

step.py        what every step is
pictures.py    1: files, a zip or a folder come in
report.py      2: what was found on them; turn, crop, hold out, leave out
rights.py      3: maker, licence, source
captions.py    4: first captions by a model, then by hand
idea.py        5: style or one thing, and the trigger word
base.py        6: the base model, its licence, its gate, whether it fits
length.py      7: how long, and a measured forecast
training.py    8: loss and samples while it goes; stop and go on
comparison.py  9: before and after, and the strength
sharing.py     10: files to take along, and publishing
"""

from lessons_lib.studio.steps.base import BaseStep
from lessons_lib.studio.steps.captions import CaptionsStep
from lessons_lib.studio.steps.comparison import ComparisonStep
from lessons_lib.studio.steps.idea import IdeaStep
from lessons_lib.studio.steps.length import LengthStep
from lessons_lib.studio.steps.pictures import PicturesStep
from lessons_lib.studio.steps.report import ReportStep
from lessons_lib.studio.steps.rights import RightsStep
from lessons_lib.studio.steps.sharing import SharingStep
from lessons_lib.studio.steps.training import TrainingStep

STEPS = (
    PicturesStep,
    ReportStep,
    RightsStep,
    CaptionsStep,
    IdeaStep,
    BaseStep,
    LengthStep,
    TrainingStep,
    ComparisonStep,
    SharingStep,
)
