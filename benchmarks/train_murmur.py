"""Make the weights of deployments/murmur.py, and measure them on voices and sentences they have not heard.

    python -m benchmarks.train_murmur [--without "pico rio" ...] [--steps 7000] [--save]

Needs PyTorch, which the project does not (`pip install torch`), and half an hour of two cores. `--without`: people who
are measured on and not learned from. Without `--save` nothing is written.

Learned from: espeak-ng (some 80 voices, 120-220 words a minute, pitch and throat up to 22 % lower or higher);
murmurs, syllables of no language, laughs, coughs and noises made from nothing (murmur_sounds.py); and a minute of
recordings of people where they are present (murmur_people.py). All of it goes through rooms, microphones, noise and
telephones, with the agent's own voice leaking in and an onset that is 60 ms early to 100 ms late. Measured on: eight
voices and a quarter of the sentences, both held out; one of flite's voices, where that program is installed (the other
three are learned from); people left out. What the murmurs of the held-out voices set is the threshold: 3 % of them are
called interruptions at 200, 260 or 320 ms after the onset.

Share called an interruption at each moment, with a threshold for 3 % of the murmurs at that moment / with the one kept:

                                   200 ms         260 ms         320 ms         500 ms     by 320
    murmurs                     3.0 / 0.5 %    3.0 / 1.2 %    3.0 / 2.7 %    3.0 / 2.1 %    3.0 %
    sentences, Portuguese        55 / 37 %      66 / 54 %      72 / 71 %      81 / 79 %      72 %
    sentences, English           65 / 46 %      73 / 63 %      78 / 76 %      88 / 84 %      78 %
    hums                        0.6 / 0.2 %    0.9 / 0.2 %    0.9 / 0.6 %    0.4 / 0.4 %    0.6 %
    coughs, laughs, breath        0 / 0 %        0 / 0 %      0.1 / 0 %      0.1 / 0 %        0 %
    babble of 5 to 9 talkers    3.5 / 1.5 %    8.5 / 5.0 %   10.0 / 8.0 %   14.0 / 12.0 %   8.5 %
    flite's awb, sentences       66 / 41 %      81 / 68 %      86 / 84 %      92 / 90 %      84 %
    flite's awb, murmurs         33 / 13 %      35 / 24 %      35 / 33 %      31 / 27 %      36 %
    four people left out         32 / 18 %      40 / 31 %      50 / 48 %      65 / 64 %      50 %

On a clean line, with an exact onset: murmurs 0.2 %, sentences 80 % in Portuguese and 87 % in English by 320 ms. Most of
those missed begin with a murmur ("sim, mas quando chega"), an eighth of all, and cannot be told from one by then.

The last row of the table is of another network, trained without "jfk", "librivox", "lapsbm 0415" and "pico rio"; hums
made of their vowels: 0.4 %. A voice of a kind it has not heard is the weak spot, in both directions, and no recording
of a person's murmurs was there to measure on. No third set of voices was kept to check the threshold.
"""

import argparse
from collections import Counter

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn
from torch.nn import functional

from benchmarks.murmur_corpus import Example, corpus
from benchmarks.murmur_people import people
from deployments.murmur import BANDS, HOP, LAYERS, LEAD, RANGE_DB, STARTS, WEIGHTS, WINDOW
from serve_app.audio.framing import RATE

CHANNELS = (48, 64, 96)
HIDDEN = 48
BATCH = 512
LEARNING_RATE = 4e-3
# How often each is learned from, of a hundred. All other sounds share "noise".
SHARES = {
    "floor": 16,
    "scramble": 12,
    "flite floor": 4,
    "person": 10,
    "gibberish": 6,
    "murmur": 20,
    "flite murmur": 5,
    "person murmur": 9,
    "hum": 8,
    "noise": 10,
}  # fmt: skip
LEARNED_MS = (160, 500)  # after the onset
MEASURED_MS = (200, 260, 320, 500)
DECIDED_MS = (200, 260, 320)  # somebody may ask at all of them: together they may be wrong as often as FALSE_ALARMS
FALSE_ALARMS = 0.03
EARLY_FALSE_ALARMS = 0.005  # of them at the first: more is known soon


