#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Compares the example's tokenisers in C with the `tokenizers` package.

    tokenizer_check.py TOKENIZE_MAIN [--texts FILE]

WordPiece: MiniLM's own tokenizer.json, with its padding and truncation off,
on texts_200.txt; the ids must be equal on all but the texts of EXPECTED,
which says why, and must again be equal when both cut to 256 and to 16.

Byte-level BPE: a tokeniser trained here on the same texts; the ids must be
equal on every text.

Exit codes: 0 equal, 1 not, 77 the reference is not installed.
"""

import argparse
import json
import pathlib
import subprocess
import sys
import tempfile

HERE = pathlib.Path(__file__).resolve().parent
ROOT = HERE.parent.parent
sys.path.insert(0, str(ROOT / "examples" / "models"))

import sources  # noqa: E402

REFERENCE = "tokenizers==0.23.3"  # pip install --no-deps
BPE_SIZE = 1000
NO_LIMIT = 1 << 20
CONTROL_IS_TEXT = "the reference takes a literal control token for the token itself; here text is only text"
EXPECTED = {"a literal [CLS]": CONTROL_IS_TEXT, "[PAD][UNK]": CONTROL_IS_TEXT}  # by how the text begins


def ids_in_c(program, arguments, texts):
    """Runs tokenize_main; returns a list of ids for each text."""
    lines = "".join(json.dumps(text) + "\n" for text in texts)
    done = subprocess.run([program, *map(str, arguments)], input=lines, capture_output=True, text=True)
    if done.returncode != 0:
        sys.exit(f"{program} {' '.join(map(str, arguments))}: {done.stderr.strip()}")
    return [[int(number) for number in line.split()] for line in done.stdout.splitlines()]


def differing(texts, ours, theirs):
    if len(ours) != len(texts):
        sys.exit(f"{len(texts)} texts gave {len(ours)} lines of ids")
    return [number for number in range(len(texts)) if ours[number] != theirs[number]]


def describe(name, number, text, ours, theirs):
    at = next((i for i, pair in enumerate(zip(ours, theirs)) if pair[0] != pair[1]), min(len(ours), len(theirs)))
    ours, theirs = ours[at : at + 8], theirs[at : at + 8]
    print(f"  {name}: line {number + 1}, {ascii(text[:60])}, differs from id {at} on: here {ours}, reference {theirs}")


def check_wordpiece(program, texts):
    import tokenizers

    folder = sources.package_folder()
    if folder is None:
        print(f"SKIP: {sources.PACKAGE} is not installed")
        sys.exit(77)
    reference = tokenizers.Tokenizer.from_file(str(folder / "tokenizer.json"))
    reference.no_padding()
    good = True
    for limit in (NO_LIMIT, 256, 16):
        reference.no_truncation()
        if limit != NO_LIMIT:
            reference.enable_truncation(limit)
        theirs = [encoding.ids for encoding in reference.encode_batch(texts)]
        ours = ids_in_c(program, ["wordpiece", folder / "vocab.txt", limit], texts)
        different = differing(texts, ours, theirs)
        cut = "whole" if limit == NO_LIMIT else f"cut to {limit}"
        print(f"WordPiece, {cut}: {len(texts) - len(different)} of {len(texts)} texts have the reference's ids")
        for number in different:
            reason = next((why for start, why in EXPECTED.items() if texts[number].startswith(start)), None)
            describe("WordPiece", number, texts[number], ours[number], theirs[number])
            print(f"    expected: {reason}" if reason else "    NOT EXPECTED")
            good = good and reason is not None
    return good


def check_bpe(program, texts):
    import tokenizers

    reference = tokenizers.ByteLevelBPETokenizer()
    reference.train_from_iterator(texts, vocab_size=BPE_SIZE, min_frequency=2, show_progress=False)
    with tempfile.TemporaryDirectory() as folder:
        reference.save_model(folder)
        files = [pathlib.Path(folder) / "vocab.json", pathlib.Path(folder) / "merges.txt"]
        ours = ids_in_c(program, ["bpe", *files], texts)
    theirs = [encoding.ids for encoding in reference.encode_batch(texts)]
    different = differing(texts, ours, theirs)
    print(
        f"byte-level BPE, {reference.get_vocab_size()} tokens: "
        f"{len(texts) - len(different)} of {len(texts)} texts have the reference's ids"
    )
    for number in different:
        describe("BPE", number, texts[number], ours[number], theirs[number])
    return not different


def main():
    parser = argparse.ArgumentParser(description="Compares the tokenisers in C with the reference.")
    parser.add_argument("program", nargs="?", default=ROOT / "build/tests/examples/tokenize_main", help="the built tokenize_main")
    parser.add_argument("--texts", type=pathlib.Path, default=HERE / "texts_200.txt", metavar="FILE")
    options = parser.parse_args()
    try:
        import tokenizers
    except ImportError:
        print(f"SKIP: the reference is not installed: pip install --no-deps {REFERENCE}")
        return 77
    if f"tokenizers=={tokenizers.__version__}" != REFERENCE:
        print(f"note: this was written against {REFERENCE}, here is {tokenizers.__version__}")
    with open(options.texts, encoding="utf-8") as file:
        texts = [json.loads(line) for line in file]
    results = [check_wordpiece(options.program, texts), check_bpe(options.program, texts)]
    return 0 if all(results) else 1


if __name__ == "__main__":
    sys.exit(main())
