# SPDX-License-Identifier: Apache-2.0
"""Makes the small models that tests/torch runs, and files that are no models.

Usage: make_test_models.py FOLDER

Operators are such that libtorch 1.13 knows them: what a newer torch makes
here is loaded by every version that is tested.
"""
import os
import sys
import warnings
import zipfile
from typing import Dict, List, NamedTuple, Optional, Tuple

warnings.filterwarnings("ignore")

sys.dont_write_bytecode = True
sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))

import hostile_models  # noqa: E402
import torch  # noqa: E402
from torch import Tensor  # noqa: E402


class Pair(NamedTuple):
    first: Tensor
    second: Tensor


class Inputs(torch.nn.Module):
    """Methods that differ in what they take."""

    def __init__(self):
        super().__init__()
        self.kept = torch.zeros(0)

    def forward(self, x: Tensor) -> Tensor:
        return x.clone()

    @torch.jit.export
    def same(self, x: Tensor) -> Tensor:
        return x

    @torch.jit.export
    def tail(self, x: Tensor) -> Dict[str, List[Tensor]]:
        return {"tail": [x[1:]]}

    @torch.jit.export
    def keep(self, x: Tensor) -> int:
        self.kept = x
        return 1

    @torch.jit.export
    def keep_and_raise(self, x: Tensor) -> int:
        self.kept = x
        if x.numel() > 0:
            raise ValueError("kept it, then raised")
        return 1

    @torch.jit.export
    def kept_tensor(self) -> Tensor:
        return self.kept

    @torch.jit.export
    def increment(self, x: Tensor) -> int:
        x.add_(1)
        return x.numel()

    @torch.jit.export
    def mix(self, a: Tensor, b: Tensor, scale: float = 1.0) -> Tensor:
        return a * 10 + b * scale

    @torch.jit.export
    def times(self, x: Tensor, n: int) -> Tensor:
        return x * n

    @torch.jit.export
    def first_of(self, tensors: List[Tensor]) -> Tensor:
        return tensors[0]

    @torch.jit.export
    def or_zero(self, x: Optional[Tensor]) -> Tensor:
        return torch.zeros(1) if x is None else x + 1

    @torch.jit.export
    def to_device(self, x: Tensor, device: torch.device) -> Tensor:
        return x.to(device)


class Outputs(torch.nn.Module):
    """Methods that differ in what they return."""

    def forward(self, x: Tensor) -> Tuple[Tensor, List[Tensor], Dict[str, Tensor]]:
        return x + 1, [x + 2, x + 3], {"plus": x + 4, "äöü": x + 5}

    @torch.jit.export
    def nested(self, x: Tensor) -> Dict[str, List[Tuple[Tensor, Dict[str, Tensor]]]]:
        return {"layers": [(x, {"key": x + 1}), (x + 2, {"key": x + 3})]}

    @torch.jit.export
    def named(self, x: Tensor) -> Pair:
        return Pair(x + 1, x + 2)

    @torch.jit.export
    def numbers(self) -> Tuple[int, float, bool, str, Optional[int], List[int]]:
        return -4611686018427387904, 2.5, True, "naïve\0text", None, [1, 2, 3]

    @torch.jit.export
    def by_number(self, x: Tensor) -> Dict[int, Tensor]:
        return {7: x + 7, 3: x + 3}

    @torch.jit.export
    def empty(self) -> Tuple[List[Tensor], Dict[str, Tensor]]:
        tensors: List[Tensor] = []
        table: Dict[str, Tensor] = {}
        return tensors, table

    @torch.jit.export
    def many(self, n: int) -> List[int]:
        return [i for i in range(n)]

    @torch.jit.export
    def transposed(self, x: Tensor) -> Tensor:
        return (x + 0).t()

    @torch.jit.export
    def repeated(self, x: Tensor) -> Tensor:
        return (x + 0).expand(3, 4)

    @torch.jit.export
    def negative_view(self, x: Tensor) -> Tensor:
        return torch.complex(x, x).conj().imag

    @torch.jit.export
    def complex_numbers(self, x: Tensor) -> Tensor:
        return torch.complex(x, x)

    @torch.jit.export
    def sparse(self, x: Tensor) -> Tensor:
        return x.to_sparse()

    @torch.jit.export
    def device(self, x: Tensor) -> torch.device:
        return x.device

    @torch.jit.export
    def count(self) -> int:
        return 40


