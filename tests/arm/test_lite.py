"""Registering a runtime of Paddle Lite: a stand-in that doubles its input, and the real one where it is registered."""

import subprocess
import sys
import tarfile
from pathlib import Path

import numpy as np
import pytest

from ppedge.arm import cross, lite
from ppedge.engines import open_engine
from ppedge.errors import MissingError, PpedgeError
from ppedge.process import run_child
from ppedge.trust import UntrustedError

# The part of Paddle Lite's interface that the runner uses.
HEADER = """
#pragma once
#include <cstdint>
#include <memory>
#include <string>
#include <vector>
namespace paddle { namespace lite_api {
enum class PrecisionType : int { kFloat = 1, kInt32 = 3, kInt64 = 7 };
enum PowerMode { LITE_POWER_NO_BIND = 4 };
struct Storage { std::vector<int64_t> shape; std::vector<float> values; };
struct Tensor {
  std::shared_ptr<Storage> storage;
  void Resize(const std::vector<int64_t>& shape) { storage->shape = shape; }
  std::vector<int64_t> shape() const { return storage->shape; }
  PrecisionType precision() const { return PrecisionType::kFloat; }
  template <typename T> T* mutable_data() const {
    size_t count = 1;
    for (int64_t side : storage->shape) count *= side;
    storage->values.resize(count);
    return reinterpret_cast<T*>(storage->values.data());
  }
  template <typename T> const T* data() const { return reinterpret_cast<const T*>(storage->values.data()); }
};
struct MobileConfig {
  std::string model;
  void set_model_from_buffer(const std::string& bytes) { model = bytes; }
  void set_threads(int) {}
  void set_power_mode(PowerMode) {}
};
struct PaddlePredictor {
  virtual ~PaddlePredictor() {}
  virtual std::unique_ptr<Tensor> GetInput(int) = 0;
  virtual std::unique_ptr<const Tensor> GetOutput(int) const = 0;
  virtual std::vector<std::string> GetInputNames() = 0;
  virtual std::vector<std::string> GetOutputNames() = 0;
  virtual std::string GetVersion() const = 0;
  virtual void Run() = 0;
};
template <typename C> std::shared_ptr<PaddlePredictor> CreatePaddlePredictor(const C&);
} }
"""
LIBRARY = """
#include "paddle_api.h"
#include <cstdio>
#include <cstdlib>
namespace paddle { namespace lite_api {
struct Doubler : PaddlePredictor {
  std::shared_ptr<Storage> storage = std::make_shared<Storage>();
  std::unique_ptr<Tensor> GetInput(int) override { return std::unique_ptr<Tensor>(new Tensor{storage}); }
  std::unique_ptr<const Tensor> GetOutput(int) const override {
    return std::unique_ptr<const Tensor>(new Tensor{storage});
  }
  std::vector<std::string> GetInputNames() override { return {"x"}; }
  std::vector<std::string> GetOutputNames() override { return {"y"}; }
  std::string GetVersion() const override { return "v0.1"; }
  void Run() override { for (float& value : storage->values) value *= 2; }
};
template <> std::shared_ptr<PaddlePredictor> CreatePaddlePredictor<MobileConfig>(const MobileConfig& config) {
  puts("Loading the model");  // what a library prints must not get among the answers
  if (config.model == "broken") { fputs("Check failed: no such operator\\n", stderr); abort(); }
  return std::make_shared<Doubler>();
}
} }
"""


@pytest.fixture(scope="module")
def compiler(tmp_path_factory):
    """A folder for PATH with the cross compiler that `lite` would fetch."""
    folder = tmp_path_factory.mktemp("compiler")
    command, env = cross.cross_compiler(folder)
    script = folder / cross.CROSS_COMPILER
    script.write_text(f"#!/bin/sh\n{' '.join(f'{k}={v}' for k, v in env.items())} exec {' '.join(command)} \"$@\"\n")
    script.chmod(0o755)
    return folder


@pytest.fixture
def release(tmp_path, compiler, sandbox, monkeypatch):
    """A stand-in release, and an empty cache folder that shares the sandbox."""
    folder = tmp_path / "release"
    (folder / "cxx/include").mkdir(parents=True)
    (folder / "cxx/lib").mkdir()
    (folder / "cxx/include/paddle_api.h").write_text(HEADER)
    (tmp_path / "library.cc").write_text(LIBRARY)
    library = folder / "cxx/lib/libpaddle_light_api_shared.so"
    arguments = ["-shared", "-fPIC", "-I", folder / "cxx/include", tmp_path / "library.cc", "-o", library]
    run_child([compiler / cross.CROSS_COMPILER, *arguments], "compiling the stand-in")
    monkeypatch.setenv("PATH", str(compiler), prepend=":")
    cache = tmp_path / "cache"
    (cache / "ppedge").mkdir(parents=True)
    (cache / "ppedge" / sandbox.folder.name).symlink_to(sandbox.folder)
    monkeypatch.setenv("XDG_CACHE_HOME", str(cache))
    image, _ = lite.selftest_case()
    monkeypatch.setattr(lite, "selftest_case", lambda: (image, image * 2))
    return folder


