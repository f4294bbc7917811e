package harness

import (
	"math/bits"
	"sync/atomic"
	"time"
)

// Histogram counts durations to within 1.6 %, as bench/harness does in C++.
type Histogram struct {
	counts [fine * 32]uint64
	count  uint64
	max    uint64
}

const (
	fineBits = 6
	fine     = 1 << fineBits
	highest  = 60_000_000_000
)

func bucketOf(value uint64) uint64 {
	if value < fine {
		return value
	}
	shift := uint64(bits.Len64(value)) - 1 - fineBits
	return fine*shift + value>>shift
}

func highestIn(bucket uint64) uint64 {
	if bucket < 2*fine {
		return bucket
	}
	shift := bucket/fine - 1
	return (bucket-shift*fine+1)<<shift - 1
}

func (h *Histogram) Add(nanoseconds int64) {
	value := uint64(min(max(nanoseconds, 0), highest))
	h.counts[bucketOf(value)]++
	h.count++
	h.max = max(h.max, value)
}

func (h *Histogram) Merge(other *Histogram) {
	for i, count := range other.counts {
		h.counts[i] += count
	}
	h.count += other.count
	h.max = max(h.max, other.max)
}

func (h *Histogram) Quantile(share float64) float64 {
	wanted, seen := uint64(share*float64(h.count)), uint64(0)
	for i, count := range h.counts {
		seen += count
		if seen > wanted || seen == h.count && seen != 0 {
			return float64(min(highestIn(uint64(i)), h.max))
		}
	}
	return 0
}

// Askers is how many actors ask, each an echo of its own.
const Askers = 16

const (
	underWayMax = 64
	atOnce      = 16
)

// AskLoad is bench/harness/include/quern/bench/ask_load.h: asks by a schedule that does not wait
// for the answers, at a share of the peak that the same pump measures first.
type AskLoad struct {
	start         time.Time
	share, peak   float64
	distance      float64
	wanted        int64
	begin         int64
	fired, before int64
	count         int64
	loading       bool
	watch         Stopwatch
	took          Took
	lines         [Askers]struct {
		histogram Histogram
		answered  atomic.Int64
		_         [128]byte
	}
}

// NewAskLoad lasts setup.Size milliseconds, and half of that for the peak.
func NewAskLoad(setup Setup, share float64) *AskLoad {
	return &AskLoad{start: time.Now(), share: share, wanted: setup.Size * 1_000_000, begin: -1}
}

func (l *AskLoad) now() int64 { return time.Since(l.start).Nanoseconds() }

// Answered belongs to one asker.
func (l *AskLoad) Answered(asker int, scheduled int64) {
	line := &l.lines[asker]
	line.histogram.Add(l.now() - scheduled)
	line.answered.Add(1)
}

func (l *AskLoad) sum() (sum int64) {
	for i := range l.lines {
		sum += l.lines[i].answered.Load()
	}
	return
}

func (l *AskLoad) fire(scheduled int64, fire func(int, int64)) {
	fire(int(l.fired%Askers), scheduled)
	l.fired++
}

// Pump fires what is due, a few at most. False: all has been answered.
func (l *AskLoad) Pump(fire func(asker int, scheduled int64)) bool {
	now := l.now()
	if l.begin < 0 {
		l.begin = now
	}
	if l.loading {
		return l.pumpLoad(now, fire)
	}
	if now < l.begin+max(l.wanted/2, 1_000_000) {
		for i := 0; i < atOnce && l.fired-l.sum() < underWayMax; i++ {
			l.fire(now, fire)
		}
	} else if l.sum() == l.fired {
		l.beginLoad(float64(l.fired) * 1e9 / float64(now-l.begin))
	}
	return true
}

func (l *AskLoad) beginLoad(peak float64) {
	for i := range l.lines {
		l.lines[i].histogram = Histogram{}
	}
	l.peak, l.distance = peak, 1e9/(peak*l.share)
	l.count = max(1, int64(float64(l.wanted)/l.distance))
	l.before, l.loading = l.fired, true
	l.watch = Start()
	l.begin = l.now()
}

func (l *AskLoad) pumpLoad(now int64, fire func(int, int64)) bool {
	for i := 0; i < atOnce && l.fired < l.before+l.count; i++ {
		due := l.begin + int64(l.distance*float64(l.fired-l.before))
		if now < due {
			return true
		}
		l.fire(due, fire)
	}
	if l.fired < l.before+l.count || l.sum() < l.fired {
		return true
	}
	l.took = l.watch.Stop()
	return false
}

// Result is there once Pump has returned false.
func (l *AskLoad) Result() Outcome {
	var all Histogram
	for i := range l.lines {
		all.Merge(&l.lines[i].histogram)
	}
	outcome := Outcome{Messages: l.count, Took: l.took}
	outcome.Figures = map[string]float64{"p50_ns": all.Quantile(0.5), "p99_ns": all.Quantile(0.99),
		"p999_ns": all.Quantile(0.999), "max_ns": float64(all.max), "peak": l.peak, "load": l.share}
	outcome.Check("answers", int64(all.count), l.count)
	return outcome
}
