"""What a person waits for when asking for help."""

import subprocess
import sys

import pytest


@pytest.mark.parametrize("arguments", [["--help"], ["train", "--help"], ["data", "--help"]])
def test_help_imports_nothing_slow(arguments):
    code = (
        "import sys\n"
        "from ppedge.cli.main import main\n"
        "try:\n"
        f"    main({arguments})\n"
        "except SystemExit:\n"
        "    print(sorted({'rich', 'numpy', 'cv2', 'pydantic', 'yaml'} & sys.modules.keys()))\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)

    assert done.stdout.splitlines()[-1] == "[]"


@pytest.mark.parametrize(
    ("command", "told"),
    [(["run"], "The recipe's YAML file."), (["slim"], "A run's folder;"), (["data", "check"], "or one recipe (.yml)")],
)
def test_help_says_what_an_argument_is(command, told):
    done = subprocess.run(
        [sys.executable, "-m", "ppedge", *command, "--help"], capture_output=True, text=True, check=True
    )

    assert told in done.stdout and done.stdout.lower().count("arguments:") == 1


def test_making_a_bundle_has_the_name_that_is_typed(ppedge_here):
    _, out, _ = ppedge_here("bundle", "--help")
    assert out.splitlines()[0] == "Usage: ppedge bundle [OPTIONS] DET_RUN REC_RUN [CLS_RUN]"
    code, out, err = ppedge_here("bundle", "a", "b", "--nonsense")
    assert code == 2 and "bundle build" not in out + err
    assert ppedge_here("bundle", "verify", "--help")[1].startswith("Usage: ppedge bundle verify [OPTIONS] DIR")
