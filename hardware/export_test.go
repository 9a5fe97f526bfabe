package hardware

// RepairWithoutPause has KeepRouted repair as often as the test breaks.
func (h *Host) RepairWithoutPause() { h.longestAgain = 0 }

// NoteWait is what a repair tells what it waits for by.
var NoteWait = noteWait
