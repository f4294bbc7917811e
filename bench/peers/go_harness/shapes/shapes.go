// Package shapes has the whole workloads for systems in Go that say how they spawn, tell and ask.
package shapes

import (
	"sync/atomic"
	"time"

	"quern/bench/harness"
)

// Context is what an actor may do in its turn; R is the system's handle of an actor.
type Context[R any] interface {
	Self() R
	Tell(to R, message any)
	Ask(to R, message any) any
	Reply(message any)
	Spawn(Actor[R]) R
	Stop()
}

type Actor[R any] interface {
	Receive(ctx Context[R], message any)
}

// System is what a goroutine that is no actor's may do.
type System[R any] interface {
	Spawn(Actor[R]) R
	Tell(to R, message any)
	Ask(to R, message any) any
	Stop()
}

type number int64
type started struct{}
type follow[R any] struct{ next R }
type ping struct{ from int }
type pong struct{}
type grow[R any] struct {
	parent        R
	first, leaves int64
}

// Started is what a system tells an actor first.
var Started any = started{}

type player[R any] struct {
	next     R
	handled  int64
	finished *harness.Countdown
}

func (p *player[R]) Receive(ctx Context[R], message any) {
	switch m := message.(type) {
	case number:
		p.handled++
		if m == 1 {
			p.finished.One()
			return
		}
		ctx.Tell(p.next, m-1)
	case follow[R]:
		p.next = m.next
	}
}

func rings[R any](s System[R], count, length int, balls int64) harness.Outcome {
	finished := harness.NewCountdown(int64(count))
	var players []*player[R]
	var refs []R
	for i := 0; i < count*length; i++ {
		players = append(players, &player[R]{finished: finished})
		refs = append(refs, s.Spawn(players[i]))
	}
	for i, ref := range refs {
		next := i + 1
		if next%length == 0 {
			next -= length
		}
		s.Tell(ref, follow[R]{refs[next]})
	}
	watch := harness.Start()
	for i := 0; i < count; i++ {
		s.Tell(refs[i*length], number(balls))
	}
	finished.Wait()
	outcome := harness.Outcome{Messages: int64(count) * balls, Took: watch.Stop()}
	s.Stop()
	var handled int64
	for _, p := range players {
		handled += p.handled
	}
	outcome.Check("messages handled", handled, outcome.Messages)
	return outcome
}

type sink[R any] struct {
	left, sum int64
	finished  *harness.Countdown
}

func (s *sink[R]) Receive(_ Context[R], message any) {
	if m, ok := message.(number); ok {
		s.sum += int64(m)
		if s.left--; s.left == 0 {
			s.finished.One()
		}
	}
}

type producer[R any] struct{ sink R }

func (p *producer[R]) Receive(ctx Context[R], message any) {
	if m, ok := message.(number); ok {
		for i := number(1); i <= m; i++ {
			ctx.Tell(p.sink, i)
		}
	}
}

func fanIn[R any](s System[R], size, producers int64) harness.Outcome {
	each := max(1, size/producers)
	finished := harness.NewCountdown(1)
	counting := &sink[R]{left: producers * each, finished: finished}
	target := s.Spawn(counting)
	var sources []R
	for i := int64(0); i < producers; i++ {
		sources = append(sources, s.Spawn(&producer[R]{target}))
	}
	watch := harness.Start()
	for _, source := range sources {
		s.Tell(source, number(each))
	}
	finished.Wait()
	outcome := harness.Outcome{Messages: producers * each, Took: watch.Stop()}
	s.Stop()
	outcome.Check("sum received", counting.sum, producers*each*(each+1)/2)
	return outcome
}

type member[R any] struct {
	index         int
	all           *[]R
	left, handled int64
	random        harness.Random
	finished      *harness.Countdown
}

func (b *member[R]) Receive(ctx Context[R], message any) {
	switch m := message.(type) {
	case ping:
		b.handled++
		ctx.Tell((*b.all)[m.from], pong{})
	case pong:
		b.handled++
		if b.left--; b.left < 0 {
			b.finished.One()
			return
		}
		ctx.Tell((*b.all)[b.random.Below(uint64(len(*b.all)))], ping{b.index})
	}
}

func big[R any](s System[R], pings int64) harness.Outcome {
	const actors = 120
	finished := harness.NewCountdown(actors)
	var members []*member[R]
	var all []R
	for i := 0; i < actors; i++ {
		random := harness.NewRandom(uint64(i))
		members = append(members, &member[R]{index: i, all: &all, left: pings, random: random, finished: finished})
		all = append(all, s.Spawn(members[i]))
	}
	watch := harness.Start()
	for _, ref := range all {
		s.Tell(ref, pong{})
	}
	finished.Wait()
	outcome := harness.Outcome{Messages: 2 * actors * pings, Took: watch.Stop()}
	s.Stop()
	var handled int64
	for _, m := range members {
		handled += m.handled
	}
	outcome.Check("messages handled", handled, outcome.Messages+actors)
	return outcome
}

type dayfly[R any] struct{ *maker[R] }

func (d dayfly[R]) Receive(ctx Context[R], message any) {
	if m, ok := message.(number); ok {
		d.sum.Add(int64(m))
		d.finished.One()
		ctx.Stop()
	}
}

type maker[R any] struct {
	sum      atomic.Int64
	finished *harness.Countdown
}

func (k *maker[R]) Receive(ctx Context[R], message any) {
	if m, ok := message.(number); ok {
		for i := number(1); i <= m; i++ {
			ctx.Tell(ctx.Spawn(dayfly[R]{k}), i)
		}
	}
}

