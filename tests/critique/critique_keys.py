"""Random papers and keys: 3 to 6 flaws and 3 to 4 decoys, or none but decoys, with places that overlap."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np

from fourrounds.critique import Flaw, Key, KeyFault, Paper, load_key
from fourrounds.critique.vocabulary import GROUPS

ROWS = ("ours", "baseline", "tuned baseline", "ours without X", "majority")
COLUMNS = ("accuracy", "seeds", "parameters", "year")
CROWD = ("a chosen result", "too little noise")
CLAIMS = {
    "treatment": ("ours", "ours without X"),
    "baseline": ("baseline", "tuned baseline", "majority"),
    "metric": ("accuracy", "loss"),
    "direction": ("better", "no worse"),
    "scope": ("this data set", "all data sets"),
}


@dataclass(frozen=True)
class Exam:
    """A paper and its key."""

    seed: int
    paper: Paper = field(repr=False)
    key: Key = field(repr=False)

    @property
    def places(self) -> list[dict[str, str]]:
        return self.paper.places()


def draw_paper(rng: np.random.Generator) -> Paper:
    tables = {str(n): (ROWS[: rng.integers(3, 6)], COLUMNS[: rng.integers(2, 5)]) for n in range(1, 4)}
    return Paper(
        sections=("abstract", "1", "2", "3", "3.1", "3.2", "4", "4.1", "5"),
        tables=tables,
        figures=("1", "2"),
        appendices=("A", "B"),
        data={"runs.csv": ("seed", "lr", "test accuracy")},
        claims=CLAIMS,
    )


def _some(rng: np.random.Generator, items: Any, low: int, high: int) -> list[Any]:
    chosen = rng.choice(len(items), size=min(len(items), int(rng.integers(low, high + 1))), replace=False)
    return [items[int(n)] for n in chosen]


def draw_exam(seed: int, flaws: int | None = None, crowded: bool = False) -> Exam:
    """A random exam; ``flaws`` is the number of flaws, 3 to 6 unless given.

    In a crowded one all flaws are of a few classes that come near one another, and show in one table, so that
    a finding often meets several.
    """
    rng = np.random.default_rng(seed)
    paper = draw_paper(rng)
    places = paper.places()
    shown = [at for at in places if at.get("table") == "1"] if crowded else places
    pool = [flaw for flaw in Flaw if not crowded or flaw.group in CROWD]
    severities = ("fatal", "major", "minor")

    def planted(number: int) -> dict[str, Any]:
        flaw = pool[int(rng.integers(len(pool)))]
        mates = [mate for mate in (pool if crowded else GROUPS[flaw.group]) if mate is not flaw]
        near = _some(rng, mates, 2, 5) if crowded else _some(rng, mates, 0, 2)
        shares = [0.1, 0.3, 0.5] if crowded else [0.1, 0.3, 0.5, 1.0]
        return {
            "id": f"f{number}",
            "flaw": flaw.value,
            "classes": {mate.value: float(rng.choice(shares)) for mate in near},
            "severity": severities[int(rng.integers(3))],
            "places": _some(rng, shown, 1, 3),
            "corrected": f"the gain shrinks when {flaw.about.run}",
            "survives": bool(rng.integers(2)),
            "effect": float(rng.normal()),
            "unit": "points",
        }

    def decoy(number: int) -> dict[str, Any]:
        return {
            "id": f"d{number}",
            "places": _some(rng, places, 1, 2),
            "classes": [flaw.value for flaw in _some(rng, list(Flaw), 1, 3)],
            "fine": "the appendix shows that it does not matter",
        }

    verdicts = _some(rng, ["supported", "not_supported", "undecidable"], 2, 2)
    data: dict[str, Any] = {
        "paper": "drawn",
        "flaws": [],
        "decoys": [],
        "fair": [{"places": _some(rng, places, 1, 1), "classes": [_some(rng, list(Flaw), 1, 1)[0].value]}],
        "claim": {slot: {_some(rng, options, 1, 1)[0]: 1.0} for slot, options in CLAIMS.items()},
        "judgements": {"ran": {"no": 1.0}, "baseline": {"less_tuned": 1.0, "dated": 0.5}},
        "verdict": {verdicts[0]: 1.0, verdicts[1]: 0.4},
    }
    wanted = {"flaws": int(rng.integers(3, 7)) if flaws is None else flaws, "decoys": int(rng.integers(3, 5))}
    for part, make in (("flaws", planted), ("decoys", decoy)):
        while len(data[part]) < wanted[part]:
            grown = {**data, part: [*data[part], make(len(data[part]))]}
            try:
                load_key(grown)
            except KeyFault:
                continue  # it met another flaw or decoy: draw again
            data = grown
    return Exam(seed, paper, load_key(data))
