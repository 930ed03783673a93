# SPDX-License-Identifier: Apache-2.0
"""GPT-Neo, the generator of the example, in plain torch, with a key/value cache.

Owns the model's arithmetic and its shape.  Weights come from a Hugging Face
folder, or are seeded random numbers in the shape of GPT-Neo-125M: those
generate nothing that makes sense, at exactly the real model's cost.
"""

import dataclasses
import json
import pathlib

import torch
from torch import nn
from torch.nn import functional

import sources
import weights
from sources import SourceError

SEED = 20250522
LIMITS = {"layers": 1 << 10}  # of what a config.json may ask for; 1 << 20 for the rest
MASKED = torch.finfo(torch.float32).min
ACTIVATIONS = {
    "gelu_new": lambda x: functional.gelu(x, approximate="tanh"),
    "gelu": functional.gelu,
    "relu": functional.relu,
}


@dataclasses.dataclass(frozen=True)
class Shape:
    """As GPT-Neo-125M has it, unless told otherwise."""

    layers: int = 12
    heads: int = 12
    hidden: int = 768
    inner: int = 3072
    vocabulary: int = 50257
    positions: int = 2048
    window: int = 256  # how far back a local layer sees, the token itself included
    local: tuple = (False, True) * 6  # which layers are local
    epsilon: float = 1e-5
    activation: str = "gelu_new"

    def past(self, batch, length):
        """The shape of a cache that holds `length` tokens."""
        return (self.layers, 2, batch, self.heads, length, self.hidden // self.heads)


def read_shape(path):
    """Reads a Hugging Face config.json; SourceError when it is none of a GPT-Neo."""
    try:
        config = json.loads(pathlib.Path(path).read_text(encoding="utf-8"))
        if config.get("model_type") != "gpt_neo":
            raise ValueError(f"model_type is {config.get('model_type')!r}, not 'gpt_neo'")
        kinds = config.get("attention_layers")
        if kinds is None:
            kinds = [kind for some, times in config["attention_types"] for _ in range(times) for kind in some]
        shape = Shape(
            layers=config["num_layers"],
            heads=config["num_heads"],
            hidden=config["hidden_size"],
            inner=config.get("intermediate_size") or 4 * config["hidden_size"],
            vocabulary=config["vocab_size"],
            positions=config["max_position_embeddings"],
            window=config.get("window_size", 256),
            local=tuple(kind == "local" for kind in kinds),
            epsilon=config.get("layer_norm_epsilon", 1e-5),
            activation=config.get("activation_function", "gelu_new"),
        )
        for name in ("layers", "heads", "hidden", "inner", "vocabulary", "positions", "window"):
            value = getattr(shape, name)
            if type(value) is not int or not 1 <= value <= LIMITS.get(name, 1 << 20):
                raise ValueError(f"{name} is {value!r}")
        if set(kinds) - {"global", "local"} or len(kinds) != shape.layers:
            raise ValueError(f"its attention layers do not match its {shape.layers} layers")
        if shape.hidden % shape.heads:
            raise ValueError(f"{shape.hidden} numbers do not divide among {shape.heads} heads")
        if shape.activation not in ACTIVATIONS:
            raise ValueError(f"activation {shape.activation!r} is not one of {', '.join(ACTIVATIONS)}")
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        reason = f"{error} is missing" if isinstance(error, KeyError) else error
        raise SourceError(f"{path}: not the configuration of a GPT-Neo: {reason}") from error
    return shape


class Layer(nn.Module):
    def __init__(self, shape, local):
        super().__init__()
        hidden = shape.hidden
        self.heads, self.local = shape.heads, local
        self.activation = ACTIVATIONS[shape.activation]
        self.before = nn.LayerNorm(hidden, shape.epsilon)
        self.query = nn.Linear(hidden, hidden, bias=False)
        self.key = nn.Linear(hidden, hidden, bias=False)
        self.value = nn.Linear(hidden, hidden, bias=False)
        self.merge = nn.Linear(hidden, hidden)
        self.between = nn.LayerNorm(hidden, shape.epsilon)
        self.widen = nn.Linear(hidden, shape.inner)
        self.narrow = nn.Linear(shape.inner, hidden)

    def forward(self, x, cache, start, hidden_from):
        """cache [2, b, head, p + n, share] has room for this call's n tokens at `start`."""
        y = self.before(x)
        query, key, value = (
            part(y).unflatten(2, (self.heads, -1)).transpose(1, 2) for part in (self.query, self.key, self.value)
        )
        cache[0].narrow(2, start, x.size(1)).copy_(key)
        cache[1].narrow(2, start, x.size(1)).copy_(value)
        scores = query @ cache[0].transpose(2, 3)  # GPT-Neo does not scale them
        seen = scores.masked_fill(hidden_from, MASKED).softmax(3) @ cache[1]
        x = x + self.merge(seen.transpose(1, 2).flatten(2))
        return x + self.narrow(self.activation(self.widen(self.between(x))))


class GptNeo(nn.Module):
    """forward(ids int64 [b, n], past float [layers, 2, b, heads, p, share]) ->
    (logits of the last token, float [b, vocabulary]; the new past, p + n long).

    p may be 0, n may not; p + n is at most shape.positions.  The rows of a
    batch have one length.  The cache is copied once a call, not once a layer.
    """

    def __init__(self, shape):
        super().__init__()
        self.shape = shape
        self.words = nn.Embedding(shape.vocabulary, shape.hidden)
        self.places = nn.Embedding(shape.positions, shape.hidden)
        self.layers = nn.ModuleList(Layer(shape, local) for local in shape.local)
        self.norm = nn.LayerNorm(shape.hidden, shape.epsilon)

    def forward(self, ids, past):
        start = past.size(4)
        # Positions are counted, not made by arange, so that no device is fixed in the exported file.
        of_new = torch.ones_like(ids[0]).cumsum(0) - 1 + start
        room = past.new_zeros(1).expand(past.size(0), 2, ids.size(0), past.size(3), ids.size(1), past.size(5))
        cache = torch.cat([past, room], 4)
        of_all = torch.ones_like(cache[0, 0, 0, 0, :, 0]).to(ids.dtype).cumsum(0) - 1
        distance = of_new[:, None] - of_all[None, :]
        future = distance < 0
        far = future | (distance >= self.shape.window)
        x = self.words(ids) + self.places(of_new)
        for number, layer in enumerate(self.layers):
            x = layer(x, cache[number], start, far if layer.local else future)
        last = self.norm(x[:, -1])
        return functional.linear(last, self.words.weight), cache


def random_model(shape=Shape()):
    """The same numbers for the same shape, every time."""
    with torch.device("meta"):
        model = GptNeo(shape)
    model = model.to_empty(device="cpu")
    generator = torch.Generator().manual_seed(SEED)
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            if parameter.dim() > 1:
                parameter.normal_(0.0, 0.02, generator=generator)
            else:
                parameter.fill_(1.0 if name.endswith("weight") else 0.0)
    return model.requires_grad_(False).eval()


# What the file calls the parts.
LAYER_NAMES = {
    "before": "ln_1",
    "query": "attn.attention.q_proj",
    "key": "attn.attention.k_proj",
    "value": "attn.attention.v_proj",
    "merge": "attn.attention.out_proj",
    "between": "ln_2",
    "widen": "mlp.c_fc",
    "narrow": "mlp.c_proj",
}


def load(folder):
    """Returns the model in a Hugging Face folder, ready to run."""
    shape = read_shape(pathlib.Path(folder) / "config.json")
    path = sources.weights_file(pathlib.Path(folder))
    tensors = weights.read_safetensors(path) if path.suffix == ".safetensors" else weights.read_torch(path)
    tensors = {name.removeprefix("transformer."): tensor for name, tensor in tensors.items()}
    head = tensors.get("lm_head.weight")
    if head is not None and not torch.equal(head, tensors.get("wte.weight", head)):
        raise SourceError(f"{path}: its output matrix is not its word matrix, as GPT-Neo has it")
    names = {"words.weight": "wte.weight", "places.weight": "wpe.weight"}
    names |= {"norm.weight": "ln_f.weight", "norm.bias": "ln_f.bias"}
    for number in range(shape.layers):
        for ours, theirs in LAYER_NAMES.items():
            for kind in ("weight", "bias"):
                names[f"layers.{number}.{ours}.{kind}"] = f"h.{number}.{theirs}.{kind}"
    with torch.device("meta"):
        model = GptNeo(shape)
    return weights.fill(model, tensors, names, path)
