"""Mutations that know XML and JPEG 2000, of which products of agencies are made."""

from __future__ import annotations

import random
from xml.etree import ElementTree

from .mutation import NUMBERS, TEXTS, mutate_bytes

_DOCUMENT_TYPE = b'<!DOCTYPE a [<!ENTITY b "x"><!ENTITY c SYSTEM "../canary/secret.csv">]>'
_SIZES = (0, 1, 2, 3, 4, 7, 16, 255, 2**15, 2**16 - 1, 2**31 - 1, 2**31, 2**32 - 1)
_SIZE_FIELDS = 38
"""Bytes of the marker SIZ that say how large an image and its tiles are."""


def mutate_xml(content: bytes, rng: random.Random) -> bytes:
    """Change an element: its text, an attribute, its place or its name; or what stands before the first."""
    try:
        root = ElementTree.fromstring(content)
    except (ElementTree.ParseError, ValueError, LookupError):
        return mutate_bytes(content, rng)
    if rng.random() < 0.05:
        return content.replace(b"?>", b"?>" + _DOCUMENT_TYPE, 1)
    parent = rng.choice([node for node in root.iter() if len(node)] or [root])
    node = rng.choice(list(parent) or [parent])
    match rng.randrange(7):
        case 0 if node is not parent:
            parent.remove(node)
        case 1:
            parent.extend([node] * rng.choice((1, 2, 300)))
        case 2:
            node.tag = rng.choice([other.tag for other in root.iter()])
        case 3 if node.attrib:
            node.set(rng.choice(list(node.attrib)), _shown(rng))
        case _:
            rng.choice(list(root.iter())).text = _shown(rng)
    return ElementTree.tostring(root, encoding="utf-8", xml_declaration=True)


def _shown(rng: random.Random) -> str:
    """Return a text that XML can hold."""
    text = rng.choice(rng.choice((NUMBERS, TEXTS)))
    return "".join(letter for letter in text if letter.isprintable() and not "\ud800" <= letter <= "\udfff")


def mutate_jpeg_2000(content: bytes, rng: random.Random) -> bytes:
    """Change a number in the sizes of image and tiles, or in the markers behind them."""
    sizes = content.find(b"\xff\x51")
    markers = content.find(b"\xff\x90", sizes)
    if min(sizes, markers) < 0 or rng.random() < 0.2:
        return mutate_bytes(content, rng)
    if rng.random() < 0.5:
        at, width = sizes + 6 + 4 * rng.randrange((_SIZE_FIELDS - 6) // 4), 4
    else:
        at, width = rng.randrange(sizes + 4, markers + 12), rng.choice((1, 2))
    return content[:at] + (rng.choice(_SIZES) % 256**width).to_bytes(width, "big") + content[at + width :]
