// Ergo's whole workloads, with its defaults but the network, which is off.
package main

import (
	"fmt"

	"ergo.services/ergo"
	"ergo.services/ergo/act"
	"ergo.services/ergo/gen"

	"quern/bench/harness"
	"quern/bench/harness/shapes"
)

const patienceSeconds = 60

type spawned struct{}

// holder is an actor of theirs around one of ours.
type holder struct {
	act.Actor
	actor   shapes.Actor[gen.PID]
	stopped bool
	reply   any
}

func factoryOf(a shapes.Actor[gen.PID]) gen.ProcessFactory {
	return func() gen.ProcessBehavior { return &holder{actor: a} }
}

func (h *holder) Init(...any) error { return h.Send(h.PID(), spawned{}) }

func (h *holder) HandleMessage(_ gen.PID, message any) error {
	if _, first := message.(spawned); first {
		message = shapes.Started
	}
	h.actor.Receive(turn{h}, message)
	if h.stopped {
		return gen.TerminateReasonNormal
	}
	return nil
}

func (h *holder) HandleCall(_ gen.PID, _ gen.Ref, request any) (any, error) {
	h.actor.Receive(turn{h}, request)
	return h.reply, nil
}

type turn struct{ *holder }

func (t turn) Self() gen.PID                { return t.PID() }
func (t turn) Tell(to gen.PID, message any) { check(t.Send(to, message)) }
func (t turn) Reply(message any)            { t.reply = message }
func (t turn) Stop()                        { t.stopped = true }

func (t turn) Ask(to gen.PID, message any) any {
	answer, err := t.CallWithTimeout(to, message, patienceSeconds)
	if err != nil {
		return err
	}
	return answer
}

func (t turn) Spawn(a shapes.Actor[gen.PID]) gen.PID {
	return must(t.Process.Spawn(factoryOf(a), gen.ProcessOptions{}))
}

func must[T any](value T, err error) T {
	check(err)
	return value
}

func check(err error) {
	if err != nil {
		panic(err)
	}
}

type system struct{ gen.Node }

var starts = 0

func start() shapes.System[gen.PID] {
	starts++
	var options gen.NodeOptions
	options.Network.Mode = gen.NetworkModeDisabled
	options.Log.Level = gen.LogLevelError
	name := gen.Atom(fmt.Sprintf("bench%d@localhost", starts))
	return system{must(ergo.StartNode(name, options))}
}

func (s system) Spawn(a shapes.Actor[gen.PID]) gen.PID {
	return must(s.Node.Spawn(factoryOf(a), gen.ProcessOptions{}))
}
func (s system) Tell(to gen.PID, message any) { check(s.Node.Send(to, message)) }
func (s system) Ask(gen.PID, any) any         { panic("a node cannot ask") }
func (s system) Stop()                        { s.Node.Stop() }

func main() { harness.Main("ergo", shapes.Workloads(start)) }
