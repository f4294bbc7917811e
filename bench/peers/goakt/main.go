// Goakt's whole workloads: the shapes and sizes of Quern's, its default dispatcher, long-lived
// actors. What costs it much (spawning) is done at a smaller size.
package main

import (
	"context"
	"strconv"
	"sync/atomic"
	"time"

	"github.com/tochemey/goakt/v4/actor"
	"github.com/tochemey/goakt/v4/log"

	"quern/bench/harness"
)

var background = context.Background()

const patience = time.Minute

func must[T any](value T, err error) T {
	if err != nil {
		panic(err)
	}
	return value
}

func check(err error) {
	if err != nil {
		panic(err)
	}
}

type system struct{ actor.ActorSystem }

func start() system {
	s := must(actor.NewActorSystem("bench", actor.WithLogger(log.DiscardLogger),
		actor.WithActorInitMaxRetries(1)))
	check(s.Start(background))
	return system{s}
}

func (s system) spawn(name string, a actor.Actor) *actor.PID {
	return must(s.Spawn(background, name, a, actor.WithLongLived()))
}

func (s system) stop() { check(s.Stop(background)) }

func tell(to *actor.PID, message any) { check(actor.Tell(background, to, message)) }

// base has the hooks that no workload needs.
type base struct{}

func (base) PreStart(*actor.Context) error { return nil }
func (base) PostStop(*actor.Context) error { return nil }

type number int64

// player throws the ball to the next, and counts.
type player struct {
	base
	next     *actor.PID
	handled  int64
	finished *harness.Countdown
}

type follow struct{ next *actor.PID }

func (p *player) Receive(ctx *actor.ReceiveContext) {
	switch m := ctx.Message().(type) {
	case number:
		p.handled++
		if m == 1 {
			p.finished.One()
			return
		}
		ctx.Tell(p.next, m-1)
	case *follow:
		p.next = m.next
	}
}

// rings of `length` players, one ball each.
func rings(count, length int, balls int64) harness.Outcome {
	s := start()
	finished := harness.NewCountdown(int64(count))
	var players []*player
	var pids []*actor.PID
	for i := 0; i < count*length; i++ {
		p := &player{finished: finished}
		players = append(players, p)
		pids = append(pids, s.spawn("player-"+strconv.Itoa(i), p))
	}
	for i, pid := range pids {
		next := i + 1
		if next%length == 0 {
			next -= length
		}
		tell(pid, &follow{pids[next]})
	}
	watch := harness.Start()
	for i := 0; i < count; i++ {
		tell(pids[i*length], number(balls))
	}
	finished.Wait()
	outcome := harness.Outcome{Messages: int64(count) * balls, Took: watch.Stop()}
	s.stop()
	var handled int64
	for _, p := range players {
		handled += p.handled
	}
	outcome.Check("messages handled", handled, outcome.Messages)
	return outcome
}

func pingPong(setup harness.Setup) harness.Outcome     { return rings(1, 2, setup.Size) }
func pingPong1000(setup harness.Setup) harness.Outcome { return rings(1000, 2, setup.Size) }
func threadRing(setup harness.Setup) harness.Outcome   { return rings(1, 1000, setup.Size) }

type sink struct {
	base
	left, sum int64
	finished  *harness.Countdown
}

func (s *sink) Receive(ctx *actor.ReceiveContext) {
	if m, ok := ctx.Message().(number); ok {
		s.sum += int64(m)
		if s.left--; s.left == 0 {
			s.finished.One()
		}
	}
}

type producer struct {
	base
	sink *actor.PID
}

func (p *producer) Receive(ctx *actor.ReceiveContext) {
	if m, ok := ctx.Message().(number); ok {
		for i := number(1); i <= m; i++ {
			ctx.Tell(p.sink, i)
		}
	}
}

