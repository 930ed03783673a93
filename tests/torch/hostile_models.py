# SPDX-License-Identifier: Apache-2.0
"""Model files that were made to trouble whoever opens them; torch_hostile_test.c says how each must fail."""
import os
import struct
import zipfile


def records_of(path):
    """The records of a good model, below its folder, and the folder's name."""
    with zipfile.ZipFile(path) as archive:
        folder = archive.namelist()[0].split("/")[0]
        return folder, {name[len(folder) + 1:]: archive.read(name) for name in archive.namelist()}


def text(value):
    return b"X" + struct.pack("<I", len(value)) + value


def number(value):
    return b"\x8a\x08" + struct.pack("<q", value)


def tensor(key=b"0", count=64, offset=0, shape=(8, 8), strides=(8, 1), kind=b"Float"):
    """The pickle of a tensor, as TorchScript writes it."""
    def numbers(values):
        return b"(" + b"".join(map(number, values)) + b"t"

    return (b"ctorch._utils\n_rebuild_tensor_v2\n((" + text(b"storage") + b"ctorch\n" + kind + b"Storage\n" + text(key) +
            text(b"cpu") + number(count) + b"tQ" + number(offset) + numbers(shape) + numbers(strides) +
            b"\x89ccollections\nOrderedDict\n)RtR")


