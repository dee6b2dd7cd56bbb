"""Columns: the values of a field in all documents, sorted so that a filter finds documents quickly.

The columns of a generation (a published version of an index) are made once. Then a filter reads no document:
a column returns the numbers of the rows that match. If the value of a field is a list, the field holds each
value of the list. Booleans are not numbers, as in JSON: true does not equal 1.
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
    """The values of one field.

    Args:
        values: (row, value) of each row that has the field, in ascending order of rows.
    """

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
                # A NaN equals no value and cannot be sorted, so it is left out.
                elif isinstance(item, (int, float)) and item == item:
                    (numbers if alone else listed_numbers).append((item, row))
        self._there = np.array(there, dtype=np.int64)
        self._booleans = {which: np.array(rows, dtype=np.int64) for which, rows in booleans.items()}
        self._numbers, self._texts = _Order(numbers), _Order(texts)
        self._listed_numbers, self._listed_texts = _Order(listed_numbers), _Order(listed_texts)

    def present(self) -> Int64Array:
        """Return the numbers of the rows that have the field, in ascending order."""
        return self._there

    def equal(self, wanted: Scalar) -> Int64Array:
        """Return the rows whose value is `wanted` or is a list that holds `wanted`. A row may occur twice."""
        if isinstance(wanted, bool):
            return self._booleans[wanted]
        orders = (self._numbers, self._listed_numbers)
        if isinstance(wanted, str):
            orders = (self._texts, self._listed_texts)
        return np.concatenate([order.equal(wanted) for order in orders])

    def ordered(self, side: Literal["gt", "lt"], wanted: Scalar) -> Int64Array:
        """Return the rows whose value is greater ("gt") or less ("lt") than `wanted`. Lists are ignored."""
        return (self._texts if isinstance(wanted, str) else self._numbers).beyond(side, wanted)


class _Order:
    """Sorted values, each with its row.

    Python compares the values, not numpy, because integers above 2**53 are not exact as floats.
    """

    def __init__(self, pairs: "list[tuple[int | float, int]] | list[tuple[str, int]]") -> None:
        pairs.sort()
        self._values = [value for value, _ in pairs]
        self._rows = np.array([row for _, row in pairs], dtype=np.int64)

    def equal(self, wanted: Any) -> Int64Array:
        # A NaN equals no value, and a binary search for NaN would end at an arbitrary position.
        end = bisect_right(self._values, wanted) if wanted == wanted else 0
        return self._rows[bisect_left(self._values, wanted, hi=end) : end]

    def beyond(self, side: Literal["gt", "lt"], wanted: Any) -> Int64Array:
        if wanted != wanted:
            return self._rows[:0]
        if side == "gt":
            return self._rows[bisect_right(self._values, wanted) :]
        return self._rows[: bisect_left(self._values, wanted)]


class Columns:
    """The columns of all fields of the documents of a corpus.

    Each document has a row. Each alias (a document that deduplication left out) has a row of its own.

    Args:
        rows: Fields of each row, in order. The iterable is read once.
        owners: For each row, the number of its document: (num_rows,). The document of an alias is the one
            that represents it. None means that row i belongs to document i.

    Attributes:
        owners: For each row, the number of its document: (num_rows,).
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

    @property
    def fields(self) -> list[str]:
        """Names of the fields that at least one row has, sorted."""
        return sorted(self._values)

    def column(self, field: str) -> Column:
        """Return the column of a field, which is empty if no row has the field. The first call sorts it."""
        # Two threads may both make the same column. Their results are equal.
        found = self._columns.get(field)
        if found is None and field in self._values:
            found = self._columns[field] = Column(zip(*self._values[field], strict=True))
        return found or _EMPTY


_EMPTY = Column(())
