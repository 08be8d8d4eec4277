"""What a bundle is made of has passed its gates, or somebody has said that it need not."""

import pytest

from ppedge.bundle.build import build_bundle
from ppedge.bundle.verify import verify_bundle
from ppedge.errors import GateError
from ppedge.runs import Run
from ppedge.storage import read_json, write_json
from ppedge.validate.gates import Row
from tiny_runs import make_run


@pytest.fixture
def validated(runs, tmp_path):
    """The runs of a detector and of a recogniser that was validated, by what its metric dropped: in ten-thousandths."""

    def make(drop):
        path = make_run(tmp_path / f"rec{drop}", "rec")
        rows = [Row("max_metric_drop", "rec.int8.nb", "cortex-a53", drop / 1e4, 0.01),
                Row("min_found", "rec.int8.nb", "cortex-a53", 7.0, 1.0)]  # fmt: skip
        passed = all(row.passed for row in rows)
        model = {"file": "rec.int8.nb", "precision": "int8", "cpu": "cortex-a53"}
        report = {"cpus": [], "models": [model], "gates": [row.to_dict() for row in rows], "passed": passed}
        with Run(path).writing("validate") as folder:
            write_json(folder / "report.json", report)
            Run(path).write_manifest(
                folder, "validate", outputs=["report.json"], metrics={"passed": passed}, parent="convert"
            )
        return [runs[0], path]

    return make


def test_a_run_whose_gates_failed_is_refused_with_the_gate(validated, picture, tmp_path, ppedge_here):
    det, rec = validated(101)
    said = f"{rec}/validate: 1 gates failed: max_metric_drop 0.0101 > 0.01 (rec.int8.nb on cortex-a53)"
    with pytest.raises(GateError) as refused:
        build_bundle([det, rec], tmp_path / "b", pictures=[picture])
    assert refused.value.message == f"{said}."
    assert "--allow-failed-gates" in refused.value.hint and f"ppedge validate {rec} --force" in refused.value.hint
    code, out, err = ppedge_here("bundle", det, rec, "--out", tmp_path / "b", "--pictures", picture)
    assert (code, out) == (1, "") and said in err
    assert not (tmp_path / "b").exists()


def test_a_further_recogniser_is_held_to_its_gates_too(runs, validated, picture, tmp_path):
    with pytest.raises(GateError, match="rec200/validate: 1 gates failed"):
        build_bundle(runs, tmp_path / "b", also=[("other", validated(200)[1])], pictures=[picture])


def test_who_allows_it_gets_the_bundle_and_is_told(validated, picture, tmp_path, ppedge_here):
    runs = validated(101)
    arguments = ["--out", tmp_path / "b", "--pictures", picture, "--allow-failed-gates"]
    code, _, err = ppedge_here("bundle", *runs, *arguments)
    assert code == 0 and "1 gates failed: max_metric_drop 0.0101 > 0.01" in err and "taken all the same" in err
    assert verify_bundle(tmp_path / "b") == []
    link = read_json(tmp_path / "b/manifest.json")["models"]["rec"]["chain"][0]
    assert (link["stage"], link["metrics"]) == ("validate", {"passed": False})


def test_a_run_that_passed_is_taken_without_a_word(validated, picture, tmp_path):
    said = []
    build_bundle(validated(100), tmp_path / "b", pictures=[picture], say=said.append)
    assert not [text for text in said if "rec100" in text]
    assert [text for text in said if "has not been validated as it stands" in text]