class Picky(torch.nn.Module):
    """Methods that refuse."""

    def __init__(self):
        super().__init__()
        self.linear = torch.nn.Linear(4, 2)
        self.embedding = torch.nn.Embedding(10, 4)

    def forward(self, x: Tensor) -> Tensor:
        return self.linear(x)

    @torch.jit.export
    def embed(self, ids: Tensor) -> Tensor:
        return self.embedding(ids)

    @torch.jit.export
    def check(self, x: Tensor) -> Tensor:
        assert x.dim() == 2, "rank must be 2"
        return x + 1

    @torch.jit.export
    def refuse(self, x: Tensor) -> Tensor:
        if x.numel() > 0:
            raise ValueError("no, thank you:\n\tnot today. RuntimeError: is only a word here")
        return x

    @torch.jit.export
    def complain(self, x: Tensor) -> Tensor:
        if x.numel() > 0:
            # Longer than a message by itself, whatever the path of the model that stands before it.
            piece = "ä€😀ä€😀ä€😀ä€😀ä€😀"
            raise ValueError("++++++++++++++++++++".replace("+", piece))
        return x

    @torch.jit.export
    def hoard(self, x: Tensor) -> Tensor:
        return torch.empty([1 << 46])


class Cache(torch.nn.Module):
    """A step of a decoder: logits, and the cache grown by one."""

    def forward(self, step: Tensor, past: Tensor) -> Tuple[Tensor, Tensor]:
        grown = torch.cat([past, step], dim=0)
        return grown.sum(dim=0), grown


class Encoder(torch.nn.Module):
    def __init__(self):
        super().__init__()
        torch.manual_seed(7)
        self.layers = torch.nn.Sequential(torch.nn.Linear(32, 64), torch.nn.Tanh(), torch.nn.Linear(64, 16))

    def forward(self, x: Tensor) -> Tensor:
        return self.layers(x)


class Counter(torch.nn.Module):
    """A submodule with a weight, and state that a run changes."""

    steps: List[int]

    def __init__(self):
        super().__init__()
        self.weight = torch.nn.Parameter(torch.full((256, 256), 2.0))
        self.register_buffer("total", torch.zeros(1))
        self.steps = []

    def forward(self, x: Tensor) -> Tensor:
        self.total += x.sum()
        self.steps.append(x.numel())
        return self.total * self.weight[0, 0]


class Stateful(torch.nn.Module):
    """Adds up what it is given; `again` is the same submodule by another name."""

    def __init__(self):
        super().__init__()
        self.counter = Counter()
        self.again = self.counter
        self.register_buffer("table", torch.arange(4))

    def forward(self, x: Tensor) -> Tensor:
        return self.counter(x)

    @torch.jit.export
    def parts(self) -> Tuple[Tensor, Tensor, Tensor, Tensor, int]:
        return self.counter.weight, self.again.weight, self.counter.total, self.table, len(self.counter.steps)