class Network(nn.Module):
    """What Murmur computes."""

    def __init__(self) -> None:
        super().__init__()
        sizes = zip((BANDS, *CHANNELS), CHANNELS, LAYERS, strict=False)
        self.layers = nn.ModuleList(nn.Conv1d(fan_in, out, frames, step) for fan_in, out, (frames, step) in sizes)
        self.hidden = nn.Linear(3 * CHANNELS[-1], HIDDEN)
        self.floor = nn.Linear(HIDDEN, 1)

    def forward(self, levels: torch.Tensor) -> torch.Tensor:
        heard = levels.transpose(1, 2)
        for layer in self.layers:
            heard = functional.relu(layer(heard))
        pooled = torch.cat([heard.mean(2), heard.amax(2), heard[:, :, -1]], 1)
        pooled = functional.dropout(pooled, 0.2, self.training)
        return self.floor(functional.relu(self.hidden(pooled)))[:, 0]


def main() -> None:
    parser = argparse.ArgumentParser(description="Train the spotter of murmurs.")
    parser.add_argument("--without", nargs="*", default=[], help="people to measure on")
    parser.add_argument("--steps", type=int, default=7000)
    parser.add_argument("--save", action="store_true")
    arguments = parser.parse_args()
    names = dict.fromkeys(person.name for person in people())
    learned = corpus(held=False, people=[name for name in names if name not in arguments.without])
    measured = corpus(held=True, people=arguments.without)
    network = train(learned, arguments.steps)
    report(network, measured)
    if arguments.save:
        save(network, thresholds(network, measured))


def train(examples: list[Example], steps: int) -> Network:
    torch.manual_seed(1)
    torch.set_num_threads(1)  # on a busy machine more of them only wait for one another
    network = Network()
    optimizer = torch.optim.AdamW(network.parameters(), LEARNING_RATE, weight_decay=0.01)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, LEARNING_RATE, steps, pct_start=0.1)
    power = torch.from_numpy(np.stack([example.power for example in examples]))
    floor = torch.tensor([float(example.floor) for example in examples])
    often = chances(examples)
    for step in range(steps):
        chosen = torch.multinomial(often, BATCH, replacement=True)
        frames = frames_at(int(torch.randint(*LEARNED_MS, ())))
        scores = network(levels(other_voices(power[chosen].float())[:, :frames]))
        loss = functional.binary_cross_entropy_with_logits(scores, floor[chosen])
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        schedule.step()
        if step % 500 == 499:
            print(f"{step + 1:5} of {steps} steps, loss {loss.item():.3f}", flush=True)
    return network.eval()


def chances(examples: list[Example]) -> torch.Tensor:
    """Of each example, by the share of its family."""
    families = [example.family if example.family in SHARES else "noise" for example in examples]
    counts = Counter(families)
    return torch.tensor([SHARES[family] / counts[family] for family in families])


