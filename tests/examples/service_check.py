#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Tests the retrieval service as its users meet it: as a program.

    service_check.py RAG_SERVICE TOKENIZE_MAIN [--models FOLDER]

Needs torch, the exported encoder (build/models by default) and WordNet; where
one of them is missing it skips and says so.  What the service computes is
held to the Python model and to brute force.  Token ids come from the
`tokenizers` package where that is installed, else from TOKENIZE_MAIN.

Takes a minute or two: 5,000 documents are embedded twice, here and there.
"""

import argparse
import errno
import json
import os
import pathlib
import pty
import re
import select
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import unittest
import warnings

HERE = pathlib.Path(__file__).resolve().parent
ROOT = HERE.parent.parent
sys.path.insert(0, str(ROOT / "examples" / "models"))
warnings.filterwarnings("ignore", message="Failed to initialize NumPy")  # torch, which does without

WORDNET = pathlib.Path("/usr/share/wordnet")
DOCUMENTS, TOP = 5000, 5
LEAST_COSINE, LEAST_HITS = 0.99999, 8
CONTROLS = ("[CLS]", "[SEP]", "[PAD]", "[UNK]", "[MASK]")  # text here, tokens there: see tokenizer_check.py
SMALL_DOCUMENTS = ["a dog: an animal that barks", "a cat: an animal that purrs", "rain: water that falls from clouds"]

given = None  # the arguments
place = None  # a folder for all that is made here


def skip(why):
    print(f"1..0 # SKIP {why}")
    sys.exit(0)


# ----------------------------------------------------------------------------
# Running the service


def run(*arguments, lines=None, environment=None, code=0, models=None):
    """Runs the service to its end, without a terminal; returns what it printed."""
    clean = {name: value for name, value in os.environ.items() if not name.startswith(("PROFCORE", "OMP_", "OPENBLAS_"))}
    done = subprocess.run(
        [given.service, "--models", str(models or given.models), "--index", str(place / "index"), *map(str, arguments)],
        input=lines if lines is not None else "",
        capture_output=True,
        text=True,
        env=clean | (environment or {}),
        cwd=place,
        timeout=600,
    )
    if done.returncode != code:
        raise AssertionError(f"{arguments} ended with {done.returncode}, not {code}: {done.stderr.strip()}")
    return done


def embed(texts, batch, *arguments):
    done = run("--embed", "--batch", batch, *arguments, lines="".join(text + "\n" for text in texts))
    return torch.tensor([json.loads(line) for line in done.stdout.splitlines()])


def search(questions, *arguments):
    """Returns the documents and the scores of each question, and what went to standard error."""
    done = run("--search-only", *arguments, *(word for question in questions for word in ("--query", question)))
    rows = [json.loads(line) for line in done.stdout.splitlines()]
    return [row["documents"] for row in rows], [row["scores"] for row in rows], done.stderr


def kept_indexes():
    return sorted((place / "index").glob("*.index"))


def small_documents():
    path = place / "small.txt"
    path.write_text("".join(text + "\n" for text in SMALL_DOCUMENTS), encoding="utf-8")
    return path


# ----------------------------------------------------------------------------
# The same in Python


def wordnet_senses():
    """("words: definition", first example or "") of each sense: the rules of documents.h, written anew."""
    for part in ("noun", "verb", "adj", "adv"):
        for line in (WORDNET / f"data.{part}").read_text(encoding="utf-8").splitlines():
            if line.startswith(" "):
                continue
            head, gloss = line.split(" | ", 1)
            fields = head.split(" ")
            words = [word.partition("(")[0].replace("_", " ") for word in fields[4 : 4 + 2 * int(fields[3], 16) : 2]]
            definition, _, examples = gloss.partition('; "') if not gloss.startswith('"') else (gloss, "", "")
            yield " ".join(f"{', '.join(words)}: {definition}".split()), " ".join(examples.partition('"')[0].split())


def chosen_senses():
    senses = list(wordnet_senses())
    return [senses[number * len(senses) // DOCUMENTS] for number in range(DOCUMENTS)]


class Reference:
    """The Python model, with ids from the reference tokeniser where it is installed."""

    def __init__(self):
        self.embedder = minilm.Embedder()
        try:
            import tokenizers  # noqa: F401

            self.source = "tokenizers"
        except ImportError:
            self.source = "tokenize_main"

    def ids(self, texts):
        if self.source == "tokenizers":
            return self.embedder.tokenize(texts)
        done = subprocess.run(
            [given.tokenize_main, "wordpiece", str(given.models / "minilm" / "vocab.txt"), str(minilm.MAX_LENGTH)],
            input="".join(json.dumps(text) + "\n" for text in texts),
            capture_output=True,
            text=True,
            check=True,
        )
        return [[int(number) for number in line.split()] for line in done.stdout.splitlines()]

    def embed(self, texts):
        rows = self.ids(texts)
        order = sorted(range(len(rows)), key=lambda number: len(rows[number]))
        vectors = torch.empty(len(rows), minilm.HIDDEN)
        for start in range(0, len(order), 32):
            some = order[start : start + 32]
            vectors[some] = self.embedder.embed_ids([rows[number] for number in some])
        return vectors


def questions():
    lines = (HERE / "questions.txt").read_text(encoding="utf-8").splitlines()
    pairs = [line.split("\t") for line in lines if line and not line.startswith("#")]
    return [(int(number), text) for number, text in pairs]


# ----------------------------------------------------------------------------
# Models


BYTE_ALPHABET = [chr(byte) if 0x21 <= byte <= 0x7E or 0xA1 <= byte <= 0xAC or 0xAE <= byte <= 0xFF else None for byte in range(256)]


def make_small_generator(folder, trained):
    """A GPT-Neo of the real one's build that runs in no time; trained only by its own word."""
    spare = iter(range(256, 400))
    alphabet = [character or chr(next(spare)) for character in BYTE_ALPHABET]
    tokens = [*alphabet, "th", "the", "<|endoftext|>"]
    shape = gptneo.Shape(
        layers=4, heads=4, hidden=32, inner=64, vocabulary=len(tokens) if trained else 30522, positions=600, window=8,
        local=(False, True) * 2,
    )  # fmt: skip
    model = gptneo.random_model(shape)
    generator = torch.Generator().manual_seed(5)
    for parameter in model.parameters():  # livelier than 0.02, so that tokens change
        parameter.add_(torch.randn(parameter.shape, generator=generator) * 0.3)
    folder.mkdir()
    example = torch.zeros(2, 5, dtype=torch.int64), torch.randn(shape.past(2, 3))
    torch.jit.trace(model, example, check_trace=False).save(str(folder / "model.pt"))
    config = {"weights": "trained" if trained else "random", "layers": 4, "heads": 4, "head_size": 8,
              "vocabulary_size": shape.vocabulary, "max_length": shape.positions}  # fmt: skip
    (folder / "config.json").write_text(json.dumps(config))
    if trained:
        (folder / "vocab.json").write_text(json.dumps({token: number for number, token in enumerate(tokens)}))
        (folder / "merges.txt").write_text("#version: 0.2\nt h\nth e\n", encoding="utf-8")
    return model, alphabet


