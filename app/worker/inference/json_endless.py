"""Whether an answer to a JSON schema can ever end: a part that requires itself has no shortest text; pure."""

import itertools
from collections.abc import Callable, Mapping
from typing import Any

_MAX_VISITS = 20_000


def can_end(schema: Any, found: Callable[[str], Any]) -> bool:
    """Tell whether some finite value obeys a schema, as far as what it requires inside itself goes.

    Args:
        schema: that the converter took.
        found: gives what a reference points to.
    """
    return _Search(found).ends(schema, frozenset())


class _Search:
    """Follows what is required, and no reference into itself."""

    def __init__(self, found: Callable[[str], Any]) -> None:
        self._found = found
        self._visits = itertools.count(1)

    def ends(self, schema: Any, within: frozenset[str]) -> bool:
        """Tell it of a part; `within` are the references that it is required by."""
        if not isinstance(schema, Mapping) or next(self._visits) > _MAX_VISITS:
            return True  # what is too large to tell is left to the limit of the answer
        reference = schema.get("$ref")
        if isinstance(reference, str) and (
            reference in within or not self.ends(self._found(reference), within | {reference})
        ):
            return False
        if not all(self.ends(part, within) for part in schema.get("allOf", ())):
            return False
        for key in ("anyOf", "oneOf"):
            if key in schema and not any(self.ends(part, within) for part in schema[key]):
                return False
        return "const" in schema or "enum" in schema or self._own_ends(schema, within)

    def _own_ends(self, schema: Mapping[str, Any], within: frozenset[str]) -> bool:
        """Tell it of the kinds that a part may be: one that ends is enough."""
        kinds = schema.get("type", ("object", "array") if "required" in schema else ())
        kinds = [kinds] if isinstance(kinds, str) else list(kinds)
        needed = {"object": self._properties, "array": self._items}
        return not kinds or any(
            kind not in needed or all(self.ends(part, within) for part in needed[kind](schema))
            for kind in kinds
        )

    def _properties(self, schema: Mapping[str, Any]) -> list[Any]:
        properties = schema.get("properties", {})
        return [properties[name] for name in schema.get("required", ()) if name in properties]

    def _items(self, schema: Mapping[str, Any]) -> list[Any]:
        least, first = int(schema.get("minItems", 0)), list(schema.get("prefixItems", ()))
        return first[:least] + ([schema["items"]] if least > len(first) and "items" in schema else [])
