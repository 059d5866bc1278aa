"""Weights are known by their hash, never executed, and fit or are refused."""

import hashlib
import pickle
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from torch import nn

from eifer.errors import AssetError
from eifer.training.weights import State, fit_state, load_weights, read_metadata, save_weights


def sha(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


@pytest.fixture
def state() -> State:
    torch.manual_seed(0)
    return nn.Sequential(nn.Linear(3, 4), nn.BatchNorm1d(4)).state_dict()


def same(a: State, b: State) -> bool:
    return a.keys() == b.keys() and all(torch.equal(a[name], b[name]) for name in a)


def test_saved_weights_come_back(tmp_path: Path, state: State) -> None:
    path = tmp_path / "weights.safetensors"
    save_weights(path, state, {"backbone": "tiny", "note": "größer"})
    assert same(load_weights(path, sha(path)), state)
    assert read_metadata(path) == {"backbone": "tiny", "note": "größer"}


def test_the_same_weights_are_the_same_bytes(tmp_path: Path, state: State) -> None:
    metadata = {f"key {i}": i for i in range(20)}
    hashes = set()
    for i in range(5):
        path = tmp_path / f"{i}.safetensors"
        order = sorted(state, reverse=bool(i % 2))
        save_weights(
            path, {name: state[name] for name in order}, dict(reversed(list(metadata.items())))
        )
        hashes.add(sha(path))
    assert len(hashes) == 1


@pytest.mark.parametrize("prefix", ["", "module.", "model.", "module.model."])
@pytest.mark.parametrize("wrapper", [None, "state_dict", "model"])
def test_checkpoints_as_programs_write_them(
    tmp_path: Path, state: State, prefix: str, wrapper: str | None
) -> None:
    named = {prefix + name: value for name, value in state.items()}
    content = {wrapper: named, "epoch": 3} if wrapper else named
    path = tmp_path / "model.ckpt"
    torch.save(content, path)
    assert same(load_weights(path, sha(path).upper()), state)


def test_a_file_is_what_its_content_is_whatever_its_name(tmp_path: Path, state: State) -> None:
    """torch itself goes by the ending."""
    checkpoint, tensors = tmp_path / "a.safetensors", tmp_path / "b.pt"
    torch.save(state, checkpoint)
    save_weights(tensors, state, {})
    assert same(load_weights(checkpoint, sha(checkpoint)), state)
    assert same(load_weights(tensors, sha(tensors)), state)


def test_a_checkpoint_that_unpacks_to_more_than_it_is_is_refused(
    tmp_path: Path, state: State
) -> None:
    """torch writes its archives without compression, and reads compressed ones."""
    path, small = tmp_path / "a.pt", tmp_path / "b.pt"
    torch.save({"0.weight": torch.zeros(2**20)}, path)
    with (
        zipfile.ZipFile(path) as whole,
        zipfile.ZipFile(small, "w", zipfile.ZIP_DEFLATED) as packed,
    ):
        for name in whole.namelist():
            packed.writestr(name, whole.read(name))
    with pytest.raises(AssetError, match=r"b\.pt: refused, .* unpacks to 4\d{6}") as caught:
        load_weights(small, sha(small))
    assert "Save its state_dict again" in str(caught.value)


def test_another_hash_is_refused_and_both_are_named(tmp_path: Path, state: State) -> None:
    path = tmp_path / "weights.safetensors"
    save_weights(path, state, {})
    with pytest.raises(AssetError) as caught:
        load_weights(path, "0" * 64)
    message = str(caught.value)
    assert all(part in message for part in (str(path), sha(path), "0" * 64, "again"))


class Intruder:
    """Writes a file when it is unpickled."""

    def __init__(self, marker: Path) -> None:
        self.marker = marker

    def __reduce__(self) -> tuple[object, ...]:
        return (Path.touch, (self.marker,))


@pytest.mark.filterwarnings("ignore:Detected pickle protocol")
@pytest.mark.parametrize("way", ["torch", "pickle"])
def test_a_pickle_is_refused_and_not_run(tmp_path: Path, state: State, way: str) -> None:
    path, marker = tmp_path / "weights.pth", tmp_path / "was_run"
    content = {"state_dict": state, "extra": Intruder(marker)}
    if way == "torch":
        torch.save(content, path)
    else:
        path.write_bytes(pickle.dumps(content))
    with pytest.raises(AssetError, match=r"pickle.*state_dict alone"):
        load_weights(path, sha(path))
    assert not marker.exists()


def test_a_whole_module_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "model.pt"
    torch.save(nn.Linear(2, 2), path)
    with pytest.raises(AssetError, match="holds more than tensors"):
        load_weights(path, sha(path))


@pytest.mark.parametrize(
    "content", [b"", b"not weights at all", b"PK\x03\x04 cut", b"\x10" + b"\0" * 7 + b"{"]
)
def test_damaged_files_are_refused(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "weights.bin"
    path.write_bytes(content)
    with pytest.raises(AssetError, match=r"weights\.bin: neither safetensors nor a torch"):
        load_weights(path, sha(path))


def test_a_truncated_file_is_refused(tmp_path: Path, state: State) -> None:
    path = tmp_path / "weights.safetensors"
    save_weights(path, state, {})
    path.write_bytes(path.read_bytes()[:-5])
    with pytest.raises(AssetError, match="Fetch the file again"):
        load_weights(path, sha(path))


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(AssetError, match=r"absent\.safetensors: no such file"):
        load_weights(tmp_path / "absent.safetensors", "0" * 64)


def test_entries_that_are_no_tensors_are_named(tmp_path: Path, state: State) -> None:
    path = tmp_path / "weights.pt"
    torch.save({**state, "step": 7}, path)
    with pytest.raises(AssetError, match=r"1 of 8 entries are not tensors \(step\)"):
        load_weights(path, sha(path))


def test_another_architecture_is_told_with_counts_and_five_examples(state: State) -> None:
    wider = nn.Sequential(nn.Linear(3, 5), nn.BatchNorm1d(5), *(nn.Linear(1, 1) for _ in range(4)))
    before = {name: value.clone() for name, value in wider.state_dict().items()}
    with pytest.raises(AssetError) as caught:
        fit_state(wider, {**state, "loss.weight": torch.ones(1)}, "weights x")
    message = str(caught.value)
    assert "of 15 tensors" in message
    assert "8 missing (2.weight, 2.bias, 3.weight, 3.bias, 4.weight and 3 more)" in message
    assert "1 unexpected (loss.weight)" in message
    assert "6 of another shape (0.weight (4, 3) for (5, 3)" in message
    assert same(wider.state_dict(), before)


WEIGHT, STEPS = "0.weight", "1.num_batches_tracked"


@pytest.mark.parametrize(
    ("name", "change", "said"),
    [
        (WEIGHT, lambda t: t.to(torch.int8), "0.weight int8 for float32"),
        (WEIGHT, lambda t: t > 0, "0.weight bool for float32"),
        (WEIGHT, lambda t: t.to(torch.complex64), "0.weight complex64 for float32"),
        (WEIGHT, lambda t: t.to_sparse(), "1 of another kind of number (0.weight"),
        (WEIGHT, lambda t: t.to("meta"), "1 of another kind of number (0.weight"),
        (WEIGHT, lambda t: t.T.contiguous(), "0.weight (3, 4) for (4, 3)"),
        (WEIGHT, lambda t: t[:0], "0.weight (0, 3) for (4, 3)"),
        (WEIGHT, lambda t: t.masked_fill(t > 0, float("nan")), "1 of 7 tensors hold NaN"),
        (WEIGHT, lambda t: t / 0, "1 of 7 tensors hold NaN or infinity (0.weight)"),
        (WEIGHT, lambda t: t.double() * 1e300, "1 of 7 tensors hold NaN or infinity (0.weight)"),
        (STEPS, lambda t: t.float(), "1.num_batches_tracked float32 for int64"),
    ],
)
def test_numbers_that_torch_would_take_for_others_are_refused(
    state: State, name: str, change: Callable[[torch.Tensor], torch.Tensor], said: str
) -> None:
    network = nn.Sequential(nn.Linear(3, 4), nn.BatchNorm1d(4))
    before = {name: value.clone() for name, value in network.state_dict().items()}
    with pytest.raises(AssetError) as caught:
        fit_state(network, {**state, name: change(state[name])}, "weights x")
    assert said in str(caught.value)
    assert same(network.state_dict(), before)


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float64])
def test_real_numbers_of_another_width_are_taken(state: State, dtype: torch.dtype) -> None:
    network = nn.Sequential(nn.Linear(3, 4), nn.BatchNorm1d(4))
    fit_state(network, {**state, "0.weight": state["0.weight"].to(dtype)}, "weights x")
    assert torch.allclose(network.state_dict()["0.weight"], state["0.weight"], atol=0.01)


def test_a_name_of_ten_thousand_prefixes_is_a_name(tmp_path: Path) -> None:
    path = tmp_path / "weights.pt"
    torch.save({10_000 * "module." + "a": torch.ones(1)}, path)
    assert list(load_weights(path, sha(path))) == ["a"]


@pytest.mark.parametrize("text", ["[1", "[1]", "3", "null"])
def test_metadata_of_another_program_is_none_of_ours(tmp_path: Path, text: str) -> None:
    from safetensors.torch import save

    path = tmp_path / "weights.safetensors"
    path.write_bytes(save({"a": torch.ones(1)}, metadata={"eifer": text}))
    assert read_metadata(path) == {}
