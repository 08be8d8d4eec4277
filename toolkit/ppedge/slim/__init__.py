"""Pruning by a saved plan, by FPGM or for ARM, distillation, and PACT quantization-aware training."""

from ppedge.signals import import_paddle

import_paddle()
