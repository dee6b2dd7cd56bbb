"""What filters see of documents, by field: made once a generation, so that a filter reads no document.

A column answers with row numbers. A list-valued field holds each of its values; booleans are no numbers,
as in JSON, so that true is not 1.
"""

from array import array
from bisect import bisect_left, bisect_right
from collections import defaultdict
from collections.abc import Iterable, Mapping
from typing import Any, Literal

import numpy as np

from contextsvc.records.arrays import Int64Array

Scalar = str | int | float


class Column:
    """The values that rows have in one field: (row, value) pairs in order of rows."""

    def __init__(self, values: Iterable[tuple[int, object]]) -> None:
        there, numbers, texts = list[int](), list[tuple[int | float, int]](), list[tuple[str, int]]()
        listed_numbers, listed_texts = list[tuple[int | float, int]](), list[tuple[str, int]]()
        booleans: dict[bool, list[int]] = {True: [], False: []}
        for row, value in values:
            there.append(row)
            items = value if isinstance(value, (list, tuple)) else (value,)
            alone = items is not value
            for item in items:
                if isinstance(item, bool):
                    booleans[item].append(row)
                elif isinstance(item, str):
                    (texts if alone else listed_texts).append((item, row))
                # What is not a number equals nothing and has no place in an order.
                elif isinstance(item, (int, float)) and item == item:
                    (numbers if alone else listed_numbers).append((item, row))
        self._there = np.array(there, dtype=np.int64)
        self._booleans = {which: np.array(rows, dtype=np.int64) for which, rows in booleans.items()}
        self._numbers, self._texts = _Order(numbers), _Order(texts)
        self._listed_numbers, self._listed_texts = _Order(listed_numbers), _Order(listed_texts)

    def present(self) -> Int64Array:
        """Rows that have the field at all."""
        return self._there

    def equal(self, wanted: Scalar) -> Int64Array:
        """Rows with that value, or a list that holds it; a row may come twice."""
        if isinstance(wanted, bool):
            return self._booleans[wanted]
        orders = (self._numbers, self._listed_numbers)
        if isinstance(wanted, str):
            orders = (self._texts, self._listed_texts)
        return np.concatenate([order.equal(wanted) for order in orders])

    def ordered(self, side: Literal["gt", "lt"], wanted: Scalar) -> Int64Array:
        """Rows whose number is greater or less than a number, or whose text follows or precedes a text."""
        return (self._texts if isinstance(wanted, str) else self._numbers).beyond(side, wanted)


class _Order:
    """Values in order, each with its row. Python's own comparison: whole numbers may exceed 2**53."""

    def __init__(self, pairs: "list[tuple[int | float, int]] | list[tuple[str, int]]") -> None:
        pairs.sort()
        self._values = [value for value, _ in pairs]
        self._rows = np.array([row for _, row in pairs], dtype=np.int64)

    def equal(self, wanted: Any) -> Int64Array:
        # Not a number is equal to nothing; a search for it would end anywhere.
        end = bisect_right(self._values, wanted) if wanted == wanted else 0
        return self._rows[bisect_left(self._values, wanted, hi=end) : end]

    def beyond(self, side: Literal["gt", "lt"], wanted: Any) -> Int64Array:
        if wanted != wanted:
            return self._rows[:0]
        if side == "gt":
            return self._rows[bisect_right(self._values, wanted) :]
        return self._rows[: bisect_left(self._values, wanted)]


class Columns:
    """All fields of all rows.

    Args:
        rows: The fields of each row, in order; read once.
        owners: The document of each row: one may be known under several ids. None: each row's own number.

    Attributes:
        owners: (num_rows,).
    """

    def __init__(self, rows: Iterable[Mapping[str, object]], owners: Int64Array | None = None) -> None:
        values: defaultdict[str, tuple[array[int], list[object]]] = defaultdict(lambda: (array("q"), []))
        num_rows = 0
        for row, fields in enumerate(rows):
            num_rows = row + 1
            for field, value in fields.items():
                values[field][0].append(row)
                values[field][1].append(value)
        self.owners = np.arange(num_rows) if owners is None else owners
        self._values = values
        self._columns: dict[str, Column] = {}

    def column(self, field: str) -> Column:
        """The field's column, put in order when it is first asked for; an empty one where no row has it."""
        # Two threads may both make it, and make the same.
        found = self._columns.get(field)
        if found is None and field in self._values:
            found = self._columns[field] = Column(zip(*self._values[field], strict=True))
        return found or _EMPTY


_EMPTY = Column(())
