"""Weights as files: known by their hash, never executed, the same bytes for the same values."""

from __future__ import annotations

import json
import pickle
import struct
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from eifer.errors import AssetError, examples
from eifer.hashing import sha256_file

State = dict[str, Tensor]

WRAPPERS = ("state_dict", "model_state_dict", "model")
"""Where training programs put the weights inside a checkpoint."""

PREFIXES = ("module.", "model.", "network.", "_orig_mod.")
"""What training programs put before every name."""

_METADATA_KEY = "eifer"


def load_weights(path: Path, sha256: str) -> State:
    """Read the tensors in ``path``, by name, once its hash is known to be ``sha256``.

    Reads safetensors, or a torch checkpoint restricted to tensors and plain
    containers (``weights_only=True``), told apart by content. A Lightning or
    ``state_dict`` wrapper and a prefix shared by all names are removed.

    Raises
    ------
    AssetError
        If the file is missing, has another hash, is a pickle of anything else, is
        compressed or damaged, or holds no tensors.
    """
    if not path.is_file():
        raise AssetError(
            f"weights {path}: no such file. Put the file there, or give its path in the params."
        )
    actual = sha256_file(path)
    if actual != sha256.lower():
        raise AssetError(
            f"weights {path}: sha256 is {actual}, expected {sha256}. "
            "Fetch the file again; if it was changed on purpose, give its new sha256 in the params."
        )
    return _without_prefix(_tensors(_read(path), path))


def load_own(path: Path, sha256: str | None, part: str, what: str) -> tuple[State, Any]:
    """Read the tensors in a file of this project, and the ``part`` of its card that says how.

    Raises
    ------
    AssetError
        As `load_weights`; a ``sha256`` of None accepts any. If the file is none of ``what``.
    """
    if sha256 is None and path.is_file():
        sha256 = sha256_file(path)
    state = load_weights(path, sha256 or "")
    card = read_metadata(path).get(part)
    if card is None:
        raise AssetError(f"weights {path}: their card has no {part}; they are no {what} of eifer.")
    return state, card


def save_weights(path: Path, state: Mapping[str, Tensor], metadata: Mapping[str, Any]) -> None:
    """Write ``state`` as safetensors: the same values and metadata give the same bytes.

    ``metadata`` (anything JSON can hold; no dates) is kept as one text under one
    key, because safetensors writes several keys in any order.
    """
    from safetensors.torch import save

    plain = {name: state[name].detach().cpu().contiguous().clone() for name in sorted(state)}
    text = json.dumps(metadata, sort_keys=True, ensure_ascii=False)
    # Not save_file, which hides a full disk in an error of its own.
    path.write_bytes(save(plain, metadata={_METADATA_KEY: text}))


def read_metadata(path: Path) -> dict[str, Any]:
    """Read what ``save_weights`` kept beside the tensors; empty for another program's file."""
    from safetensors import safe_open

    if not _is_safetensors(path):
        return {}
    with safe_open(path, framework="pt") as file:
        metadata = file.metadata() or {}
    try:
        return dict(json.loads(metadata.get(_METADATA_KEY, "{}")))
    except (ValueError, TypeError):
        return {}


def fit_state(network: nn.Module, state: Mapping[str, Tensor], origin: str) -> None:
    """Load ``state`` into ``network``, all of it and nothing else.

    Raises
    ------
    AssetError
        If names are missing or unexpected, or shapes or kinds of numbers differ: counts and
        examples of each, under the name ``origin``; or if a number is not finite.
    """
    expected = network.state_dict()
    missing = [name for name in expected if name not in state]
    unexpected = [name for name in state if name not in expected]
    misshapen = [
        f"{name} {tuple(state[name].shape)} for {tuple(expected[name].shape)}"
        for name in expected
        if name in state and state[name].shape != expected[name].shape
    ]
    other_kind = [
        f"{name} {state[name].dtype} for {expected[name].dtype}".replace("torch.", "")
        for name in expected
        if name in state and not _fits(state[name], expected[name])
    ]
    faults = {
        "missing": missing,
        "unexpected": unexpected,
        "of another shape": misshapen,
        "of another kind of number": other_kind,
    }
    if any(faults.values()):
        differences = "; ".join(
            f"{len(names)} {fault} ({examples(names)})" for fault, names in faults.items() if names
        )
        raise AssetError(
            f"{origin}: weights of another architecture: of {len(expected)} tensors {differences}. "
            "Name the backbone these weights were made for, or give weights of this one."
        )
    infinite = [
        name for name in expected if not torch.isfinite(state[name].to(expected[name].dtype)).all()
    ]
    if infinite:
        raise AssetError(
            f"{origin}: {len(infinite)} of {len(expected)} tensors hold NaN or infinity "
            f"({examples(infinite)}). Its training failed: take the weights of an earlier epoch."
        )
    network.load_state_dict(dict(state))


