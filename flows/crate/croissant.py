"""The tables of a study's faces for who trains on them: Croissant, one record set a file."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from stages._runtime.content import Content
from stages._runtime.places import MadeTable

CROISSANT = "croissant.json"
PARQUET = "application/x-parquet"
TYPES = {
    "string": "sc:Text",
    "int": "cr:Int64",
    "float": "cr:Float64",
    "float32": "cr:Float32",
    "bool": "sc:Boolean",
}
"""By the kind of a column; pictures (bytes) are in no such table."""
CR = """arrayShape citeAs column containedIn equivalentProperty extract field fileObject
fileProperty fileSet format includes isArray isLiveDataset jsonPath key md5 parentField path
recordSet references regex repeated replace samplingRate separator source subField transform"""
"""Croissant's own words."""
CONTEXT: Mapping[str, Any] = {
    "@language": "en",
    "@vocab": "https://schema.org/",
    "cr": "http://mlcommons.org/croissant/",
    "dct": "http://purl.org/dc/terms/",
    "rai": "http://mlcommons.org/croissant/RAI/",
    "sc": "https://schema.org/",
    "conformsTo": "dct:conformsTo",
    "data": {"@id": "cr:data", "@type": "@json"},
    "dataType": {"@id": "cr:dataType", "@type": "@vocab"},
    "examples": {"@id": "cr:examples", "@type": "@json"},
    **{name: f"cr:{name}" for name in CR.split()},
}
VERSION = "http://mlcommons.org/croissant/1.0"


def described(
    name: str, date: str, licence: str, files: Mapping[str, tuple[MadeTable, Content]]
) -> dict[str, Any]:
    """The Croissant description of tables by their paths, which are relative to it."""
    return {
        "@context": dict(CONTEXT),
        "@type": "sc:Dataset",
        "conformsTo": VERSION,
        "name": name,
        "description": "What each face of the study is, without its picture: labels and what they "
        "rest on.",
        "datePublished": date,
        "license": licence,
        "distribution": [
            {
                "@type": "cr:FileObject",
                "@id": path,
                "name": path,
                "description": made.table.meaning,
                "contentUrl": path,
                "contentSize": f"{content.size} B",
                "encodingFormat": PARQUET,
                "sha256": content.sha256,
            }
            for path, (made, content) in files.items()
        ],
        "recordSet": [_records(path, made) for path, (made, _) in files.items()],
    }


def _records(path: str, made: MadeTable) -> dict[str, Any]:
    """The columns of a file, with what they mean."""
    own = path.removesuffix(".parquet").removeprefix("data/")
    return {
        "@type": "cr:RecordSet",
        "@id": own,
        "name": own,
        "description": made.table.meaning,
        "key": [{"@id": f"{own}/{key}"} for key in made.table.key],
        "field": [
            {
                "@type": "cr:Field",
                "@id": f"{own}/{column.name}",
                "name": column.name,
                "description": " ".join(filter(None, [column.meaning, column.unit])),
                "dataType": TYPES[column.kind],
                "source": {"fileObject": {"@id": path}, "extract": {"column": column.name}},
            }
            for column in made.table.columns
        ],
    }
