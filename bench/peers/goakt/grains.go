package main

import (
	"context"
	"strconv"
	"sync"
	"time"

	"github.com/tochemey/goakt/v4/actor"

	"quern/bench/harness"
)

type total struct{}

type tally struct{ sum number }

func (*tally) OnActivate(context.Context, *actor.GrainProps) error   { return nil }
func (*tally) OnDeactivate(context.Context, *actor.GrainProps) error { return nil }

func (t *tally) OnReceive(ctx *actor.GrainContext) {
	switch m := ctx.Message().(type) {
	case number:
		t.sum += m
		ctx.NoErr()
	case total:
		ctx.Response(t.sum)
	default:
		ctx.Unhandled()
	}
}

func (s system) grains(count int64) []*actor.GrainIdentity {
	var all []*actor.GrainIdentity
	for i := int64(0); i < count; i++ {
		identity := must(s.GrainIdentity(background, strconv.FormatInt(i, 10),
			func(context.Context) (actor.Grain, error) { return &tally{}, nil }, actor.WithLongLivedGrain()))
		all = append(all, identity)
		must(s.AskGrain(background, identity, total{}, patience)) // active before the clock starts
	}
	return all
}

// Two goroutines tell; a tell returns when the grain has handled it.
func tellGrains(setup harness.Setup, count int64) harness.Outcome {
	const tellers = 2
	rounds := max(1, setup.Size/(tellers*count))
	s := start()
	all := s.grains(count)
	var told sync.WaitGroup
	watch := harness.Start()
	for i := 0; i < tellers; i++ {
		told.Add(1)
		go func() {
			defer told.Done()
			for round := int64(0); round < rounds; round++ {
				for _, identity := range all {
					check(s.TellGrain(background, identity, number(1)))
				}
			}
		}()
	}
	told.Wait()
	outcome := harness.Outcome{Messages: tellers * rounds * count, Took: watch.Stop()}
	var sum number
	for _, identity := range all {
		sum += must(s.AskGrain(background, identity, total{}, patience)).(number)
	}
	s.stop()
	outcome.Check("sum received", int64(sum), outcome.Messages)
	return outcome
}

func grainTell1(setup harness.Setup) harness.Outcome   { return tellGrains(setup, 1) }
func grainTell256(setup harness.Setup) harness.Outcome { return tellGrains(setup, 256) }

func grainAsk(setup harness.Setup) harness.Outcome {
	s := start()
	identity := s.grains(1)[0]
	latencies := harness.NewLatencies(setup.Size)
	watch := harness.Start()
	for i := int64(0); i < setup.Size; i++ {
		before := time.Now()
		must(s.AskGrain(background, identity, total{}, patience))
		latencies.Add(before)
	}
	outcome := harness.Outcome{Messages: setup.Size, Took: watch.Stop(), Figures: latencies.Figures()}
	s.stop()
	return outcome
}

func main() {
	harness.Main("goakt", []harness.Workload{
		{Name: "ping-pong", Size: 5_000_000, Run: pingPong},
		{Name: "ping-pong-1000", Size: 1_000, Run: pingPong1000},
		{Name: "fan-in-1", Size: 4_000_000, Run: fanIn1},
		{Name: "fan-in-8", Size: 4_000_000, Run: fanIn8},
		{Name: "thread-ring", Size: 5_000_000, Run: threadRing},
		{Name: "big", Size: 20_000, Run: big},
		{Name: "create", Size: 20_000, Run: create},
		{Name: "skynet", Size: 10_000, Run: skynet},
		{Name: "idle-actors", Size: 50_000, Run: idleActors, Cold: true},
		{Name: "ask", Size: 1_000_000, Run: ask},
		{Name: "ask-thread", Size: 1_000_000, Run: askThread},
		{Name: "ask-load-10", Size: 1_000, Run: askLoad(0.1)},
		{Name: "ask-load-50", Size: 1_000, Run: askLoad(0.5)},
		{Name: "ask-load-80", Size: 1_000, Run: askLoad(0.8)},
		{Name: "grain-tell-1", Size: 1_000_000, Run: grainTell1},
		{Name: "grain-tell-256", Size: 1_000_000, Run: grainTell256},
		{Name: "grain-ask", Size: 1_000_000, Run: grainAsk},
	})
}