@pytest.mark.slow
def test_a_release_is_compiled_tried_and_kept(release, tmp_path, monkeypatch):
    runtime = lite.register(release)
    assert (runtime.version, runtime.library) == ("paddlelite v0.1", "libpaddle_light_api_shared.so")
    assert lite.registered() == lite.register(release) == runtime
    with tarfile.open(tmp_path / "inference_lite_lib.tar.gz", "w:gz") as tar:
        tar.add(release, "inference_lite_lib.armlinux.armv8.gcc")
    assert lite.register(tmp_path / "inference_lite_lib.tar.gz") == runtime

    model = tmp_path / "any.nb"
    model.write_bytes(b"any")
    for shape in ((1, 3, 4, 6), (1, 3, 2, 2)):
        image = np.random.default_rng(0).standard_normal(shape).astype(np.float32)
        with open_engine("arm-paddlelite", model, count=True) as engine:
            np.testing.assert_array_equal(engine.run([image])[0], image * 2)
            assert 0 < engine.last_counts["total"] < 10_000

    model.write_bytes(b"broken")
    with pytest.raises(PpedgeError, match="SIGABRT: Check failed: no such operator"):
        open_engine("arm-paddlelite", model)

    # Another runtime whose answer is wrong: the one before stays.
    (release / "cxx/include/extra.h").touch()
    monkeypatch.setattr(lite, "selftest_case", lambda: (np.ones(3, np.float32), np.ones(3, np.float32)))
    with pytest.raises(PpedgeError, match=r"wrong answer .* \(off by 1\)"):
        lite.register(release)
    assert lite.registered() == runtime

    # Headers that are not the library's.
    (release / "cxx/include/paddle_api.h").write_text("#error not this one\n")
    with pytest.raises(PpedgeError, match="compiling lite_runner.cc against"):
        lite.register(release)
    assert lite.registered() == runtime

    monkeypatch.setattr(lite, "RUNNER_SOURCE", tmp_path / "library.cc")
    with pytest.raises(MissingError, match="another version of ppedge"):
        lite.registered()


@pytest.fixture
def stand_in(tmp_path, monkeypatch):
    """A release of next to nothing, whose runner is not compiled and not tried."""
    for file in ("include/paddle_api.h", "lib/libpaddle_light_api_shared.so"):
        path = tmp_path / "release/cxx" / file
        path.parent.mkdir(parents=True)
        path.write_text(file)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setattr(lite.sysroot, "ensure", lambda progress: None)
    monkeypatch.setattr(lite, "_compile", lambda include, made, *_: (made / lite.RUNNER).write_text("runner"))
    monkeypatch.setattr(lite, "_self_test", lambda *_: "paddlelite v2.13")
    return tmp_path / "release"


def test_a_damaged_runtime_is_said_and_registered_anew(stand_in):
    runtime = lite.register(stand_in)
    assert lite.registered() == runtime
    for name in (lite.RUNNER, runtime.library):
        (runtime.folder / name).write_text("damaged")
        with pytest.raises(MissingError, match=f"is damaged: {name} has changed. Run `ppedge arm setup --lite"):
            lite.registered()
        assert lite.register(stand_in) == lite.registered() == runtime
    (runtime.folder / lite.RUNNER).chmod(0o777)
    with pytest.raises(UntrustedError, match="lite_runner: may be written to by others"):
        lite.registered()


def test_a_folder_that_is_no_release(tmp_path):
    with pytest.raises(PpedgeError, match="not a release of Paddle Lite"):
        lite.register(tmp_path)


def test_no_runtime(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    with pytest.raises(MissingError, match=r"not registered.*ppedge arm setup --lite"):
        open_engine("arm-paddlelite", "model.nb")
    assert list(tmp_path.iterdir()) == []


def test_the_real_runtime_counts_the_same_twice(sandbox):
    try:
        lite.registered()
    except MissingError as error:
        pytest.skip(str(error))
    image, expected = lite.selftest_case()
    found = []
    for _ in range(2):
        with open_engine("arm-paddlelite", lite.SELFTEST, count=True) as engine:
            np.testing.assert_allclose(engine.run([image])[0], expected, atol=1e-4)
            found.append(engine.last_counts)
            engine.stop_counting()
            engine.reopen(lite.SELFTEST)
            np.testing.assert_allclose(engine.run([image])[0], expected, atol=1e-4)
            assert engine.last_counts is None
    assert found[0] == found[1]


MAKE_SELFTEST = """
import sys
from ppedge.arm import cross, lite
import paddle
net = paddle.nn.Sequential(paddle.nn.Conv2D(2, 3, 3, padding=1), paddle.nn.ReLU())
net.eval()
for parameter, value in zip(net.parameters(), lite.selftest_weights()):
    parameter.set_value(value)
base = sys.argv[1]
paddle.jit.save(net, base, input_spec=[paddle.static.InputSpec([1, 2, -1, -1], "float32", "x")])
"""


@pytest.mark.slow
def test_the_self_test_model_is_what_it_is_said_to_be(tmp_path):
    base = tmp_path / "selftest"
    subprocess.run([sys.executable, "-c", MAKE_SELFTEST, base], check=True, capture_output=True)
    opt = Path(sys.executable).with_name("paddle_lite_opt")
    arguments = ["--valid_targets=arm", "--optimize_out_type=naive_buffer", f"--optimize_out={base}"]
    run_child([opt, f"--model_file={base}.pdmodel", f"--param_file={base}.pdiparams", *arguments], "converting")
    made = bytearray((tmp_path / "selftest.nb").read_bytes())
    made[made.index(0, 2) : 18] = bytes(18 - made.index(0, 2))  # behind the version opt leaves stack garbage
    assert bytes(made) == lite.SELFTEST.read_bytes()
