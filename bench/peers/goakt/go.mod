module quern/bench/goakt

go 1.26

require (
	github.com/tochemey/goakt/v4 v4.0.0
	quern/bench/harness v0.0.0
)

replace quern/bench/harness => ../go_harness
