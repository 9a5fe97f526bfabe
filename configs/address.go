package configs

import (
	"net"
	"net/netip"
	"net/url"
	"regexp"
	"strconv"
	"strings"
)

// What is wrong with an address is said without the address: it may hold a
// password, or be one that went into the wrong line.

// dialAddress returns what is wrong with a host:port to connect to.
func dialAddress(s string) string {
	host, port, err := net.SplitHostPort(s)
	if err != nil || !validHost(host) {
		return `must be host:port, such as 127.0.0.1:6379 or "[::1]:6379"`
	}
	return portProblem(port, 1)
}

// listenAddress splits the address of a server: the host may be missing, for
// every interface, and the port 0, for a free one.
func listenAddress(s string) (host, problem string) {
	host, port, err := net.SplitHostPort(s)
	if err != nil || host != "" && !validHost(host) {
		return "", `must be host:port, such as 127.0.0.1:8080 or "[::1]:8080"`
	}
	return host, portProblem(port, 0)
}

func portProblem(port string, lowest int) string {
	if n, err := strconv.ParseUint(port, 10, 16); err != nil || int(n) < lowest {
		return "the port must be a number from " + strconv.Itoa(lowest) + " to 65535"
	}
	return ""
}

func portOf(address string) string {
	_, port, _ := net.SplitHostPort(address) // "" is an answer
	return port
}

// loopback reports whether an address of this host part is out of reach for
// other machines. Of names only localhost is trusted to stay at home.
func loopback(host string) bool {
	if ip, err := netip.ParseAddr(host); err == nil {
		return ip.Unmap().IsLoopback()
	}
	return strings.EqualFold(host, "localhost")
}

var (
	// Underscores are no part of host names, but of those that Docker gives.
	hostLabels = regexp.MustCompile(`^(?i:[a-z0-9_]([a-z0-9_-]{0,61}[a-z0-9_])?\.)*(?i:[a-z0-9_]([a-z0-9_-]{0,61}[a-z0-9_])?)$`)
	// A last label of digits is an IP address with a mistake in it.
	numericEnd = regexp.MustCompile(`(^|\.)[0-9]+$`)
)

// validHost reports whether s is an IP address or a host name.
func validHost(s string) bool {
	if _, err := netip.ParseAddr(s); err == nil {
		return true
	}
	return len(s) <= 253 && hostLabels.MatchString(s) && !numericEnd.MatchString(s)
}

// webAddress returns what is wrong with an http or https URL.
func webAddress(s string) string {
	u, err := url.Parse(s)
	switch {
	case err != nil:
		return "is not a URL: write it as http://example.com/path"
	case u.Scheme != "http" && u.Scheme != "https":
		return "must begin with http:// or https://"
	case u.User != nil:
		return "must not hold a user name or password: they would show in logs"
	case !validHost(u.Hostname()):
		return "names no valid host: write it as http://example.com/path"
	case u.Port() == "" && strings.HasSuffix(u.Host, ":"):
		return "ends its host with a colon: add the port or take the colon out"
	case u.Port() != "":
		return portProblem(u.Port(), 1)
	}
	return ""
}
