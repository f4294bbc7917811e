module quern/bench/ergo

go 1.21

require (
	ergo.services/ergo v1.999.0
	quern/bench/harness v0.0.0
)

replace quern/bench/harness => ../go_harness
