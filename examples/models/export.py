#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Exports the example's two models as TorchScript files that C loads with libtorch.

    build/models/minilm/     model.pt  vocab.txt  config.json     the encoder
    build/models/generator/  model.pt  config.json                the generator
                             vocab.json  merges.txt               with --generator

Does nothing, within moments, when nothing has changed since the last run: a
stamp beside the files tells.  Each file is written beside its place and
renamed, so that a file under its own name is whole.

Exit codes: 0 done, or nothing to do; 1 failed, the last line says why; 2 wrong
arguments; 130 interrupted.
"""

import argparse
import contextlib
import fcntl
import hashlib
import importlib.metadata
import json
import os
import pathlib
import shutil
import sys
import time
import warnings

import sources
from sources import SourceError

HERE = pathlib.Path(__file__).resolve().parent
DEFAULT_OUT = HERE.parent.parent / "build" / "models"
SCRIPTS = ("export.py", "sources.py", "minilm.py", "gptneo.py", "weights.py")
STAMP = "stamp.json"

# The largest difference between exported and plain model that --check allows.
TOLERANCE = {"minilm": 1e-5, "generator": 1e-4}


class Steps:
    """Tells what is going on: one line that changes on a terminal, else a line for each step."""

    def __init__(self, total):
        self.total, self.done, self.live = total, 0, sys.stdout.isatty()

    def next(self, text):
        if self.live:
            width = 24
            filled = width * self.done // self.total
            room = max(shutil.get_terminal_size().columns - width - 4, 10)
            print(f"\r\033[K[{'#' * filled}{'.' * (width - filled)}] {text[:room]}", end="", flush=True)
        else:
            print(f"[{self.done + 1}/{self.total}] {text}", flush=True)
        self.done += 1

    def line(self, text):
        print(f"\r\033[K{text}" if self.live else text, flush=True)


# ----------------------------------------------------------------------------
# Files


def sha256(path):
    digest = hashlib.sha256()
    with open(path, "rb") as file:
        while block := file.read(1 << 20):
            digest.update(block)
    return digest.hexdigest()


def state_of(path):
    """Changes whenever somebody writes the file; None when there is none."""
    try:
        stat = os.stat(path)
    except FileNotFoundError:
        return None
    return [stat.st_size, stat.st_mtime_ns, stat.st_ino]


@contextlib.contextmanager
def locked(folder):
    """Keeps a second export out of the folder until this one has ended, however it ends."""
    place = os.open(folder, os.O_RDONLY)
    try:
        fcntl.flock(place, fcntl.LOCK_EX)
        yield
    finally:
        os.close(place)


def write_beside(path, write):
    """Calls write(temporary path), then gives the file its name.  The folder is locked."""
    beside = path.with_name(f".{path.name}.new")
    try:
        write(beside)
        with open(beside, "rb") as file:
            os.fsync(file.fileno())
        os.replace(beside, path)
    finally:
        beside.unlink(missing_ok=True)


def write_model(path, traced):
    # torch ends the process when the disk that it writes to is full, so the room is made sure of first.
    code_bytes = 4 << 20
    needed = code_bytes + sum(tensor.nbytes for tensor in traced.parameters())

    def write(beside):
        with open(beside, "wb") as file:
            os.posix_fallocate(file.fileno(), 0, needed)
        traced.save(str(beside))

    write_beside(path, write)


def write_json(path, value):
    write_beside(path, lambda beside: beside.write_text(json.dumps(value, indent=2) + "\n", encoding="utf-8"))


def copy(source, target):
    write_beside(target, lambda beside: shutil.copyfile(source, beside))


# ----------------------------------------------------------------------------
# What is exported


class Encoder:
    """The sentence encoder: where it comes from, and how it is made."""

    name = "minilm"
    steps = 3

    def __init__(self, folder):
        self.folder = sources.encoder_folder(folder)
        self.inputs = [self.folder / name for name in sources.PINS]

    def check_inputs(self):
        for name, wanted in sources.PINS.items():
            path = self.folder / name
            found = sha256(path)
            if found != wanted:
                raise SourceError(
                    f"{path} is not the file this example was made for:\n"
                    f"  its sha256 is {found}\n  expected      {wanted}\n"
                    f"  {sources.INSTALL} --force-reinstall"
                )

    def load(self):
        import minilm

        return minilm.load(self.folder)

    def example(self, batch, length, _past):
        import torch

        generator = torch.Generator().manual_seed(batch * 1000 + length)
        ids = torch.randint(1000, 30000, (batch, length), generator=generator)
        mask = torch.ones_like(ids)
        for row in range(1, batch):  # each row shorter than the one before
            mask[row, max(1, length - row * length // batch) :] = 0
        return ids * mask, mask

    shapes = [(1, 1, 0), (1, 9, 0), (3, 2, 0), (4, 37, 0), (2, 256, 0)]

    def copies(self):
        return {"vocab.txt": self.folder / "vocab.txt"}

    def config(self, _model):
        import minilm

        return {
            "model": "all-MiniLM-L6-v2",
            "forward": "(ids int64 [b, n], mask int64 [b, n]) -> float [b, hidden_size]",
            "pooling": "inside the model: mean over the mask, then unit length",
            "hidden_size": minilm.HIDDEN,
            "max_length": minilm.MAX_LENGTH,
            "vocabulary_size": minilm.VOCABULARY,
            "lower_case": True,
            "source_sha256": sources.PINS,
        }


class Generator:
    """The text generator: trained weights from a folder, or seeded random ones."""

    name = "generator"
    steps = 3

    def __init__(self, folder):
        self.folder = folder
        self.inputs = []
        if folder is not None:
            self.inputs = find_generator(folder)

    def check_inputs(self):
        pass

    def load(self):
        import gptneo

        return gptneo.random_model() if self.folder is None else gptneo.load(self.folder)

    def example(self, batch, length, past):
        import torch

        shape = self.shape
        generator = torch.Generator().manual_seed(batch * 1000 + length)
        ids = torch.randint(0, shape.vocabulary, (batch, length), generator=generator)
        return ids, torch.randn(shape.past(batch, past), generator=generator)

    @property
    def shapes(self):
        longest = min(self.shape.positions, 300)  # beyond a local layer's window
        half = max(1, longest // 2)
        return [(1, 1, 0), (1, min(7, longest), 0), (2, 1, half), (3, half, longest - half), (1, 1, longest - 1)]

    def copies(self):
        return {} if self.folder is None else {name: self.folder / name for name in ("vocab.json", "merges.txt")}

    def config(self, model):
        import gptneo

        shape = model.shape
        trained = self.folder is not None
        return {
            "model": "GPT-Neo",
            "forward": "(ids int64 [b, n], past float [layers, 2, b, heads, p, head_size]) "
            "-> (logits of the last token, float [b, vocabulary_size]; new past, p + n long)",
            "weights": "trained" if trained else "random",
            "seed": None if trained else gptneo.SEED,
            "tokens": "byte-level BPE" if trained else "WordPiece",
            "layers": shape.layers,
            "heads": shape.heads,
            "head_size": shape.hidden // shape.heads,
            "hidden_size": shape.hidden,
            "vocabulary_size": shape.vocabulary,
            "max_length": shape.positions,
            "source_sha256": {path.name: sha256(path) for path in self.inputs},
        }


def find_generator(folder):
    """Returns the files of a Hugging Face folder that count."""
    if not folder.is_dir():
        raise SourceError(f"--generator: {folder} is not a folder")
    inputs = [folder / "config.json", sources.weights_file(folder), folder / "vocab.json", folder / "merges.txt"]
    return [sources.need_file(path, "--generator") for path in inputs]


# ----------------------------------------------------------------------------
# Exporting


def stamp_of(part):
    """Equal for equal results: the scripts, torch, the inputs.  Imports no torch."""
    return {
        "scripts": {name: sha256(HERE / name) for name in SCRIPTS},
        "torch": importlib.metadata.version("torch"),
        "inputs": {str(path.resolve()): state_of(path) for path in part.inputs},
    }


def is_current(part, folder):
    try:
        kept = json.loads((folder / STAMP).read_text(encoding="utf-8"))
        outputs = kept.pop("outputs")
        return kept == stamp_of(part) and all(state_of(folder / name) == state for name, state in outputs.items())
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return False  # no stamp, or none of ours


def export(part, folder, steps):
    """Makes the folder's files anew.  The folder is locked."""
    import torch

    started = time.monotonic()
    stamp = stamp_of(part)
    (folder / STAMP).unlink(missing_ok=True)

    steps.next(f"{part.name}: reading the weights")
    part.check_inputs()
    model = part.load()
    part.shape = getattr(model, "shape", None)

    steps.next(f"{part.name}: tracing")
    with torch.no_grad():
        traced = torch.jit.trace(model, part.example(2, 5, 3), check_trace=False)

    steps.next(f"{part.name}: writing")
    write_model(folder / "model.pt", traced)
    copies = part.copies()
    for name, source in copies.items():
        copy(source, folder / name)
    for name in ("vocab.json", "merges.txt"):  # of an earlier export from other weights
        if name not in copies:
            (folder / name).unlink(missing_ok=True)
    config = part.config(model)
    config["sha256"] = {name: sha256(folder / name) for name in ("model.pt", *copies)}
    config["versions"] = {"torch": torch.__version__, "python": sys.version.split()[0]}
    write_json(folder / "config.json", config)

    names = ("model.pt", "config.json", *copies)
    stamp["outputs"] = {name: state_of(folder / name) for name in names}
    write_json(folder / STAMP, stamp)
    total = sum((folder / name).stat().st_size for name in names)
    steps.line(f"{part.name}: {total / 1e6:.1f} MB in {folder}, {time.monotonic() - started:.1f} s")


