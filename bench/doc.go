// Command bench measures what this project promises about its speed, one
// benchmark by name:
//
//	go run ./bench accept    jobs accepted over HTTP
//	go run ./bench start     from accepted to running, on an idle system
//	go run ./bench idle      what idle hosts cost (HOSTS=500)
//	go run ./bench backlog   working through a backlog
//	go run ./bench toggle    a toggle beyond the modem's own time
//	go run ./bench status    the status of a host whose modems partly hang
//	go run ./bench worker    an idle worker of a proxy host
//
// # Reading the rows
//
// Each row has our figure, the bound or peer measured in the same run, the
// ratio of the two, the target and whether it was met. Figures are the median
// of the rounds (-rounds, five unless told); a ratio is the median of the
// rounds' own ratios, since the two sides of one round have met the same
// machine. The exit status is 0 if every target was met, else 1.
//
// # Fairness
//
// Both sides of a comparison use the same real redis-server (package
// sim/redisserver, with the append-only file that production asks for), started
// afresh for each side of each round, the same pool sizes and the same number of
// goroutines. Where the real system runs in processes of its own, so does what
// is measured: the program starts itself again for that (child.go). What a
// bound leaves out is said above the benchmark that uses it.
//
// Absolute figures are worth little on a shared machine; ratios are worth more.
// Nothing leaves the loopback interface.
package main
