"""Pruning by a saved plan, by FPGM or for ARM, distillation, and PACT quantization-aware training."""
