# SPDX-License-Identifier: Apache-2.0
"""Reads tensors from the files that models come in: safetensors and torch's own.

Knows file formats, not models.  What is read is checked before memory is
taken for it; whatever is wrong raises SourceError with the file's name.
"""

import json
import math
import os

import torch

from sources import SourceError

DTYPES = {
    "F64": torch.float64,
    "F32": torch.float32,
    "F16": torch.float16,
    "BF16": torch.bfloat16,
    "I64": torch.int64,
    "I32": torch.int32,
    "I16": torch.int16,
    "I8": torch.int8,
    "U8": torch.uint8,
    "BOOL": torch.bool,
}
HEADER_LIMIT = 100 << 20  # bytes; real headers have some kilobytes


def read_safetensors(path):
    """Returns {name: tensor} of a safetensors file.

    The file is: the header's length in 8 bytes, little endian; the header, a
    JSON object that gives each tensor's type, shape and place; the bytes.
    """
    tensors = {}
    with open(path, "rb") as file:
        file_bytes = os.fstat(file.fileno()).st_size
        header_bytes = int.from_bytes(file.read(8), "little")
        data_bytes = file_bytes - 8 - header_bytes
        if file_bytes < 8 or header_bytes > HEADER_LIMIT or data_bytes < 0:
            raise SourceError(f"{path}: not a safetensors file, or cut short")
        try:
            header = json.loads(file.read(header_bytes).decode("utf-8"))
            entries = [(name, entry) for name, entry in header.items() if name != "__metadata__"]
            for name, entry in entries:
                tensors[name] = read_tensor(file, 8 + header_bytes, data_bytes, entry)
        except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
            raise SourceError(f"{path}: damaged safetensors header: {error}") from error
    return tensors


def read_tensor(file, data_start, data_bytes, entry):
    dtype, shape = DTYPES[entry["dtype"]], entry["shape"]
    begin, end = entry["data_offsets"]
    if not all(type(number) is int and number >= 0 for number in (begin, end, *shape)):
        raise ValueError("a shape or place is not a whole number")
    if end > data_bytes or end - begin != math.prod(shape) * dtype.itemsize:
        raise ValueError(f"a tensor of shape {shape} at {begin}..{end} does not fit the file")
    if begin == end:
        return torch.empty(shape, dtype=dtype)
    buffer = bytearray(end - begin)
    file.seek(data_start + begin)
    if file.readinto(buffer) != len(buffer):
        raise ValueError("cut short")
    return torch.frombuffer(buffer, dtype=dtype).reshape(shape)


def read_torch(path):
    """Returns {name: tensor} of a file that torch.save() wrote; runs no code from it."""
    try:
        tensors = torch.load(path, map_location="cpu", weights_only=True)
    except OSError:
        raise
    except Exception as error:  # torch raises many kinds here
        reason = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise SourceError(f"{path}: not a file of weights: {reason}") from error
    if not isinstance(tensors, dict) or not all(isinstance(tensor, torch.Tensor) for tensor in tensors.values()):
        raise SourceError(f"{path}: holds something else than named tensors")
    return tensors


def fill(module, tensors, names, path):
    """Gives a module made on the meta device its parameters, as 32-bit floats.

    names  {parameter: name in the file}; every parameter of the module is in it.
    """
    state = {}
    for parameter_name, parameter in module.named_parameters():
        name = names[parameter_name]
        if name not in tensors:
            raise SourceError(f"{path}: has no tensor {name!r}")
        if tensors[name].shape != parameter.shape:
            found, wanted = list(tensors[name].shape), list(parameter.shape)
            raise SourceError(f"{path}: {name!r} has the shape {found}, not {wanted}")
        state[parameter_name] = tensors[name].to(torch.float32)
    module.load_state_dict(state, assign=True)
    module.requires_grad_(False)
    return module.eval()
