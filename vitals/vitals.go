// Package vitals reads how the machine is that a process runs on: processor, memory,
// disk, network, uptime. The figures are those that dashboards show (`status_update`);
// nothing is concluded from them here.
package vitals

import (
	"context"
	"fmt"
	"math"
	"net"

	"github.com/shirou/gopsutil/v4/cpu"
	"github.com/shirou/gopsutil/v4/disk"
	"github.com/shirou/gopsutil/v4/host"
	"github.com/shirou/gopsutil/v4/mem"
)

// Sample is the figures of a moment.
type Sample struct {
	// CPU, Memory and Disk are in percent, with one decimal: of all processors since the
	// last sample, of memory that programs can't have any more, of the root file system.
	CPU    float64 `json:"cpu_percent"`
	Memory float64 `json:"memory_percent"`
	Disk   float64 `json:"disk_usage"`
	// Network is connected where a network interface has an address that isn't local
	// to the machine, else disconnected.
	Network string `json:"network_status"`
	// Uptime of the machine in seconds.
	Uptime uint64 `json:"uptime"`
	// Services that run.
	Services int `json:"active_services"`
}

// Read takes a sample. Error: the machine can't be asked.
func Read(ctx context.Context) (s Sample, err error) {
	busy, err := cpu.PercentWithContext(ctx, 0, false) // since the last call
	if err != nil || len(busy) == 0 {
		return s, fmt.Errorf("reading the processors' load: %w", err)
	}
	memory, err := mem.VirtualMemoryWithContext(ctx)
	if err != nil {
		return s, fmt.Errorf("reading the memory: %w", err)
	}
	root, err := disk.UsageWithContext(ctx, "/")
	if err != nil {
		return s, fmt.Errorf("reading the disk: %w", err)
	}
	up, err := host.UptimeWithContext(ctx)
	if err != nil {
		return s, fmt.Errorf("reading the uptime: %w", err)
	}
	s = Sample{CPU: percent(busy[0]), Memory: percent(memory.UsedPercent), Disk: percent(root.UsedPercent), Network: "disconnected", Uptime: up}
	if connected() {
		s.Network = "connected"
	}
	return s, nil
}

func percent(x float64) float64 { return math.Round(min(max(x, 0), 100)*10) / 10 }

func connected() bool {
	all, err := net.Interfaces()
	if err != nil {
		return false
	}
	for _, i := range all {
		if i.Flags&net.FlagUp == 0 || i.Flags&net.FlagLoopback != 0 {
			continue
		}
		addrs, err := i.Addrs()
		if err != nil {
			continue
		}
		for _, a := range addrs {
			if n, ok := a.(*net.IPNet); ok && n.IP.IsGlobalUnicast() {
				return true
			}
		}
	}
	return false
}
