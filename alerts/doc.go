// Package alerts keeps what people should know of: what went wrong, since when, and
// whether it is over.
//
// An alert is raised once and resolved once, however many processes look at the same
// thing, and whichever of them dies in between. Whoever looks at something says what it
// sees (Observation): good, bad, or between. What follows is decided by a pure function
// of what was seen before (Watch.Next), and written by one script if nobody else has
// written meanwhile (Book). That script also tells the clients (the event) and notes who
// still has to be told (Untold), which the scheduler does.
//
// A Rule says from which value on something is bad, and for how long it has to be. With
// hysteresis a value has to fall by some more before it is good again, so that one that
// swings around the threshold raises one alert and not a hundred.
//
// Somebody may dismiss an alert: it is told of no more until it is over and begins anew.
package alerts
