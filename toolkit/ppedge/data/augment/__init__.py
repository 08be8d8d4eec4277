"""Random changes to training pictures, one file a family; `table` has them all, in the order they are applied in."""
