"""Parses XML parts of office packages that their libraries leave as bytes: no entities, no network."""

from typing import Any

from lxml import etree


def parse_part(data: bytes) -> Any:
    """Give the root element.

    Raises:
        ValueError: the part is not well-formed.
    """
    try:
        return etree.fromstring(data, _parser())
    except etree.XMLSyntaxError as error:
        raise ValueError("a part is not XML") from error


def _parser() -> etree.XMLParser:
    return etree.XMLParser(
        resolve_entities=False,
        no_network=True,
        load_dtd=False,
        huge_tree=False,
        remove_comments=True,
        remove_pis=True,
    )
