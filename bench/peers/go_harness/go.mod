module quern/bench/harness

go 1.21
