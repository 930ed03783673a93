# SPDX-License-Identifier: Apache-2.0
"""What the checks of tests/gpu/run let torch do on a GPU; prints a line of JSON.

    torch_work.py memory              allocations in a scope, and torch's own peak
    torch_work.py decode TOKENS       batch-1 decode steps out of a CUDA graph: tokens a second
    torch_work.py late TOKENS         the same, with recording started in the middle: the longest steps
    torch_work.py models BATCH...     MiniLM and a CLIP-shaped encoder, a scope for each batch size
"""

import contextlib
import json
import os
import pathlib
import sys
import time

import torch
from torch import nn

if "LIBPROFCORE" in os.environ:
    from scopes import scope, start, start_gpu, stop
else:  # the same work without the library

    @contextlib.contextmanager
    def scope(_name):
        yield

    def start_gpu():
        pass


MODELS = pathlib.Path(__file__).resolve().parent.parent.parent / "examples" / "models"


def memory():
    """Blocks of odd sizes, some freed in between, so that the peak is neither the begin nor the end."""
    torch.cuda.init()
    kept = torch.empty(1000, device="cuda", dtype=torch.uint8)
    torch.cuda.synchronize()
    torch.cuda.reset_peak_memory_stats()
    with scope("one scope"):
        blocks = [torch.empty(size, device="cuda", dtype=torch.uint8) for size in (1 << 20, 3_000_001, 77, 50 << 20)]
        del blocks[1]
        more = torch.empty(5 << 20, device="cuda", dtype=torch.uint8)
        del blocks
    del more
    stats = torch.cuda.memory_stats()
    return {"max_memory_allocated": torch.cuda.max_memory_allocated(), "kept": kept.numel(),
            "stats_peak": stats["allocated_bytes.all.peak"], "allocated": torch.cuda.memory_allocated()}  # fmt: skip