def make(good, folder):
    os.makedirs(folder, exist_ok=True)
    top, records = records_of(good)

    def write(name, changes=(), extra=(), deflated=()):
        """The good model with records changed, and more of them behind, under whatever names."""
        with zipfile.ZipFile(os.path.join(folder, name), "w") as archive:
            for record, content in {**records, **dict(changes)}.items():
                archive.writestr(f"{top}/{record}", content)
            for record, content in extra:
                archive.writestr(zipfile.ZipInfo(record), content)
            for record, content in deflated:
                archive.writestr(record, content, zipfile.ZIP_DEFLATED)

    def write_deflated(name, record, content):
        with zipfile.ZipFile(os.path.join(folder, name), "w") as archive:
            for other in records:
                if other != record:
                    archive.writestr(f"{top}/{other}", records[other])
            archive.writestr(f"{top}/{record}", content, zipfile.ZIP_DEFLATED)

    def write_patched(name, patch, base=os.path.join(folder, "good.pt")):
        """A model's bytes, changed; patch() gets them and where the directory and the end record begin."""
        with open(base, "rb") as file:
            content = bytearray(file.read())
        end = content.rindex(b"PK\5\6")
        patch(content, struct.unpack_from("<I", content, end + 16)[0], end)
        with open(os.path.join(folder, name), "wb") as file:
            file.write(content)

    def body(expression):
        return [("code/__torch__.py", records["code/__torch__.py"].replace(b"(layers).forward(x, )", expression))]

    def data(pickle):
        return [("data.pkl", b"\x80\x02" + pickle + b".")]

    def package(name, *more):
        with zipfile.ZipFile(os.path.join(folder, name), "w") as archive:
            for record in ("p/data/aotinductor/model/x.wrapper.cpp", *more):
                archive.writestr(zipfile.ZipInfo(record), "int main;")

    write("good.pt")
    write("legacy.pt", [("model.json", "{}")])
    write("upwards.pt", extra=[(f"{top}/extra/../../../profcore-torch-escaped", "x")])
    write("absolute.pt", extra=[("/tmp/profcore-torch-escaped", "x")])
    write("backslash.pt", extra=[(f"{top}\\..\\x", "x")])
    package("upwards.pt2", "p/data/aotinductor/model/../../../../../../../../../../../tmp/profcore-torch-escaped.so")
    package("no-library.pt2")
    package("not-a-library.pt2", "p/data/aotinductor/model/x.wrapper.so")
    write("bomb.pt", deflated=[(f"{top}/code/__torch__/bomb.py", b"\n" * (64 << 20))])

    def claim(content, directory, _end):  # the first record: 2^32 - 2 bytes
        struct.pack_into("<II", content, directory + 20, 0xfffffffe, 0xfffffffe)

    def claim_more(content, directory, _end):  # it alone grows
        struct.pack_into("<I", content, directory + 24, 0xfffffffe)

    def overlap(content, directory, _end):  # the second record is where the first is
        second = content.index(b"PK\1\2", directory + 4)
        struct.pack_into("<I", content, second + 42, struct.unpack_from("<I", content, directory + 42)[0])

    def encrypt(content, directory, _end):
        content[directory + 8] |= 1

    def widen(content, _directory, end):  # a directory of 4 GB
        struct.pack_into("<I", content, end + 12, 0xfffffff0)

    def count(content, _directory, end):
        struct.pack_into("<HH", content, end + 8, 0xfff0, 0xfff0)

    def shift(content, _directory, end):
        struct.pack_into("<I", content, end + 16, 0xfffffff0)

    def flatbuffer(content, _directory, _end):
        content[4:8] = b"PTMF"

    for name, patch in (("flatbuffer.pt", flatbuffer), ("claims.pt", claim), ("grows.pt", claim_more),
                        ("overlaps.pt", overlap), ("encrypted.pt", encrypt),
                        ("wide-directory.pt", widen), ("many-records.pt", count), ("far-directory.pt", shift)):
        write_patched(name, patch)

    write_patched("contradicts.pt", widen, good)  # libtorch writes a 64-bit end record, too

    def wide(content, directory, _end):  # 2^40 bytes, said in 64 bits
        name_bytes = struct.unpack_from("<H", content, directory + 28)[0]
        struct.pack_into("<II", content, directory + 20, 0xffffffff, 0xffffffff)
        struct.pack_into("<H", content, directory + 30, 20)
        extra = struct.pack("<HHQQ", 1, 16, 1 << 40, 1 << 40)
        content[directory + 46 + name_bytes:directory + 46 + name_bytes] = extra
        end = content.rindex(b"PK\5\6")
        struct.pack_into("<I", content, end + 12, struct.unpack_from("<I", content, end + 12)[0] + len(extra))

    write_patched("claims-2-40.pt", wide)
    with open(good, "rb") as file:
        content = file.read()
    with open(os.path.join(folder, "two-ends.pt"), "wb") as file:  # a second end in the comment of the first
        file.write(content[:-2] + struct.pack("<H", 60) + b"PK\5\6" + bytes(56))

    write("tensor-count.pt", data(tensor(count=1 << 40)))
    write("tensor-overflow.pt", data(tensor(count=1 << 62)))
    write("tensor-negative.pt", data(tensor(count=-1)))
    write("tensor-shape.pt", data(tensor(shape=(1 << 40, 8))))
    write("tensor-strides.pt", data(tensor(strides=(1 << 40, 1))))
    write("tensor-offset.pt", data(tensor(offset=1 << 40)))
    write("tensor-back.pt", data(tensor(offset=-8)))
    write("tensor-ranks.pt", data(tensor(shape=(8, 8), strides=(8,))))
    write("tensor-record.pt", data(tensor(key=b"../version")))
    write("tensor-type.pt", data(tensor(kind=b"Nothing")))
    write("pickle-depth.pt", data(b"]" * 100000 + b"a" * 99999))
    write("pickle-tuples.pt", data(b")" + b"\x85" * 100000))
    write("pickle-chain.pt", data(b"]q\x00]q\x01h\x00a" + b"h\x00h\x01a"))
    write("pickle-empty.pt", [("data.pkl", b"")])
    write("pickle-underflow.pt", data(b"a"))
    write("pickle-operation.pt", data(b"cos\nsystem\n" + text(b"true") + b"\x85\x93"))
    write("pickle-memo.pt", data(b"h\x07"))
    write("pickle-long.pt", [("data.pkl", b"\x80\x02X\xff\xff\xff\xffabc")])
    # 4 MB of values, deflated to less than 100 KB: with what does not deflate it grows no more than a text may.
    noise = bytes(number * number * 2654435761 >> 13 & 0xff for number in range(1 << 16))
    write_deflated("pickle-values.pt", "data.pkl", b"\x80\x02" + text(noise) + b"N" * (4 << 20) + b".")
    write("source-depth.pt", [("code/__torch__.py", b"x = " + b"(" * 100000)])
    source = records["code/__torch__.py"]
    for name, expression in (("minus", b"-" * 50000 + b"1"), ("not", b"not " * 50000 + b"True"),
                             ("power", b"x" + b"**x" * 50000), ("plus", b"x" + b"+x" * 50000),
                             ("choice", b"x if True else " * 50000 + b"x"), ("attribute", b"x" + b".T" * 50000),
                             ("calls", b"(x+x)" * 300), ("lists", b"[" + b"-1, " * 300 + b"-" * 600 + b"1]")):
        write(f"source-{name}.pt", body(expression))
    write("source-elif.pt", body(b"x\n    if True:\n      w = x\n" + b"    elif True:\n      w = x\n" * 60000))
    deep = b"(" * 20000
    write("source-comment.pt", body(b"x # \\\n    return " + deep))
    write("source-quotes.pt", body(b"x\n    y = \'\'\'\n\'\'\', " + deep))
    write("source-string.pt", body(b"'x\n'"))
    write("source-type.pt", body(b"x # type: " + deep))
    write("source-nameless.pt", [("code/.py", b"")])
    classes = b"".join(b"class C%d(Module):\n  a : __torch__.C%d\n" % (i, i + 1) for i in range(5000))
    write("source-classes.pt", [("code/__torch__.py", source + classes)])
    write("source-margin.pt", [("code/__torch__/all.py", b"".join(
        b" class C%d(Module):\n   a : __torch__.all.C%d\n" % (i, i + 1) for i in range(5000)))])
    write("source-records.pt", [(f"code/__torch__/m{i}.py", b"class C:\n  a : __torch__ . m%d.C\n" % (i + 1))
                                for i in range(200)])
    calls = b"".join(b"def f%d(x: Tensor) -> Tensor:\n  return __torch__.f%d(x)\n" % (i, i + 1) for i in range(5000))
    write("source-functions.pt", [("code/__torch__.py", source + calls)])
    write("source-circle.pt", [("code/__torch__.py", source + calls.replace(b"f5000(x)", b"f0(x)"))])
    listed = b"List[" * 20000 + b"int" + b"]" * 20000
    typed = b"(ctorch.jit._pickle\nrestore_type_tag\n(]" + text(listed) + b"tRt"
    write("pickle-type.pt", data(typed))
    write("pickle-constant-type.pt", [("constants.pkl", b"\x80\x02" + typed + b".")])
    write("pickle-memo-type.pt", data(text(listed) + b"q\x00" + typed.replace(text(listed), b"h\x00")))
    write("pickle-name.pt", data(b"c" + b"A" * 100000 + b"\nx\n"))
    write("pickle-key.pt", data(tensor(key=b"0" * 2000)))
    write_deflated("pickle-steps.pt", "data.pkl", b"\x80\x02" + text(noise) + b"\x80\x02" * (6 << 20) + b".")
    write("bombs.pt", deflated=[(f"{top}/extra/{i}", bytes(1 << 20)) for i in range(64)])
    write("source-indent.pt", [("code/__torch__.py", source + b"".join(b" " * (2 * i) + b"if x:\n" for i in range(2000)))])
