"""Networks in paddle.nn, with the parameter names of official weights."""
