// Package harness is what the peers in Go share: the options and the line of JSON that Quern's own
// programs have (bench/harness), a stopwatch, latencies, a count-down.
package harness

import (
	"encoding/json"
	"flag"
	"fmt"
	"os"
	"runtime"
	"sort"
	"strconv"
	"strings"
	"sync/atomic"
	"syscall"
	"time"
)

type Setup struct {
	Workers int
	Size    int64
}

type Outcome struct {
	Messages int64
	Took     Took
	Wrong    string
	Figures  map[string]float64
}

// Check keeps the first difference.
func (o *Outcome) Check(what string, found, wanted int64) {
	if found != wanted && o.Wrong == "" {
		o.Wrong = fmt.Sprintf("%s: %d, should be %d", what, found, wanted)
	}
}

type Workload struct {
	Name string
	Size int64
	Run  func(Setup) Outcome
	Cold bool // no warm-up: a fresh heap is what is measured
}

type Took struct{ Seconds, CPUSeconds float64 }

type Stopwatch struct {
	wall time.Time
	cpu  time.Duration
}

func usage() (cpu time.Duration, rssMax int64) {
	var u syscall.Rusage
	_ = syscall.Getrusage(syscall.RUSAGE_SELF, &u)
	return time.Duration(u.Utime.Nano() + u.Stime.Nano()), u.Maxrss * 1024
}

func Start() Stopwatch {
	cpu, _ := usage()
	return Stopwatch{time.Now(), cpu}
}

func (w Stopwatch) Stop() Took {
	wall := time.Since(w.wall)
	cpu, _ := usage()
	return Took{wall.Seconds(), (cpu - w.cpu).Seconds()}
}

// ResidentBytes is what the process keeps in memory after a collection.
func ResidentBytes() int64 {
	runtime.GC()
	text, _ := os.ReadFile("/proc/self/statm")
	pages, _ := strconv.ParseInt(strings.Fields(string(text))[1], 10, 64)
	return pages * int64(os.Getpagesize())
}

// Countdown wakes one waiter when it has been counted down.
type Countdown struct {
	left atomic.Int64
	done chan struct{}
}

func NewCountdown(count int64) *Countdown {
	c := &Countdown{done: make(chan struct{})}
	c.left.Store(count)
	return c
}

func (c *Countdown) One() {
	if c.left.Add(-1) == 0 {
		close(c.done)
	}
}

func (c *Countdown) Wait() { <-c.done }

// Latencies keeps every single one.
type Latencies []int64

func NewLatencies(expected int64) *Latencies {
	l := make(Latencies, expected)
	for i := range l {
		l[i] = 1 // touches the pages
	}
	l = l[:0]
	return &l
}

func (l *Latencies) Add(since time.Time) { *l = append(*l, time.Since(since).Nanoseconds()) }

func (l *Latencies) Figures() map[string]float64 {
	sort.Slice(*l, func(i, j int) bool { return (*l)[i] < (*l)[j] })
	at := func(share float64) float64 {
		if len(*l) == 0 {
			return 0
		}
		return float64((*l)[int(share*float64(len(*l)-1))])
	}
	return map[string]float64{"p50_ns": at(0.5), "p99_ns": at(0.99), "p999_ns": at(0.999)}
}

// Leaves brings a size down to a power of ten, as skynet needs it.
func Leaves(size int64) int64 {
	leaves := int64(10)
	for leaves*10 <= size {
		leaves *= 10
	}
	return leaves
}

// Random is xorshift64*.
type Random uint64

func (r *Random) Below(bound uint64) uint64 {
	*r ^= *r >> 12
	*r ^= *r << 25
	*r ^= *r >> 27
	return (uint64(*r) * 0x2545F4914F6CDD1D >> 11) % bound
}

func NewRandom(seed uint64) Random { return Random(seed*0x9E3779B97F4A7C15 + 0x2545F4914F6CDD1D) }

// Main runs the workload that the arguments name, and exits.
func Main(system string, workloads []Workload) {
	if len(os.Args) > 1 && os.Args[1] == "--list" {
		for _, w := range workloads {
			fmt.Println(w.Name, w.Size)
		}
		os.Exit(0)
	}
	if len(os.Args) < 2 {
		fmt.Fprintln(os.Stderr, "which workload? --list names them")
		os.Exit(2)
	}
	options := flag.NewFlagSet(system, flag.ExitOnError)
	size := options.Int64("size", 0, "")
	workers := options.Int("workers", 2, "")
	warmUps := options.Int("warm-up", 1, "")
	runs := options.Int("runs", 1, "")
	_ = options.Parse(os.Args[2:])
	runtime.GOMAXPROCS(*workers)
	for _, w := range workloads {
		if w.Name == os.Args[1] {
			os.Exit(run(system, w, Setup{*workers, *size}, *warmUps, *runs))
		}
	}
	fmt.Fprintf(os.Stderr, "no workload %q: --list names them\n", os.Args[1])
	os.Exit(2)
}

func run(system string, w Workload, setup Setup, warmUps, runs int) int {
	if setup.Size == 0 {
		setup.Size = w.Size
	}
	if !w.Cold {
		for i := 0; i < warmUps; i++ {
			w.Run(Setup{setup.Workers, max(1, setup.Size/10)})
		}
	}
	code := 0
	for i := 0; i < runs; i++ {
		outcome := w.Run(setup)
		if outcome.Wrong != "" {
			code = 1
		}
		print(system, w.Name, setup, outcome)
	}
	return code
}

func print(system, name string, setup Setup, outcome Outcome) {
	_, rss := usage()
	line := map[string]any{
		"system": system, "workload": name, "workers": setup.Workers, "size": setup.Size,
		"messages": outcome.Messages, "seconds": outcome.Took.Seconds,
		"cpu_seconds": outcome.Took.CPUSeconds, "rss_bytes": rss, "ok": outcome.Wrong == "",
	}
	if outcome.Wrong != "" {
		line["wrong"] = outcome.Wrong
	}
	for key, value := range outcome.Figures {
		line[key] = value
	}
	text, _ := json.Marshal(line)
	fmt.Println(string(text))
}
