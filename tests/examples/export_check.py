#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Tests the example's models and their export.  Needs torch; no network, no other package.

The models are held to formulations of their own: the encoder to torch's
transformer layer, the generator to a version that loops over every pair of
tokens and knows no cache.
"""

import contextlib
import dataclasses
import io
import json
import math
import os
import pathlib
import pickle
import resource
import shutil
import subprocess
import sys
import tempfile
import unittest
import warnings

ROOT = pathlib.Path(__file__).resolve().parent.parent.parent
MODELS = ROOT / "examples" / "models"
sys.path.insert(0, str(MODELS))

warnings.filterwarnings("ignore", message="Failed to initialize NumPy")  # torch, which does without
try:
    import torch
except ImportError:
    print("SKIP: torch is not installed")
    sys.exit(77)

import export
import gptneo
import minilm
import sources
import weights

torch.set_grad_enabled(False)
TINY = gptneo.Shape(layers=1, heads=4, hidden=32, inner=64, vocabulary=101, positions=64, window=5, local=(True,))
SMALL = dataclasses.replace(TINY, layers=4, local=(False, True) * 2)


def worst(a, b):
    return (a - b).abs().max().item()


# ----------------------------------------------------------------------------
# The models


@unittest.skipIf(sources.package_folder() is None, f"{sources.PACKAGE} is not installed")
class TheEncoder(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.model = minilm.load()

    def test_equals_torchs_own_transformer_layers(self):
        ids = torch.randint(1000, 30000, (3, 20), generator=torch.Generator().manual_seed(3))
        mask = torch.ones_like(ids)
        mask[1, 7:] = 0
        mask[2, 1:] = 0
        model = self.model
        x = model.words(ids) + model.positions(torch.arange(20)) + model.segments(torch.zeros_like(ids))
        x = model.norm(x)
        for ours in model.layers:
            x = same_layer(ours)(x, src_key_padding_mask=mask == 0)
        vectors = [x[row, : mask[row].sum()].mean(0) for row in range(3)]
        expected = torch.stack([vector / vector.norm() for vector in vectors])
        self.assertLess(worst(model(ids, mask), expected), 1e-5)

    def test_gives_a_text_the_same_vector_alone_and_in_a_padded_batch(self):
        embedder = minilm.Embedder()
        rows = [[101, *range(2000, 2000 + length), 102] for length in (1, 40, 3, 200, 17)]
        batch = embedder.embed_ids(rows)
        alone = torch.cat([embedder.embed_ids([row]) for row in rows])
        self.assertLess(worst(batch, alone), 1e-5)
        self.assertLess(worst(batch.norm(dim=1), torch.ones(5)), 1e-5)

    def test_does_not_look_at_padding(self):
        ids, mask = torch.full((1, 6), 2000), torch.tensor([[1, 1, 1, 0, 0, 0]])
        other = ids.clone()
        other[0, 3:] = 29999
        self.assertEqual(worst(self.model(ids, mask), self.model(other, mask)), 0.0)


def same_layer(ours):
    """torch's own layer, with the parameters of one of ours."""
    layer = torch.nn.TransformerEncoderLayer(
        minilm.HIDDEN, minilm.HEADS, minilm.INNER, 0.0, "gelu", minilm.EPSILON, batch_first=True
    ).eval()
    parts = (ours.query, ours.key, ours.value)
    state = {
        "self_attn.in_proj_weight": torch.cat([part.weight for part in parts]),
        "self_attn.in_proj_bias": torch.cat([part.bias for part in parts]),
    }
    names = {"self_attn.out_proj": "merge", "norm1": "merge_norm", "norm2": "narrow_norm"}
    names |= {"linear1": "widen", "linear2": "narrow"}
    for theirs, name in names.items():
        for kind in ("weight", "bias"):
            state[f"{theirs}.{kind}"] = getattr(getattr(ours, name), kind)
    layer.load_state_dict(state)
    return layer


