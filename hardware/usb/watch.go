package usb

// Event is a change that the kernel tells of.
type Event struct {
	// Lost: others were missed, and nothing else is known. Read anew.
	Lost bool
	// Action is the kernel's word: add, remove, change, bind, unbind, move, …
	Action string
	// Subsystem is usb or net.
	Subsystem string
	// Path is the device that it is about, or whose interface it is about; "": not
	// one of USB.
	Path Path
	// Whole: it is about the device itself, not one of its interfaces.
	Whole bool
	// Interface is the network interface's name; only for net.
	Interface string
}
