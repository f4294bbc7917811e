// Proto.Actor's whole workloads, with its defaults.
package main

import (
	"io"
	"log/slog"
	"time"

	"github.com/asynkron/protoactor-go/actor"

	"quern/bench/harness"
	"quern/bench/harness/shapes"
)

const patience = time.Minute

// holder is an actor of theirs around one of ours, and the context of its turn.
type holder struct {
	actor shapes.Actor[*actor.PID]
	ctx   actor.Context
}

func (h *holder) Receive(ctx actor.Context) {
	h.ctx = ctx
	switch message := ctx.Message().(type) {
	case *actor.Started:
		h.actor.Receive(h, shapes.Started)
	case actor.SystemMessage, actor.AutoReceiveMessage:
	default:
		h.actor.Receive(h, message)
	}
}

func (h *holder) Self() *actor.PID                { return h.ctx.Self() }
func (h *holder) Tell(to *actor.PID, message any) { h.ctx.Send(to, message) }
func (h *holder) Reply(message any)               { h.ctx.Respond(message) }
func (h *holder) Stop()                           { h.ctx.Stop(h.ctx.Self()) }
func (h *holder) Ask(to *actor.PID, message any) any {
	return result(h.ctx.RequestFuture(to, message, patience))
}

func (h *holder) Spawn(a shapes.Actor[*actor.PID]) *actor.PID { return h.ctx.Spawn(propsOf(a)) }

func propsOf(a shapes.Actor[*actor.PID]) *actor.Props {
	return actor.PropsFromProducer(func() actor.Actor { return &holder{actor: a} })
}

func result(future *actor.Future) any {
	answer, err := future.Result()
	if err != nil {
		return err
	}
	return answer
}

type system struct{ *actor.ActorSystem }

func start() shapes.System[*actor.PID] {
	quiet := func(*actor.ActorSystem) *slog.Logger { return slog.New(slog.NewTextHandler(io.Discard, nil)) }
	return system{actor.NewActorSystem(actor.WithLoggerFactory(quiet))}
}

func (s system) Spawn(a shapes.Actor[*actor.PID]) *actor.PID { return s.Root.Spawn(propsOf(a)) }
func (s system) Tell(to *actor.PID, message any)             { s.Root.Send(to, message) }
func (s system) Stop()                                       { s.Shutdown() }
func (s system) Ask(to *actor.PID, message any) any {
	return result(s.Root.RequestFuture(to, message, patience))
}

func main() { harness.Main("proto-actor", shapes.Workloads(start)) }