class TheGenerator(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.model = gptneo.random_model(SMALL)
        generator = torch.Generator().manual_seed(4)
        for parameter in cls.model.parameters():  # livelier than the 0.02 of the real start
            parameter.add_(torch.randn(parameter.shape, generator=generator) * 0.2)
        cls.ids = torch.randint(0, SMALL.vocabulary, (2, 40), generator=generator)
        cls.nothing = torch.zeros(SMALL.past(2, 0))

    def test_equals_a_version_that_loops_over_pairs_of_tokens(self):
        logits, past = self.model(self.ids, self.nothing)
        for row in range(2):
            self.assertLess(worst(logits[row], looped(self.model, self.ids[row].tolist())), 1e-4)
        self.assertEqual(tuple(past.shape), SMALL.past(2, 40))

    def test_gives_in_steps_what_it_gives_at_once(self):
        at_once, whole = self.model(self.ids, self.nothing)
        for steps in ([1] * 40, [39, 1], [1, 39], [10, 1, 1, 28]):
            past, start = self.nothing, 0
            for count in steps:
                logits, past = self.model(self.ids[:, start : start + count], past)
                start += count
            self.assertLess(worst(logits, at_once), 1e-4, steps)
            self.assertLess(worst(past, whole), 1e-4, steps)

    def test_leaves_the_past_that_it_is_given_alone(self):
        _, past = self.model(self.ids[:, :9], self.nothing)
        before = past.clone()
        self.model(self.ids[:, 9:12], past)
        self.assertTrue(torch.equal(past, before))

    def test_sees_as_far_as_the_window_in_a_local_layer(self):
        model = gptneo.random_model(TINY)
        nothing = torch.zeros(TINY.past(1, 0))
        ids = torch.arange(20).unsqueeze(0)
        logits, _ = model(ids, nothing)
        for back, is_seen in ((0, True), (4, True), (5, False), (19, False)):
            other = ids.clone()
            other[0, 19 - back] = 77
            self.assertEqual(not torch.equal(model(other, nothing)[0], logits), is_seen, back)

    def test_has_the_same_random_weights_each_time(self):
        one, other = gptneo.random_model(SMALL), gptneo.random_model(SMALL)
        self.assertTrue(all(torch.equal(a, b) for a, b in zip(one.parameters(), other.parameters())))


def looped(model, ids):
    """The last token's logits, from the definition: no cache, no mask, no matrix of scores."""
    shape, share = model.shape, model.shape.hidden // model.shape.heads
    x = [model.words.weight[token] + model.places.weight[place] for place, token in enumerate(ids)]
    for layer in model.layers:
        y = [layer.before(one) for one in x]
        queries, keys, values = ([part(one) for one in y] for part in (layer.query, layer.key, layer.value))
        for place in range(len(ids)):
            first = max(0, place - shape.window + 1) if layer.local else 0
            heads = []
            for head in range(shape.heads):
                part = slice(head * share, (head + 1) * share)
                query = queries[place][part]
                scores = [torch.dot(query, keys[other][part]).item() for other in range(first, place + 1)]
                top = max(scores)
                powers = [math.exp(score - top) for score in scores]
                heads.append(sum(power * values[first + i][part] for i, power in enumerate(powers)) / sum(powers))
            x[place] = x[place] + layer.merge(torch.cat(heads))
            wide = layer.widen(layer.between(x[place]))
            bent = 0.5 * wide * (1 + torch.tanh(math.sqrt(2 / math.pi) * (wide + 0.044715 * wide**3)))
            x[place] = x[place] + layer.narrow(bent)
    return model.words.weight @ model.norm(x[-1])


# ----------------------------------------------------------------------------
# The files


def run_export(*arguments):
    """As a process of its own would, without loading torch each time."""
    out, err, kept = io.StringIO(), io.StringIO(), sys.argv
    sys.argv = ["export.py", *map(str, arguments)]
    try:
        with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
            code = export.run()
    except SystemExit as end:
        code = end.code
    finally:
        sys.argv = kept
    return subprocess.CompletedProcess(arguments, code, out.getvalue(), err.getvalue())


def write_safetensors(path, tensors):
    header, place, data = {}, 0, []
    types = {dtype: name for name, dtype in weights.DTYPES.items()}
    for name, tensor in tensors.items():
        some = bytes(tensor.contiguous().clone().untyped_storage())
        places = [place, place + len(some)]
        header[name] = {"dtype": types[tensor.dtype], "shape": list(tensor.shape), "data_offsets": places}
        place += len(some)
        data.append(some)
    text = json.dumps(header).encode()
    path.write_bytes(len(text).to_bytes(8, "little") + text + b"".join(data))


def hugging_face_tensors(model):
    names = {"words": "wte", "places": "wpe", "norm": "ln_f"}
    tensors = {}
    for name, parameter in model.named_parameters():
        *parts, kind = name.split(".")
        if parts[0] == "layers":
            tensors[f"transformer.h.{parts[1]}.{gptneo.LAYER_NAMES[parts[2]]}.{kind}"] = parameter.clone()
        else:
            tensors[f"transformer.{names[parts[0]]}.{kind}"] = parameter.clone()
    return tensors


CONFIG = {
    "model_type": "gpt_neo",
    "num_layers": 4,
    "num_heads": 4,
    "hidden_size": 32,
    "intermediate_size": 64,
    "vocab_size": 101,
    "max_position_embeddings": 64,
    "window_size": 5,
    "attention_types": [[["global", "local"], 2]],
}


class WithFolders(unittest.TestCase):
    def setUp(self):
        kept = tempfile.TemporaryDirectory()
        self.addCleanup(kept.cleanup)
        self.out, self.source = pathlib.Path(kept.name) / "out", pathlib.Path(kept.name) / "source"
        self.source.mkdir()
        self.model = gptneo.random_model(SMALL)
        self.tensors = hugging_face_tensors(self.model)
        (self.source / "config.json").write_text(json.dumps(CONFIG))
        (self.source / "vocab.json").write_text("{}")
        (self.source / "merges.txt").write_text("#version: 0.2\n")
        write_safetensors(self.source / "model.safetensors", self.tensors)

    def export(self, *more):
        return run_export("--only", "generator", "--generator", self.source, "--out", self.out, *more)

    def refused(self, part):
        done = self.export()
        self.assertEqual(done.returncode, 1, done.stdout + done.stderr)
        self.assertIn(part, done.stderr)
        self.assertFalse((self.out / "generator" / "model.pt").exists())
        return done


class AnExport(WithFolders):
    def test_of_a_local_folder_gives_its_model_and_copies_its_vocabulary(self):
        done = self.export("--check")
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertIn("agrees with the plain model", done.stdout)
        folder = self.out / "generator"
        self.assertEqual(
            sorted(os.listdir(folder)), ["config.json", "merges.txt", "model.pt", "stamp.json", "vocab.json"]
        )
        config = json.loads((folder / "config.json").read_text())
        self.assertEqual(config["weights"], "trained")
        self.assertEqual([config["layers"], config["heads"], config["head_size"]], [4, 4, 8])
        ids = torch.tensor([[5, 6, 7]])
        exported, _ = torch.jit.load(folder / "model.pt")(ids, torch.zeros(SMALL.past(1, 0)))
        self.assertLess(worst(exported, self.model(ids, torch.zeros(SMALL.past(1, 0)))[0]), 1e-5)

    def test_reads_a_torch_file_in_half_precision_with_the_buffers_of_old_versions(self):
        half = {name: tensor.half() for name, tensor in self.tensors.items()}
        half["transformer.h.0.attn.attention.bias"] = torch.ones(1, 1, 64, 64, dtype=torch.uint8)
        half["lm_head.weight"] = half["transformer.wte.weight"]
        (self.source / "model.safetensors").unlink()
        torch.save(half, self.source / "pytorch_model.bin")
        done = self.export("--check")
        self.assertEqual(done.returncode, 0, done.stderr)

    def test_does_nothing_and_loads_no_torch_when_nothing_has_changed(self):
        self.export()
        before = (self.out / "generator" / "model.pt").stat()
        code = "import os, runpy, sys; sys.argv = sys.argv[1:]; sys.path.insert(0, os.path.dirname(sys.argv[0]))\n"
        code += "try: runpy.run_path(sys.argv[0], run_name='__main__')\n"
        code += "except SystemExit as end: sys.exit(end.code or ('torch' in sys.modules and 9))"
        arguments = [MODELS / "export.py", "--only", "generator", "--generator", self.source, "--out", self.out]
        done = subprocess.run([sys.executable, "-c", code, *map(str, arguments)], capture_output=True, text=True)
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertIn("nothing has changed", done.stdout)
        self.assertEqual((self.out / "generator" / "model.pt").stat(), before)

    def test_is_made_again_when_an_input_or_an_output_has_changed(self):
        self.export()
        folder = self.out / "generator"
        for change in (
            lambda: (self.source / "merges.txt").write_text("#version: 0.3\n"),
            lambda: os.truncate(folder / "model.pt", 1000),
            lambda: (folder / "config.json").unlink(),
            lambda: (folder / "stamp.json").write_text("[]"),
            lambda: (folder / "stamp.json").unlink(),
        ):
            change()
            self.assertIn("writing", self.export().stdout)
        self.assertEqual((folder / "merges.txt").read_text(), "#version: 0.3\n")
        self.assertIn("nothing has changed", self.export("--check").stdout)

    def test_leaves_no_part_of_a_file_when_the_disk_is_full(self):
        limit = lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (50_000, 50_000))
        command = [MODELS / "export.py", "--only", "generator", "--generator", self.source, "--out", self.out]
        done = subprocess.run([sys.executable, *command], capture_output=True, text=True, preexec_fn=limit)
        self.assertEqual(done.returncode, 1, done.stderr)
        self.assertIn("export: failed", done.stderr)
        self.assertEqual(os.listdir(self.out / "generator"), [])

    def test_refuses_wrong_arguments(self):
        self.assertEqual(run_export("--only", "nothing").returncode, 2)
        self.assertEqual(run_export("--no-such-option").returncode, 2)
        self.out.write_text("a file where the folder should be")
        done = self.export()
        self.assertEqual(done.returncode, 1)
        self.assertIn(str(self.out), done.stderr)


