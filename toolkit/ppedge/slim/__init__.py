"""FPGM pruning by a saved plan, and PACT quantization-aware training."""