def frames_at(milliseconds: int) -> int:
    """How many frames there are so long after the onset."""
    return (LEAD + RATE * milliseconds // 1000 - WINDOW) // HOP + 1


def levels(power: torch.Tensor) -> torch.Tensor:
    """features(), of log10 power."""
    return (1 + 10 / RANGE_DB * (power - power.amax((1, 2), keepdim=True))).clamp(min=0)


def other_voices(power: torch.Tensor) -> torch.Tensor:
    """The bands stretched by 8 % about their middle, moved by a band and coloured by 8 dB, each at most; formants
    blunter or sharper; and the roughness of another voice, up to 3 dB. So no voice by itself is a sign of anything.
    """
    many, frames, bands = power.shape
    middle = bands / 2
    stretch, shift = (torch.rand(2, many, 1) * 2 - 1) * torch.tensor([0.08, 1.2]).view(2, 1, 1)
    at = ((torch.arange(bands) - middle) * (1 + stretch) + middle + shift).clamp(0, bands - 1.001)
    below = at.floor().long()[:, None].expand(-1, frames, -1)
    part = (at - at.floor())[:, None]
    moved = power.gather(2, below) * (1 - part) + power.gather(2, below + 1) * part
    even = functional.avg_pool1d(moved, 5, stride=1, padding=2, count_include_pad=False)
    sharper = even + (moved - even) * (0.5 + torch.rand(many, 1, 1))
    colour = functional.interpolate(1.6 * torch.rand(many, 1, 6) - 0.8, bands, mode="linear", align_corners=True)
    return sharper + colour + 0.3 * torch.rand(many, 1, 1) * torch.randn_like(moved)


def scores(network: Network, examples: list[Example], milliseconds: int) -> NDArray[np.float32]:
    power = torch.from_numpy(np.stack([example.power for example in examples])).float()
    heard = levels(power[:, : frames_at(milliseconds)])
    with torch.no_grad():
        return torch.stack([network(heard[:, start:]) for start in range(STARTS)]).mean(0).numpy()


def thresholds(network: Network, examples: list[Example]) -> NDArray[np.float32]:
    """What a score must exceed at the first and at the last of DECIDED_MS, in proportion between: frames, scores."""
    murmurs = [example for example in examples if example.family == "murmur"]
    early, midway, late = (scores(network, murmurs, milliseconds) for milliseconds in DECIDED_MS)
    first = np.quantile(early, 1 - EARLY_FALSE_ALARMS)
    # The last threshold at which each is no false alarm; the one midway is the mean of the first and the last.
    harmless = np.where(early > first, np.inf, np.maximum(2 * midway - first, late))
    last = np.quantile(harmless, 1 - FALSE_ALARMS, method="higher")
    return np.array([[frames_at(DECIDED_MS[0]), frames_at(DECIDED_MS[-1])], [first, last]], np.float32)


def report(network: Network, examples: list[Example]) -> None:
    """Print what share of each family is called an interruption. First at a threshold that lets FALSE_ALARMS of the
    murmurs pass at that very moment, then at the one that is kept; and at any of DECIDED_MS."""
    kept = thresholds(network, examples)
    kinds = [(example.family, example.group) for example in examples]
    murmurs = [family == "murmur" for family, _ in kinds]
    columns = []
    for milliseconds in MEASURED_MS:
        found = scores(network, examples, milliseconds)
        columns.append(found > np.quantile(found[murmurs], 1 - FALSE_ALARMS))
        columns.append(found > np.interp(frames_at(milliseconds), *kept))
    columns.append(np.any([columns[2 * MEASURED_MS.index(milliseconds) + 1] for milliseconds in DECIDED_MS], axis=0))
    print(
        f"{'called an interruption after, ms':32}", *(f"{milliseconds:13}" for milliseconds in MEASURED_MS), "    any"
    )
    for row in sorted({(family, "") for family, _ in kinds} | {kind for kind in kinds if kind[1]}):
        chosen = [row in (kind, (kind[0], "")) for kind in kinds]
        print(f"{' '.join(row):32}", *(f"{column[chosen].mean():6.1%}" for column in columns))


def save(network: Network, kept: NDArray[np.float32]) -> None:
    """As Murmur reads it."""
    arrays = {"thresholds": kept}
    for place, layer in enumerate([*network.layers, network.hidden, network.floor]):
        weight = layer.weight.detach().numpy()
        arrays[f"w{place}"] = weight.reshape(len(weight), -1).T.astype(np.float16)
        arrays[f"b{place}"] = layer.bias.detach().numpy()
    np.savez_compressed(WEIGHTS, **arrays)
    print(f"{WEIGHTS}: {WEIGHTS.stat().st_size} bytes, thresholds {kept[1]}")


if __name__ == "__main__":
    main()
