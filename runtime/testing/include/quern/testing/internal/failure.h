// A failure of the test at the line of whoever called the kit.

#ifndef QUERN_TESTING_INTERNAL_FAILURE_H_
#define QUERN_TESTING_INTERNAL_FAILURE_H_

#include <source_location>

#include <gtest/gtest.h>

namespace quern::testing::internal {

//   Failure(where) << "expected " << what;       // reported at the end of the statement
class Failure {
 public:
  explicit Failure(std::source_location where) : where_(where) {}
  ~Failure() {
    ADD_FAILURE_AT(where_.file_name(), static_cast<int>(where_.line())) << text_.GetString();
  }
  Failure(const Failure&) = delete;
  Failure& operator=(const Failure&) = delete;

  template <typename T>
  Failure& operator<<(const T& value) {
    text_ << value;
    return *this;
  }

 private:
  const std::source_location where_;
  ::testing::Message text_;
};

}  // namespace quern::testing::internal

#endif  // QUERN_TESTING_INTERNAL_FAILURE_H_
