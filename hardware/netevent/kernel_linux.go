package netevent

import (
	"errors"
	"fmt"

	"github.com/vishvananda/netlink/nl"
	"golang.org/x/sys/unix"
)

// socket hears what the kernel tells everybody. The library's own subscriptions
// know nothing of rules, and end when the kernel had too much to say.
type socket struct{ s *nl.NetlinkSocket }

var _ source = socket{}

// groups are what is listened to.
var groups = []uint{unix.RTNLGRP_LINK, unix.RTNLGRP_IPV4_IFADDR, unix.RTNLGRP_IPV4_ROUTE, unix.RTNLGRP_IPV4_RULE}

func open(buffer int) (source, error) {
	s, err := nl.Subscribe(unix.NETLINK_ROUTE, groups...)
	if err != nil {
		return nil, fmt.Errorf("watching the network (netlink): %w", err)
	}
	if buffer > 0 {
		if err := s.SetReceiveBufferSize(buffer, false); err != nil {
			s.Close()
			return nil, fmt.Errorf("watching the network: setting the socket's buffer: %w", err)
		}
	}
	return socket{s}, nil
}

func (s socket) receive() error {
	_, _, err := s.s.Receive()
	if errors.Is(err, unix.ENOBUFS) {
		return errLost
	}
	return err
}

func (s socket) close() { s.s.Close() }