def check(part, folder):
    """Compares the file on disk with the plain model; returns whether they agree."""
    import torch

    model = part.load()
    part.shape = getattr(model, "shape", None)
    exported = torch.jit.load(folder / "model.pt")
    worst = 0.0
    with torch.no_grad():
        for shape in part.shapes:
            inputs = part.example(*shape)
            ours, theirs = model(*inputs), exported(*inputs)
            pairs = zip(ours, theirs) if isinstance(ours, tuple) else [(ours, theirs)]
            for plain, loaded in pairs:
                if plain.shape != loaded.shape:
                    raise SourceError(f"{part.name}: shape {list(loaded.shape)} instead of {list(plain.shape)}")
                worst = max(worst, (plain - loaded).abs().max().item())
    allowed = TOLERANCE[part.name]
    agrees = worst <= allowed  # false for NaN
    shapes = " ".join(f"{batch}x{length}" + (f"+{past}" if past else "") for batch, length, past in part.shapes)
    verdict = "agrees with" if agrees else "DIFFERS from"
    print(f"{part.name}: {verdict} the plain model, max difference {worst:.1e} (allowed {allowed:.0e}) on {shapes}")
    return agrees


def main():
    parser = argparse.ArgumentParser(description="Exports the example's models as TorchScript files.")
    parser.add_argument("--out", type=pathlib.Path, default=DEFAULT_OUT, metavar="FOLDER", help="default: build/models")
    parser.add_argument(
        "--encoder", type=pathlib.Path, metavar="FOLDER", help="all-MiniLM-L6-v2's files, instead of the package's"
    )
    parser.add_argument(
        "--generator", type=pathlib.Path, metavar="FOLDER", help="a local Hugging Face folder with a trained GPT-Neo"
    )
    parser.add_argument("--only", choices=("minilm", "generator"), help="one of the two models")
    parser.add_argument("--check", action="store_true", help="also compare what is exported with the plain models")
    options = parser.parse_args()
    warnings.filterwarnings("ignore", message="Failed to initialize NumPy")  # torch, which does without

    makers = {"minilm": lambda: Encoder(options.encoder), "generator": lambda: Generator(options.generator)}
    parts = [make() for name, make in makers.items() if options.only in (None, name)]
    waiting = [part for part in parts if not is_current(part, options.out / part.name)]
    for part in parts:
        if part not in waiting:
            print(f"{part.name}: already exported in {options.out / part.name}, nothing has changed")
    steps = Steps(sum(part.steps for part in waiting))
    for part in waiting:
        folder = options.out / part.name
        folder.mkdir(parents=True, exist_ok=True)
        with locked(folder):
            if is_current(part, folder):
                steps.line(f"{part.name}: another export has just made it")
            else:
                export(part, folder, steps)
    agree = [check(part, options.out / part.name) for part in parts] if options.check else []
    return 0 if all(agree) else 1


def run():
    try:
        return main()
    except KeyboardInterrupt:
        print("\nexport: interrupted", file=sys.stderr)
        return 130
    except SourceError as error:
        reason = str(error)
    except importlib.metadata.PackageNotFoundError as error:
        reason = f"the Python package {error.name} is not installed"
    except (OSError, MemoryError, RuntimeError, ImportError) as error:
        reason = f"{type(error).__name__}: {error}"
    print(f"{chr(10) if sys.stdout.isatty() else ''}export: failed: {reason}", file=sys.stderr)
    return 1


if __name__ == "__main__":
    sys.exit(run())