class AFolder(WithFolders):
    def test_that_lacks_a_file_is_refused(self):
        for name in ("config.json", "vocab.json", "merges.txt"):
            text = (self.source / name).read_text()
            (self.source / name).unlink()
            self.refused(f"{name} is missing")
            (self.source / name).write_text(text)
        (self.source / "model.safetensors").unlink()
        self.refused("neither model.safetensors nor pytorch_model.bin")

    def test_with_a_damaged_safetensors_file_is_refused(self):
        path = self.source / "model.safetensors"
        whole = path.read_bytes()
        for part in (b"", whole[:5], whole[:100], whole[:-1], b"\xff" * 8 + whole[8:]):
            path.write_bytes(part)
            self.refused("model.safetensors: ")
        for header in (
            b"[]",
            b"{",
            b"[" * 99999,
            b'{"a": 1}',
            b'{"a": {"dtype": "F99", "shape": [1], "data_offsets": [0, 4]}}',
            b'{"a": {"dtype": "F32", "shape": [-1], "data_offsets": [0, -4]}}',
            b'{"a": {"dtype": "F32", "shape": [1e9], "data_offsets": [0, 4]}}',
            b'{"a": {"dtype": "F32", "shape": [99999999999], "data_offsets": [0, 399999999996]}}',
        ):
            path.write_bytes(len(header).to_bytes(8, "little") + header + bytes(64))
            self.refused("model.safetensors: ")

    def test_with_a_torch_file_that_would_run_code_is_refused_and_nothing_runs(self):
        class Hostile:
            def __reduce__(self):
                return os.mkdir, (str(self.place),)

        hostile = Hostile()
        Hostile.place = self.source / "it_ran"
        (self.source / "model.safetensors").unlink()
        (self.source / "pytorch_model.bin").write_bytes(pickle.dumps(hostile))
        self.refused("pytorch_model.bin: not a file of weights")
        torch.save({"a": hostile}, self.source / "pytorch_model.bin")
        self.refused("pytorch_model.bin: not a file of weights")
        self.assertFalse(Hostile.place.exists())

    def test_whose_tensors_do_not_fit_its_configuration_is_refused(self):
        path = self.source / "model.safetensors"
        tensors = dict(self.tensors)
        name = "transformer.h.2.mlp.c_fc.weight"
        tensors[name] = tensors[name].T
        write_safetensors(path, tensors)
        self.refused("has the shape [32, 64], not [64, 32]")
        del tensors[name]
        write_safetensors(path, tensors)
        self.refused("has no tensor 'h.2.mlp.c_fc.weight'")
        write_safetensors(path, self.tensors | {"lm_head.weight": torch.zeros(101, 32)})
        self.refused("output matrix")

    def test_with_another_models_configuration_is_refused(self):
        path = self.source / "config.json"
        for changes, part in (
            ({"model_type": "llama"}, "'llama', not 'gpt_neo'"),
            ({"num_layers": 5}, "do not match its 5 layers"),
            ({"num_heads": 5}, "do not divide"),
            ({"hidden_size": "big"}, "not the configuration"),
            ({"num_layers": 1 << 19, "attention_types": [[["global"], 1 << 19]]}, "layers is 524288"),
            ({"activation_function": "none"}, "activation 'none'"),
            ({"attention_types": [[["sideways"], 4]]}, "attention layers"),
        ):
            path.write_text(json.dumps(CONFIG | changes))
            self.refused(part)
        path.write_text("not JSON")
        self.refused("config.json: not the configuration of a GPT-Neo")
        path.write_text(json.dumps({key: value for key, value in CONFIG.items() if key != "vocab_size"}))
        self.refused("'vocab_size' is missing")


@unittest.skipIf(sources.package_folder() is None, f"{sources.PACKAGE} is not installed")
class TheEncodersExport(WithFolders):
    def test_is_checked_against_the_plain_model_and_complete(self):
        done = run_export("--only", "minilm", "--out", self.out, "--check")
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertIn("agrees with the plain model", done.stdout)
        self.assertEqual(
            sorted(os.listdir(self.out / "minilm")), ["config.json", "model.pt", "stamp.json", "vocab.txt"]
        )

    def test_refuses_files_that_are_not_the_pinned_ones(self):
        for name in sources.PINS:
            for one in sources.PINS:  # copies: nothing here may touch the installed package
                shutil.copyfile(sources.package_folder() / one, self.source / one)
            os.truncate(self.source / name, (self.source / name).stat().st_size - 1)
            done = run_export("--only", "minilm", "--encoder", self.source, "--out", self.out)
            self.assertEqual(done.returncode, 1)
            self.assertIn(f"{name} is not the file this example was made for", done.stderr)
            self.assertIn(sources.PINS[name], done.stderr)
        self.assertFalse((self.out / "minilm" / "model.pt").exists())


if __name__ == "__main__":
    unittest.main(warnings="ignore")
