"""The claims that docs/runbank.md judges: each that a treatment beats a baseline.

They are what a paper of each family might claim. Whether one is true is not written here;
``findings.judge`` says it from the runs.
"""

from __future__ import annotations

from fourrounds.runbank.findings import Contrast

CLAIMS: tuple[Contrast, ...] = (
    Contrast("digits", "Adam beats SGD with momentum", {"optimiser": "adam"}, {}),
    Contrast("digits", "momentum helps SGD", {}, {"optimiser": "sgd"}),
    Contrast(
        "digits",
        "AdamW with decay 0.1 beats Adam",
        {"optimiser": "adamw", "weight_decay": 0.1},
        {"optimiser": "adam"},
    ),
    Contrast("digits", "Lion beats SGD with momentum", {"optimiser": "lion"}, {}),
    Contrast("digits", "a wider network (128) is better", {"width": 128}, {}),
    Contrast("digits", "batch normalisation helps", {"norm": "batch"}, {}),
    Contrast("digits", "layer normalisation helps", {"norm": "layer"}, {}),
    Contrast("digits", "dropout 0.2 helps", {"dropout": 0.2}, {}),
    Contrast("digits", "dropout 0.5 helps", {"dropout": 0.5}, {}),
    Contrast("digits", "label smoothing 0.1 helps", {"smoothing": 0.1}, {}),
    Contrast("digits", "label smoothing 0.3 helps", {"smoothing": 0.3}, {}),
    Contrast("digits", "mixup (a = 0.2) helps", {"mixup": 0.2}, {}),
    Contrast("digits", "mixup (a = 1) helps", {"mixup": 1.0}, {}),
    Contrast("digits", "weight decay 0.01 helps", {"weight_decay": 0.01}, {}),
    Contrast("digits", "three times the epochs help", {"epochs": 60}, {}),
    Contrast("digits", "mixup helps Adam", {"optimiser": "adam", "mixup": 1.0}, {"optimiser": "adam"}),
    Contrast(
        "digits",
        "dropout 0.2 helps batch normalisation",
        {"norm": "batch", "dropout": 0.2},
        {"norm": "batch"},
    ),
    Contrast("digits", "near-duplicates of test images raise the score", {"duplicates": 0.3}, {}),
    Contrast("digits", "copies of test images raise the score", {"contamination": 0.3}, {}),
    Contrast("digits", "a random split scores higher than one by writer", {"split": "random"}, {}),
    Contrast(
        "digits",
        "removing repeats of 60% helps at equal unique images",
        {"train_size": 100},
        {"repeats": 0.6},
    ),
    Contrast("recall", "linear attention beats softmax (8 pairs, width 16)", {"mixer": "linear"}, {}),
    Contrast(
        "recall",
        "softmax beats linear attention (16 pairs, width 8)",
        {"pairs": 16, "width": 8},
        {"mixer": "linear", "pairs": 16, "width": 8},
    ),
    Contrast(
        "recall",
        "linear attention beats softmax (16 pairs, width 32)",
        {"mixer": "linear", "pairs": 16, "width": 32},
        {"pairs": 16, "width": 32},
    ),
    Contrast(
        "recall", "a window beats softmax (4 pairs, width 16)", {"mixer": "window", "pairs": 4}, {"pairs": 4}
    ),
    Contrast(
        "recall",
        "a window beats linear attention (8 pairs, width 16)",
        {"mixer": "window"},
        {"mixer": "linear"},
    ),
    Contrast(
        "recall",
        "width 32 helps linear attention with 16 pairs",
        {"mixer": "linear", "pairs": 16, "width": 32},
        {"mixer": "linear", "pairs": 16},
    ),
    Contrast("recall", "width 32 helps softmax with 16 pairs", {"pairs": 16, "width": 32}, {"pairs": 16}),
    Contrast(
        "recall",
        "more training sequences help linear attention",
        {"mixer": "linear"},
        {"mixer": "linear", "train_size": 256},
    ),
    Contrast(
        "transfer",
        "pre-training on 0-4 beats training from scratch",
        {},
        {"method": "scratch", "source": "none"},
    ),
    Contrast(
        "transfer",
        "pre-training on other writers' 5-9 beats scratch",
        {"source": "same"},
        {"method": "scratch", "source": "none"},
    ),
    Contrast("transfer", "LoRA (rank 4) beats full fine-tuning", {"method": "lora", "rank": 4}, {}),
    Contrast("transfer", "LoRA (rank 8) beats full fine-tuning", {"method": "lora", "rank": 8}, {}),
    Contrast(
        "transfer",
        "LoRA (rank 8) beats full fine-tuning on 150 images",
        {"method": "lora", "rank": 8, "train_size": 150},
        {"train_size": 150},
    ),
    Contrast(
        "transfer",
        "LoRA (rank 4) beats full fine-tuning after the same task, 20 images",
        {"method": "lora", "rank": 4, "source": "same", "train_size": 20},
        {"source": "same", "train_size": 20},
    ),
    Contrast(
        "transfer",
        "the head alone is enough after the same task",
        {"method": "head", "source": "same"},
        {"source": "same"},
    ),
    Contrast("transfer", "the head alone is enough after 0-4", {"method": "head"}, {}),
    Contrast("transfer", "rank 4 beats rank 1", {"method": "lora", "rank": 4}, {"method": "lora", "rank": 1}),
    Contrast("transfer", "rank 8 beats rank 4", {"method": "lora", "rank": 8}, {"method": "lora", "rank": 4}),
    Contrast("contrastive", "NT-Xent beats the probe on pixels", {}, {"method": "pixels"}),
    Contrast("contrastive", "NT-Xent beats an untrained encoder", {}, {"method": "untrained"}),
    Contrast("contrastive", "temperature 0.1 beats 0.2", {"temperature": 0.1}, {}),
    Contrast("contrastive", "temperature 0.2 beats 1", {}, {"temperature": 1.0}),
    Contrast("contrastive", "larger batches help (256 against 64)", {"batch": 256}, {}),
    Contrast("contrastive", "larger batches help (64 against 16)", {}, {"batch": 16}),
    Contrast("contrastive", "the projector helps", {}, {"projector": "none"}),
    Contrast("contrastive", "shifts as augmentation help", {}, {"augmentation": "noise"}),
    Contrast(
        "retrieval",
        "the two-tower model beats BM25",
        {"negatives": 127, "split": "random"},
        {"method": "bm25"},
    ),
    Contrast("retrieval", "training beats the towers as initialised", {}, {"method": "untrained"}),
    Contrast(
        "retrieval",
        "training on all packages beats the towers as initialised",
        {"split": "random"},
        {"method": "untrained"},
    ),
    Contrast("retrieval", "the logQ correction helps", {"logq": "yes"}, {}),
    Contrast(
        "retrieval",
        "the logQ correction helps under Zipf's law",
        {"logq": "yes", "popularity": "zipf"},
        {"popularity": "zipf"},
    ),
    Contrast("retrieval", "more negatives help (127 against 31)", {"negatives": 127}, {}),
    Contrast(
        "retrieval",
        "more negatives help on a random split (127 against 7)",
        {"negatives": 127, "split": "random"},
        {"negatives": 7, "split": "random"},
    ),
    Contrast("retrieval", "a random split scores higher than one by package", {"split": "random"}, {}),
)
