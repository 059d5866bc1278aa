"""Files that are damaged, lie about themselves, ask for much, or would have eifer do something.

Each of `FILES` is made on the spot: through which door it comes, under which name, how it is made,
and which words of the refusal say what is wrong with it.
"""

from __future__ import annotations

import gzip
import io
import json
import os
import pickle
import socket
import struct
import zipfile
import zlib
from collections.abc import Callable
from fractions import Fraction
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple

import av
import numpy as np
import torch
from onnx import ModelProto
from safetensors.torch import save

from tests.eifer.affect import onnx_files

Write = Callable[[Path], object]
MIB = 2**20


class File(NamedTuple):
    """One of the files: ``make`` writes it to the path it is given."""

    door: str
    name: str
    make: Write
    words: str


def at(door: str, usual: str) -> Callable[..., File]:
    """Files of a door, by their bytes (or what makes them) and by their names, often ``usual``."""

    def file(data: bytes | str | Callable[[], bytes], words: str, name: str = usual) -> File:
        if isinstance(data, str):
            data = data.encode()
        make = data if callable(data) else lambda: data
        return File(door, name, lambda path: path.write_bytes(make()), words)

    return file


video = at("video", "v.mp4")
ecg = at("gz", "e.tsv.gz")
cohort = at("cohort", "participants.tsv")
weights = at("weights", "w.pt")
onnx = at("onnx", "n.onnx")
params = at("params", "p.yaml")
asset = at("asset", "model.tflite")
wheel = at("wheel", "x-1-py3-none-any.whl")


def link(target: str) -> Write:
    return lambda path: path.symlink_to(target)


def listener(path: Path) -> None:
    here = Path.cwd()
    os.chdir(path.parent)  # a socket's path may have 108 characters
    try:
        with socket.socket(socket.AF_UNIX) as one:
            one.bind(path.name)
    finally:
        os.chdir(here)


# Videos.


@cache
def film(
    kind: str = "mp4", codec: str = "libx264", n: int = 20, aspect: Fraction = Fraction(1)
) -> bytes:
    """A film of noise, so that most of its bytes are pictures."""
    rng, made = np.random.default_rng(0), io.BytesIO()
    with av.open(made, "w", format=kind) as container:
        stream: Any = container.add_stream(codec, rate=20)
        stream.width, stream.height, stream.sample_aspect_ratio = 64, 48, aspect
        stream.pix_fmt = "yuvj420p" if codec == "mjpeg" else "yuv420p"
        stream.options = {"crf": "10", "x264-params": "threads=1"} if codec == "libx264" else {}
        for _ in range(n):
            picture = rng.integers(0, 255, (48, 64, 3), dtype=np.uint8)
            container.mux(stream.encode(av.VideoFrame.from_ndarray(picture, format="rgb24")))
        container.mux(stream.encode())
    return made.getvalue()


def sound() -> bytes:
    made = io.BytesIO()
    with av.open(made, "w", format="matroska") as container:
        stream: Any = container.add_stream("pcm_s16le", rate=8000, layout="mono")
        silence = av.AudioFrame.from_ndarray(np.zeros((1, 8000), np.int16), layout="mono")
        silence.sample_rate = 8000
        container.mux(stream.encode(silence))
    return made.getvalue()


def both(default: bool) -> bytes:
    """Two films in one file."""
    made = io.BytesIO()
    with av.open(made, "w", format="matroska") as container:
        parts = [av.open(io.BytesIO(film())) for _ in range(2)]
        streams = [container.add_stream_from_template(p.streams.video[0]) for p in parts]
        for stream in streams:
            stream.disposition = av.stream.Disposition(int(default))
        for part, stream in zip(parts, streams, strict=True):
            for packet in part.demux(video=0):
                if packet.dts is not None:
                    packet.stream = stream
                    container.mux(packet)
    return made.getvalue()


def patched(box: bytes, offset: int, form: str, *values: int) -> bytes:
    """The film with numbers put so many bytes behind the start of a box's name."""
    data = bytearray(film())
    struct.pack_into(form, data, data.index(box) + offset, *values)
    return bytes(data)


