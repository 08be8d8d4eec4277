// What java/com/baidu/paddle/lite calls: Paddle Lite's C++ API, as the JVM reaches it by JNI.
//
// It stands for the JNI library of Paddle Lite's Android release, which is linked against Android's C library. The
// arrays' lengths are checked here; whatever else is wrong ends the process in Paddle Lite, as it does on a phone.

#include <jni.h>
#include <unistd.h>

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "paddle_api.h"

namespace {

using paddle::lite_api::PaddlePredictor;
using Shape = std::vector<int64_t>;
using Predictor = std::shared_ptr<PaddlePredictor>;

PaddlePredictor& At(jlong handle) { return **reinterpret_cast<Predictor*>(handle); }

jsize CountOf(const Shape& shape) {
  int64_t count = 1;
  for (int64_t side : shape) count *= side;
  return static_cast<jsize>(count);
}

Shape ShapeOf(jlong handle, jint index, jboolean input) {
  return input ? At(handle).GetInput(index)->shape() : At(handle).GetOutput(index)->shape();
}

}  // namespace

#define NATIVE(type, name) extern "C" JNIEXPORT type JNICALL Java_com_baidu_paddle_lite_PaddlePredictor_##name

extern "C" JNIEXPORT jint JNICALL JNI_OnLoad(JavaVM*, void*) {
  dup2(STDERR_FILENO, STDOUT_FILENO);  // what the library prints must not get among the answers
  return JNI_VERSION_1_8;
}

NATIVE(jlong, create)(JNIEnv* env, jclass, jstring model, jint threads, jint power_mode) {
  const char* path = env->GetStringUTFChars(model, nullptr);
  if (path == nullptr) return 0;
  paddle::lite_api::MobileConfig config;
  config.set_model_from_file(path);
  env->ReleaseStringUTFChars(model, path);
  config.set_threads(threads);
  config.set_power_mode(static_cast<paddle::lite_api::PowerMode>(power_mode));
  Predictor predictor = paddle::lite_api::CreatePaddlePredictor(config);
  return predictor ? reinterpret_cast<jlong>(new Predictor(predictor)) : 0;
}

NATIVE(void, delete)(JNIEnv*, jclass, jlong handle) { delete reinterpret_cast<Predictor*>(handle); }

NATIVE(void, run)(JNIEnv*, jclass, jlong handle) { At(handle).Run(); }

NATIVE(jstring, version)(JNIEnv* env, jclass, jlong handle) {
  return env->NewStringUTF(At(handle).GetVersion().c_str());
}

NATIVE(void, resize)(JNIEnv* env, jclass, jlong handle, jint index, jlongArray sides) {
  std::vector<jlong> values(env->GetArrayLength(sides));
  env->GetLongArrayRegion(sides, 0, static_cast<jsize>(values.size()), values.data());
  At(handle).GetInput(index)->Resize(Shape(values.begin(), values.end()));
}

NATIVE(jboolean, setData)(JNIEnv* env, jclass, jlong handle, jint index, jfloatArray data) {
  auto tensor = At(handle).GetInput(index);
  const jsize count = env->GetArrayLength(data);
  if (count != CountOf(tensor->shape())) return JNI_FALSE;
  env->GetFloatArrayRegion(data, 0, count, tensor->mutable_data<float>());
  return JNI_TRUE;
}

NATIVE(jlongArray, shape)(JNIEnv* env, jclass, jlong handle, jint index, jboolean input) {
  const Shape shape = ShapeOf(handle, index, input);
  const std::vector<jlong> values(shape.begin(), shape.end());
  jlongArray sides = env->NewLongArray(static_cast<jsize>(values.size()));
  if (sides != nullptr) env->SetLongArrayRegion(sides, 0, static_cast<jsize>(values.size()), values.data());
  return sides;
}

NATIVE(jfloatArray, getFloatData)(JNIEnv* env, jclass, jlong handle, jint index, jboolean input) {
  const jsize count = CountOf(ShapeOf(handle, index, input));
  jfloatArray data = env->NewFloatArray(count);
  if (data == nullptr) return nullptr;  // the JVM has an OutOfMemoryError to throw
  const float* values = input ? At(handle).GetInput(index)->data<float>() : At(handle).GetOutput(index)->data<float>();
  env->SetFloatArrayRegion(data, 0, count, values);
  return data;
}
