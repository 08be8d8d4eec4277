"""Networks in paddle.nn, with the parameter names of official weights."""

from ppedge.signals import import_paddle

import_paddle()
