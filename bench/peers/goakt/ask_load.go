package main

import (
	"strconv"

	"github.com/tochemey/goakt/v4/actor"
	"github.com/tochemey/goakt/v4/reentrancy"

	"quern/bench/harness"
)

// loadAsker asks its echo for every message that it is fired.
type loadAsker struct {
	base
	index int
	echo  *actor.PID
	load  *harness.AskLoad
}

type scheduled int64

func (a *loadAsker) Receive(ctx *actor.ReceiveContext) {
	if m, ok := ctx.Message().(scheduled); ok {
		// Its Ask would hold a worker of the dispatcher: two such, and no echo ever runs.
		call := ctx.Request(a.echo, number(1), actor.WithRequestTimeout(patience))
		call.Then(func(answer any, _ error) {
			if answer == number(2) {
				a.load.Answered(a.index, int64(m))
			}
		})
	}
}

// loadPump fires what is due, and tells itself to go on.
type loadPump struct {
	base
	load     *harness.AskLoad
	askers   []*actor.PID
	finished *harness.Countdown
}

type again struct{}

func (p *loadPump) Receive(ctx *actor.ReceiveContext) {
	if _, ok := ctx.Message().(again); !ok {
		return
	}
	if p.load.Pump(func(asker int, due int64) { ctx.Tell(p.askers[asker], scheduled(due)) }) {
		ctx.Tell(ctx.Self(), again{})
	} else {
		p.finished.One()
	}
}

func askLoad(share float64) func(harness.Setup) harness.Outcome {
	return func(setup harness.Setup) harness.Outcome {
		s := start()
		load := harness.NewAskLoad(setup, share)
		var askers []*actor.PID
		for i := range harness.Askers {
			n := strconv.Itoa(i)
			echo := s.spawn("echo-"+n, &echo{})
			asker := &loadAsker{index: i, echo: echo, load: load}
			askers = append(askers, must(s.Spawn(background, "asker-"+n, asker, actor.WithLongLived(),
				actor.WithReentrancy(reentrancy.New(reentrancy.WithMode(reentrancy.AllowAll))))))
		}
		pump := &loadPump{load: load, askers: askers, finished: harness.NewCountdown(1)}
		tell(s.spawn("pump", pump), again{})
		pump.finished.Wait()
		s.stop()
		return load.Result()
	}
}
