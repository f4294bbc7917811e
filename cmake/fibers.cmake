# quern::fibers: Boost.Fiber and Boost.Context, Debian's or, for ThreadSanitizer, built here.
#
# Debian's switch stacks in a way that ThreadSanitizer cannot see: every fiber of a thread looks like one thread, and most
# of what it then reports is false. Boost's own support (BOOST_USE_TSAN, on ucontext) needs the library and everything that
# includes its headers compiled with it. The sources are Debian's own tarball; its hash is pinned; headers stay the package's.
include_guard(GLOBAL)

add_library(quern_fibers INTERFACE)
add_library(quern::fibers ALIAS quern_fibers)

set(QUERN_FIBERS_SANITIZED OFF)
if(NOT QUERN_SANITIZE MATCHES "thread")
  target_link_libraries(quern_fibers INTERFACE Boost::fiber Boost::context)
  return()
endif()

set(boost_dir ${CMAKE_BINARY_DIR}/boost-src)
set(boost_tarball boost1.81_1.81.0.orig.tar.xz)
set(boost_hash 449afecf5ef98edc0a46826cde6af98d1fb95c2e92962fa8c9e3eb1e8a2928ec)
if(NOT EXISTS ${boost_dir}/unpacked)
  # From wherever this machine gets its packages: beside the package of the headers.
  execute_process(COMMAND apt-get --print-uris download libboost1.81-dev OUTPUT_VARIABLE boost_uri ERROR_QUIET)
  string(REGEX REPLACE "^'([^']*/)[^'/]*'.*$" "\\1${boost_tarball}" boost_uri "${boost_uri}")
  message(STATUS "Fetching the sources of Boost.Fiber for ThreadSanitizer (74 MB)")
  file(DOWNLOAD ${boost_uri} ${boost_dir}/${boost_tarball} STATUS boost_status TIMEOUT 300)
  list(GET boost_status 0 boost_code)
  list(GET boost_status 1 boost_why)
  if(boost_code EQUAL 0)
    file(SHA256 ${boost_dir}/${boost_tarball} boost_found)
    if(NOT boost_found STREQUAL boost_hash)
      set(boost_code 1)
      set(boost_why "its hash is ${boost_found}")
    endif()
  endif()
  if(boost_code EQUAL 0)
    file(ARCHIVE_EXTRACT INPUT ${boost_dir}/${boost_tarball} DESTINATION ${boost_dir}
         PATTERNS "*/libs/context/src/*" "*/libs/fiber/src/*")
    file(GLOB boost_unpacked ${boost_dir}/*/libs)
    list(GET boost_unpacked 0 boost_libs)
    file(WRITE ${boost_dir}/unpacked "${boost_libs}")
  endif()
  file(REMOVE ${boost_dir}/${boost_tarball})
  if(NOT boost_code EQUAL 0)
    message(WARNING "ThreadSanitizer: the tests of the runtime are left out, ${boost_uri} could not be had: ${boost_why}")
    target_link_libraries(quern_fibers INTERFACE Boost::fiber Boost::context)
    return()
  endif()
endif()
file(READ ${boost_dir}/unpacked boost_libs)

set(boost_context_sources fiber continuation posix/stack_traits)
set(boost_fiber_sources
    algo/algorithm algo/round_robin algo/shared_work algo/work_stealing barrier condition_variable context fiber future mutex
    properties recursive_mutex recursive_timed_mutex scheduler timed_mutex waker)
list(TRANSFORM boost_context_sources PREPEND ${boost_libs}/context/src/)
list(TRANSFORM boost_fiber_sources PREPEND ${boost_libs}/fiber/src/)
set(boost_sources ${boost_context_sources} ${boost_fiber_sources})
list(TRANSFORM boost_sources APPEND .cpp)
add_library(quern_boost_fiber STATIC ${boost_sources})
target_compile_features(quern_boost_fiber PUBLIC cxx_std_20)
target_compile_definitions(
  quern_boost_fiber
  PUBLIC BOOST_USE_UCONTEXT BOOST_USE_TSAN
  PRIVATE BOOST_CONTEXT_SOURCE BOOST_FIBERS_SOURCE)
target_compile_options(quern_boost_fiber PRIVATE -w -fsanitize=${QUERN_SANITIZE} -fno-omit-frame-pointer)
target_link_libraries(quern_boost_fiber PUBLIC Boost::headers Threads::Threads)
target_link_libraries(quern_fibers INTERFACE quern_boost_fiber)
target_compile_options(quern_fibers INTERFACE -Wno-tsan)  # Boost's headers have a fence: tests/tsan.supp
set(QUERN_FIBERS_SANITIZED ON)
