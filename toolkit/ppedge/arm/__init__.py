"""The ARM emulator: sandbox, QEMU, instruction counts."""
