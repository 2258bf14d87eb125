"""How long a pause must last to end the caller's turn: it depends on whether they seem to have finished.

Two witnesses, either may be missing: what the words say, and what the judge makes of the sound.
"""

from serve_app.conversation.endings import Ending
from serve_app.conversation.manners import Manners

SILENCE_S = 0.250
"""They have finished. People leave 200 ms between turns (Stivers et al., PNAS 106, 2009); less would cut off anyone
who breathes."""
UNSURE_S = 0.350
"""Nobody can tell."""
PATIENCE_S = {"eager": 0.600, "normal": 0.900, "patient": 1.200}
"""They are plainly not done; by the agent's eagerness. Most pauses within a sentence are shorter than this, and it is
not yet an awkward one."""
SPELLING_S = 1.200
"""Between the groups of a number: people read it off something."""
DOUBT_S = 0.600
"""The judge has heard it, and is not sure."""
FINISHED_FROM = 0.5
UNFINISHED_BELOW = 0.2
"""Of the judge's score. Between them it doubts."""


def silence_needed(manners: Manners, ending: Ending | None, turn_end: float | None) -> float:
    """Seconds. `ending` None: the words are not known; `turn_end` None: nobody has judged the sound, or not yet."""
    if ending is Ending.SPELLING and manners.spelling:
        return SPELLING_S
    if ending in (Ending.UNFINISHED, Ending.SPELLING):
        return PATIENCE_S[manners.eagerness]
    if ending is Ending.COMPLETE:
        return SILENCE_S
    if turn_end is None:
        return SILENCE_S if manners.eagerness == "eager" else UNSURE_S
    if turn_end < UNFINISHED_BELOW:
        return PATIENCE_S[manners.eagerness]
    return SILENCE_S if turn_end >= FINISHED_FROM else DOUBT_S
