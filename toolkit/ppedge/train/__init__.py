"""Losses, optimizer, the training loop and its checkpoints."""

from ppedge.signals import import_paddle

import_paddle()
