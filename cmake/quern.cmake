# One helper per kind of target. Sources and headers are explicit; every public header is compiled alone
# (CMAKE_VERIFY_INTERFACE_HEADER_SETS), every library gets an alias quern::<name>.
include_guard(GLOBAL)

add_library(quern_options INTERFACE)
target_compile_features(quern_options INTERFACE cxx_std_20)
# Frame pointers cost a message a twentieth of its time; a build that is profiled or sanitized has them.
target_compile_options(quern_options INTERFACE -Wall -Wextra -Wshadow -Wconversion -Wno-sign-conversion -Werror
                       $<$<NOT:$<CONFIG:Release>>:-fno-omit-frame-pointer>)
if(QUERN_SANITIZE)
  target_compile_options(quern_options INTERFACE -fsanitize=${QUERN_SANITIZE} -fno-sanitize-recover=all
                         -fno-omit-frame-pointer)
  target_link_options(quern_options INTERFACE -fsanitize=${QUERN_SANITIZE})
endif()
if(QUERN_SANITIZE MATCHES "thread")
  # Debian's abseil is not built for ThreadSanitizer: the program's calls of its locks go through tsan_absl.cc.
  add_library(quern_tsan_absl STATIC ${CMAKE_CURRENT_LIST_DIR}/tsan_absl.cc)
  target_compile_features(quern_tsan_absl PRIVATE cxx_std_20)
  target_compile_options(quern_tsan_absl PRIVATE -fsanitize=${QUERN_SANITIZE})
  target_link_libraries(quern_tsan_absl PUBLIC absl::synchronization)
  foreach(function N4absl7debian35MutexD1Ev N4absl7debian35Mutex4LockEv N4absl7debian35Mutex7TryLockEv
                   N4absl7debian35Mutex6UnlockEv N4absl7debian35Mutex5AwaitERKNS0_9ConditionE
                   N4absl7debian35Mutex16AwaitWithTimeoutERKNS0_9ConditionENS0_8DurationE
                   N4absl7debian37CondVar4WaitEPNS0_5MutexE
                   N4absl7debian37CondVar15WaitWithTimeoutEPNS0_5MutexENS0_8DurationE
                   N4absl7debian312Notification6NotifyEv NK4absl7debian312Notification19WaitForNotificationEv
                   NK4absl7debian312Notification30WaitForNotificationWithTimeoutENS0_8DurationE)
    target_link_options(quern_options INTERFACE -Wl,--wrap=_Z${function})
  endforeach()
  target_link_libraries(quern_options INTERFACE quern_tsan_absl)
endif()
find_program(QUERN_MOLD mold)
if(QUERN_MOLD AND CMAKE_CXX_COMPILER_ID STREQUAL "GNU")
  target_link_options(quern_options INTERFACE -fuse-ld=mold)
endif()

# quern_cc_library(NAME n [INCLUDE dir] [HDRS ..] [SRCS ..] [DEPS ..] [PRIVATE_DEPS ..])
# INCLUDE is the public include root (default: include). src/ stays private.
function(quern_cc_library)
  cmake_parse_arguments(A "" "NAME;INCLUDE" "HDRS;SRCS;DEPS;PRIVATE_DEPS" ${ARGN})
  if(NOT A_INCLUDE)
    set(A_INCLUDE include)
  endif()
  set(target quern_${A_NAME})
  if(A_SRCS)
    add_library(${target} STATIC ${A_SRCS})
    set(scope PUBLIC)
    target_include_directories(${target} PRIVATE ${CMAKE_CURRENT_SOURCE_DIR}/src)
    target_link_libraries(${target} PUBLIC ${A_DEPS} PRIVATE quern_options ${A_PRIVATE_DEPS})
  else()
    add_library(${target} INTERFACE)
    set(scope INTERFACE)
    target_link_libraries(${target} INTERFACE ${A_DEPS})
  endif()
  target_sources(${target} ${scope} FILE_SET HEADERS BASE_DIRS ${A_INCLUDE} FILES ${A_HDRS})
  target_compile_features(${target} ${scope} cxx_std_20)
  add_library(quern::${A_NAME} ALIAS ${target})
endfunction()

# quern_proto_library(NAME n SRCS a.proto .. [DEPS ..]): generated code, compiled without our warnings.
function(quern_proto_library)
  cmake_parse_arguments(A "" "NAME" "SRCS;DEPS" ${ARGN})
  set(target quern_${A_NAME})
  add_library(${target} STATIC ${A_SRCS})
  protobuf_generate(TARGET ${target} LANGUAGE cpp IMPORT_DIRS ${CMAKE_CURRENT_SOURCE_DIR}
                    PROTOC_OUT_DIR ${CMAKE_CURRENT_BINARY_DIR})
  target_include_directories(${target} SYSTEM PUBLIC ${CMAKE_CURRENT_BINARY_DIR})
  target_link_libraries(${target} PUBLIC protobuf::libprotobuf ${A_DEPS})
  target_compile_features(${target} PUBLIC cxx_std_20)
  if(QUERN_SANITIZE)
    target_compile_options(${target} PRIVATE -fsanitize=${QUERN_SANITIZE})
  endif()
  add_library(quern::${A_NAME} ALIAS ${target})
endfunction()

# quern_cc_binary(NAME n SRCS .. DEPS ..)
function(quern_cc_binary)
  cmake_parse_arguments(A "" "NAME" "SRCS;DEPS" ${ARGN})
  add_executable(${A_NAME} ${A_SRCS})
  target_link_libraries(${A_NAME} PRIVATE quern_options ${A_DEPS})
endfunction()

# quern_cc_test(NAME n SRCS .. DEPS .. [LABELS ..] [TIMEOUT s] [SERIAL]): a gtest binary, each case a ctest case.
function(quern_cc_test)
  cmake_parse_arguments(A "SERIAL" "NAME;TIMEOUT" "SRCS;DEPS;LABELS" ${ARGN})
  if(NOT QUERN_BUILD_TESTS)
    return()
  endif()
  if(NOT A_LABELS)
    set(A_LABELS unit)
  endif()
  if(NOT A_TIMEOUT)
    set(A_TIMEOUT 60)
  endif()
  add_executable(${A_NAME} ${A_SRCS})
  target_link_libraries(${A_NAME} PRIVATE quern_options ${A_DEPS} GTest::gmock GTest::gtest GTest::gtest_main)
  if(A_SERIAL)
    set(serial RUN_SERIAL TRUE)
  endif()
  gtest_discover_tests(${A_NAME} DISCOVERY_MODE PRE_TEST PROPERTIES LABELS "${A_LABELS}" TIMEOUT ${A_TIMEOUT} ${serial})
endfunction()
