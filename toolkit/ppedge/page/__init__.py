"""Pages of HTML that are one file: elements, charts, a style for phones and desks."""
