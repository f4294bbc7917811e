module quern/bench/proto-actor

go 1.21

require (
	github.com/asynkron/protoactor-go v0.0.0-20240822202345-3c0e61ca19c9
	quern/bench/harness v0.0.0
)

replace quern/bench/harness => ../go_harness