class Views(torch.nn.Module):
    """Buffers that are views of each other and of a parameter, and lists that share tensors and each other."""

    tensors: List[Tensor]
    table: Dict[str, List[Tensor]]
    pair: Tuple[Tensor, List[Tensor]]

    def __init__(self):
        super().__init__()
        whole = torch.zeros(4)
        self.register_buffer("whole", whole)
        self.register_buffer("part", whole[1:3])
        self.register_buffer("steps", whole[::2])
        self.weight = torch.nn.Parameter(torch.zeros(2), requires_grad=False)
        self.register_buffer("weight_view", self.weight.detach()[:1])
        self.plain = torch.nn.Parameter(torch.zeros(1), requires_grad=False)
        self.tensors = [whole, whole[3:]]
        self.table = {"tensors": self.tensors}
        self.pair = (whole, self.tensors)

    def forward(self, x: Tensor) -> Tuple[Tensor, Tensor, Tensor, Tensor, Tensor, Tensor, int]:
        self.whole.add_(x)
        self.weight_view.add_(x)
        self.tensors.append(x.clone())
        return (self.part, self.steps, self.tensors[1], self.table["tensors"][0], self.pair[0], self.weight,
                len(self.table["tensors"]) * 10 + len(self.pair[1]))

    @torch.jit.export
    def tie(self) -> int:  # a file has a list for each attribute
        self.table["tensors"] = self.tensors
        self.pair = (self.whole, self.tensors)
        return 0

    @torch.jit.export
    def weights(self) -> Tuple[Tensor, Tensor]:
        return self.plain, self.weight


class Forks(torch.nn.Module):
    def forward(self, x: Tensor) -> Tensor:
        one = torch.jit.fork(torch.neg, x)
        return torch.jit.wait(one) + x * 3


class Waits(torch.nn.Module):
    """Runs until the caller's `flag` is no longer 0.  What is random is read anew in each round."""

    def forward(self, flag: Tensor) -> Tensor:
        while int(flag * torch.randint(1, 2, [1])) == 0:
            pass
        return flag + 1


class Dropout(torch.nn.Module):
    def __init__(self):
        super().__init__()
        self.dropout = torch.nn.Dropout(0.9)

    def forward(self, x: Tensor) -> Tensor:
        return self.dropout(x)


class BertLayer(torch.nn.Module):
    def __init__(self):
        super().__init__()
        linear, norm = torch.nn.Linear, torch.nn.LayerNorm
        self.query, self.key, self.value, self.merge = (linear(384, 384) for _ in range(4))
        self.widen, self.narrow = linear(384, 1536), linear(1536, 384)
        self.merge_norm, self.narrow_norm = norm(384, 1e-12), norm(384, 1e-12)

    def forward(self, x: Tensor, padding: Tensor) -> Tensor:
        batch, length, hidden = x.shape
        query, key, value = (
            part(x).view(batch, length, 12, 32).transpose(1, 2) for part in (self.query, self.key, self.value)
        )
        scores = query @ key.transpose(-1, -2) / 32**0.5 + padding
        seen = (scores.softmax(-1) @ value).transpose(1, 2).reshape(batch, length, hidden)
        x = self.merge_norm(x + self.merge(seen))
        return self.narrow_norm(x + self.narrow(torch.nn.functional.gelu(self.widen(x))))


class Bert(torch.nn.Module):
    """
    The shape of all-MiniLM-L6-v2 in the plainest torch, mean pooling and unit
    length included: what a forward allocates depends on shapes only.  Its six
    layers share their weights, and there are few words, so the file is small.
    """

    def __init__(self):
        super().__init__()
        self.words, self.positions = torch.nn.Embedding(200, 384), torch.nn.Embedding(512, 384)
        self.segments, self.norm = torch.nn.Embedding(2, 384), torch.nn.LayerNorm(384, 1e-12)
        layer = BertLayer()
        self.layers = torch.nn.ModuleList([layer] * 6)

    def forward(self, ids: Tensor, mask: Tensor) -> Tensor:
        x = self.words(ids) + self.positions(torch.arange(ids.size(1))) + self.segments.weight[0]
        x = self.norm(x)
        share = mask.to(x.dtype)
        padding = (1.0 - share)[:, None, None, :] * torch.finfo(torch.float32).min
        for layer in self.layers:
            x = layer(x, padding)
        share = share.unsqueeze(-1)
        mean = (x * share).sum(1) / share.sum(1).clamp(min=1e-9)
        return torch.nn.functional.normalize(mean, p=2.0, dim=1)


class Leaks(torch.nn.Module):
    """Keeps a copy of what it is given, each time, in `leak` only."""

    kept: List[Tensor]

    def __init__(self):
        super().__init__()
        self.kept = []

    def forward(self, x: Tensor) -> Tensor:
        return x.clone() + 1

    @torch.jit.export
    def leak(self, x: Tensor) -> Tensor:
        self.kept.append(x.clone())
        return x + 1