func create[R any](s System[R], size int64) harness.Outcome {
	makes := &maker[R]{finished: harness.NewCountdown(size)}
	ref := s.Spawn(makes)
	watch := harness.Start()
	s.Tell(ref, number(size))
	makes.finished.Wait()
	outcome := harness.Outcome{Messages: size, Took: watch.Stop()}
	outcome.Check("sum received", makes.sum.Load(), size*(size+1)/2)
	return outcome
}

type node[R any] struct {
	parent  R
	sum     number
	answers int
}

func (n *node[R]) Receive(ctx Context[R], message any) {
	switch m := message.(type) {
	case grow[R]:
		n.parent = m.parent
		if m.leaves == 1 {
			ctx.Tell(m.parent, number(m.first))
			ctx.Stop()
			return
		}
		each := m.leaves / 10
		for i := int64(0); i < 10; i++ {
			ctx.Tell(ctx.Spawn(&node[R]{}), grow[R]{ctx.Self(), m.first + i*each, each})
		}
	case number:
		n.sum += m
		if n.answers++; n.answers == 10 {
			ctx.Tell(n.parent, n.sum)
			ctx.Stop()
		}
	}
}

func skynet[R any](s System[R], size int64) harness.Outcome {
	leaves := harness.Leaves(size)
	above := &sink[R]{left: 1, finished: harness.NewCountdown(1)}
	parent := s.Spawn(above)
	watch := harness.Start()
	s.Tell(s.Spawn(&node[R]{}), grow[R]{parent, 0, leaves})
	above.finished.Wait()
	outcome := harness.Outcome{Messages: leaves, Took: watch.Stop()}
	outcome.Check("sum of leaves", above.sum, leaves*(leaves-1)/2)
	return outcome
}

type idle[R any] struct{ started *harness.Countdown }

func (i *idle[R]) Receive(_ Context[R], message any) {
	if message == Started {
		i.started.One()
	}
}

func idleActors[R any](s System[R], size int64) harness.Outcome {
	fill := func(count int64) {
		all := harness.NewCountdown(count)
		for i := int64(0); i < count; i++ {
			s.Spawn(&idle[R]{all})
		}
		all.Wait()
	}
	fill(1000)
	before := harness.ResidentBytes()
	watch := harness.Start()
	fill(size)
	outcome := harness.Outcome{Messages: size, Took: watch.Stop()}
	bytes := harness.ResidentBytes() - before
	outcome.Figures = map[string]float64{"bytes_each": float64(bytes) / float64(size)}
	return outcome
}

type echo[R any] struct{}

func (echo[R]) Receive(ctx Context[R], message any) {
	if m, ok := message.(number); ok {
		ctx.Reply(m + 1)
	}
}

type asker[R any] struct {
	echo      R
	right     int64
	latencies *harness.Latencies
	finished  *harness.Countdown
}

func (a *asker[R]) ask(count number, one func(number) any) {
	for i := number(0); i < count; i++ {
		before := time.Now()
		answer := one(i)
		a.latencies.Add(before)
		if answer == i+1 {
			a.right++
		}
	}
}

func (a *asker[R]) Receive(ctx Context[R], message any) {
	if m, ok := message.(number); ok {
		a.ask(m, func(i number) any { return ctx.Ask(a.echo, i) })
		a.finished.One()
	}
}

func ask[R any](s System[R], size int64, fromActor bool) harness.Outcome {
	asking := &asker[R]{echo: s.Spawn(echo[R]{}), latencies: harness.NewLatencies(size), finished: harness.NewCountdown(1)}
	ref := s.Spawn(asking)
	watch := harness.Start()
	if fromActor {
		s.Tell(ref, number(size))
		asking.finished.Wait()
	} else {
		asking.ask(number(size), func(i number) any { return s.Ask(asking.echo, i) })
	}
	outcome := harness.Outcome{Messages: size, Took: watch.Stop(), Figures: asking.latencies.Figures()}
	s.Stop()
	outcome.Check("right answers", asking.right, size)
	return outcome
}

// Workloads of a system that `start` starts anew for each run.
func Workloads[R any](start func() System[R]) []harness.Workload {
	of := func(name string, size int64, run func(System[R], int64) harness.Outcome) harness.Workload {
		return harness.Workload{Name: name, Size: size, Cold: name == "idle-actors",
			Run: func(setup harness.Setup) harness.Outcome { return run(start(), setup.Size) }}
	}
	return []harness.Workload{
		of("ping-pong", 1_000_000, func(s System[R], n int64) harness.Outcome { return rings(s, 1, 2, n) }),
		of("ping-pong-1000", 1_000, func(s System[R], n int64) harness.Outcome { return rings(s, 1000, 2, n) }),
		of("fan-in-1", 4_000_000, func(s System[R], n int64) harness.Outcome { return fanIn(s, n, 1) }),
		of("fan-in-8", 4_000_000, func(s System[R], n int64) harness.Outcome { return fanIn(s, n, 8) }),
		of("thread-ring", 1_000_000, func(s System[R], n int64) harness.Outcome { return rings(s, 1, 1000, n) }),
		of("big", 5_000, big[R]),
		of("create", 200_000, create[R]),
		of("skynet", 100_000, skynet[R]),
		of("idle-actors", 300_000, idleActors[R]),
		of("ask", 300_000, func(s System[R], n int64) harness.Outcome { return ask(s, n, true) }),
		of("ask-thread", 300_000, func(s System[R], n int64) harness.Outcome { return ask(s, n, false) }),
	}
}