class Decoder(nn.Module):
    """One step of a GPT-2 of 124 million parameters with a cache of fixed size, as a CUDA graph wants it."""

    LAYERS, WIDTH, HEADS, LENGTH, VOCABULARY = 12, 768, 12, 256, 50257

    def __init__(self):
        super().__init__()
        self.words = nn.Embedding(self.VOCABULARY, self.WIDTH)
        self.attend = nn.ModuleList(nn.Linear(self.WIDTH, 3 * self.WIDTH) for _ in range(self.LAYERS))
        self.merge = nn.ModuleList(nn.Linear(self.WIDTH, self.WIDTH) for _ in range(self.LAYERS))
        self.widen = nn.ModuleList(nn.Linear(self.WIDTH, 4 * self.WIDTH) for _ in range(self.LAYERS))
        self.narrow = nn.ModuleList(nn.Linear(4 * self.WIDTH, self.WIDTH) for _ in range(self.LAYERS))
        self.norms = nn.ModuleList(nn.LayerNorm(self.WIDTH) for _ in range(2 * self.LAYERS + 1))
        shape = (self.LAYERS, 2, 1, self.HEADS, self.LENGTH, self.WIDTH // self.HEADS)
        self.register_buffer("cache", torch.zeros(shape))

    def forward(self, token, at):
        x = self.words(token)
        for i in range(self.LAYERS):
            parts = self.attend[i](self.norms[2 * i](x)).view(1, 1, 3, self.HEADS, -1)
            query, key, value = (parts[:, :, part].transpose(1, 2) for part in range(3))
            self.cache[i, 0].index_copy_(2, at, key)
            self.cache[i, 1].index_copy_(2, at, value)
            found = nn.functional.scaled_dot_product_attention(query, self.cache[i, 0], self.cache[i, 1])
            x = x + self.merge[i](found.transpose(1, 2).reshape(1, 1, self.WIDTH))
            x = x + self.narrow[i](nn.functional.gelu(self.widen[i](self.norms[2 * i + 1](x))))
        return (self.norms[-1](x) @ self.words.weight.t()).argmax(-1)


def captured():
    """The step as a graph, with what it reads and writes."""
    torch.manual_seed(1)
    model = Decoder().half().cuda().eval()
    token = torch.zeros(1, 1, dtype=torch.long, device="cuda")
    at = torch.zeros(1, dtype=torch.long, device="cuda")
    side = torch.cuda.Stream()
    with torch.inference_mode(), torch.cuda.stream(side):
        for _ in range(3):
            model(token, at)
    torch.cuda.current_stream().wait_stream(side)
    graph = torch.cuda.CUDAGraph()
    with torch.inference_mode(), torch.cuda.graph(graph):
        token.copy_(model(token, at))
        at.add_(1).remainder_(Decoder.LENGTH)
    return graph, model, token


def steps(graph, token, count):
    """The duration of each step in nanoseconds, as who streams tokens sees it: with the token on the host."""
    took = []
    for _ in range(count):
        begin = time.perf_counter_ns()
        with scope("decode step"):
            graph.replay()
            token.item()
        took.append(time.perf_counter_ns() - begin)
    return took


def decode(count):
    torch.cuda.init()
    start_gpu()
    graph, _model, token = captured()
    steps(graph, token, 50)
    took = steps(graph, token, int(count))
    return {"tokens_per_s": len(took) / (sum(took) / 1e9), "steps": len(took) + 50}


def late(count):
    graph, _model, token = captured()
    steps(graph, token, 50)
    before = steps(graph, token, int(count))
    begin = time.perf_counter_ns()
    start()
    start_ns = time.perf_counter_ns() - begin
    after = steps(graph, token, int(count))
    stop()
    return {"before_max_ns": max(before), "after_max_ns": max(after), "start_ns": start_ns,
            "median_ns": sorted(before)[len(before) // 2]}  # fmt: skip


class Clip(nn.Module):
    """The shape of CLIP's ViT-B/32 image encoder; random weights."""

    def __init__(self):
        super().__init__()
        layer = nn.TransformerEncoderLayer(768, 12, 3072, 0.0, "gelu", batch_first=True, norm_first=True)
        self.patches = nn.Conv2d(3, 768, 32, 32)
        self.first = nn.Parameter(torch.randn(1, 1, 768))
        self.places = nn.Parameter(torch.randn(1, 50, 768))
        self.layers = nn.TransformerEncoder(layer, 12, enable_nested_tensor=False)
        self.out = nn.Linear(768, 512)

    def forward(self, images):
        x = self.patches(images).flatten(2).transpose(1, 2)
        x = torch.cat([self.first.expand(len(x), -1, -1), x], 1) + self.places
        return nn.functional.normalize(self.out(self.layers(x)[:, 0]), dim=-1)


def minilm_model():
    """MiniLM with its real weights where the package is installed, else of its shape."""
    sys.path.insert(0, str(MODELS))
    import minilm

    try:
        return minilm.load(), "real weights"
    except minilm.sources.SourceError:
        torch.manual_seed(1)
        return minilm.Minilm(), "random weights"


def timed(name, forward, repeats):
    """Wall and event time of a scope of several forwards, warmed up."""
    begin, end = torch.cuda.Event(enable_timing=True), torch.cuda.Event(enable_timing=True)
    for _ in range(3):
        forward()
    torch.cuda.synchronize()
    at = time.perf_counter_ns()
    with scope(name):
        begin.record()
        for _ in range(repeats):
            forward()
        end.record()
        torch.cuda.synchronize()
    return {"wall_ns": time.perf_counter_ns() - at, "event_ns": begin.elapsed_time(end) * 1e6, "repeats": repeats}


def models(*sizes):
    torch.cuda.init()
    start_gpu()
    text, weights = minilm_model()
    text, image = text.cuda().eval(), Clip().cuda().eval()
    found = {"weights": weights, "scopes": {}}
    with torch.inference_mode():
        for size in map(int, sizes):
            ids = torch.randint(1000, 20000, (size, 64), device="cuda")
            mask, images = torch.ones_like(ids), torch.randn(size, 3, 224, 224, device="cuda")
            found["scopes"][f"minilm, batch {size}"] = timed(f"minilm, batch {size}", lambda i=ids, m=mask: text(i, m), 20)
            found["scopes"][f"clip, batch {size}"] = timed(f"clip, batch {size}", lambda x=images: image(x), 20)
    return found


if __name__ == "__main__":
    work = {"memory": memory, "decode": decode, "late": late, "models": models}[sys.argv[1]]
    print(json.dumps(work(*sys.argv[2:])))
