"""Where a value stands in a record: `customer.name`, `lines[].part_number`."""

from typing import Any

__all__ = ["ABSENT", "at_path"]


ABSENT = object()


def at_path(record: Any, path: str) -> Any:
    """The value at a path such as `customer.name` or `lines[].part_number`; ABSENT where there is none."""
    if "." not in path and "[" not in path:
        return record.get(path, ABSENT) if isinstance(record, dict) else ABSENT
    value: Any = record
    steps = path.split(".")
    for index, step in enumerate(steps):
        name, brackets, _ = step.partition("[]")
        if not isinstance(value, dict) or name not in value:
            return ABSENT
        value = value[name]
        if brackets:
            rest = ".".join(steps[index + 1 :])
            items = value if isinstance(value, list) else []
            values = [at_path(item, rest) if rest else item for item in items]
            values = [item for item in values if item is not ABSENT]
            if "[]" in rest:  # lists within a list: their elements, side by side
                values = [element for item in values for element in item]
            return values or ABSENT
    return value
