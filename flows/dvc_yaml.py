"""What dvc.yaml lists under `deps`, printed from the declarations: ``python -m flows.dvc_yaml``."""

from __future__ import annotations

import re
from importlib import import_module

from flows.graph import ROOT
from stages._runtime.kinds import KINDS, Kind, kind_of
from stages._runtime.params_file import read_params
from stages._runtime.places import Folder
from stages._runtime.stage import Stage


def deps(stage: Stage) -> list[str]:
    """What a stage reads, as DVC names it: files and folders, and last its code's fingerprint."""
    listed = list(dict.fromkeys(given.dep(stage.matrix) for given in stage.given))
    if stage.name != "code" and not stage.frozen:
        listed.append(f"data/code/stages/{stage.name}.json")
    return [dep for dep in listed if not any(dep.startswith(f"{other}/") for other in listed)]


def printed(text: str, kind: Kind) -> str:
    """dvc.yaml with its `deps` as declared, and a block for each stage that has none yet."""
    for folder in kind.catalogue.FOLDERS:
        stage: Stage = getattr(import_module(f"{kind.package}.{folder.stage}"), folder.stage)
        if f"\n  {stage.name}:\n" not in text:
            text = text.replace("\nmetrics:\n", f"\n{_block(folder, stage, kind)}metrics:\n")
        before, head, block = text.partition(f"\n  {stage.name}:\n")
        lines = "".join(f"      - {dep}\n" for dep in deps(stage))
        block = re.sub(r"(?m)^(    deps:\n)(      .*\n)*", rf"\g<1>{lines}", block, count=1)
        text = before + head + block
    return text


def _block(folder: Folder, stage: Stage, kind: Kind) -> str:
    keys = "".join(
        f"      {key}: {value if isinstance(value, str) else '[' + ', '.join(value) + ']'}\n"
        for key, value in folder.matrix.items()
    )
    return (
        f"  {stage.name}:\n"
        + (f"    matrix:\n{keys}" if keys else "")
        + f"    cmd: python -m {kind.package}.{stage.name}\n"
        + f"    params: [{', '.join(stage.params)}]\n"
        + f"    deps:\n    outs:\n      - {stage.folder}\n"
    )


if __name__ == "__main__":
    own = kind_of(read_params(ROOT / "params.yaml"), "params.yaml")
    graphs = {kind.graph: kind for kind in KINDS.values()} | {"dvc.yaml": own}
    for name, kind in graphs.items():
        if (place := ROOT / name).exists():
            place.write_text(printed(place.read_text(), kind))
