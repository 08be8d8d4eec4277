"""The app's engine on this machine's JVM, with recorded networks in Paddle Lite's place: as `AppGuest` is on ARM's."""

import json
import subprocess
from pathlib import Path

from junit import ANDROID

from ppedge.arm import protocol
from ppedge.bundle.app_guest import MAIN, compile_app
from ppedge.bundle.manifest import sealed
from ppedge.bundle.verify import listed
from ppedge.process import run_child
from ppedge.storage import sha256

RECORDED = Path(__file__).with_name("recorded")


def compile_desk(jvm, folder):
    """Compile the app's Java; return its class path, and that with the recorded networks before Paddle Lite's own."""
    classes, recorded = folder / "classes", folder / "recorded"
    compile_app(ANDROID, classes)
    flags = ["--release", "8", "-Xlint:-options", "-encoding", "UTF-8", "-sourcepath", ""]
    sources = sorted(RECORDED.rglob("*.java"))
    run_child([jvm.javac, *flags, "-cp", classes, "-d", recorded, *sources], "compiling the recorded networks")
    return str(classes), f"{recorded}:{classes}"


def reseal(bundle, value):
    """Make a changed bundle one that is as its manifest says; ``value`` is the manifest's."""
    for entry in listed(value):
        path = bundle / entry["file"]
        entry["bytes"], entry["sha256"] = path.stat().st_size, sha256(path)
    (bundle / "manifest.json").write_bytes(sealed({key: item for key, item in value.items() if key != "sha256"}))


class Desk:
    """The app as a process on this machine."""

    def __init__(self, jvm, classpath, assets, storage):
        self.storage = storage
        options = ["-Djava.awt.headless=true", f"-Dppedge.recorded={assets / 'bundle'}", "-Dppedge.app=0.1.0"]
        self.words = (storage.parent / f"{storage.name}.log").open("wb+")
        self.process = subprocess.Popen(
            [
                jvm.java,
                "-Xmx512m",
                "-XX:TieredStopAtLevel=1",
                "-XX:+UseSerialGC",
                *options,
                "-cp",
                classpath,
                MAIN,
                storage,
                assets,
            ],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self.words,
        )

    def ask(self, what, **details):
        """Return the answer; None if the process has died."""
        question = json.dumps({"do": what, **details}).encode()
        self.process.stdin.write(protocol.HEADER.pack(protocol.QUESTION, len(question)) + question)
        self.process.stdin.flush()
        header = self.process.stdout.read(protocol.HEADER.size)
        if not header:
            return None
        kind, size = protocol.HEADER.unpack(header)
        assert kind == protocol.INFO
        return json.loads(self.process.stdout.read(size))

    def run(self, what, **extras):
        """Ask for a self-test or a benchmark as an intent does."""
        return self.ask(what, extras=extras)

    def report(self, name):
        return json.loads((self.storage / "external" / f"{name}.json").read_text("ascii"))

    def log(self):
        """What the app has written to the log so far."""
        self.words.seek(0)
        return self.words.read().decode()

    def __enter__(self):
        return self

    def __exit__(self, *error):
        self.process.stdin.close()
        self.process.wait(60)
        self.process.stdout.close()
        self.words.close()
