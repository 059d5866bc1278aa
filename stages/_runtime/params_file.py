"""A params file as it stands, and what is wrong with it in words that help to correct it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import fields as dataclass_fields
from dataclasses import is_dataclass
from pathlib import Path
from typing import Annotated, Any, get_args, get_type_hints

import yaml
from pydantic import BaseModel, ValidationError
from pydantic.fields import FieldInfo

from eifer.errors import ParamsError, Problem, did_you_mean
from eifer.ranges import in_words


def read_params(path: Path) -> Any:
    """Read a params file as it stands.

    Raises
    ------
    ParamsError
        If it is missing, not YAML, or says something twice.
    """
    try:
        return yaml.load(path.read_text(encoding="utf-8"), _Once)
    except FileNotFoundError:
        raise ParamsError(f"{path} is missing; copy one of presets/ to it") from None
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise ParamsError(f"{path} is not YAML: {error}") from None


class _Once(yaml.SafeLoader):
    """YAML where a key stands once: PyYAML itself takes the last one and says nothing."""

    def compose_mapping_node(self, anchor: Any) -> Any:
        node = super().compose_mapping_node(anchor)
        lines: dict[str, int] = {}
        for key, _ in node.value:
            name, line = str(key.value), key.start_mark.line + 1
            if name in lines:
                raise yaml.YAMLError(
                    f"line {line}: {name!r} again, after line {lines[name]}; keep one of them"
                )
            lines[name] = line
        return node


def problems(error: ValidationError, form: type[BaseModel]) -> Iterator[Problem]:
    """What pydantic found wrong with a params file of the sections ``form``, in words."""
    for detail in error.errors(include_url=False):
        where = ".".join(map(str, detail["loc"])) or "sections that do not fit each other"
        if detail["type"] in ("extra_forbidden", "unexpected_keyword_argument"):
            known = list(fields_of(_at(detail["loc"][:-1], form))[1])
            hint = did_you_mean(str(detail["loc"][-1]), known)
            yield Problem("unknown parameter", where + hint, f"known here: {', '.join(known)}")
        elif detail["type"] in ("missing", "missing_argument"):
            yield Problem("parameter missing", where, "say it; presets/ has an example")
        else:
            value = "" if isinstance(detail["input"], Mapping) else f" = {detail['input']!r}"
            allowed = "" if detail["type"] == "value_error" else in_words(_at(detail["loc"], form))
            value += f" (allowed: {allowed})" if allowed else ""
            what = detail["msg"].removeprefix("Value error, ")
            yield Problem(f"parameter does not fit: {what}", where + value, "correct it")


def _at(location: tuple[Any, ...], form: Any) -> Any:
    """The type of what stands at a place in params.yaml."""
    for part in location:
        _, fields = fields_of(form)
        form = fields[str(part)][0] if str(part) in fields else form
    return form


def fields_of(form: Any) -> tuple[Any, dict[str, tuple[Any, str]]]:
    """The section or dataclass behind a type, and its fields with their types and meanings.

    Looks into optional and repeated ones; there are no fields where it is neither.
    """
    for one in (form, *get_args(form)):
        if isinstance(one, type) and issubclass(one, BaseModel):
            named = one.model_fields.items()
            return one, {name: (_annotated(f), f.description or "") for name, f in named}
        if isinstance(one, type) and is_dataclass(one):
            hints = get_type_hints(one, include_extras=True)
            return one, {f.name: (hints[f.name], "") for f in dataclass_fields(one)}
    return form, {}


def _annotated(field: FieldInfo) -> Any:
    """The type of a section's field as it was written, with its range."""
    given = (field.annotation, *field.metadata)
    return Annotated[given] if field.metadata else field.annotation
