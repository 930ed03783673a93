#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Compares the vectors of the service in C with those of the Python model.

    encoder_check.py ENCODE_MAIN [--model FOLDER] [--texts FILE]

ENCODE_MAIN is called as `ENCODE_MAIN FOLDER BATCH`: FOLDER holds an exported
encoder (build/models/minilm by default); each line of standard input is a text
as a JSON string, each line of standard output its vector.  The texts of
texts_200.txt run one by one and in batches of 32; every cosine must be above
0.99999.

Exit codes: 0 equal, 1 not, 77 something that this needs is not installed.
"""

import argparse
import json
import pathlib
import subprocess
import sys
import warnings

HERE = pathlib.Path(__file__).resolve().parent
ROOT = HERE.parent.parent
sys.path.insert(0, str(ROOT / "examples" / "models"))
warnings.filterwarnings("ignore", message="Failed to initialize NumPy")  # torch, which does without

LEAST_COSINE = 0.99999
BATCHES = (1, 32)
CONTROLS = ("[CLS]", "[SEP]", "[PAD]", "[UNK]", "[MASK]")  # the two tokenisers differ on these, see tokenizer_check.py


def vectors_in_c(program, folder, batch, texts):
    import torch

    lines = "".join(json.dumps(text) + "\n" for text in texts)
    done = subprocess.run([program, folder, str(batch)], input=lines, capture_output=True, text=True)
    if done.returncode != 0:
        sys.exit(f"{program} {folder} {batch}: {done.stderr.strip()}")
    rows = [[float(number) for number in line.split()] for line in done.stdout.splitlines()]
    if len(rows) != len(texts) or len({len(row) for row in rows}) != 1:
        sys.exit(f"{program}: {len(texts)} texts gave {len(rows)} lines, or lines of different lengths")
    return torch.tensor(rows, dtype=torch.float64)


def main():
    parser = argparse.ArgumentParser(description="Compares the vectors of the service in C with the Python model's.")
    parser.add_argument("program", nargs="?", default=ROOT / "build/tests/examples/encode_main", help="the built encode_main")
    parser.add_argument("--model", default=ROOT / "build" / "models" / "minilm", metavar="FOLDER")
    parser.add_argument("--texts", type=pathlib.Path, default=HERE / "texts_200.txt", metavar="FILE")
    options = parser.parse_args()
    try:
        import minilm
        import sources
        import tokenizers  # noqa: F401  (for Embedder.embed)
        import torch
    except ImportError as error:
        print(f"SKIP: {error}")
        return 77
    if sources.package_folder() is None:
        print(f"SKIP: {sources.PACKAGE} is not installed")
        return 77
    with open(options.texts, encoding="utf-8") as file:
        texts = [json.loads(line) for line in file]
    texts = [text for text in texts if not any(control in text for control in CONTROLS)]
    expected = minilm.Embedder().embed(texts).double()
    good = True
    for batch in BATCHES:
        found = vectors_in_c(options.program, str(options.model), batch, texts)
        cosines = torch.nn.functional.cosine_similarity(found, expected, dim=1)
        least = cosines.argmin().item()
        lengths = found.norm(dim=1)
        equal = cosines.min().item() > LEAST_COSINE and (lengths - 1).abs().max().item() < 1e-4
        good = good and equal
        print(
            f"{'ok' if equal else 'NOT EQUAL'}: {len(texts)} texts in batches of {batch}, least cosine "
            f"{cosines[least].item():.8f} ({ascii(texts[least][:40])}), largest difference "
            f"{(found - expected).abs().max().item():.1e}"
        )
    return 0 if good else 1


if __name__ == "__main__":
    sys.exit(main())