func fanIn(setup harness.Setup, producers int64) harness.Outcome {
	each := max(1, setup.Size/producers)
	s := start()
	finished := harness.NewCountdown(1)
	counting := &sink{left: producers * each, finished: finished}
	target := s.spawn("sink", counting)
	var sources []*actor.PID
	for i := int64(0); i < producers; i++ {
		sources = append(sources, s.spawn("producer-"+strconv.FormatInt(i, 10), &producer{sink: target}))
	}
	watch := harness.Start()
	for _, source := range sources {
		tell(source, number(each))
	}
	finished.Wait()
	outcome := harness.Outcome{Messages: producers * each, Took: watch.Stop()}
	s.stop()
	outcome.Check("sum received", counting.sum, producers*each*(each+1)/2)
	return outcome
}

func fanIn1(setup harness.Setup) harness.Outcome { return fanIn(setup, 1) }
func fanIn8(setup harness.Setup) harness.Outcome { return fanIn(setup, 8) }

type ping struct{ from int }
type pong struct{}

type member struct {
	base
	index    int
	all      *[]*actor.PID
	left     int64
	handled  int64
	random   harness.Random
	finished *harness.Countdown
}

func (b *member) Receive(ctx *actor.ReceiveContext) {
	switch m := ctx.Message().(type) {
	case ping:
		b.handled++
		ctx.Tell((*b.all)[m.from], pong{})
	case pong:
		b.handled++
		if b.left == 0 {
			b.left--
			b.finished.One()
			return
		}
		b.left--
		ctx.Tell((*b.all)[b.random.Below(uint64(len(*b.all)))], ping{b.index})
	}
}

func big(setup harness.Setup) harness.Outcome {
	const actors = 120
	s := start()
	finished := harness.NewCountdown(actors)
	var members []*member
	var all []*actor.PID
	for i := 0; i < actors; i++ {
		m := &member{index: i, all: &all, left: setup.Size, random: harness.NewRandom(uint64(i)), finished: finished}
		members = append(members, m)
		all = append(all, s.spawn("member-"+strconv.Itoa(i), m))
	}
	watch := harness.Start()
	for _, pid := range all {
		tell(pid, pong{})
	}
	finished.Wait()
	outcome := harness.Outcome{Messages: 2 * actors * setup.Size, Took: watch.Stop()}
	s.stop()
	var handled int64
	for _, m := range members {
		handled += m.handled
	}
	outcome.Check("messages handled", handled, outcome.Messages+actors)
	return outcome
}

type dayfly struct {
	base
	sum      *atomic.Int64
	finished *harness.Countdown
}

func (d *dayfly) Receive(ctx *actor.ReceiveContext) {
	if m, ok := ctx.Message().(number); ok {
		d.sum.Add(int64(m))
		d.finished.One()
		ctx.Shutdown()
	}
}

type maker struct {
	base
	sum      *atomic.Int64
	finished *harness.Countdown
}

func (k *maker) Receive(ctx *actor.ReceiveContext) {
	if m, ok := ctx.Message().(number); ok {
		for i := number(1); i <= m; i++ {
			ctx.Tell(ctx.Spawn(strconv.FormatInt(int64(i), 10), &dayfly{sum: k.sum, finished: k.finished}, actor.WithLongLived()), i)
		}
	}
}

func create(setup harness.Setup) harness.Outcome {
	s := start()
	var sum atomic.Int64
	finished := harness.NewCountdown(setup.Size)
	makes := s.spawn("maker", &maker{sum: &sum, finished: finished})
	watch := harness.Start()
	tell(makes, number(setup.Size))
	finished.Wait()
	outcome := harness.Outcome{Messages: setup.Size, Took: watch.Stop()}
	outcome.Check("sum received", sum.Load(), setup.Size*(setup.Size+1)/2)
	return outcome
}

type grow struct {
	parent        *actor.PID
	first, leaves int64
}
type sum int64

type node struct {
	base
	parent  *actor.PID
	sum     sum
	answers int
}

