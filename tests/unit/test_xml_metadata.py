"""Metadata in XML: what could harm is refused, and a damaged file is an error that says so."""

from __future__ import annotations

from pathlib import Path

import pytest

from unmixel.errors import SceneError
from unmixel.io import xml_metadata
from unmixel.io.xml_metadata import begins_with, number_at, read_xml, text_at

LAUGHS = '<!DOCTYPE a [<!ENTITY l "ha"><!ENTITY m "&l;&l;&l;&l;">]><a>&m;</a>'
ELSEWHERE = '<!DOCTYPE a [<!ENTITY f SYSTEM "file:///etc/hostname">]><a>&f;</a>'


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (LAUGHS, "document type"),
        (ELSEWHERE, "document type"),
        ('<!DOCTYPE a SYSTEM "http://example.org/a.dtd"><a/>', "document type"),
        ("<a>" * 200 + "</a>" * 200, "at most 100"),
        ("<a><b></a>", "complete XML"),
        ("<a>&unknown;</a>", "complete XML"),
        ("", "complete XML"),
        ("\x00\x01", "complete XML"),
        ('<?xml version="1.0" encoding="no-such"?><a/>', "complete XML"),
        ("<a/><a/>", "complete XML"),
    ],
)
def test_what_could_harm_is_refused(tmp_path: Path, content: str, said: str) -> None:
    (tmp_path / "m.xml").write_text(content)
    with pytest.raises(SceneError, match=said):
        read_xml(tmp_path / "m.xml")


def test_a_file_that_is_too_large_is_not_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "m.xml").write_text("<a></a>")
    monkeypatch.setattr(xml_metadata, "LARGEST", 6)
    with pytest.raises(SceneError, match="of 7 bytes"):
        read_xml(tmp_path / "m.xml")
    with pytest.raises(SceneError, match="No such file"):
        read_xml(tmp_path / "other.xml")


def test_texts_and_numbers_are_found_without_namespaces(tmp_path: Path) -> None:
    path = tmp_path / "m.xml"
    path.write_text('<n:a xmlns:n="http://example.org"><n:b><c> 2.5 </c></n:b><d>no</d><e>1e999</e></n:a>')
    root = read_xml(path)
    assert (text_at(root, "b/c"), text_at(root, "x")) == ("2.5", "")
    assert number_at(root, "b/c", path) == 2.5
    for place in ("d", "e", "x"):
        with pytest.raises(SceneError, match=rf"{place} = .*a number"):
            number_at(root, place, path)
    assert begins_with(path, b"<n:a", b"2.5")
    assert not begins_with(path, b"<n:a", b"other")
    assert not begins_with(tmp_path, b"<")


def test_more_elements_than_metadata_have_are_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(xml_metadata, "_MOST", 10)
    path = tmp_path / "metadata.xml"
    path.write_text(f"<a>{'<b/>' * 9}</a>")
    assert len(read_xml(path)) == 9
    path.write_text(f"<a>{'<b/>' * 10}</a>")
    with pytest.raises(SceneError, match="more than 10 elements"):
        read_xml(path)
