# SPDX-License-Identifier: Apache-2.0
"""all-MiniLM-L6-v2, the sentence encoder of the example, in plain torch.

Owns the model's arithmetic.  It is what export.py traces and what the tests
compare the C service with:

    import minilm
    vectors = minilm.Embedder().embed(["a text", "another"])    # [2, 384], unit length

Pooling (the mean over a text's own tokens) and scaling to unit length are
part of the model: what leaves it is the finished vector, 384 numbers a text
whatever its length, so that the caller has nothing to do and on a GPU little
to fetch.
"""

import torch
from torch import nn
from torch.nn import functional

import sources
import weights

LAYERS, HEADS, HIDDEN, INNER = 6, 12, 384, 1536
VOCABULARY, POSITIONS, SEGMENTS = 30522, 512, 2
MAX_LENGTH = 256  # tokens, what the model was trained for; [CLS] and [SEP] count
EPSILON = 1e-12
MASKED = torch.finfo(torch.float32).min

# What the file calls the parts of a layer.
LAYER_NAMES = {
    "query": "attention.self.query",
    "key": "attention.self.key",
    "value": "attention.self.value",
    "merge": "attention.output.dense",
    "merge_norm": "attention.output.LayerNorm",
    "widen": "intermediate.dense",
    "narrow": "output.dense",
    "narrow_norm": "output.LayerNorm",
}
EMBEDDING_NAMES = {
    "words": "embeddings.word_embeddings",
    "positions": "embeddings.position_embeddings",
    "segments": "embeddings.token_type_embeddings",
    "norm": "embeddings.LayerNorm",
}


class Layer(nn.Module):
    def __init__(self):
        super().__init__()
        self.query = nn.Linear(HIDDEN, HIDDEN)
        self.key = nn.Linear(HIDDEN, HIDDEN)
        self.value = nn.Linear(HIDDEN, HIDDEN)
        self.merge = nn.Linear(HIDDEN, HIDDEN)
        self.merge_norm = nn.LayerNorm(HIDDEN, EPSILON)
        self.widen = nn.Linear(HIDDEN, INNER)
        self.narrow = nn.Linear(INNER, HIDDEN)
        self.narrow_norm = nn.LayerNorm(HIDDEN, EPSILON)

    def forward(self, x, padding):
        query, key, value = (heads_apart(part(x)) for part in (self.query, self.key, self.value))
        scores = query @ key.transpose(2, 3) * (HIDDEN // HEADS) ** -0.5
        seen = scores.masked_fill(padding, MASKED).softmax(3) @ value
        x = self.merge_norm(x + self.merge(seen.transpose(1, 2).flatten(2)))
        return self.narrow_norm(x + self.narrow(functional.gelu(self.widen(x))))


def heads_apart(x):
    """[batch, length, hidden] -> [batch, head, length, head's share]"""
    return x.unflatten(2, (HEADS, HIDDEN // HEADS)).transpose(1, 2)


class Minilm(nn.Module):
    """forward(ids int64 [b, n], mask int64 [b, n]: 1 token, 0 padding) -> float [b, 384], unit length"""

    def __init__(self):
        super().__init__()
        self.words = nn.Embedding(VOCABULARY, HIDDEN)
        self.positions = nn.Embedding(POSITIONS, HIDDEN)
        self.segments = nn.Embedding(SEGMENTS, HIDDEN)
        self.norm = nn.LayerNorm(HIDDEN, EPSILON)
        self.layers = nn.ModuleList(Layer() for _ in range(LAYERS))

    def forward(self, ids, mask):
        places = self.positions.weight[: ids.size(1)]
        x = self.norm(self.words(ids) + places + self.segments.weight[0])
        padding = (mask == 0)[:, None, None, :]
        for layer in self.layers:
            x = layer(x, padding)
        share = mask.to(x.dtype).unsqueeze(2)
        mean = (x * share).sum(1) / share.sum(1).clamp(min=1e-9)
        return functional.normalize(mean, p=2.0, dim=1)


def load(folder=None):
    """Returns the model with its real weights, ready to run."""
    folder = sources.encoder_folder(folder)
    names = {}
    for ours, theirs in EMBEDDING_NAMES.items():
        names[f"{ours}.weight"], names[f"{ours}.bias"] = f"{theirs}.weight", f"{theirs}.bias"
    for number in range(LAYERS):
        for ours, theirs in LAYER_NAMES.items():
            for kind in ("weight", "bias"):
                names[f"layers.{number}.{ours}.{kind}"] = f"encoder.layer.{number}.{theirs}.{kind}"
    with torch.device("meta"):
        model = Minilm()
    path = folder / "model.safetensors"
    return weights.fill(model, weights.read_safetensors(path), names, path)


class Embedder:
    """Texts to vectors in Python: the reference that the C service is held to.

    Token ids come from the `tokenizers` package, which is needed for embed()
    only; embed_ids() takes ids from anywhere.
    """

    def __init__(self, folder=None):
        self.folder = sources.encoder_folder(folder)
        self.model = load(self.folder)
        self.tokenizer = None

    def tokenize(self, texts):
        """Returns a list of ids for each text, [CLS] … [SEP], at most MAX_LENGTH."""
        if self.tokenizer is None:
            import tokenizers

            self.tokenizer = tokenizers.Tokenizer.from_file(str(self.folder / "tokenizer.json"))
            self.tokenizer.no_padding()  # the file asks for 128, always
            self.tokenizer.enable_truncation(MAX_LENGTH)
        return [encoding.ids for encoding in self.tokenizer.encode_batch(list(texts))]

    def embed_ids(self, rows):
        """One batch: a list of lists of ids -> float [len(rows), 384]."""
        length = max(map(len, rows))
        ids = torch.tensor([row + [0] * (length - len(row)) for row in rows])
        mask = torch.tensor([[1] * len(row) + [0] * (length - len(row)) for row in rows])
        with torch.inference_mode():
            return self.model(ids, mask)

    def embed(self, texts, batch_size=32):
        """A list of texts -> float [len(texts), 384], in their order."""
        rows = self.tokenize(texts)
        by_length = sorted(range(len(rows)), key=lambda index: len(rows[index]))
        vectors = torch.empty(len(rows), HIDDEN)
        for start in range(0, len(rows), batch_size):
            some = by_length[start : start + batch_size]
            vectors[some] = self.embed_ids([rows[index] for index in some])
        return vectors
