"""Croissant metadata of a build (version 1.0, MLCommons): `croissant.json`, which `mlcroissant` validates and reads.

Two record sets, over the tables of the index: `texts`, and apart from it `withheld`, so that whoever loads the first
one gets nothing that is withheld. Shards are listed as a set of files; what lies in them the index says (shard, offset,
bytes).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from florenz.exports.index import FOLDER, HAS_POSITION, NUMBERS, TEXTS
from florenz.shards.manifest import Manifest
from florenz.shards.plan import HELDOUT

NAME = "croissant.json"
CONTEXT = {
    "@language": "en",
    "@vocab": "https://schema.org/",
    "citeAs": "cr:citeAs",
    "column": "cr:column",
    "conformsTo": "dct:conformsTo",
    "cr": "http://mlcommons.org/croissant/",
    "rai": "http://mlcommons.org/croissant/RAI/",
    "data": {"@id": "cr:data", "@type": "@json"},
    "dataType": {"@id": "cr:dataType", "@type": "@vocab"},
    "dct": "http://purl.org/dc/terms/",
    "equivalentProperty": "cr:equivalentProperty",
    "examples": {"@id": "cr:examples", "@type": "@json"},
    "extract": "cr:extract",
    "field": "cr:field",
    "fileProperty": "cr:fileProperty",
    "fileObject": "cr:fileObject",
    "fileSet": "cr:fileSet",
    "format": "cr:format",
    "includes": "cr:includes",
    "isLiveDataset": "cr:isLiveDataset",
    "jsonPath": "cr:jsonPath",
    "key": "cr:key",
    "md5": "cr:md5",
    "parentField": "cr:parentField",
    "path": "cr:path",
    "recordSet": "cr:recordSet",
    "references": "cr:references",
    "regex": "cr:regex",
    "repeated": "cr:repeated",
    "replace": "cr:replace",
    "samplingRate": "cr:samplingRate",
    "sc": "https://schema.org/",
    "separator": "cr:separator",
    "source": "cr:source",
    "subField": "cr:subField",
    "transform": "cr:transform",
}
REPO = "repo"
NO_CHECKSUM = "https://github.com/mlcommons/croissant/issues/80"  # what the format asks to say where git keeps them


def croissant(manifest: Manifest, *, url: str, name: str, licences: Sequence[str]) -> dict[str, Any]:
    """As JSON. url: of the repository."""
    withheld = bool(manifest.shards_of(HELDOUT))
    sets = [("index", f"{FOLDER}/{manifest.build}-*.parquet", "application/x-parquet")]
    sets += [("index-withheld", f"{HELDOUT}/{FOLDER}/{manifest.build}-*.parquet", "application/x-parquet")] * withheld
    sets += [("shards", f"shards/{manifest.build}/*.tar", "application/x-tar")]
    sets += [("shards-withheld", f"{HELDOUT}/{manifest.build}/*.tar", "application/x-tar")] * withheld
    records = [_records("texts", "index", "One row for each text that may be learned from or scored.")]
    records += [_records("withheld", "index-withheld", "What is withheld from training, to measure with.")] * withheld
    return {
        "@context": CONTEXT,
        "@type": "sc:Dataset",
        "conformsTo": "http://mlcommons.org/croissant/1.0",
        "name": name,
        "description": "Images with synthetic captions and their machine translations; captions in "
        f"{', '.join(manifest.held_out) or 'no language'} are withheld.",
        "url": url,
        "version": "1.0.0",
        "keywords": [manifest.build, "image captioning", "machine translation", "synthetic"],
        "inLanguage": ["en", *manifest.languages],
        "license": list(licences),
        "distribution": [
            {
                "@type": "cr:FileObject",
                "@id": REPO,
                "name": REPO,
                "description": "The repository.",
                "contentUrl": url,
                "encodingFormat": "git+https",
                "sha256": NO_CHECKSUM,
            },
            *({
                "@type": "cr:FileSet",
                "@id": identity,
                "name": identity,
                "containedIn": {"@id": REPO},
                "encodingFormat": kind,
                "includes": pattern,
            } for identity, pattern, kind in sets),
        ],
        "recordSet": records,
    }  # fmt: skip


def _records(name: str, files: str, description: str) -> dict[str, Any]:
    kinds = dict.fromkeys(TEXTS, "sc:Text") | dict.fromkeys(NUMBERS, "sc:Integer") | {HAS_POSITION: "sc:Boolean"}
    return {
        "@type": "cr:RecordSet",
        "@id": name,
        "name": name,
        "description": description,
        "field": [
            {
                "@type": "cr:Field",
                "@id": f"{name}/{column}",
                "name": f"{name}/{column}",
                "dataType": kind,
                "source": {"fileSet": {"@id": files}, "extract": {"column": column}},
            }
            for column, kind in kinds.items()
        ],
    }
