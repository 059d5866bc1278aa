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
from onnx import TensorProto, helper
from safetensors.torch import save

Write = Callable[[Path], object]
MIB = 2**20


class File(NamedTuple):
    """One of the files: ``make`` writes it to the path it is given."""

    door: str
    name: str
    make: Write
    words: str


def content(data: bytes | str | Callable[[], bytes]) -> Write:
    """Write these bytes, which may be made only then."""
    if isinstance(data, str):
        data = data.encode()
    return lambda path: path.write_bytes(data if isinstance(data, bytes) else data())


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
VIDEOS: dict[str, tuple[str, Write, str]] = {
    "png 100 x 1 000 000": ("v.mp4", content(lambda: png(100, 1_000_000)), OTHER_KIND),
    "png 16200 x 16200": ("v.mp4", content(lambda: png(16_200, 16_200)), OTHER_KIND),
    "concat playlist": ("v.mp4", content("ffconcat version 1.0\nfile other.mp4\n"), OTHER_KIND),
    "HLS of an address": (
        "v.mp4",
        content("#EXTM3U\n#EXT-X-TARGETDURATION:9\n#EXTINF:9,\nhttp://127.0.0.1:9/x.ts\n"),
        OTHER_KIND,
    ),
    "HLS of /etc/passwd": (
        "v.m3u8",
        content("#EXTM3U\n#EXTINF:9,\nfile:///etc/passwd\n#EXT-X-ENDLIST\n"),
        OTHER_KIND,
    ),
    "svg": (
        "v.mp4",
        content('<svg xmlns="http://www.w3.org/2000/svg"><image href="/etc/passwd"/></svg>'),
        OTHER_KIND,
    ),
    "web page": ("v.webm", content("<!DOCTYPE html><h1>404 Not Found</h1>" * 50), OTHER_KIND),
    "zip": ("v.mp4", content(lambda: zipped({"film.mp4": film()})), OTHER_KIND),
    "random bytes": ("v.avi", content(np.random.default_rng(0).bytes(MIB)), OTHER_KIND),
    "zeros": ("v.mov", content(bytes(MIB)), OTHER_KIND),
    "nothing": ("v.mp4", content(b""), "empty (0 bytes)"),
    "header alone": ("v.mp4", content(film()[:32]), OTHER_KIND),
    "frames without a table": ("v.mp4", content(lambda: cut("mp4", 0.5)), OTHER_KIND),
    "table without frames": ("v.mp4", content(lambda: film()[film().index(b"moov") - 4 :]), ""),
    "mkv cut in a group of pictures": (
        "v.mkv",
        content(lambda: cut("matroska", 0.6, n=60)),
        "cut short",
    ),
    "avi cut": ("v.avi", content(lambda: cut("avi", 0.4, codec="mjpeg")), "cut short"),
    "garbage behind the header": (
        "v.mkv",
        content(lambda: film("matroska")[:500] + bytes(range(256)) * 400),
        "",
    ),
    "webm's header and another's body": (
        "v.webm",
        content(lambda: film("webm", "libvpx-vp9")[:60] + film()[60:]),
        "",
    ),
    "unknown codec": (
        "v.mp4",
        content(lambda: film().replace(b"avc1", b"zzzz")),
        "no known codec",
    ),
    "png in a mov": ("v.mov", content(lambda: film().replace(b"avc1", b"png ")), "not read"),
    "a frame of days": (
        "v.mp4",
        content(lambda: patched(b"stts", 16, ">I", 2**31 - 1)),
        "a single frame can be decoded",
    ),
    "all at once": ("v.mp4", content(lambda: patched(b"stts", 16, ">I", 0)), "frames out of time"),
    "a million frames a second": (
        "v.mp4",
        content(lambda: patched(b"mdhd", 16, ">I", 2**31 - 1)),
        "",
    ),
    "a hundred million frames": ("v.mp4", content(millions_of_frames), "v.mp4"),
    "pictures of 65500 x 65500": ("v.avi", content(lambda: enlarged(65_500)), "damaged"),
    "pictures that grow": ("v.avi", content(lambda: enlarged(4000, first=10)), "damaged"),
    "pixels 65535 times as wide": (
        "v.mp4",
        content(
            lambda: film(aspect=Fraction(16, 11)).replace(
                b"pasp" + struct.pack(">II", 16, 11), b"pasp" + struct.pack(">II", 65535, 1)
            )
        ),
        "as wide as high",
    ),
    "a matrix of nothing": (
        "v.mp4",
        content(lambda: patched(b"tkhd", 44, ">9i", *[0] * 9)),
        "display matrix",
    ),
    "no stream": ("v.mp4", content(lambda: film().replace(b"trak", b"free")), "no video stream"),
    "sound alone": ("v.mkv", content(sound), "no video stream"),
    "two films, none the default": ("v.mkv", content(lambda: both(False)), "2 films"),
    "two films, both the default": ("v.mkv", content(lambda: both(True)), "2 films"),
    "one frame": ("v.mp4", content(lambda: film(n=1)), "a single frame"),
    "a damaged first frame": ("v.mp4", content(damaged_first_frame), "damaged"),
    "boxes 5000 deep": ("v.mp4", content(lambda: boxes_in_boxes(5000)), OTHER_KIND),
    "a box of 2^63 bytes": (
        "v.mp4",
        content(lambda: film()[:32] + box(b"free", struct.pack(">Q", 2**63), size=1)),
        OTHER_KIND,
    ),
    "a box of no bytes": ("v.mp4", content(lambda: film()[:28] + box(b"trak", size=2)), OTHER_KIND),
    "raw H.264": (
        "v.mp4",
        content(lambda: b"\0\0\0\1" + film()[film().index(b"avcC") + 12 :]),
        OTHER_KIND,
    ),
    "fifo": ("v.mp4", os.mkfifo, "no such video file"),
    "folder": ("v.mp4", Path.mkdir, "no such video file"),
    "socket": ("v.mp4", listener, "no such video file"),
    "link to itself": ("v.mp4", link("v.mp4"), "no such video file"),
    "link to /dev/zero": ("v.mp4", link("/dev/zero"), "no such video file"),
    "link to nowhere": ("v.mp4", link("nowhere"), "no such video file"),
}

