// The guest that runs .nb models on Paddle Lite's own ARM runtime. The messages are described in protocol.py beside this file.
//
// It is compiled against the headers that came with the library: MobileConfig's layout changes between revisions.

#include <sys/prctl.h>
#include <unistd.h>

#include <cstdint>
#include <cstring>
#include <exception>
#include <iostream>
#include <memory>
#include <stdexcept>
#include <string>
#include <vector>

#include "paddle_api.h"

namespace {

using paddle::lite_api::PrecisionType;
using Shape = std::vector<int64_t>;

constexpr int kMark = 0x4e4e4e4e, kMarkBegin = 1, kMarkEnd = 2;
constexpr size_t kHeaderSize = 1 + sizeof(uint64_t);

// The protocol's codes of the types that networks take and give here.
enum DType : uint8_t { kF32 = 0, kI64 = 1, kI32 = 2 };

size_t SizeOf(uint8_t dtype) {
  switch (dtype) {
    case kF32:
    case kI32:
      return 4;
    case kI64:
      return 8;
    default:
      throw std::runtime_error("an array's type is none of float32, int32, int64");
  }
}

int64_t ElementCount(const Shape& shape) {
  int64_t count = 1;
  for (int64_t side : shape) count *= side;
  return count;
}

// Reads values from a message's payload.
class Reader {
 public:
  explicit Reader(const std::string& payload) : payload_(payload) {}

  template <typename T>
  T Take() {
    T value;
    std::memcpy(&value, TakeBytes(sizeof(T)), sizeof(T));
    return value;
  }

  const char* TakeBytes(size_t size) {
    if (size > payload_.size() - at_) throw std::runtime_error("a message ends too early");
    const char* bytes = payload_.data() + at_;
    at_ += size;
    return bytes;
  }

 private:
  const std::string& payload_;
  size_t at_ = 0;
};

template <typename T>
void Append(std::string* payload, T value) {
  payload->append(reinterpret_cast<const char*>(&value), sizeof(T));
}

class Network {
 public:
  explicit Network(const std::string& model) {
    paddle::lite_api::MobileConfig config;
    config.set_model_from_buffer(model);
    config.set_threads(1);
    config.set_power_mode(paddle::lite_api::LITE_POWER_NO_BIND);
    predictor_ = paddle::lite_api::CreatePaddlePredictor(config);
    if (!predictor_) throw std::runtime_error("the runtime refused the model");
    inputs_ = predictor_->GetInputNames().size();
    outputs_ = predictor_->GetOutputNames().size();
  }

  std::string Info() const {
    return "{\"runtime\": \"paddlelite " + predictor_->GetVersion() + "\", \"inputs\": " + std::to_string(inputs_) + "}";
  }

  std::string Run(const std::string& tensors) {
    Reader reader(tensors);
    const auto count = reader.Take<uint32_t>();
    if (count != inputs_) {
      throw std::runtime_error("the model has " + std::to_string(inputs_) + " inputs, " + std::to_string(count) +
                               " were given");
    }
    for (uint32_t i = 0; i < count; ++i) SetInput(i, &reader);
    prctl(kMark, kMarkBegin);
    predictor_->Run();
    prctl(kMark, kMarkEnd);
    std::string answer;
    Append(&answer, static_cast<uint32_t>(outputs_));
    for (size_t i = 0; i < outputs_; ++i) AppendOutput(i, &answer);
    return answer;
  }

 private:
  void SetInput(int index, Reader* reader) {
    const auto dtype = reader->Take<uint8_t>();
    Shape shape(reader->Take<uint8_t>());
    for (int64_t& side : shape) side = reader->Take<int64_t>();
    const size_t size = ElementCount(shape) * SizeOf(dtype);
    const char* values = reader->TakeBytes(size);
    auto tensor = predictor_->GetInput(index);
    tensor->Resize(shape);
    void* target = dtype == kF32   ? static_cast<void*>(tensor->mutable_data<float>())
                   : dtype == kI64 ? static_cast<void*>(tensor->mutable_data<int64_t>())
                                   : static_cast<void*>(tensor->mutable_data<int32_t>());
    std::memcpy(target, values, size);
  }

  void AppendOutput(int index, std::string* answer) const {
    const auto tensor = predictor_->GetOutput(index);
    DType dtype;
    const void* values;
    switch (tensor->precision()) {
      case PrecisionType::kFloat:
        dtype = kF32, values = tensor->data<float>();
        break;
      case PrecisionType::kInt64:
        dtype = kI64, values = tensor->data<int64_t>();
        break;
      case PrecisionType::kInt32:
        dtype = kI32, values = tensor->data<int32_t>();
        break;
      default:
        throw std::runtime_error("output " + std::to_string(index) + " is none of float32, int32, int64");
    }
    const Shape shape = tensor->shape();
    Append(answer, static_cast<uint8_t>(dtype));
    Append(answer, static_cast<uint8_t>(shape.size()));
    for (int64_t side : shape) Append(answer, side);
    answer->append(static_cast<const char*>(values), ElementCount(shape) * SizeOf(dtype));
  }

  std::shared_ptr<paddle::lite_api::PaddlePredictor> predictor_;
  size_t inputs_ = 0, outputs_ = 0;
};

bool ReadAll(char* data, size_t size) {
  while (size > 0) {
    const ssize_t got = read(STDIN_FILENO, data, size);
    if (got <= 0) return false;
    data += got, size -= got;
  }
  return true;
}

bool WriteAll(int file, const std::string& data) {
  for (size_t at = 0; at < data.size();) {
    const ssize_t put = write(file, data.data() + at, data.size() - at);
    if (put < 0) return false;
    at += put;
  }
  return true;
}

bool Send(int file, char kind, const std::string& payload) {
  std::string header(1, kind);
  Append(&header, static_cast<uint64_t>(payload.size()));
  return WriteAll(file, header) && WriteAll(file, payload);
}

// Answers one message; an error of the runtime's that aborts ends the process, and the host quotes its last words.
bool Answer(int file, char kind, const std::string& payload, std::unique_ptr<Network>* network) {
  try {
    if (kind == 'M') {
      network->reset(new Network(payload));
      return Send(file, 'I', (*network)->Info());
    }
    if (!*network) throw std::runtime_error("no model was opened");
    return Send(file, 'T', (*network)->Run(payload));
  } catch (const std::exception& error) {
    return Send(file, 'E', error.what());
  }
}

}  // namespace

int main() {
  const int answers = dup(STDOUT_FILENO);
  dup2(STDERR_FILENO, STDOUT_FILENO);  // what the library prints must not get among the answers
  std::unique_ptr<Network> network;
  char header[kHeaderSize];
  while (ReadAll(header, kHeaderSize)) {
    uint64_t size;
    std::memcpy(&size, header + 1, sizeof size);
    std::string payload(size, '\0');
    if (!ReadAll(&payload[0], size) || !Answer(answers, header[0], payload, &network)) return 1;
  }
  return 0;
}