func (n *node) Receive(ctx *actor.ReceiveContext) {
	switch m := ctx.Message().(type) {
	case *grow:
		n.parent = m.parent
		if m.leaves == 1 {
			ctx.Tell(m.parent, sum(m.first))
			ctx.Shutdown()
			return
		}
		each := m.leaves / 10
		for i := int64(0); i < 10; i++ {
			first := m.first + i*each
			name := strconv.FormatInt(each, 10) + "-" + strconv.FormatInt(first, 10)
			ctx.Tell(ctx.Spawn(name, &node{}, actor.WithLongLived()), &grow{ctx.Self(), first, each})
		}
	case sum:
		n.sum += m
		if n.answers++; n.answers == 10 {
			ctx.Tell(n.parent, n.sum)
			ctx.Shutdown()
		}
	}
}

type top struct {
	base
	sum      sum
	finished *harness.Countdown
}

func (t *top) Receive(ctx *actor.ReceiveContext) {
	if m, ok := ctx.Message().(sum); ok {
		t.sum = m
		t.finished.One()
	}
}

func skynet(setup harness.Setup) harness.Outcome {
	leaves := harness.Leaves(setup.Size)
	s := start()
	finished := harness.NewCountdown(1)
	above := &top{finished: finished}
	parent := s.spawn("top", above)
	watch := harness.Start()
	tell(s.spawn("root", &node{}), &grow{parent, 0, leaves})
	finished.Wait()
	outcome := harness.Outcome{Messages: leaves, Took: watch.Stop()}
	outcome.Check("sum of leaves", int64(above.sum), leaves*(leaves-1)/2)
	return outcome
}

type idle struct{ base }

func (*idle) Receive(*actor.ReceiveContext) {}

func idleActors(setup harness.Setup) harness.Outcome {
	s := start()
	fill := func(first, count int64) {
		for i := int64(0); i < count; i++ {
			s.spawn("idle-"+strconv.FormatInt(first+i, 10), &idle{})
		}
	}
	fill(0, 1000)
	before := harness.ResidentBytes()
	watch := harness.Start()
	fill(1000, setup.Size)
	outcome := harness.Outcome{Messages: setup.Size, Took: watch.Stop()}
	bytes := harness.ResidentBytes() - before
	outcome.Figures = map[string]float64{"bytes_each": float64(bytes) / float64(setup.Size)}
	return outcome
}

type echo struct{ base }

func (*echo) Receive(ctx *actor.ReceiveContext) {
	if m, ok := ctx.Message().(number); ok {
		ctx.Response(m + 1)
	}
}

type asker struct {
	base
	echo      *actor.PID
	right     int64
	latencies *harness.Latencies
	finished  *harness.Countdown
}

func (a *asker) Receive(ctx *actor.ReceiveContext) {
	if m, ok := ctx.Message().(number); ok {
		for i := number(0); i < m; i++ {
			before := time.Now()
			answer := ctx.Ask(a.echo, i, patience)
			a.latencies.Add(before)
			if answer == i+1 {
				a.right++
			}
		}
		a.finished.One()
	}
}

func ask(setup harness.Setup) harness.Outcome {
	s := start()
	latencies := harness.NewLatencies(setup.Size)
	asking := &asker{echo: s.spawn("echo", &echo{}), latencies: latencies, finished: harness.NewCountdown(1)}
	pid := s.spawn("asker", asking)
	watch := harness.Start()
	tell(pid, number(setup.Size))
	asking.finished.Wait()
	outcome := harness.Outcome{Messages: setup.Size, Took: watch.Stop(), Figures: latencies.Figures()}
	s.stop()
	outcome.Check("right answers", asking.right, setup.Size)
	return outcome
}

// A goroutine that is no actor's.
func askThread(setup harness.Setup) harness.Outcome {
	s := start()
	target := s.spawn("echo", &echo{})
	latencies := harness.NewLatencies(setup.Size)
	var right int64
	watch := harness.Start()
	for i := int64(0); i < setup.Size; i++ {
		before := time.Now()
		answer := must(actor.Ask(background, target, number(i), patience))
		latencies.Add(before)
		if answer == number(i+1) {
			right++
		}
	}
	outcome := harness.Outcome{Messages: setup.Size, Took: watch.Stop(), Figures: latencies.Figures()}
	s.stop()
	outcome.Check("right answers", right, setup.Size)
	return outcome
}
