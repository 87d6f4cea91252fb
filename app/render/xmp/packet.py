"""The XML around camera raw settings (ISO 16684-1; the properties as Adobe's programs write them)."""

import uuid
from collections.abc import Mapping, Sequence
from typing import Literal
from xml.etree import ElementTree

from app.render.title import one_line

Points = Sequence[tuple[int, int]]

GROUP = "Recolor"
"""The folder in which Lightroom lists what comes from here."""

_LONGEST_NAME = 100
_NAMESPACES = {
    "x": "adobe:ns:meta/",
    "rdf": "http://www.w3.org/1999/02/22-rdf-syntax-ns#",
    "crs": "http://ns.adobe.com/camera-raw-settings/1.0/",
}
for _prefix, _address in _NAMESPACES.items():
    ElementTree.register_namespace(_prefix, _address)
_UUIDS = uuid.uuid5(uuid.NAMESPACE_URL, _NAMESPACES["crs"] + GROUP)

_SUPPORTED = ("Color", "Monochrome", "HighDynamicRange", "NormalDynamicRange", "SceneReferred", "OutputReferred")
_HEAD = {
    "Cluster": "",
    "SupportsAmount2": "True",
    "SupportsAmount": "True",
    **{f"Supports{what}": "True" for what in _SUPPORTED},
    "CameraModelRestriction": "",
    "Copyright": "",
    "ContactInfo": "",
    "Version": "14.0",
    "ProcessVersion": "11.0",
}
"""The first version in which a preset has an amount slider; the process that Lightroom calls version 5."""


def write(
    kind: Literal["Normal", "Look"],
    name: str,
    description: str,
    settings: Mapping[str, str],
    curves: Mapping[str, Points] | None = None,
) -> str:
    """The packet as text. Equal arguments give equal text, so that an import twice leaves one entry.

    Args:
        kind: ``Normal`` is a preset, ``Look`` a profile.
        name: what it is listed as; what cannot be shown is dropped.
        description: for who applies it.
        settings: camera raw settings by name, without their prefix.
        curves: tone curves by name, as points 0..255.
    """
    name = one_line(name, _LONGEST_NAME) or GROUP
    curves = curves or {}
    identity = uuid.uuid5(_UUIDS, repr((kind, name, sorted(settings.items()), sorted(curves.items()))))
    about = {"PresetType": kind, "UUID": identity.hex.upper(), **_HEAD, **settings, "HasSettings": "True"}

    packet = ElementTree.Element(_tag("x", "xmpmeta"))
    preset = _within(packet, "rdf:RDF", "rdf:Description")
    preset.set(_tag("rdf", "about"), "")
    for key, value in about.items():
        preset.set(_tag("crs", key), value)
    for key, text in (("Name", name), ("Group", GROUP), ("Description", description)):
        item = _within(preset, f"crs:{key}", "rdf:Alt", "rdf:li")
        item.set("xml:lang", "x-default")
        item.text = text
    for key, points in curves.items():
        sequence = _within(preset, f"crs:{key}", "rdf:Seq")
        for x, y in points:
            _within(sequence, "rdf:li").text = f"{x}, {y}"
    ElementTree.indent(packet, " ")
    return ElementTree.tostring(packet, encoding="unicode") + "\n"


def _within(parent: ElementTree.Element, *names: str) -> ElementTree.Element:
    """A new element in the parent, or elements one in the other; the innermost."""
    for name in names:
        parent = ElementTree.SubElement(parent, _tag(*name.split(":")))
    return parent


def _tag(prefix: str, name: str) -> str:
    return f"{{{_NAMESPACES[prefix]}}}{name}"