def millions_of_frames() -> bytes:
    data = bytearray(patched(b"stsz", 8, ">II", 1, 100_000_000))
    struct.pack_into(">I", data, data.index(b"stts") + 12, 100_000_000)
    struct.pack_into(">I", data, data.index(b"stsc") + 16, 100_000_000)
    return bytes(data)


def box(name: bytes, inside: bytes = b"", size: int | None = None) -> bytes:
    return struct.pack(">I", 8 + len(inside) if size is None else size) + name + inside


def boxes_in_boxes(depth: int) -> bytes:
    made = b""
    for _ in range(depth):
        made = box(b"moov", made)
    return box(b"ftyp", b"isom" + bytes(4) + b"isom") + made


def cut(kind: str, share: float, **how: Any) -> bytes:
    data = film(kind, **how)
    return data[: int(len(data) * share)]


def png(width: int, height: int) -> bytes:
    """A picture of one bit a pixel, all black: some KB, whatever its size."""

    def chunk(name: bytes, data: bytes) -> bytes:
        crc = zlib.crc32(name + data)
        return struct.pack(">I", len(data)) + name + data + struct.pack(">I", crc)

    rows = zlib.compressobj()
    row = bytes(1 + -(-width // 8))
    packed = b"".join(rows.compress(row * 1000) for _ in range(-(-height // 1000))) + rows.flush()
    head = chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, 1, 0, 0, 0, 0))
    return b"\x89PNG\r\n\x1a\n" + head + chunk(b"IDAT", packed) + chunk(b"IEND", b"")


def damaged_first_frame() -> bytes:
    data = bytearray(film())
    start = data.index(b"mdat") + 1000  # behind the encoder's own words
    data[start : start + 400] = bytes(400)
    return bytes(data)


def enlarged(side: int, first: int = 0) -> bytes:
    """JPEG pictures of 64 x 48 that call themselves larger, but for the first so many."""
    head = b"\xff\xc0\x00\x11\x08"
    parts = film("avi", "mjpeg").split(head + struct.pack(">HH", 48, 64))
    plain, large = (head + struct.pack(">HH", *size) for size in ((48, 64), (side, side)))
    return plain.join(parts[: first + 1]) + large + large.join(parts[first + 1 :])


OTHER_KIND = "holds its own frames"
VIDEOS = {
    "png 100 x 1 000 000": video(lambda: png(100, 1_000_000), OTHER_KIND),
    "png 16200 x 16200": video(lambda: png(16_200, 16_200), OTHER_KIND),
    "concat playlist": video("ffconcat version 1.0\nfile other.mp4\n", OTHER_KIND),
    "HLS of an address": video(
        "#EXTM3U\n#EXT-X-TARGETDURATION:9\n#EXTINF:9,\nhttp://127.0.0.1:9/x.ts\n", OTHER_KIND
    ),
    "HLS of /etc/passwd": video(
        "#EXTM3U\n#EXTINF:9,\nfile:///etc/passwd\n#EXT-X-ENDLIST\n", OTHER_KIND, "v.m3u8"
    ),
    "svg": video(
        '<svg xmlns="http://www.w3.org/2000/svg"><image href="/etc/passwd"/></svg>', OTHER_KIND
    ),
    "web page": video("<!DOCTYPE html><h1>404 Not Found</h1>" * 50, OTHER_KIND, "v.webm"),
    "zip": video(lambda: zipped({"film.mp4": film()}), OTHER_KIND),
    "random bytes": video(np.random.default_rng(0).bytes(MIB), OTHER_KIND, "v.avi"),
    "zeros": video(bytes(MIB), OTHER_KIND, "v.mov"),
    "nothing": video(b"", "empty (0 bytes)"),
    "header alone": video(film()[:32], OTHER_KIND),
    "frames without a table": video(lambda: cut("mp4", 0.5), OTHER_KIND),
    "table without frames": video(lambda: film()[film().index(b"moov") - 4 :], ""),
    "mkv cut in a group of pictures": video(
        lambda: cut("matroska", 0.6, n=60), "cut short", "v.mkv"
    ),
    "avi cut": video(lambda: cut("avi", 0.4, codec="mjpeg"), "cut short", "v.avi"),
    "garbage behind the header": video(
        lambda: film("matroska")[:500] + bytes(range(256)) * 400, "", "v.mkv"
    ),
    "webm's header and another's body": video(
        lambda: film("webm", "libvpx-vp9")[:60] + film()[60:], "", "v.webm"
    ),
    "unknown codec": video(lambda: film().replace(b"avc1", b"zzzz"), "no known codec"),
    "png in a mov": video(lambda: film().replace(b"avc1", b"png "), "not read", "v.mov"),
    "a frame of days": video(
        lambda: patched(b"stts", 16, ">I", 2**31 - 1), "a single frame can be decoded"
    ),
    "all at once": video(lambda: patched(b"stts", 16, ">I", 0), "frames out of time"),
    "a million frames a second": video(lambda: patched(b"mdhd", 16, ">I", 2**31 - 1), ""),
    "a hundred million frames": video(millions_of_frames, "v.mp4"),
    "pictures of 65500 x 65500": video(lambda: enlarged(65_500), "damaged", "v.avi"),
    "pictures that grow": video(lambda: enlarged(4000, first=10), "damaged", "v.avi"),
    "pixels 65535 times as wide": video(
        lambda: film(aspect=Fraction(16, 11)).replace(
            b"pasp" + struct.pack(">II", 16, 11), b"pasp" + struct.pack(">II", 65535, 1)
        ),
        "as wide as high",
    ),
    "a matrix of nothing": video(lambda: patched(b"tkhd", 44, ">9i", *[0] * 9), "display matrix"),
    "no stream": video(lambda: film().replace(b"trak", b"free"), "no video stream"),
    "sound alone": video(sound, "no video stream", "v.mkv"),
    "two films, none the default": video(lambda: both(False), "2 films", "v.mkv"),
    "two films, both the default": video(lambda: both(True), "2 films", "v.mkv"),
    "one frame": video(lambda: film(n=1), "a single frame"),
    "a damaged first frame": video(damaged_first_frame, "damaged"),
    "boxes 5000 deep": video(lambda: boxes_in_boxes(5000), OTHER_KIND),
    "a box of 2^63 bytes": video(
        lambda: film()[:32] + box(b"free", struct.pack(">Q", 2**63), size=1), OTHER_KIND
    ),
    "a box of no bytes": video(lambda: film()[:28] + box(b"trak", size=2), OTHER_KIND),
    "raw H.264": video(lambda: b"\0\0\0\1" + film()[film().index(b"avcC") + 12 :], OTHER_KIND),
}

# ECGs.


def packed(unpacked: bytes, times: int) -> bytes:
    """As gzip, with the bytes repeated."""
    made = io.BytesIO()
    with gzip.open(made, "wb", compresslevel=1) as file:
        for _ in range(times):
            file.write(unpacked)
    return made.getvalue()


def flipped(data: bytes, place: int) -> bytes:
    made = bytearray(data)
    made[place] ^= 255
    return bytes(made)


SAMPLES = b"0.1\n-0.25\n1.5\n" * 1000
ECGS = {
    "bomb of samples": ecg(lambda: packed(b"0\n" * (MIB // 2), 200), "unpacks to more than"),
    "bomb without a line's end": ecg(lambda: packed(bytes(MIB), 100), "e.tsv.gz"),
    "cut": ecg(gzip.compress(SAMPLES)[:-12], "gzip ends early"),
    "cut in the header": ecg(gzip.compress(SAMPLES)[:6], "gzip ends early"),
    "wrong checksum": ecg(flipped(gzip.compress(SAMPLES), -6), "CRC"),
    "wrong length": ecg(flipped(gzip.compress(SAMPLES), -1), "length"),
    "a flipped byte": ecg(flipped(gzip.compress(SAMPLES), 20), "gzip"),
    "garbage behind": ecg(gzip.compress(SAMPLES) + b"garbage", "gzip"),
    "gzip in gzip": ecg(gzip.compress(gzip.compress(SAMPLES)), "no numbers"),
    "no gzip": ecg(SAMPLES, "no readable gzip"),
    "zip": ecg(lambda: zipped({"e.tsv": SAMPLES}), "no readable gzip"),
    "nothing": ecg(b"", ""),
    "bomb of words": ecg(lambda: packed(b"x\n" * (MIB // 2), 200), "at least 100000 samples"),
    "nothing inside": ecg(gzip.compress(b""), "no samples"),
    "NUL bytes": ecg(gzip.compress(b"0.1\n\0\0\n"), "row 2"),
    "UTF-16": ecg(gzip.compress("0.1\n0.2\n".encode("utf-16")), "no numbers"),
    "numbers that are none": ecg(gzip.compress(b"0.1\nnan\ninf\n1e999\n"), "3 samples"),
}

# Tables and sidecars of a cohort.

RATINGS = "sub-01/beh/sub-01_task-elicitation_beh.tsv"
HEAD = "run\tstimulus_id\tarousal\tvalence\n"
PEOPLE = "participant_id\tage\tsex\twave\n"
ECG_JSON = "task-elicitation_recording-ecg_physio.json"
DESCRIPTION = "dataset_description.json"
COHORTS = {
    "NUL bytes": cohort(bytes(1000), "wrong columns"),
    "30 MB of NUL bytes": cohort(bytes(30 * MIB), "too large", "stimuli.tsv"),
    "a million columns": cohort(b"a\t" * MIB, "too large"),
    "a million rows": cohort(HEAD.encode() + b"1\thahv1\t6\t4\n" * MIB, "too large", RATINGS),
    "a million empty rows": cohort(HEAD + "\n" * 900_000 + "x", "rows of 4 columns", RATINGS),
    "a million empty columns": cohort(b"\t" * 10**6, "1 rows of 1000001 columns", RATINGS),
    "4000 wrong columns": cohort(
        "\t".join(f"arousel{n}" for n in range(4000)) + "\n1\n", "wrong columns", RATINGS
    ),
    "a cell of a million": cohort(f"{HEAD}1\t{'x' * 10**6}\t1\t1\n", "xxx...", RATINGS),
    "digits without end": cohort(
        f"stimulus_id\tdomain\tduration_s\na\tHAHV\t{'9' * 10**6}\n", "duration_s", "stimuli.tsv"
    ),
    "UTF-16": cohort(f"{PEOPLE}sub-01\t1\tF\t1\n".encode("utf-16"), "UTF-8"),
    "Latin-1": cohort(
        "stimulus_id\tdomain\né\tHAHV\n".encode("latin-1"),
        "not UTF-8 (1): stimuli.tsv byte 19 (0xe9)",
        "stimuli.tsv",
    ),
    "byte-order mark": cohort(f"\ufeff{PEOPLE}", "participants.tsv byte 0"),
    "old Mac's line ends": cohort(
        f"{PEOPLE}sub-01\t1\tF\t1\n".replace("\n", "\r"), "wrong columns"
    ),
    "a column twice": cohort("participant_id\tage\tage\tsex\n", "'age' twice"),
    "a formula as a name": cohort(f"{PEOPLE}=cmd|' /C calc'!A0\t1\tF\t1\n", "=cmd"),
    "a formula as a rating": cohort(f"{HEAD}1\thahv1\t=1+1\t4\n", "'=1+1'", RATINGS),
    "a terminal's escapes": cohort(f"{HEAD}1\t\x1b[2J\x1b]0;x\x07\t1\t1\n", "x1b", RATINGS),
    "commas": cohort("participant_id,age,sex\nsub-01,1,F\n", "columns"),
    "a path as a name": cohort(f"{PEOPLE}../../x\t1\tF\t1\n", "'../../x'"),
    "table that is a fifo": File("cohort", "participants.tsv", os.mkfifo, "FIFO"),
    "table that is /etc/passwd": File(
        "cohort", "participants.tsv", link("/etc/passwd"), "leads out"
    ),
    "table that is /dev/zero": File("cohort", "stimuli.tsv", link("/dev/zero"), "leads out"),
    "JSON 200 000 deep": cohort("[" * 200_000, "nested too deeply", "participants.json"),
    "objects 100 000 deep": cohort('{"a":' * 100_000, "nested too deeply", "participants.json"),
    "a key twice": cohort('{"Name": "a", "Name": "b"}', "'Name' more than once", DESCRIPTION),
    "NaN": cohort('{"SamplingFrequency": NaN}', "no number in JSON", ECG_JSON),
    "infinity": cohort('{"StartTime": 1e999}', "too large", ECG_JSON),
    "an integer of 400 000 digits": cohort('{"Name": ' + "9" * 400_000, "not JSON", DESCRIPTION),
    "JSON in UTF-16": cohort('{"Name": "a"}'.encode("utf-16"), "UTF-8", DESCRIPTION),
    "JSON cut": cohort('{"Name": "a", "BIDS', "not JSON", DESCRIPTION),
    "JSON of two": cohort("{} {}", "not JSON", DESCRIPTION),
    "a list": cohort("[1, 2]", "not a JSON object", DESCRIPTION),
    "a key 170 000 times": cohort(
        b"{" + b",".join(b'"k":1' for _ in range(170_000)) + b"}",
        "more than once",
        "participants.json",
    ),
    "half a character": cohort('{"Name": 5, "\\ud800": 1}', "not text", DESCRIPTION),
}

# Weights.


class Intruder:
    """A program that runs where it is unpickled."""

    def __reduce__(self) -> tuple[object, ...]:
        return os.system, ("touch was-run",)


def tensors(header: dict[str, Any] | bytes, says: int | None = None) -> bytes:
    """A safetensors file with a header of one's own, whose length may lie."""
    text = header if isinstance(header, bytes) else json.dumps(header).encode()
    return struct.pack("<Q", len(text) if says is None else says) + text + bytes(64)


def entry(dtype: str = "F32", shape: list[int] | None = None, *offsets: int) -> dict[str, Any]:
    return {"dtype": dtype, "shape": shape or [4, 3], "data_offsets": list(offsets or (0, 48))}


def zipped(members: dict[str, bytes], before: bytes = b"") -> bytes:
    """A zip archive of these members, behind those of the archive ``before``."""
    made = io.BytesIO(before)
    with zipfile.ZipFile(made, "a", zipfile.ZIP_DEFLATED) as archive:
        for name, data in members.items():
            archive.writestr(name, data)
    return made.getvalue()


def bomb(name: str, mib: int) -> bytes:
    """A zip archive of one member, of zeros."""
    made = io.BytesIO()
    with (
        zipfile.ZipFile(made, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as archive,
        archive.open(name, "w", force_zip64=True) as member,
    ):
        for _ in range(mib):
            member.write(bytes(MIB))
    return made.getvalue()


def saved(value: object, new: bool = True) -> bytes:
    """A checkpoint as torch writes it, or as before 1.6."""
    made = io.BytesIO()
    torch.save(value, made, _use_new_zipfile_serialization=new)
    return made.getvalue()


LINEAR = {"0.weight": torch.ones(4, 3), "0.bias": torch.ones(4)}


TWICE = (
    b'{"0.weight":{"dtype":"F32","shape":[4,3],"data_offsets":[0,48]},'
    b'"0.weight":{"dtype":"F32","shape":[4],"data_offsets":[48,64]}}'
)
NEITHER = "neither safetensors nor a torch checkpoint"
WEIGHTS = {
    "a program, pickled": weights(lambda: pickle.dumps(Intruder()), "holds more than tensors"),
    "a program behind a header": weights(lambda: tensors({}) + pickle.dumps(Intruder()), NEITHER),
    "a program in a checkpoint": weights(
        lambda: saved({"0.weight": torch.ones(4, 3), "x": Intruder()}), "holds more than tensors"
    ),
    "a program in an old checkpoint": weights(
        lambda: saved(Intruder(), new=False), "holds more than tensors"
    ),
    "a whole network": weights(lambda: saved(torch.nn.Linear(2, 2)), "more than tensors"),
    "header longer than the file": weights(tensors({}, says=10**6), NEITHER),
    "header of 2^63 bytes": weights(tensors({}, says=2**63), NEITHER),
    "header of no bytes": weights(tensors(b"", says=0), ""),
    "header nested 100 000 deep": weights(
        tensors(b'{"a":' * 100_000 + b"1" + b"}" * 100_000), NEITHER
    ),
    "offsets that overlap": weights(
        tensors({"0.weight": entry(), "0.bias": entry("F32", [4], 40, 56)}), NEITHER
    ),
    "offsets beyond the end": weights(
        tensors({"0.weight": entry("F32", [4, 3], 10**12, 10**12 + 48)}), NEITHER
    ),
    "offsets backwards": weights(tensors({"0.weight": entry("F32", [4, 3], 48, 1)}), NEITHER),
    "a shape larger than its bytes": weights(
        tensors({"0.weight": entry("F32", [400_000, 300_000])}), NEITHER
    ),
    "a shape that overflows": weights(tensors({"0.weight": entry("F32", [2**40, 2**40])}), NEITHER),
    "unknown kind of number": weights(tensors({"0.weight": entry("F33")}), ""),
    "a name twice": weights(tensors(TWICE), ""),
    "NaN": weights(
        lambda: save(LINEAR | {"0.bias": torch.full((4,), float("nan"))}), "NaN or infinity"
    ),
    "whole numbers": weights(
        lambda: save(LINEAR | {"0.weight": torch.ones(4, 3, dtype=torch.int8)}),
        "another kind of number",
    ),
    "no tensors": weights(lambda: save({}), "no named tensors"),
    "a tensor of 4 TB in 8 bytes": weights(
        lambda: saved(LINEAR | {"0.weight": torch.ones(1).expand(2**20, 2**20)}), "another shape"
    ),
    "a sparse tensor of 4 TB": weights(
        lambda: saved(
            LINEAR | {"0.weight": torch.sparse_coo_tensor([[0], [0]], [1.0], (2**20, 2**20))}
        ),
        "another",
    ),
    "zip bomb": weights(lambda: bomb("w/data.pkl", 256), "unpacks to"),
    "zip of nothing": weights(lambda: zipped({}), "refused"),
    "zip that leads out": weights(lambda: zipped({"../../w/data.pkl": b"x"}), NEITHER),
    "cut": weights(lambda: saved(LINEAR)[:-200], NEITHER),
}


# ONNX.


def network(
    dims: tuple[int, ...] = onnx_files.WEIGHTS.shape,
    elsewhere: str = "",
    inputs: int = 1,
    opset: int = 17,
    operator: str = "Gemm",
) -> bytes:
    """A network whose weights may be of a size that their bytes are not."""
    made = ModelProto.FromString(onnx_files.network(elsewhere=elsewhere))
    made.graph.initializer[0].dims[:] = dims
    made.graph.node[-1].op_type = operator
    made.opset_import[0].version = opset
    for number in range(1, inputs):
        made.graph.input.append(made.graph.input[0])
        made.graph.input[-1].name = f"in{number}"
    return bytes(made.SerializeToString())


CANNOT = "onnxruntime cannot open it"
NETWORKS = {
    "weights in /etc/passwd": onnx(lambda: network(elsewhere="/etc/passwd"), CANNOT),
    "weights in ../../etc/passwd": onnx(
        lambda: network(elsewhere="../../../../../../etc/passwd"), CANNOT
    ),
    "weights in /dev/zero": onnx(lambda: network(elsewhere="/dev/zero"), CANNOT),
    "a weight of 4 TB in 120 bytes": onnx(lambda: network(dims=(2**20, 2**20)), CANNOT),
    "a weight of a negative size": onnx(lambda: network(dims=(-2, -3)), CANNOT),
    "a weight of a size that overflows": onnx(lambda: network(dims=(2**62, 2**62)), CANNOT),
    "an opset of the future": onnx(lambda: network(opset=999), CANNOT),
    "an unknown operator": onnx(lambda: network(operator="System"), CANNOT),
    "two inputs": onnx(lambda: network(inputs=2), ", in1 tensor(float)"),
    "a pickle": onnx(lambda: pickle.dumps(Intruder()), CANNOT),
    "cut": onnx(lambda: network()[:100], CANNOT),
    "nothing": onnx(b"", CANNOT),
}

# Params.

NESTED = "study: " + 5000 * "[" + 5000 * "]"
ALIASES = "".join(
    f"{one}: &{one} [{', '.join(9 * [f'*{before}' if before else 'x'])}]\n"
    for before, one in zip(["", *"abcdefgh"], "abcdefghi", strict=True)
)
PARAMS = {
    "bomb of aliases": params(ALIASES, "aliases stand for more than"),
    "an alias of itself": params("study: &a [*a]", "stands in itself"),
    "a merge of itself": params("study: &a {<<: *a}", "stands in itself"),
    "a program": params("study: !!python/object/apply:os.system [touch x]", "python"),
    "a python name": params("study: !!python/name:os.system ''", "python/name"),
    "lists 5000 deep": params(NESTED, "too deep"),
    "objects 5000 deep": params(NESTED.replace("[", "{a: ").replace("]", "}"), "too deep"),
    "a date as a name": params("study: {2024-01-01: 1}", "a name is text"),
    "a name twice": params("study: 1\nstudy: 2\n", "'study' again"),
    "tabs": params("study:\n\tseed: 1\n", "not YAML"),
    "two documents": params("study: 1\n---\nstudy: 2\n", "not YAML"),
    "a number of 5000 digits": params(f"study: {5000 * '9'}", "does not fit its type"),
    "NaN": params("study: {seed: .nan}", "p.yaml"),
    "NUL bytes": params(b"study: \0\0", "not YAML"),
    "UTF-16 without its mark": params("study: 1".encode("utf-16-le"), "not YAML"),
    "Latin-1": params(b"study: {name: caf\xe9}", "not YAML"),
    "10 MB": params(b"# x\n" * (10 * MIB // 4), "more than"),
    "fifo": File("params", "p.yaml", os.mkfifo, "not a file"),
    "folder": File("params", "p.yaml", Path.mkdir, "not a file"),
    "link to /dev/zero": File("params", "p.yaml", link("/dev/zero"), "not a file"),
    "link to itself": File("params", "p.yaml", link("p.yaml"), "cannot be read"),
}

# Model files and the packages that they come in.

ASSETS = {
    "another file": asset(b"another model", "another file than the card's"),
    "10 MB too much": asset(bytes(10 * MIB), "another file than the card's", "model.task"),
}
ABOUT = {
    "x-1.dist-info/METADATA": b"Metadata-Version: 2.1\nName: x\nVersion: 1\n",
    "x-1.dist-info/WHEEL": b"Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
    "x-1.dist-info/RECORD": b"",
}


WHEELS = {
    "zip bomb": wheel(lambda: zipped(ABOUT, bomb("x/model.bin", 100)), "no asset is so large"),
    "a path that leads out": wheel(
        lambda: zipped(ABOUT | {"../../../model.bin": b"out"}), "another file than the card's"
    ),
    "an absolute path": wheel(
        lambda: zipped(ABOUT | {"/eifer-tests/model.bin": b"out"}), "another file than the card's"
    ),
    "no such member": wheel(lambda: zipped(ABOUT), "no item named"),
}

# What is no file, before doors that take files.

NO_FILES: dict[str, Write] = {
    "fifo": os.mkfifo,
    "folder": Path.mkdir,
    "socket": listener,
    "link to itself": lambda path: path.symlink_to(path.name),
    "link to /dev/zero": link("/dev/zero"),
    "link to nowhere": link("nowhere"),
}
DOORS_OF_FILES = (
    ("video", "v.mp4", "no such video file"),
    ("weights", "w.pt", "no such file"),
    ("onnx", "n.onnx", "no such file"),
    ("asset", "model.tflite", "is not a file"),
)

GROUPS = (VIDEOS, ECGS, COHORTS, WEIGHTS, NETWORKS, PARAMS, ASSETS, WHEELS)
FILES = {f"{file.door}: {what}": file for group in GROUPS for what, file in group.items()} | {
    f"{door}: {what}": File(door, name, make, words)
    for door, name, words in DOORS_OF_FILES
    for what, make in NO_FILES.items()
}