def _fits(given: Tensor, wanted: Tensor) -> bool:
    """Whether numbers may be taken over: whole or real ones each as such, of any width.

    torch itself reads int8 as real numbers without their scale, and drops imaginary parts.
    """
    plain = given.layout is torch.strided and not given.is_quantized and not given.is_meta
    real = given.is_floating_point() == wanted.is_floating_point()
    return plain and real and not given.is_complex()


def _read(path: Path) -> object:
    try:
        if _is_safetensors(path):
            from safetensors.torch import load_file

            return load_file(path)
        size, unpacked = path.stat().st_size, _unpacked(path)
        if unpacked > size:
            raise AssetError(
                f"weights {path}: refused, a compressed archive of {size} bytes that unpacks to "
                f"{unpacked}. Save its state_dict again with torch.save, which does not compress."
            )
        # Opened here, since torch goes by a path's ending.
        with path.open("rb") as file:
            return torch.load(file, map_location="cpu", weights_only=True)
    except AssetError:
        raise
    except Exception as error:  # damaged files raise a dozen kinds, none of them documented
        if isinstance(error, pickle.UnpicklingError) and _is_pickled(path):
            raise AssetError(
                f"weights {path}: refused, a pickle that holds more than tensors (loading it could "
                "run any program). Save its state_dict alone, best as safetensors, and give that "
                "file's sha256."
            ) from error
        raise AssetError(
            f"weights {path}: neither safetensors nor a torch checkpoint "
            f"({type(error).__name__}). Fetch the file again."
        ) from error


def _is_pickled(path: Path) -> bool:
    """By content, as every pickle since 2003 begins; newer checkpoints are archives with one."""
    with path.open("rb") as file:
        return file.read(1) == pickle.PROTO or zipfile.is_zipfile(path)


def _unpacked(path: Path) -> int:
    """Bytes of what is in a zip archive, as torch's checkpoints are; 0 for another file."""
    if not zipfile.is_zipfile(path):
        return 0
    with zipfile.ZipFile(path) as archive:
        return sum(member.file_size for member in archive.infolist())


def _is_safetensors(path: Path) -> bool:
    """By content: eight bytes with the header's length, then a JSON object."""
    with path.open("rb") as file:
        start = file.read(9)
    length = struct.unpack("<Q", start[:8])[0] if len(start) == 9 else 0
    return start[8:] == b"{" and length <= path.stat().st_size


def _tensors(content: object, path: Path) -> State:
    for wrapper in WRAPPERS:
        if isinstance(content, Mapping) and isinstance(content.get(wrapper), Mapping):
            content = content[wrapper]
            break
    if not isinstance(content, Mapping) or not content:
        raise AssetError(f"weights {path}: holds no named tensors. Save a model's state_dict.")
    odd = [str(name) for name, value in content.items() if not isinstance(value, Tensor)]
    if odd:
        raise AssetError(
            f"weights {path}: {len(odd)} of {len(content)} entries are not tensors "
            f"({examples(odd)}). Save the model's state_dict alone."
        )
    return {str(name): value for name, value in content.items()}


def _without_prefix(state: State) -> State:
    while prefixes := [p for p in PREFIXES if all(name.startswith(p) for name in state)]:
        state = {name.removeprefix(prefixes[0]): value for name, value in state.items()}
    return state
