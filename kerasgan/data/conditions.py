"""Finds what steers a network in what is known of the pictures: their classes or attributes."""

from kerasgan.conditions import LABELS, NONE, Conditions, split_names, unknown
from kerasgan.data.built_in import BUILT_IN
from kerasgan.data.cache import Pictures
from kerasgan.errors import UserError
from kerasgan.text import printable


def find_conditions(pictures: Pictures, wanted: str) -> Conditions | None:
    """Finds what a recipe's `conditions` names in what is known of the pictures.

    Args:
        pictures: the training set.
        wanted: "none", "labels", or attributes with commas between them.

    Returns:
        A condition for each picture; None for "none".

    Raises:
        UserError: the pictures have no classes or no such attributes, or all are alike.
    """
    if wanted == NONE:
        return None
    table = pictures.table
    if wanted == LABELS:
        conditions = Conditions(table.label_names, table.labels)
        if len(set(table.labels.tolist()) - {-1}) < 2:
            raise _absent(pictures, wanted, "at least two classes")
        return conditions
    if not table.attribute_names:
        raise _absent(pictures, wanted, "these attributes")
    names = list(split_names(wanted))
    for name in names:
        if name not in table.attribute_names:
            raise unknown("`--conditions` should name attributes", name, table.attribute_names)
    columns = [table.attribute_names.index(name) for name in names]
    conditions = Conditions(names, table.attributes[:, columns])
    for name, column in zip(names, conditions.values.T, strict=True):
        if not {-1, 1} <= set(column.tolist()):
            alike = "the same in all of" if column.any() else "known of no picture in"
            raise UserError(
                "`--conditions` should name attributes that some pictures have and others have "
                f"not. Received: {name}, which is {alike} {printable(pictures.source)}. Leave it "
                "out."
            )
    return conditions


def _absent(pictures: Pictures, wanted: str, what: str) -> UserError:
    table = pictures.table
    others = [NONE]
    if len(table.label_names) > 1 and wanted != LABELS:
        others.append(LABELS)
    if table.attribute_names and wanted == LABELS:
        others.append(",".join(table.attribute_names[:3]))
    typed = " or ".join(f"--conditions {other}" for other in others)
    if wanted != LABELS:
        typed += f" or --data {BUILT_IN}"
    return UserError(
        f"`--conditions {wanted}` needs pictures with {what}. Received: "
        f"{printable(pictures.source)}, which has none. Type {typed}."
    )
