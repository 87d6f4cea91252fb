"""What people wrote about a photo: XMP (ISO 16684-1) and IPTC-IIM.

Of XMP the properties below are kept, and IPTC's own record. The rest describes the old file (size, layout, colour
space, previews) or how it was edited, and would be wrong of the new one, or be applied to it once more.
"""

import struct
from xml.etree import ElementTree

from defusedxml import DefusedXmlException
from defusedxml.ElementTree import fromstring
from PIL import Image

_RDF = "http://www.w3.org/1999/02/22-rdf-syntax-ns#"
_KEPT = {
    "dc": "http://purl.org/dc/elements/1.1/",
    "xmpRights": "http://ns.adobe.com/xap/1.0/rights/",
    "photoshop": "http://ns.adobe.com/photoshop/1.0/",
    "Iptc4xmpCore": "http://iptc.org/std/Iptc4xmpCore/1.0/xmlns/",
    "Iptc4xmpExt": "http://iptc.org/std/Iptc4xmpExt/2008-02-29/",
    "plus": "http://ns.useplus.org/ldf/xmp/1.0/",
    "cc": "http://creativecommons.org/ns#",
    "lr": "http://ns.adobe.com/lightroom/1.0/",
    "xmp": "http://ns.adobe.com/xap/1.0/",
}
_PREFIXES = {address: prefix for prefix, address in _KEPT.items()}
_OF_XMP = {"CreateDate", "Label", "Nickname", "Rating"}
_OF_THE_OLD_FILE = {
    "dc": {"format"},
    "photoshop": {
        "ColorMode",
        "DocumentAncestors",
        "History",
        "ICCProfile",
        "ICCProfileName",
        "LegacyIPTCDigest",
        "TextLayers",
    },
}
for _prefix, _address in {"x": "adobe:ns:meta/", "rdf": _RDF, **_KEPT}.items():
    ElementTree.register_namespace(_prefix, _address)

_HEAD = b'<?xpacket begin="\xef\xbb\xbf" id="W5M0MpCehiHzreSzNTczkc9d"?>\n'
_TAIL = b'\n<?xpacket end="w"?>'
_LONGEST_PACKET = 1 << 20
_IPTC = 0x0404
"""Of Photoshop's image resources, in which JPEG holds it."""
_LONGEST_SEGMENT = 65_533


def kept_xmp(packet: bytes) -> bytes:
    """A packet with what is kept of another; empty where that is nothing, or where no XMP can be read."""
    if len(packet) > _LONGEST_PACKET:
        return b""
    try:
        old = fromstring(packet.strip(b"\0 \r\n\t"), forbid_dtd=True)
    except (ElementTree.ParseError, DefusedXmlException, ValueError, LookupError):  # the last: an unknown encoding
        return b""
    new = ElementTree.Element("{adobe:ns:meta/}xmpmeta")
    rdf = ElementTree.SubElement(new, _tag(_RDF, "RDF"))
    about = ElementTree.SubElement(rdf, _tag(_RDF, "Description"), {_tag(_RDF, "about"): ""})
    for described in old.iterfind(f".//{_tag(_RDF, 'RDF')}/{_tag(_RDF, 'Description')}"):
        about.attrib.update({name: value for name, value in described.attrib.items() if _is_kept(name)})
        about.extend(part for part in described if _is_kept(part.tag))
    if len(about) == 0 and len(about.attrib) == 1:
        return b""
    return b"".join((_HEAD, ElementTree.tostring(new, encoding="utf-8"), _TAIL))


def packet_of(image: Image.Image) -> bytes:
    """The XMP packet of a file whose pixels have been read; empty where there is none."""
    packet = image.info.get("xmp", b"")
    return packet if isinstance(packet, bytes) else b""


def iptc_of(image: Image.Image) -> bytes:
    """The record of a JPEG; empty where there is none."""
    resources = image.info.get("photoshop")
    record = resources.get(_IPTC) if isinstance(resources, dict) else None
    return record if isinstance(record, bytes) else b""


def jpeg_segment(iptc: bytes) -> bytes:
    """The segment (APP13) of a JPEG with that record; empty for none, and for one that has no room in it."""
    resource = b"8BIM" + struct.pack(">HHI", _IPTC, 0, len(iptc)) + iptc + b"\0" * (len(iptc) % 2)
    segment = b"Photoshop 3.0\0" + resource
    if not iptc or len(segment) > _LONGEST_SEGMENT:
        return b""
    return b"\xff\xed" + struct.pack(">H", len(segment) + 2) + segment


def _is_kept(tag: str) -> bool:
    address, _, name = tag.removeprefix("{").partition("}")
    if address == _KEPT["xmp"]:
        return name in _OF_XMP
    prefix = _PREFIXES.get(address)
    return prefix is not None and name not in _OF_THE_OLD_FILE.get(prefix, ())


def _tag(address: str, name: str) -> str:
    return f"{{{address}}}{name}"