def changed_models(name, change):
    """A copy of the models' folder in which `change` has been at the encoder."""
    folder = place / name
    shutil.copytree(given.models / "minilm", folder / "minilm", copy_function=os.link)
    change(folder / "minilm")
    return folder


def replace(path, data):
    path.unlink()
    path.write_bytes(data)


# ----------------------------------------------------------------------------
# The checks


class Vectors(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        with open(HERE / "texts_200.txt", encoding="utf-8") as file:
            texts = [json.loads(line) for line in file]
        texts = [" ".join(text.split()) for text in texts if not any(control in text for control in CONTROLS)]
        texts = [text for text in texts if text and text.isprintable()][:90]
        long_texts = [" ".join(f"word{i} number" for i in range(length)) for length in (30, 70, 200, 900)]
        cls.texts = texts + long_texts + [sense for sense, _ in chosen_senses()[:20]]
        cls.expected = reference.embed(cls.texts)

    def check(self, batch):
        found = embed(self.texts, batch)
        self.assertEqual(found.shape, self.expected.shape)
        cosines = torch.nn.functional.cosine_similarity(found.double(), self.expected.double())
        print(f"# {len(self.texts)} texts, batches of {batch}, ids from {reference.source}: least cosine "
              f"{cosines.min().item():.9f}, largest difference {(found - self.expected).abs().max().item():.1e}")  # fmt: skip
        self.assertGreaterEqual(len(self.texts), 50)
        self.assertGreater(cosines.min().item(), LEAST_COSINE)

    def test_equal_the_python_models_one_by_one(self):
        self.check(1)

    def test_equal_the_python_models_in_batches(self):
        self.check(32)

    def test_are_the_same_for_any_batch_size(self):
        self.assertLess((embed(self.texts, 7) - embed(self.texts, 1000)).abs().max().item(), 1e-5)

    def test_are_the_same_on_a_gpu(self):
        if not torch.cuda.is_available():
            self.skipTest("there is no GPU that libtorch can use")
        found = embed(self.texts, 32, "--device", "cuda").double()
        cosines = torch.nn.functional.cosine_similarity(found, self.expected.double())
        self.assertGreater(cosines.min().item(), LEAST_COSINE)

    def test_of_more_lines_than_are_read_at_once_come_in_order(self):
        found = embed(["one", "two"] * 600, 64)
        self.assertEqual(found.shape[0], 1200)
        self.assertLess((found[0::2] - found[0]).abs().max().item(), 1e-5)
        self.assertLess((found[1::2] - found[1]).abs().max().item(), 1e-5)
        self.assertGreater((found[0] - found[1]).abs().max().item(), 0.01)


class Search(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.senses = chosen_senses()
        cls.questions = questions()
        cls.texts = [text for _, text in cls.questions]
        for index in kept_indexes():
            index.unlink()
        start = time.monotonic()
        cls.first = search(cls.texts)
        cls.first_seconds = time.monotonic() - start
        cls.index = kept_indexes()
        vectors = reference.embed([sense for sense, _ in cls.senses])
        cls.expected = (reference.embed(cls.texts) @ vectors.T).topk(TOP)

    def test_knows_where_its_questions_come_from(self):
        self.assertEqual(len(self.questions), 10)
        for number, text in self.questions:
            self.assertEqual(self.senses[number][1], text)

    def test_gives_the_same_five_best_as_brute_force_in_the_python_model(self):
        found, scores, _ = self.first
        self.assertEqual(found, self.expected.indices.tolist())
        worst = (torch.tensor(scores) - self.expected.values).abs().max().item()
        print(f"# ten questions: the same top {TOP} as the Python model, scores within {worst:.1e}")
        self.assertLess(worst, 1e-4)

    def test_finds_the_known_document_for_eight_of_ten_questions(self):
        hits = sum(number in found for (number, _), found in zip(self.questions, self.first[0]))
        print(f"# known document among the {TOP} best: {hits} of {len(self.questions)}")
        self.assertGreaterEqual(hits, LEAST_HITS)

    def test_equals_brute_force_over_its_own_vectors(self):
        data = self.index[0].read_bytes()
        vectors = torch.frombuffer(bytearray(data[64:]), dtype=torch.float32).reshape(DOCUMENTS, minilm.HIDDEN)
        products = embed(self.texts, 1) @ vectors.T
        found, scores, _ = search(self.texts, "--top", 100)
        for row, documents, values in zip(products, found, scores):
            self.assertEqual(len(set(documents)), 100)
            self.assertLess((row[documents] - torch.tensor(values)).abs().max().item(), 1e-5)
            self.assertLess((row.topk(100).values - torch.tensor(values)).abs().max().item(), 1e-5)

    def test_finds_the_index_at_the_second_start(self):
        self.assertEqual(len(self.index), 1)
        before = self.index[0].stat()
        start = time.monotonic()
        again = search(self.texts)
        seconds = time.monotonic() - start
        self.assertEqual(again, self.first)
        self.assertEqual(self.index[0].stat().st_mtime_ns, before.st_mtime_ns)
        print(f"# first start {self.first_seconds:.1f} s, second {seconds:.1f} s")
        self.assertLess(seconds, self.first_seconds / 2)


class TheIndexFile(unittest.TestCase):
    def setUp(self):
        self.documents = small_documents()
        for index in kept_indexes():
            if index.stat().st_size < 10000:
                index.unlink()
        self.before = set(kept_indexes())
        self.answer = self.ask()
        (self.path,) = set(kept_indexes()) - self.before

    def ask(self, *arguments, code=0):
        done = run("--documents", self.documents, "--search-only", "--query", "what purrs?", *arguments, code=code)
        self.notes = done.stderr
        return done.stdout

    def check_damage(self, data, message):
        self.path.write_bytes(data)
        self.assertEqual(self.ask(), self.answer)
        self.assertIn(str(self.path), self.notes)
        self.assertIn(message, self.notes)
        self.assertIn("it is built anew", self.notes)
        self.assertEqual(self.ask(), self.answer)
        self.assertEqual(self.notes, "")

    def test_is_silent_when_all_is_well(self):
        self.assertEqual(self.ask(), self.answer)
        self.assertEqual(self.notes, "")

    def test_when_a_byte_is_changed_is_built_anew(self):
        data = bytearray(self.path.read_bytes())
        data[1000] ^= 1
        self.check_damage(bytes(data), "is damaged")

    def test_when_cut_short_is_built_anew(self):
        self.check_damage(self.path.read_bytes()[:-1], "is cut short")

    def test_when_something_else_is_built_anew(self):
        self.check_damage(b"x" * 5000, "is not an index of this service")
        self.check_damage(b"", "is not an index of this service")

    def test_with_a_count_that_is_not_the_documents_is_built_anew(self):
        data = bytearray(self.path.read_bytes())
        data[16:24] = (1 << 62).to_bytes(8, "little")
        self.check_damage(bytes(data), "other documents")

    def test_belongs_to_its_documents(self):
        text = self.documents.read_text(encoding="utf-8")
        for count, other in ((2, text.replace("purrs", "mewls")), (3, text + "a parrot: an animal that talks\n")):
            self.documents.write_text(other, encoding="utf-8")
            self.ask()
            self.assertEqual(len(set(kept_indexes()) - self.before), count)

    def test_that_cannot_be_kept_costs_a_message_only(self):
        blocked = place / "blocked"
        blocked.write_text("a file where a folder should be")
        self.assertEqual(self.ask("--index", blocked), self.answer)
        self.assertIn("blocked", self.notes)


class Answers(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.documents = small_documents()
        cls.model, cls.alphabet = make_small_generator(place / "trained", True)
        make_small_generator(place / "random", False)

    def ask(self, generator, *arguments, **keywords):
        return run("--documents", self.documents, "--generator", place / generator, *arguments, **keywords)

    def greedy(self, prompt, count):
        """What the model continues a prompt with, without a cache."""
        numbers = {character: number for number, character in enumerate(self.alphabet)}
        text = "".join(self.alphabet[byte] for byte in prompt.encode())
        ids = [256 if part == "th" else 257 if part == "the" else numbers[part] for part in re.findall("the|th|.", text)]
        new = []
        while len(new) < count:
            logits, _ = self.model(torch.tensor([ids + new]), torch.zeros(self.model.shape.past(1, 0)))
            best = logits.argmax().item()
            if best == 258:
                break
            new.append(best)
        pieces = [*self.alphabet, "th", "the"]
        back = {character: byte for byte, character in enumerate(self.alphabet)}
        return bytes(back[character] for number in new for character in pieces[number])

    def test_of_trained_weights_are_what_the_model_says_without_a_cache(self):
        done = subprocess.run(
            [given.service, "--models", given.models, "--index", place / "index", "--documents", self.documents,
             "--generator", place / "trained", "--query", "what barks?", "--top", "2", "--max-tokens", "20"],
            stdin=subprocess.DEVNULL, capture_output=True, check=True,
        )  # fmt: skip
        found = run("--documents", self.documents, "--search-only", "--query", "what barks?", "--top", 2)
        order = json.loads(found.stdout)["documents"]
        passages = "".join(SMALL_DOCUMENTS[number] + "\n" for number in reversed(order))
        prompt = f"Answer the question from these passages.\n\n{passages}\nQuestion: what barks?\nAnswer:"
        expected = self.greedy(prompt, 20)
        shown = bytes(byte if byte >= 32 and byte != 127 or byte in b"\n\t" else ord("?") for byte in expected)
        self.assertIn(b"  answer: " + shown + b"\n", done.stdout)
        self.assertGreater(len(expected), 5)
        self.assertNotIn(b"random weights", done.stdout)

    def test_of_random_weights_show_the_best_passage_and_say_so(self):
        done = self.ask("random", "--query", "what purrs?", "--max-tokens", 7)
        self.assertIn("  answer: a cat: an animal that purrs\n", done.stdout)
        self.assertIn("random weights, its 7 tokens measure speed only", done.stdout)

    def test_come_for_each_question_in_order(self):
        done = self.ask("random", "--query", "what purrs?", "--query", "what barks?", "--top", 1)
        self.assertLess(done.stdout.index("? what purrs?"), done.stdout.index("? what barks?"))
        self.assertEqual(done.stdout.count("  1. "), 3)  # and the first bottleneck
        self.assertNotIn("\r", done.stderr)

    def test_fit_a_prompt_that_is_too_long_for_the_model(self):
        documents = place / "long.txt"
        documents.write_text("a very long text " * 400 + "\nshort\n")
        done = run("--documents", documents, "--generator", place / "random", "--query", "long?", "--max-tokens", 9)
        self.assertRegex(done.stdout, r"prefill +591 ")

    def test_with_more_tokens_than_the_model_holds_are_refused(self):
        self.assertIn("holds 600 tokens", self.ask("random", "--query", "x", "--max-tokens", 600, code=1).stderr)

    def test_end_with_a_report_whose_figures_are_the_profiles(self):
        folder = place / "profiles"
        done = self.ask("random", "--query", "what purrs?", "--query", "rain", environment={"PROFCORE": "1", "PROFCORE_DIR": str(folder)})
        names = sorted(re.sub(r"_\d+\.", ".", path.name) for path in folder.iterdir())
        wanted = [f"{stem}.{kind}" for stem in ("embed_query", "get_response", "rag_service") for kind in ("txt", "prof", "json")]
        self.assertEqual(names, sorted([*wanted, "rag_service.pftrace"]))
        whole = json.loads(next(folder.glob("rag_service_*.json")).read_text())
        functions = {function["name"]: function for function in whole["functions"]}
        self.assertEqual(functions["main"]["calls"], 1)
        callers = {edge["callee"] for edge in whole["edges"]}
        roots = [function["name"] for function in whole["functions"] if function["id"] not in callers]
        self.assertEqual(roots, ["main"])
        for title, name in (("load models", "load_models"), ("embed a question", "embed_query"), ("search", "search"), ("respond", "get_response")):
            line = next(line for line in done.stdout.splitlines() if line.startswith(f"  {title} "))
            calls, value, unit = line[len(title) + 2 :].split()[:3]
            self.assertEqual(int(calls), functions[name]["calls"])
            ns = float(value) * {"s": 1e9, "ms": 1e6, "us": 1e3}[unit]
            self.assertAlmostEqual(ns / int(functions[name]["cumulative_ns"]), 1, delta=0.01)

    def test_show_the_operators_underneath_on_request(self):
        folder = place / "operators"
        self.ask("random", "--query", "what purrs?", environment={"PROFCORE": "1", "PROFCORE_TORCH": "1", "PROFCORE_DIR": str(folder)})
        whole = json.loads(next(folder.glob("rag_service_*.json")).read_text())
        functions = {function["id"]: (function["name"], function["file"]) for function in whole["functions"]}
        around = []  # of each path: the names of its scopes
        for parent, function, *_ in whole["paths"]:
            around.append(([] if parent is None else around[parent]) + [functions[function]])
        linear = [names for names in around if names[-1] == ("aten::linear", "torch")]
        for scope in ("embed_query", "get_response"):
            self.assertTrue(any(scope == name for names in linear for name, _ in names), scope)
        trace = next(folder.glob("rag_service_*.pftrace"))
        tool = pathlib.Path(given.service).parent.parent / "tools" / "profcore"
        shown = subprocess.run([tool, "report", "--json", trace], capture_output=True, text=True, check=True)
        self.assertIn(("aten::linear", "torch"), {(f["name"], f["file"]) for f in json.loads(shown.stdout)["functions"]})

    def test_leave_no_files_when_nobody_asked_for_them(self):
        before = set(place.iterdir())
        self.ask("random", "--query", "x")
        self.assertEqual(set(place.iterdir()) - before, set())

    def test_come_without_a_report_where_recording_is_off(self):
        done = self.ask("random", "--query", "what purrs?", environment={"PROFCORE": "0"})
        self.assertIn("  answer: a cat", done.stdout)
        self.assertIn("no report: nothing was recorded", done.stderr)

    def test_that_nobody_can_read_are_an_error(self):
        with open("/dev/full", "w") as full:
            done = subprocess.run(
                [given.service, "--models", given.models, "--index", place / "index", "--documents", self.documents,
                 "--search-only", "--query", "x"],
                stdin=subprocess.DEVNULL, stdout=full, stderr=subprocess.PIPE, text=True,
            )  # fmt: skip
        self.assertEqual(done.returncode, 1)
        self.assertIn("standard output could not be written", done.stderr)

    def test_to_a_signal_leave_the_profile(self):
        folder = place / "signalled"
        process = subprocess.Popen(
            [given.service, "--models", given.models, "--index", place / "index", "--documents", self.documents,
             "--generator", place / "random", "--max-tokens", "500", *["--query", "x"] * 400],
            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
            env=os.environ | {"PROFCORE": "1", "PROFCORE_DIR": str(folder), "PROFCORE_SIGNALS": "INT,TERM"},
        )  # fmt: skip
        process.stdout.readline()
        process.stdout.readline()  # an answer has come
        process.send_signal(signal.SIGTERM)
        process.communicate(timeout=60)
        self.assertEqual(process.returncode, -signal.SIGTERM)
        whole = json.loads(next(folder.glob("rag_service_*.json")).read_text())
        self.assertIn("get_response", {function["name"] for function in whole["functions"]})


class OnATerminal(unittest.TestCase):
    def read_until(self, terminal, text, seconds=60):
        seen = b""
        end = time.monotonic() + seconds
        while text not in seen and time.monotonic() < end:
            if select.select([terminal], [], [], 1)[0]:
                try:
                    seen += os.read(terminal, 65536)
                except OSError as error:
                    if error.errno != errno.EIO:
                        raise
                    break
        self.assertIn(text, seen)
        return seen

    def test_asks_answers_and_reports(self):
        if not (place / "random").exists():
            make_small_generator(place / "random", False)
        documents = place / "many.txt"
        documents.write_text("".join(f"document number {i} is about {i * i} sheep\n" for i in range(400)))
        process, terminal = pty.fork()
        if process == 0:
            os.execv(given.service, [given.service, "--models", str(given.models), "--index", str(place / "index"),
                                     "--documents", str(documents), "--generator", str(place / "random"), "--threads", "1"])  # fmt: skip
        seen = self.read_until(terminal, b"question (Ctrl-D ends): ")
        self.assertIn(b"embedding  [", seen)
        self.assertIn(b" of 400", seen)
        os.write(terminal, b"\xff\n")
        self.assertIn(b"not UTF-8", self.read_until(terminal, b"ends): "))
        os.write(terminal, b"which one has nine sheep?\n")
        self.assertIn(b"answer: document", self.read_until(terminal, b"ends): "))
        os.write(terminal, b"\x04")
        seen = self.read_until(terminal, b"bottlenecks")
        self.assertIn(b"1 question,", seen)
        _, status = os.waitpid(process, 0)
        os.close(terminal)
        self.assertEqual(os.waitstatus_to_exitcode(status), 0)


class Mistakes(unittest.TestCase):
    def check_models(self, name, change, *parts):
        done = run("--embed", models=changed_models(name, change), code=1)
        for part in parts:
            self.assertIn(part, done.stderr)
        self.assertEqual(done.stderr.count("\n"), 1)

    def test_in_the_models_folder_are_named(self):
        self.assertIn("nowhere/minilm: No such file or directory", run("--embed", models=place / "nowhere", code=1).stderr)
        self.check_models("m1", lambda folder: (folder / "model.pt").unlink(), "minilm/model.pt", "no exported model")
        self.check_models("m2", lambda folder: (folder / "vocab.txt").unlink(), "minilm/vocab.txt")
        self.check_models("m3", lambda folder: (folder / "config.json").unlink(), "minilm/config.json")

    def test_of_a_model_that_is_damaged_are_named(self):
        data = (given.models / "minilm" / "model.pt").read_bytes()
        self.check_models("d1", lambda folder: replace(folder / "model.pt", b""), "minilm/model.pt", "empty")
        self.check_models("d2", lambda folder: replace(folder / "model.pt", data[: len(data) // 2]), "minilm/model.pt")
        self.check_models("d3", lambda folder: replace(folder / "model.pt", b"no model\n" * 100), "minilm/model.pt", "not a model file")

    def test_of_another_model_are_named(self):
        if not (place / "random").exists():
            make_small_generator(place / "random", False)
        other = (place / "random" / "model.pt").read_bytes()
        self.check_models("o1", lambda folder: replace(folder / "model.pt", other), "minilm/model.pt", "not the encoder")
        swapped = place / "swapped"
        shutil.copytree(place / "random", swapped)
        replace(swapped / "model.pt", (given.models / "minilm" / "model.pt").read_bytes())
        done = run("--documents", small_documents(), "--generator", swapped, "--query", "x", code=1)
        self.assertIn("swapped/model.pt: not the generator", done.stderr)

    def test_in_a_configuration_are_named(self):
        def with_config(text):
            return lambda folder: replace(folder / "config.json", text)

        self.check_models("c1", with_config(b"{"), "config.json, line 1")
        self.check_models("c2", with_config(b"[]"), "config.json", "no object")
        self.check_models("c3", with_config(b"{}"), '"hidden_size" is not a whole number')
        self.check_models("c4", with_config(b'{"hidden_size": -1}'), '"hidden_size" is not a whole number')
        self.check_models("c5", with_config(b'{"hidden_size": 7, "max_length": 256}'), "model.pt", "not the encoder")

    def test_in_documents_are_named(self):
        for name, data, part in (
            ("nul.txt", b"a\nb\0c\n", "nul.txt, line 2: a NUL at byte 2"),
            ("latin.txt", b"a\nb\xe4c\n", "latin.txt, line 2: not UTF-8 at byte 2"),
            ("empty.txt", b"", "empty.txt"),
            ("blank.txt", b"\n\n", "there is no document"),
            ("long.txt", b"x" * (1 << 21), "line 1: a text of 2097152 bytes"),
        ):
            (place / name).write_bytes(data)
            self.assertIn(part, run("--documents", place / name, "--search-only", "--query", "x", code=1).stderr)
        self.assertIn("gone.txt: No such file", run("--documents", place / "gone.txt", "--search-only", "--query", "x", code=1).stderr)

    def test_in_standard_input_are_named(self):
        self.assertIn("line 2: is empty", run("--embed", lines="a\n\nb\n", code=1).stderr)
        self.assertIn("line 2: a NUL", run("--embed", lines="a\nb\0\n", code=1).stderr)

    def test_in_arguments_end_with_2(self):
        for arguments in (
            ["--bogus"], ["--query"], ["--query", ""], ["--query", " \t "], ["--top", "0"], ["--top", "1x"], ["--top", "-1"],
            ["--max-tokens", "9999999999999999999"], ["--threads", "0"], ["--batch", "1.5"], ["stray"], ["--documents", ""],
            ["--embed", "--search-only"], ["--search-only"], ["--documents", "/dev/null"], ["--query", "x" * 70000],
            ["--device", "gpu"], ["--device", "cuda:"], ["--device", "cuda:1x"], ["--device", ""],
        ):  # fmt: skip
            done = run(*arguments, code=2)
            self.assertTrue(done.stderr.startswith("rag_service: "), done.stderr)
            self.assertEqual(done.stdout, "")

    def test_of_a_gpu_that_is_not_there_are_named(self):
        devices = ["cuda:99"] if torch.cuda.is_available() else ["cuda", "cuda:1"]
        for device in devices:
            said = run("--embed", "--device", device, lines="a\n", code=1).stderr
            self.assertIn("model.pt", said)
            self.assertIn(device, said)

    def test_do_not_cost_what_was_recorded(self):
        folder = place / "after_error"
        run("--documents", place / "gone.txt", "--search-only", "--query", "x", code=1,
            environment={"PROFCORE": "1", "PROFCORE_DIR": str(folder)})  # fmt: skip
        whole = json.loads(next(folder.glob("rag_service_*.json")).read_text())
        self.assertIn("load_models", {function["name"] for function in whole["functions"]})


class Threads(unittest.TestCase):
    def settings(self, *arguments, environment=None):
        shown = run("--embed", *arguments, environment={"OMP_DISPLAY_ENV": "verbose"} | (environment or {})).stderr
        last = shown[shown.rindex("OPENMP DISPLAY ENVIRONMENT BEGIN") :]
        return {name: re.search(rf"{name} = '(.*)'", last).group(1) for name in ("OMP_NUM_THREADS", "GOMP_SPINCOUNT")}

    def test_wait_passively_and_are_one_unless_told_otherwise(self):
        self.assertEqual(self.settings(), {"OMP_NUM_THREADS": "1", "GOMP_SPINCOUNT": "0"})

    def test_are_as_many_as_was_said(self):
        self.assertEqual(self.settings("--threads", 2)["OMP_NUM_THREADS"], "2")
        self.assertEqual(self.settings(environment={"OMP_NUM_THREADS": "3"})["OMP_NUM_THREADS"], "3")
        self.assertEqual(self.settings("--threads", 2, environment={"OMP_NUM_THREADS": "3"})["OMP_NUM_THREADS"], "2")

    def test_wait_actively_when_the_user_wants_that(self):
        self.assertNotEqual(self.settings(environment={"OMP_WAIT_POLICY": "active"})["GOMP_SPINCOUNT"], "0")


# ----------------------------------------------------------------------------
# TAP


class Tap(unittest.TextTestResult):
    number = 0

    def line(self, word, test, after=""):
        Tap.number += 1
        name = f"{type(test).__name__} {getattr(test, '_testMethodName', test)}".replace("_", " ")
        print(f"{word} {Tap.number} {name}{after}", flush=True)

    def addSuccess(self, test):
        super().addSuccess(test)
        self.line("ok", test)

    def addFailure(self, test, error):
        super().addFailure(test, error)
        self.tell(test)

    def addError(self, test, error):
        super().addError(test, error)
        self.tell(test)

    def tell(self, test):
        for text in (self.failures + self.errors)[-1][1].splitlines():
            print(f"# {text}")
        self.line("not ok", test)


def main():
    global given, place, reference, torch, minilm, gptneo
    parser = argparse.ArgumentParser(description="Tests the retrieval service as a program.")
    parser.add_argument("service", type=os.path.abspath, help="the built rag_service")
    parser.add_argument("tokenize_main", type=os.path.abspath, help="the built tokenize_main")
    parser.add_argument("--models", type=lambda text: pathlib.Path(text).resolve(), default=ROOT / "build" / "models", metavar="FOLDER")
    parser.add_argument("--only", default="", metavar="TEXT", help="the checks whose name holds this")
    given = parser.parse_args()
    try:
        import gptneo
        import minilm
        import torch
    except ImportError as error:
        skip(str(error))
    if not (given.models / "minilm" / "model.pt").exists():
        skip(f"there is no exported encoder in {given.models}")
    if not (WORDNET / "data.noun").exists():
        skip("WordNet (wordnet-base) is not installed")
    torch.set_num_threads(1)
    torch.set_grad_enabled(False)
    reference = Reference()
    with tempfile.TemporaryDirectory(dir=given.models.parent) as folder:  # where models can be linked
        place = pathlib.Path(folder)
        tests = unittest.defaultTestLoader.loadTestsFromModule(sys.modules[__name__])
        chosen = unittest.TestSuite(test for suite in tests for test in suite if given.only in test.id())
        runner = unittest.TextTestRunner(stream=open(os.devnull, "w"), resultclass=Tap)
        good = runner.run(chosen).wasSuccessful()
    print(f"1..{Tap.number}")
    return 0 if good else 1


if __name__ == "__main__":
    sys.exit(main())
