"""A params file as it stands, and what is wrong with it in words that help to correct it."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import fields as dataclass_fields
from dataclasses import is_dataclass
from pathlib import Path
from typing import Annotated, Any, TypeVar, get_args, get_origin, get_type_hints

import yaml
from pydantic import BaseModel, ValidationError
from pydantic.fields import FieldInfo

from eifer.errors import ParamsError, Problem, describe, did_you_mean
from eifer.ranges import in_words

Form = TypeVar("Form", bound=BaseModel)

MOST_BYTES = 2**18
"""Of a file, also with its aliases written out: twenty times the longest preset."""
SHOWN = 80
"""Characters of a value that a message shows."""


def read_params(path: Path) -> Any:
    """Read a params file as it stands.

    Raises
    ------
    ParamsError
        If it is missing, no file, too large, not YAML, says something twice, or holds what
        JSON has no word for.
    """
    try:
        if not path.is_file() and path.exists():
            raise ParamsError(f"{path} is not a file; give a params file, as presets/ has them")
        if (size := path.stat().st_size) > MOST_BYTES:
            raise ParamsError(f"{path} has {size} bytes: more than {MOST_BYTES} are no params file")
        return yaml.load(path.read_text(encoding="utf-8"), _Plain)
    except FileNotFoundError:
        raise ParamsError(f"{path} is missing; copy one of presets/ to it") from None
    except OSError as error:
        raise ParamsError(f"{path} cannot be read: {error.strerror}") from None
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise ParamsError(f"{path} is not YAML: {error}") from None
    except RecursionError:
        raise ParamsError(f"{path} nests its values too deep; presets/ show how deep") from None
    # PyYAML's own of "!!int x", "!!bool x", "!!timestamp x", and Python's of 5000 digits.
    except (ValueError, LookupError, TypeError, AttributeError) as error:
        raise ParamsError(f"{path} holds a value that does not fit its type: {error}") from None


class _Plain(yaml.SafeLoader):
    """YAML as JSON knows it, where a key is text and stands once, and aliases stay in bounds.

    PyYAML itself takes the last of two keys and says nothing; its aliases cost nothing until
    somebody writes them out.
    """

    yaml_constructors = {  # noqa: RUF012  (as PyYAML declares it)
        tag: construct
        for tag, construct in yaml.SafeLoader.yaml_constructors.items()
        if not str(tag).endswith((":binary", ":set", ":omap", ":pairs"))
    }

    def __init__(self, stream: Any) -> None:
        super().__init__(stream)
        self.size = 0
        self.sizes: dict[int, int] = {}

    def compose_node(self, parent: Any, index: Any) -> Any:
        event, before = self.peek_event(), self.size
        node = super().compose_node(parent, index)
        line = event.start_mark.line + 1
        if not isinstance(event, yaml.AliasEvent):
            self.size += 1 + (len(node.value) if isinstance(node, yaml.ScalarNode) else 0)
            self.sizes[id(node)] = self.size - before
        elif id(node) in self.sizes:
            self.size += self.sizes[id(node)]
        else:  # it is not finished
            raise yaml.YAMLError(f"line {line}: *{event.anchor} stands in itself")
        if self.size > MOST_BYTES:
            raise yaml.YAMLError(f"line {line}: its aliases stand for more than {MOST_BYTES} bytes")
        return node

    def compose_mapping_node(self, anchor: Any) -> Any:
        node = super().compose_mapping_node(anchor)
        lines: dict[str, int] = {}
        for key, _ in node.value:
            name, line = key.value, key.start_mark.line + 1
            if not key.tag.endswith((":str", ":merge")):
                kind = key.tag.rpartition(":")[2]
                raise yaml.YAMLError(f"line {line}: a name is text, not {kind}; put it in quotes")
            if name in lines:
                raise yaml.YAMLError(
                    f"line {line}: {name!r} again, after line {lines[name]}; keep one of them"
                )
            lines[name] = line
        return node


def validated(form: type[Form], content: Any, subject: str) -> Form:
    """The content of a params file as the sections ``form``; ``subject`` names the file.

    Raises
    ------
    ParamsError
        With every unknown, missing or unfitting parameter, and its nearest name.
    """
    try:
        # Through JSON, where strict means what YAML's types say: a list may be a tuple,
        # but the text "2" is not the number 2. A date is text: JSON has none.
        return form.model_validate_json(json.dumps(content, default=str))
    except ValidationError as error:
        raise ParamsError(describe(subject, list(problems(error, form)))) from None
    except ValueError as error:  # Python's own, of a number of thousands of digits
        raise ParamsError(f"{subject}: {error}") from None


def problems(error: ValidationError, form: type[BaseModel]) -> Iterator[Problem]:
    """What pydantic found wrong with a params file of the sections ``form``, in words."""
    details = error.errors(include_url=False)
    places = {detail["loc"] for detail in details}
    for detail in details:
        if detail["type"] == "too_short" and any(
            place != detail["loc"] and place[: len(detail["loc"])] == detail["loc"]
            for place in places
        ):
            continue  # pydantic left out the elements that do not fit
        where = ".".join(map(str, detail["loc"])) or "sections that do not fit each other"
        if detail["type"] in ("extra_forbidden", "unexpected_keyword_argument"):
            known = list(fields_of(_at(detail["loc"][:-1], form))[1])
            hint = did_you_mean(str(detail["loc"][-1]), known)
            yield Problem("unknown parameter", where + hint, f"known here: {', '.join(known)}")
        elif detail["type"] in ("missing", "missing_argument"):
            yield Problem("parameter missing", where, "say it; presets/ has an example")
        else:
            value = "" if isinstance(detail["input"], Mapping) else f" = {_cut(detail['input'])}"
            allowed = "" if detail["type"] == "value_error" else in_words(_at(detail["loc"], form))
            value += f" (allowed: {allowed})" if allowed else ""
            what = detail["msg"].removeprefix("Value error, ")
            yield Problem(f"parameter does not fit: {what}", where + value, "correct it")


def _cut(value: object) -> str:
    text = repr(value)
    return text if len(text) <= SHOWN else f"{text[:SHOWN]}…"


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
    inner = get_args(form)[0] if get_origin(form) is Annotated else form
    for part in (inner, *get_args(inner)):
        if isinstance(part, type) and issubclass(part, BaseModel):
            named = part.model_fields.items()
            return part, {name: (_annotated(f), f.description or "") for name, f in named}
        if isinstance(part, type) and is_dataclass(part):
            hints = get_type_hints(part, include_extras=True)
            return part, {f.name: (hints[f.name], "") for f in dataclass_fields(part)}
    return form, {}


def _annotated(field: FieldInfo) -> Any:
    """The type of a section's field as it was written, with its range."""
    given = (field.annotation, *field.metadata)
    return Annotated[given] if field.metadata else field.annotation
