// How often tests repeat what only chance brings about. Sanitizers, ThreadSanitizer above all, make
// a switch of fibers many times slower, and find in a few rounds what otherwise takes thousands.

#ifndef QUERN_TESTS_RUNTIME_TEST_SIZE_H_
#define QUERN_TESTS_RUNTIME_TEST_SIZE_H_

namespace quern {

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
constexpr int Rounds(int /*plain*/, int sanitized) { return sanitized; }
#else
constexpr int Rounds(int plain, int /*sanitized*/) { return plain; }
#endif

}  // namespace quern

#endif  // QUERN_TESTS_RUNTIME_TEST_SIZE_H_