def profiled(path):
    """How often torch's own profiler sees each operator in a forward of the encoder that is warm."""
    module = torch.jit.load(path).eval()
    x = torch.ones(3, 32)
    with torch.inference_mode():
        for _ in range(3):
            module(x)
        with torch.profiler.profile(activities=[torch.profiler.ProfilerActivity.CPU]) as seen:
            module(x)
    return {event.key: event.count for event in seen.key_averages()}


class Compiled(torch.nn.Module):
    """What AOTInductor compiles: two inputs, two outputs."""

    def __init__(self):
        super().__init__()
        self.linear = torch.nn.Linear(4, 3)
        torch.nn.init.constant_(self.linear.weight, 0.5)
        torch.nn.init.constant_(self.linear.bias, 0.25)

    def forward(self, x: Tensor, y: Tensor) -> Tuple[Tensor, Tensor]:
        return self.linear(x) + y, x * 2


def make_package(path, folder):
    """Compiles a package, or leaves a text that says why not: this needs torch 2.6 and a C++ compiler at work."""
    os.environ.setdefault("TORCHINDUCTOR_CACHE_DIR", os.path.join(folder, "inductor"))
    for old in (path, path + ".missing"):
        if os.path.exists(old):
            os.unlink(old)
    try:
        from torch._inductor import aoti_compile_and_package

        example = (torch.zeros(2, 4), torch.zeros(3))
        program = torch.export.export(Compiled().eval(), example,
                                      dynamic_shapes={"x": {0: torch.export.Dim("batch", min=1, max=64)}, "y": None})
        aoti_compile_and_package(program, package_path=path)
    except Exception as error:  # whatever torch or the compiler raises: the tests then skip aloud
        reason = " ".join(f"{type(error).__name__}: {error}".split())[:300]
        print("no AOTInductor package:", reason)
        with open(path + ".missing", "w", encoding="utf-8") as file:
            file.write(reason + "\n")


def main():
    folder = sys.argv[1]
    os.makedirs(folder, exist_ok=True)

    def path(name):
        return os.path.join(folder, name)

    for name, module in (("inputs", Inputs()), ("outputs", Outputs()), ("picky", Picky()), ("cache", Cache()),
                         ("encoder", Encoder()), ("forks", Forks()), ("training", Dropout()), ("stateful", Stateful()),
                         ("leaks", Leaks()), ("views", Views()), ("waits", Waits())):
        torch.jit.script(module).save(path(name + ".pt"))
    with open(path("encoder.operators"), "w", encoding="utf-8") as file:
        file.writelines(f"{name} {count}\n" for name, count in sorted(profiled(path("encoder.pt")).items()))
    torch.jit.trace(Encoder().eval(), torch.ones(3, 32)).save(path("traced.pt"))  # the file has its input, too
    torch.jit.script(Encoder()).save(path("extra.pt"), _extra_files={
        "vocabulary.txt": "naïve\n[CLS]\n", "folder/bytes": bytes(range(256)), "empty": ""})
    tokens = torch.randint(0, 200, (2, 5)), torch.ones(2, 5, dtype=torch.int64)
    with torch.no_grad():
        torch.jit.trace(Bert().eval(), tokens, check_trace=False).save(path("bert.pt"))
    torch.jit.freeze(torch.jit.script(Encoder().eval())).save(path("frozen.pt"))
    torch.save(Encoder().state_dict(), path("state.pt"))
    with zipfile.ZipFile(path("archive.pt"), "w") as archive:
        archive.writestr("readme.txt", "a zip archive, but no model\n")
    with open(path("text.pt"), "w", encoding="utf-8") as file:
        file.write("this is text, and no model\n")
    make_package(path("compiled.pt2"), folder)
    hostile_models.make(path("encoder.pt"), path("hostile"))
    with open(path("stamp"), "w", encoding="utf-8") as file:
        file.write(torch.__version__ + "\n")


main()
