"""A stand-in for ``adb``: speaks the commands that ppedge uses; a folder is the phone's /data/local/tmp and /sdcard.

What the phones are and what goes wrong is read from ``phone.json`` beside it; what was asked is kept in ``log.txt``.
"""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

HERE = Path(__file__).resolve().parent
STATE = json.loads((HERE / "phone.json").read_text())
STORAGE = HERE / "storage"
PROPERTIES = {"ro.product.model": "Test Phone", "ro.board.platform": "sm8150", "ro.product.cpu.abi": "arm64-v8a",
              "ro.build.version.release": "13"}  # fmt: skip


def local(path):
    return STORAGE / Path(path).relative_to("/sdcard" if path.startswith("/sdcard") else "/data/local/tmp")


def end(message, code=1):
    print(message, file=sys.stderr)
    sys.exit(code)


def shell(command):
    if command.startswith("getprop "):
        print(PROPERTIES[command.split()[1]])
        return
    # benchmark_bin is for ARM: a script that does what the test wants stands for it.
    script = command.replace("/data/local/tmp", str(STORAGE)).replace("./benchmark_bin", f"sh {HERE}/benchmark.sh")
    script = script.replace("/sdcard", str(STORAGE))
    # Android's own programs (am, pm, pidof, logcat) are scripts of the test.
    env = {**os.environ, "PATH": f"{HERE}/programs:{os.environ['PATH']}", "STORAGE": str(STORAGE)}
    sys.exit(subprocess.run(["sh", "-c", script], env=env, check=False).returncode)


def main(words):
    with (HERE / "log.txt").open("a") as log:
        log.write(" ".join(words) + "\n")
    if words == ["devices"]:
        print("* daemon not running; starting now at tcp:5037\n* daemon started successfully\nList of devices attached")
        print("".join(f"{serial}\t{state}\n" for serial, state in STATE["phones"].items()))
        return
    flag, serial, command, *rest = words
    assert flag == "-s"
    if STATE["phones"].get(serial) != "device" or STATE.get("unplugged_at") == command:
        end(f"adb: device '{serial}' not found")
    if command == "push":
        if STATE.get("full"):
            end(f"adb: error: failed to copy '{rest[0]}' to '{rest[1]}': remote write failed: No space left on device")
        shutil.copyfile(rest[0], local(rest[1]))
        print(f"{rest[0]}: 1 file pushed, 0 skipped.")
    elif command == "pull":
        shutil.copyfile(local(rest[0]), rest[1])
    else:
        assert command == "shell"
        shell(*rest)


main(sys.argv[1:])
