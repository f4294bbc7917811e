// A file with given bytes in a folder of its own, gone with the object.

#ifndef QUERN_TESTS_SAMPLES_TEMP_FILE_H_
#define QUERN_TESTS_SAMPLES_TEMP_FILE_H_

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <string>
#include <string_view>

#include <gtest/gtest.h>

namespace flights {

class TempFile {
 public:
  TempFile(std::string_view name, std::string_view bytes) {
    std::string pattern = ::testing::TempDir() + "flights-XXXXXX";
    folder_ = ::mkdtemp(pattern.data());
    path_ = folder_ + "/" + std::string(name);
    std::ofstream(path_, std::ios::binary) << bytes;
  }
  ~TempFile() { std::filesystem::remove_all(folder_); }
  TempFile(const TempFile&) = delete;
  TempFile& operator=(const TempFile&) = delete;

  const std::string& path() const { return path_; }
  const std::string& folder() const { return folder_; }

 private:
  std::string folder_;
  std::string path_;
};

inline const std::string kDataDir = FLIGHTS_DATA_DIR;
inline const std::string kJanuary = kDataDir + "/flights-2001-01.csv.zst";
inline const std::string kAirportsFile = kDataDir + "/airports.csv";

inline constexpr std::string_view kFlightsHeader =
    "departure,delay_minutes,distance_miles,origin,destination\n";

}  // namespace flights

#endif  // QUERN_TESTS_SAMPLES_TEMP_FILE_H_
