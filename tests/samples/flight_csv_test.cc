#include "flights/flight_csv.h"

#include <gmock/gmock.h>
#include <zstd.h>

#include <fstream>
#include <iterator>

#include "flights/airports.h"
#include "flights/survey.h"
#include "temp_file.h"

namespace flights {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;

std::string Compress(std::string_view text) {
  std::string out(ZSTD_compressBound(text.size()), '\0');
  out.resize(ZSTD_compress(out.data(), out.size(), text.data(), text.size(), 3));
  return out;
}

struct AllRows {
  quern::Status status;
  std::vector<Flight> flights;
  MalformedRows malformed;
};

AllRows ReadAll(const std::string& path, FlightCsv::Options options = {}) {
  AllRows all;
  auto csv = FlightCsv::Open(path, options);
  all.status = csv.status();
  while (all.status.ok()) {
    auto flight = (*csv)->Next();
    all.status = flight.status();
    if (!flight.ok() || !flight->has_value()) break;
    all.flights.push_back(**flight);
  }
  if (csv.ok()) all.malformed = (*csv)->malformed();
  return all;
}

std::string Message(const quern::Status& status) { return std::string(status.message()); }

TEST(FlightCsvTest, JanuaryHoldsTheChecksumsOfItsReadme) {
  const AllRows january = ReadAll(kJanuary);

  int64_t delay_sum = 0;
  int64_t positive = 0;
  for (const Flight& flight : january.flights) {
    delay_sum += flight.delay_minutes;
    positive += flight.delay_minutes > 0 ? 1 : 0;
  }
  EXPECT_TRUE(january.status.ok()) << january.status;
  EXPECT_EQ(january.flights.size(), 508'239u);
  EXPECT_EQ(delay_sum, 3'221'712);
  EXPECT_EQ(positive, 232'661);
  EXPECT_EQ(january.flights.back().row, 508'239u);
  EXPECT_EQ(january.malformed.count, 0u);
}

TEST(FlightCsvTest, PlainAndCompressedFilesReadTheSame) {
  const std::string text = std::string(kFlightsHeader) +
                           "2001-01-01T00:01Z,33,2176,LAS,PHL\r\n2001-01-01T23:59Z,-7,215,ATL,SAV";
  TempFile plain("flights.csv", text);
  TempFile zstd("flights.csv.zst", Compress(text));

  for (const std::string& path : {plain.path(), zstd.path()}) {
    const AllRows all = ReadAll(path);
    ASSERT_TRUE(all.status.ok()) << all.status;
    ASSERT_EQ(all.flights.size(), 2u);
    EXPECT_EQ(all.flights[1].row, 2u);
    EXPECT_EQ(all.flights[1].hour, 23u);
    EXPECT_EQ(all.flights[1].delay_minutes, -7);
    EXPECT_EQ(all.flights[1].origin + all.flights[1].destination, "ATLSAV");
  }
}

TEST(FlightCsvTest, CountsMalformedRowsAndKeepsTheFirstThreeWithTheirLines) {
  TempFile file("flights.csv", std::string(kFlightsHeader) +
                                   "2001-01-01T00:01Z,33,2176,LAS,PHL\n"
                                   "2001-01-01T24:01Z,33,2176,LAS,PHL\n"
                                   "\n"
                                   "2001-01-01T00:01Z,late,2176,LAS,PHL\n"
                                   "2001-01-01T00:01Z,33,2176,LAS,phl\n"
                                   "2001-01-01T00:01Z,33,2176,LAS,PHL,9\n"
                                   "2001-01-01T05:01Z,1,2,SEA,PHL\n");

  const AllRows all = ReadAll(file.path());

  ASSERT_TRUE(all.status.ok());
  ASSERT_EQ(all.flights.size(), 2u);
  EXPECT_EQ(all.flights[1].row, 7u);
  EXPECT_EQ(all.malformed.count, 5u);
  ASSERT_EQ(all.malformed.first.size(), 3u);
  EXPECT_EQ(all.malformed.first[0].line, 3u);
  EXPECT_EQ(all.malformed.first[0].reason, "departure is not a time: \"2001-01-01T24:01Z\"");
  EXPECT_EQ(all.malformed.first[1].line, 4u);
  EXPECT_EQ(all.malformed.first[1].reason, "1 field instead of 5 in \"\"");
  EXPECT_EQ(all.malformed.first[2].reason, "delay is not a whole number: \"late\"");
}

TEST(FlightCsvTest, StrictStopsAtTheFirstMalformedRow) {
  TempFile file("flights.csv", std::string(kFlightsHeader) + "nonsense\n");

  const AllRows all = ReadAll(file.path(), {.strict = true});

  EXPECT_EQ(all.status.code(), absl::StatusCode::kInvalidArgument);
  EXPECT_THAT(Message(all.status), AllOf(HasSubstr(file.path() + ":2: "), HasSubstr("--strict")));
}

TEST(FlightCsvTest, RowLimitCountsDataRows) {
  const AllRows all = ReadAll(kJanuary, {.row_limit = 20'000});

  EXPECT_TRUE(all.status.ok());
  EXPECT_EQ(all.flights.size(), 20'000u);
}

TEST(FlightCsvTest, EveryUnreadableFileIsOneLineWithTheFix) {
  std::ifstream january(kJanuary, std::ios::binary);
  const std::string bytes((std::istreambuf_iterator<char>(january)), {});
  std::string damaged = bytes;
  damaged[damaged.size() / 2] = static_cast<char>(damaged[damaged.size() / 2] ^ 0x55);
  TempFile truncated("truncated.csv.zst", bytes.substr(0, bytes.size() / 2));
  TempFile flipped("flipped.csv.zst", damaged);
  TempFile misnamed("misnamed.csv.zst", kFlightsHeader);
  TempFile empty("empty.csv", "");
  TempFile other("other.csv", "iata,name\n");
  TempFile endless("endless.csv", std::string(kFlightsHeader) + std::string(100'000, 'x'));

  struct Case {
    std::string path;
    absl::StatusCode code;
    std::string says;
  };
  const Case cases[] = {
      {"no/such/file.csv", absl::StatusCode::kNotFound, "--data"},
      {truncated.path(), absl::StatusCode::kDataLoss, "it ends in the middle"},
      {flipped.path(), absl::StatusCode::kDataLoss, "zstd -t"},
      {misnamed.path(), absl::StatusCode::kDataLoss, "is not zstd"},
      {truncated.folder(), absl::StatusCode::kFailedPrecondition, "Is a directory"},
      {empty.path(), absl::StatusCode::kInvalidArgument, "first line must be"},
      {other.path(), absl::StatusCode::kInvalidArgument, "first line must be"},
      {endless.path(), absl::StatusCode::kDataLoss, "longer than 65536 bytes"},
  };
  for (const Case& c : cases) {
    const AllRows all = ReadAll(c.path);
    EXPECT_EQ(all.status.code(), c.code) << all.status;
    EXPECT_THAT(Message(all.status), HasSubstr(c.says));
    EXPECT_EQ(Message(all.status).find('\n'), std::string::npos);
  }
}

TEST(AirportsTest, TheBorderDecidesTheHome) {
  const auto at95 = Airports::Load(kAirportsFile, {});
  const auto at80 = Airports::Load(kAirportsFile, {.border_west = 80});

  ASSERT_TRUE(at95.ok() && at80.ok());
  EXPECT_EQ(at95->Home("LAX"), kWest);
  EXPECT_EQ(at95->Home("ORD"), kEast);
  EXPECT_EQ(at80->Home("ORD"), kWest);
  EXPECT_TRUE(at95->Knows("BTR"));  // a quoted name with a comma
  EXPECT_FALSE(at95->Knows("XQZ"));
}

TEST(AirportsTest, ARowThatIsNoAirportIsNamed) {
  TempFile file(
      "airports.csv",
      "iata,name,city,state,country,latitude,longitude\nAAA,a,b,c,d,1,2\nBBB,a,b,c,d,1,far\n");

  const auto airports = Airports::Load(file.path(), {});

  EXPECT_THAT(Message(airports.status()), HasSubstr(file.path() + ":3: not an airport"));
}

TEST(SurveyTest, JanuarySplitsAtTheBorderAsItsReadmeSays) {
  const auto airports = Airports::Load(kAirportsFile, {});

  const auto survey = TakeSurvey(kJanuary, {}, *airports);

  ASSERT_TRUE(survey.ok()) << survey.status();
  EXPECT_EQ(survey->stay_west, 150'273u);
  EXPECT_EQ(survey->stay_east, 238'380u);
  EXPECT_EQ(survey->cross, 119'586u);
  EXPECT_EQ(survey->airports.size(), 223u);
  EXPECT_EQ(survey->rows, 508'239u);
}

TEST(SurveyTest, AnUnknownAirportIsNamedWithItsLine) {
  const auto airports = Airports::Load(kAirportsFile, {});
  TempFile file("flights.csv", std::string(kFlightsHeader) + "2001-01-01T00:01Z,1,2,LAX,ORD\n" +
                                   "2001-01-01T00:01Z,1,2,LAX,XQZ\n");

  const auto survey = TakeSurvey(file.path(), {}, *airports);

  EXPECT_EQ(survey.status().code(), absl::StatusCode::kNotFound);
  EXPECT_THAT(
      Message(survey.status()),
      AllOf(HasSubstr(file.path() + ":3: unknown airport \"XQZ\""), HasSubstr("--airports")));
}

TEST(SurveyTest, AFileWithoutFlightsIsRefused) {
  const auto airports = Airports::Load(kAirportsFile, {});
  TempFile file("flights.csv", kFlightsHeader);

  EXPECT_EQ(TakeSurvey(file.path(), {}, *airports).status().code(),
            absl::StatusCode::kFailedPrecondition);
}

}  // namespace
}  // namespace flights
