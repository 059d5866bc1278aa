"""Arousal and valence by a network given as an ONNX file.

Made for EmotiEffLib's (HSEmotion's) multi-task networks, such as enet_b0_8_va_mtl.onnx (A.
Savchenko, Apache-2.0): one input ``[N, 3, S, S]``, RGB, less ImageNet's mean and divided by its
deviation; one output ``[N, 10]``, the logits of eight expressions, then valence and arousal.
docs/how-to/bring-your-own-cohort.md has its card.
"""

from __future__ import annotations

import hashlib
import os
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, Any

import numpy as np

from eifer.affect.agreement import DIMENSIONS
from eifer.affect.seeing import probes, refuse_constant, rounded
from eifer.affect.spec import OnnxSpec
from eifer.errors import AssetError
from eifer.faces import assets
from eifer.faces.pictures import at_size
from eifer.tables.faces import SHAPES

if TYPE_CHECKING:
    from numpy.typing import NDArray

MOST_BYTES = 2**31
"""ONNX files are protobuf, which knows none larger."""
CAUSE = 300
"""Characters of onnxruntime's own words that an error repeats."""


def told(spec: OnnxSpec) -> str:
    """By what arousal and valence are estimated, as the end of a sentence."""
    return (
        f"by the ONNX network {_name(spec)} (sha256 {spec.sha256[:12]}…, licence {spec.licence}; "
        f"input {spec.size_px} x {spec.size_px} px RGB, mean {spec.mean}, deviation {spec.std}; "
        f"outputs {', '.join(spec.outputs)})"
    )


def _name(spec: OnnxSpec) -> str:
    return PurePosixPath(spec.path or spec.url or "").name


def asset(spec: OnnxSpec) -> assets.Asset | None:
    """The card of the file, where it comes from an address."""
    if spec.url is None:
        return None
    return assets.Asset(
        name="onnx",
        file=f"{spec.sha256[:12]}-{_name(spec)}",
        sha256=spec.sha256,
        licence=spec.licence,
        what=f"{', '.join(spec.outputs)} of a face of {spec.size_px} px; on {spec.measured}",
        sources=(assets.Address(spec.url),),
        command="`eifer assets --fetch --params params.yaml`",
    )


class OnnxEstimator:
    """Estimates arousal and valence of face crops by an ONNX file (a `Seeing`).

    Nothing but the file's own bytes is read, whatever it names; it runs on one thread.

    Raises
    ------
    AssetError
        If the file is not there or another one, is not ONNX, keeps weights in other files, takes or
        gives something else than the spec says, or gives every picture the same.
    """

    def __init__(self, spec: OnnxSpec) -> None:
        import onnxruntime

        onnxruntime.disable_telemetry_events()
        origin, content = _read(spec)
        self.columns = tuple(name for name in spec.outputs if name not in DIMENSIONS)
        self._spec, self._origin = spec, origin
        self._places = [spec.outputs.index(name) for name in (*DIMENSIONS, *self.columns)]
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = options.inter_op_num_threads = 1
        options.use_deterministic_compute = True
        options.log_severity_level = 4
        # Weights in other files would be read from the current folder, under no hash.
        options.add_session_config_entry(
            "session.model_external_initializers_file_folder_path", os.devnull
        )
        try:
            self._session: Any = onnxruntime.InferenceSession(
                content, options, providers=["CPUExecutionProvider"]
            )
        except Exception as error:  # onnxruntime has a dozen kinds without a common one
            raise AssetError(
                f"{origin}: onnxruntime cannot open it ({str(error)[:CAUSE]}). Give an ONNX file "
                "that holds all of its weights, with operators that onnxruntime knows."
            ) from None
        self._check_form()
        refuse_constant(
            np.array([self.see(face, _NONE)[:2] for face in probes(spec.size_px)]), origin
        )

    def _check_form(self) -> None:
        side, n = self._spec.size_px, len(self._spec.outputs)
        for kind, found, wanted in (
            ("takes", self._session.get_inputs(), (1, 3, side, side)),
            ("gives", self._session.get_outputs(), (1, n)),
        ):
            if len(found) != 1 or found[0].type != "tensor(float)" or not _fits(found[0], wanted):
                forms = ", ".join(f"{one.name} {one.type} {one.shape}" for one in found)
                raise AssetError(
                    f"{self._origin}: it {kind} {forms or 'nothing'}; estimate.onnx in params says "
                    f"float {list(wanted)} (size_px {side}, {n} outputs). Correct the params, or "
                    "give the file that they describe."
                )
        self._input = self._session.get_inputs()[0].name

    def see(self, crop: NDArray[np.uint8], shapes: NDArray[np.float32]) -> NDArray[np.float32]:
        """Arousal and valence, then the probabilities of the expressions.

        Raises
        ------
        AssetError
            If the network cannot compute, or gives what is no number.
        """
        face = at_size(crop, self._spec.size_px)
        unit = (face / 255 - np.array(self._spec.mean)) / np.array(self._spec.std)
        image = np.ascontiguousarray(unit.transpose(2, 0, 1)[None], np.float32)
        try:
            (values,) = self._session.run(None, {self._input: image})
        except Exception as error:
            raise AssetError(
                f"{self._origin}: it cannot compute ({str(error)[:CAUSE]}). Give another file."
            ) from None
        if values.shape != (1, len(self._places)) or not np.isfinite(values).all():
            raise AssetError(
                f"{self._origin}: of a face it gives {values.shape} with "
                f"{int((~np.isfinite(values)).sum())} values that are no numbers; expected are "
                f"{len(self._places)} numbers. Give another file."
            )
        found = values[0, self._places].astype(np.float64)
        likely = np.exp(found[2:] - found[2:].max(initial=-np.inf))
        return rounded(np.concatenate([np.clip(found[:2], -1, 1), likely / likely.sum()]))


_NONE = np.zeros(len(SHAPES), np.float32)


def _read(spec: OnnxSpec) -> tuple[str, bytes]:
    """The file's name for errors, and its bytes, once their hash is known to be the spec's."""
    from_address = asset(spec)
    path = assets.locate(from_address) if from_address else Path(spec.path or "")
    origin = f"ONNX file {path}"
    if not path.is_file() or path.stat().st_size > MOST_BYTES:
        what = "more than 2 GiB" if path.is_file() else "no such file"
        raise AssetError(f"{origin}: {what}. Correct estimate.onnx.path in params.")
    try:
        content = path.read_bytes()
    except OSError as error:
        raise AssetError(
            f"{origin}: cannot be read ({error.strerror}). Correct the file's permissions."
        ) from None
    actual = hashlib.sha256(content).hexdigest()
    if actual != spec.sha256:
        raise AssetError(
            f"{origin}: sha256 is {actual}, expected {spec.sha256}. Fetch the file again; if it "
            "was changed on purpose, give its new sha256 in the params."
        )
    return origin, content


def _fits(one: Any, wanted: tuple[int, ...]) -> bool:
    """Whether a shape is ``wanted``; a name or nothing stands for any number."""
    shape = one.shape
    return len(shape) == len(wanted) and all(
        not isinstance(side, int) or side == size for side, size in zip(shape, wanted, strict=True)
    )
