#include "frame/frame.h"

#include <string>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "quern/runtime/random.h"

namespace quern::remoting {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;

// Writes down what it hears: "3@1 body".
struct Recorder final : public FrameSink {
  CloseReason OnFrameHeader(const FrameHeader& header) override {
    headers.push_back(header.bytes);
    return refuse;
  }
  CloseReason OnFrame(const FrameHeader& header, std::string_view body) override {
    frames.push_back(std::to_string(static_cast<int>(header.type)) + "@" +
                     std::to_string(header.lane) + " " + std::string(body));
    return CloseReason::kNone;
  }
  std::vector<uint32_t> headers;
  std::vector<std::string> frames;
  CloseReason refuse = CloseReason::kNone;
};

std::string Frame(FrameType type, uint16_t lane, const std::string& body) {
  std::string out;
  const size_t begin = BeginFrame(&out);
  out += body;
  EndFrame(begin, type, lane, &out);
  return out;
}

std::string RawHeader(uint32_t bytes, uint8_t type, uint8_t flags, uint16_t lane) {
  std::string out;
  for (int i = 0; i < 4; ++i) out.push_back(static_cast<char>(bytes >> (8 * i)));
  out.push_back(static_cast<char>(type));
  out.push_back(static_cast<char>(flags));
  out.push_back(static_cast<char>(lane));
  out.push_back(static_cast<char>(lane >> 8));
  return out;
}

TEST(FrameTest, HeaderIsLittleEndianAndCountsItself) {
  const std::string frame = Frame(FrameType::kUserBatch, 0x0102, "abc");

  EXPECT_EQ(frame, std::string("\x0b\0\0\0\x03\0\x02\x01", 8) + "abc");
}

TEST(FrameDecoderTest, FramesComeOutWhereverTheBytesAreCut) {
  const std::string stream =
      Frame(FrameType::kPing, 0, "") + Frame(FrameType::kUserBatch, 1, "one") +
      Frame(FrameType::kSystemBatch, 0, std::string(300, 'x')) + Frame(FrameType::kPong, 1, "");
  for (size_t piece = 1; piece <= stream.size(); ++piece) {
    FrameDecoder decoder;
    Recorder sink;

    for (size_t at = 0; at < stream.size(); at += piece) {
      ASSERT_EQ(decoder.Feed(std::string_view(stream).substr(at, piece), sink), CloseReason::kNone);
    }

    ASSERT_THAT(sink.frames, ElementsAre("6@0 ", "3@1 one", "5@0 " + std::string(300, 'x'), "7@1 "))
        << "pieces of " << piece;
    EXPECT_FALSE(decoder.in_frame());
  }
}

TEST(FrameDecoderTest, ADeclaredLengthAllocatesNothing) {
  FrameDecoder decoder;
  Recorder sink;

  EXPECT_EQ(decoder.Feed(RawHeader(limits::kFrameBytesMax, 3, 0, 1), sink), CloseReason::kNone);

  EXPECT_TRUE(decoder.in_frame());
  EXPECT_LT(decoder.held_capacity(), 64u);
}

TEST(FrameDecoderTest, ABufferGrowsWithWhatWasReceived) {
  FrameDecoder decoder;
  Recorder sink;
  const std::string received(10000, 'x');

  EXPECT_EQ(decoder.Feed(RawHeader(limits::kFrameBytesMax, 3, 0, 1), sink), CloseReason::kNone);
  EXPECT_EQ(decoder.Feed(received, sink), CloseReason::kNone);

  EXPECT_EQ(decoder.bytes_in_frame(), 10008u);
  EXPECT_LE(decoder.held_capacity(), 2 * 10008u);
}

TEST(FrameDecoderTest, ALargeBufferIsGivenBack) {
  FrameDecoder decoder;
  Recorder sink;
  const std::string frame = Frame(FrameType::kUserBatch, 1, std::string(1 << 20, 'x'));

  EXPECT_EQ(decoder.Feed(frame.substr(0, 1000), sink), CloseReason::kNone);
  EXPECT_EQ(decoder.Feed(frame.substr(1000), sink), CloseReason::kNone);

  EXPECT_EQ(sink.frames.size(), 1u);
  EXPECT_LT(decoder.held_capacity(), 64u);
}

struct BadHeader {
  const char* what;
  std::string bytes;
  CloseReason reason;
};

TEST(FrameDecoderTest, BadHeadersAreRefusedWithTheirReason) {
  const BadHeader kBad[] = {
      {"length zero", RawHeader(0, 3, 0, 1), CloseReason::kMalformedFrame},
      {"shorter than its header", RawHeader(7, 3, 0, 1), CloseReason::kMalformedFrame},
      {"all ones", RawHeader(0xFFFFFFFF, 3, 0, 1), CloseReason::kFrameTooLarge},
      {"one over the limit", RawHeader(limits::kFrameBytesMax + 1, 3, 0, 1),
       CloseReason::kFrameTooLarge},
      {"unknown type", RawHeader(8, 99, 0, 1), CloseReason::kUnexpectedFrame},
      {"type zero", RawHeader(8, 0, 0, 1), CloseReason::kUnexpectedFrame},
      {"reserved flag", RawHeader(8, 3, 0x80, 1), CloseReason::kMalformedFrame},
      {"compressed, which nobody agreed on", RawHeader(8, 3, kFlagCompressed, 1),
       CloseReason::kMalformedFrame},
      {"too large although ignorable", RawHeader(0xFFFFFFFF, 99, kFlagIgnorable, 1),
       CloseReason::kFrameTooLarge},
  };
  for (const BadHeader& bad : kBad) {
    for (size_t piece : {size_t{1}, size_t{8}}) {
      FrameDecoder decoder;
      Recorder sink;
      CloseReason reason = CloseReason::kNone;
      for (size_t at = 0; at < bad.bytes.size() && reason == CloseReason::kNone; at += piece) {
        reason = decoder.Feed(std::string_view(bad.bytes).substr(at, piece), sink);
      }
      EXPECT_EQ(reason, bad.reason) << bad.what << " in pieces of " << piece;
      EXPECT_THAT(sink.frames, IsEmpty()) << bad.what;
    }
  }
}

TEST(FrameDecoderTest, AnUnknownFrameIsSkippedWhenItSaysSo) {
  std::string unknown = RawHeader(8 + 5000, 99, kFlagIgnorable, 1) + std::string(5000, 'u');
  const std::string empty = RawHeader(8, 98, kFlagIgnorable, 1);
  const std::string stream =
      unknown + Frame(FrameType::kPing, 1, "") + empty + unknown + Frame(FrameType::kPong, 1, "");
  for (size_t piece : {size_t{1}, size_t{3}, size_t{4096}, stream.size()}) {
    FrameDecoder decoder;
    Recorder sink;

    for (size_t at = 0; at < stream.size(); at += piece) {
      ASSERT_EQ(decoder.Feed(std::string_view(stream).substr(at, piece), sink), CloseReason::kNone);
      EXPECT_LT(decoder.held_capacity(), 64u);
    }

    EXPECT_THAT(sink.frames, ElementsAre("6@1 ", "7@1 ")) << "pieces of " << piece;
  }
}

TEST(FrameDecoderTest, TheSinkRefusesAHeaderBeforeItsBodyIsKept) {
  FrameDecoder decoder;
  Recorder sink;
  sink.refuse = CloseReason::kHandshakeTooLarge;

  EXPECT_EQ(decoder.Feed(RawHeader(5000, 1, 0, 1), sink), CloseReason::kHandshakeTooLarge);

  EXPECT_THAT(sink.headers, ElementsAre(5000u));
}

}  // namespace
}  // namespace quern::remoting
