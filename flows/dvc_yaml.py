"""What dvc.yaml lists under `deps`, printed from the declarations: ``python -m flows.dvc_yaml``."""

from __future__ import annotations

import re

from flows.graph import ROOT, stage_of
from stages import catalogue
from stages._runtime.stage import Stage


def deps(stage: Stage) -> list[str]:
    """What a stage reads, as DVC names it: files and folders, and last its code's fingerprint."""
    listed = list(dict.fromkeys(given.dep(stage.matrix) for given in stage.given))
    if stage.folder != catalogue.CODE.path and not stage.frozen:
        listed.append(f"{catalogue.FINGERPRINTS.path}/{stage.name}.json")
    return [dep for dep in listed if not any(dep.startswith(f"{other}/") for other in listed)]


def printed(text: str) -> str:
    """dvc.yaml with its `deps` as declared, and a block for each stage that has none yet."""
    for folder in catalogue.FOLDERS:
        stage = stage_of(folder.stage)
        if f"\n  {stage.name}:\n" not in text:
            text = text.replace("\nmetrics:\n", f"\n{_block(folder, stage)}metrics:\n")
        before, head, block = text.partition(f"\n  {stage.name}:\n")
        lines = "".join(f"      - {dep}\n" for dep in deps(stage))
        block = re.sub(r"(?m)^(    deps:\n)(      .*\n)*", rf"\g<1>{lines}", block, count=1)
        text = before + head + block
    return text


def _block(folder: catalogue.Folder, stage: Stage) -> str:
    keys = "".join(
        f"      {key}: {value if isinstance(value, str) else '[' + ', '.join(value) + ']'}\n"
        for key, value in folder.matrix.items()
    )
    return (
        f"  {stage.name}:\n"
        + (f"    matrix:\n{keys}" if keys else "")
        + f"    cmd: python -m stages.{stage.name}\n    params: [{', '.join(stage.params)}]\n"
        + f"    deps:\n    outs:\n      - {stage.folder}\n"
    )


if __name__ == "__main__":
    (ROOT / "dvc.yaml").write_text(printed((ROOT / "dvc.yaml").read_text()))