# ECGs.


def packed(unpacked: bytes, times: int = 1) -> Write:
    """As gzip, with the bytes repeated."""

    def make(path: Path) -> None:
        with gzip.open(path, "wb", compresslevel=1) as file:
            for _ in range(times):
                file.write(unpacked)

    return make


def flipped(data: bytes, place: int) -> bytes:
    made = bytearray(data)
    made[place] ^= 255
    return bytes(made)


SAMPLES = b"0.1\n-0.25\n1.5\n" * 1000
ECGS: dict[str, tuple[str, Write, str]] = {
    "bomb of samples": ("e.tsv.gz", packed(b"0\n" * (MIB // 2), 200), "unpacks to more than"),
    "bomb without a line's end": ("e.tsv.gz", packed(bytes(MIB), 100), "e.tsv.gz"),
    "cut": ("e.tsv.gz", content(gzip.compress(SAMPLES)[:-12]), "gzip ends early"),
    "cut in the header": ("e.tsv.gz", content(gzip.compress(SAMPLES)[:6]), "gzip ends early"),
    "wrong checksum": ("e.tsv.gz", content(flipped(gzip.compress(SAMPLES), -6)), "CRC"),
    "wrong length": ("e.tsv.gz", content(flipped(gzip.compress(SAMPLES), -1)), "length"),
    "a flipped byte": ("e.tsv.gz", content(flipped(gzip.compress(SAMPLES), 20)), "gzip"),
    "garbage behind": ("e.tsv.gz", content(gzip.compress(SAMPLES) + b"garbage"), "gzip"),
    "gzip in gzip": ("e.tsv.gz", content(gzip.compress(gzip.compress(SAMPLES))), "no numbers"),
    "no gzip": ("e.tsv.gz", content(SAMPLES), "no readable gzip"),
    "zip": ("e.tsv.gz", content(lambda: zipped({"e.tsv": SAMPLES})), "no readable gzip"),
    "nothing": ("e.tsv.gz", content(b""), ""),
    "bomb of words": ("e.tsv.gz", packed(b"x\n" * (MIB // 2), 200), "at least 100000 samples"),
    "nothing inside": ("e.tsv.gz", packed(b""), "no samples"),
    "NUL bytes": ("e.tsv.gz", packed(b"0.1\n\0\0\n"), "row 2"),
    "UTF-16": ("e.tsv.gz", packed("0.1\n0.2\n".encode("utf-16")), "no numbers"),
    "numbers that are none": ("e.tsv.gz", packed(b"0.1\nnan\ninf\n1e999\n"), "3 samples"),
}

# Tables and sidecars of a cohort.

RATINGS = "sub-01/beh/sub-01_task-elicitation_beh.tsv"
HEAD = "run\tstimulus_id\tarousal\tvalence\n"
PEOPLE = "participant_id\tage\tsex\twave\n"
ECG_JSON = "task-elicitation_recording-ecg_physio.json"
DESCRIPTION = "dataset_description.json"
COHORTS: dict[str, tuple[str, Write, str]] = {
    "NUL bytes": ("participants.tsv", content(bytes(1000)), "wrong columns"),
    "30 MB of NUL bytes": ("stimuli.tsv", content(bytes(30 * MIB)), "too large"),
    "a million columns": ("participants.tsv", content(b"a\t" * MIB), "too large"),
    "a million rows": (RATINGS, content(HEAD.encode() + b"1\thahv1\t6\t4\n" * MIB), "too large"),
    "a million empty rows": (RATINGS, content(HEAD + "\n" * 900_000 + "x"), "rows of 4 columns"),
    "a million empty columns": (RATINGS, content(b"\t" * 10**6), "1 rows of 1000001 columns"),
    "4000 wrong columns": (
        RATINGS,
        content("\t".join(f"arousel{n}" for n in range(4000)) + "\n1\n"),
        "wrong columns",
    ),
    "a cell of a million": (RATINGS, content(f"{HEAD}1\t{'x' * 10**6}\t1\t1\n"), "xxx..."),
    "digits without end": (
        "stimuli.tsv",
        content(f"stimulus_id\tdomain\tduration_s\na\tHAHV\t{'9' * 10**6}\n"),
        "duration_s",
    ),
    "UTF-16": ("participants.tsv", content(f"{PEOPLE}sub-01\t1\tF\t1\n".encode("utf-16")), "UTF-8"),
    "Latin-1": (
        "stimuli.tsv",
        content("stimulus_id\tdomain\né\tHAHV\n".encode("latin-1")),
        "not UTF-8 (1): stimuli.tsv byte 19 (0xe9)",
    ),
    "byte-order mark": ("participants.tsv", content(f"\ufeff{PEOPLE}"), "participants.tsv byte 0"),
    "old Mac's line ends": (
        "participants.tsv",
        content(f"{PEOPLE}sub-01\t1\tF\t1\n".replace("\n", "\r")),
        "wrong columns",
    ),
    "a column twice": (
        "participants.tsv",
        content("participant_id\tage\tage\tsex\n"),
        "'age' twice",
    ),
    "a formula as a name": (
        "participants.tsv",
        content(f"{PEOPLE}=cmd|' /C calc'!A0\t1\tF\t1\n"),
        "=cmd",
    ),
    "a formula as a rating": (RATINGS, content(f"{HEAD}1\thahv1\t=1+1\t4\n"), "'=1+1'"),
    "a terminal's escapes": (RATINGS, content(f"{HEAD}1\t\x1b[2J\x1b]0;x\x07\t1\t1\n"), "x1b"),
    "commas": ("participants.tsv", content("participant_id,age,sex\nsub-01,1,F\n"), "columns"),
    "a path as a name": ("participants.tsv", content(f"{PEOPLE}../../x\t1\tF\t1\n"), "'../../x'"),
    "table that is a fifo": ("participants.tsv", os.mkfifo, "FIFO"),
    "table that is /etc/passwd": ("participants.tsv", link("/etc/passwd"), "leads out"),
    "table that is /dev/zero": ("stimuli.tsv", link("/dev/zero"), "leads out"),
    "JSON 200 000 deep": ("participants.json", content("[" * 200_000), "nested too deeply"),
    "objects 100 000 deep": ("participants.json", content('{"a":' * 100_000), "nested too deeply"),
    "a key twice": (DESCRIPTION, content('{"Name": "a", "Name": "b"}'), "'Name' more than once"),
    "NaN": (ECG_JSON, content('{"SamplingFrequency": NaN}'), "no number in JSON"),
    "infinity": (ECG_JSON, content('{"StartTime": 1e999}'), "too large"),
    "an integer of 400 000 digits": (DESCRIPTION, content('{"Name": ' + "9" * 400_000), "not JSON"),
    "JSON in UTF-16": (DESCRIPTION, content('{"Name": "a"}'.encode("utf-16")), "UTF-8"),
    "JSON cut": (DESCRIPTION, content('{"Name": "a", "BIDS'), "not JSON"),
    "JSON of two": (DESCRIPTION, content("{} {}"), "not JSON"),
    "a list": (DESCRIPTION, content("[1, 2]"), "not a JSON object"),
    "a key 170 000 times": (
        "participants.json",
        content(b"{" + b",".join(b'"k":1' for _ in range(170_000)) + b"}"),
        "more than once",
    ),
    "half a character": (DESCRIPTION, content('{"Name": 5, "\\ud800": 1}'), "not text"),
}

# Weights.


class Intruder:
    """A program that runs where it is unpickled."""

    def __reduce__(self) -> tuple[object, ...]:
        return os.system, ("touch was-run",)


def tensors(
    header: dict[str, Any] | bytes, data: bytes = bytes(64), says: int | None = None
) -> bytes:
    """A safetensors file with a header of one's own, whose length may lie."""
    text = header if isinstance(header, bytes) else json.dumps(header).encode()
    return struct.pack("<Q", len(text) if says is None else says) + text + data


def entry(dtype: str = "F32", shape: list[int] | None = None, *offsets: int) -> dict[str, Any]:
    return {"dtype": dtype, "shape": shape or [4, 3], "data_offsets": list(offsets or (0, 48))}


def zipped(members: dict[str, bytes], how: int = zipfile.ZIP_DEFLATED) -> bytes:
    made = io.BytesIO()
    with zipfile.ZipFile(made, "w", how) as archive:
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


def saved(value: object) -> bytes:
    made = io.BytesIO()
    torch.save(value, made)
    return made.getvalue()


def linear(**changed: torch.Tensor) -> dict[str, torch.Tensor]:
    return {"0.weight": torch.ones(4, 3), "0.bias": torch.ones(4)} | {
        name.replace("_", "."): value for name, value in changed.items()
    }


TWICE = (
    b'{"0.weight":{"dtype":"F32","shape":[4,3],"data_offsets":[0,48]},'
    b'"0.weight":{"dtype":"F32","shape":[4],"data_offsets":[48,64]}}'
)
NEITHER = "neither safetensors nor a torch checkpoint"
WEIGHTS: dict[str, tuple[str, Write, str]] = {
    "a program, pickled": (
        "w.safetensors",
        content(lambda: pickle.dumps(Intruder())),
        "holds more than tensors",
    ),
    "a program behind a header": (
        "w.safetensors",
        content(lambda: tensors({}) + pickle.dumps(Intruder())),
        NEITHER,
    ),
    "a program in a checkpoint": (
        "w.pt",
        content(lambda: saved({"0.weight": torch.ones(4, 3), "x": Intruder()})),
        "holds more than tensors",
    ),
    "a program in an old checkpoint": (
        "w.pth",
        content(lambda: old(Intruder())),
        "holds more than tensors",
    ),
    "a whole network": ("w.pt", content(lambda: saved(torch.nn.Linear(2, 2))), "more than tensors"),
    "header longer than the file": ("w.safetensors", content(tensors({}, says=10**6)), NEITHER),
    "header of 2^63 bytes": ("w.safetensors", content(tensors({}, says=2**63)), NEITHER),
    "header of no bytes": ("w.safetensors", content(tensors(b"", says=0)), ""),
    "header nested 100 000 deep": (
        "w.safetensors",
        content(tensors(b'{"a":' * 100_000 + b"1" + b"}" * 100_000)),
        NEITHER,
    ),
    "offsets that overlap": (
        "w.safetensors",
        content(tensors({"0.weight": entry(), "0.bias": entry("F32", [4], 40, 56)})),
        NEITHER,
    ),
    "offsets beyond the end": (
        "w.safetensors",
        content(tensors({"0.weight": entry("F32", [4, 3], 10**12, 10**12 + 48)})),
        NEITHER,
    ),
    "offsets backwards": (
        "w.safetensors",
        content(tensors({"0.weight": entry("F32", [4, 3], 48, 1)})),
        NEITHER,
    ),
    "a shape larger than its bytes": (
        "w.safetensors",
        content(tensors({"0.weight": entry("F32", [400_000, 300_000])})),
        NEITHER,
    ),
    "a shape that overflows": (
        "w.safetensors",
        content(tensors({"0.weight": entry("F32", [2**40, 2**40])})),
        NEITHER,
    ),
    "unknown kind of number": ("w.safetensors", content(tensors({"0.weight": entry("F33")})), ""),
    "a name twice": ("w.safetensors", content(tensors(TWICE)), ""),
    "NaN": (
        "w.safetensors",
        content(lambda: save(linear(**{"0_bias": torch.full((4,), float("nan"))}))),
        "NaN or infinity",
    ),
    "whole numbers": (
        "w.safetensors",
        content(lambda: save(linear(**{"0_weight": torch.ones(4, 3, dtype=torch.int8)}))),
        "another kind of number",
    ),
    "no tensors": ("w.safetensors", content(lambda: save({})), "no named tensors"),
    "a tensor of 4 TB in 8 bytes": (
        "w.pt",
        content(lambda: saved(linear(**{"0_weight": torch.ones(1).expand(2**20, 2**20)}))),
        "another shape",
    ),
    "a sparse tensor of 4 TB": (
        "w.pt",
        content(
            lambda: saved(
                linear(**{"0_weight": torch.sparse_coo_tensor([[0], [0]], [1.0], (2**20, 2**20))})
            )
        ),
        "another",
    ),
    "zip bomb": ("w.pt", content(lambda: bomb("w/data.pkl", 256)), "unpacks to"),
    "zip of nothing": ("w.pt", content(lambda: zipped({})), "refused"),
    "zip that leads out": ("w.pt", content(lambda: zipped({"../../w/data.pkl": b"x"})), NEITHER),
    "cut": ("w.pt", content(lambda: saved(linear())[:-200]), NEITHER),
    "folder": ("w.pt", Path.mkdir, "no such file"),
    "fifo": ("w.pt", os.mkfifo, "no such file"),
    "link to /dev/zero": ("w.pt", link("/dev/zero"), "no such file"),
}


def old(value: object) -> bytes:
    """A checkpoint as torch wrote them before 1.6."""
    made = io.BytesIO()
    torch.save(value, made, _use_new_zipfile_serialization=False)
    return made.getvalue()


# ONNX.


def network(
    dims: tuple[int, ...] = (2, 3),
    outside: str = "",
    inputs: int = 1,
    opset: int = 17,
    operator: str = "Gemm",
) -> bytes:
    """Two sums of the means of three channels; a weight may be of a size that its bytes are not."""
    weights = helper.make_tensor("w", TensorProto.FLOAT, (2, 3), np.arange(6.0))
    del weights.dims[:]
    weights.dims.extend(dims)
    if outside:
        weights.ClearField("float_data")
        weights.data_location = TensorProto.EXTERNAL
        weights.external_data.add(key="location", value=outside)
    node, info = helper.make_node, helper.make_tensor_value_info
    graph = helper.make_graph(
        [
            node("GlobalAveragePool", ["in0"], ["pooled"]),
            node("Flatten", ["pooled"], ["means"]),
            node(
                operator, ["means", "w"], ["out"], **({"transB": 1} if operator == "Gemm" else {})
            ),
        ],
        "network",
        [info(f"in{k}", TensorProto.FLOAT, ["n", 3, 32, 32]) for k in range(inputs)],
        [info("out", TensorProto.FLOAT, ["n", 2])],
        [weights],
    )
    opsets = [helper.make_opsetid("", opset)]
    made = helper.make_model(graph, opset_imports=opsets, ir_version=8)
    return bytes(made.SerializeToString())


CANNOT = "onnxruntime cannot open it"
NETWORKS: dict[str, tuple[str, Write, str]] = {
    "weights in /etc/passwd": ("n.onnx", content(lambda: network(outside="/etc/passwd")), CANNOT),
    "weights in ../../etc/passwd": (
        "n.onnx",
        content(lambda: network(outside="../../../../../../etc/passwd")),
        CANNOT,
    ),
    "weights in /dev/zero": ("n.onnx", content(lambda: network(outside="/dev/zero")), CANNOT),
    "a weight of 4 TB in 24 bytes": (
        "n.onnx",
        content(lambda: network(dims=(2**20, 2**20))),
        CANNOT,
    ),
    "a weight of a negative size": ("n.onnx", content(lambda: network(dims=(-2, -3))), CANNOT),
    "a weight of a size that overflows": (
        "n.onnx",
        content(lambda: network(dims=(2**62, 2**62))),
        CANNOT,
    ),
    "an opset of the future": ("n.onnx", content(lambda: network(opset=999)), CANNOT),
    "an unknown operator": ("n.onnx", content(lambda: network(operator="System")), CANNOT),
    "two inputs": ("n.onnx", content(lambda: network(inputs=2)), "it takes in0"),
    "a pickle": ("n.onnx", content(lambda: pickle.dumps(Intruder())), CANNOT),
    "cut": ("n.onnx", content(lambda: network()[:100]), CANNOT),
    "nothing": ("n.onnx", content(b""), CANNOT),
    "fifo": ("n.onnx", os.mkfifo, "no such file"),
}

# Params.

NESTED = "study: " + 5000 * "[" + 5000 * "]"
ALIASES = "".join(
    f"{one}: &{one} [{', '.join(9 * [f'*{before}' if before else 'x'])}]\n"
    for before, one in zip(["", *"abcdefgh"], "abcdefghi", strict=True)
)
PARAMS: dict[str, tuple[str, Write, str]] = {
    "bomb of aliases": ("p.yaml", content(ALIASES), "aliases stand for more than"),
    "an alias of itself": ("p.yaml", content("study: &a [*a]"), "stands in itself"),
    "a merge of itself": ("p.yaml", content("study: &a {<<: *a}"), "stands in itself"),
    "a program": ("p.yaml", content("study: !!python/object/apply:os.system [touch x]"), "python"),
    "a python name": ("p.yaml", content("study: !!python/name:os.system ''"), "python/name"),
    "lists 5000 deep": ("p.yaml", content(NESTED), "too deep"),
    "objects 5000 deep": (
        "p.yaml",
        content(NESTED.replace("[", "{a: ").replace("]", "}")),
        "too deep",
    ),
    "a date as a name": ("p.yaml", content("study: {2024-01-01: 1}"), "a name is text"),
    "a name twice": ("p.yaml", content("study: 1\nstudy: 2\n"), "'study' again"),
    "tabs": ("p.yaml", content("study:\n\tseed: 1\n"), "not YAML"),
    "two documents": ("p.yaml", content("study: 1\n---\nstudy: 2\n"), "not YAML"),
    "a number of 5000 digits": ("p.yaml", content(f"study: {5000 * '9'}"), "does not fit its type"),
    "NaN": ("p.yaml", content("study: {seed: .nan}"), "p.yaml"),
    "NUL bytes": ("p.yaml", content(b"study: \0\0"), "not YAML"),
    "UTF-16 without its mark": ("p.yaml", content("study: 1".encode("utf-16-le")), "not YAML"),
    "Latin-1": ("p.yaml", content(b"study: {name: caf\xe9}"), "not YAML"),
    "10 MB": ("p.yaml", content(b"# x\n" * (10 * MIB // 4)), "more than"),
    "fifo": ("p.yaml", os.mkfifo, "not a file"),
    "folder": ("p.yaml", Path.mkdir, "not a file"),
    "link to /dev/zero": ("p.yaml", link("/dev/zero"), "not a file"),
    "link to itself": ("p.yaml", link("p.yaml"), "cannot be read"),
}

# Model files and the packages that they come in.

ASSETS: dict[str, tuple[str, Write, str]] = {
    "another file": ("model.tflite", content(b"another model"), "another file than the card's"),
    "10 MB too much": ("model.task", content(bytes(10 * MIB)), "another file than the card's"),
    "folder": ("model.tflite", Path.mkdir, "is not a file"),
    "fifo": ("model.tflite", os.mkfifo, "is not a file"),
    "socket": ("model.tflite", listener, "is not a file"),
    "link to /dev/zero": ("model.tflite", link("/dev/zero"), "is not a file"),
    "link to nowhere": ("model.tflite", link("nowhere"), "is not a file"),
    "link to itself": ("model.tflite", link("model.tflite"), "is not a file"),
}
ABOUT = {
    "x-1.dist-info/METADATA": b"Metadata-Version: 2.1\nName: x\nVersion: 1\n",
    "x-1.dist-info/WHEEL": b"Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
    "x-1.dist-info/RECORD": b"",
}
WHEEL = "x-1-py3-none-any.whl"


def with_bomb(path: Path) -> None:
    path.write_bytes(bomb("x/model.bin", 100))
    with zipfile.ZipFile(path, "a") as archive:
        for name, data in ABOUT.items():
            archive.writestr(name, data)


WHEELS: dict[str, tuple[str, Write, str]] = {
    "zip bomb": (WHEEL, with_bomb, "no asset is so large"),
    "a path that leads out": (
        WHEEL,
        content(lambda: zipped(ABOUT | {"../../../model.bin": b"out"})),
        "another file than the card's",
    ),
    "an absolute path": (
        WHEEL,
        content(lambda: zipped(ABOUT | {"/eifer-tests/model.bin": b"out"})),
        "another file than the card's",
    ),
    "no such member": (WHEEL, content(lambda: zipped(ABOUT)), "no item named"),
}

GROUPS = {
    "video": VIDEOS,
    "gz": ECGS,
    "cohort": COHORTS,
    "weights": WEIGHTS,
    "onnx": NETWORKS,
    "params": PARAMS,
    "asset": ASSETS,
    "wheel": WHEELS,
}
FILES = {
    f"{door}: {what}": File(door, *file)
    for door, files in GROUPS.items()
    for what, file in files.items()
}
